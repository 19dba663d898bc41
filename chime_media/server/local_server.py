"""A local Chime with media, for tests and programs: `LocalServer` whose meetings carry sound and pictures.

async with LocalMeetingServer() as server:
meeting = server.client("chime-sdk-meetings").create_meeting(...)
"""

from __future__ import annotations

from dataclasses import replace

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
