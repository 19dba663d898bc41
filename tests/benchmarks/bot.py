"""A bot under load: each message answered once, in order, and how fast. Run: python bot.py.

50 people say 200 messages a second in 10 channels of a local server with its database in a file. On the way the server
is ended and started again, and then the bot is killed (SIGKILL) and started again. At the end the history is read: each
message must have one answer, and the answers of a channel must be in the order of its messages. Latency is the server's
time from a message to its answer, for messages outside the two outages; what the load itself costs is on the same CPUs.

Exit code 1 if an answer is missing, doubled or out of order.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import boto3
import measure

from chime_messaging.bots import Bot, Context, run_bots
from chime_messaging.server.configuration import LOCAL_ACCESS_KEY, LOCAL_SECRET_KEY
from chime_messaging.server.environment import client_environment

OUTAGE = 8.0
"""Seconds after the end of the server or the bot whose messages do not count for the latency."""


def answering(user_arn: str, state: str, backend: str) -> None:
    """The bot: says every message again, and counts them."""
    bot = Bot(user_arn, state=state)

    @bot.message
    async def answer(context: Context) -> str:
        context.state["count"] = context.state.get("count", 0) + 1
        return f"re: {context.text}"

    anyio.run(partial(run_bots, [bot], on_ready=lambda bot: print("ready", flush=True)), backend=backend)


class Place:
    """Server, bot and people, and the processes of the first two."""

    def __init__(self, folder: Path, users: int, channels: int, backend: str) -> None:
        self.port = measure.free_port()
        self.folder = folder
        self.backend = backend
        self.environment = os.environ | client_environment(f"http://127.0.0.1:{self.port}")
        self.server = self.start_server()
        session = boto3.Session(LOCAL_ACCESS_KEY, LOCAL_SECRET_KEY, region_name="us-east-1")
        url = f"http://127.0.0.1:{self.port}"
        identity: Any = session.client("chime-sdk-identity", endpoint_url=url)
        self.messaging: Any = session.client("chime-sdk-messaging", endpoint_url=url)
        app = identity.create_app_instance(Name="bots")["AppInstanceArn"]

        def user(name: str) -> str:
            made = identity.create_app_instance_user(AppInstanceArn=app, AppInstanceUserId=name, Name=name)
            return str(made["AppInstanceUserArn"])

        self.bot_arn = user("bot")
        self.people = [user(f"user{number}") for number in range(users)]
        self.channels = [self._channel(app, number) for number in range(channels)]
        self.bot = self.start_bot()
        assert self.bot.stdout is not None
        assert self.bot.stdout.readline() == "ready\n"

    def _channel(self, app: str, number: int) -> str:
        owner, *others = self.people
        channel = self.messaging.create_channel(AppInstanceArn=app, Name=f"channel{number}", ChimeBearer=owner)
        arn = str(channel["ChannelArn"])
        everyone = [self.bot_arn, *others]
        self.messaging.batch_create_channel_membership(ChannelArn=arn, MemberArns=everyone, ChimeBearer=owner)
        return arn

    def start_server(self) -> subprocess.Popen[str]:
        database = str(self.folder / "chime.db")
        options = ["--port", str(self.port), "--no-quotas", "--no-media", "--db", database]
        server = self._python("-m", "chime_messaging.cli.main", "serve", *options)
        assert server.stdout is not None
        assert server.stdout.readline().startswith("ready")
        return server

    def start_bot(self) -> subprocess.Popen[str]:
        return self._python(__file__, "--bot", self.bot_arn, str(self.folder / "bot.db"), self.backend)

    def _python(self, *arguments: str) -> subprocess.Popen[str]:
        environment = self.environment | {"PYTHONPATH": str(Path(__file__).parents[2])}
        return subprocess.Popen(
            [sys.executable, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def end_server(self) -> None:
        self.server.terminate()
        self.server.communicate(timeout=20)

    def kill_bot(self) -> None:
        self.bot.send_signal(signal.SIGKILL)
        self.bot.communicate(timeout=20)

    def history(self, channel: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        more: dict[str, str] = {}
        place = {"ChannelArn": channel, "ChimeBearer": self.people[0]}
        while True:
            page = self.messaging.list_channel_messages(SortOrder="ASCENDING", MaxResults=50, **place, **more)
            found += page["ChannelMessages"]
            if not page.get("NextToken"):
                return found
            more = {"NextToken": page["NextToken"]}

    def said(self) -> int:
        """How many answers there are: newest first, and only until they end."""
        return sum(self._is_answer(message) for channel in self.channels for message in self.history(channel))

    def _is_answer(self, message: dict[str, Any]) -> bool:
        return bool(message["Sender"]["Arn"] == self.bot_arn)

    def close(self) -> None:
        for process in (self.bot, self.server):
            if process.poll() is None:
                process.terminate()
            process.communicate(timeout=20)


@contextmanager
def place(users: int, channels: int, backend: str) -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as folder:
        made = Place(Path(folder), users, channels, backend)
        try:
            yield made
        finally:
            made.close()


class Speaker:
    """One person, who says a message again until the server has taken it."""

    def __init__(self, place: Place, user: str) -> None:
        self._place = place
        self._user = user
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def say(self, channel: str, content: str) -> None:
        url = f"http://127.0.0.1:{self._place.port}/channels/{quote(channel, safe='')}/messages"
        body = {"Content": content, "Type": "STANDARD", "Persistence": "PERSISTENT"}
        body["ClientRequestToken"] = uuid.uuid4().hex
        headers = {"Content-Type": "application/json", "x-amz-chime-bearer": self._user}
        request = measure.sign(
            LOCAL_ACCESS_KEY, LOCAL_SECRET_KEY, "chime", "POST", url, json.dumps(body).encode(), headers
        )
        while not await self._send(request):
            continue

    async def _send(self, request: bytes) -> bool:
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._place.port)
            reader, writer = self._streams
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode().lower().split("\r\n")
            length = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length:"))
            await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            if self._streams is not None:
                self._streams[1].close()
            self._streams = None
            await asyncio.sleep(0.1)
            return False
        return b" 201 " in head[:20]

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()


async def talk(place: Place, messages: int, rate: float, faults: bool) -> list[tuple[float, float]]:
    """Have everything said at this pace; returns the outages in seconds since the epoch."""
    speakers = [Speaker(place, user) for user in place.people]
    turns = [asyncio.Lock() for _ in speakers]
    begin = time.monotonic()
    outages: list[tuple[float, float]] = []

    async def one(number: int) -> None:
        await asyncio.sleep(begin + number / rate - time.monotonic())
        who = number % len(speakers)
        async with turns[who]:
            await speakers[who].say(place.channels[number % len(place.channels)], f"message {number}")

    async def restart_server() -> None:
        await asyncio.sleep(messages / rate * 0.4)
        outages.append((time.time() - 0.1, time.time() + OUTAGE))
        await asyncio.to_thread(place.end_server)
        place.server = await asyncio.to_thread(place.start_server)

    async def restart_bot() -> None:
        await asyncio.sleep(messages / rate * 0.75)
        outages.append((time.time() - 0.1, time.time() + OUTAGE))
        await asyncio.to_thread(place.kill_bot)
        place.bot = place.start_bot()

    work = [one(number) for number in range(messages)]
    await asyncio.gather(*work, *([restart_server(), restart_bot()] if faults else []))
    for speaker in speakers:
        speaker.close()
    return outages


def judge(place: Place, messages: int, outages: list[tuple[float, float]]) -> tuple[list[str], list[float]]:
    """Read everything; return what is wrong, and the latencies in seconds."""
    problems, latencies, answered = [], [], 0
    for channel in place.channels:
        asked: dict[str, float] = {}
        answers: list[str] = []
        for message in place.history(channel):
            text, at = message["Content"], message["CreatedTimestamp"].timestamp()
            if message["Sender"]["Arn"] != place.bot_arn:
                asked[text] = at
                continue
            question = text.removeprefix("re: ")
            answers.append(question)
            if question in asked and not any(start <= asked[question] <= end for start, end in outages):
                latencies.append(at - asked[question])
        answered += len(answers)
        if sorted(answers) != sorted(asked):
            missing, surplus = len(set(asked) - set(answers)), len(answers) - len(set(answers))
            problems.append(f"{channel[-8:]}: {missing} unanswered, {surplus} answered more than once")
        elif answers != list(asked):
            problems.append(f"{channel[-8:]}: out of order")
    if answered != messages:
        problems.append(f"{answered} answers to {messages} messages")
    return problems, latencies


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=6000)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--channels", type=int, default=10)
    parser.add_argument("--patience", type=float, default=60.0, help="seconds for the last answers to come")
    parser.add_argument("--no-faults", action="store_true")
    parser.add_argument("--backend", default="asyncio")
    options = parser.parse_args()
    with place(options.users, options.channels, options.backend) as here:
        asyncio.run(first_words(here))
        cpu = measure.cpu_seconds(here.bot.pid)
        outages = asyncio.run(talk(here, options.messages, options.rate, not options.no_faults))
        expected = options.messages + len(here.channels)
        deadline = time.monotonic() + options.patience
        while here.said() < expected and time.monotonic() < deadline:
            time.sleep(0.5)
        cpu = measure.cpu_seconds(here.bot.pid) - cpu if options.no_faults else 0.0
        problems, latencies = judge(here, expected, outages)
    latencies.sort()
    if latencies:
        p50, p99 = (latencies[int(len(latencies) * part)] * 1000 for part in (0.5, 0.99))
        most = latencies[-1] * 1000
        print(f"{expected} messages, {options.rate:g}/s: p50 {p50:.0f} ms, p99 {p99:.0f} ms, most {most:.0f} ms")
    if cpu:
        print(f"CPU of the bot: {cpu / expected * 1e3:.2f} ms per message")
    print("\n".join(problems) or "each answered once, in order")
    return bool(problems)


async def first_words(place: Place) -> None:
    """Say something in each channel, and wait until all of it is answered."""
    speaker = Speaker(place, place.people[0])
    for channel in place.channels:
        await speaker.say(channel, f"hello {channel[-8:]}")
    speaker.close()
    deadline = time.monotonic() + 20.0
    while place.said() < len(place.channels):
        if time.monotonic() > deadline:
            raise TimeoutError("the bot does not answer")
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bot"]:
        answering(*sys.argv[2:5])
    else:
        sys.exit(main())
