from typing import Any

import msgspec
import pytest

from chime_messaging.ids import new_uuid
from chime_messaging.server.messaging import flow_runs
from chime_messaging.server.notices import Invoke, Stream
from chime_messaging.server.store.channels import delete_channel
from chime_messaging.server.store.lifecycle import EXISTS, SWEEPS
from tests.messaging.server.messaging.chat import Chat, draft

LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:moderate"
HOUR = 3600 * 1000


def processors(fallback: str = "ABORT", arn: str = LAMBDA) -> list[dict[str, Any]]:
    configuration = {"Lambda": {"ResourceArn": arn, "InvocationType": "ASYNC"}}
    return [{"Name": "p", "Configuration": configuration, "ExecutionOrder": 1, "FallbackAction": fallback}]


class Flow:
    """A channel whose messages go through a flow."""

    def __init__(self, chat: Chat, fallback: str = "ABORT") -> None:
        self.chat = chat
        self.ada, self.bob = chat.user("Ada"), chat.user("Bob")
        self.admin = chat.user("Admin", admin=True)
        self.channel = chat.channel(self.ada, self.bob)
        self.arn = str(self.create(fallback)["ChannelFlowArn"])
        chat.call("AssociateChannelFlow", self.admin, ChannelArn=self.channel, ChannelFlowArn=self.arn)
        chat.events()

    def create(self, fallback: str = "ABORT", name: str = "flow") -> dict[str, Any]:
        params = {"AppInstanceArn": self.chat.instance, "Name": name, "Processors": processors(fallback)}
        return self.chat.call("CreateChannelFlow", **params)

    def invocation(self) -> Invoke:
        (invoke,) = (notice for notice in self.chat.notices if isinstance(notice, Invoke))
        return invoke

    def send(self, content: str = "hello", **params: Any) -> tuple[str, Invoke]:
        message = self.chat.send(self.ada, self.channel, content, **params)
        invoke = self.invocation()
        self.chat.notices.clear()
        return message, invoke

    def sent(self, content: str = "hello", **params: Any) -> str:
        """Send a message and let it pass."""
        message, invoke = self.send(content, **params)
        self.chat.call("ChannelFlowCallback", **self.verdict(message, invoke))
        self.chat.notices.clear()
        return message

    def update(self, message: str, content: str, **params: Any) -> Invoke:
        of_message = {"ChannelArn": self.channel, "MessageId": message}
        answer = self.chat.call("UpdateChannelMessage", self.ada, **of_message, Content=content, **params)
        assert answer["Status"]["Value"] == "PENDING"
        return self.invocation()

    def verdict(self, message: str, invoke: Invoke, **params: Any) -> dict[str, Any]:
        edits = params.pop("edits", {})
        return {
            "CallbackId": invoke.callback_id,
            "ChannelArn": self.channel,
            "ChannelMessage": {"MessageId": message, **edits},
            **params,
        }

    def status(self, message: str) -> str:
        of_message = {"ChannelArn": self.channel, "MessageId": message}
        return str(self.chat.call("GetChannelMessageStatus", self.ada, **of_message)["Status"]["Value"])


@pytest.fixture
def flow(chat: Chat) -> Flow:
    return Flow(chat)


