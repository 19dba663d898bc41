"""What a bot keeps of a channel between messages and over restarts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

import msgspec

_encode = msgspec.json.Encoder(order="sorted").encode


class ChannelState(MutableMapping[str, Any]):
    """Values by name: whatever JSON can say. Changes inside a value count, too.

    What a handler changes is stored together with the fact that its message was answered, all or nothing: after a
    crash in between, the message is handled again with the state as it was.

    Args:
        stored: The values as JSON texts.
    """

    def __init__(self, stored: Mapping[str, bytes]) -> None:
        self._stored = stored
        self._values: dict[str, Any] = {name: msgspec.json.decode(text) for name, text in stored.items()}

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._values[name] = value

    def __delitem__(self, name: str) -> None:
        del self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def changes(self) -> dict[str, bytes | None]:
        """Return the JSON text of each value that is not as it was stored; None for those that are gone.

        Raises:
            TypeError: if a value is nothing that JSON can say.
        """
        written = {name: _encode(value) for name, value in self._values.items()}
        changed: dict[str, bytes | None] = {
            name: text for name, text in written.items() if text != self._stored.get(name)
        }
        changed.update(dict.fromkeys(name for name in self._stored if name not in written))
        return changed
