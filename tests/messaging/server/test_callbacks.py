import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest

from chime_messaging.errors import ConfigurationError
from chime_messaging.server.callbacks import CallbackRunner, Processor, ProcessorRegistry
from chime_messaging.server.notices import Deliver, Join, Notice
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.flows import pending_runs
from tests.messaging.server.messaging.chat import Chat, Seen, draft, read_event

LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:moderate"
PATIENCE = 10.0


class Endpoint:
    """A processor behind HTTP."""

    def __init__(self) -> None:
        self.status, self.answer = 200, b""
        self.requests: list[dict[str, Any]] = []
        self.asked = threading.Event()
        self.hang = threading.Event()
        self.hang.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.requests.append(msgspec.json.decode(body))
                outer.asked.set()
                outer.hang.wait(PATIENCE)
                self.send_response(outer.status)
                self.send_header("content-length", str(len(outer.answer)))
                self.end_headers()
                self.wfile.write(outer.answer)

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))

    def __enter__(self) -> "Endpoint":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hang.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Stage:
    """A channel with a flow and a bot, and the runner that serves both."""

    def __init__(self, chat: Chat, fallback: str = "ABORT") -> None:
        self.chat = chat
        self.ada, self.admin = chat.user("Ada"), chat.user("Admin", admin=True)
        self.bot = chat.bot("Helper", WelcomeIntent="Welcome")
        self.alias = "arn:aws:lex:us-east-1:123456789012:bot-alias/Helper/1"
        self.talk = chat.channel(self.ada, self.bot, name="talk")
        self.channel = chat.channel(self.ada, name="moderated")
        processor = {
            "Name": "p",
            "Configuration": {"Lambda": {"ResourceArn": LAMBDA, "InvocationType": "ASYNC"}},
            "ExecutionOrder": 1,
            "FallbackAction": fallback,
        }
        params = {"AppInstanceArn": chat.instance, "Name": "flow", "Processors": [processor]}
        flow = chat.call("CreateChannelFlow", **params)["ChannelFlowArn"]
        chat.call("AssociateChannelFlow", self.admin, ChannelArn=self.channel, ChannelFlowArn=flow)
        self.processors = ProcessorRegistry()
        self.seen: asyncio.Queue[Seen] = asyncio.Queue()
        chat.listeners.append(self.take)

    def take(self, notice: Notice) -> None:
        if isinstance(notice, Deliver):
            self.seen.put_nowait(read_event(notice))

    def play(self, scene: Callable[[CallbackRunner], Awaitable[None]], **options: Any) -> None:
        async def main() -> None:
            async with CallbackRunner(self.chat.database, self.processors, **options) as runner:
                self.chat.listeners.append(runner.apply)
                try:
                    async with asyncio.timeout(PATIENCE):
                        await scene(runner)
                finally:
                    self.chat.listeners.remove(runner.apply)

        self.chat.run(main())

    async def send(self, channel: str, content: str = "hello", **params: Any) -> str:
        call = self.chat.perform("SendChannelMessage", self.ada, **draft(channel, content, **params))
        return str((await self.chat.database.run(call))["MessageId"])

    async def next(self) -> Seen:
        return await self.seen.get()


@pytest.fixture
def chat() -> Iterator[Chat]:
    with Chat() as opened:
        yield opened


@pytest.fixture
def stage(chat: Chat) -> Stage:
    return Stage(chat)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as opened:
        yield opened


async def asynchronous(event: dict[str, Any]) -> dict[str, Any]:
    return {"ChannelMessage": {"Content": event["ChannelMessage"]["Content"].upper()}}


def blocking(event: dict[str, Any]) -> dict[str, Any]:
    return {"ChannelMessage": {"Content": event["ChannelMessage"]["Content"].upper()}}


def wrapped(event: dict[str, Any]) -> Awaitable[dict[str, Any]]:
    return asynchronous(event)


