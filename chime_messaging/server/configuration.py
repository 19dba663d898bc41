"""How a local server is set up."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chime_messaging.server.media import MediaPlugin

LOCAL_REGION = "us-east-1"
LOCAL_ACCOUNT = "123456789012"
LOCAL_ACCESS_KEY = "AKIACHIMELOCALSERVER"
LOCAL_SECRET_KEY = "local/chime/server/secret/access/key/0000"  # public on purpose, like a demo password


class Authorization(StrEnum):
    """How much a request must prove."""

    TRUST = "trust"
    """Nothing is asked: every bearer may do everything."""
    ROLES = "roles"
    """Any signature is taken; the bearer must be a known user and the role matrix holds."""
    STRICT = "strict"
    """As ROLES, and SigV4 signatures are verified against the known keys."""


@dataclass(frozen=True, slots=True)
class ServerConfiguration:
    """Settings of one local server. Durations in seconds."""

    host: str = "127.0.0.1"
    port: int = 8765
    """0 picks a free port."""
    public_host: str | None = None
    """Host (or host:port) that clients are told to connect to; by default the one they called."""
    database: str | None = None
    """Path of a SQLite file or a SQLAlchemy URL; None keeps everything in memory."""
    tls: bool = False
    authorization: Authorization = Authorization.ROLES
    join_restricted: bool = True
    """Whether users may add themselves to public channels in mode RESTRICTED, as they may in UNRESTRICTED ones."""
    quotas: bool = True
    """Whether the service's rate and count limits are enforced."""
    region: str = LOCAL_REGION
    account: str = LOCAL_ACCOUNT
    keys: tuple[tuple[str, str], ...] = ((LOCAL_ACCESS_KEY, LOCAL_SECRET_KEY),)
    """Access key id and secret pairs accepted by STRICT."""
    ping_interval: float = 20.0
    ping_timeout: float = 20.0
    """Idle sockets that do not answer a ping in this time are dropped."""
    signaling_ping_interval: float = 10.0
    signaling_ping_grace: float = 10.0
    """An attendee whose client does not answer a ping of its meeting in this time is disconnected (1006)."""
    reconnect_grace: float = 15.0
    """How long an attendee whose connection was lost stays present for the others; then it counts as dropped."""
    coalesce: float = 0.005
    """Longest time a message may wait to share a write with others, under load; 0 on an idle socket."""
    write_buffer: int = 4 << 20
    """Bytes a slow reader may be behind before its socket is closed with 1013."""
    streaming_path: str | None = None
    """Folder for the JSON-lines files that stand in for Kinesis streams; None keeps records in memory."""
    flow_timeout: float = 10.0
    """How long a flow processor may take to accept an invocation, or a bot to answer."""
    processors: tuple[tuple[str, str], ...] = ()
    """Pairs of ARN and URL: which HTTP endpoint stands in for which Lambda function or Lex bot alias."""
    media: MediaPlugin | None = None
    """What brings the media of meetings, as ``chime_media.server.node.MediaNode``; None for data messages only."""
    media_port: int = 0
    """UDP port for the media of everybody; 0 picks a free one."""
    media_hosts: tuple[str, ...] = ()
    """IP addresses that clients are told to send media to; by default those that `host` stands for."""
    turn_uris: tuple[str, ...] = ()
    """TURN servers that clients are to relay media over, for example ``turn:192.0.2.1:3478?transport=udp``."""
    turn_username: str = ""
    turn_password: str = field(default="", repr=False)
    turn_secret: str = field(default="", repr=False)
    """Shared with the TURN servers (``static-auth-secret`` of coturn): every attendee gets credentials of its own."""
    js_sdk: str | None = None
    """File or URL of amazon-chime-sdk-js as an ECMAScript module, for the page ``/meet``; by default a public CDN's."""
