"""Frames that wait for their write, and who sees which."""

from __future__ import annotations

from collections.abc import Callable

from chime_messaging.server.turn import Kind, Turn

ALL = frozenset({Kind.DATA, Kind.ROSTER, "index a"})
OTHER = frozenset({Kind.DATA, Kind.ROSTER, "index b"})


class Receiver:
    def __init__(self) -> None:
        self.got: list[bytes] = []

    @property
    def write(self) -> Callable[[bytes], None]:
        return self.got.append


def test_each_gets_what_is_in_its_view_in_one_write_that_equals_share() -> None:
    turn = Turn()
    one, two, other = Receiver(), Receiver(), Receiver()
    turn.enter(one, ALL)
    turn.enter(two, ALL)
    turn.enter(other, OTHER)
    turn.add(b"1", Kind.DATA)
    turn.add(b"2", "index a")
    turn.add(b"3", "index b")
    assert turn.flush() == (3, 6)
    assert (one.got, other.got) == ([b"12"], [b"13"])
    assert one.got[0] is two.got[0]


def test_who_sees_something_else_from_now_on_loses_nothing_that_both_views_have() -> None:
    turn = Turn()
    one = Receiver()
    turn.enter(one, ALL)
    turn.add(b"1", Kind.DATA)
    turn.add(b"2", "index a")
    turn.review(one, OTHER)
    turn.add(b"3", "index b")
    turn.flush()
    assert one.got == [b"13"]
    assert turn.views == [OTHER]


def test_who_came_in_this_turn_gets_nothing_from_before_after_its_view_changed_either() -> None:
    turn = Turn()
    early, late = Receiver(), Receiver()
    turn.enter(early, ALL)
    turn.add(b"1", Kind.DATA)
    turn.enter(late, ALL)
    turn.add(b"2", Kind.DATA)
    turn.review(late, OTHER)
    turn.flush()
    assert (early.got, late.got) == ([b"12"], [b"2"])


def test_a_view_of_nobody_in_the_turn_is_not_taken_up() -> None:
    turn = Turn()
    turn.review(Receiver(), ALL)
    assert not turn.views
    assert len(turn) == 0
