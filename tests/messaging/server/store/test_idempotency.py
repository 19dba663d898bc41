from typing import Any

import pytest

from chime_messaging.server.faults import Fault
from chime_messaging.server.store.idempotency import TOKEN_LIFETIME, purge_tokens, recall, remember

CALL = ("ann", "messaging.SendChannelMessage", "token")


def test_an_answer_is_recalled_for_the_same_call_only(store: Any) -> None:
    answer = {"ChannelArn": "c", "Status": {"Value": "SENT"}, "Number": 1}
    assert store.run(lambda tx: recall(tx, *CALL, "print")) is None
    store.run(lambda tx: remember(tx, *CALL, "print", answer))
    assert store.run(lambda tx: recall(tx, *CALL, "print")) == answer
    scope, operation, token = CALL
    for other in [("ben", operation, token), (scope, "messaging.CreateChannel", token), (scope, operation, "another")]:
        assert store.run(lambda tx, call=other: recall(tx, call[0], call[1], call[2], "print")) is None


def test_a_token_with_other_parameters_is_a_conflict(store: Any) -> None:
    store.run(lambda tx: remember(tx, *CALL, "print", {}))
    with pytest.raises(Fault) as caught:
        store.run(lambda tx: recall(tx, *CALL, "another"))
    assert caught.value.name == "ConflictException"


def test_a_token_is_forgotten_after_a_day_and_may_be_used_anew(store: Any) -> None:
    store.run(lambda tx: remember(tx, *CALL, "print", {"Number": 1}))
    store.now += TOKEN_LIFETIME - 1
    assert store.run(lambda tx: recall(tx, *CALL, "print")) == {"Number": 1}
    store.now += 1
    assert store.run(lambda tx: recall(tx, *CALL, "another")) is None
    store.run(lambda tx: remember(tx, *CALL, "another", {"Number": 2}))
    assert store.run(lambda tx: recall(tx, *CALL, "another")) == {"Number": 2}


def test_a_call_that_fails_leaves_its_token_unused(store: Any) -> None:
    def fail(tx: Any) -> None:
        remember(tx, *CALL, "print", {})
        raise LookupError

    with pytest.raises(LookupError):
        store.run(fail)
    assert store.run(lambda tx: recall(tx, *CALL, "another")) is None


def test_old_tokens_are_purged_a_few_at_a_time(store: Any) -> None:
    for number in range(10):
        store.run(lambda tx, number=number: remember(tx, *CALL[:2], f"t{number}", "print", {}))
        store.now += 1000
    store.now += TOKEN_LIFETIME - 3500
    assert [store.run(lambda tx: purge_tokens(tx, 4)) for _ in range(3)] == [4, 3, 0]
    assert store.run(lambda tx: recall(tx, *CALL[:2], "t6", "print")) is None
    assert store.run(lambda tx: recall(tx, *CALL[:2], "t7", "print")) == {}
