"""The media of one meeting: who is in it, what INDEX says of its videos, and what is told again and again."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence

from chime_media.server.attendee_media import NodeAttendee
from chime_media.server.audio_clock import AudioClock
from chime_media.server.audio_mixer import AudioMixer
from chime_media.server.media_port import MediaPort
from chime_media.server.video_capabilities import intersection
from chime_media.server.video_forwarder import VideoForwarder
from chime_media.wire.audio_level import SILENT
from chime_messaging.ids import CONTENT_SUFFIX
from chime_messaging.meeting_events import VideoSource
from chime_messaging.server.attendee_socket import AttendeeSocket
from chime_messaging.server.media import MediaStage
from chime_messaging.server.party import Party
from chime_messaging.wire.signaling_pb2 import AudioAttendeeState, SignalFrame

MOST_SENDERS = 25
MOST_SHARES = 2
LEVEL_INTERVAL = 0.07
"""Seconds between two AUDIO_METADATA while somebody speaks."""
CARE_INTERVAL = 1.0
BITRATE_INTERVAL = 4.0

_GOOD = 2


class NodeMeeting:
    """The media of one meeting. All of it belongs to the event loop.

    Args:
        stage: The meeting as signalling sees it.
        port: Where media comes in.
        clock: The beat that audio is mixed to.
        loop: For time and timers.
        forget: Called when it is over.
        quotas: Whether senders and content shares are limited.
    """

    def __init__(
        self,
        stage: MediaStage,
        port: MediaPort,
        clock: AudioClock,
        loop: asyncio.AbstractEventLoop,
        forget: Callable[[NodeMeeting], None],
        *,
        quotas: bool = True,
    ) -> None:
        self.stage = stage
        self.meeting_id = stage.meeting_id
        self.port = port
        self.loop = loop
        self.mixer = AudioMixer(clock)
        self.forwarder = VideoForwarder(loop)
        self.attendees: dict[NodeAttendee, None] = {}
        self.numbers: Iterator[int] = itertools.count(1)
        """Stream and group ids; they never come twice in a meeting."""
        self._forget = forget
        self._quotas = quotas
        self._sources: tuple[VideoSource, ...] | None = ()
        self._showing: frozenset[str] = frozenset()
        self._sharing: frozenset[str] = frozenset()
        self.senders: frozenset[str] = frozenset()
        """Attendee ids, without ``#content``, of those who send video."""
        self._codecs: tuple[int, ...] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._care_at = self._rates_at = 0.0
        self._loudest: dict[str, int] = {}
        self._weak: dict[str, int] = {}
        self._known: set[str] = set()
        self._closed = False

    def join(self, socket: AttendeeSocket, party: Party) -> NodeAttendee:
        """Take in a connection."""
        attendee = NodeAttendee(self, socket, party)
        self.attendees[attendee] = None
        if self._timer is None:
            now = self.loop.time()
            self._care_at, self._rates_at = now + CARE_INTERVAL, now + BITRATE_INTERVAL
            self._timer = self.loop.call_later(LEVEL_INTERVAL, self._tick)
        return attendee

    def left(self, attendee: NodeAttendee) -> None:
        """Called by an attendee that is over."""
        self.attendees.pop(attendee, None)
        self.codecs_changed()

    def close(self) -> None:
        """Stop everything; harmless when it is over."""
        if self._closed:
            return
        self._closed = True
        for attendee in tuple(self.attendees):
            attendee.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.forwarder.close()
        self.mixer.close()
        self._forget(self)

    # INDEX

    @property
    def sources(self) -> Sequence[VideoSource]:
        """The video streams that are sent."""
        if self._sources is None:
            rates = self.forwarder.bitrates()
            self._sources = tuple(source for attendee in self.attendees for source in attendee.sources(rates))
        return self._sources

    @property
    def codecs(self) -> Sequence[int]:
        """What everybody who receives can decode."""
        if self._codecs is None:
            self._codecs = intersection(attendee.decodes for attendee in self.attendees if attendee.receives_video)
        return self._codecs

    def is_full(self, party: Party) -> bool:
        """Whether there is no room for another sender of the kind, this one not being one yet."""
        if not self._quotas:
            return False
        senders, most = (self._sharing, MOST_SHARES) if party.is_content else (self._showing, MOST_SENDERS)
        return len(senders) - (party.attendee_id in senders) >= most

    def has_room_for_share(self, party: Party) -> bool:
        """Whether one more may share content."""
        shares = {a.party.attendee_id for a in self.attendees if a.party.is_content and a.connected_once}
        return not self._quotas or len(shares - {party.attendee_id}) < MOST_SHARES

    def sources_changed(self) -> None:
        """Called by an attendee that sends other video than before, or none."""
        self._sources = None
        senders = [attendee.party for attendee in self.attendees if attendee.shows_video]
        self._showing = frozenset(party.attendee_id for party in senders if not party.is_content)
        self._sharing = frozenset(party.attendee_id for party in senders if party.is_content)
        self.senders = frozenset(party.base for party in senders)
        if not self._closed:
            self.stage.refresh_index()

    def codecs_changed(self) -> None:
        """Called by an attendee that can decode something else than before."""
        before, self._codecs = self._codecs, None
        if self.codecs != before and not self._closed:
            self.stage.refresh_index()

    def see_stream(self, party: Party, stream_id: int) -> bool:
        """Whether an attendee may receive a stream; of one that nobody sends, whether it may receive any."""
        found = self.forwarder.layer(stream_id)
        if found is None:
            return party.sees("") and party.sees(CONTENT_SUFFIX)
        return party.sees(found[0].attendee_id)

    # What is told again and again

    def _tick(self) -> None:
        now = self.loop.time()
        if not self.attendees:
            self._timer = None
            return
        self._timer = self.loop.call_later(LEVEL_INTERVAL, self._tick)
        self._tell_levels()
        if now >= self._care_at:
            self._care_at = now + CARE_INTERVAL
            for attendee in tuple(self.attendees):
                attendee.care(now)
        if now >= self._rates_at:
            self._rates_at = now + BITRATE_INTERVAL
            self._tell_bitrates()

    def _tell_levels(self) -> None:
        """Write AUDIO_METADATA while somebody speaks, and once when the last one falls silent.

        Whoever is left out of a frame with volumes is silent, and of one with signal strengths is well connected.
        """
        loudest, weak = self._listen()
        present = {key for a in self.attendees if self.stage.stream_id_of(key := a.party.attendee_id) is not None}
        # Clients know no strength at all of whoever is new, or of anybody when they are, until a frame has strengths.
        newcomers = present - self._known
        if not (loudest or self._loudest or newcomers) and weak == self._weak:
            return
        volumes = loudest or dict.fromkeys(list(self._loudest)[:1], SILENT)
        strengths = weak or dict.fromkeys(self._weak or newcomers, _GOOD)
        self._loudest, self._weak, self._known = loudest, weak, present
        frame = SignalFrame(type=SignalFrame.AUDIO_METADATA)
        for key in volumes | strengths:
            stream_id = self.stage.stream_id_of(key)
            if stream_id is None:
                continue
            state = AudioAttendeeState(audio_stream_id=stream_id)
            if key in volumes:
                state.volume = volumes[key]
            if key in strengths:
                state.signal_strength = strengths[key]
            frame.audio_metadata.attendee_states.append(state)
        if frame.audio_metadata.attendee_states:
            self.stage.tell_media(frame)

    def _listen(self) -> tuple[dict[str, int], dict[str, int]]:
        """Attenuation of each who speaks, and signal strength of each whose is not good."""
        loudest: dict[str, int] = {}
        weak: dict[str, int] = {}
        for attendee in self.attendees:
            leg = attendee.leg
            if leg is None or attendee.lingers:
                continue
            key = attendee.party.attendee_id
            level, strength = leg.level, leg.signal_strength
            if level is not None:
                loudest[key] = min(level, loudest.get(key, SILENT))
            if strength < _GOOD:
                weak[key] = strength
        return loudest, weak

    def _tell_bitrates(self) -> None:
        rates = self.forwarder.bitrates()
        self._sources = None
        if not rates:
            return
        frame = SignalFrame(type=SignalFrame.BITRATES)
        for stream_id, rate in rates.items():
            frame.bitrates.bitrates.add(source_stream_id=stream_id, avg_bitrate_bps=min(rate, 0xFFFFFFFF))
        self.stage.tell_media(frame)
