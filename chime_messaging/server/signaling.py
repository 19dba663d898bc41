"""The signalling websocket of one attendee: what comes over it, and who may come.

Official clients expect the upgrade to succeed and a refusal to come as a close code after JOIN: 4403 for an unknown
token, 4410 for a meeting that is over. Once joined they reconnect after 1006 and 4500 to 4599 only.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any

from uvicorn.server import ServerState
from websockets.datastructures import Headers
from websockets.frames import Opcode
from websockets.typing import Subprotocol

from chime_messaging.errors import ConfigurationError, LimitError
from chime_messaging.ids import attendee_id_of
from chime_messaging.meeting_events import DataMessage
from chime_messaging.protocol.data_messages import Verdict, require_data, require_topic
from chime_messaging.protocol.session_status import ABNORMAL, ATTENDEE_UNAVAILABLE, INTERNAL_ERROR, MEETING_ENDED
from chime_messaging.protocol.signal_frames import DATA_CLIENT
from chime_messaging.protocol.signaling_service import (
    DataSubmitted,
    Demoted,
    FrameReceived,
    FrameSkipped,
    Happening,
    JoinRequested,
    Left,
    MuteChanged,
    PromotionRequested,
    SignalingServerProtocol,
    Silent,
)
from chime_messaging.server.attendee_socket import AttendeeSocket, Opening
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.live_meetings import SERVICE_RESTART, LiveMeetings
from chime_messaging.server.media import AttendeeMedia
from chime_messaging.server.meeting_roster import Presence, first_stream_id
from chime_messaging.server.meetings.limits import capacity_of
from chime_messaging.server.meetings.placement import SIGNALING_PATH
from chime_messaging.server.notices import Admit
from chime_messaging.server.party import Party
from chime_messaging.server.relays import relay_credentials
from chime_messaging.server.store.attendees import find_by_token
from chime_messaging.server.store.database import Database, Transaction
from chime_messaging.server.store.meetings import meeting as find_meeting
from chime_messaging.server.websocket import HANDSHAKE_TIMEOUT, WebSocket, frame
from chime_messaging.wire.signaling import MAX_FRAME_BYTES, SUBPROTOCOL, JoinFlags
from chime_messaging.wire.signaling_pb2 import SignalFrame

NATIVE_SUBPROTOCOL = "Signaling-SDK"
"""What the official C++ client offers; its token is in a cookie."""
COOKIE = "_aws_wt_session"
CONTENT_SUFFIX = "#content"
"""Ends the attendee id and the token of a content share."""
BAD_MESSAGE = 4400
"""Close code after a data message that is not valid; ours, as the live one is not known."""
TOO_MANY_MESSAGES = 4529
"""Close code above the hard limits of data messages; ours, out of those after which official clients come back."""

_NORMAL = 1000
_MAX_EARLY = 64
"""Frames that wait for the answer to a JOIN; beyond that nothing more is read, so that TCP holds back the peer."""

_log = logging.getLogger(__name__)


class SignalingListener:
    """What all signalling connections share: makes the protocol of each.

    Args:
        configuration: of the server.
        database: where meetings and attendees are.
        live: the meetings that the sockets enter.
    """

    def __init__(self, configuration: ServerConfiguration, database: Database, live: LiveMeetings) -> None:
        self.configuration = configuration
        self.database = database
        self.live = live

    def __call__(self, config: object, server_state: ServerState, app_state: dict[str, Any]) -> SignalingConnection:
        """Make the protocol of one connection."""
        return SignalingConnection(self, server_state)


class SignalingConnection(WebSocket):
    """The signalling of one attendee."""

    SLOW_CODE = SERVICE_RESTART

    __slots__ = (
        "_early",
        "_listener",
        "_meeting_id",
        "_signaling",
        "_task",
        "_token",
        "attendee_id",
        "brings_media",
        "external_user_id",
        "media",
        "party",
        "presence",
        "session_id",
        "wants_roster",
    )

    def __init__(self, listener: SignalingListener, server_state: ServerState) -> None:
        configuration = listener.configuration
        super().__init__(
            server_state,
            ping_interval=None,
            ping_timeout=configuration.signaling_ping_grace,
            write_buffer=configuration.write_buffer,
            max_incoming=MAX_FRAME_BYTES,
        )
        self._listener = listener
        self._signaling = SignalingServerProtocol(
            wall_clock=time.time() - self._loop.time(),
            ping_interval=configuration.signaling_ping_interval,
            ping_grace=configuration.signaling_ping_grace,
        )
        self._task: asyncio.Task[None] | None = None
        self._early: list[bytes] = []
        self._meeting_id = ""
        self._token = ""
        self.attendee_id = ""
        self.external_user_id = ""
        self.session_id: int | None = None
        self.wants_roster = False
        self.presence: Presence[AttendeeSocket] | None = None
        self.party = Party("", "")
        self.brings_media = True
        self.media: AttendeeMedia | None = None

    # websocket

    def accepts(self, path: str) -> bool:
        """Each meeting has a path of its own, whether it is known or not."""
        return (
            path.startswith(SIGNALING_PATH)
            and "/" not in path[len(SIGNALING_PATH) :]
            and len(path) > len(SIGNALING_PATH)
        )

    def select_subprotocol(self, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        """Take the one we know; the token is offered beside it."""
        known = [each for each in offered if each in (SUBPROTOCOL, NATIVE_SUBPROTOCOL)]
        self._token = next((each for each in offered if each not in known), "")
        return known[0] if known else None

    def opened(self, target: str, headers: Headers) -> None:
        """Wait for JOIN, and keep the connection alive meanwhile."""
        live = self._listener.live
        live.opened(self)
        if live.closing is not None:
            self.close(*live.closing)
            return
        self._meeting_id = target.partition("?")[0][len(SIGNALING_PATH) :]
        self._token = self._token or _cookie(headers)
        self._signaling.opened(self._loop.time())
        live.wheel.watch(self)

    def data_received(self, data: bytes) -> None:
        """Any byte is a sign of life of a client that does not speak PING_PONG."""
        self._signaling.receive((), self._loop.time())
        super().data_received(data)

    def received(self, message: bytes) -> None:
        """Take one frame. What follows a JOIN waits until that is answered."""
        if self._task is not None:
            self._early.append(message)
            if len(self._early) == _MAX_EARLY and self._transport is not None:
                self._transport.pause_reading()
            return
        for happening in self._signaling.receive((message,), self._loop.time()):
            self._happened(happening)
        self._write_out()

    def detached(self) -> None:
        """Leave the meeting at once: a closing socket gets no frames."""
        live = self._listener.live
        live.wheel.forget(self)
        live.detach(self)
        self._early.clear()
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._read_on()

    def lost(self) -> None:
        """The connection is gone."""
        self._listener.live.gone(self)

    def slow(self) -> None:
        """Count a slow reader."""
        self._listener.live.counters.slow += 1

    def shutdown(self) -> None:
        """Close, as the server stops."""
        self.close(SERVICE_RESTART, "the server stops")

    # wheel

    @property
    def deadline(self) -> float | None:
        """When the next ping is due, or the answer to the last one."""
        return None if self.closed else self._signaling.deadline

    def expire(self) -> None:
        """Send a ping, or drop a client that is silent."""
        for happening in self._signaling.expire(self._loop.time()):
            self._happened(happening)
        self._write_out()

    # live meeting

    def admit(self, opening: Opening) -> None:
        """Answer JOIN, with everything that belongs to the answer in one write."""
        self._signaling.accept(
            self._loop.time(),
            roster=opening.roster,
            participants=opening.participants,
            at_capacity=opening.at_capacity,
            sources=opening.sources,
            codecs=opening.codecs,
            turn=relay_credentials(self._listener.configuration, self.attendee_id, time.time()),
        )
        self.write(self._framed() + opening.replay)

    def send(self, frame: SignalFrame) -> None:
        """Write a frame for this attendee alone."""
        self._signaling.write(frame, self._loop.time())
        self._write_out()

    def turn_away(self, status: int, description: str) -> None:
        """Answer JOIN with an error, and close."""
        self._signaling.refuse(self._loop.time(), status, description)
        self._write_out()
        self._end_silent()

    def notify_status(self, status: int) -> None:
        """Write AUDIO_STATUS."""
        self._signaling.audio_status(status, self._loop.time())
        self._write_out()

    def promoted(self, status: int, description: str = "") -> None:
        """Answer PRIMARY_MEETING_JOIN."""
        self._signaling.promoted(self._loop.time(), status=status, description=description)
        self._write_out()

    def demote(self) -> None:
        """Write PRIMARY_MEETING_LEAVE."""
        self._signaling.demote(self._loop.time())
        self._write_out()

    # Inside

    def _happened(self, happening: Happening) -> None:
        live = self._listener.live
        if isinstance(happening, DataSubmitted):
            self._submit(happening.messages)
        elif isinstance(happening, JoinRequested):
            self._join(happening)
        elif isinstance(happening, Left):
            live.leave(self)
            self._write_out()
            self.close(_NORMAL, "left")
        elif isinstance(happening, FrameReceived):
            self._take_media(happening.frame)
        elif isinstance(happening, MuteChanged):
            live.mute(self, happening.muted)
        elif isinstance(happening, PromotionRequested):
            self._authorise(self._meeting_id, happening.join_token, promotion=True)
        elif isinstance(happening, Demoted):
            live.demote(self)
        elif isinstance(happening, Silent):
            live.counters.silent += 1
            self._end_silent()
        elif isinstance(happening, FrameSkipped):
            live.counters.skipped += 1

    def _submit(self, messages: Sequence[DataMessage]) -> None:
        live = self._listener.live
        try:
            for message in messages:
                require_topic(message.topic)
                require_data(message.data)
        except (LimitError, ConfigurationError) as error:
            live.counters.rejected += 1
            self.close(BAD_MESSAGE, str(error))
            return
        if live.submit(self, messages) is Verdict.HANG_UP:
            live.counters.rejected += 1
            self.close(TOO_MANY_MESSAGES, "too many data messages")

    def _take_media(self, frame: SignalFrame) -> None:
        if self.media is None:
            return
        try:
            if frame.type == SignalFrame.SUBSCRIBE and frame.sub.HasField("audio_muted"):
                self._listener.live.mute(self, frame.sub.audio_muted)
            self.media.take(frame)
        except Exception:
            _log.exception("media of %s failed", self.attendee_id)
            self.close(INTERNAL_ERROR, "internal error")

    def _join(self, request: JoinRequested) -> None:
        refusal = self._listener.live.take_refusal()
        if refusal is not None:
            self._refuse(*refusal)
            return
        self.session_id = request.audio_session_id
        self.wants_roster = JoinFlags.HAS_STREAM_UPDATE in request.flags
        self.brings_media = request.client_source != DATA_CLIENT
        wants, requests = request.max_num_of_videos != 0, not request.refuses_key_frame_requests
        self.party = Party("", "", wants_videos=wants, key_frame_requests=requests)
        self._authorise(self._meeting_id, self._token, promotion=False)

    def _authorise(self, meeting_id: str, token: str, *, promotion: bool) -> None:
        self._task = self._loop.create_task(self._check(meeting_id, token, promotion=promotion))

    async def _check(self, meeting_id: str, token: str, *, promotion: bool) -> None:
        refusal: tuple[int, str] | None
        try:
            # A held socket waits for its fault script, not for us, and ends with the script or with its peer.
            await self._listener.live.released.wait()
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                refusal = await self._listener.database.run(
                    lambda tx: self._snapshot(tx, meeting_id, token, promotion=promotion)
                )
        except TimeoutError:
            refusal = SERVICE_RESTART, "authorisation took too long"
        except Exception:
            _log.exception("an attendee could not be authorised")
            refusal = INTERNAL_ERROR, "internal error"
        self._task = None
        if self.closed:
            return
        if refusal is not None and not promotion:
            self._refuse(*refusal)
            return
        if refusal is not None:
            self.promoted(403, refusal[1])
        self._catch_up()

    def _snapshot(self, tx: Transaction, meeting_id: str, token: str, *, promotion: bool) -> tuple[int, str] | None:
        """On the store's thread: look whose token it is. Returns code and reason of a refusal."""
        meeting = find_meeting(tx, meeting_id)
        if meeting is not None and promotion:
            meeting = find_meeting(tx, meeting.primary_meeting_id) if meeting.primary_meeting_id else None
        if meeting is None:
            return ATTENDEE_UNAVAILABLE, "attendee unavailable"
        if meeting.ended is not None:
            return MEETING_ENDED, "the meeting has ended"
        attendee_id = attendee_id_of(token)
        found = None
        if attendee_id is not None:
            found = find_by_token(tx, meeting.meeting_id, attendee_id, token.removesuffix(CONTENT_SUFFIX))
        if found is None:
            return ATTENDEE_UNAVAILABLE, "attendee unavailable"
        suffix = CONTENT_SUFFIX if token.endswith(CONTENT_SUFFIX) else ""
        primary_id = None if promotion else meeting.primary_meeting_id
        attendee_id = found.attendee_id + suffix
        capacity = capacity_of(meeting.features, quotas=self._listener.configuration.quotas)
        ids = meeting.meeting_id, primary_id, attendee_id, found.external_user_id
        stage = find_meeting(tx, primary_id) if primary_id is not None else None
        first = first_stream_id((stage or meeting).created, tx.now)
        tx.notify(
            Admit(self, *ids, capacity, capabilities=found.capabilities, promotion=promotion, first_stream_id=first)
        )
        return None

    def _catch_up(self) -> None:
        """Take what came while a JOIN was checked, up to another one, and read on."""
        while self._early and self._task is None and not self.closed:
            self.received(self._early.pop(0))
        if self._task is None:
            self._read_on()

    def _read_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _refuse(self, code: int, reason: str) -> None:
        self._listener.live.counters.refused += 1
        self.close(code, reason)

    def _end_silent(self) -> None:
        ended = self._signaling.closed
        if ended is None or ended.code == ABNORMAL:
            self.abort()
        else:
            self.close(ended.code, ended.reason)

    def _framed(self) -> bytes:
        return b"".join(frame(each, Opcode.BINARY) for each in self._signaling.take())

    def _write_out(self) -> None:
        if not self.closed and (framed := self._framed()):
            self.write(framed)


def _cookie(headers: Headers) -> str:
    """Read the token out of a Cookie header."""
    for header in headers.get_all("Cookie"):
        for pair in header.split(";"):
            name, _, value = pair.strip().partition("=")
            if name == COOKIE:
                return value
    return ""
