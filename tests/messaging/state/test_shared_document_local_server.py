"""Shared documents, presence and calls between sessions of a local server, over real sockets."""

from __future__ import annotations

import random
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread
from pycrdt import Array, Text

from chime_messaging.errors import (
    CalleeBusyError,
    CalleeLeftError,
    CallFailedError,
    CallTimeoutError,
    ConfigurationError,
    LimitError,
    MethodNotFoundError,
    SessionClosedError,
    UsageError,
    WaitTimeoutError,
)
from chime_messaging.meeting_events import DataMessageThrottled, MeetingReconnectScheduled
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.local_server import LocalServer
from chime_messaging.sessions.data_messages import DataMessageSession
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration
from chime_messaging.state import (
    Calls,
    DocumentChanged,
    DocumentSynced,
    Presence,
    PresenceChanged,
    SharedDocument,
    SharedMap,
    SQLiteDocumentStore,
)
from chime_messaging.testing.recorder import EventRecorder

pytestmark = pytest.mark.anyio


class Hall:
    """A meeting of a local server."""

    def __init__(self, server: LocalServer) -> None:
        self.control = server.control.meetings
        self.client: Any = server.client("chime-sdk-meetings")
        self.meeting = self.client.create_meeting(
            ClientRequestToken="hall", MediaRegion="us-east-1", ExternalMeetingId="hall"
        )

    def session(self, name: str) -> DataMessageSession:
        attendee = self.client.create_attendee(MeetingId=self.meeting["Meeting"]["MeetingId"], ExternalUserId=name)
        return DataMessageSession(
            MeetingSessionConfiguration(
                self.meeting, attendee, reconnect_short_backoff=0.01, reconnect_long_backoff=0.05
            )
        )


@pytest.fixture
def hall(server: LocalServer) -> Hall:
    return Hall(server)


def text(document: SharedDocument) -> Text:
    return document.get("text", type=Text)


async def test_two_edit_one_document(hall: Hall) -> None:
    alice, bob = hall.session("alice"), hall.session("bob")
    hers, his = SharedDocument(alice, "notes"), SharedDocument(bob, "notes")
    with anyio.fail_after(20):
        async with alice, bob, hers, his, EventRecorder(bob.hub) as of_bob:
            first, second = text(hers), text(his)
            first += "hello"
            await his.wait_for(lambda: str(second) == "hello")
            second += " world"
            await hers.wait_for(lambda: str(first) == "hello world")
            changed = await of_bob.wait_for(DocumentChanged)
            assert (changed.document, changed.attendee_id) == ("notes", alice.attendee_id)
            await hers.synced()
            await his.synced()
            synced = await of_bob.wait_for(DocumentSynced)
            assert synced == DocumentSynced("notes", is_alone=False)


async def test_a_late_joiner_gets_a_large_document_from_a_peer(hall: Hall) -> None:
    alice, bob = hall.session("alice"), hall.session("bob")
    content = random.Random(1).randbytes(100_000).hex()
    hers, his = SharedDocument(alice, "notes"), SharedDocument(bob, "notes")
    first, second = text(hers), text(his)
    first += content
    with anyio.fail_after(30):
        async with alice, hers:
            await hers.flush()
            async with bob, his:
                await his.synced()
                await his.wait_for(lambda: str(second) == content)


@pytest.mark.slow
async def test_who_comes_late_has_a_document_of_a_megabyte_within_the_rates_of_the_service() -> None:
    """Of text that does not compress well; `docs/guides/shared_state.md` says how long that takes."""
    alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ."
    content = "".join(random.Random(1).choices(alphabet, k=1 << 20))
    async with LocalServer(ServerConfiguration(port=0)) as server:
        hall = await to_thread.run_sync(Hall, server)
        alice, bob = hall.session("alice"), hall.session("bob")
        hers = SharedDocument(alice, "notes")
        text(hers).insert(0, content)
        with anyio.fail_after(50):
            async with alice, hers, EventRecorder(alice.hub, DataMessageThrottled) as throttled:
                await hers.flush()
                his = SharedDocument(bob, "notes")
                second = text(his)
                async with bob:
                    began = anyio.current_time()
                    async with his:
                        await his.synced()
                        await his.wait_for(lambda: len(second) == len(content))
                        took = anyio.current_time() - began
                        assert str(second) == content
                assert len(throttled) == 0
    assert took < 20


