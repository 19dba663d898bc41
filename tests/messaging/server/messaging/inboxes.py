from typing import Any

import msgspec

from chime_messaging.server.notices import Deliver, Dissolve, Join, Leave, Notice, Stream
from tests.messaging.server.messaging.chat import Chat, Seen, read_event


class Inboxes:
    """What the sockets of every user would have got: notices applied in commit order, as their contract says."""

    def __init__(self, chat: Chat) -> None:
        self.groups: dict[str, set[str]] = {}
        self.streamed: list[tuple[str, dict[str, Any]]] = []
        self._seen: dict[str, list[Seen]] = {}
        chat.listeners.append(self._apply)

    def _apply(self, notice: Notice) -> None:
        match notice:
            case Join(user_arn=user, group=group):
                self.groups.setdefault(group, set()).add(user)
            case Leave(user_arn=user, group=group):
                self.groups[group].discard(user)
            case Dissolve(group=group):
                self.groups.pop(group, None)
            case Deliver(group=group):
                members = self.groups.get(group, set()) if group is not None else set()
                for user in members.union(notice.users):
                    self._seen.setdefault(user, []).append(read_event(notice))
            case Stream():
                self.streamed.append((notice.event_type, msgspec.json.decode(notice.payload)))
            case _:
                pass

    def take(self, user: str) -> list[Seen]:
        """Events that a user got since the last time."""
        return self._seen.pop(user, [])

    def types(self, user: str) -> list[str]:
        """Types of the events that a user got since the last time."""
        return [event.type for event in self.take(user)]

    def clear(self) -> None:
        self._seen.clear()
        self.streamed.clear()
