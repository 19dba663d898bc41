"""INDEX, which is not the same for everybody: nobody is told of its own video, or of what it may not see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chime_messaging.ids import CONTENT_SUFFIX
from chime_messaging.meeting_events import VideoSource
from chime_messaging.server.party import Party

if TYPE_CHECKING:
    from chime_messaging.server.media import MeetingMedia


@dataclass(frozen=True, slots=True)
class IndexView:
    """Which of the INDEX frames of a meeting somebody gets; equal for all who get the same."""

    at_capacity: bool = False
    """Whether it may not send video."""
    own: str = ""
    """Attendee id whose camera and content are left out, if it sends any."""
    cameras: bool = True
    contents: bool = True

    def select(self, sources: Iterable[VideoSource]) -> list[VideoSource]:
        """Choose the sources that are told."""
        return [source for source in sources if self._sees(source.attendee_id)]

    def _sees(self, attendee_id: str) -> bool:
        base = attendee_id.removesuffix(CONTENT_SUFFIX)
        return base != self.own and (self.cameras if base == attendee_id else self.contents)


def index_view(party: Party, media: MeetingMedia | None) -> IndexView:
    """Say which INDEX somebody gets."""
    if media is None:
        return _AUDIENCE if party.audience else _OPEN
    sending = {source.attendee_id.removesuffix(CONTENT_SUFFIX) for source in media.sources}
    return IndexView(
        party.audience or not party.shows or media.is_full(party),
        party.base if party.base in sending else "",
        party.sees(""),
        party.sees(CONTENT_SUFFIX),
    )


_OPEN = IndexView()
_AUDIENCE = IndexView(at_capacity=True)
