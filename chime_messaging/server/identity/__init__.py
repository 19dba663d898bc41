"""Handlers of the identity service, one file per noun. Importing the package registers them."""

from chime_messaging.server.identity import admins, app_instances, bots, endpoints, tags, users

__all__ = ["admins", "app_instances", "bots", "endpoints", "tags", "users"]
