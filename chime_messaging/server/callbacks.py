"""What the server calls: stand-ins for the Lambda functions of channel flows and for the Lex bots of app instances.

A processor is registered for the ARN that the API calls name: a function in this process, or the URL of an HTTP
endpoint. Invocations follow the commit that asked for them. A message in a flow is in the database until there is a
verdict, so its processor is invoked at least once, also after a restart; a bot is asked once.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from chime_messaging.errors import ConfigurationError
from chime_messaging.server import faults
from chime_messaging.server.faults import Fault
from chime_messaging.server.messaging import flow_runs
from chime_messaging.server.messaging.bot_replies import InvalidReplyError, post_error, post_reply
from chime_messaging.server.messaging.bots import Request, welcome_request
from chime_messaging.server.messaging.flows import take_verdict
from chime_messaging.server.notices import Invoke, Join, Notice
from chime_messaging.server.rest.constraints import Check, compile_check, invalid
from chime_messaging.server.rest.model import service_model
from chime_messaging.server.store.database import Database, Transaction
from chime_messaging.server.store.flows import FlowRun, find_run, pending_runs

Function = Callable[[dict[str, Any]], Any | Awaitable[Any]]
Processor = Function | str

MAX_QUEUED = 4096
MAX_CONCURRENT = 32
_MAX_ANSWER_BYTES = 256 * 1024
_PAGE = 256
_RETRY = 1.0
_REMEMBERED = 4 * MAX_QUEUED

_log = logging.getLogger(__name__)


class InvocationError(Exception):
    """A processor could not be invoked; the text is shown to the sender and names no URL."""


class ProcessorRegistry:
    """Which function or URL stands in for which ARN. May be changed at any time, from any thread.

    Args:
        processors: what to begin with, as pairs for `register`.
    """

    def __init__(self, processors: Iterable[tuple[str, Processor]] = ()) -> None:
        self._processors: dict[str, Processor] = {}
        self._watchers: list[Callable[[], object]] = []
        for arn, processor in processors:
            self.register(arn, processor)

    def register(self, arn: str, processor: Processor) -> None:
        """Have `processor` called for a Lambda function, or for a Lex bot alias or app instance bot.

        Args:
            arn: of the Lambda function as CreateChannelFlow names it, of the Lex bot alias as CreateAppInstanceBot
                names it, or of the AppInstanceBot itself.
            processor: an ``http://`` or ``https://`` URL that gets the event by POST and has accepted it when it
                answers 2xx; or a function, async or not (then called in a thread), that is given the event as a dict.
                A flow's processor gives its verdict by ChannelFlowCallback; a function may return the parameters of
                that call instead (``{}`` lets the message pass, ``{"DeleteResource": True}`` denies it), or None.
                A bot's answers what Lex would: ``{"messages": [{"content", "contentType"}]}``, or just text.

        Raises:
            ConfigurationError: if `processor` is neither.
        """
        if isinstance(processor, str):
            url = httpx.URL(processor)
            if url.scheme not in ("http", "https") or not url.host:
                raise ConfigurationError("processor", "is neither a function nor an http or https URL")
        elif not callable(processor):
            raise ConfigurationError("processor", "is neither a function nor an http or https URL")
        self._processors[arn] = processor
        for changed in tuple(self._watchers):
            changed()

    def unregister(self, arn: str) -> None:
        """Forget what was registered for an ARN, if anything was."""
        self._processors.pop(arn, None)

    def watch(self, changed: Callable[[], object]) -> Callable[[], None]:
        """Have `changed` called after each registration, in the thread that registers; call the result to end that."""
        self._watchers.append(changed)
        return lambda: self._watchers.remove(changed)

    def find(self, *arns: str) -> Processor | None:
        """Look up the first of some ARNs that something is registered for."""
        return next((self._processors[arn] for arn in arns if arn in self._processors), None)


class CallbackRunner:
    """Calls processors and bots for the notices of committed transactions, as ``async with CallbackRunner(...)``.

    Args:
        database: where verdicts and answers go; must be open for longer than the runner.
        processors: what stands in for which ARN.
        timeout: seconds that one invocation may take.
        queue_limit: invocations that may wait.
    """

    def __init__(
        self,
        database: Database,
        processors: ProcessorRegistry,
        *,
        timeout: float = 10.0,
        queue_limit: int = MAX_QUEUED,
    ) -> None:
        self.processors = processors
        self.dropped = 0
        """Bot invocations that found the queue full."""
        self.undelivered: deque[Invoke] = deque(maxlen=256)
        """The latest bot invocations that nothing was registered for."""
        self._database = database
        self._timeout = timeout
        self._queue: asyncio.Queue[Invoke | Join] = asyncio.Queue(queue_limit)
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._reload = asyncio.Event()
        self._unwatch: Callable[[], None] | None = None
        self._newest_old = -1
        self._slots = asyncio.Semaphore(MAX_CONCURRENT)
        self._client: httpx.AsyncClient | None = None
        self._client_lock = asyncio.Lock()
        # Threads of their own: a function that hangs must not hold up whatever else the loop runs in threads.
        self._threads = ThreadPoolExecutor(MAX_CONCURRENT, thread_name_prefix="chime-processor")
        self._owner: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._unwatch = self.processors.watch(lambda: loop.call_soon_threadsafe(self._reload.set))
        self._reload.set()
        self._owner = asyncio.create_task(self._run(), name="chime-callbacks")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._unwatch is not None:
            self._unwatch()
        if self._owner is not None:
            self._owner.cancel()
            await asyncio.wait([self._owner])
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            await self._client.aclose()

    def apply(self, notice: Notice) -> None:
        """Take note of what a commit wants called. On the event loop, never waits; ignores other notices."""
        if not isinstance(notice, Invoke) and not (isinstance(notice, Join) and "/bot/" in notice.user_arn):
            return
        try:
            self._queue.put_nowait(notice)
        except asyncio.QueueFull:
            if isinstance(notice, Invoke) and notice.callback_id:
                self._reload.set()  # it is in the database, and read from there when there is room
            else:
                self.dropped += 1
        else:
            self._see(notice)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read_pending())
            while True:
                notice = await self._queue.get()
                await self._slots.acquire()
                tasks.create_task(self._handle(notice))

    async def _read_pending(self) -> None:
        """Queue what the database still waits for: after the start, a registration, and an overflow of the queue.

        What an earlier run of the server left behind waits for its processor to be registered; only what is new fails
        without one.
        """
        starting = True
        while True:
            await self._reload.wait()
            self._reload.clear()
            try:
                await self._queue_pending(starting=starting)
                starting = False
            except Exception:
                _log.exception("pending messages cannot be read; another try in %g s", _RETRY)
                await asyncio.sleep(_RETRY)
                self._reload.set()

    async def _queue_pending(self, *, starting: bool) -> None:
        after = -1
        while runs := await self._database.run(partial(_page_of_runs, after=after)):
            after = runs[-1].created
            if starting:
                self._newest_old = after
            for run in runs:
                if run.callback_id not in self._seen and not self._must_wait(run):
                    notice = Invoke(run.processor_arn, run.payload.encode(), run.callback_id)
                    self._see(notice)
                    await self._queue.put(notice)

    def _must_wait(self, run: FlowRun) -> bool:
        return run.created <= self._newest_old and self.processors.find(run.processor_arn) is None

    def _see(self, notice: Invoke | Join) -> None:
        if isinstance(notice, Invoke) and notice.callback_id:
            self._seen[notice.callback_id] = None
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)

    async def _handle(self, notice: Invoke | Join) -> None:
        try:
            if isinstance(notice, Join):
                await self._welcome(notice)
            elif notice.callback_id:
                await self._run_processor(notice)
            else:
                await self._ask_bot(notice)
        except Exception:
            _log.exception("a callback could not be carried out")
        finally:
            self._slots.release()

    async def _run_processor(self, notice: Invoke) -> None:
        """Invoke a flow's processor; its FallbackAction decides if that fails."""
        try:
            processor = self.processors.find(notice.arn)
            if processor is None:
                raise InvocationError(f"No processor is registered for {notice.arn}.")
            answer = await self._call(processor, notice.payload, wants_answer=False)
            if answer is not None:
                await self._database.run(partial(_take_answer, payload=notice.payload, answer=answer))
        except (InvocationError, Fault) as error:
            if isinstance(error, Fault):
                _log.warning("the verdict of %s cannot be taken: %s", notice.arn, error.message)
            detail = error.message if isinstance(error, Fault) else str(error)
            await self._database.run(partial(flow_runs.fail, callback_id=notice.callback_id, detail=detail))

    async def _welcome(self, notice: Join) -> None:
        payload = await self._database.run(lambda tx: welcome_request(tx, bot_arn=notice.user_arn, group=notice.group))
        if payload is not None:
            await self._ask_bot(Invoke(notice.user_arn, payload))

    async def _ask_bot(self, notice: Invoke) -> None:
        """Hand a message to what stands in for a bot, and post the answer."""
        request = msgspec.json.decode(notice.payload, type=Request)
        processor = self.processors.find(notice.arn, request.bot_alias_arn)
        if processor is None:
            _log.info("nothing is registered for bot %s (%s)", notice.arn, request.bot_alias_arn)
            self.undelivered.append(notice)
            return
        try:
            answer = await self._call(processor, notice.payload, wants_answer=True)
            await self._database.run(lambda tx: post_reply(tx, request, answer))
        except (InvocationError, InvalidReplyError) as error:
            _log.warning("bot %s: %s", notice.arn, error)
            code = "InternalServerException" if isinstance(error, InvocationError) else "BadGatewayException"
            await self._database.run(lambda tx: post_error(tx, request, code))

    async def _call(self, processor: Processor, payload: bytes, *, wants_answer: bool) -> Any:
        """Invoke a function or post to a URL.

        Raises:
            InvocationError: if it raises, refuses, or takes too long.
        """
        try:
            if isinstance(processor, str):
                client = await self._http()
                async with asyncio.timeout(self._timeout):
                    return await _post(client, processor, payload, wants_answer=wants_answer)
            async with asyncio.timeout(self._timeout):
                return await self._call_function(processor, msgspec.json.decode(payload))
        except InvocationError:
            raise
        except TimeoutError as error:
            raise InvocationError(f"The processor took more than {self._timeout:g} s.") from error
        except Exception as error:
            _log.warning("a processor failed", exc_info=error)
            raise InvocationError(f"The processor failed: {type(error).__name__}.") from error

    async def _call_function(self, function: Function, event: dict[str, Any]) -> Any:
        if inspect.iscoroutinefunction(function):
            return await function(event)
        answer = await asyncio.get_running_loop().run_in_executor(self._threads, function, event)
        return await answer if inspect.isawaitable(answer) else answer

    async def _http(self) -> httpx.AsyncClient:
        """Return the HTTP client; the first one made, in a thread, as reading the certificates takes a while."""
        async with self._client_lock:
            if self._client is None:
                self._client = await asyncio.to_thread(_open_client, self._timeout)
            return self._client


