"""Peers of a document agree in the end, whatever happens to their messages; and they do not talk more than needed."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chime_messaging.state.document_protocol import DocumentSettings, RemoteChange, Synced
from tests.messaging.state.gathering import Gathering


def test_an_edit_is_everywhere_at_once() -> None:
    gathering = Gathering(3)
    gathering.run(5)
    gathering.peers["peer00"].text += "hello"
    assert gathering.until_same(1) <= 0.2
    assert str(gathering.peers["peer02"].text) == "hello"
    assert RemoteChange("peer00") in gathering.peers["peer02"].told


def test_somebody_new_is_given_what_there_is_and_told_so_once() -> None:
    gathering = Gathering(3)
    gathering.peers["peer01"].text += "before " * 1000
    gathering.run(20)
    late = gathering.join("late")
    assert gathering.until_same(3) < 1.0
    gathering.run(20)
    assert [event for event in late.told if isinstance(event, Synced)] == [Synced(is_alone=False)]
    assert len(late.text) == 7000


def test_only_one_of_many_answers() -> None:
    gathering = Gathering(25)
    gathering.peers["peer01"].text += "before " * 1000
    gathering.run(60)
    before = len(gathering.sent)
    gathering.join("late")
    gathering.until_same(5)
    large = [data for _, _, data in gathering.sent[before:] if len(data) > 2048]
    assert len(large) == 1


def test_who_is_alone_is_told_so() -> None:
    gathering = Gathering(1)
    gathering.run(10)
    assert gathering.peers["peer00"].told == [Synced(is_alone=True)]


def test_a_deletion_that_was_lost_is_found() -> None:
    gathering = Gathering(3)
    gathering.peers["peer00"].text += "hello world"
    gathering.run(10)
    gathering.fate = lambda sender, receiver: []
    del gathering.peers["peer00"].text[0:6]
    gathering.run(0.5)
    gathering.fate = lambda sender, receiver: [0.02]
    gathering.until_same(15)
    assert {str(peer.text) for peer in gathering.peers.values()} == {"world"}


def test_what_was_edited_while_away_is_merged_on_return() -> None:
    gathering = Gathering(4)
    gathering.peers["peer00"].text += "base "
    gathering.run(5)
    gathering.away("peer03")
    for number in range(500):
        gathering.peers["peer03"].text += f"{number} "
        gathering.peers["peer00"].map[str(number % 7)] = number
    gathering.run(30)
    gathering.back("peer03")
    assert gathering.until_same(5) < 2.0


def test_after_it_has_settled_a_document_is_nearly_silent() -> None:
    gathering = Gathering(25)
    choose = random.Random(3)
    for _ in range(200):
        gathering.edit(choose.choice(list(gathering.peers)), choose)
        gathering.turn()
    gathering.until_same(30)
    gathering.run(300)
    before = len(gathering.sent)
    gathering.run(600)
    assert len(gathering.sent) - before < 40


def test_twenty_five_who_edit_all_the_time_stay_below_the_rate_of_a_meeting() -> None:
    gathering = Gathering(25)
    choose = random.Random(4)
    gathering.run(5)
    start, before = gathering.now, len(gathering.sent)
    while gathering.now < start + 6:
        for name in choose.sample(list(gathering.peers), 8):
            gathering.edit(name, choose)
        gathering.turn()
    rate = (len(gathering.sent) - before) / 6
    assert rate < 70
    gathering.until_same(10)


def test_a_burst_of_edits_shares_one_update() -> None:
    gathering = Gathering(2)
    gathering.run(5)
    before = len(gathering.sent)
    for number in range(100):
        gathering.peers["peer00"].text += str(number % 10)
    gathering.turn()
    assert len(gathering.sent) - before == 1
    assert len(gathering.sent[-1][2]) < 130


def test_a_changing_document_is_put_into_keeping_by_one() -> None:
    gathering = Gathering(4, settings=DocumentSettings(snapshot_interval=40.0))
    choose = random.Random(5)
    gathering.run(5)
    for _ in range(1000):
        gathering.edit(choose.choice(list(gathering.peers)), choose)
        gathering.turn()
    whole = [data for _, _, data in gathering.sent if len(data) > 3000 and data[:2] == b"\x00\x02"]
    assert len(whole) == 1


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"\x00\x05", b"\x00\x02\x05ab", b"\x64\x00", b"\xff" * 40, b"\x00\x02\x03\xff\xff\xff"]
)
def test_what_cannot_be_read_is_counted_and_harms_nothing(data: bytes) -> None:
    gathering = Gathering(2)
    peer = gathering.peers["peer00"]
    assert peer.protocol.receive("mallory", data, gathering.now) == []
    assert peer.protocol.undecodable == 1
    peer.text += "fine"
    gathering.until_same(3)


@settings(max_examples=6, deadline=None)
@given(
    st.integers(0, 2**32), st.sampled_from([0.0, 0.1, 0.4]), st.sampled_from([0.0, 0.2]), st.sampled_from([0.0, 3.0])
)
def test_twenty_five_writers_agree_whatever_is_lost_doubled_late_or_cut_off(
    seed: int, loss: float, doubled: float, late: float
) -> None:
    gathering = Gathering(25, seed)
    choose = random.Random(seed)
    names = list(gathering.peers)
    halves = {name: choose.random() < 0.5 for name in names}

    def fate(sender: str, receiver: str) -> list[float]:
        if 1001 < gathering.now < 1003 and halves[sender] != halves[receiver]:
            return []
        arrivals = [] if choose.random() < loss else [0.02 + choose.random() * late]
        return arrivals * (2 if choose.random() < doubled else 1)

    gathering.fate = fate
    away: set[str] = set()
    for _ in range(80):
        for name in choose.sample(names, 3):
            gathering.edit(name, choose)
        if choose.random() < 0.05:
            name = choose.choice(names)
            (gathering.back if name in away else gathering.away)(name)
            away ^= {name}
        gathering.turn()
    for name in away:
        gathering.back(name)
    gathering.fate = lambda sender, receiver: [0.02]
    gathering.until_same(60)