async def test_what_the_service_keeps_is_there_when_nobody_else_is(hall: Hall) -> None:
    alice, bob = hall.session("alice"), hall.session("bob")
    with anyio.fail_after(20):
        hers = SharedDocument(alice, "notes")
        async with alice, hers:
            first = text(hers)
            first += "kept"
            await hers.flush()
        his = SharedDocument(bob, "notes")
        second = text(his)
        async with bob, his:
            await his.wait_for(lambda: str(second) == "kept")


async def test_edits_made_while_away_merge_on_return(hall: Hall) -> None:
    alice, bob = hall.session("alice"), hall.session("bob")
    hers, his = SharedDocument(alice, "notes"), SharedDocument(bob, "notes")
    first, second = hers.get("list", type=Array), his.get("list", type=Array)
    with anyio.fail_after(20):
        async with alice, bob, hers, his:
            first.append("base")
            await his.wait_for(lambda: len(second) == 1)
            async with bob.events(MeetingReconnectScheduled) as lost:
                hall.control.refuse(4500, 3)
                hall.control.abort(bob.attendee_id)
                await anext(lost)
                second.append("away")
                first.append("here")
            await his.wait_for(lambda: len(second) == 3)
            await hers.wait_for(lambda: len(first) == 3)
            assert first.to_py() == second.to_py()


async def test_a_stored_document_is_there_after_a_restart(hall: Hall, tmp_path: Path) -> None:
    for expected in (0, 300, 600):
        session = hall.session("alice")
        store = SQLiteDocumentStore(tmp_path / "documents.sqlite", "notes")
        with anyio.fail_after(20):
            async with session, SharedDocument(session, f"notes{expected}", store=store) as notes:
                entries = notes.get("list", type=Array)
                assert len(entries) == expected
                for number in range(300):
                    entries.append(number)


async def test_presence_shows_the_latest_and_ends_with_its_attendee(hall: Hall) -> None:
    alice, bob = hall.session("alice"), hall.session("bob")
    hers, his = Presence(alice, "cursors"), Presence(bob, "cursors")
    with anyio.fail_after(20):
        async with alice, hers, EventRecorder(alice.hub) as seen:
            async with bob, his:
                for x in range(100):
                    his.update(x=x)
                hers.set({"hand": True})
                await hers.wait_for(lambda states: states.get(bob.attendee_id) == {"x": 99})
                await his.wait_for(lambda states: states == {alice.attendee_id: {"hand": True}})
                assert len(seen.of(PresenceChanged)) < 20
                with pytest.raises(LimitError, match="state"):
                    hers.set({"x": "y" * 2000})
                with pytest.raises(ConfigurationError, match="state"):
                    hers.set({"x": object()})
            await hers.wait_for(lambda states: not states)
            assert seen.of(PresenceChanged)[-1] == PresenceChanged("cursors", bob.attendee_id, None)


async def test_a_document_shows_who_has_it_open(hall: Hall) -> None:
    alice, bob = hall.session("alice"), hall.session("bob")
    hers, his = SharedDocument(alice, "notes"), SharedDocument(bob, "notes")
    with anyio.fail_after(20):
        async with alice, hers:
            hers.presence.set({"name": "Alice"})
            async with bob, his:
                await his.presence.wait_for(lambda states: states == {alice.attendee_id: {"name": "Alice"}})


async def test_a_shared_map_has_the_same_everywhere(hall: Hall) -> None:
    alice, bob = hall.session("alice"), hall.session("bob")
    hers, his = SharedDocument(alice, "votes"), SharedDocument(bob, "votes")
    with anyio.fail_after(20):
        async with alice, bob, hers, his:
            first, second = SharedMap(hers), SharedMap(his)
            first["pizza"] = {"votes": [1]}
            second["bread"] = 2
            first["same"] = "alice"
            second["same"] = "bob"
            await hers.wait_for(lambda: len(first) == 3)
            await his.wait_for(lambda: len(second) == 3)
            assert list(first) == list(second) == ["bread", "pizza", "same"]
            assert dict(first) == dict(second)
            assert second["pizza"] == {"votes": [1]}
            del second["pizza"]
            await hers.wait_for(lambda: "pizza" not in first)