@pytest.mark.parametrize("persistence", ["PERSISTENT", "NON_PERSISTENT"])
def test_a_message_waits_in_the_flow_and_only_its_sender_sees_it(chat: Chat, flow: Flow, persistence: str) -> None:
    params = draft(flow.channel, "hello", Metadata="m") | {"Persistence": persistence}
    answer = chat.call("SendChannelMessage", flow.ada, **params)
    message = answer["MessageId"]
    assert answer["Status"] == {"Value": "PENDING"}
    invoke = flow.invocation()
    assert [notice for notice in chat.notices if isinstance(notice, Stream)] == []
    (event,) = chat.events()
    assert (event.type, event.message_type) == ("PENDING_CREATE_CHANNEL_MESSAGE", "STANDARD")
    assert (event.group, event.users) == (None, (flow.ada,))
    assert event.payload["Status"] == {"Value": "PENDING"}

    assert invoke.arn == LAMBDA
    handed = msgspec.json.decode(invoke.payload)
    assert handed == {
        "EventType": "CHANNEL_MESSAGE_EVENT",
        "CallbackId": invoke.callback_id,
        "ChannelMessage": {
            "MessageId": message,
            "ChannelArn": flow.channel,
            "Content": "hello",
            "Metadata": "m",
            "Sender": {"Arn": flow.ada, "Name": "Ada"},
            "Persistence": persistence,
            "Type": "STANDARD",
            "CreatedTimestamp": event.payload["CreatedTimestamp"],
        },
    }
    assert 32 <= len(invoke.callback_id) <= 64

    of_message = {"ChannelArn": flow.channel, "MessageId": message}
    assert flow.status(message) == "PENDING"
    shown = chat.call("GetChannelMessage", flow.ada, **of_message)["ChannelMessage"]
    assert shown["Status"]["Value"] == "PENDING"
    for other in (flow.bob, flow.admin):
        assert chat.refused("GetChannelMessage", other, **of_message) == "NotFoundException"
        assert chat.contents(other, flow.channel) == []
    assert chat.contents(flow.ada, flow.channel) == (["hello"] if persistence == "PERSISTENT" else [])
    assert chat.refused("RedactChannelMessage", flow.ada, **of_message) == "ConflictException"
    assert chat.refused("RedactChannelMessage", flow.admin, **of_message) == "ForbiddenException"
    assert chat.refused("UpdateChannelMessage", flow.ada, **of_message, Content="x") == "ConflictException"
    assert chat.refused("DeleteChannelMessage", flow.admin, **of_message) == "ForbiddenException"


def test_what_is_not_for_flows_bypasses_them(chat: Chat, flow: Flow) -> None:
    chat.send(flow.ada, flow.channel, "typing", Type="CONTROL")
    assert [event.type for event in chat.events()] == ["CREATE_CHANNEL_MESSAGE"]


@pytest.mark.parametrize("persistence", ["PERSISTENT", "NON_PERSISTENT"])
def test_a_verdict_sends_the_message_to_everybody(chat: Chat, flow: Flow, persistence: str) -> None:
    message, invoke = flow.send(Persistence=persistence)
    answer = chat.call("ChannelFlowCallback", **flow.verdict(message, invoke))
    assert answer == {"ChannelArn": flow.channel, "CallbackId": invoke.callback_id}
    (stream,) = (notice for notice in chat.notices if isinstance(notice, Stream))
    (event,) = chat.events()
    assert (event.type, event.group, event.users) == ("CREATE_CHANNEL_MESSAGE", flow.channel, ())
    assert event.payload["Status"] == {"Value": "SENT"}
    assert stream.event_type == "CREATE_CHANNEL_MESSAGE"
    assert chat.contents(flow.bob, flow.channel) == (["hello"] if persistence == "PERSISTENT" else [])
    if persistence == "PERSISTENT":
        assert flow.status(message) == "SENT"
    else:
        of_message = {"ChannelArn": flow.channel, "MessageId": message}
        assert chat.refused("GetChannelMessageStatus", flow.ada, **of_message) == "ForbiddenException"


def test_a_verdict_may_edit(chat: Chat, flow: Flow) -> None:
    message, invoke = flow.send("bad word")
    attributes = {"a": {"StringValues": ["b"]}}
    edits = {"Content": "*** word", "Metadata": "{}", "ContentType": "text/plain", "MessageAttributes": attributes}
    chat.call("ChannelFlowCallback", **flow.verdict(message, invoke, edits=edits))
    (event,) = chat.events()
    assert {name: event.payload[name] for name in edits} == edits
    assert "LastEditedTimestamp" not in event.payload
    of_message = {"ChannelArn": flow.channel, "MessageId": message}
    stored = chat.call("GetChannelMessage", flow.bob, **of_message)["ChannelMessage"]
    assert {name: stored[name] for name in edits} == edits


