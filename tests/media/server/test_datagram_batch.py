from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_media.server.datagram_batch import DatagramBatch, runs


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket, socket.socket]]:
    made = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
    for one in made:
        one.bind(("127.0.0.1", 0))
        one.settimeout(5)
    made[0].setblocking(False)
    yield made[0], made[1], made[2]
    for one in made:
        one.close()


Sockets = tuple[socket.socket, socket.socket, socket.socket]


def test_outside_of_a_wake_up_datagrams_go_out_at_once(sockets: Sockets) -> None:
    node, peer, _ = sockets
    batch = DatagramBatch(node)
    assert batch.send(b"at once", peer.getsockname())
    assert peer.recv(100) == b"at once"


@pytest.mark.parametrize("segments", [True, False])
def test_what_was_held_arrives_whole_and_in_order(sockets: Sockets, segments: bool) -> None:
    node, *peers = sockets
    batch = DatagramBatch(node)
    batch.segments = batch.segments and segments
    batch.holding = True
    sent: list[list[bytes]] = [[], []]
    for index, size in enumerate([1110, 1110, 1110, 90, 1110, 1111, 1111, 40, 1399, 1, 1]):
        for at, peer in enumerate(peers):
            datagram = bytes([at, index]) * size
            sent[at].append(datagram[:size])
            assert batch.send(datagram[:size], peer.getsockname())
    peers[0].setblocking(False)
    with pytest.raises(BlockingIOError):
        peers[0].recv(2048)
    peers[0].settimeout(5)
    batch.flush()
    for at, peer in enumerate(peers):
        assert [peer.recv(2048) for _ in sent[at]] == sent[at]
    batch.flush()
    assert batch.unsent == 0


def test_not_too_much_is_held(sockets: Sockets) -> None:
    node, peer, _ = sockets
    batch = DatagramBatch(node)
    batch.holding = True
    for index in range(100):
        batch.send(bytes([index]) * 100, peer.getsockname())
    assert [peer.recv(2048)[0] for _ in range(64)] == list(range(64))


def test_an_address_that_cannot_be_sent_to_harms_no_other(sockets: Sockets) -> None:
    node, peer, _ = sockets
    batch = DatagramBatch(node)
    batch.holding = True
    for _ in range(3):
        batch.send(b"lost", ("127.0.0.1", 0))
        batch.send(b"sent", peer.getsockname())
    batch.flush()
    assert [peer.recv(100) for _ in range(3)] == [b"sent"] * 3
    assert batch.unsent == 3
    assert batch.segments == DatagramBatch(node).segments


@given(st.lists(st.sampled_from([1, 20, 1100, 1101, 1399, 1500, 3000]), min_size=1, max_size=120))
def test_runs_are_of_one_size_but_for_the_last(sizes: list[int]) -> None:
    datagrams = [bytes([index % 256]) * size for index, size in enumerate(sizes)]
    found = list(runs(datagrams))
    assert [datagram for run in found for datagram in run] == datagrams
    for run in found:
        assert len({len(datagram) for datagram in run[:-1]}) <= 1
        assert len(run[-1]) <= len(run[0])
        assert len(run) <= 48
        assert len(run) == 1 or (len(run[0]) <= 1400 and sum(map(len, run)) <= 60_000)
