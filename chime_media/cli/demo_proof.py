"""What ``chime demo --meeting`` proves: whether what was heard and seen is what was said and shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from chime_media.cli.demo_cast import CLIP_COLOURS, CLIP_NOTES, ground_of
from chime_media.cli.demo_stage import MeetingStage
from chime_media.cli.witness import AUDIBLE, Ear, Eye, level_of, peak_of
from chime_media.devices.media_file import AudioFile, VideoFile
from chime_media.devices.pictures import contact_sheet, spectrogram, write_png
from chime_media.devices.recorder import RecordingSummary
from chime_media.devices.sources import Samples, SourceEnded
from chime_media.rtc.video_frame import Picture, VideoFrame

LEAK = -60.0
"""Level in dB relative to full scale that the own voice must stay below."""
NEAR = 30
"""How far each part of a colour, 0 to 255, may be from what was shown: coding and colour spaces change it."""
Colour = tuple[int, int, int]
Span = tuple[float, float]


@dataclass
class Moments:
    """When what happened, in the seconds of `time.monotonic`, and what it gave."""

    begin: float = 0.0
    end: float = 0.0
    joins: list[float] = field(default_factory=list)
    turns: dict[str, Span] = field(default_factory=dict)
    speakers: list[tuple[str, float]] = field(default_factory=list)
    """Who became the active speaker, and how long it took."""
    seen: float = 0.0
    """When both saw each other."""
    shown: Span = (0.0, 0.0)
    clip: Span = (0.0, 0.0)
    messages: list[tuple[bool, float]] = field(default_factory=list)
    """Whether one arrived as it was, and how long it took."""
    last_turn: float = 0.0
    cut: float = 0.0
    back: float = 0.0
    answer: float = 0.0


@dataclass(frozen=True)
class Proof:
    """What was heard and seen, by whom, and what was recorded."""

    moments: Moments
    ears: dict[str, Ear]
    eyes: dict[str, dict[str, Eye]]
    recording: RecordingSummary | None
    pitches: dict[str, float]
    colours: dict[str, Colour]

    def examine(self, stage: MeetingStage, folder: Path) -> list[tuple[Path, str]]:
        """Check everything on a stage, and write the pictures; gives the files and what they are."""
        slowest = max(self.moments.joins)
        stage.check("join, until media flows", "< 3 s", f"{slowest:.2f} s at most", slowest < 3)
        self._check_voices(stage)
        self._check_speakers(stage)
        self._check_videos(stage)
        self._check_clip(stage)
        took = [seconds * 1000 for _, seconds in self.moments.messages]
        good = len(took) == 2 and all(same for same, _ in self.moments.messages)
        stage.check("data messages", "one each way", " and ".join(f"{each:.0f} ms" for each in took), good)
        self._check_cut(stage)
        recorded = self._check_recording(stage)
        return self._draw(folder, recorded)

    # Sound

    def _check_voices(self, stage: MeetingStage) -> None:
        for speaker, listener in (("alice", "bob"), ("bob", "alice")):
            begin, end = self.moments.turns[speaker]
            heard = self.ears[listener].between(begin + 0.4, end)
            pitch, peak = self.pitches[speaker], peak_of(heard)
            level, own = level_of(heard, pitch), level_of(self.ears[speaker].between(begin, end), pitch)
            stage.check(
                f"{listener} hears {speaker}",
                f"{pitch:.0f} Hz",
                f"{peak:.0f} Hz, {level:.0f} dB",
                abs(peak - pitch) < 6 and level > AUDIBLE,
            )
            stage.check(f"{speaker}'s own voice", f"< {LEAK:.0f} dB", _level(own), own < LEAK)

    def _check_speakers(self, stage: MeetingStage) -> None:
        told = self.moments.speakers
        stage.check(
            "active speaker",
            "alice, then bob, < 2 s",
            ", ".join(f"{name} {seconds:.2f} s" for name, seconds in told),
            [name for name, _ in told] == ["alice", "bob"] and all(seconds < 2 for _, seconds in told),
        )

    # Pictures

    def _check_videos(self, stage: MeetingStage) -> None:
        begin, end = self.moments.shown
        for viewer, shown in (("bob", "alice"), ("alice", "bob")):
            eye = self.eyes[viewer].get(shown, Eye())
            seen, rate = eye.between(begin, end), eye.rate(begin, end)
            colour = ground_of(seen[-1].rgb) if seen else (0, 0, 0)
            wanted = self.colours[shown]
            stage.check(
                f"{viewer} sees {shown}",
                f"{_hex(wanted)}, > 10/s",
                f"{_hex(colour)}, {rate:.1f}/s",
                _is_near(colour, wanted) and rate > 10,
            )

    def _scenes(self) -> list[VideoFrame]:
        """Of each scene of the clip a picture as bob saw it, or fewer."""
        found: list[VideoFrame] = []
        pictures = self.eyes["bob"].get("#content", Eye()).between(*self.moments.clip)
        for wanted in CLIP_COLOURS:
            fitting = [frame for frame in pictures if _is_near(ground_of(frame.rgb), wanted)]
            # The middle one: the first of a scene may be of the key frame, which is coarse.
            found += fitting[len(fitting) // 2 :][:1]
        return found

    def _check_clip(self, stage: MeetingStage) -> None:
        scenes = self._scenes()
        in_order = [frame.time for frame in scenes] == sorted(frame.time for frame in scenes)
        colours = " ".join(_hex(ground_of(frame.rgb)) for frame in scenes)
        stage.check(
            "bob sees the clip",
            f"{len(CLIP_COLOURS)} colours, in order",
            colours or "nothing",
            len(scenes) == len(CLIP_COLOURS) and in_order,
        )
        for listener in ("bob", "alice"):
            heard = self.ears[listener].between(*self.moments.clip)
            levels = [level_of(heard, note) for note in CLIP_NOTES]
            text = " and ".join(f"{note:.0f} Hz" for note in CLIP_NOTES)
            measured = _level(max(levels) if listener == "alice" else min(levels))
            if listener == "bob":
                good = all(level > AUDIBLE for level in levels)
                stage.check("bob hears the clip", text, measured, good)
            else:
                good = all(level < LEAK for level in levels)
                stage.check("alice's own share", f"< {LEAK:.0f} dB", measured, good)

    # The cut

    def _check_cut(self, stage: MeetingStage) -> None:
        moments = self.moments
        took = moments.back - moments.cut
        stage.check("bob, back after the cut", "< 4 s", f"{took:.2f} s", took < 4)
        gaps = self.ears["alice"].gaps(moments.last_turn, moments.answer, self.pitches["bob"])
        after = [end - moments.cut for begin, end in gaps if end > moments.cut]
        back = level_of(self.ears["alice"].between(moments.answer - 1.5, moments.answer - 0.2), self.pitches["bob"])
        measured = f"{max(after):.2f} s, {back:.0f} dB" if after else f"{back:.0f} dB"
        stage.check("alice hears bob again", "< 5 s", measured, back > AUDIBLE and max(after, default=0.0) < 5)
        heard = self.ears["bob"].between(moments.answer + 0.4, moments.answer + 1.6)
        peak = peak_of(heard)
        good = abs(peak - self.pitches["alice"]) < 6
        stage.check("bob hears alice again", f"{self.pitches['alice']:.0f} Hz", f"{peak:.0f} Hz", good)
        for viewer, shown in (("alice", "bob"), ("bob", "alice")):
            times = [time for time in self.eyes[viewer].get(shown, Eye()).times if time > moments.cut + 0.3]
            text = f"{times[0] - moments.cut:.2f} s" if times else "never"
            rate = self.eyes[viewer].get(shown, Eye()).rate(moments.answer, moments.end)
            good = bool(times) and times[0] - moments.cut < 5 and rate > 10
            stage.check(f"{viewer} sees {shown} again", "< 5 s, > 10/s", f"{text}, {rate:.1f}/s", good)

    # The recording

    def _check_recording(self, stage: MeetingStage) -> Recorded:
        moments = self.moments
        if self.recording is None:
            stage.check("recording", "sound and pictures", "nothing", good=False)
            return Recorded(np.zeros(0, np.int16), [])
        wanted = moments.end - moments.begin
        recorded = Recorded.read(self.recording.path)
        seconds = len(recorded.sound) / 48_000
        stage.check(
            "recording: length",
            f"{wanted:.0f} s",
            f"{seconds:.1f} s, {self.recording.frames} pictures",
            abs(seconds - wanted) < 2 and self.recording.frames > 10 * (moments.end - moments.seen) * 0.5,
        )
        # It began when carol had joined, so its times are those of the end.
        offset = moments.end - seconds
        voices = []
        for name in ("alice", "bob"):
            begin, end = (round((time - offset) * 48_000) for time in moments.turns[name])
            voices.append(peak_of(recorded.sound[max(begin, 0) + 24_000 : end]))
        good = all(abs(voice - self.pitches[name]) < 6 for voice, name in zip(voices, ("alice", "bob"), strict=True))
        stage.check(
            "recording: voices",
            " and ".join(f"{pitch:.0f} Hz" for pitch in self.pitches.values()),
            " and ".join(f"{voice:.0f} Hz" for voice in voices),
            good,
        )
        return recorded

    # Pictures for people

    def _draw(self, folder: Path, recorded: Recorded) -> list[tuple[Path, str]]:
        moments = self.moments
        frames: list[tuple[str, Picture]] = []
        for viewer, shown in (("bob", "alice"), ("alice", "bob")):
            seen = self.eyes[viewer].get(shown, Eye()).between(*moments.shown)
            frames += [(self._caption(f"{viewer} sees {shown}", each.time), each.rgb) for each in seen[-1:]]
        frames += [(self._caption("bob sees the clip", each.time), each.rgb) for each in self._scenes()]
        for viewer, shown in (("alice", "bob"), ("bob", "alice")):
            seen = self.eyes[viewer].get(shown, Eye()).between(moments.answer, moments.end)
            frames += [
                (self._caption(f"after the cut {viewer} sees {shown}", each.time), each.rgb) for each in seen[-1:]
            ]
        frames += [(f"recording, {each.time:.1f} s", each.rgb) for each in recorded.pictures]
        sheet, sounds = folder / "seen.png", folder / "heard.png"
        if frames:
            write_png(sheet, contact_sheet(frames))
        heard = [(f"what {name} hears", self.ears[name].until(moments.end)) for name in ("alice", "bob")]
        if len(recorded.sound):
            heard.append(("the recording", recorded.sound))
        write_png(sounds, spectrogram(heard, highest=3000))
        files = [(sheet, "what was seen"), (sounds, "what was heard")]
        return [*files, (self.recording.path, "the recording")] if self.recording is not None else files

    def _caption(self, text: str, time: float) -> str:
        return f"{text}, {time - self.moments.begin:.1f} s"


@dataclass(frozen=True)
class Recorded:
    """What is in a recording: all its sound, some of its pictures."""

    sound: Samples
    pictures: list[VideoFrame]

    @classmethod
    def read(cls, path: Path, pictures: int = 5) -> Recorded:
        """Read a file."""
        sound = _sound_of(path)
        seconds = len(sound) / 48_000
        wanted = [seconds * (number + 0.5) / pictures for number in range(pictures)]
        video = VideoFile(path)
        found: list[VideoFrame] = []
        try:
            for time in wanted:
                frame = video.read(time)
                if frame is not None:
                    found.append(frame)
        except SourceEnded:
            pass
        finally:
            video.close()
        return cls(sound, found)


def _sound_of(path: Path) -> Samples:
    parts: list[Samples] = []
    source = AudioFile(path)
    try:
        while True:
            part = source.wait()
            if part is not None:
                parts.append(part)
    except SourceEnded:
        return np.concatenate(parts) if parts else np.zeros(0, np.int16)
    finally:
        source.close()


def _is_near(colour: Colour, wanted: Colour) -> bool:
    return all(abs(mine - theirs) < NEAR for mine, theirs in zip(colour, wanted, strict=True))


def _level(level: float) -> str:
    return "silence" if level < -120 else f"{level:.0f} dB"


def _hex(colour: Colour) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)
