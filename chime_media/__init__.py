"""Meetings with audio, video and content share: the media add-on of `chime_messaging`.

Contract: this package imports `chime_messaging`, never the other way round; it plugs its media node into
`chime_messaging.server` by registration; its sessions share the signalling connection and the observer hub.
Installed with ``pip install chime-messaging[media]``.

What a program needs every day can be imported from here; it is loaded when it is first asked for, so that an attendee
that only speaks and hears loads no video codecs.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chime_media.devices.audio_sinks import AudioBuffer, WavFile
    from chime_media.devices.audio_sources import ArraySource, AudioQueue, OpusPackets, Silence, Tone
    from chime_media.devices.media_file import AudioFile, OpusFile
    from chime_media.devices.sources import SourceEnded
    from chime_media.rtc.audio_sender import AudioFormat
    from chime_media.server.local_server import LocalMeetingServer
    from chime_media.sessions.meeting_session import MeetingSession
    from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration

__all__ = [
    "ArraySource",
    "AudioBuffer",
    "AudioFile",
    "AudioFormat",
    "AudioQueue",
    "LocalMeetingServer",
    "MeetingSession",
    "MeetingSessionConfiguration",
    "OpusFile",
    "OpusPackets",
    "Silence",
    "SourceEnded",
    "Tone",
    "WavFile",
]

_MODULES = {
    "ArraySource": "chime_media.devices.audio_sources",
    "AudioBuffer": "chime_media.devices.audio_sinks",
    "AudioFile": "chime_media.devices.media_file",
    "AudioFormat": "chime_media.rtc.audio_sender",
    "AudioQueue": "chime_media.devices.audio_sources",
    "LocalMeetingServer": "chime_media.server.local_server",
    "MeetingSession": "chime_media.sessions.meeting_session",
    "MeetingSessionConfiguration": "chime_messaging.sessions.meeting_configuration",
    "OpusFile": "chime_media.devices.media_file",
    "OpusPackets": "chime_media.devices.audio_sources",
    "Silence": "chime_media.devices.audio_sources",
    "SourceEnded": "chime_media.devices.sources",
    "Tone": "chime_media.devices.audio_sources",
    "WavFile": "chime_media.devices.audio_sinks",
}


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(module), name)