@pytest.mark.parametrize("processor", [asynchronous, blocking, wrapped])
def test_a_function_may_return_its_verdict(stage: Stage, processor: Processor) -> None:
    stage.processors.register(LAMBDA, processor)

    async def scene(runner: CallbackRunner) -> None:
        await stage.send(stage.channel)
        assert (await stage.next()).type == "PENDING_CREATE_CHANNEL_MESSAGE"
        event = await stage.next()
        assert (event.type, event.payload["Content"]) == ("CREATE_CHANNEL_MESSAGE", "HELLO")

    stage.play(scene)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({}, "CREATE_CHANNEL_MESSAGE"),
        ({"DeleteResource": True}, "DENIED_CREATE_CHANNEL_MESSAGE"),
        ({"ChannelMessage": {"Content": "x" * 4097}}, "FAILED_CREATE_CHANNEL_MESSAGE"),
        ({"ChannelMessage": {"Content": 5}}, "FAILED_CREATE_CHANNEL_MESSAGE"),
        ({"ChannelMessage": {"MessageId": "other"}}, "FAILED_CREATE_CHANNEL_MESSAGE"),
        ({"ChannelMessage": "x"}, "FAILED_CREATE_CHANNEL_MESSAGE"),
        ({"ChannelMessage": None}, "FAILED_CREATE_CHANNEL_MESSAGE"),
        ({"ChannelMessage": {"Unknown": 5}}, "CREATE_CHANNEL_MESSAGE"),
        ("yes", "FAILED_CREATE_CHANNEL_MESSAGE"),
    ],
)
def test_what_is_returned_decides_or_counts_as_failure(stage: Stage, answer: object, expected: str) -> None:
    stage.processors.register(LAMBDA, lambda event: answer)

    async def scene(runner: CallbackRunner) -> None:
        await stage.send(stage.channel)
        assert [(await stage.next()).type for _ in range(2)] == ["PENDING_CREATE_CHANNEL_MESSAGE", expected]

    stage.play(scene)


def test_a_function_may_make_its_callback_by_the_api(stage: Stage, chat: Chat) -> None:
    async def processor(event: dict[str, Any]) -> None:
        message = {"MessageId": event["ChannelMessage"]["MessageId"], "Metadata": "checked"}
        of_channel = {"ChannelArn": event["ChannelMessage"]["ChannelArn"], "CallbackId": event["CallbackId"]}
        await chat.database.run(chat.perform("ChannelFlowCallback", None, **of_channel, ChannelMessage=message))

    stage.processors.register(LAMBDA, processor)

    async def scene(runner: CallbackRunner) -> None:
        await stage.send(stage.channel)
        await stage.next()
        event = await stage.next()
        assert (event.type, event.payload["Metadata"]) == ("CREATE_CHANNEL_MESSAGE", "checked")

    stage.play(scene)


async def broken(event: dict[str, Any]) -> None:
    raise ValueError("secret")


async def endless(event: dict[str, Any]) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("processor", "detail"),
    [
        (None, f"No processor is registered for {LAMBDA}."),
        (broken, "The processor failed: ValueError."),
        (endless, "The processor took more than 0.05 s."),
        ("http://127.0.0.1:9/", "The processor failed: ConnectError."),
    ],
)
@pytest.mark.parametrize("fallback", ["ABORT", "CONTINUE"])
def test_the_fallback_decides_when_the_processor_cannot_be_invoked(
    chat: Chat, processor: Processor | None, detail: str, fallback: str
) -> None:
    stage = Stage(chat, fallback)
    if processor is not None:
        stage.processors.register(LAMBDA, processor)

    async def scene(runner: CallbackRunner) -> None:
        await stage.send(stage.channel)
        await stage.next()
        event = await stage.next()
        if fallback == "ABORT":
            assert event.type == "FAILED_CREATE_CHANNEL_MESSAGE"
            assert event.payload["Status"] == {"Value": "FAILED", "Detail": detail}
        else:
            assert (event.type, event.payload["Status"]) == ("CREATE_CHANNEL_MESSAGE", {"Value": "SENT"})

    stage.play(scene, timeout=0.05)


