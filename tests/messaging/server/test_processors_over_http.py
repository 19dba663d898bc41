"""Channel flows, bots and streams as an unmodified boto3 program and its processors use them."""

import queue
import threading
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.local_server import LocalServer

LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:moderate"
STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/chime-messaging-audit"
ALIAS = "arn:aws:lex:us-east-1:123456789012:bot-alias/ABCDEFGHIJ/KLMNOPQRST"
PATIENCE = 20.0


class Program:
    """A back end: it owns an app instance with two users and a channel."""

    def __init__(self, server: LocalServer) -> None:
        self.identity = server.client("chime-sdk-identity")
        self.messaging = server.client("chime-sdk-messaging")
        self.instance = self.identity.create_app_instance(Name="app")["AppInstanceArn"]
        self.ada, self.bob = self.user("ada"), self.user("bob")
        created = self.messaging.create_channel(
            AppInstanceArn=self.instance, Name="general", ChimeBearer=self.ada, MemberArns=[self.bob]
        )
        self.channel = created["ChannelArn"]

    def user(self, name: str) -> str:
        answer = self.identity.create_app_instance_user(
            AppInstanceArn=self.instance, AppInstanceUserId=name, Name=name.title()
        )
        return str(answer["AppInstanceUserArn"])

    def moderate(self, fallback: str = "ABORT") -> None:
        processor = {
            "Name": "moderate",
            "Configuration": {"Lambda": {"ResourceArn": LAMBDA, "InvocationType": "ASYNC"}},
            "ExecutionOrder": 1,
            "FallbackAction": fallback,
        }
        flow = self.messaging.create_channel_flow(AppInstanceArn=self.instance, Name="flow", Processors=[processor])
        params = {"ChannelArn": self.channel, "ChannelFlowArn": flow["ChannelFlowArn"]}
        self.messaging.associate_channel_flow(ChimeBearer=self.ada, **params)

    def send(self, content: str, **params: Any) -> dict[str, Any]:
        params = {"Type": "STANDARD", "Persistence": "PERSISTENT", "ChimeBearer": self.ada} | params
        answer: dict[str, Any] = self.messaging.send_channel_message(ChannelArn=self.channel, Content=content, **params)
        return answer

    def contents(self, bearer: str) -> list[str]:
        page = self.messaging.list_channel_messages(ChannelArn=self.channel, ChimeBearer=bearer)
        return [message["Content"] for message in page["ChannelMessages"]]


class Moderator:
    """A processor that gives its verdicts through the API, as a Lambda function does."""

    def __init__(self, server: LocalServer) -> None:
        # A client of its own: it works on the server's thread for processors.
        self.messaging = server.client("chime-sdk-messaging", config=Config(connect_timeout=5))
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()

    def __call__(self, event: dict[str, Any]) -> None:
        try:
            self.decide(event)
        finally:
            self.events.put(event)

    def decide(self, event: dict[str, Any]) -> None:
        message = event["ChannelMessage"]
        self.messaging.channel_flow_callback(
            CallbackId=event["CallbackId"],
            ChannelArn=message["ChannelArn"],
            DeleteResource="forbidden" in message["Content"],
            ChannelMessage={
                "MessageId": message["MessageId"],
                "Content": message["Content"].replace("bad", "***"),
            },
        )


@pytest.fixture
def program(server: LocalServer) -> Program:
    return Program(server)


def test_a_processor_edits_passes_and_denies(server: LocalServer, program: Program) -> None:
    moderator = Moderator(server)
    server.processors.register(LAMBDA, moderator)
    program.moderate()
    answers = [program.send(content) for content in ("a bad word", "a good word", "a forbidden word")]
    assert [answer["Status"]["Value"] for answer in answers] == ["PENDING"] * 3
    for _ in answers:
        moderator.events.get(timeout=PATIENCE)
    assert sorted(program.contents(program.bob)) == ["a *** word", "a good word"]
    of_first = {"ChannelArn": program.channel, "MessageId": answers[0]["MessageId"], "ChimeBearer": program.ada}
    assert program.messaging.get_channel_message_status(**of_first)["Status"]["Value"] == "SENT"
    program.messaging.update_channel_message(**of_first, Content="a bad edit")
    moderator.events.get(timeout=PATIENCE)
    assert program.messaging.get_channel_message(**of_first)["ChannelMessage"]["Content"] == "a *** edit"
    of_last = {"ChannelArn": program.channel, "MessageId": answers[2]["MessageId"], "ChimeBearer": program.ada}
    with pytest.raises(program.messaging.exceptions.ForbiddenException):
        program.messaging.get_channel_message_status(**of_last)


def test_callbacks_without_an_invocation_are_refused(server: LocalServer, program: Program) -> None:
    moderator = Moderator(server)
    server.processors.register(LAMBDA, moderator)
    program.moderate()
    message = {"MessageId": program.send("fine")["MessageId"]}
    event = moderator.events.get(timeout=PATIENCE)
    of_channel = {"ChannelArn": program.channel, "ChannelMessage": message}
    with pytest.raises(program.messaging.exceptions.ConflictException):
        program.messaging.channel_flow_callback(CallbackId=event["CallbackId"], **of_channel)
    with pytest.raises(program.messaging.exceptions.ForbiddenException):
        program.messaging.channel_flow_callback(**of_channel)  # boto3 invents a CallbackId


