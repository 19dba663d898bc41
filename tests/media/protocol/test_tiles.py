from __future__ import annotations

import pytest

from chime_media.protocol.tiles import TileChanges, Tiles
from chime_messaging.errors import UsageError
from chime_messaging.meeting_events import VideoSource

ANN = VideoSource(11, 1, "ann", "Ann")
BOB = VideoSource(12, 2, "bob", "Bob")
SHARE = VideoSource(13, 3, "bob#content", "Bob")


def tiles() -> Tiles:
    return Tiles("me", "Me")


def test_a_local_tile_stays_when_it_is_stopped_and_goes_when_it_is_removed() -> None:
    under_test = tiles()
    (started,) = under_test.start_local(640, 360).updated
    assert (started.tile_id, started.local_tile, started.bound_attendee_id) == (1, True, "me")
    assert (started.width, started.height, started.has_stream) == (640, 360, True)
    (stopped,) = under_test.stop_local().updated
    assert (stopped.tile_id, stopped.has_stream, stopped.width) == (1, False, 0)
    assert under_test.start_local(320, 180).updated[0].tile_id == 1
    assert under_test.remove_local() == TileChanges(removed=(1,))
    assert under_test.start_local(320, 180).updated[0].tile_id == 2


def test_tiles_of_others_come_and_go_with_what_is_received() -> None:
    under_test = tiles()
    changes = under_test.received([ANN, SHARE])
    assert [(tile.bound_attendee_id, tile.is_content) for tile in changes.updated] == [
        ("ann", False),
        ("bob#content", True),
    ]
    assert under_test.received([ANN, SHARE]) == TileChanges()
    changes = under_test.received([ANN, BOB])
    assert changes.removed == (2,)
    assert [tile.bound_external_user_id for tile in changes.updated] == ["Bob"]


def test_who_stops_and_starts_has_a_new_tile() -> None:
    under_test = tiles()
    under_test.received([ANN])
    changes = under_test.received([VideoSource(21, 7, "ann", "Ann")])
    assert changes.removed == (1,)
    assert changes.updated[0].tile_id == 2


def test_another_layer_of_the_same_video_keeps_its_tile() -> None:
    under_test = tiles()
    under_test.received([ANN])
    changes = under_test.received([VideoSource(99, 1, "ann", "Ann")])
    assert [(tile.tile_id, tile.stream_id) for tile in changes.updated] == [(1, 99)]


def test_a_tile_is_active_while_it_is_bound_and_nothing_holds_it() -> None:
    under_test = tiles()
    under_test.received([ANN])
    assert not under_test.state(1).active
    assert under_test.bind(1, True).updated[0].active
    assert under_test.bind(1, True) == TileChanges(), "no change, nothing to tell"
    assert not under_test.pause(1, "application").updated[0].active
    assert under_test.unpause(1, "application").updated[0].active
    poor = under_test.paused_at_source([11]).updated[0]
    assert (poor.poor_connection, poor.active) == (True, False)
    assert under_test.paused_at_source([]).updated[0].active


def test_a_tile_goes_on_when_its_last_reason_to_pause_is_gone() -> None:
    under_test = tiles()
    under_test.received([ANN])
    under_test.pause(1, "application")
    assert under_test.pause(1, "bandwidth") == TileChanges()
    assert under_test.reasons(1) == {"application", "bandwidth"}
    assert under_test.unpause(1, "application") == TileChanges()
    assert not under_test.unpause(1, "bandwidth").updated[0].paused


def test_the_size_is_told_when_it_changes() -> None:
    under_test = tiles()
    under_test.received([ANN])
    assert under_test.resize(1, 640, 360).updated[0].width == 640
    assert under_test.resize(1, 640, 360) == TileChanges()


def test_the_own_share_has_a_tile_that_is_not_local() -> None:
    under_test = tiles()
    tile_id, changes = under_test.add_own_content(1280, 720)
    (tile,) = changes.updated
    assert (tile.local_tile, tile.is_content, tile.bound_attendee_id) == (False, True, "me#content")
    assert under_test.received([]) == TileChanges(), "it is no received one"
    assert under_test.remove(tile_id).removed == (tile_id,)


def test_there_is_nothing_to_do_with_a_tile_that_is_gone() -> None:
    under_test = tiles()
    under_test.received([ANN])
    under_test.start_local(2, 2)
    assert set(under_test.remove_all().removed) == {1, 2}
    with pytest.raises(UsageError, match="no tile 1"):
        under_test.bind(1, True)
    assert under_test.remove(1) == TileChanges()