async def test_a_call_has_a_result_or_an_error_with_a_name(hall: Hall) -> None:
    alice, bob = hall.session("alice"), hall.session("bob")
    hers, his = Calls(alice), Calls(bob, max_running=1)
    entered, cancelled = anyio.Event(), anyio.Event()

    @his.method()
    async def add(caller: str, payload: Any) -> Any:
        assert caller == alice.attendee_id
        return payload["a"] + payload["b"]

    @his.method("length")
    def _(caller: str, payload: Any) -> int:
        return len(payload)

    @his.method()
    def broken(caller: str, payload: Any) -> None:
        raise KeyError("secret")

    @his.method()
    async def forever(caller: str, payload: Any) -> None:
        entered.set()
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()

    with pytest.raises(ConfigurationError):
        his.method("add")(add)
    with pytest.raises(UsageError):
        await hers.call("x", "add")
    with anyio.fail_after(30):
        async with alice, hers:
            async with bob, his:
                to = bob.attendee_id
                assert await hers.call(to, "add", {"a": 1, "b": 2}) == 3
                assert await hers.call(to, "length", "x" * 50_000) == 50_000
                with pytest.raises(CallFailedError) as failed:
                    await hers.call(to, "broken")
                assert failed.value.problem == "KeyError"
                with pytest.raises(MethodNotFoundError, match="nothing"):
                    await hers.call(to, "nothing")
                with pytest.raises(ConfigurationError, match="payload"):
                    await hers.call(to, "add", object())
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(hers.call, to, "forever")
                    await entered.wait()
                    with pytest.raises(CalleeBusyError):
                        await hers.call(to, "add", {"a": 1, "b": 2})
                    tasks.cancel_scope.cancel()
                await cancelled.wait()
                with pytest.raises(CallTimeoutError):
                    await hers.call(to, "forever", timeout=0.2)
                entered = anyio.Event()

            async def leave() -> None:
                await entered.wait()
                carol.stop()

            carol = hall.session("carol")
            theirs = Calls(carol)
            theirs.method()(forever)
            async with carol, theirs, anyio.create_task_group() as tasks:
                tasks.start_soon(leave)
                with pytest.raises(CalleeLeftError):
                    await hers.call(carol.attendee_id, "forever")


async def test_waiting_ends_with_the_session_or_in_time(hall: Hall) -> None:
    alice = hall.session("alice")
    notes, calls = SharedDocument(alice, "notes"), Calls(alice)
    with anyio.fail_after(20):
        async with alice, notes, calls:
            with pytest.raises(WaitTimeoutError):
                await notes.wait_for(lambda: False, timeout=0.01)
            with pytest.raises(UsageError):
                await notes.__aenter__()
            alice.stop()
            await alice.wait_stopped()
            with pytest.raises(SessionClosedError):
                await notes.wait_for(lambda: False)
            with pytest.raises(SessionClosedError):
                await calls.call("nobody", "x")


@pytest.mark.slow
async def test_twenty_five_who_write_at_once_agree_within_the_rates_of_the_service() -> None:
    with anyio.fail_after(50):
        async with LocalServer(ServerConfiguration(port=0)) as server, AsyncExitStack() as stack:
            hall = await to_thread.run_sync(Hall, server)
            documents = []
            for number in range(25):
                session = await to_thread.run_sync(hall.session, f"writer{number}")
                documents.append(SharedDocument(session, "notes"))
                await stack.enter_async_context(session)
                await stack.enter_async_context(documents[-1])
            lists = [document.get("list", type=Array) for document in documents]
            for turn in range(40):
                for number, entries in enumerate(lists):
                    entries.append(f"{number} {turn}")
                await anyio.lowlevel.checkpoint()
            for document, entries in zip(documents, lists, strict=True):
                await document.wait_for(lambda entries=entries: len(entries) == 1000)  # type: ignore[misc]
            assert len({str(entries.to_py()) for entries in lists}) == 1


async def test_what_is_raised_in_the_block_comes_out_as_it_is_and_a_cancelled_block_ends(hall: Hall) -> None:
    alice = hall.session("alice")
    with anyio.fail_after(20):
        async with alice:
            with pytest.raises(KeyError):
                async with SharedDocument(alice, "notes"), Presence(alice, "hands"), Calls(alice):
                    raise KeyError("mine")
            with anyio.CancelScope() as scope:
                async with SharedDocument(alice, "more"), Presence(alice, "more-hands"), Calls(alice, "more-calls"):
                    scope.cancel()
                    await anyio.sleep_forever()
            assert scope.cancelled_caught
            assert alice.is_joined
