"""What the pages name exists, and what must be named is."""

import importlib
import re
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

import chime_media
import chime_messaging
from chime_media.observers import MEDIA_SESSION
from chime_messaging import MessagingSession, MessagingSessionConfiguration
from chime_messaging.cli.app import app
from chime_messaging.errors import ChimeError
from chime_messaging.events import EVENT_TYPES
from chime_messaging.observers.subscription import DEFAULT_SIZE, Policy
from chime_messaging.protocol.messaging_session import TRANSITIONS
from chime_messaging.server.rest.model import service_model
from tests.docs.pages import DOCS, ROOT, pages

USER = "arn:aws:chime:us-east-1:123456789012:app-instance/7f6e5c4d-0000-4000-8000-000000000001/user/alice"
OFFICIAL_NAMES = DOCS / "reference" / "official_names.md"


def our_names() -> list[str]:
    """Names of ours in the second column of the tables of official names."""
    rows = [line.split(" | ") for line in OFFICIAL_NAMES.read_text().splitlines() if line.startswith("| ")]
    cells = [cell for row in rows for cell in row[1:] if row[1] != "here"]
    names = {name for cell in cells for name in re.findall(r"`([A-Za-z_.]+)`", cell)}
    return sorted(
        name for name in names if name not in ("logging", "chime_messaging", "chime_media", "CHANNEL_DETAILS")
    )


def _named(name: str) -> Any:
    return getattr(chime_messaging if name in chime_messaging.__all__ else chime_media, name)


@pytest.mark.parametrize("name", our_names())
def test_name_that_stands_beside_an_official_one_exists(name: str) -> None:
    first, *rest = name.split(".")
    room = first in ("aws", "protocol", "transport", "wire")
    thing: Any = importlib.import_module(f"chime_messaging.{first}") if room else _named(first)
    for part in rest:
        if thing is MessagingSession:
            thing = MessagingSession(MessagingSessionConfiguration(USER))
        fields = getattr(thing, "__struct_fields__", ()) or getattr(thing, "__dataclass_fields__", ())
        assert hasattr(thing, part) or part in fields, name
        thing = getattr(thing, part, None)


def test_every_setting_and_every_method_of_the_official_session_is_mapped() -> None:
    text = OFFICIAL_NAMES.read_text()
    for name in ("start()", "stop()", "addObserver", "removeObserver", "forEachObserver"):
        assert f"`session.{name}" in text
    for event in ("DidStartConnecting", "DidStart()", "DidReceiveMessage", "DidStop"):
        assert f"`messagingSession{event}" in text


def test_every_official_observer_method_is_mapped() -> None:
    text = OFFICIAL_NAMES.read_text()
    for name in MEDIA_SESSION.names:
        assert name.startswith("on_") or f"Observer.{name}`" in text, name


def test_every_command_has_its_place_on_the_page() -> None:
    def names(group: Any, prefix: str) -> list[str]:
        found = []
        for name, command in group.commands.items():
            full = f"{prefix} {name}"
            found += names(command, full) if hasattr(command, "commands") else [full]
        return found

    page = (DOCS / "reference" / "cli.md").read_text()
    shown = re.findall(r"```\{chime-command\} (.+)", page)
    assert sorted(shown) == sorted(names(typer.main.get_command(app), "chime"))


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_errors_events_and_operations_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text()
    operations = {*service_model("messaging").operation_names, *service_model("identity").operation_names}
    for name in re.findall(r"`([A-Z][A-Za-z]+Error)`", text):
        assert issubclass(getattr(chime_messaging, name, type), ChimeError), name
    verbs = (
        "Create|Delete|Describe|List|Put|Get|Update|Send|Redact|Associate|Disassociate|Batch|Register|Deregister|Tag"
    )
    for name in re.findall(rf"`((?:{verbs})(?:Channel|AppInstance|Messaging|Resource|Sub)[A-Za-z]*)`", text):
        assert name in operations, name
    for name in re.findall(r"`((?:CREATE|UPDATE|DELETE|REDACT|DENIED|FAILED|PENDING)_[A-Z_]+)`", text):
        assert name in EVENT_TYPES, name


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_drawing_of_the_states_has_every_transition() -> None:
    pytest.importorskip("docutils", reason="pip install -e '.[dev]' for what builds the documentation")
    sys.path.insert(0, str(DOCS / "_ext"))
    try:
        drawing: str = importlib.import_module("diagrams").drawing()
    finally:
        sys.path.remove(str(DOCS / "_ext"))
    assert drawing.count("<polyline") == sum(map(len, TRANSITIONS.values()))
    assert drawing.count("<rect") == len(TRANSITIONS)
    assert {state.name for state in TRANSITIONS} <= set(re.findall(r">([A-Z]+)</text>", drawing))


def test_every_policy_of_mailboxes_is_told() -> None:
    page = (DOCS / "guides" / "observers.md").read_text()
    assert re.findall(r'^\| `"(\w+)"` \|', page, re.MULTILINE) == list(get_args(Policy))
    assert f"A mailbox holds {DEFAULT_SIZE} events" in page


def test_the_readme_counts_operations_right() -> None:
    text = (ROOT / "README.md").read_text()
    counts = {name: len(service_model(name).operation_names) for name in ("messaging", "identity", "meetings")}
    assert f"all {sum(counts.values())} operations" in text
    for service, count in counts.items():
        assert f"{count} chime-sdk-{service}" in text
