from typing import Any

import msgspec
import pytest

from chime_messaging.server.messaging.bot_replies import (
    ERROR_TYPE,
    MESSAGES_TYPE,
    InvalidReplyError,
    post_error,
    post_reply,
    reply_content,
)
from chime_messaging.server.messaging.bots import Request, invoked_by, is_for, welcome_request
from chime_messaging.server.notices import Invoke
from chime_messaging.server.store.memberships import delete_membership, find_memberships
from tests.messaging.server.messaging.chat import ELASTIC, Chat

BOT = "bot"


@pytest.mark.parametrize(
    ("standard", "targeted", "target", "mentioned", "others", "invoked"),
    [
        ("AUTO", "NONE", None, False, 1, True),
        ("AUTO", "NONE", None, False, 2, False),
        ("AUTO", "NONE", None, True, 2, True),
        ("ALL", "NONE", None, False, 2, True),
        ("MENTIONS", "ALL", None, False, 1, False),
        ("MENTIONS", "ALL", None, True, 1, True),
        ("NONE", "ALL", None, True, 1, False),
        ("NONE", "ALL", BOT, False, 5, True),
        ("ALL", "NONE", BOT, True, 1, False),
        ("ALL", "ALL", "ada", True, 1, False),
    ],
)
def test_invoked_by_decides(
    standard: str, targeted: str, target: str | None, mentioned: bool, others: int, invoked: bool
) -> None:
    assert is_for(target, BOT, (standard, targeted), mentioned=mentioned, others=others) is invoked


@pytest.mark.parametrize(
    ("lex", "rule"),
    [
        ({}, ("AUTO", "ALL")),
        ({"RespondsTo": "STANDARD_MESSAGES"}, ("ALL", "ALL")),
        ({"InvokedBy": {"StandardMessages": "MENTIONS", "TargetedMessages": "NONE"}}, ("MENTIONS", "NONE")),
    ],
)
def test_responds_to_is_the_older_invoked_by(lex: dict[str, Any], rule: tuple[str, str]) -> None:
    assert invoked_by(lex) == rule


class Lobby:
    def __init__(self, chat: Chat, standard: str = "AUTO", targeted: str = "ALL", **lex: Any) -> None:
        self.chat = chat
        self.ada, self.bob, self.hidden = chat.user("Ada"), chat.user("Bob"), chat.user("Hidden")
        rule = {"StandardMessages": standard, "TargetedMessages": targeted}
        self.bot = chat.bot("Helper", InvokedBy=rule, **lex)
        self.channel = chat.channel(self.ada, self.bot, hidden=(self.hidden,))

    def asked(self) -> list[Request]:
        """Take what was handed to bots since the last time."""
        found = [notice for notice in self.chat.notices if isinstance(notice, Invoke)]
        self.chat.notices.clear()
        assert all(notice.callback_id == "" for notice in found)
        return [msgspec.json.decode(notice.payload, type=Request) for notice in found]


def test_a_bot_alone_with_one_visible_member_hears_everything(chat: Chat) -> None:
    lobby = Lobby(chat)
    message = chat.send(lobby.ada, lobby.channel, "hello bot")
    (request,) = lobby.asked()
    assert (request.bot_arn, request.text, request.message_id) == (lobby.bot, "hello bot", message)
    assert request.request_attributes == {"CHIME.channel.arn": lobby.channel, "CHIME.sender.arn": lobby.ada}
    assert (request.channel_arn, request.sender_arn, request.targeted) == (lobby.channel, lobby.ada, False)
    assert (request.locale_id, request.bot_alias_arn.rpartition(":")[2]) == ("en_US", "bot-alias/Helper/1")

    chat.join(lobby.channel, lobby.bob)
    chat.send(lobby.ada, lobby.channel)
    assert lobby.asked() == []
    mention = {"CHIME.mentions": {"StringValues": [lobby.bot]}}
    chat.send(lobby.bob, lobby.channel, MessageAttributes=mention)
    assert len(lobby.asked()) == 1


def test_control_messages_and_updates_do_not_reach_bots(chat: Chat) -> None:
    lobby = Lobby(chat, "ALL")
    message = chat.send(lobby.ada, lobby.channel)
    lobby.asked()
    chat.send(lobby.ada, lobby.channel, "typing", Type="CONTROL")
    of_message = {"ChannelArn": lobby.channel, "MessageId": message}
    chat.call("UpdateChannelMessage", lobby.ada, **of_message, Content="new")
    assert lobby.asked() == []


def test_bots_do_not_hear_bots(chat: Chat) -> None:
    lobby = Lobby(chat, "ALL")
    other = chat.bot("Other", InvokedBy={"StandardMessages": "ALL", "TargetedMessages": "ALL"})
    chat.join(lobby.channel, other)
    chat.send(other, lobby.channel)
    assert lobby.asked() == []
    chat.send(lobby.ada, lobby.channel)
    assert {request.bot_arn for request in lobby.asked()} == {lobby.bot, other}


def test_bots_of_other_channels_and_hidden_ones_hear_nothing(chat: Chat) -> None:
    lobby = Lobby(chat, "ALL")
    chat.channel(lobby.ada, name="elsewhere")
    hiding = chat.channel(lobby.ada, hidden=(lobby.bot,), name="hiding")
    for channel in (f"{chat.instance}/channel/elsewhere", hiding):
        chat.send(lobby.ada, channel)
    assert lobby.asked() == []


