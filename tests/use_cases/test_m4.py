"""M4: the nearest media region, to create a meeting in."""

from __future__ import annotations

from typing import Any

import pytest

from chime_messaging.aws import nearest_media_region
from chime_messaging.server import LocalServer, ServerConfiguration

pytestmark = pytest.mark.anyio


async def test_a_meeting_is_created_in_the_nearest_region() -> None:
    async with LocalServer(ServerConfiguration(port=0, region="ap-northeast-1")) as server:
        region = await nearest_media_region(url=f"{server.url}/nearest-media-region", timeout=10)
        meetings: Any = server.client("chime-sdk-meetings")
        made = meetings.create_meeting(ClientRequestToken="m4", MediaRegion=region, ExternalMeetingId="m4")
        assert made["Meeting"]["MediaRegion"] == region == "ap-northeast-1"


async def test_without_an_answer_there_is_still_a_region(server: LocalServer) -> None:
    nowhere = f"{server.url}/not-there"
    assert await nearest_media_region(url=nowhere, timeout=10) == "us-east-1"
    assert await nearest_media_region(url=nowhere, timeout=10, fallback="eu-west-1") == "eu-west-1"
