"""Room: how do messages travel? Websocket (asyncio and trio), in-memory pair, scripted faults.

The only client room that knows `websockets`. May import `protocol` and what stands below it.
"""

from chime_messaging.transport.base import Connector, Transport
from chime_messaging.transport.faults import (
    Close,
    Delay,
    Deliver,
    Drop,
    Duplicate,
    FaultScript,
    FaultyConnector,
    Insert,
    Refuse,
    Silence,
)
from chime_messaging.transport.memory import MemoryConnector, MemoryTransport, memory_pair
from chime_messaging.transport.websocket import WebSocketConnector

__all__ = [
    "Close",
    "Connector",
    "Delay",
    "Deliver",
    "Drop",
    "Duplicate",
    "FaultScript",
    "FaultyConnector",
    "Insert",
    "MemoryConnector",
    "MemoryTransport",
    "Refuse",
    "Silence",
    "Transport",
    "WebSocketConnector",
    "memory_pair",
]