@pytest.mark.parametrize(
    "edits",
    [
        {"Content": "é" * 2049},
        {"Metadata": "m" * 1025},
        {"ContentType": "x" * 46},
        {"MessageAttributes": {"a": {"StringValues": ["x" * 512, "x" * 512]}}},
    ],
    ids=lambda edits: next(iter(edits)),
)
def test_an_edit_over_a_limit_is_refused_and_the_verdict_stays_open(
    chat: Chat, flow: Flow, edits: dict[str, Any]
) -> None:
    message, invoke = flow.send()
    refused = flow.verdict(message, invoke, edits=edits)
    assert chat.refused("ChannelFlowCallback", **refused) == "BadRequestException"
    assert flow.status(message) == "PENDING"
    chat.call("ChannelFlowCallback", **flow.verdict(message, invoke))
    assert flow.status(message) == "SENT"


def test_a_denied_message_is_gone(chat: Chat, flow: Flow) -> None:
    message, invoke = flow.send()
    chat.call("ChannelFlowCallback", **flow.verdict(message, invoke, DeleteResource=True))
    assert [notice for notice in chat.notices if isinstance(notice, Stream)] == []
    (event,) = chat.events()
    assert (event.type, event.users, event.group) == ("DENIED_CREATE_CHANNEL_MESSAGE", (flow.ada,), None)
    assert event.payload["Status"]["Value"] == "DENIED"
    of_message = {"ChannelArn": flow.channel, "MessageId": message}
    assert chat.refused("GetChannelMessageStatus", flow.ada, **of_message) == "ForbiddenException"
    assert chat.contents(flow.ada, flow.channel) == []


@pytest.mark.parametrize("persistence", ["PERSISTENT", "NON_PERSISTENT"])
def test_a_failing_processor_with_abort_fails_the_message(chat: Chat, flow: Flow, persistence: str) -> None:
    message, invoke = flow.send(Persistence=persistence)
    chat.work(lambda tx: flow_runs.fail(tx, invoke.callback_id, "no answer"))
    (event,) = chat.events()
    assert (event.type, event.users, event.group) == ("FAILED_CREATE_CHANNEL_MESSAGE", (flow.ada,), None)
    assert event.payload["Status"] == {"Value": "FAILED", "Detail": "no answer"}
    assert chat.contents(flow.bob, flow.channel) == []
    of_message = {"ChannelArn": flow.channel, "MessageId": message}
    if persistence == "PERSISTENT":
        assert flow.status(message) == "FAILED"
        assert chat.contents(flow.ada, flow.channel) == ["hello"]
        assert chat.refused("GetChannelMessage", flow.admin, **of_message) == "NotFoundException"
        chat.call("DeleteChannelMessage", flow.admin, **of_message)
        assert chat.events() == []
    assert chat.refused("GetChannelMessageStatus", flow.ada, **of_message) == "ForbiddenException"


def test_a_failing_processor_with_continue_lets_the_message_pass(chat: Chat) -> None:
    flow = Flow(chat, "CONTINUE")
    message, invoke = flow.send()
    chat.work(lambda tx: flow_runs.fail(tx, invoke.callback_id, "no answer"))
    (event,) = chat.events()
    assert (event.type, event.group) == ("CREATE_CHANNEL_MESSAGE", flow.channel)
    assert event.payload["Status"] == {"Value": "SENT"}
    assert flow.status(message) == "SENT"


def test_the_first_verdict_counts(chat: Chat, flow: Flow) -> None:
    message, invoke = flow.send()
    params = flow.verdict(message, invoke)
    chat.call("ChannelFlowCallback", **params)
    chat.events()
    assert chat.refused("ChannelFlowCallback", **params) == "ConflictException"
    assert chat.refused("ChannelFlowCallback", **params, DeleteResource=True) == "ConflictException"
    chat.work(lambda tx: flow_runs.fail(tx, invoke.callback_id, "too late"))
    assert chat.notices == []
    assert flow.status(message) == "SENT"


def test_callbacks_that_nobody_asked_for_are_forbidden(chat: Chat, flow: Flow) -> None:
    message, invoke = flow.send()
    invented = flow.verdict(message, invoke) | {"CallbackId": new_uuid()}
    assert chat.refused("ChannelFlowCallback", **invented) == "ForbiddenException"
    elsewhere = flow.verdict(message, invoke) | {"ChannelArn": flow.channel + "x"}
    assert chat.refused("ChannelFlowCallback", **elsewhere) == "ForbiddenException"
    other = flow.verdict("another", invoke)
    assert chat.refused("ChannelFlowCallback", **other) == "BadRequestException"
    assert flow.status(message) == "PENDING"


