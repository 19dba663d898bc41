"""The TURN credentials that attendees get in JOIN_ACK, if the server is set up to hand out any."""

from __future__ import annotations

import base64
import hashlib
import hmac

from chime_messaging.meeting_events import TurnCredentials
from chime_messaging.server.configuration import ServerConfiguration

TTL = 300
"""Seconds that the service's credentials are good for."""
_LIFETIME = 24 * 3600
"""Seconds that ours are: relays ask for them again whenever an allocation is renewed, as long as the call lasts."""


def relay_credentials(configuration: ServerConfiguration, attendee_id: str, now: float) -> TurnCredentials | None:
    """Make the credentials of one attendee; None without TURN servers.

    With a shared secret the user name is the time it ends and the attendee, and the password is its HMAC-SHA1 in
    base64, as coturn and others check it. Otherwise everybody gets the same.
    """
    if not configuration.turn_uris:
        return None
    username, password = configuration.turn_username, configuration.turn_password
    if configuration.turn_secret:
        username = f"{int(now) + _LIFETIME}:{attendee_id}"
        digest = hmac.new(configuration.turn_secret.encode(), username.encode(), hashlib.sha1).digest()
        password = base64.b64encode(digest).decode()
    return TurnCredentials(username, password, TTL, configuration.turn_uris)