@pytest.fixture
def database(tmp_path: Path) -> ServerConfiguration:
    return ServerConfiguration(port=0, quotas=False, database=str(tmp_path / "chime.db"))


def test_a_message_in_a_flow_survives_a_restart(database: ServerConfiguration) -> None:
    taken = threading.Event()
    with LocalServer(database) as server:
        server.processors.register(LAMBDA, lambda event: taken.set())
        program = Program(server)
        program.moderate("ABORT")
        message = program.send("patience")["MessageId"]
        assert taken.wait(PATIENCE)

    with LocalServer(database) as server:
        messaging = server.client("chime-sdk-messaging")
        of_message = {"ChannelArn": program.channel, "MessageId": message, "ChimeBearer": program.ada}
        assert messaging.get_channel_message_status(**of_message)["Status"]["Value"] == "PENDING"
        moderator = Moderator(server)
        server.processors.register(LAMBDA, moderator)
        assert moderator.events.get(timeout=PATIENCE)["ChannelMessage"]["MessageId"] == message
        assert messaging.get_channel_message_status(**of_message)["Status"]["Value"] == "SENT"


def test_a_bot_answers_in_the_format_of_lex(server: LocalServer, program: Program) -> None:
    asked: queue.Queue[dict[str, Any]] = queue.Queue()

    def bot(request: dict[str, Any]) -> dict[str, Any]:
        asked.put(request)
        return {"messages": [{"content": f"{request['text']}?", "contentType": "PlainText"}]}

    server.processors.register(ALIAS, bot)
    rule = {"StandardMessages": "MENTIONS", "TargetedMessages": "NONE"}
    lex = {"LexBotAliasArn": ALIAS, "LocaleId": "en_US", "InvokedBy": rule}
    arn = program.identity.create_app_instance_bot(
        AppInstanceArn=program.instance, Name="Helper", Configuration={"Lex": lex}
    )["AppInstanceBotArn"]
    of_channel = {"ChannelArn": program.channel, "ChimeBearer": program.ada}
    program.messaging.create_channel_membership(MemberArn=arn, Type="DEFAULT", **of_channel)
    program.send("no one in particular")
    program.send("hello", MessageAttributes={"CHIME.mentions": {"StringValues": [arn]}})
    assert asked.get(timeout=PATIENCE)["text"] == "hello"


def test_streams_hold_what_happened_in_the_whole_app_instance(server: LocalServer, program: Program) -> None:
    configurations = [{"DataType": kind, "ResourceArn": STREAM} for kind in ("Channel", "ChannelMessage")]
    of_instance = {"AppInstanceArn": program.instance}
    program.messaging.put_messaging_streaming_configurations(**of_instance, StreamingConfigurations=configurations)
    message = program.send("hello")["MessageId"]
    of_channel = {"ChannelArn": program.channel, "ChimeBearer": program.ada}
    program.messaging.redact_channel_message(MessageId=message, **of_channel)
    program.messaging.delete_channel(**of_channel)
    lines = server.streamed("chime-messaging-audit")
    assert [line["EventType"] for line in lines] == [
        "CREATE_CHANNEL_MESSAGE",
        "REDACT_CHANNEL_MESSAGE",
        "DELETE_CHANNEL",
    ]
    assert lines[0]["Payload"]["Content"] == "hello"


def test_a_send_that_is_repeated_is_one_message(server: LocalServer, program: Program) -> None:
    answers = [program.send("once", ClientRequestToken="the-token") for _ in range(2)]
    assert answers[0]["MessageId"] == answers[1]["MessageId"]
    assert program.contents(program.bob) == ["once"]
    with pytest.raises(program.messaging.exceptions.ConflictException):
        program.send("twice", ClientRequestToken="the-token")


def test_what_a_bot_answers_goes_through_the_flow_too(server: LocalServer, program: Program) -> None:
    moderator = Moderator(server)
    server.processors.register(LAMBDA, moderator)
    server.processors.register(ALIAS, lambda request: "a bad answer")
    rule = {"StandardMessages": "ALL", "TargetedMessages": "NONE"}
    lex = {"LexBotAliasArn": ALIAS, "LocaleId": "en_US", "InvokedBy": rule}
    arn = program.identity.create_app_instance_bot(
        AppInstanceArn=program.instance, Name="Helper", Configuration={"Lex": lex}
    )["AppInstanceBotArn"]
    of_channel = {"ChannelArn": program.channel, "ChimeBearer": program.ada}
    program.messaging.create_channel_membership(MemberArn=arn, Type="DEFAULT", **of_channel)
    program.moderate()
    program.send("hello")
    senders = [moderator.events.get(timeout=PATIENCE)["ChannelMessage"]["Sender"]["Name"] for _ in range(2)]
    assert senders == ["Ada", "Helper"]
    answer, question = program.contents(program.bob)
    assert (question, "a *** answer" in answer) == ("hello", True)
