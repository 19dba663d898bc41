"""What a bot remembers."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chime_messaging.bots.state import ChannelState
from chime_messaging.bots.store import MARKS, OVERLAP, BotStore
from chime_messaging.errors import ConfigurationError

T0 = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot.db"


def test_message_is_handled_for_good(path: Path) -> None:
    store = BotStore(path, "bot")
    store.done("c", "m1", T0)
    store.mark("c", "m2", T0 + SECOND)
    assert store.is_handled("c", "m2", T0 + SECOND)
    store.close()
    again = BotStore(path, "bot")
    assert again.is_handled("c", "m1", T0)
    assert again.is_handled("c", "m2", T0 + SECOND)
    assert not again.is_handled("c", "m3", T0)
    assert again.cursors() == {"c": T0 + SECOND}
    assert not BotStore(path, "other").is_handled("c", "m1", T0)


def test_channel_is_read_from_its_oldest_mark_within_the_overlap() -> None:
    store = BotStore(None, "bot")
    assert store.read_from("c") is None
    store.begin_at({"c": T0, "empty": None})
    assert store.read_from("empty") is None
    assert store.read_from("c") == T0 + timedelta(microseconds=1)
    store.done("c", "m1", T0 + SECOND)
    assert store.read_from("c") == T0 + SECOND
    store.done("c", "m2", T0 + 60 * SECOND)
    assert store.read_from("c") == T0 + 60 * SECOND - OVERLAP


def test_old_marks_are_forgotten_and_the_newest_never() -> None:
    store = BotStore(None, "bot")
    for number in range(4 * MARKS):
        store.done("c", f"m{number}", T0 + number * SECOND)
    newest = T0 + (4 * MARKS - 1) * SECOND
    assert store.cursors() == {"c": newest}
    assert store.read_from("c") == newest - OVERLAP
    assert not store.is_handled("c", "m0", T0)


def test_what_was_about_to_be_sent_is_known_until_the_message_is_done(path: Path) -> None:
    store = BotStore(path, "bot")
    store.will_send("m1", 0, {"content": "a"}, T0)
    store.will_send("m2", 0, {"content": "b"}, T0)
    store.done("c", "m2", T0)
    again = BotStore(path, "bot")
    assert again.interrupted == {"m1"}
    assert again.sends("m1")[0].request == {"content": "a"}
    assert again.sends("m1")[0].begun == T0
    assert again.sends("m2") == {}


def test_state_and_mark_are_one_transaction(path: Path) -> None:
    store = BotStore(path, "bot")
    state = store.state("c")
    state["list"] = [1]
    state["gone"] = True
    store.done("c", "m1", T0, state.changes())
    state = store.state("c")
    state["list"].append(2)
    del state["gone"]
    with pytest.raises(ValueError, match="broken"):
        store.done("c", "m2", T0, _Broken(state.changes()))
    assert dict(store.state("c")) == {"list": [1], "gone": True}
    store.done("c", "m2", T0, state.changes())
    assert dict(BotStore(path, "bot").state("c")) == {"list": [1, 2]}
    assert dict(store.state("other")) == {}


class _Broken(dict[str, bytes | None]):
    def items(self):  # type: ignore[no-untyped-def]
        yield from super().items()
        raise ValueError("broken")


def test_only_what_changed_is_a_change() -> None:
    state = ChannelState({"a": b"1", "b": b'{"x":[]}'})
    assert state.changes() == {}
    state["b"]["x"].append(1)
    state["c"] = None
    assert state.changes() == {"b": b'{"x":[1]}', "c": b"null"}
    state["c"] = {1, 2}
    assert state.changes()["c"] == b"[1,2]"
    state["c"] = object()
    with pytest.raises(TypeError):
        state.changes()


def test_file_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database, and long enough to be sure of that" * 100)
    for path in (tmp_path / "text", tmp_path / "no" / "folder"):
        with pytest.raises(ConfigurationError, match="state"):
            BotStore(path, "bot")
