"""Every Python block of the guides runs against a local server, and prints what its page says that it prints."""

import ast
import builtins
import inspect
import types
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from chime_media.server.local_server import LocalMeetingServer
from chime_messaging import MessagingSession, MessagingSessionConfiguration
from chime_messaging.server import LocalServer, ServerConfiguration
from tests.docs.pages import DOCS, Block, blocks

GUIDES = [page for page in sorted(DOCS.rglob("*.md")) if "_build" not in page.parts and blocks(page, "python")]
pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def chime() -> Iterator[LocalServer]:
    with LocalMeetingServer(ServerConfiguration(port=0, quotas=False)) as server:
        yield server


class Stage:
    """What the guides take for granted: Alice, Bob, a channel of theirs, and Alice's session."""

    def __init__(self, server: LocalServer) -> None:
        self.server = server
        self.printed: list[str] = []
        self.has_printed = anyio.Event()
        self.names: dict[str, Any] = {
            "print": self.print,
            "__name__": "guide",
            "__builtins__": builtins,
        }

    def print(self, *values: object, **options: object) -> None:
        self.printed.append(" ".join(map(str, values)))
        self.has_printed.set()

    @asynccontextmanager
    async def set(self) -> AsyncIterator[None]:
        """Give the names of one block: the page's own, and a fresh session and channel."""
        client = self.server.client("chime-sdk-messaging")
        alice, bob = await self.server.create_user("Alice"), await self.server.create_user("Bob")
        configuration = MessagingSessionConfiguration(alice, chime_client=client, reconnect_short_backoff=0.01)
        async with MessagingSession(configuration) as session:
            channel = await session.channels.create("general", members=[bob])
            self.names |= {
                "alice": alice,
                "bob": bob,
                "client": client,
                "server": self.server,
                "session": session,
                "channel": channel,
                "configuration": configuration,
            }
            yield

    async def run(self, block: Block) -> None:
        code = compile(
            "\n" * (block.line - 1) + block.code,
            str(block.page),
            "exec",
            flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
            dont_inherit=True,
        )
        run: Callable[[], Any] = types.FunctionType(code, self.names)
        if not block.endless:
            result = run()
            if inspect.isawaitable(result):
                await result
            return
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            tasks.start_soon(self._talk, self.names["channel"])
            await self.has_printed.wait()
            tasks.cancel_scope.cancel()

    async def _talk(self, channel: Any) -> None:
        while True:
            await channel.send("something new")


EXPECTED = {
    "bots.md": ["/light <room> [on] - Switch a light.", "one of 20"],
    "channels.md": ["Pizza at twelve?", "True", "first", "True", "kitchen", "general"],
    "messaging_sessions.md": ["State.ESTABLISHED", "1005 None", "content 5000 4096"],
    "testing_your_app.md": ["hello", "said while Alice was away", "403 ForbiddenException", "0"],
    "data_messages.md": [
        "alice {'text': 'good morning'} 20",
        "data 3000 2048",
        "Coffee? Yes.",
        "we begin",
        "MEETING_ENDED MeetingEndedError",
        "100",
    ],
    "meetings.md": [
        "joined: True",
        "muted: True",
        "unmuted: False",
        "heard: int16 (960,)",
        "speaking: alice",
        "known: ['alice', 'bob']",
        "seen: 320 180",
        "paused: True",
        "shared: True",
        "packets a second: True",
        "observer: started",
        "observer: tile 1",
        "recorded: True",
    ],
    "shared_state.md": ["hello from both", "2 votes for pizza", "raised: ['alice']", "3", "MethodNotFoundError"],
    "channel_flows_bots_and_streaming.md": [
        "PENDING darn rain",
        "MessageCreateDenied",
        "application/amz-chime-lex-msgs",
        "CREATE_CHANNEL_MESSAGE for the record",
    ],
}


@pytest.mark.parametrize(
    "anyio_backend", ["asyncio"]
)  # some blocks call boto3 directly, and top-level await is one loop's
@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
async def test_blocks_of_a_guide_run(
    page: Path, chime: LocalServer, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> None:
    for name, value in chime.environment.items():
        monkeypatch.setenv(name, value)
    stage = Stage(chime)
    with anyio.fail_after(50):
        for block in blocks(page, "python"):
            stage.has_printed = anyio.Event()
            async with stage.set():
                try:
                    await stage.run(block)
                except Exception as error:
                    raise AssertionError(f"{block}: {type(error).__name__}: {error}") from error
    for expected in EXPECTED.get(page.name, []):
        assert any(expected in line for line in stage.printed), (expected, stage.printed)


def test_every_guide_that_promises_output_is_checked() -> None:
    assert EXPECTED.keys() <= {page.name for page in GUIDES}
