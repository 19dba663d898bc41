"""What attendees may send and receive: the rules between capabilities and MeetingFeatures. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chime_messaging.server import faults
from chime_messaging.server.store.attendees import Capabilities

_RECEIVING = ("SendReceive", "Receive")


def capabilities_for(given: Mapping[str, str] | None, features: Mapping[str, Any] | None) -> Capabilities:
    """Read AttendeeCapabilities, or take the defaults of the meeting's features.

    Args:
        given: the request's member; None if it has none.
        features: MeetingFeatures of the meeting.

    Raises:
        Fault: BadRequestException, if they do not go together or the features forbid them.
    """
    no_video, no_content = _is_off(features, "Video"), _is_off(features, "Content")
    if given is None:
        return _defaults(no_video=no_video, no_content=no_content)
    wanted = Capabilities(given["Audio"], given["Video"], given["Content"])
    if no_video and wanted.video != "None":
        raise faults.bad_request("The video capability must be None when the meeting's MaxResolution of video is None.")
    if no_content and wanted.content != "None":
        raise faults.bad_request(
            "The content capability must be None when the meeting's MaxResolution of content is None."
        )
    if wanted.content in _RECEIVING and wanted.video not in _RECEIVING:
        raise faults.bad_request(
            "The content capability can be SendReceive or Receive only if the video capability is one of them, too."
        )
    return wanted


def _defaults(*, no_video: bool, no_content: bool) -> Capabilities:
    if no_content:
        return Capabilities(video="None" if no_video else "SendReceive", content="None")
    # Content that is received needs video that is received, so the features' ban on video cannot go as far as None.
    return Capabilities(video="Receive" if no_video else "SendReceive")


def _is_off(features: Mapping[str, Any] | None, kind: str) -> bool:
    return bool((features or {}).get(kind, {}).get("MaxResolution") == "None")
