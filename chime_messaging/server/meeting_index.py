"""INDEX, which is not the same for everybody: nobody is told of its own video, or of what it may not see."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass

from chime_messaging.ids import CONTENT_SUFFIX
from chime_messaging.meeting_events import VideoSource
from chime_messaging.protocol import signal_frames
from chime_messaging.server.attendee_socket import AttendeeSocket
from chime_messaging.server.media import ALL_CODECS, MeetingMedia
from chime_messaging.server.party import Party
from chime_messaging.server.turn import Kind, View
from chime_messaging.wire.signaling_pb2 import SignalFrame


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
    return IndexView(
        party.audience or not party.shows or media.is_full(party),
        party.base if party.base in media.senders else "",
        party.sees(""),
        party.sees(CONTENT_SUFFIX),
    )


def view_of(socket: AttendeeSocket, media: MeetingMedia | None) -> View:
    """Say what an attendee gets of what its meeting is told."""
    kinds: set[Hashable] = {Kind.DATA, index_view(socket.party, media)}
    if socket.wants_roster:
        kinds.add(Kind.ROSTER)
    if socket.media is not None:
        kinds.add(Kind.MEDIA)
    return frozenset(kinds)


def index_frames(
    views: Iterable[View], participants: int, media: MeetingMedia | None
) -> Iterator[tuple[IndexView, SignalFrame]]:
    """Make the INDEX of each view that somebody has."""
    codecs, sources = (media.codecs, media.sources) if media is not None else (ALL_CODECS, ())
    wanted = {kind for kinds in views for kind in kinds if isinstance(kind, IndexView)}
    for view in wanted:
        yield (
            view,
            signal_frames.index(
                participants=participants,
                at_capacity=view.at_capacity,
                sources=view.select(sources),
                codecs=codecs,
            ),
        )


_OPEN = IndexView()
_AUDIENCE = IndexView(at_capacity=True)
