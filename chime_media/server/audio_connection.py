"""The audio section of one connection: its place in the meeting's mix."""

from __future__ import annotations

from typing import Final

from chime_media.protocol.negotiated import Negotiated
from chime_media.rtc.transport import MediaTransport
from chime_media.server.audio_leg import AudioLeg
from chime_media.server.audio_mixer import AudioMixer
from chime_media.wire.sdp import AUDIO_LEVEL, Codec
from chime_messaging.server.party import Party

LOWEST_BITRATE: Final = 6000
HIGHEST_BITRATE: Final = 510000


class AudioConnection:
    """Audio of one connection.

    Args:
        mixer: Of the meeting.
        party: Whose audio it is.
        transport: Takes what is sent.
        ssrc: Of what is sent.
        section: As agreed on.
        codec: Opus in it.
        cname: As in the answer.
    """

    def __init__(
        self,
        mixer: AudioMixer,
        party: Party,
        transport: MediaTransport,
        ssrc: int,
        section: Negotiated,
        codec: Codec,
        cname: str,
    ) -> None:
        self.payload_types = frozenset({codec.payload_type, section.red} - {None})
        self.expects_audio = section.receives
        """Whether the attendee is to send audio."""
        self._mixer = mixer
        self._can_send = section.sends
        self.leg: AudioLeg = mixer.join(
            party.attendee_id,
            party.base,
            transport.send_rtp,
            ssrc=ssrc,
            payload_type=codec.payload_type,
            stereo=codec.parameter("stereo") == "1",
            bitrate=_bitrate(codec),
            red=section.red,
            level_extension=section.extensions.get(AUDIO_LEVEL),
            speaks=party.speaks,
            hears=party.hears and section.sends,
            send_rtcp=transport.send_rtcp,
            cname=cname,
        )

    def change(self, party: Party) -> None:
        """Other capabilities, or another attendee that it speaks for."""
        leg = self.leg
        if leg.key != party.attendee_id:
            leg.key, leg.base, leg.content = party.attendee_id, party.base, party.is_content
            self._mixer.listeners_changed()
        leg.speaks, leg.hears = party.speaks, party.hears and self._can_send


def _bitrate(codec: Codec) -> int | None:
    text = codec.parameter("maxaveragebitrate")
    if text is None or not text.isdecimal():
        return None
    return min(max(int(text[:9]), LOWEST_BITRATE), HIGHEST_BITRATE)