def test_an_http_processor_is_handed_the_event_and_decides_by_callback(
    chat: Chat, stage: Stage, endpoint: Endpoint
) -> None:
    endpoint.answer = b'{"DeleteResource": true}'  # an asynchronous invocation's answer means nothing
    stage.processors.register(LAMBDA, endpoint.url)
    endpoint.hang.clear()

    async def scene(runner: CallbackRunner) -> None:
        message = await stage.send(stage.channel)
        assert (await stage.next()).type == "PENDING_CREATE_CHANNEL_MESSAGE"
        assert await asyncio.to_thread(endpoint.asked.wait, PATIENCE)
        endpoint.hang.set()
        (run,) = await chat.database.run(lambda tx: pending_runs(tx, 0, 10))
        params = {"ChannelArn": stage.channel, "CallbackId": run.callback_id}
        call = chat.perform("ChannelFlowCallback", None, **params, ChannelMessage={"MessageId": message})
        await chat.database.run(call)
        assert (await stage.next()).type == "CREATE_CHANNEL_MESSAGE"

    stage.play(scene)
    assert endpoint.requests[0]["EventType"] == "CHANNEL_MESSAGE_EVENT"
    assert stage.seen.empty()


@pytest.mark.parametrize("status", [302, 404, 500])
def test_an_http_processor_that_does_not_accept_has_failed(stage: Stage, endpoint: Endpoint, status: int) -> None:
    endpoint.status = status
    stage.processors.register(LAMBDA, endpoint.url)

    async def scene(runner: CallbackRunner) -> None:
        await stage.send(stage.channel)
        await stage.next()
        event = await stage.next()
        assert event.type == "FAILED_CREATE_CHANNEL_MESSAGE"
        assert event.payload["Status"]["Detail"] == f"The processor answered with status {status}."

    stage.play(scene)


def test_messages_left_pending_are_handed_over_again_after_a_restart(stage: Stage) -> None:
    handed: list[str] = []

    async def silent(event: dict[str, Any]) -> None:
        handed.append(event["CallbackId"])
        taken.set()

    taken = asyncio.Event()
    stage.processors.register(LAMBDA, silent)

    async def before(runner: CallbackRunner) -> None:
        await stage.send(stage.channel)
        await taken.wait()

    stage.play(before)
    stage.processors.register(LAMBDA, asynchronous)

    async def after(runner: CallbackRunner) -> None:
        while (await stage.next()).type != "CREATE_CHANNEL_MESSAGE":
            pass

    stage.play(after)
    assert len(handed) == 1


def test_what_finds_the_queue_full_is_read_from_the_database(stage: Stage) -> None:
    gate = asyncio.Event()
    handed: list[str] = []

    async def slow(event: dict[str, Any]) -> dict[str, Any]:
        handed.append(event["ChannelMessage"]["MessageId"])
        await gate.wait()
        return {}

    stage.processors.register(LAMBDA, slow)

    async def scene(runner: CallbackRunner) -> None:
        sent = [await stage.send(stage.channel, str(number)) for number in range(60)]
        gate.set()
        types: list[str] = []
        while types.count("CREATE_CHANNEL_MESSAGE") < len(sent):
            types.append((await stage.next()).type)
        assert sorted(handed) == sorted(sent)

    stage.play(scene, queue_limit=1)


@pytest.mark.parametrize("name", ["alias", "bot"])
def test_a_bots_answer_is_posted(stage: Stage, name: str) -> None:
    stage.processors.register(getattr(stage, name), lambda request: f"you said {request['text']}")

    async def scene(runner: CallbackRunner) -> None:
        await stage.send(stage.talk)
        assert (await stage.next()).payload["Sender"]["Name"] == "Ada"
        event = await stage.next()
        assert event.payload["Sender"] == {"Arn": stage.bot, "Name": "Helper"}
        content = msgspec.json.decode(event.payload["Content"])
        assert content == {"Messages": [{"Content": "you said hello", "ContentType": "PlainText"}]}

    stage.play(scene)


