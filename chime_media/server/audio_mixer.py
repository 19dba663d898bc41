"""Mixes one meeting's audio: everybody hears the others, whoever says nothing hears the same."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from chime_media.server.audio_clock import AudioBeat, AudioClock
from chime_media.server.audio_leg import AudioLeg
from chime_media.server.audio_workers import Job
from chime_media.server.incoming_audio import HANGOVER_FRAMES
from chime_media.server.mix import LOW_DELAY, Blend, Mix

MOST_TALKERS: Final = 8
"""Talkers who are heard at once; of more, the loudest. Shared content is always heard."""
MONO_BITRATE: Final = 40000
STEREO_BITRATE: Final = 128000

_RANKING_TICKS: Final = 10
_STAYING_BONUS: Final = 6
"""dB by which another must be louder to take a talker's place."""
_REPORT_TICKS: Final = 120
_USUAL_DELAY: Final = 0.04
"""Seconds from the arrival of sound to its place in the mix, before any was mixed."""
_NTP_OFFSET: Final = 2208988800
_DECODING_COST: Final = 35e-6
_ENCODING_COST: Final = 60e-6
_WORTH_THREADS: Final = 1.2e-3
"""Seconds of work from which on it is shared; below, handing it over costs more than it saves."""
_MOST_WAITING: Final = 3


