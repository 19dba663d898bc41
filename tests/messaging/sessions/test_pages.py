from typing import Any

import pytest

from chime_messaging.errors import ConnectError, ProtocolError
from chime_messaging.sessions.pages import PAGE, Items

pytestmark = pytest.mark.anyio


class Pages:
    """Answers a list operation by script; an exception in the script is raised."""

    def __init__(self, *script: dict[str, Any] | Exception) -> None:
        self.script = list(script)
        self.asked: list[dict[str, Any]] = []

    async def call(self, operation: str, **params: Any) -> dict[str, Any]:
        self.asked.append({"operation": operation, **params})
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def items(pages: Pages) -> Items[int]:
    return Items(pages.call, "ListThings", "Things", lambda item: int(item["N"]), Scope="all")


async def test_items_of_all_pages_come_in_order_and_empty_pages_are_passed_over() -> None:
    pages = Pages(
        {"Things": [{"N": 1}, {"N": 2}], "NextToken": "a"},
        {"Things": [], "NextToken": "b"},
        {"NextToken": "c"},
        {"Things": [{"N": 3}]},
    )
    assert [item async for item in items(pages)] == [1, 2, 3]
    assert [asked["NextToken"] for asked in pages.asked] == [None, "a", "b", "c"]
    assert pages.asked[0] == {"operation": "ListThings", "MaxResults": PAGE, "NextToken": None, "Scope": "all"}


async def test_pages_are_fetched_only_when_they_are_read() -> None:
    pages = Pages({"Things": [{"N": 1}, {"N": 2}], "NextToken": "a"})
    async for item in items(pages):
        if item == 2:
            break
    assert len(pages.asked) == 1


async def test_after_an_error_reading_goes_on_with_the_same_page() -> None:
    pages = Pages({"Things": [{"N": 1}], "NextToken": "a"}, ConnectError("host", "gone"), {"Things": [{"N": 2}]})
    listing = items(pages)
    assert await anext(listing) == 1
    with pytest.raises(ConnectError):
        await anext(listing)
    assert await anext(listing) == 2


async def test_service_that_turns_in_a_circle_is_noticed() -> None:
    pages = Pages({"NextToken": "a"}, {"NextToken": "a"})
    with pytest.raises(ProtocolError, match="ListThings: the same NextToken came twice"):
        await anext(items(pages))
