"""Which handler gets a message."""

import re

import pytest

from chime_messaging.bots.commands import Command, Commands
from chime_messaging.bots.context import Context, reaction_of
from chime_messaging.bots.errors import CommandError
from chime_messaging.bots.mentions import is_mentioned, without_mention
from chime_messaging.bots.routing import Routes
from chime_messaging.errors import ConfigurationError
from chime_messaging.wire.payloads import AttributeValue, MessageSummary

ARN = "arn:aws:chime:us-east-1:1:app-instance/a/user/dice"


async def roll(context: Context, sides: int = 6) -> None: ...
async def greet(context: Context, name: str) -> None: ...
async def asked(context: Context) -> None: ...
async def anything(context: Context) -> None: ...


def routes(*, everything: bool = True) -> Routes:
    made = Routes(Commands("/"))
    made.commands.add(Command(roll, aliases=["R"]))
    made.patterns.append((re.compile(r"i am (?P<name>\w+)"), greet))
    made.mentions.append(asked)
    if everything:
        made.messages.append(anything)
    return made


@pytest.mark.parametrize(
    ("text", "addressed", "function"),
    [
        ("/roll 3", False, roll),
        ("/ROLL", False, roll),
        ("/r", False, roll),
        ("roll 3", False, anything),
        ("roll 3", True, roll),
        ("/rolls", False, anything),
        ("/ roll", False, anything),
        ("i am ann", False, greet),
        ("i am ann", True, greet),
        ("what?", True, asked),
        ("what?", False, anything),
        ("", False, anything),
    ],
)
def test_first_that_fits_gets_the_message(text: str, addressed: bool, function: object) -> None:
    route = routes().find(text, addressed=addressed)
    assert route is not None
    assert route.function is function


def test_message_that_fits_nothing_goes_to_nobody() -> None:
    assert routes(everything=False).find("hello", addressed=False) is None


def test_groups_of_a_pattern_are_arguments() -> None:
    route = routes().find("hello, i am ann", addressed=False)
    assert route is not None
    assert route.arguments("/") == ([], {"name": "ann"})


def message(content: str, mentions: list[str] | None = None) -> MessageSummary:
    attributes = None if mentions is None else {"CHIME.mentions": AttributeValue(string_values=mentions)}
    return MessageSummary(message_id="m", content=content, message_attributes=attributes)


@pytest.mark.parametrize(
    ("content", "mentioned", "left"),
    [
        ("@dice roll", True, "roll"),
        ("@Dice: roll", True, "roll"),
        ("hello @dice!", True, "hello  !"),
        (f"<@{ARN}|dice> roll", True, "roll"),
        (f"<@{ARN}>, roll", True, "roll"),
        ("@dicey roll", False, "@dicey roll"),
        ("me@dice", False, "me@dice"),
        ("dice", False, "dice"),
    ],
)
def test_mention_is_seen_and_taken_out(content: str, mentioned: bool, left: str) -> None:
    assert is_mentioned(message(content), ARN, "dice") is mentioned
    assert without_mention(content, ARN, "dice") == left


def test_attribute_of_the_service_is_a_mention() -> None:
    assert is_mentioned(message("hi", [ARN]), ARN)
    assert not is_mentioned(message("hi", ["arn:somebody"]), ARN)
    assert not is_mentioned(message("@dice"), ARN)


def test_name_is_taken_once() -> None:
    commands = routes().commands
    with pytest.raises(ConfigurationError):
        commands.add(Command(greet, "r"))


@pytest.mark.parametrize("name", ["two words", "x" * 33])
def test_impossible_names_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError):
        Command(lambda context: None, name)


def test_help_of_an_unknown_command_says_how_to_list_them() -> None:
    with pytest.raises(CommandError, match="/help lists them"):
        routes().commands.help("nothing")


def test_only_control_messages_with_the_attribute_are_reactions() -> None:
    attributes = {"in-reply-to": AttributeValue(string_values=["m1"])}
    sign = MessageSummary(message_id="m2", type="CONTROL", content="+1", message_attributes=attributes)
    assert reaction_of(sign) == ("+1", "m1")
    assert (
        reaction_of(MessageSummary(message_id="m", type="STANDARD", content="+1", message_attributes=attributes))
        is None
    )
    assert reaction_of(MessageSummary(message_id="m", type="CONTROL", content="typing")) is None
