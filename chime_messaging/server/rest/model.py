"""botocore's service models, loaded once per process: the schema of all three services."""

from __future__ import annotations

from functools import cache

from botocore.loaders import Loader
from botocore.model import ServiceModel

SERVICES = {
    "messaging": "chime-sdk-messaging",
    "identity": "chime-sdk-identity",
    "meetings": "chime-sdk-meetings",
}
"""The server's short name of each service, and botocore's."""


@cache
def service_model(service: str) -> ServiceModel:
    """Load the model of ``messaging``, ``identity`` or ``meetings``."""
    name = SERVICES[service]
    return ServiceModel(Loader().load_service_model(name, "service-2"), name)
