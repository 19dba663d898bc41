"""Room: how do users test? Fixtures, fault scripts and recorders, shipped as a product. May import any room."""

from chime_messaging.testing.recorder import EventRecorder
from chime_messaging.testing.transports import TransportContractError, check_transport

__all__ = ["EventRecorder", "TransportContractError", "check_transport"]
