import pytest

from chime_messaging.server.messaging.streaming import stream_name
from chime_messaging.server.notices import Streams
from tests.messaging.server.messaging.chat import Chat

STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/chime-messaging-audit"
BOTH = [{"DataType": "Channel", "ResourceArn": STREAM}, {"DataType": "ChannelMessage", "ResourceArn": STREAM + "-2"}]


def test_a_configuration_is_put_read_replaced_and_deleted(chat: Chat) -> None:
    instance = {"AppInstanceArn": chat.instance}
    assert chat.refused("GetMessagingStreamingConfigurations", **instance) == "NotFoundException"
    answer = chat.call("PutMessagingStreamingConfigurations", **instance, StreamingConfigurations=BOTH)
    assert answer == {"StreamingConfigurations": BOTH}
    assert chat.call("GetMessagingStreamingConfigurations", **instance) == answer
    chat.call("PutMessagingStreamingConfigurations", **instance, StreamingConfigurations=BOTH[:1])
    assert chat.call("GetMessagingStreamingConfigurations", **instance) == {"StreamingConfigurations": BOTH[:1]}
    chat.call("DeleteMessagingStreamingConfigurations", **instance)
    assert chat.refused("GetMessagingStreamingConfigurations", **instance) == "NotFoundException"
    assert [notice.streams for notice in chat.notices if isinstance(notice, Streams)] == [
        (("Channel", "chime-messaging-audit"), ("ChannelMessage", "chime-messaging-audit-2")),
        (("Channel", "chime-messaging-audit"),),
        (),
    ]


@pytest.mark.parametrize(
    "configurations",
    [
        [{"DataType": "Channel", "ResourceArn": STREAM.replace("chime-messaging-", "")}],
        [{"DataType": "Channel", "ResourceArn": STREAM.replace("kinesis", "sqs")}],
        [{"DataType": "Channel", "ResourceArn": STREAM + "/../../etc"}],
        [BOTH[0], BOTH[0]],
    ],
)
def test_only_streams_that_may_be_used_are_taken(chat: Chat, configurations: list[dict[str, str]]) -> None:
    params = {"AppInstanceArn": chat.instance, "StreamingConfigurations": configurations}
    assert chat.refused("PutMessagingStreamingConfigurations", **params) == "BadRequestException"


def test_a_missing_app_instance_is_told_as_each_operation_declares(chat: Chat) -> None:
    none = {"AppInstanceArn": chat.instance.replace("1", "2")}
    put = {**none, "StreamingConfigurations": BOTH}
    assert chat.refused("PutMessagingStreamingConfigurations", **put) == "NotFoundException"
    assert chat.refused("GetMessagingStreamingConfigurations", **none) == "NotFoundException"
    assert chat.refused("DeleteMessagingStreamingConfigurations", **none) == "ForbiddenException"


def test_a_configuration_goes_with_its_app_instance(chat: Chat) -> None:
    instance = {"AppInstanceArn": chat.instance}
    chat.call("PutMessagingStreamingConfigurations", **instance, StreamingConfigurations=BOTH)
    chat.remove_all_of_instance()
    assert chat.refused("GetMessagingStreamingConfigurations", **instance) == "NotFoundException"


@pytest.mark.parametrize(
    "name", ["chime-messaging-", "chime-messaging-a/b", "chime-messaging-a\n", "chime-messaging-ä"]
)
def test_a_stream_name_cannot_leave_its_folder(name: str) -> None:
    assert stream_name(f"arn:aws:kinesis:us-east-1:123456789012:stream/{name}") is None
