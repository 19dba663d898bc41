import logging
from threading import Event
from typing import Any

import pytest

from chime_messaging.aws.regions import FALLBACK_MEDIA_REGION, NEAREST_MEDIA_REGION_URL, nearest_media_region
from chime_messaging.errors import ConnectError, ConnectTimeoutError
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.local_server import LocalServer

pytestmark = pytest.mark.anyio

PATIENCE = 10.0


async def test_a_local_server_is_its_own_nearest_region() -> None:
    async with LocalServer(ServerConfiguration(port=0, region="eu-central-1")) as server:
        url = f"{server.url}/nearest-media-region"
        assert await nearest_media_region(url=url, timeout=PATIENCE, fallback=None) == "eu-central-1"


async def test_the_certificate_authority_of_the_environment_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with LocalServer(ServerConfiguration(port=0, tls=True)) as server:
        url = f"{server.url}/nearest-media-region"
        with pytest.raises(ConnectError, match="SSL"):
            await nearest_media_region(url=url, timeout=PATIENCE, fallback=None)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(server.ca_path))
        assert await nearest_media_region(url=url, timeout=PATIENCE, fallback=None) == "us-east-1"


@pytest.mark.parametrize("body", [{}, {"region": None}, {"region": "the moon"}, {"region": "x" * 2_000}])
async def test_an_answer_without_a_region_counts_as_none(service: Any, answer: Any, body: dict[str, Any]) -> None:
    service.script = [answer(200, body), answer(200, body)]
    assert await nearest_media_region(url=service.url, timeout=PATIENCE, fallback="us-west-2") == "us-west-2"
    with pytest.raises(ConnectError, match="something else"):
        await nearest_media_region(url=service.url, timeout=PATIENCE, fallback=None)


@pytest.mark.parametrize("status", [204, 301, 404, 503])
async def test_an_answer_that_is_no_200_counts_as_none(service: Any, answer: Any, status: int) -> None:
    service.script = [answer(status, {"region": "eu-west-1"})]
    with pytest.raises(ConnectError) as caught:
        await nearest_media_region(url=service.url, timeout=PATIENCE, fallback=None)
    assert caught.value.status == status


async def test_a_hang_up_counts_as_none_and_is_in_the_log(
    service: Any, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    service.script = [answer(hang_up=True)]
    assert await nearest_media_region(url=service.url, timeout=PATIENCE) == FALLBACK_MEDIA_REGION
    assert "nearest media region is not known" in caplog.text


async def test_silence_lasts_until_the_deadline_and_no_longer(service: Any, answer: Any) -> None:
    hold = Event()
    service.script = [answer(200, {"region": "eu-west-1"}, hold=hold)] * 2
    try:
        assert await nearest_media_region(url=service.url, timeout=0.05, fallback="sa-east-1") == "sa-east-1"
        with pytest.raises((ConnectTimeoutError, ConnectError)):
            await nearest_media_region(url=service.url, timeout=0.05, fallback=None)
    finally:
        hold.set()


@pytest.mark.parametrize("url", ["", "nowhere", "ftp://host/", "http://[broken"])
async def test_what_is_no_url_is_named(url: str) -> None:
    with pytest.raises(ConnectError, match="not an http or https URL"):
        await nearest_media_region(url=url, fallback=None)


def test_the_service_is_asked_at_its_own_host() -> None:
    assert NEAREST_MEDIA_REGION_URL == "https://nearest-media-region.l.chime.aws"
