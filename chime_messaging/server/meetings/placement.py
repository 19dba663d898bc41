"""MediaPlacement: where clients find a meeting. Every URL leads back here, under the name the client used."""

from __future__ import annotations

import re

from chime_messaging.server.configuration import ServerConfiguration

INGESTION_PATH = "/v1/client-events"
NEAREST_MEDIA_REGION_PATH = "/nearest-media-region"
"""At AWS a host of its own answers this; it is in no response."""
SIGNALING_PATH = "/control/"
"""Followed by the MeetingId."""

_HOST = re.compile(r"(?:[A-Za-z0-9.\-_]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def media_placement(meeting_id: str, host: str, configuration: ServerConfiguration) -> dict[str, str]:
    """Write the MediaPlacement of a meeting.

    Args:
        meeting_id: of the meeting.
        host: host, or host and port, as the client called it. What is no host is replaced by the server's own address,
            so that nothing else gets into the URLs.
        configuration: for TLS and that address.
    """
    if _HOST.fullmatch(host) is None:
        host = f"{configuration.host}:{configuration.port}"
    web, socket = ("https", "wss") if configuration.tls else ("http", "ws")
    screen = f"{socket}://{host}/v2/screen/{meeting_id}"
    viewer = f"passcode=null&viewer_uuid=null&X-BitHub-Call-Id={meeting_id}"
    return {
        "AudioHostUrl": host,
        "AudioFallbackUrl": f"{socket}://{host}/calls/{meeting_id}",
        "SignalingUrl": f"{socket}://{host}{SIGNALING_PATH}{meeting_id}",
        "TurnControlUrl": f"{web}://{host}/v2/turn_sessions",
        "ScreenDataUrl": screen,
        "ScreenSharingUrl": screen,
        "ScreenViewingUrl": f"{socket}://{host}/ws/connect?{viewer}",
        "EventIngestionUrl": f"{web}://{host}{INGESTION_PATH}",
    }
