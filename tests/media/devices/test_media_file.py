from __future__ import annotations

import time
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from chime_media.devices.audio_sinks import WavFile
from chime_media.devices.audio_sources import Tone
from chime_media.devices.media_file import AudioFile, Clip, OpusFile, VideoFile
from chime_media.devices.sources import AudioSource, Samples, SourceEnded
from chime_media.rtc.opus import OpusEncoder
from chime_messaging.errors import ConfigurationError


def write_wav(path: Path, seconds: float, frequency: float = 440, rate: int = 44_100) -> None:
    at = np.arange(round(seconds * rate)) / rate
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.sin(2 * np.pi * frequency * at) * 8000).astype("<i2").tobytes())


def write_video(path: Path, colours: list[tuple[int, int, int]], rate: int = 10) -> None:
    """One picture per colour, and a tone as long as the pictures."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=rate, options={"bf": "0"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("aac", rate=48_000)
        for number, colour in enumerate(colours):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), colour, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        tone = Tone(1000)
        for number in range(len(colours) * 50 // rate):
            sound = av.AudioFrame.from_ndarray(tone.read().reshape(1, -1), format="s16", layout="mono")
            sound.rate, sound.pts = 48_000, number * 960
            container.mux(audio.encode(sound))
        container.mux(audio.encode(None))


def read_all(source: AudioSource) -> Samples:
    """Everything, as fast as the thread decodes."""
    parts: list[Samples] = []
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            samples = source.read()
        except SourceEnded as ended:
            assert ended.problem is None
            return np.concatenate(parts)
        if isinstance(samples, np.ndarray):
            parts.append(samples)
    raise AssertionError("no end")


def peak(samples: Samples) -> float:
    return float(np.abs(np.fft.rfft(samples * np.hanning(len(samples)))).argmax() * 48_000 / len(samples))


def test_a_wav_file_of_another_rate_sounds_as_it_should(tmp_path: Path) -> None:
    write_wav(tmp_path / "tone.wav", 1.0)
    source = AudioFile(tmp_path / "tone.wav")
    sound = read_all(source)
    source.close()
    assert len(sound) % 960 == 0
    assert len(sound) == pytest.approx(48_000, abs=1000)
    assert peak(sound) == pytest.approx(440, abs=2)
    assert np.abs(sound).max() == pytest.approx(8000, rel=0.02)


def test_a_file_that_loops_goes_on(tmp_path: Path) -> None:
    write_wav(tmp_path / "tone.wav", 0.1)
    source = AudioFile(tmp_path / "tone.wav", stereo=True, loop=True)
    frames: list[Samples] = []
    deadline = time.monotonic() + 20
    while len(frames) < 50 and time.monotonic() < deadline:
        samples = source.read()
        if samples is not None:
            frames.append(samples)
    source.close()
    sound = np.concatenate(frames)
    assert sound.shape == (48_000, 2)
    assert (sound[:, 0] == sound[:, 1]).all()
    with pytest.raises(SourceEnded):
        source.read()


@pytest.mark.parametrize("content", [None, b"", b"no media at all" * 100])
def test_a_file_that_cannot_be_read_is_told_at_once(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "broken.mp4"
    if content is not None:
        path.write_bytes(content)
    for kind in (AudioFile, VideoFile, OpusFile, Clip):
        with pytest.raises(ConfigurationError, match="broken.mp4"):
            kind(path)


def test_a_file_without_what_is_asked_for_is_refused(tmp_path: Path) -> None:
    write_wav(tmp_path / "tone.wav", 0.1)
    with pytest.raises(ConfigurationError, match="no pictures"):
        VideoFile(tmp_path / "tone.wav")
    with pytest.raises(ConfigurationError, match="no Opus"):
        OpusFile(tmp_path / "tone.wav")


def test_packets_of_an_opus_file_are_those_that_were_encoded(tmp_path: Path) -> None:
    path, encoder, tone = tmp_path / "tone.opus", OpusEncoder(), Tone(440)
    packets = [encoder.encode(tone.read()) for _ in range(10)]
    with av.open(str(path), "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=48_000)
        stream.layout = "mono"
        for number, data in enumerate(packets):
            packet = av.Packet(data)
            packet.stream, packet.pts, packet.dts, packet.duration = stream, number * 960, number * 960, 960
            packet.time_base = Fraction(1, 48_000)
            container.mux(packet)
    source = OpusFile(path)
    assert [source.read() for _ in packets] == packets
    with pytest.raises(SourceEnded):
        source.read()


def test_pictures_of_a_file_come_when_they_are_due(tmp_path: Path) -> None:
    path = tmp_path / "colours.mp4"
    colours = [(200, 40, 40), (40, 200, 40), (40, 40, 200), (200, 200, 40), (40, 200, 200)]
    write_video(path, colours)
    source = VideoFile(path, width=128)
    assert (source.width, source.height, source.frame_rate) == (128, 96, 10)
    seen = []
    for elapsed in (0.0, 0.02, 0.1, 0.3, 0.4):
        frame = source.read(elapsed)
        seen.append(None if frame is None else frame.rgb.mean(axis=(0, 1)))
    assert seen[0] == pytest.approx(colours[0], abs=12)
    assert seen[1] is None, "the first is still shown"
    assert seen[2] == pytest.approx(colours[1], abs=12)
    assert seen[3] == pytest.approx(colours[3], abs=12), "one was left out"
    assert seen[4] == pytest.approx(colours[4], abs=12)
    with pytest.raises(SourceEnded):
        source.read(0.6)
    source.close()


def test_a_looping_video_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "colours.mp4"
    write_video(path, [(200, 40, 40), (40, 40, 200)])
    source = VideoFile(path, loop=True)
    seen = [source.read(number / 10) for number in range(6)]
    source.close()
    assert [frame is not None and frame.rgb[20, 20, 0] > 100 for frame in seen] == [True, False] * 3


def test_a_clip_has_both_pictures_and_sound(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", [(200, 40, 40)] * 10)
    clip = Clip(tmp_path / "clip.mp4")
    assert clip.audio is not None
    assert clip.video is not None
    assert peak(read_all(clip.audio)[4800:43_200]) == pytest.approx(1000, abs=3)
    frame = clip.video.read(0)
    assert frame is not None
    assert frame.rgb.mean(axis=(0, 1)) == pytest.approx((200, 40, 40), abs=12)
    clip.close()


def test_a_clip_of_sound_alone_has_no_pictures(tmp_path: Path) -> None:
    write_wav(tmp_path / "tone.wav", 0.1)
    clip = Clip(tmp_path / "tone.wav")
    assert clip.video is None
    clip.close()


def test_what_is_heard_can_be_written_to_a_wav_file_and_read_again(tmp_path: Path) -> None:
    sink, tone = WavFile(tmp_path / "heard.wav"), Tone(700)
    frames = [tone.read() for _ in range(10)]
    for frame in frames:
        sink.write(frame)
    sink.close()
    source = AudioFile(tmp_path / "heard.wav")
    assert (read_all(source) == np.concatenate(frames)).all()
    source.close()
