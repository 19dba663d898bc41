"""A local Chime with media, for tests and programs: `LocalServer` whose meetings carry sound and pictures.

async with LocalMeetingServer() as server:
meeting = server.client("chime-sdk-meetings").create_meeting(...)
"""

from __future__ import annotations

from dataclasses import replace

import anyio.to_thread

from chime_media.server.node import MediaNode
from chime_messaging.errors import UsageError
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.local_server import LocalServer


class LocalMeetingServer(LocalServer):
    """Runs a server with media for the length of a block.

    Args:
        configuration: by default everything in memory, on free ports.
    """

    def __init__(self, configuration: ServerConfiguration | None = None) -> None:
        configuration = configuration or ServerConfiguration(port=0)
        super().__init__(replace(configuration, media=configuration.media or MediaNode))

    @property
    def media(self) -> MediaNode:
        """The node that carries media; its parts belong to the server's thread.

        Raises:
            UsageError: if the server does not run.
        """
        media = self.node.media
        if not isinstance(media, MediaNode):
            raise UsageError("the media of this server is not a MediaNode")
        return media

    async def cut(self, attendee_id: str) -> None:
        """Cut an attendee off, as a network does that is gone: its socket is reset, its media comes through no longer.

        Neither side is told why. The attendee may connect anew at once.
        """
        meetings, port = self.media.meetings, self.media.port

        def lose_media() -> None:
            for meeting in meetings.values():
                for attendee in meeting.attendees:
                    transport = attendee.transport
                    if attendee.party.attendee_id == attendee_id and transport is not None:
                        port.remove(transport)
                        transport.address = None

        assert self._portal is not None
        await anyio.to_thread.run_sync(self._portal.call, lose_media)
        await anyio.to_thread.run_sync(self.control.meetings.abort, attendee_id)
