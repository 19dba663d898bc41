"""X4: every channel event type, typed. Each way to provoke an event of the developer guide's list, by real calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from chime_messaging import Channel, MessagingSession, PrefetchOn, events
from chime_messaging.events import EVENT_TYPES, ChannelEvent
from chime_messaging.ids import new_uuid
from chime_messaging.server.callbacks import Processor
from chime_messaging.testing import EventRecorder
from tests.use_cases.conftest import Chime

pytestmark = pytest.mark.anyio

ONLY_STREAMED = {
    "CREATE_CHANNEL",
    "UPDATE_CHANNEL_EXPIRATION_SETTINGS",
    "CREATE_CHANNEL_BAN",
    "DELETE_CHANNEL_BAN",
    "CREATE_CHANNEL_MODERATOR",
    "DELETE_CHANNEL_MODERATOR",
    "CREATE_SUB_CHANNEL",
    "DELETE_SUB_CHANNEL",
}
"""Event types that the service writes to Kinesis streams and sends to no websocket."""


class Stage:
    """Alice, who has the session; Bob; and a channel of theirs that Alice administers."""

    def __init__(self, chime: Chime, alice: str, bob: str, channel: Channel) -> None:
        self.chime = chime
        self.alice = alice
        self.bob = bob
        self.channel = channel
        self.lambda_arn = f"arn:aws:lambda:us-east-1:123456789012:function:{new_uuid()}"

    async def with_flow(self, processor: Processor | None = None) -> Channel:
        """Let the messages of the channel go through a flow."""
        app_instance = self.alice.partition("/user/")[0]
        calls = self.chime.calls(self.alice)
        target = {"Lambda": {"ResourceArn": self.lambda_arn, "InvocationType": "ASYNC"}}
        step = {"Name": "check", "ExecutionOrder": 1, "FallbackAction": "ABORT", "Configuration": target}
        flow = await calls.call("CreateChannelFlow", AppInstanceArn=app_instance, Name="flow", Processors=[step])
        arn = flow["ChannelFlowArn"]
        await calls.call("AssociateChannelFlow", ChannelArn=self.channel.arn, ChannelFlowArn=arn)
        if processor is not None:
            self.chime.server.processors.register(self.lambda_arn, processor)
        return self.channel


def passes(event: dict[str, Any]) -> dict[str, Any]:
    return {}


def denies(event: dict[str, Any]) -> dict[str, Any]:
    return {"DeleteResource": True}


def denies_edits(event: dict[str, Any]) -> dict[str, Any]:
    return {"DeleteResource": "edited" in event["ChannelMessage"]["Content"]}


Scene = Callable[[Stage], Awaitable[object]]
SCENES: dict[type[ChannelEvent], Scene] = {}


def provokes(kind: type[ChannelEvent]) -> Callable[[Scene], Scene]:
    def register(scene: Scene) -> Scene:
        SCENES[kind] = scene
        return scene

    return register


@provokes(events.SessionEstablishedReceived)
@provokes(events.ChannelDetailsReceived)
async def connecting(stage: Stage) -> None:
    """Both come by themselves, the details because the session asks for them."""


@provokes(events.MessageCreated)
async def sending(stage: Stage) -> None:
    await stage.channel.send("hello")


@provokes(events.MessageUpdated)
async def editing(stage: Stage) -> None:
    await stage.channel.edit(await stage.channel.send("hello"), "hello again")


@provokes(events.MessageRedacted)
async def redacting(stage: Stage) -> None:
    await stage.channel.redact(await stage.channel.send("hello"))


@provokes(events.MessageDeleted)
async def deleting(stage: Stage) -> None:
    await stage.channel.delete(await stage.channel.send("hello"))


@provokes(events.MessageCreatePending)
async def sending_through_a_flow(stage: Stage) -> None:
    await (await stage.with_flow(passes)).send("hello")


@provokes(events.MessageCreateDenied)
async def sending_what_the_flow_refuses(stage: Stage) -> None:
    await (await stage.with_flow(denies)).send("hello")


@provokes(events.MessageCreateFailed)
async def sending_while_the_processor_is_away(stage: Stage) -> None:
    await (await stage.with_flow(None)).send("hello")


@provokes(events.MessageUpdatePending)
async def editing_through_a_flow(stage: Stage) -> None:
    sent = await stage.channel.send("hello")
    await (await stage.with_flow(passes)).edit(sent, "edited")


@provokes(events.MessageUpdateDenied)
async def editing_to_what_the_flow_refuses(stage: Stage) -> None:
    sent = await stage.channel.send("hello")
    await (await stage.with_flow(denies_edits)).edit(sent, "edited")


@provokes(events.MessageUpdateFailed)
async def editing_while_the_processor_is_away(stage: Stage) -> None:
    sent = await stage.channel.send("hello")
    await (await stage.with_flow(None)).edit(sent, "edited")


@provokes(events.ChannelUpdated)
async def renaming(stage: Stage) -> None:
    await stage.channel.update(name="kitchen")


@provokes(events.ChannelDeleted)
async def dissolving(stage: Stage) -> None:
    await stage.channel.delete_channel()


@provokes(events.MembershipCreated)
async def adding_a_member(stage: Stage) -> None:
    await stage.channel.add_member(await stage.chime.user("Carol"))


@provokes(events.MembershipsCreated)
async def adding_members(stage: Stage) -> None:
    await stage.channel.add_members([await stage.chime.user("Carol"), await stage.chime.user("Dan")])


@provokes(events.MembershipDeleted)
async def removing_a_member(stage: Stage) -> None:
    await stage.channel.remove_member(stage.bob)


@provokes(events.MembershipUpdated)
async def shrinking_an_elastic_channel(stage: Stage) -> None:
    """The sub-channel that only Alice is left in is merged into the other one."""
    calls = stage.chime.calls(stage.bob)
    created = await calls.call(
        "CreateChannel",
        AppInstanceArn=stage.bob.partition("/user/")[0],
        Name="stadium",
        ElasticChannelConfiguration={
            "MaximumSubChannels": 3,
            "TargetMembershipsPerSubChannel": 4,
            "MinimumMembershipPercentage": 40,
        },
    )
    channel = stage.chime.channel(created["ChannelArn"], stage.bob)
    others = [await stage.chime.user(f"Fan {number}") for number in range(5)]
    parts = {}
    for user in (*others[:4], stage.alice, others[4]):
        await channel.add_member(user)
        mine = await stage.chime.channel(channel.arn, user).own_membership()
        parts[user] = mine.membership.sub_channel_id
    assert parts[stage.alice] == parts[others[4]] != parts[others[0]]
    for user in (others[0], others[4]):
        await channel.remove_member(user, sub_channel_id=parts[user])


@pytest.mark.parametrize("kind", SCENES, ids=lambda kind: kind.__name__)
async def test_an_event_is_provoked_and_told_by_its_class(chime: Chime, kind: type[ChannelEvent]) -> None:
    alice, bob = await chime.user("Alice", admin=True), await chime.user("Bob", admin=True)
    stage = Stage(chime, alice, bob, await chime.new_channel(alice, bob))
    session: MessagingSession = chime.session(alice, prefetch=PrefetchOn.CONNECT)
    recorder = EventRecorder(session.hub)
    async with session:
        await SCENES[kind](stage)
        event = await recorder.wait_for(kind)
    assert EVENT_TYPES[event.type] is kind
    assert not recorder.of(events.UnknownEvent) + recorder.of(events.UndecodableFrame)


def test_no_event_type_is_left_out() -> None:
    provoked = {name for name, kind in EVENT_TYPES.items() if kind in SCENES}
    assert provoked | ONLY_STREAMED == EVENT_TYPES.keys()
    assert not provoked & ONLY_STREAMED
