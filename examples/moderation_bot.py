"""A moderator: a channel flow stops bad words before anybody sees them, and a bot tells and counts.

python examples/moderation_bot.py

Runs a local Chime of its own. On Amazon the flow's processor is a Lambda function, and its ``ChannelFlowCallback`` says
what `processor` returns here.
"""

import re
from typing import Any

import anyio

from chime_messaging import Channel, Channels, MessageCreateDenied, MessagingSession, MessagingSessionConfiguration
from chime_messaging.aws.control_plane import ControlPlane
from chime_messaging.bots import Allow, Bot, Context
from chime_messaging.server import LocalServer, ServerConfiguration

LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:moderate"
FORBIDDEN = re.compile(r"\b(damn|blast)\b", re.IGNORECASE)

bot = Bot(name="moderator")


def processor(event: dict[str, Any]) -> dict[str, Any]:
    """The channel flow: keep what is forbidden from the channel."""
    return {"DeleteResource": FORBIDDEN.search(event["ChannelMessage"]["Content"]) is not None}


@bot.pattern(r"\bstupid\b")
async def remove(context: Context) -> str:
    """What only the bot minds: take it away afterwards."""
    await context.channel.redact(context.message)
    warned = context.state.setdefault("warned", {})
    warned[context.sender_name] = warned.get(context.sender_name, 0) + 1
    return f"{context.sender_name}, please be kind. That was warning {warned[context.sender_name]}."


@bot.command(middleware=[Allow(moderators=True)])
async def warnings(context: Context) -> str:
    """Say who was warned how often; for moderators."""
    return str(context.state.get("warned", {}))


async def main() -> None:
    async with LocalServer(ServerConfiguration(port=0)) as server:
        server.processors.register(LAMBDA, processor)
        client = server.client("chime-sdk-messaging")
        alice, bob, moderator = [await server.create_user(name) for name in ("Alice", "Bob", "moderator")]
        channel = await make_channel(client, alice, bob, moderator)
        configuration = MessagingSessionConfiguration(bob, chime_client=client)
        async with (
            bot.serving(moderator, client=client),
            MessagingSession(configuration) as session,
            session.events(MessageCreateDenied) as denied,
        ):
            bobs = session.channel(channel.arn)
            await bobs.send("Damn rain!")
            print("denied:", (await anext(denied)).message.content)
            await bobs.send("This is stupid.")
            await bobs.send("/warnings")
            await channel.send("/warnings")
            await answers(channel, moderator, 3)


async def make_channel(client: Any, alice: str, bob: str, moderator: str) -> Channel:
    """Make a channel with a flow, in which Alice and the bot are moderators."""
    channels = Channels(ControlPlane(client), alice)
    channel = await channels.create("general", members=[bob, moderator], moderators=[moderator])
    control = ControlPlane(client, alice)
    step = {
        "Name": "moderate",
        "Configuration": {"Lambda": {"ResourceArn": LAMBDA, "InvocationType": "ASYNC"}},
        "ExecutionOrder": 1,
        "FallbackAction": "ABORT",
    }
    app = alice.partition("/user/")[0]
    flow = await control.call("CreateChannelFlow", AppInstanceArn=app, Name="moderation", Processors=[step])
    await control.call("AssociateChannelFlow", ChannelArn=channel.arn, ChannelFlowArn=flow["ChannelFlowArn"])
    return channel


async def answers(channel: Channel, moderator: str, count: int) -> None:
    """Wait for the bot's messages, and print them."""
    said: list[str] = []
    with anyio.fail_after(20):
        while len(said) < count:
            await anyio.sleep(0.1)
            said = [
                message.content or ""
                async for message in channel.messages()
                if message.sender is not None and message.sender.arn == moderator
            ]
    for content in said:
        print("moderator:", content)


if __name__ == "__main__":
    anyio.run(main)
