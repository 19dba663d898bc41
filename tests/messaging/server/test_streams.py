import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chime_messaging.server import streams
from chime_messaging.server.notices import Stream
from chime_messaging.server.streams import StreamingSink
from tests.messaging.server.messaging.chat import Chat

AUDIT, MESSAGES = "chime-messaging-audit", "chime-messaging-messages"
KINESIS = "arn:aws:kinesis:us-east-1:123456789012:stream/"


@pytest.fixture
def chat() -> Iterator[Chat]:
    with Chat() as opened:
        yield opened


def configure(chat: Chat, **streams: str) -> None:
    configurations = [{"DataType": kind, "ResourceArn": KINESIS + name} for kind, name in streams.items()]
    params = {"AppInstanceArn": chat.instance, "StreamingConfigurations": configurations}
    chat.call("PutMessagingStreamingConfigurations", **params)


def record(chat: Chat, data_type: str, number: int) -> Stream:
    return Stream(chat.instance, data_type, "CREATE", f'{{"Number":{number}}}')


def with_sink(chat: Chat, folder: Path | None, scene: Callable[[StreamingSink], Awaitable[None]]) -> None:
    async def main() -> None:
        async with StreamingSink(folder, chat.database) as sink:
            chat.listeners.append(sink.apply)
            try:
                await scene(sink)
            finally:
                chat.listeners.remove(sink.apply)

    chat.run(main())


def test_records_of_messages_come_in_commit_order(chat: Chat) -> None:
    ada = chat.user("Ada")
    channel = chat.channel(ada)
    configure(chat, ChannelMessage=MESSAGES)

    async def scene(sink: StreamingSink) -> None:
        for number in range(10):
            params = {"Content": str(number), "Type": "STANDARD", "Persistence": "PERSISTENT", "ChannelArn": channel}
            await chat.database.run(chat.perform("SendChannelMessage", ada, **params))
        found = sink.records(MESSAGES)
        assert [line["Payload"]["Content"] for line in found] == [str(number) for number in range(10)]
        assert {line["EventType"] for line in found} == {"CREATE_CHANNEL_MESSAGE"}
        assert found[0]["Payload"]["Sender"] == {"Arn": ada, "Name": "Ada"}

    with_sink(chat, None, scene)


def test_each_data_type_goes_where_it_was_sent_and_nowhere_without_a_configuration(chat: Chat) -> None:
    async def scene(sink: StreamingSink) -> None:
        sink.apply(record(chat, "Channel", 0))
        await chat.database.run(put(chat, Channel=AUDIT, ChannelMessage=MESSAGES))
        sink.apply(record(chat, "Channel", 1))
        sink.apply(record(chat, "ChannelMessage", 2))
        sink.apply(Stream(chat.instance + "x", "Channel", "CREATE", "{}"))
        await chat.database.run(put(chat, Channel=AUDIT))
        sink.apply(record(chat, "ChannelMessage", 3))
        await chat.database.run(chat.perform("DeleteMessagingStreamingConfigurations", None, **instance(chat)))
        sink.apply(record(chat, "Channel", 4))
        assert numbers(sink, AUDIT) == [1]
        assert numbers(sink, MESSAGES) == [2]

    with_sink(chat, None, scene)


def test_lines_are_appended_to_one_file_per_stream_over_restarts(chat: Chat, tmp_path: Path) -> None:
    configure(chat, Channel=AUDIT, ChannelMessage=MESSAGES)
    folder = tmp_path / "streams"
    for start in (0, 100):

        async def scene(sink: StreamingSink, start: int = start) -> None:
            for number in range(start, start + 100):
                sink.apply(record(chat, "Channel", number))
            await sink.flush()
            sink.apply(record(chat, "ChannelMessage", start))

        with_sink(chat, folder, scene)
    assert sorted(file.name for file in folder.iterdir()) == [f"{AUDIT}.jsonl", f"{MESSAGES}.jsonl"]
    lines = [msgspec.json.decode(line) for line in (folder / f"{AUDIT}.jsonl").read_bytes().splitlines()]
    assert lines == [{"EventType": "CREATE", "Payload": {"Number": number}} for number in range(200)]
    assert len((folder / f"{MESSAGES}.jsonl").read_bytes().splitlines()) == 2


def test_a_file_that_cannot_be_written_is_counted_and_logged(
    chat: Chat, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    configure(chat, Channel=AUDIT)
    (tmp_path / f"{AUDIT}.jsonl").mkdir()

    async def scene(sink: StreamingSink) -> None:
        sink.apply(record(chat, "Channel", 1))
        await sink.flush()
        assert sink.dropped == 1

    with caplog.at_level(logging.ERROR):
        with_sink(chat, tmp_path, scene)
    assert "1 records are lost" in caplog.text


def test_memory_and_backlog_are_bounded(chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_BEHIND", 5)
    monkeypatch.setattr(streams, "MAX_REMEMBERED", 3)
    configure(chat, Channel=AUDIT)

    async def scene(sink: StreamingSink) -> None:
        for number in range(10):
            sink.apply(record(chat, "Channel", number))
        assert sink.dropped == 5
        assert numbers(sink, AUDIT) == [7, 8, 9]

    with_sink(chat, tmp_path, scene)
    assert len((tmp_path / f"{AUDIT}.jsonl").read_bytes().splitlines()) == 5


def instance(chat: Chat) -> dict[str, Any]:
    return {"AppInstanceArn": chat.instance}


def put(chat: Chat, **names: str) -> Any:
    configurations = [{"DataType": kind, "ResourceArn": KINESIS + name} for kind, name in names.items()]
    params = {**instance(chat), "StreamingConfigurations": configurations}
    return chat.perform("PutMessagingStreamingConfigurations", None, **params)


def numbers(sink: StreamingSink, stream: str) -> list[int]:
    return [line["Payload"]["Number"] for line in sink.records(stream)]
