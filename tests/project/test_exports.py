"""What users may import, and what importing costs."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import chime_messaging
from chime_messaging import errors, events, meeting_events

ROOT = Path(__file__).parents[2]
ROOMS = ["aws", "bots", "observers", "protocol", "server", "sessions", "state", "testing", "transport", "wire"]


def fresh(code: str) -> str:
    """Run code in an interpreter of its own; its output."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True).stdout.strip()


def classes(module: object, base: type) -> set[str]:
    return {name for name, kind in vars(module).items() if isinstance(kind, type) and issubclass(kind, base)}


EVENTS = classes(events, events.Event) | classes(meeting_events, events.Event)


def test_every_event_and_error_can_be_imported_from_the_package() -> None:
    offered = set(chime_messaging.__all__)
    assert offered >= EVENTS
    assert classes(errors, errors.ChimeError) <= offered


def test_the_package_offers_besides_them_what_programs_need_every_day() -> None:
    rest = set(chime_messaging.__all__) - EVENTS - classes(errors, errors.ChimeError)
    assert rest == {
        "Channel",
        "ChannelMessage",
        "Channels",
        "ChimeSession",
        "DataMessage",
        "DataMessageSession",
        "Envelope",
        "MeetingSessionConfiguration",
        "MeetingSessionObserver",
        "MeetingSessionStatusCode",
        "MessagingSession",
        "MessagingSessionConfiguration",
        "MessagingSessionObserver",
        "PrefetchOn",
        "PrefetchSortBy",
        "RosterAttendee",
        "SentMessage",
    }


@pytest.mark.parametrize("name", chime_messaging.__all__)
def test_what_the_package_offers_is_what_the_room_has(name: str) -> None:
    thing = getattr(chime_messaging, name)
    assert thing is getattr(importlib.import_module(thing.__module__), name)
    assert thing.__module__.startswith("chime_messaging.")


@pytest.mark.parametrize("room", ["", *(f".{room}" for room in ROOMS)])
def test_all_is_sorted_complete_and_importable(room: str) -> None:
    module = importlib.import_module(f"chime_messaging{room}")
    public: list[str] = module.__all__
    assert public == sorted(public, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert len(set(public)) == len(public)
    for name in public:
        assert getattr(module, name) is not None
    assert set(public) <= set(dir(module))


@pytest.mark.parametrize("room", ["", ".server", ".state"])
def test_type_checkers_see_the_names_that_are_loaded_late(room: str) -> None:
    module = importlib.import_module(f"chime_messaging{room}")
    tree = ast.parse(Path(str(module.__file__)).read_text())
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == set(module.__all__)


@pytest.mark.parametrize("room", ["", ".server", ".state"])
def test_an_unknown_name_is_an_attribute_error(room: str) -> None:
    module = importlib.import_module(f"chime_messaging{room}")
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = module.Nothing


def test_importing_the_package_loads_no_dependency() -> None:
    heavy = ("anyio", "boto3", "botocore", "msgspec", "websockets", "sqlalchemy", "uvicorn", "ssl", "asyncio")
    code = f"import sys, chime_messaging; print([name for name in {heavy} if name in sys.modules])"
    assert fresh(code) == "[]"


def test_events_and_errors_need_neither_boto3_nor_an_event_loop() -> None:
    code = (
        "import sys; from chime_messaging import MessageCreated, DataMessage, LimitError;"
        "print([name for name in ('anyio', 'boto3', 'websockets') if name in sys.modules])"
    )
    assert fresh(code) == "[]"


def test_a_client_loads_nothing_of_the_server() -> None:
    code = (
        "import sys; from chime_messaging import *;"
        "print([name for name in sys.modules if name.startswith(('chime_messaging.server', 'sqlalchemy', 'uvicorn'))])"
    )
    assert fresh(code) == "[]"
