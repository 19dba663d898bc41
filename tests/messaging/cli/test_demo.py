import io
from collections.abc import Callable

import pytest
from rich.console import Console

from chime_messaging.cli import demo as module
from chime_messaging.cli.stage import Stage
from chime_messaging.cli.tally import Person, Tally

pytestmark = pytest.mark.anyio


def people(**received: list[str]) -> Tally:
    """A tally in which the messages a, b and c were sent and these were received."""
    tally = Tally()
    tally.sent = ["a", "b", "c"]
    for name, ids in received.items():
        person = tally.people[name] = Person(name, f"arn/{name}")
        person.received.update(ids)
        person.order = ids
    return tally


def test_demo_loses_nothing_and_says_so(
    chime: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.0)
    code, out, _ = chime("demo", "--messages", "90", "--seconds", "1.5")
    assert code == 0, out
    assert "Bob's connection is reset" in out
    assert "Bob has fetched the " in out
    assert "Nothing was lost, nothing came twice, all in the same order." in out
    rows = {
        line.split()[0]: line.split()[3:8] for line in out.splitlines() if line.startswith(("alice", "bob", "carol"))
    }
    assert {name: row[1] for name, row in rows.items()} == dict.fromkeys(("alice", "bob", "carol"), "95")
    assert all(row[3:] == ["0", "0"] for row in rows.values())
    assert int(rows["bob"][2]) > 0


@pytest.mark.parametrize(
    ("received", "complete"),
    [
        ({"alice": ["a", "b", "c"], "bob": ["a", "b", "c"]}, True),
        ({"alice": ["a", "b", "c"], "bob": ["a", "c"]}, False),
        ({"alice": ["a", "b", "c"], "bob": ["a", "b", "b", "c"]}, False),
        ({"alice": ["a", "b", "c"], "bob": ["a", "c", "b"]}, False),
    ],
    ids=["all", "lost", "repeated", "out of order"],
)
async def test_verdict_counts_losses_repetitions_and_order(received: dict[str, list[str]], complete: bool) -> None:
    assert people(**received).is_complete() is complete


async def test_summary_of_a_failure_shows_what_is_lost() -> None:
    console = Console(file=io.StringIO(), width=100)
    Stage(people(alice=["a", "b", "c"], bob=["a", "a"]), console).summarise(1, 2.0)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "Messages were lost, repeated or out of order." in text
    bob = next(line for line in text.splitlines() if line.startswith("bob"))
    assert bob.split()[-3:-1] == ["1", "2"]


async def test_live_picture_is_drawn_on_a_terminal() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    with Stage(people(alice=["a", "b", "c"], bob=["a"]), console) as stage:
        stage.note("Something happens.")
        stage.say("Alice", "hello")
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "missing" in text
    assert "hello" in text
    assert "Something happens." in text