def test_a_verdict_may_take_48_hours_and_no_longer(chat: Chat, flow: Flow) -> None:
    message, invoke = flow.send("in time")
    chat.now += 47 * HOUR
    late_message, late = flow.send("late")
    chat.call("ChannelFlowCallback", **flow.verdict(message, invoke))
    chat.events()
    chat.now += 49 * HOUR
    assert chat.refused("ChannelFlowCallback", **flow.verdict(late_message, late)) == "ForbiddenException"
    assert flow.status(late_message) == "PENDING"

    assert chat.work(lambda tx: SWEEPS["flow-runs"](tx, 10)) == 1
    assert [event.type for event in chat.events()] == ["FAILED_CREATE_CHANNEL_MESSAGE"]
    assert flow.status(late_message) == "FAILED"
    assert chat.work(lambda tx: SWEEPS["flow-runs"](tx, 10)) == 0
    assert chat.refused("ChannelFlowCallback", **flow.verdict(message, invoke)) == "ForbiddenException"


class TestUpdates:
    def test_an_edit_waits_while_others_see_the_old_content(self, chat: Chat, flow: Flow) -> None:
        message = flow.sent("old")
        invoke = flow.update(message, "new")
        (event,) = chat.events()
        assert (event.type, event.users) == ("PENDING_UPDATE_CHANNEL_MESSAGE", (flow.ada,))
        assert (event.payload["Content"], event.payload["Status"]) == ("new", {"Value": "PENDING"})
        handed = msgspec.json.decode(invoke.payload)["ChannelMessage"]
        assert (handed["Content"], "LastEditedTimestamp" in handed) == ("new", True)
        assert flow.status(message) == "PENDING"
        assert chat.contents(flow.bob, flow.channel) == ["old"]
        of_message = {"ChannelArn": flow.channel, "MessageId": message}
        seen = chat.call("GetChannelMessage", flow.bob, **of_message)["ChannelMessage"]
        assert seen["Status"]["Value"] == "SENT"
        assert chat.refused("UpdateChannelMessage", flow.ada, **of_message, Content="x") == "ConflictException"

        chat.call("ChannelFlowCallback", **flow.verdict(message, invoke, edits={"Metadata": "seen"}))
        (event,) = chat.events()
        assert (event.type, event.group) == ("UPDATE_CHANNEL_MESSAGE", flow.channel)
        assert (event.payload["Content"], event.payload["Metadata"]) == ("new", "seen")
        assert "LastEditedTimestamp" in event.payload
        assert flow.status(message) == "SENT"
        assert chat.contents(flow.bob, flow.channel) == ["new"]

    def test_a_denied_edit_leaves_the_message_as_it_was(self, chat: Chat, flow: Flow) -> None:
        message = flow.sent("old")
        invoke = flow.update(message, "new")
        chat.events()
        chat.call("ChannelFlowCallback", **flow.verdict(message, invoke, DeleteResource=True))
        (event,) = chat.events()
        assert (event.type, event.users) == ("DENIED_UPDATE_CHANNEL_MESSAGE", (flow.ada,))
        assert (event.payload["Content"], event.payload["Status"]["Value"]) == ("new", "DENIED")
        assert flow.status(message) == "SENT"
        assert chat.contents(flow.ada, flow.channel) == ["old"]

    def test_a_failed_edit_can_be_tried_again(self, chat: Chat, flow: Flow) -> None:
        message = flow.sent("old")
        invoke = flow.update(message, "new")
        chat.events()
        chat.work(lambda tx: flow_runs.fail(tx, invoke.callback_id, "no answer"))
        (event,) = chat.events()
        assert (event.type, event.users) == ("FAILED_UPDATE_CHANNEL_MESSAGE", (flow.ada,))
        assert event.payload["Status"] == {"Value": "FAILED", "Detail": "no answer"}
        assert flow.status(message) == "FAILED"
        assert chat.contents(flow.bob, flow.channel) == ["old"]

        again = flow.update(message, "newer")
        chat.call("ChannelFlowCallback", **flow.verdict(message, again))
        of_message = {"ChannelArn": flow.channel, "MessageId": message}
        assert chat.call("GetChannelMessageStatus", flow.ada, **of_message)["Status"] == {
            "Value": "SENT",
            "Detail": None,
        }
        assert chat.contents(flow.bob, flow.channel) == ["newer"]

    def test_an_edit_that_failed_is_forgotten_after_one_without_the_flow(self, chat: Chat, flow: Flow) -> None:
        message = flow.sent("old")
        invoke = flow.update(message, "new")
        chat.work(lambda tx: flow_runs.fail(tx, invoke.callback_id, "no answer"))
        of_channel = {"ChannelArn": flow.channel}
        chat.call("DisassociateChannelFlow", flow.admin, **of_channel, ChannelFlowArn=flow.arn)
        chat.call("UpdateChannelMessage", flow.ada, **of_channel, MessageId=message, Content="newer")
        assert flow.status(message) == "SENT"
        assert chat.contents(flow.bob, flow.channel) == ["newer"]

    def test_a_message_that_went_meanwhile_stays_away(self, chat: Chat, flow: Flow) -> None:
        deleted, redacted = flow.sent("one"), flow.sent("two")
        runs = []
        for message in (deleted, redacted):
            runs.append((message, flow.update(message, "new")))
            chat.events()
        chat.call("DeleteChannelMessage", flow.admin, ChannelArn=flow.channel, MessageId=deleted)
        chat.call("RedactChannelMessage", flow.admin, ChannelArn=flow.channel, MessageId=redacted)
        chat.events()
        assert flow.status(redacted) == "SENT"
        for message, invoke in runs:
            chat.call("ChannelFlowCallback", **flow.verdict(message, invoke))
            assert chat.events() == []
        (left,) = chat.call("ListChannelMessages", flow.bob, ChannelArn=flow.channel)["ChannelMessages"]
        assert (left["MessageId"], left["Redacted"], left["Content"]) == (redacted, True, None)


