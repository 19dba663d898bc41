"""Lists of the control plane, page by page. boto3 has no paginators for these services.

An iterator and not a generator: leaving one half-way needs no clean-up, on any event loop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Generic, Self, TypeVar

from chime_messaging.errors import ProtocolError

PAGE = 50
"""Items per request; the most that the service gives."""

T = TypeVar("T")

Call = Callable[..., Awaitable[dict[str, Any]]]


class Items(Generic[T]):
    """The items of a list operation, fetched as they are read.

    Args:
        call: Makes the call: takes the operation's name and its parameters.
        operation: For example ``ListChannels``.
        member: Member of the response that holds the items.
        convert: Makes of an item what is given out.
        **params: Further parameters of the operation.
    """

    def __init__(
        self, call: Call, operation: str, member: str, convert: Callable[[dict[str, Any]], T], **params: Any
    ) -> None:
        self._call = call
        self._operation = operation
        self._member = member
        self._convert = convert
        self._params = params
        self._items: deque[dict[str, Any]] = deque()
        self._token: str | None = None
        self._more = True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._items:
            if not self._more:
                raise StopAsyncIteration
            await self._fetch()
        return self._convert(self._items.popleft())

    async def _fetch(self) -> None:
        response = await self._call(self._operation, MaxResults=PAGE, NextToken=self._token, **self._params)
        token = response.get("NextToken") or None
        if token is not None and token == self._token:
            raise ProtocolError(f"{self._operation}: the same NextToken came twice")
        self._items.extend(response.get(self._member) or ())
        self._token, self._more = token, token is not None
