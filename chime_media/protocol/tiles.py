"""Tiles: which videos there are to look at, whose they are, and whether they are paused, bound or poorly connected."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import msgspec

from chime_media.events import VideoTileState
from chime_messaging.errors import UsageError
from chime_messaging.meeting_events import VideoSource

CONTENT_SUFFIX = "#content"


@dataclass(frozen=True, slots=True)
class TileChanges:
    """What observers are to be told."""

    updated: tuple[VideoTileState, ...] = ()
    """Official name: videoTileDidUpdate."""
    removed: tuple[int, ...] = ()
    """Official name: videoTileWasRemoved."""

    def __add__(self, other: TileChanges) -> TileChanges:
        return TileChanges(self.updated + other.updated, self.removed + other.removed)


_NONE = TileChanges()


@dataclass(slots=True)
class _Tile:
    state: VideoTileState
    reasons: set[str] = field(default_factory=set)
    """Why it is paused."""


class Tiles:
    """All tiles of one session.

    Args:
        attendee_id: Whose session it is.
        external_user_id: The same.
    """

    def __init__(self, attendee_id: str, external_user_id: str) -> None:
        self._attendee_id = attendee_id
        self._external_user_id = external_user_id
        self._tiles: dict[int, _Tile] = {}
        self._next = 1
        self._local: int | None = None

    @property
    def states(self) -> dict[int, VideoTileState]:
        """All tiles by id."""
        return {tile_id: tile.state for tile_id, tile in self._tiles.items()}

    @property
    def local_tile_id(self) -> int | None:
        """The local tile's id, also after it was stopped; None before the first and after it was removed."""
        return self._local

    def state(self, tile_id: int) -> VideoTileState:
        """One tile.

        Raises:
            UsageError: There is none of that id.
        """
        return self._tile(tile_id).state

    def of_group(self, group_id: int) -> int | None:
        """The remote tile that shows a group."""
        for tile_id, tile in self._tiles.items():
            if tile.state.group_id == group_id and not tile.state.local_tile and tile.state.has_stream:
                return tile_id
        return None

    def reasons(self, tile_id: int) -> frozenset[str]:
        """Why a tile is paused."""
        return frozenset(self._tile(tile_id).reasons)

    # The own video

    def start_local(self, width: int, height: int) -> TileChanges:
        """Show the own video, in the tile that showed it before if there is one."""
        if self._local is None:
            self._local = self._add(
                VideoTileState(
                    0,
                    local_tile=True,
                    bound_attendee_id=self._attendee_id,
                    bound_external_user_id=self._external_user_id,
                )
            )
        return self._change(self._local, has_stream=True, width=width, height=height)

    def stop_local(self) -> TileChanges:
        """Show the own video no more; its tile stays, without a stream."""
        return _NONE if self._local is None else self._change(self._local, has_stream=False, width=0, height=0)

    def remove_local(self) -> TileChanges:
        """Remove the local tile."""
        tile_id, self._local = self._local, None
        return _NONE if tile_id is None else self.remove(tile_id)

    # Others' videos

    def received(self, sources: Iterable[VideoSource]) -> TileChanges:
        """These videos are received, and no others: their tiles appear, those of others go."""
        wanted = {source.group_id: source for source in sources}
        changes = _NONE
        for tile_id, tile in list(self._tiles.items()):
            if tile.state.group_id and not tile.state.local_tile and tile.state.group_id not in wanted:
                changes += self.remove(tile_id)
        for group_id, source in wanted.items():
            shown = self.of_group(group_id)
            if shown is not None:
                changes += self._change(shown, stream_id=source.stream_id)
                continue
            added = VideoTileState(
                0,
                is_content=source.attendee_id.endswith(CONTENT_SUFFIX),
                bound_attendee_id=source.attendee_id,
                bound_external_user_id=source.external_user_id,
                has_stream=True,
                stream_id=source.stream_id,
                group_id=group_id,
            )
            changes += TileChanges((self._tile(self._add(added)).state,))
        return changes

    def add_own_content(self, width: int, height: int) -> tuple[int, TileChanges]:
        """Show what the attendee itself shares; answers the tile's id."""
        tile_id = self._add(
            VideoTileState(
                0,
                is_content=True,
                bound_attendee_id=self._attendee_id + CONTENT_SUFFIX,
                bound_external_user_id=self._external_user_id,
                has_stream=True,
                width=width,
                height=height,
            )
        )
        return tile_id, TileChanges((self._tile(tile_id).state,))

    def paused_at_source(self, stream_ids: Collection[int]) -> TileChanges:
        """The service has paused these streams, and no others."""
        changes = _NONE
        for tile_id, tile in list(self._tiles.items()):
            if tile.state.stream_id and not tile.state.local_tile:
                changes += self._change(tile_id, poor_connection=tile.state.stream_id in stream_ids)
        return changes

    # What is done with a tile

    def pause(self, tile_id: int, reason: str) -> TileChanges:
        """Pause a tile for one reason more."""
        self._tile(tile_id).reasons.add(reason)
        return self._change(tile_id, paused=True)

    def unpause(self, tile_id: int, reason: str) -> TileChanges:
        """A reason is gone; with the last one the tile goes on."""
        tile = self._tile(tile_id)
        tile.reasons.discard(reason)
        return self._change(tile_id, paused=bool(tile.reasons))

    def bind(self, tile_id: int, bound: bool) -> TileChanges:
        """Somebody looks at a tile's frames, or nobody any more."""
        return self._change(tile_id, bound=bound)

    def resize(self, tile_id: int, width: int, height: int) -> TileChanges:
        """Frames have that size from now on."""
        return self._change(tile_id, width=width, height=height)

    def remove(self, tile_id: int) -> TileChanges:
        """Remove a tile; nothing happens if there is none."""
        if self._tiles.pop(tile_id, None) is None:
            return _NONE
        if self._local == tile_id:
            self._local = None
        return TileChanges(removed=(tile_id,))

    def remove_all(self) -> TileChanges:
        """Remove all tiles, the local one too."""
        removed = TileChanges(removed=tuple(self._tiles))
        self._tiles.clear()
        self._local = None
        return removed

    def _tile(self, tile_id: int) -> _Tile:
        tile = self._tiles.get(tile_id)
        if tile is None:
            raise UsageError(f"there is no tile {tile_id}")
        return tile

    def _add(self, state: VideoTileState) -> int:
        tile_id = self._next
        self._next += 1
        self._tiles[tile_id] = _Tile(msgspec.structs.replace(state, tile_id=tile_id))
        return tile_id

    def _change(self, tile_id: int, **changes: object) -> TileChanges:
        tile = self._tile(tile_id)
        changed = msgspec.structs.replace(tile.state, **changes)
        active = changed.has_stream and changed.bound and not changed.paused and not changed.poor_connection
        changed = msgspec.structs.replace(changed, active=active)
        if changed == tile.state:
            return _NONE
        tile.state = changed
        return TileChanges((changed,))
