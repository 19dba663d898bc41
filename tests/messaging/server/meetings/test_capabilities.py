from itertools import product
from typing import Any

import pytest

from chime_messaging.server.faults import Fault
from chime_messaging.server.meetings.capabilities import capabilities_for
from chime_messaging.server.store.attendees import Capabilities

VALUES = ("SendReceive", "Send", "Receive", "None")


def features(video: str | None = None, content: str | None = None) -> dict[str, Any]:
    given = {"Video": video, "Content": content}
    return {kind: {"MaxResolution": value} for kind, value in given.items() if value is not None}


@pytest.mark.parametrize(
    ("video", "content", "expected"),
    [
        (None, None, Capabilities()),
        ("HD", "FHD", Capabilities()),
        ("None", None, Capabilities(video="Receive")),
        ("None", "UHD", Capabilities(video="Receive")),
        ("HD", "None", Capabilities(content="None")),
        ("None", "None", Capabilities(video="None", content="None")),
    ],
)
def test_without_capabilities_the_features_decide(video: str | None, content: str | None, expected: Any) -> None:
    assert capabilities_for(None, features(video, content)) == expected


def test_a_meeting_without_features_takes_everything() -> None:
    assert capabilities_for(None, None) == Capabilities()
    assert capabilities_for({"Audio": "None", "Video": "None", "Content": "None"}, None) == Capabilities(
        "None", "None", "None"
    )


@pytest.mark.parametrize(("video", "content"), list(product(VALUES, VALUES)))
def test_content_is_received_only_with_video(video: str, content: str) -> None:
    given = {"Audio": "SendReceive", "Video": video, "Content": content}
    if content in ("SendReceive", "Receive") and video not in ("SendReceive", "Receive"):
        with pytest.raises(Fault, match="content capability") as caught:
            capabilities_for(given, features())
        assert caught.value.name == "BadRequestException"
    else:
        assert capabilities_for(given, features()) == Capabilities("SendReceive", video, content)


@pytest.mark.parametrize("value", VALUES[:3])
def test_what_the_features_forbid_nobody_may_do(value: str) -> None:
    with pytest.raises(Fault, match="video"):
        capabilities_for({"Audio": "Send", "Video": value, "Content": "None"}, features(video="None"))
    with pytest.raises(Fault, match="content"):
        capabilities_for({"Audio": "Send", "Video": "SendReceive", "Content": value}, features(content="None"))
