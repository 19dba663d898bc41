from __future__ import annotations

import pytest

from chime_messaging.state.calls_protocol import Abandon, Begin, CallsProtocol, Failure, Result, Settled


def pair(max_running: int = 2) -> tuple[CallsProtocol, CallsProtocol]:
    return CallsProtocol("a", set()), CallsProtocol("b", {"add"}, max_running)


def answer(callee: CallsProtocol) -> bytes:
    data = callee.take()
    assert data is not None
    return data


def test_a_call_has_one_answer() -> None:
    alice, bob = pair()
    data = alice.call(7, "b", "add", {"x": 1})
    assert bob.receive("a", data) == [Begin("a", 7, "add", {"x": 1})]
    assert bob.receive("a", data) == []
    bob.finish("a", 7, 3)
    bob.finish("a", 7, 4)
    data = answer(bob)
    assert bob.take() is None
    assert alice.receive("b", data) == [Settled(7, Result(7, "a", 3))]
    assert alice.receive("b", data) == []


def test_others_are_not_concerned_and_cannot_answer() -> None:
    alice, bob = pair()
    carol = CallsProtocol("c", {"add"})
    data = alice.call(7, "b", "add", None)
    assert carol.receive("a", data) == []
    assert bob.receive("a", data) != []
    bob.finish("a", 7, 3)
    data = answer(bob)
    assert carol.receive("b", data) == []
    assert alice.receive("c", data) == []
    assert alice.receive("b", data) != []


def test_what_it_does_not_know_or_has_no_place_for_is_answered_so() -> None:
    alice, bob = pair(max_running=1)
    assert bob.receive("a", alice.call(1, "b", "subtract", None)) == []
    assert alice.receive("b", answer(bob)) == [Settled(1, Failure(1, "a", "unknown"))]
    assert len(bob.receive("a", alice.call(2, "b", "add", None))) == 1
    assert bob.receive("a", alice.call(3, "b", "add", None)) == []
    assert alice.receive("b", answer(bob)) == [Settled(3, Failure(3, "a", "busy"))]
    bob.fail("a", 2, "KeyError")
    assert alice.receive("b", answer(bob)) == [Settled(2, Failure(2, "a", "failed", "KeyError"))]
    assert len(bob.receive("a", alice.call(4, "b", "add", None))) == 1


def test_a_call_that_nobody_waits_for_is_cancelled() -> None:
    alice, bob = pair()
    bob.receive("a", alice.call(1, "b", "add", None))
    alice.forget(1)
    alice.forget(1)
    cancel = answer(alice)
    assert alice.take() is None
    assert bob.receive("c", cancel) == []
    assert bob.receive("a", cancel) == [Abandon("a", 1)]
    bob.finish("a", 1, 3)
    assert bob.take() is None
    assert bob.running == 0


def test_who_leaves_neither_answers_nor_waits() -> None:
    alice, bob = pair()
    bob.receive("a", alice.call(1, "b", "add", None))
    assert alice.peer_left("b") == [Settled(1, None)]
    assert bob.peer_left("a") == [Abandon("a", 1)]
    assert (alice.peer_left("b"), bob.peer_left("a"), bob.running) == ([], [], 0)


def test_a_result_that_cannot_be_json_leaves_the_call_open() -> None:
    alice, bob = pair()
    bob.receive("a", alice.call(1, "b", "add", None))
    with pytest.raises(TypeError):
        bob.finish("a", 1, object())
    bob.fail("a", 1, "TypeError")
    assert len(alice.receive("b", answer(bob))) == 1


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"{}", b'["call"]', b'["call",1,"b"]', b'["nothing",1,"b"]', b'["result","x","b"]']
)
def test_what_cannot_be_read_is_counted(data: bytes) -> None:
    _, bob = pair()
    assert bob.receive("a", data) == []
    assert bob.undecodable == 1
