"""The media of a server: one UDP port and one beat for all meetings."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from chime_media.server.audio_clock import AudioClock
from chime_media.server.media_port import MediaPort
from chime_media.server.meet import meet_pages
from chime_media.server.meeting_media import NodeMeeting
from chime_messaging.errors import ConfigurationError, UsageError
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.media import MediaStage
from chime_messaging.server.metrics import Metrics

_WILDCARDS = frozenset({"", "0.0.0.0", "::"})
_ELSEWHERE = ("192.0.2.1", 9)
"""An address that no packet is sent to: the system only says by which of its own it would send."""


class MediaNode:
    """What `chime serve` finds by its entry point; enter it on the server's event loop.

    Args:
        configuration: Of the server: its host, the UDP port, and what clients are told.

    Raises:
        ConfigurationError: if the file with the JavaScript SDK cannot be read; on entering, if the port is taken.
    """

    def __init__(self, configuration: ServerConfiguration) -> None:
        self.configuration = configuration
        self.clock = AudioClock()
        self.meetings: dict[str, NodeMeeting] = {}
        """Those that are live, by their ids."""
        self.pages = meet_pages(configuration.js_sdk)
        """Those on which a person joins a meeting from a browser, by path."""
        self._port: MediaPort | None = None

    async def __aenter__(self) -> Self:
        configuration = self.configuration
        advertised = list(configuration.media_hosts) or list(_addresses(configuration))
        try:
            self._port = await MediaPort.open(configuration.host, configuration.media_port, advertised)
        except OSError as error:
            problem = f"cannot use UDP port {configuration.media_port} of {configuration.host}: {error.strerror}"
            raise ConfigurationError("media_port", problem) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for meeting in tuple(self.meetings.values()):
            meeting.close()
        if self._port is not None:
            self._port.close()

    @property
    def port(self) -> MediaPort:
        """The UDP port.

        Raises:
            UsageError: if the node was not entered.
        """
        if self._port is None:
            raise UsageError("the media node does not run")
        return self._port

    def meeting(self, stage: MediaStage) -> NodeMeeting:
        """Start the media of a meeting."""
        quotas = self.configuration.quotas
        loop = asyncio.get_running_loop()
        meeting = NodeMeeting(stage, self.port, self.clock, loop, self._forget, quotas=quotas)
        self.meetings[stage.meeting_id] = meeting
        return meeting

    def watch(self, metrics: Metrics) -> None:
        """Expose numbers."""
        counters = self.port.counters
        metrics.watch_gauge("chime_media_meetings", "Meetings with media.", lambda: len(self.meetings))
        metrics.watch_gauge("chime_media_connections", "Media connections.", lambda: len(self.port.transports))
        metrics.watch_gauge(
            "chime_media_sources",
            "Video streams that are sent.",
            lambda: sum(len(meeting.sources) for meeting in self.meetings.values()),
        )
        metrics.watch_gauge(
            "chime_media_views",
            "Videos that somebody is sent.",
            lambda: sum(len(meeting.forwarder.subscriptions) for meeting in self.meetings.values()),
        )
        metrics.watch_counter("chime_media_malformed", "Datagrams that were none.", lambda: counters.malformed)
        metrics.watch_counter("chime_media_strangers", "Datagrams of nobody.", lambda: counters.unknown_address)
        metrics.watch_counter("chime_media_ticks_skipped", "20 ms left out.", lambda: self.clock.skipped_ticks)

    def _forget(self, meeting: NodeMeeting) -> None:
        if self.meetings.get(meeting.meeting_id) is meeting:
            del self.meetings[meeting.meeting_id]


def _addresses(configuration: ServerConfiguration) -> Iterator[str]:
    """Where clients reach a server: as it is called, or at each address this machine is known by."""
    public = (configuration.public_host or "").rpartition(":")[0] or configuration.public_host or ""
    found = [public.strip("[]")] if _is_address(public.strip("[]")) else []
    if configuration.host in _WILDCARDS:
        found += ["127.0.0.1", *_own_address()]
    else:
        kinds = socket.getaddrinfo(configuration.host, None, type=socket.SOCK_DGRAM)
        found.append(str(kinds[0][4][0]))
    yield from dict.fromkeys(found)


def _own_address() -> Iterator[str]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)
        except OSError:
            return  # a machine without a network
        yield probe.getsockname()[0]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
