"""Words to parameters."""

import enum
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_messaging.bots.arguments import Parameters, split
from chime_messaging.bots.errors import ArgumentError
from chime_messaging.errors import ConfigurationError


class Colour(enum.Enum):
    RED = 1
    DARK_BLUE = 2


def even(text: str) -> int:
    if int(text) % 2:
        raise ValueError("an even number")
    return int(text)


async def number(context: Any, value: int) -> None: ...
async def optional(context: Any, value: float | None = None) -> None: ...
async def truth(context: Any, value: bool) -> None: ...
async def colour(context: Any, value: Colour) -> None: ...
async def choice(context: Any, value: Literal["a", "B", 3]) -> None: ...
async def own(context: Any, value: Annotated[int, even]) -> None: ...
async def many(context: Any, first: str, *others: int) -> None: ...
async def rest(context: Any, to: str, *, text: str) -> None: ...
async def plain(context, value) -> None: ...  # type: ignore[no-untyped-def]


@pytest.mark.parametrize(
    ("function", "text", "expected"),
    [
        (number, "-12", ([-12], {})),
        (optional, "", ([], {})),
        (optional, "1.5", ([1.5], {})),
        (truth, "Yes", ([True], {})),
        (truth, "off", ([False], {})),
        (colour, "dark_blue", ([Colour.DARK_BLUE], {})),
        (choice, "b", (["B"], {})),
        (choice, "3", ([3], {})),
        (own, "4", ([4], {})),
        (many, "x 1 2 3", (["x", 1, 2, 3], {})),
        (many, "x", (["x"], {})),
        (rest, 'bob  "hello"   there ', (["bob"], {"text": '"hello"   there'})),
        (plain, '"two words"', (["two words"], {})),
    ],
)
def test_words_become_what_the_annotation_says(
    function: Callable[..., object], text: str, expected: tuple[list[Any], dict[str, Any]]
) -> None:
    assert Parameters(function).read(text, "/x") == expected


@pytest.mark.parametrize(
    ("function", "text", "problem"),
    [
        (number, "", "value is missing"),
        (number, "one", "value should be a whole number, not 'one'"),
        (number, "1 2", "'2' is too much"),
        (number, "9" * 5000, f"value should be a whole number, not '{'9' * 40}'"),
        (optional, "nan", "value should be a number, not 'nan'"),
        (truth, "perhaps", "value should be yes or no, not 'perhaps'"),
        (colour, "green", "value should be one of red, dark_blue, not 'green'"),
        (own, "3", "value should be an even number, not '3'"),
        (rest, "bob", "text is missing"),
    ],
)
def test_wrong_words_are_explained(function: Callable[..., object], text: str, problem: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        Parameters(function).read(text, "/x <value>")
    assert str(caught.value) == f"{problem}. Usage: /x <value>"


def test_usage_shows_what_may_be_missing() -> None:
    assert Parameters(rest).usage == "<to> <text...>"
    assert Parameters(many).usage == "<first> [others...]"
    assert Parameters(optional).usage == "[value]"


def test_function_that_no_text_can_call_is_refused_at_once() -> None:
    async def takes_bytes(context: Any, value: bytes) -> None: ...
    async def takes_nothing() -> None: ...
    async def takes_options(context: Any, **options: str) -> None: ...

    for function in (takes_bytes, takes_nothing, takes_options):
        with pytest.raises(ConfigurationError):
            Parameters(function)


@given(st.text(max_size=200))
def test_every_text_can_be_split(text: str) -> None:
    for word in split(text):
        assert 0 <= word.start < len(text)


@given(st.text(max_size=200))
def test_hostile_words_are_an_argument_or_an_argument_error(text: str) -> None:
    for function in (number, optional, truth, colour, choice, many, rest):
        try:
            Parameters(function).read(text, "/x")
        except ArgumentError:
            continue


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_quoted_word_is_one_word(text: str) -> None:
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert [word.text for word in split(quoted)] == [text]