def _open_client(timeout: float) -> httpx.AsyncClient:
    # Never through a proxy of the environment: processors are local.
    return httpx.AsyncClient(timeout=timeout, trust_env=False)


async def _post(client: httpx.AsyncClient, url: str, payload: bytes, *, wants_answer: bool) -> Any:
    headers = {"content-type": "application/json"}
    async with client.stream("POST", url, content=payload, headers=headers) as response:
        if not response.is_success:
            raise InvocationError(f"The processor answered with status {response.status_code}.")
        if not wants_answer:
            return None
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _MAX_ANSWER_BYTES:
                raise InvocationError(f"The processor answered more than {_MAX_ANSWER_BYTES} bytes.")
    return msgspec.json.decode(bytes(body)) if body else None


def _page_of_runs(tx: Transaction, after: int) -> list[FlowRun]:
    return pending_runs(tx, after, _PAGE)


def _take_answer(tx: Transaction, payload: bytes, answer: object) -> None:
    """Carry out the verdict that a function returned, unless it made its callback itself.

    Raises:
        Fault: BadRequestException if it is no verdict.
    """
    event = msgspec.json.decode(payload)
    message = event["ChannelMessage"]
    edits = answer.get("ChannelMessage", {}) if isinstance(answer, Mapping) else None
    if not isinstance(answer, Mapping) or not isinstance(edits, Mapping):
        raise faults.bad_request("A processor returns the parameters of ChannelFlowCallback, or nothing.")
    violations: list[str] = []
    given = {"MessageId": message["MessageId"], **edits}
    edited = _check_verdict()(given, "channelMessage", violations)
    if violations:
        raise invalid(violations)
    run = find_run(tx, event["CallbackId"])
    if run is not None and run.state == "PENDING":
        verdict = {"CallbackId": event["CallbackId"], "ChannelArn": message["ChannelArn"], "ChannelMessage": edited}
        take_verdict(tx, {**verdict, "DeleteResource": answer.get("DeleteResource") is True})


@cache
def _check_verdict() -> Check:
    return compile_check(service_model("messaging").shape_for("ChannelMessageCallback"))
