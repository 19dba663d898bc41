import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, TypeVar

import msgspec
import pytest

from chime_messaging.ids import app_instance_arn, parse_arn
from chime_messaging.server.configuration import LOCAL_ACCOUNT, ServerConfiguration
from chime_messaging.server.faults import Fault
from chime_messaging.server.messaging import flows, messages, preferences, read_markers, retention, streaming
from chime_messaging.server.notices import Deliver, Notice
from chime_messaging.server.operations import HANDLERS, Call
from chime_messaging.server.store.app_instances import add_admin, add_app_instance
from chime_messaging.server.store.channels import Channel, insert_channel
from chime_messaging.server.store.database import Database, Transaction
from chime_messaging.server.store.lifecycle import APP_INSTANCE_HOOKS
from chime_messaging.server.store.memberships import Membership, insert_memberships
from chime_messaging.server.store.moderators import Moderator, insert_moderators
from chime_messaging.server.store.users import add_user

__all__ = ["flows", "messages", "preferences", "read_markers", "retention", "streaming"]  # imported to register

T = TypeVar("T")
START = 1_700_000_000_000
INSTANCE = app_instance_arn("11111111-2222-4333-8444-555555555555", account=LOCAL_ACCOUNT)
ELASTIC = '{"MaximumSubChannels":2,"TargetMembershipsPerSubChannel":2,"MinimumMembershipPercentage":40}'


class Seen(NamedTuple):
    """One event as the sockets get it."""

    type: str
    message_type: str
    payload: dict[str, Any]
    group: str | None
    users: tuple[str, ...]


class Chat:
    """An app instance on a real database in memory, called without HTTP, at a time that stands still."""

    def __init__(self) -> None:
        self.now = START
        self.notices: list[Notice] = []
        self.listeners: list[Callable[[Notice], None]] = []
        self.configuration = ServerConfiguration()
        self.database = Database(on_commit=self._on_commit, clock=lambda: self.now)
        self.runner = asyncio.Runner()
        self.instance = INSTANCE

    def __enter__(self) -> "Chat":
        self.runner.__enter__()
        self.run(self.database.__aenter__())
        self.work(lambda tx: add_app_instance(tx, INSTANCE, "instance", None))
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self.database.__aexit__(None, None, None))
        self.runner.close()

    def _on_commit(self, notices: list[Notice]) -> None:
        self.notices.extend(notices)
        for notice in notices:
            for listener in self.listeners:
                listener(notice)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    def work(self, work: Callable[[Transaction], T]) -> T:
        return self.run(self.database.run(work))

    def perform(self, name: str, bearer: str | None, /, **params: Any) -> Callable[[Transaction], dict[str, Any]]:
        arn = None if bearer is None else parse_arn(bearer)
        handler = HANDLERS["messaging", name]
        return lambda tx: handler(Call("messaging", name, params, arn, tx, self.configuration)) or {}

    def call(self, name: str, bearer: str | None = None, /, **params: Any) -> dict[str, Any]:
        return self.work(self.perform(name, bearer, **params))

    def refused(self, name: str, bearer: str | None = None, /, **params: Any) -> str:
        """Make a call that must fail; the name of the error."""
        before = len(self.notices)
        with pytest.raises(Fault) as caught:
            self.call(name, bearer, **params)
        assert self.notices[before:] == []
        return caught.value.name

    def user(self, name: str, *, admin: bool = False) -> str:
        arn = f"{INSTANCE}/user/{name.lower()}"
        self.work(lambda tx: add_user(tx, arn, INSTANCE, name=name))
        if admin:
            self.work(lambda tx: add_admin(tx, INSTANCE, arn))
        return arn

    def bot(self, name: str, **lex: Any) -> str:
        arn = f"{INSTANCE}/bot/{name.lower()}"
        lex = {"LexBotAliasArn": f"arn:aws:lex:us-east-1:123456789012:bot-alias/{name}/1", "LocaleId": "en_US", **lex}
        document = msgspec.json.encode({"Lex": lex}).decode()
        self.work(lambda tx: add_user(tx, arn, INSTANCE, kind="bot", name=name, configuration=document))
        return arn

    def channel(self, *members: str, hidden: tuple[str, ...] = (), name: str = "general", **columns: Any) -> str:
        arn = f"{INSTANCE}/channel/{name}"
        values = {"mode": "RESTRICTED", "privacy": "PRIVATE", "metadata": None, "created_by": None, **columns}
        row = Channel(arn, INSTANCE, name, created=self.now, updated=self.now, **values)
        self.work(lambda tx: insert_channel(tx, row))
        for member in members:
            self.join(arn, member)
        for member in hidden:
            self.join(arn, member, kind="HIDDEN")
        return arn

    def join(self, channel: str, member: str, *, part: str = "", kind: str = "DEFAULT") -> None:
        row = Membership(channel, member, part, kind, None, self.now, self.now)
        self.work(lambda tx: insert_memberships(tx, [row]))

    def moderator(self, channel: str, user: str) -> None:
        self.work(lambda tx: insert_moderators(tx, [Moderator(channel, user, None, self.now)]))

    def send(self, bearer: str, channel: str, content: str = "hello", **params: Any) -> str:
        answer = self.call("SendChannelMessage", bearer, **{**draft(channel, content), **params})
        return str(answer["MessageId"])

    def contents(self, bearer: str, channel: str, **params: Any) -> list[str | None]:
        page = self.call("ListChannelMessages", bearer, ChannelArn=channel, **params)
        return [message["Content"] for message in page["ChannelMessages"]]

    def remove_all_of_instance(self) -> None:
        """Do what is done when the app instance is deleted."""

        def remove(tx: Transaction) -> None:
            for hook in APP_INSTANCE_HOOKS:
                hook(tx, INSTANCE)

        self.work(remove)

    def events(self) -> list[Seen]:
        """Take the events since the last time."""
        seen = [read_event(notice) for notice in self.notices if isinstance(notice, Deliver)]
        self.notices.clear()
        return seen


def draft(channel: str, content: str = "hello", **params: Any) -> dict[str, Any]:
    return {"ChannelArn": channel, "Content": content, "Type": "STANDARD", "Persistence": "PERSISTENT", **params}


def read_event(notice: Deliver) -> Seen:
    frame = msgspec.json.decode(notice.frame)
    headers = frame["Headers"]
    assert headers["x-amz-chime-event-type"] == notice.event_type
    payload = msgspec.json.decode(frame["Payload"])
    return Seen(notice.event_type, headers["x-amz-chime-message-type"], payload, notice.group, notice.users)
