"""Messaging sessions on the server: a websocket that is accepted, then authorised, then told what its user may see.

Official clients expect the upgrade to succeed and a refusal to come as a close code; 4401 stops them for good.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from uvicorn.server import ServerState
from websockets.datastructures import Headers

from chime_messaging.errors import InvalidArnError
from chime_messaging.ids import require_arn
from chime_messaging.protocol.messaging_session import MessagingServerProtocol
from chime_messaging.server.broker import Broker
from chime_messaging.server.configuration import Authorization, ServerConfiguration
from chime_messaging.server.faults import Fault
from chime_messaging.server.notices import Attach
from chime_messaging.server.prefetch import channel_details
from chime_messaging.server.quotas import Limiter
from chime_messaging.server.rest.signatures import verify_query
from chime_messaging.server.store.database import Database, Transaction
from chime_messaging.server.store.memberships import groups_of
from chime_messaging.server.store.users import user_exists
from chime_messaging.server.websocket import HANDSHAKE_TIMEOUT, TRY_AGAIN_LATER, WebSocket, frame

PATH = "/connect"
NOT_AUTHORIZED = 4401
_INTERNAL_ERROR = 1011
_MAX_PARAMETERS = 64
_MAX_SESSION_ID = 256
_SORT_ORDERS = ("unread", "last-message-timestamp")

_log = logging.getLogger(__name__)

Prefetch = Callable[[Transaction, str, str], list[bytes]]
"""Reads CHANNEL_DETAILS frames: transaction, user ARN, sort order."""


class Refused(Exception):
    """The session is not authorised; the text becomes the close reason."""


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """What a client asks for in the connect URL."""

    user_arn: str
    session_id: str
    sort_by: str | None
    """Order of the prefetch; None without one."""


def read_request(target: str, host: str, configuration: ServerConfiguration, now: datetime) -> ConnectRequest:
    """Read the connect URL, and verify its signature where the configuration asks for it.

    Args:
        target: raw request target, path and query.
        host: the Host header as received.
        configuration: for the level of authorisation and the keys.
        now: aware.

    Raises:
        Refused: if the request is not authorised.
    """
    query = target.partition("?")[2]
    if not query.isascii():
        raise Refused("the URL is not ASCII")
    try:
        given = parse_qs(query, max_num_fields=_MAX_PARAMETERS, errors="strict")
    except ValueError:
        raise Refused("the query cannot be read") from None
    user_arn = _only(given, "userArn")
    session_id = _only(given, "sessionId")
    if len(session_id) > _MAX_SESSION_ID:
        raise Refused(f"sessionId is longer than {_MAX_SESSION_ID} characters")
    try:
        require_arn(user_arn, "userArn", "user")
    except InvalidArnError:
        raise Refused("userArn is not the ARN of an app instance user") from None
    if configuration.authorization is Authorization.STRICT:
        try:
            verify_query(query, host, keys=dict(configuration.keys), now=now)
        except Fault as fault:
            raise Refused(fault.message) from None
    if given.get("prefetch-on") != ["connect"]:
        return ConnectRequest(user_arn, session_id, None)
    sort_by = given.get("prefetch-sort-by", [""])[0]
    return ConnectRequest(user_arn, session_id, sort_by if sort_by in _SORT_ORDERS else _SORT_ORDERS[0])


def _only(given: dict[str, list[str]], name: str) -> str:
    values = given.get(name, [])
    if len(values) != 1:
        raise Refused(f"{name} is missing" if not values else f"{name} is given more than once")
    return values[0]


class Listener:
    """What all connections share. Goes into uvicorn's ``ws=``, which calls it for every upgrade request.

    Args:
        configuration: of the server.
        database: where users and memberships are.
        broker: that the sockets attach to.
        limiter: of new connections; None without quotas.
        prefetch: reads the CHANNEL_DETAILS frames of a user.
    """

    def __init__(
        self,
        configuration: ServerConfiguration,
        database: Database,
        broker: Broker,
        *,
        limiter: Limiter | None = None,
        prefetch: Prefetch = channel_details,
    ) -> None:
        self.configuration = configuration
        self.database = database
        self.broker = broker
        self.limiter = limiter
        self.prefetch = prefetch

    def __call__(self, config: object, server_state: ServerState, app_state: dict[str, Any]) -> Connection:
        """Make the protocol of one connection."""
        return Connection(self, server_state)


class Connection(WebSocket):
    """One messaging session."""

    __slots__ = ("_listener", "_session", "_task", "session_id", "user_arn")

    def __init__(self, listener: Listener, server_state: ServerState) -> None:
        configuration = listener.configuration
        super().__init__(
            server_state,
            ping_interval=configuration.ping_interval,
            ping_timeout=configuration.ping_timeout,
            write_buffer=configuration.write_buffer,
        )
        self._listener = listener
        self._session = MessagingServerProtocol()
        self._task: asyncio.Task[None] | None = None
        self.user_arn = ""
        self.session_id = ""

    # websocket

    def accepts(self, path: str) -> bool:
        """Messaging sessions live at one path."""
        return path == PATH

    def opened(self, target: str, headers: Headers) -> None:
        """Authorise: from the URL at once, then from the store in a task of this connection."""
        broker = self._listener.broker
        broker.opened(self)
        refusal = broker.closing or broker.take_refusal()
        if refusal is not None:
            self._refuse(*refusal)
            return
        try:
            request = self._read(target, headers)
        except Refused as refused:
            self._refuse(NOT_AUTHORIZED, str(refused))
            return
        self.user_arn, self.session_id = request.user_arn, request.session_id
        limiter = self._listener.limiter
        if limiter is not None and not limiter.admit_connection(self.user_arn):
            self._refuse(TRY_AGAIN_LATER, "too many new connections of this user")
            return
        self._task = self._loop.create_task(self._join(request))

    def detached(self) -> None:
        """Leave the broker at once: a closing socket gets no events."""
        self._listener.broker.detach(self)
        if self._task is not None:
            self._task.cancel()

    def lost(self) -> None:
        """The connection is gone."""
        self._listener.broker.lost(self)

    def slow(self) -> None:
        """Count a slow reader."""
        self._listener.broker.counters.slow += 1

    def silent(self) -> None:
        """Count a peer that does not answer."""
        self._listener.broker.counters.silent += 1

    # broker

    def establish(self, details: tuple[bytes, ...]) -> None:
        """Write SESSION_ESTABLISHED and the prefetch; the prefetch may be larger than the limit for slow readers."""
        session = self._session
        session.authorise()
        frames = session.establish()
        if details:
            frames += session.prefetch(details)
        session.prefetched()
        opening = b"".join(map(frame, frames))
        self.allow(len(opening))
        self.write(opening)

    # Inside

    def _read(self, target: str, headers: Headers) -> ConnectRequest:
        hosts = headers.get_all("Host")
        return read_request(target, hosts[0] if hosts else "", self._listener.configuration, datetime.now(UTC))

    def _refuse(self, code: int, reason: str) -> None:
        self._listener.broker.counters.refused += 1
        self.close(code, reason)

    async def _join(self, request: ConnectRequest) -> None:
        try:
            # A held socket waits for its fault script, not for us, and ends with the script or with its peer.
            await self._listener.broker.released.wait()
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                known = await self._listener.database.run(lambda tx: self._snapshot(tx, request))
            if not known:
                self._refuse(NOT_AUTHORIZED, "userArn is not a known app instance user")
        except TimeoutError:
            self._refuse(TRY_AGAIN_LATER, "authorisation took too long")
        except Exception:
            _log.exception("a session could not be authorised")
            self._refuse(_INTERNAL_ERROR, "internal error")
        finally:
            self._task = None

    def _snapshot(self, tx: Transaction, request: ConnectRequest) -> bool:
        """On the store's thread: read what the session begins with. False for an unknown user."""
        trusted = self._listener.configuration.authorization is Authorization.TRUST
        if not trusted and not user_exists(tx, request.user_arn):
            return False
        details: list[bytes] = []
        if request.sort_by is not None:
            details = self._listener.prefetch(tx, request.user_arn, request.sort_by)
        tx.notify(Attach(self, tuple(groups_of(tx, request.user_arn)), tuple(details)))
        return True