class TestDefinitions:
    def test_a_flow_is_described_listed_updated_and_deleted(self, chat: Chat) -> None:
        owner = {"AppInstanceArn": chat.instance}
        params = {**owner, "Name": "flow", "Processors": processors(), "Tags": [{"Key": "k", "Value": "v"}]}
        arn = chat.call("CreateChannelFlow", **params)["ChannelFlowArn"]
        assert arn.startswith(f"{chat.instance}/channel-flow/")
        described = chat.call("DescribeChannelFlow", ChannelFlowArn=arn)["ChannelFlow"]
        assert described["Processors"] == processors()
        assert described["CreatedTimestamp"] == described["LastUpdatedTimestamp"]
        assert chat.call("ListChannelFlows", **owner)["ChannelFlows"] == [
            {"ChannelFlowArn": arn, "Name": "flow", "Processors": processors()}
        ]
        assert chat.work(lambda tx: EXISTS["channel-flow"](tx, arn))
        chat.call("UpdateChannelFlow", ChannelFlowArn=arn, Name="other", Processors=processors("CONTINUE"))
        described = chat.call("DescribeChannelFlow", ChannelFlowArn=arn)["ChannelFlow"]
        assert (described["Name"], described["Processors"]) == ("other", processors("CONTINUE"))
        assert described["CreatedTimestamp"] < described["LastUpdatedTimestamp"]
        chat.call("DeleteChannelFlow", ChannelFlowArn=arn)
        for name in ("DescribeChannelFlow", "DeleteChannelFlow", "ListChannelsAssociatedWithChannelFlow"):
            assert chat.refused(name, ChannelFlowArn=arn) == "ForbiddenException"
        assert not chat.work(lambda tx: EXISTS["channel-flow"](tx, arn))

    def test_a_flow_has_one_processor(self, chat: Chat) -> None:
        params = {"AppInstanceArn": chat.instance, "Name": "flow", "Processors": processors() * 2}
        assert chat.refused("CreateChannelFlow", **params) == "BadRequestException"

    def test_an_app_instance_has_a_hundred_flows(self, chat: Chat) -> None:
        params = {"AppInstanceArn": chat.instance, "Name": "flow", "Processors": processors()}
        for _ in range(100):
            chat.call("CreateChannelFlow", **params)
        assert chat.refused("CreateChannelFlow", **params) == "ResourceLimitExceededException"

    def test_flows_and_their_channels_are_paged(self, chat: Chat, flow: Flow) -> None:
        for number in range(4):
            flow.create(name=str(number))
            other = chat.channel(name=f"channel-{number}")
            chat.call("AssociateChannelFlow", flow.admin, ChannelArn=other, ChannelFlowArn=flow.arn)
        owner, of_flow = {"AppInstanceArn": chat.instance}, {"ChannelFlowArn": flow.arn}
        assert len(pages(chat, "ListChannelFlows", "ChannelFlows", owner)) == 5
        found = pages(chat, "ListChannelsAssociatedWithChannelFlow", "Channels", of_flow)
        assert [channel["Name"] for channel in found] == [
            "channel-0",
            "channel-1",
            "channel-2",
            "channel-3",
            "general",
        ]

    def test_a_flow_in_use_is_not_deleted(self, chat: Chat, flow: Flow) -> None:
        assert chat.refused("DeleteChannelFlow", ChannelFlowArn=flow.arn) == "ConflictException"
        chat.work(lambda tx: delete_channel(tx, flow.channel))
        chat.call("DeleteChannelFlow", ChannelFlowArn=flow.arn)

    def test_a_channel_has_one_flow(self, chat: Chat, flow: Flow) -> None:
        other = flow.create()["ChannelFlowArn"]
        of_channel = {"ChannelArn": flow.channel}
        second = {**of_channel, "ChannelFlowArn": other}
        assert chat.refused("AssociateChannelFlow", flow.admin, **second) == "ConflictException"
        chat.call("AssociateChannelFlow", flow.admin, **of_channel, ChannelFlowArn=flow.arn)
        none = {**of_channel, "ChannelFlowArn": other + "x"}
        assert chat.refused("AssociateChannelFlow", flow.admin, **none) == "NotFoundException"
        assert chat.refused("DisassociateChannelFlow", flow.admin, **second) == "NotFoundException"
        chat.call("DisassociateChannelFlow", flow.admin, **of_channel, ChannelFlowArn=flow.arn)
        assert chat.send(flow.ada, flow.channel)
        assert [event.type for event in chat.events()] == ["CREATE_CHANNEL_MESSAGE"]

    def test_members_do_not_choose_flows(self, chat: Chat, flow: Flow) -> None:
        params = {"ChannelArn": flow.channel, "ChannelFlowArn": flow.arn}
        for name in ("AssociateChannelFlow", "DisassociateChannelFlow"):
            assert chat.refused(name, flow.ada, **params) == "ForbiddenException"

    def test_what_is_on_its_way_gets_its_verdict_after_the_flow_was_taken_off(self, chat: Chat, flow: Flow) -> None:
        message, invoke = flow.send()
        of_flow = {"ChannelFlowArn": flow.arn}
        chat.call("DisassociateChannelFlow", flow.admin, ChannelArn=flow.channel, **of_flow)
        chat.call("DeleteChannelFlow", **of_flow)
        chat.call("ChannelFlowCallback", **flow.verdict(message, invoke))
        assert flow.status(message) == "SENT"

    def test_flows_go_with_their_app_instance_and_runs_with_their_channel(self, chat: Chat, flow: Flow) -> None:
        message, invoke = flow.send()
        chat.work(lambda tx: delete_channel(tx, flow.channel))
        assert chat.refused("ChannelFlowCallback", **flow.verdict(message, invoke)) == "ForbiddenException"
        chat.remove_all_of_instance()
        assert chat.refused("DescribeChannelFlow", ChannelFlowArn=flow.arn) == "ForbiddenException"

    def test_a_missing_app_instance_is_forbidden(self, chat: Chat) -> None:
        none = {"AppInstanceArn": chat.instance.replace("1", "2")}
        assert chat.refused("ListChannelFlows", **none) == "ForbiddenException"
        params = {**none, "Name": "flow", "Processors": processors()}
        assert chat.refused("CreateChannelFlow", **params) == "ForbiddenException"


def pages(chat: Chat, name: str, member: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    """Read a list in pages of one."""
    found: list[dict[str, Any]] = []
    token = None
    while True:
        page = chat.call(name, **params, MaxResults=1, **({"NextToken": token} if token else {}))
        found += page[member]
        token = page["NextToken"]
        if token is None:
            return found
