"""The meetings that are live on this node: who comes in, what ends, and when waiting frames are written.

All methods belong to the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from websockets.frames import Opcode

from chime_messaging.meeting_events import DataMessage
from chime_messaging.protocol.data_messages import MeetingThrottle, Verdict
from chime_messaging.server.attendee_socket import AttendeeSocket
from chime_messaging.server.broker import Loop, Timer
from chime_messaging.server.live_meeting import LiveMeeting
from chime_messaging.server.media import MediaService
from chime_messaging.server.meeting_counters import MeetingCounters
from chime_messaging.server.meeting_frames import MeetingFrames
from chime_messaging.server.meeting_roster import Presence
from chime_messaging.server.notices import (
    Admit,
    AttendeeRemoved,
    CapabilitiesChanged,
    MeetingEnded,
    MeetingMessage,
    Notice,
)
from chime_messaging.server.party import Capabilities
from chime_messaging.server.timer_wheel import TimerWheel
from chime_messaging.server.websocket import frame
from chime_messaging.server.write_schedule import WriteSchedule

SERVICE_RESTART = 4503
"""Close code when the server stops. Official clients reconnect after 1006 and 4500 to 4599 only, at any point."""
AT_CAPACITY = 409
"""Status of a JOIN that finds no room."""

_TIMER_RESOLUTION = 0.001
_CLOSE_TIMEOUT = 3.0
_WHEEL_TICKS = 32
"""Ticks of the wheel in one ping interval."""

_log = logging.getLogger(__name__)


class LiveMeetings:
    """Every meeting that somebody is connected to, or expected back in.

    Args:
        loop: an event loop, or anything with its clock and timers.
        coalesce: longest time in seconds a data message may wait to share a write, under load.
        quotas: whether data messages are throttled.
        reconnect_grace: seconds that an attendee stays present after its connection was lost.
        ping_interval: seconds between pings; sets the resolution of their deadlines.
        clock: nanoseconds since the epoch.
        media: of the server; None for data messages only.
    """

    def __init__(
        self,
        loop: Loop,
        *,
        coalesce: float = 0.005,
        quotas: bool = True,
        reconnect_grace: float = 15.0,
        ping_interval: float = 10.0,
        clock: Callable[[], int] = time.time_ns,
        media: MediaService | None = None,
    ) -> None:
        self.counters = MeetingCounters()
        self.wheel = TimerWheel(loop, ping_interval / _WHEEL_TICKS)
        """Where the deadlines of sockets are."""
        self.released = asyncio.Event()
        """Clear while JOINs are to be taken and not answered."""
        self.released.set()
        self.closing: tuple[int, str] | None = None
        """Code and reason that new sockets get once the server stops."""
        self.on_attendance: Callable[[str, int], None] = _ignore
        """Called with the id of a meeting and the number of its connections when that may have changed."""
        self._loop = loop
        self._quotas = quotas
        self._grace = reconnect_grace
        self._media = media
        self._frames = MeetingFrames(clock)
        self._schedule = WriteSchedule(loop, coalesce, self._flush_due)
        self._meetings: dict[str, LiveMeeting] = {}
        self._sockets: dict[AttendeeSocket, LiveMeeting | None] = {}
        self._expected: deque[tuple[float, LiveMeeting, Presence[AttendeeSocket]]] = deque()
        self._grace_timer: Timer | None = None
        self._sweep_timer: Timer | None = None
        self._refusals: deque[tuple[int, str]] = deque(maxlen=1000)
        self._throttle_next = 0
        self._gone = asyncio.Event()

    @property
    def connections(self) -> int:
        """Signalling sockets open now, joined or not."""
        return len(self._sockets)

    @property
    def meetings(self) -> int:
        """Meetings with something to remember."""
        return len(self._meetings)

    @property
    def attendees(self) -> int:
        """Attendees that have joined."""
        return sum(meeting is not None for meeting in self._sockets.values())

    def find(self, meeting_id: str) -> LiveMeeting | None:
        """The live meeting with this id."""
        return self._meetings.get(meeting_id)

    # Notices

    def apply(self, notices: Sequence[Notice]) -> None:
        """Apply what was committed, in order. Notices that are not for meetings are left alone."""
        for notice in notices:
            if isinstance(notice, Admit):
                self._admit(notice)
            elif isinstance(notice, MeetingEnded):
                self._end(notice.meeting_id)
            elif isinstance(notice, AttendeeRemoved):
                self._remove(notice.meeting_id, notice.attendee_id)
            elif isinstance(notice, CapabilitiesChanged) and (meeting := self._meetings.get(notice.meeting_id)):
                meeting.allow(notice.attendee_ids, Capabilities(notice.audio, notice.video, notice.content))
            elif isinstance(notice, MeetingMessage) and (meeting := self._meetings.get(notice.meeting_id)):
                meeting.announce(notice.topic, notice.data)

    def _admit(self, notice: Admit) -> None:
        socket = notice.socket
        if socket not in self._sockets or socket.closed:
            return
        if self.closing is not None:
            socket.close(*self.closing)
            return
        if notice.promotion:
            self._promote(socket, notice)
            return
        socket.attendee_id, socket.external_user_id = notice.attendee_id, notice.external_user_id
        meeting = self._meeting(notice.meeting_id, notice.primary_meeting_id, notice.first_stream_id)
        if notice.capacity is not None and not meeting.has_room(notice.attendee_id, notice.capacity):
            self.counters.refused += 1
            socket.turn_away(AT_CAPACITY, "the meeting is full")
            return
        self._sockets[socket] = meeting
        socket.party = replace(
            socket.party,
            attendee_id=notice.attendee_id,
            external_user_id=notice.external_user_id,
            capabilities=notice.capabilities,
            audience=meeting.primary is not None,
        )
        meeting.join(socket, self._loop.time())
        self.counters.joins += 1
        self.on_attendance(meeting.meeting_id, len(meeting.sockets))

    def _promote(self, socket: AttendeeSocket, notice: Admit) -> None:
        meeting = self._sockets[socket]
        stage = meeting.primary if meeting is not None else None
        if stage is None or stage.meeting_id != notice.meeting_id:
            socket.promoted(403, "the meeting does not replicate that one")
            return
        if notice.capacity is not None and not stage.has_room(notice.attendee_id, notice.capacity):
            socket.promoted(AT_CAPACITY, "the meeting is full")
            return
        socket.promoted(200)
        party = replace(
            socket.party,
            attendee_id=notice.attendee_id,
            external_user_id=notice.external_user_id,
            capabilities=notice.capabilities,
            audience=False,
        )
        stage.promote(socket, party)

    def _end(self, meeting_id: str) -> None:
        meeting = self._meetings.get(meeting_id)
        if meeting is None:
            return
        for socket in meeting.sockets:
            self._sockets[socket] = None
        meeting.end()
        self._forget(meeting)
        self.on_attendance(meeting_id, 0)

    def _remove(self, meeting_id: str, attendee_id: str) -> None:
        meeting = self._meetings.get(meeting_id)
        if meeting is None:
            return
        # A content share is an attendee of its own here, and goes with the attendee that shares.
        for each in (f"{attendee_id}#content", attendee_id):
            meeting.remove(each)
        self._forget(meeting)
        self.on_attendance(meeting_id, len(meeting.sockets))

    # Sockets

    def opened(self, socket: AttendeeSocket) -> None:
        """Take note of a socket that finished its upgrade, whoever it is."""
        self._sockets[socket] = None

    def gone(self, socket: AttendeeSocket) -> None:
        """Forget a socket whose TCP connection is gone."""
        self.detach(socket)
        self._sockets.pop(socket, None)
        if not self._sockets:
            self._gone.set()

    def detach(self, socket: AttendeeSocket) -> None:
        """Deliver nothing more to a socket; its attendee may come back within the grace."""
        meeting = self._leave(socket)
        if meeting is None:
            return
        presence = meeting.lose(socket)
        if presence is not None:
            self._expected.append((self._loop.time() + self._grace, meeting, presence))
            if self._grace_timer is None:
                self._grace_timer = self._loop.call_later(self._grace, self._drop_expected)
        self._forget(meeting)
        self.on_attendance(meeting.meeting_id, len(meeting.sockets))

    def leave(self, socket: AttendeeSocket) -> None:
        """The attendee of a socket has left."""
        meeting = self._leave(socket)
        if meeting is not None:
            meeting.leave(socket)
            self._forget(meeting)
            self.on_attendance(meeting.meeting_id, len(meeting.sockets))

    def mute(self, socket: AttendeeSocket, muted: bool) -> None:
        """The attendee of a socket is muted, or not any more."""
        meeting = self._sockets.get(socket)
        if meeting is not None:
            meeting.mute(socket, muted)

    def demote(self, socket: AttendeeSocket) -> None:
        """The attendee of a socket leaves the primary meeting."""
        meeting = self._sockets.get(socket)
        if meeting is not None:
            meeting.stage.demote(socket)

    def submit(self, socket: AttendeeSocket, messages: Sequence[DataMessage]) -> Verdict:
        """Take checked messages of an attendee; those after a `Verdict.HANG_UP` are dropped."""
        meeting = self._sockets.get(socket)
        verdict = Verdict.DELIVER
        if meeting is None:
            return verdict
        now = self._loop.time()
        for message in messages:
            if self._throttle_next:
                self._throttle_next -= 1
                meeting.give_back(socket, message)
                self.counters.throttled += 1
                continue
            verdict = meeting.submit(socket, message, now)
            if verdict is Verdict.DELIVER:
                self.counters.messages += 1
            elif verdict is Verdict.THROTTLED:
                self.counters.throttled += 1
            else:
                break
        return verdict

    def _leave(self, socket: AttendeeSocket) -> LiveMeeting | None:
        meeting = self._sockets.get(socket)
        if meeting is not None:
            self._sockets[socket] = None
        return meeting

    def _drop_expected(self) -> None:
        self._grace_timer = None
        now = self._loop.time()
        while self._expected and self._expected[0][0] <= now + _TIMER_RESOLUTION:
            _, meeting, presence = self._expected.popleft()
            if presence.socket is None and presence in meeting.roster:
                self.counters.dropped += 1
                meeting.drop(presence)
                self._forget(meeting)
        if self._expected:
            self._grace_timer = self._loop.call_later(self._expected[0][0] - now, self._drop_expected)

    # Meetings

    def _meeting(self, meeting_id: str, primary_id: str | None, first_stream_id: int) -> LiveMeeting:
        meeting = self._meetings.get(meeting_id)
        if meeting is None:
            primary = self._meeting(primary_id, None, first_stream_id) if primary_id is not None else None
            meeting = LiveMeeting(
                meeting_id,
                self._frames,
                self._schedule.wake,
                throttle=MeetingThrottle() if self._quotas else None,
                primary=primary,
                first_stream_id=first_stream_id,
                media=self._media,
            )
            self._meetings[meeting_id] = meeting
        return meeting

    def _forget(self, meeting: LiveMeeting) -> None:
        """Let go of a meeting that has nothing to remember, now or when its last message has outlived its time."""
        now = self._loop.time()
        if not meeting.idle(now):
            if not meeting.sockets and meeting.kept.deadline is not None and self._sweep_timer is None:
                self._sweep_timer = self._loop.call_later(meeting.kept.deadline - now, self._sweep)
            return
        if self._meetings.get(meeting.meeting_id) is meeting:
            meeting.flush()
            del self._meetings[meeting.meeting_id]
            meeting.close()
            self._schedule.forget(meeting)
            if meeting.primary is not None:
                meeting.primary.replicas -= 1
                self._forget(meeting.primary)

    def _sweep(self) -> None:
        self._sweep_timer = None
        for meeting in tuple(self._meetings.values()):
            self._forget(meeting)

    # Writing

    def _flush_due(self, meetings: Iterable[LiveMeeting]) -> int:
        total = 0
        for meeting in meetings:
            writes, deliveries = meeting.flush()
            total += writes
            self.counters.writes += writes
            self.counters.deliveries += deliveries
        return total

    def flush(self) -> None:
        """Write everything that is waiting."""
        self._schedule.flush()

    async def shutdown(
        self, code: int = SERVICE_RESTART, reason: str = "the server stops", timeout: float = _CLOSE_TIMEOUT
    ) -> None:
        """Close every socket so that its client comes back, and drop those that are not gone after `timeout`."""
        self.closing = (code, reason)
        self.released.set()
        if self._sockets:
            self._gone.clear()
            self.close(None, code, reason)
            try:
                async with asyncio.timeout(timeout):
                    await self._gone.wait()
            except TimeoutError:
                _log.info("%d signalling sockets did not close in time", len(self._sockets))
                self.abort()
                await self._gone.wait()
        self.wheel.close()
        self._schedule.close()
        for timer in (self._grace_timer, self._sweep_timer):
            if timer is not None:
                timer.cancel()

    # Fault injection

    def close(self, attendee_id: str | None, code: int, reason: str = "") -> int:
        """Close the sockets of an attendee, or of everyone; return how many."""
        self.flush()
        sockets = self._select(attendee_id)
        for socket in sockets:
            socket.close(code, reason)
        return len(sockets)

    def abort(self, attendee_id: str | None = None) -> int:
        """Reset the TCP connections of an attendee, or of everyone; return how many."""
        sockets = self._select(attendee_id)
        for socket in sockets:
            socket.abort()
        return len(sockets)

    def send_raw(self, attendee_id: str | None, data: bytes) -> int:
        """Send a binary message as it is to sockets that have joined; return to how many."""
        self.flush()
        sockets = [socket for socket in self._select(attendee_id) if self._sockets[socket] is not None]
        for socket in sockets:
            socket.write(frame(data, Opcode.BINARY))
        return len(sockets)

    def hold_joins(self, hold: bool) -> None:
        """Take JOINs and do not answer them, until called with False."""
        if hold:
            self.released.clear()
        else:
            self.released.set()

    def refuse(self, code: int, times: int = 1, reason: str = "") -> None:
        """Close the sockets of the next `times` JOINs with `code`; at most 1,000 are remembered."""
        self._refusals.extend([(code, reason)] * times)

    def take_refusal(self) -> tuple[int, str] | None:
        """Take what the next JOIN is to be answered with, if anything."""
        return self._refusals.popleft() if self._refusals else None

    def throttle(self, times: int) -> None:
        """Return the next `times` data messages to their senders as throttled."""
        self._throttle_next = times

    def _select(self, attendee_id: str | None) -> list[AttendeeSocket]:
        return [socket for socket in self._sockets if attendee_id is None or socket.attendee_id == attendee_id]


def _ignore(meeting_id: str, connections: int) -> None:
    """Where nobody keeps attendance."""
