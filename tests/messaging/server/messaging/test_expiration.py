from typing import Any

from chime_messaging.server.messaging.expiration import delete_expired
from chime_messaging.server.rest.shapes import body
from chime_messaging.server.store.channels import find_channel, update_channel
from chime_messaging.server.store.lifecycle import SWEEPS
from tests.messaging.server.messaging.chat import Chat
from tests.messaging.server.messaging.inboxes import Inboxes

DAY = 24 * 60 * 60 * 1000
FIVE_DAYS = {"ExpirationDays": 5, "ExpirationCriterion": "CREATED_TIMESTAMP"}


def create(chat: Chat, bearer: str, **params: Any) -> str:
    return str(chat.call("CreateChannel", bearer, AppInstanceArn=chat.instance, Name="x", **params)["ChannelArn"])


def exists(chat: Chat, channel: str) -> bool:
    return chat.work(lambda tx: find_channel(tx, channel)) is not None


def test_settings_are_put_shown_and_cleared(chat: Chat, inboxes: Inboxes) -> None:
    ann = chat.user("Ann")
    channel = create(chat, ann)
    inboxes.clear()
    for settings in (FIVE_DAYS, None):
        params = {} if settings is None else {"ExpirationSettings": settings}
        answer = chat.call("PutChannelExpirationSettings", ann, ChannelArn=channel, **params)
        body("messaging", "PutChannelExpirationSettingsResponse", answer)
        assert answer == {"ChannelArn": channel, "ExpirationSettings": settings}
        shown = chat.call("DescribeChannel", ann, ChannelArn=channel)["Channel"]
        assert shown["ExpirationSettings"] == settings
    assert inboxes.take(ann) == []
    types, payloads = zip(*inboxes.streamed, strict=True)
    assert types == ("UPDATE_CHANNEL_EXPIRATION_SETTINGS",) * 2
    assert payloads[0]["ExpirationSettings"] == FIVE_DAYS
    assert "ExpirationSettings" not in payloads[1]


def test_they_are_put_by_those_who_run_the_channel_and_without_a_bearer(chat: Chat) -> None:
    ann, bob = chat.user("Ann"), chat.user("Bob")
    channel = create(chat, ann, MemberArns=[bob])
    params = {"ChannelArn": channel, "ExpirationSettings": FIVE_DAYS}
    assert chat.refused("PutChannelExpirationSettings", bob, **params) == "ForbiddenException"
    chat.call("PutChannelExpirationSettings", None, **params)


def test_an_expired_channel_is_deleted_like_any_other(chat: Chat, inboxes: Inboxes) -> None:
    ann = chat.user("Ann")
    expiring, staying = create(chat, ann, ExpirationSettings=FIVE_DAYS), create(chat, ann)
    inboxes.clear()
    chat.now += 5 * DAY - 1000
    assert chat.work(lambda tx: delete_expired(tx, 10)) == 0
    assert exists(chat, expiring)
    chat.now += 2000
    assert chat.work(lambda tx: SWEEPS["channels"](tx, 10)) == 1
    assert not exists(chat, expiring)
    assert exists(chat, staying)
    (event,) = inboxes.take(ann)
    assert (event.type, event.payload["ChannelArn"]) == ("DELETE_CHANNEL", expiring)
    assert set(inboxes.groups) == {staying}


def test_a_message_keeps_a_channel_alive_if_that_is_the_criterion(chat: Chat) -> None:
    ann = chat.user("Ann")
    settings = {"ExpirationDays": 1, "ExpirationCriterion": "LAST_MESSAGE_TIMESTAMP"}
    spoken, silent = create(chat, ann, ExpirationSettings=settings), create(chat, ann, ExpirationSettings=settings)
    start = chat.now
    chat.work(lambda tx: update_channel(tx, spoken, last_message=start + DAY))
    chat.now += DAY + 1000
    assert chat.work(lambda tx: delete_expired(tx, 10)) == 1
    assert exists(chat, spoken)
    assert not exists(chat, silent)
    chat.now += DAY
    assert chat.work(lambda tx: delete_expired(tx, 10)) == 1


def test_a_sweep_deletes_no_more_than_it_is_told(chat: Chat) -> None:
    ann = chat.user("Ann")
    for _ in range(3):
        create(chat, ann, ExpirationSettings=FIVE_DAYS)
    chat.now += 6 * DAY
    assert [chat.work(lambda tx: delete_expired(tx, 2)) for _ in range(3)] == [2, 1, 0]


def test_messages_do_not_matter_to_a_channel_that_expires_by_its_creation(chat: Chat) -> None:
    ann = chat.user("Ann")
    channel = create(chat, ann, ExpirationSettings={**FIVE_DAYS, "ExpirationDays": 5475})
    chat.now += 5475 * DAY + 1000
    chat.work(lambda tx: update_channel(tx, channel, last_message=chat.now))
    assert chat.work(lambda tx: delete_expired(tx, 10)) == 1
    assert not exists(chat, channel)


def test_expired_channels_look_active_until_they_are_swept_and_may_get_new_settings(chat: Chat) -> None:
    ann = chat.user("Ann")
    channel = create(chat, ann, ExpirationSettings=FIVE_DAYS)
    chat.now += 6 * DAY
    assert chat.call("DescribeChannel", ann, ChannelArn=channel)["Channel"]["ExpirationSettings"] == FIVE_DAYS
    chat.call("PutChannelExpirationSettings", ann, ChannelArn=channel)
    assert chat.work(lambda tx: delete_expired(tx, 10)) == 0