def test_a_bot_behind_http_answers_in_the_body(stage: Stage, endpoint: Endpoint) -> None:
    endpoint.answer = b'{"messages": [{"content": "hi", "contentType": "PlainText"}]}'
    stage.processors.register(stage.alias, endpoint.url)

    async def scene(runner: CallbackRunner) -> None:
        await stage.send(stage.talk)
        await stage.next()
        event = await stage.next()
        assert event.payload["ContentType"] == "application/amz-chime-lex-msgs"

    stage.play(scene)
    assert endpoint.requests[0]["text"] == "hello"


@pytest.mark.parametrize(
    ("answer", "code"),
    [(b"not json", "InternalServerException"), (b"[1]", "BadGatewayException"), (b"x" * 300_000, None)],
)
def test_a_bot_that_fails_says_so(stage: Stage, endpoint: Endpoint, answer: bytes, code: str | None) -> None:
    endpoint.answer = answer
    stage.processors.register(stage.alias, endpoint.url)

    async def scene(runner: CallbackRunner) -> None:
        await stage.send(stage.talk)
        await stage.next()
        event = await stage.next()
        assert event.payload["ContentType"] == "application/amz-chime-lex-error"
        assert msgspec.json.decode(event.payload["Content"]) == {"Code": code or "InternalServerException"}

    stage.play(scene)


def test_a_bot_nobody_stands_in_for_is_noted(stage: Stage) -> None:
    async def scene(runner: CallbackRunner) -> None:
        await stage.send(stage.talk, "to nobody")
        while not runner.undelivered:  # noqa: ASYNC110 - nobody is told, that is the point
            await asyncio.sleep(0)
        assert runner.undelivered[0].arn == stage.bot
        assert b"to nobody" in runner.undelivered[0].payload

    stage.play(scene)


def test_a_bot_that_joins_welcomes(chat: Chat, stage: Stage) -> None:
    stage.processors.register(stage.bot, lambda request: request["sessionState"]["intent"]["name"])

    async def scene(runner: CallbackRunner) -> None:
        def join(tx: Transaction) -> None:
            tx.notify(Join(stage.bot, stage.talk))
            tx.notify(Join(stage.ada, stage.talk))

        await chat.database.run(join)
        event = await stage.next()
        assert msgspec.json.decode(event.payload["Content"])["Messages"][0]["Content"] == "Welcome"

    stage.play(scene)
    assert stage.seen.empty()


def test_bots_that_find_the_queue_full_are_counted(stage: Stage) -> None:
    gate, entered = asyncio.Event(), asyncio.Event()

    async def slow(request: dict[str, Any]) -> None:
        entered.set()
        await gate.wait()

    stage.processors.register(stage.bot, slow)

    async def scene(runner: CallbackRunner) -> None:
        for _ in range(60):
            await stage.send(stage.talk)
        await entered.wait()
        assert runner.dropped > 0
        gate.set()

    stage.play(scene, queue_limit=1)


@pytest.mark.parametrize("processor", ["ftp://example.com/", "/tmp/socket", "http://", 5])
def test_only_functions_and_http_urls_are_registered(processor: Any) -> None:
    with pytest.raises(ConfigurationError, match="processor"):
        ProcessorRegistry().register(LAMBDA, processor)


def test_a_registry_begins_with_what_it_is_given_and_forgets_on_request() -> None:
    registry = ProcessorRegistry([(LAMBDA, "http://127.0.0.1:1/")])
    assert registry.find("other", LAMBDA) == "http://127.0.0.1:1/"
    registry.unregister(LAMBDA)
    registry.unregister(LAMBDA)
    assert registry.find(LAMBDA) is None
