"""From the words of a message to the parameters of a function, by its annotations. Pure."""

from __future__ import annotations

import enum
import inspect
import math
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from chime_messaging.bots.errors import ArgumentError
from chime_messaging.errors import ConfigurationError

Reader = Callable[[str], Any]
"""Makes a value of a word; raises ValueError, saying what the word should be."""

_WORD = re.compile(r'"(?P<double>(?:\\.|[^"\\])*)"|\'(?P<single>(?:\\.|[^\'\\])*)\'|(?P<plain>\S+)')
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_TRUE = frozenset(("yes", "true", "on", "1", "y"))
_FALSE = frozenset(("no", "false", "off", "0", "n"))


class Word(NamedTuple):
    """A word of a message, quotes removed, and where it begins."""

    text: str
    start: int


def split(text: str) -> list[Word]:
    """Split at white space; quotes keep several words together. A quote without an end is an ordinary character."""
    words = []
    for found in _WORD.finditer(text):
        quoted = found["double"] if found["double"] is not None else found["single"]
        word = found["plain"] if quoted is None else _ESCAPE.sub(r"\1", quoted)
        words.append(Word(word, found.start()))
    return words


@dataclass(frozen=True)
class Parameter:
    """One parameter of a command."""

    name: str
    read: Reader
    form: Literal["word", "many", "rest"]
    """One word, any number of words (``*names``), or the rest of the message as it stands (``*, text``)."""
    required: bool

    @property
    def usage(self) -> str:
        """How it is written in a line of help."""
        shown = self.name + ("..." if self.form != "word" else "")
        return f"<{shown}>" if self.required else f"[{shown}]"


class Parameters:
    """The parameters of a function after its first, which takes the context.

    Args:
        function: What is to be called. ``str``, ``int``, ``float``, ``bool``, enumerations, ``Literal``, ``X | None``
            and ``Annotated[X, reader]`` are read; a parameter without annotation is text.

    Raises:
        ConfigurationError: if it has no place for the context, or a parameter that no text can fill.
    """

    def __init__(self, function: Callable[..., object]) -> None:
        signature = inspect.signature(function)
        hints = get_type_hints(function, include_extras=True)
        every = list(signature.parameters.values())
        if not every or every[0].kind not in (
            inspect.Parameter.POSITIONAL_ONLY,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
        ):
            raise ConfigurationError(_name(function), "takes no context as its first parameter")
        self._parameters = [_parameter(function, each, hints.get(each.name, str)) for each in every[1:]]
        self.usage = " ".join(each.usage for each in self._parameters)
        """For example ``<question...>`` or ``[sides] [times]``."""

    def read(self, text: str, usage: str) -> tuple[list[Any], dict[str, Any]]:
        """Read what follows a command; return positional and named arguments.

        Raises:
            ArgumentError: if a word is missing, of the wrong kind, or too many.
        """
        words = split(text)
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for parameter in self._parameters:
            if parameter.required and not words:
                raise ArgumentError(f"{parameter.name} is missing", usage)
            if not words:
                break
            if parameter.form == "rest":
                named[parameter.name] = _read(parameter, text[words[0].start :].strip(), usage)
                words = []
            elif parameter.form == "many":
                positional += [_read(parameter, word.text, usage) for word in words]
                words = []
            else:
                positional.append(_read(parameter, words.pop(0).text, usage))
        if words:
            raise ArgumentError(f"{words[0].text[:40]!r} is too much", usage)
        return positional, named


def _read(parameter: Parameter, text: str, usage: str) -> Any:
    try:
        return parameter.read(text)
    except ValueError as exc:
        raise ArgumentError(f"{parameter.name} should be {exc}, not {text[:40]!r}", usage) from exc


def _parameter(function: Callable[..., object], parameter: inspect.Parameter, annotation: Any) -> Parameter:
    reader = reader_of(annotation)
    if reader is None or parameter.kind is parameter.VAR_KEYWORD:
        problem = f"{parameter.name}: no text becomes {annotation!r}; say how with Annotated[type, function]"
        raise ConfigurationError(_name(function), problem)
    required = parameter.default is parameter.empty
    if parameter.kind is parameter.VAR_POSITIONAL:
        return Parameter(parameter.name, reader, "many", required=False)
    return Parameter(parameter.name, reader, "rest" if parameter.kind is parameter.KEYWORD_ONLY else "word", required)


def reader_of(annotation: Any) -> Reader | None:
    """Return what reads a word for a parameter with this annotation; None if nothing does."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        given = next((extra for extra in arguments[1:] if callable(extra)), None)
        return given or reader_of(arguments[0])
    if origin is Literal:
        return _choice({str(value): value for value in arguments})
    if origin in (Union, types.UnionType):
        others = [each for each in arguments if each is not type(None)]
        return reader_of(others[0]) if len(others) == 1 else None
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return _choice({member.name.lower(): member for member in annotation})
    return _READERS.get(annotation)


def _choice(values: Mapping[str, Any]) -> Reader:
    folded = {name.casefold(): value for name, value in values.items()}

    def read(text: str) -> Any:
        try:
            return folded[text.casefold()]
        except KeyError:
            raise ValueError(f"one of {', '.join(values)}") from None

    return read


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("a whole number") from None


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError("a number")
    return value


def _truth(text: str) -> bool:
    if text.casefold() in _TRUE:
        return True
    if text.casefold() in _FALSE:
        return False
    raise ValueError("yes or no")


_READERS: dict[Any, Reader] = {str: str, Any: str, int: _integer, float: _number, bool: _truth}


def _name(function: Callable[..., object]) -> str:
    return getattr(function, "__qualname__", repr(function))