def test_a_targeted_message_is_for_one_bot_and_so_is_the_answer(chat: Chat) -> None:
    lobby = Lobby(chat, "NONE")
    chat.send(lobby.ada, lobby.channel, Target=[{"MemberArn": lobby.bot}])
    (request,) = lobby.asked()
    assert request.targeted
    assert chat.work(lambda tx: post_reply(tx, request, "psst"))
    (event,) = chat.events()
    assert (event.group, event.users) == (None, (lobby.bot, lobby.ada))
    assert event.payload["Target"] == [{"MemberArn": lobby.ada}]


def test_an_answer_is_a_message_of_the_bot_in_the_format_of_lex(chat: Chat) -> None:
    lobby = Lobby(chat)
    chat.send(lobby.ada, lobby.channel)
    (request,) = lobby.asked()
    answer = {
        "messages": [{"content": "Which city?", "contentType": "PlainText"}, {"content": "Say it."}],
        "sessionState": {"intent": {"name": "Book", "state": "InProgress"}},
    }
    assert chat.work(lambda tx: post_reply(tx, request, answer))
    assert lobby.chat.notices
    (event,) = chat.events()
    assert event.payload["Sender"] == {"Arn": lobby.bot, "Name": "Helper"}
    assert event.payload["ContentType"] == MESSAGES_TYPE == "application/amz-chime-lex-msgs"
    assert msgspec.json.decode(event.payload["Content"]) == {
        "Messages": [
            {"Content": "Which city?", "ContentType": "PlainText"},
            {"Content": "Say it.", "ContentType": "PlainText"},
        ]
    }
    attributes = {name: value["StringValues"] for name, value in event.payload["MessageAttributes"].items()}
    assert attributes.pop("CHIME.LEX.sessionState.originatingRequestId")
    assert attributes == {
        "CHIME.LEX.sessionState.intent.name": ["Book"],
        "CHIME.LEX.sessionState.intent.state": ["InProgress"],
        "CHIME.LEX.sessionState.sessionId": [request.session_id],
    }


def test_an_error_has_a_type_of_its_own(chat: Chat) -> None:
    lobby = Lobby(chat)
    chat.send(lobby.ada, lobby.channel)
    (request,) = lobby.asked()
    assert chat.work(lambda tx: post_error(tx, request, "ThrottlingException"))
    (event,) = chat.events()
    assert event.payload["ContentType"] == ERROR_TYPE == "application/amz-chime-lex-error"
    assert event.payload["Content"] == '{"Code":"ThrottlingException"}'


def test_a_bot_that_left_says_nothing_more(chat: Chat) -> None:
    lobby = Lobby(chat)
    chat.send(lobby.ada, lobby.channel)
    (request,) = lobby.asked()
    (membership,) = chat.work(lambda tx: find_memberships(tx, lobby.channel, lobby.bot))
    chat.work(lambda tx: delete_membership(tx, membership))
    assert not chat.work(lambda tx: post_reply(tx, request, "late"))
    assert chat.events() == []


@pytest.mark.parametrize("answer", [None, "", {}, {"messages": None}, {"messages": []}])
def test_an_empty_answer_is_silence(answer: object) -> None:
    assert reply_content(answer) is None


@pytest.mark.parametrize(
    "answer", [1, [], "\ud83d", {"messages": "x"}, {"messages": ["x"]}, {"messages": [{"content": 1}]}]
)
def test_an_answer_of_another_shape_is_refused(answer: object) -> None:
    with pytest.raises(InvalidReplyError):
        reply_content(answer)


def test_an_answer_over_the_limit_is_refused(chat: Chat) -> None:
    lobby = Lobby(chat)
    chat.send(lobby.ada, lobby.channel)
    (request,) = lobby.asked()
    with pytest.raises(InvalidReplyError, match="4096"):
        chat.work(lambda tx: post_reply(tx, request, "x" * 4096))


def test_a_bot_with_a_welcome_intent_is_asked_when_it_joins(chat: Chat) -> None:
    lobby = Lobby(chat, WelcomeIntent="Welcome")
    payload = chat.work(lambda tx: welcome_request(tx, lobby.bot, lobby.channel))
    assert payload is not None
    request = msgspec.json.decode(payload, type=Request)
    assert request.session_state == {"intent": {"name": "Welcome"}}
    assert (request.bot_arn, request.channel_arn, request.text) == (lobby.bot, lobby.channel, "")
    quiet = chat.bot("Quiet")
    assert chat.work(lambda tx: welcome_request(tx, quiet, lobby.channel)) is None


def test_a_bot_of_an_elastic_channel_answers_in_its_part(chat: Chat) -> None:
    lobby = Lobby(chat, "ALL")
    channel = chat.channel(name="elastic", elastic=ELASTIC)
    for member in (lobby.ada, lobby.bot):
        chat.join(channel, member, part="one")
    chat.send(lobby.ada, channel, SubChannelId="one")
    (request,) = lobby.asked()
    assert chat.work(lambda tx: post_reply(tx, request, "here"))
    (event,) = chat.events()
    assert (event.group, event.payload["SubChannelId"]) == (f"{channel}#one", "one")