class AudioMixer:
    """The audio of one meeting.

    Args:
        clock: The beat, shared by all meetings of a node.
        most_talkers: Talkers who are heard at once.
    """

    def __init__(self, clock: AudioClock, *, most_talkers: int = MOST_TALKERS) -> None:
        self._clock = clock
        self._most_talkers = most_talkers
        self._legs: dict[AudioLeg, None] = {}
        self._mixes: dict[tuple[str | None, bool, int], Mix] = {}
        self._beat: AudioBeat | None = None
        self._talking: dict[str, int] = {}
        self._chosen: set[AudioLeg] = set()
        self._regroup = False
        self._working = False
        self._waiting: deque[tuple[float, int]] = deque()
        self._usual_delay = _USUAL_DELAY
        self._reports: list[list[AudioLeg]] = [[] for _ in range(_REPORT_TICKS)]

    @property
    def legs(self) -> tuple[AudioLeg, ...]:
        """Who is in the mix."""
        return tuple(self._legs)

    def join(
        self,
        key: str,
        base: str,
        send: Callable[[bytes], None],
        *,
        ssrc: int,
        payload_type: int,
        stereo: bool = False,
        bitrate: int | None = None,
        red: int | None = None,
        level_extension: int | None = None,
        speaks: bool = True,
        hears: bool = True,
        send_rtcp: Callable[[bytes], None] | None = None,
        cname: str = "audio",
    ) -> AudioLeg:
        """Take an attendee in; from the next tick on it is sent one packet every 20 ms.

        Args:
            key: The attendee id, with `#content` for what it shares.
            base: The attendee id alone: what has the same base is not mixed for each other.
            send: Takes each RTP packet.
            ssrc: Of what is sent.
            payload_type: Opus', in both directions.
            stereo: Two channels in both directions.
            bitrate: Bits a second of what is sent; None for 40000, or 128000 in stereo.
            red: Payload type of redundant audio if it was agreed on; it is then sent and understood.
            level_extension: Id of the audio level's header extension if it was agreed on.
            speaks: Whether the attendee may be heard.
            hears: Whether the attendee may hear.
            send_rtcp: Takes each report, every few seconds; None to send none.
            cname: Name of the sender in them.
        """
        leg = AudioLeg(
            self,
            key,
            base,
            send,
            send_rtcp,
            cname=cname,
            ssrc=ssrc,
            payload_type=payload_type,
            stereo=stereo,
            bitrate=bitrate or (STEREO_BITRATE if stereo else MONO_BITRATE),
            red=red,
            level_extension=level_extension,
            speaks=speaks,
            hears=hears,
        )
        self._legs[leg] = None
        self._reports[len(self._legs) % _REPORT_TICKS].append(leg)
        self._regroup = True
        if self._beat is None:
            self._beat = self._clock.add(self.tick)
        return leg

    def left(self, leg: AudioLeg) -> None:
        """Called by a leg that leaves."""
        self._legs.pop(leg, None)
        for reports in self._reports:
            if leg in reports:
                reports.remove(leg)
        self._chosen.discard(leg)
        self._regroup = True
        if not self._legs:
            self.close()

    def close(self) -> None:
        """Stop mixing; who is still in hears no more."""
        if self._beat is not None:
            self._clock.remove(self._beat)
            self._beat = None
        self._mixes.clear()

    def listeners_changed(self) -> None:
        """Called by a leg that begins or ceases to hear."""
        self._regroup = True

    def now(self) -> float:
        """The clock's time."""
        return self._clock.now()

    def tick(self, due: float, number: int) -> None:
        """Mix and send 20 ms."""
        if self._working:
            # The threads are behind: this tick follows when they are done, or is left out if they do not catch up.
            if len(self._waiting) < _MOST_WAITING:
                self._waiting.append((due, number))
            return
        prepared = [leg for leg in self._legs if leg.incoming.prepare(due)]
        if not prepared:
            self._mix(due, number, [])
            return
        decoded = self._choose(prepared, number)
        self._work(
            [leg.incoming.render for leg in decoded],
            _DECODING_COST,
            lambda: self._mix(due, number, self._talkers(decoded)),
        )

    def _work(self, jobs: Sequence[Job], cost: float, done: Callable[[], None]) -> None:
        """Do the jobs here if they are few, else on the threads."""
        if len(jobs) * cost < _WORTH_THREADS or self._clock.workers.threads < 2:
            for job in jobs:
                job()
            done()
            return
        self._working = True

        def finished() -> None:
            self._working = False
            if self._beat is not None:
                done()
                while self._waiting and not self._working:
                    self.tick(*self._waiting.popleft())

        self._clock.workers.run(jobs, finished)

    def _choose(self, prepared: list[AudioLeg], number: int) -> list[AudioLeg]:
        """Who is to be decoded: who is heard, and who has to be to know whether it talks."""
        contenders = [leg for leg in prepared if leg.incoming.talks]
        if len(contenders) <= self._most_talkers:
            self._chosen = set(contenders)
        elif number % _RANKING_TICKS == 0 or len(self._chosen) < self._most_talkers:
            self._chosen = self._rank(contenders)
        decoded = []
        for leg in prepared:
            if leg in self._chosen or not leg.incoming.tells_level:
                decoded.append(leg)
            else:
                leg.incoming.skip()
        return decoded

    def _talkers(self, decoded: list[AudioLeg]) -> list[AudioLeg]:
        """Who is heard in this tick."""
        for leg in decoded:
            if not leg.incoming.tells_level:
                leg.incoming.measure()
                if leg.incoming.talks and len(self._chosen) < self._most_talkers:
                    self._chosen.add(leg)
        return [leg for leg in decoded if leg in self._chosen and leg.incoming.talks and leg in self._legs]

    def _mix(self, due: float, number: int, talkers: list[AudioLeg]) -> None:
        if self._talking or talkers:
            self._remember(talkers, due, number)
        if self._regroup:
            self._group()
        blend = Blend([(leg.base, leg.incoming.samples) for leg in talkers if leg.incoming.samples is not None])
        jobs = [partial(mix.encode, blend) for mix in self._mixes.values() if not mix.stays_silent(blend)]
        self._work(jobs, _ENCODING_COST, lambda: self._send(due, number))

    def _send(self, due: float, number: int) -> None:
        for mix in self._mixes.values():
            for leg in mix.members:
                leg.transmit(mix, number)
        for leg in self._reports[number % _REPORT_TICKS]:
            late = max(0.0, self._clock.now() - due)
            leg.report(due, int((time.time() + _NTP_OFFSET) * 2**32), late + self._delay(leg.base, due))

    def _delay(self, listener: str, due: float) -> float:
        """How long what a listener is sent at `due` took through the node, on the whole."""
        delays = [
            delay
            for leg in self._chosen
            if leg.base != listener and leg.incoming.talks and (delay := leg.incoming.delay(due)) is not None
        ]
        if delays:
            self._usual_delay = sum(delays) / len(delays) + LOW_DELAY
        return self._usual_delay

    def _rank(self, contenders: list[AudioLeg]) -> set[AudioLeg]:
        chosen = self._chosen

        def place(leg: AudioLeg) -> tuple[bool, int]:
            return not leg.content, leg.incoming.attenuation - (_STAYING_BONUS if leg in chosen else 0)

        contenders.sort(key=place)
        return set(contenders[: self._most_talkers])

    def _remember(self, talkers: list[AudioLeg], due: float, number: int) -> None:
        """Whoever talked a moment ago keeps a mix without itself, so that a pause changes nothing."""
        talking = self._talking
        for leg in talkers:
            if leg.base not in talking:
                self._regroup = True
                self._delay("", due)
            talking[leg.base] = number + HANGOVER_FRAMES
        over = [base for base, until in talking.items() if until < number]
        for base in over:
            del talking[base]
            self._regroup = True
        if over:
            for leg in self._legs:
                if leg.base in over and leg.incoming.tells_level:
                    leg.incoming.rest()

    def _group(self) -> None:
        """Sort the listeners by what they hear."""
        self._regroup = False
        before, self._mixes = self._mixes, {}
        for mix in before.values():
            mix.members = []
        for leg in self._legs:
            if not leg.hears:
                leg.mix = None
                continue
            key = (leg.base if leg.base in self._talking else None, leg.stereo, leg.bitrate)
            mix_or_none = self._mixes.get(key) or before.get(key)
            if mix_or_none is None:
                mix_or_none = Mix(*key)
                if leg.mix is not None:
                    mix_or_none.split_from(leg.mix)
            elif leg.mix is not mix_or_none:
                mix_or_none.welcome()
            self._mixes[key] = mix_or_none
            mix_or_none.members.append(leg)
            leg.mix = mix_or_none
