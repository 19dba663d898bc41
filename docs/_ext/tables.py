"""``{chime-table} NAME``: tables made from the code when the docs are built, so they cannot drift."""

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from diagrams import StateDiagram
from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.pycode import ModuleAnalyzer

from chime_messaging import errors, events
from chime_messaging.errors import ConnectionClosed
from chime_messaging.observers.observer import MessagingSessionObserver, snake_case
from chime_messaging.protocol import resume
from chime_messaging.protocol.messaging_session import SERVER_TRANSITIONS, TRANSITIONS
from chime_messaging.protocol.reconnect import CLOSE_CODES, is_retryable, terminal_error
from chime_messaging.server import prefetch, quotas, streams
from chime_messaging.server.broker import MAX_CONNECTIONS_PER_USER
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.environment import client_environment
from chime_messaging.server.identity.admins import ADMIN_LIMIT
from chime_messaging.server.identity.app_instances import APP_INSTANCE_LIMIT
from chime_messaging.server.identity.endpoints import ENDPOINT_LIMIT
from chime_messaging.server.identity.users import USER_LIMIT
from chime_messaging.server.local_server import LocalServer
from chime_messaging.server.meetings import limits as meeting_limits
from chime_messaging.server.messaging import flows
from chime_messaging.server.messaging import quotas as counts
from chime_messaging.server.messaging.authorization import RULES, Rule
from chime_messaging.server.operations import HANDLERS
from chime_messaging.server.rest.bearers import BearerRule
from chime_messaging.server.rest.model import service_model
from chime_messaging.server.serving import register_handlers
from chime_messaging.sessions.channels import Channel, Channels
from chime_messaging.sessions.configuration import MessagingSessionConfiguration
from chime_messaging.sessions.pages import PAGE
from chime_messaging.sessions.resume import LISTING_TRIES
from chime_messaging.wire import limits

Row = tuple[str, ...]


def paragraphs(thing: Any) -> list[str]:
    """Paragraphs of a docstring, each on one line."""
    return [" ".join(part.split()) for part in (inspect.getdoc(thing) or "").split("\n\n")]


def first_line(thing: Any) -> str:
    """First line of a docstring."""
    return (thing.__doc__ or "").strip().splitlines()[0]


# Events


def event_rows() -> Iterator[Row]:
    """Wire names, our classes, and what they carry."""
    yield "Official event type", "Class", "Observer method", "Carries"
    for wire_name, kind in events.EVENT_TYPES.items():
        own = [f"`{field}`" for field in kind.__struct_fields__ if field not in ("envelope", "recovered")]
        method = f"on_{snake_case(kind.__name__)}"
        assert hasattr(MessagingSessionObserver, method)
        yield f"`{wire_name}`", f"`{kind.__name__}`", f"`{method}`", ", ".join(own) or "nothing"


def lifecycle_rows() -> Iterator[Row]:
    """Events that do not come from a frame."""
    yield "Class", "Carries", "Meaning"
    for name, kind in vars(events).items():
        direct = isinstance(kind, type) and issubclass(kind, events.Event) and kind is not events.Event
        if direct and not issubclass(kind, events.ChannelEvent):
            fields = ", ".join(f"`{field}`" for field in kind.__struct_fields__)
            yield f"`{name}`", fields, first_line(kind)


# Connections


def close_code_rows() -> Iterator[Row]:
    """The close-code table, and what ends a session."""
    yield "Code", "Tried again", "Meaning", "Error of `SessionStopped`"
    for code, row in CLOSE_CODES.items():
        error = "" if row.retry else f"`{type(terminal_error(ConnectionClosed(code))).__name__}`"
        yield str(code), "yes" if row.retry else "no", row.meaning, error
    assert is_retryable(4001)
    assert not is_retryable(3999)
    yield "any other above 4000", "yes", "not specified by the service", ""
    yield "any other", "no", "not specified by the service", "`SessionStoppedError`"


def transition_rows(table: Any) -> Callable[[], Iterator[Row]]:
    """A transition table: one row per state, one column per signal."""

    def rows() -> Iterator[Row]:
        signals = list(dict.fromkeys(signal for moves in table.values() for signal in moves))
        yield "State", *(f"`{signal.name}`" for signal in signals)
        for state, moves in table.items():
            cells = (f"`{moves[signal].name}`" if signal in moves else "" for signal in signals)
            yield f"`{state.name}`", *cells

    return rows


def gap_rows() -> Iterator[Row]:
    """What ends in a gap, and where the bounds are."""
    yield "Reason", "Bound"
    yield "more was said in one channel than is fetched", f"{resume.MAX_PAGES} pages of {PAGE} messages"
    yield (
        "more live events waited for a channel than are held",
        f"{resume.MAX_HELD:,} in one channel, {resume.MAX_HELD_IN_ALL:,} in all",
    )
    reason = (
        "a channel could not be read, or (then `channel_arn` is empty) the list of channels; `reason` tells the error"
    )
    yield reason, f"{LISTING_TRIES} tries, each with the control plane's own retries"


# Errors


def error_rows() -> Iterator[Row]:
    """Every error, with the built-in one that it is, too."""
    yield "Class", "Is also a", "Worth another try", "Meaning"
    yield from _error_rows(errors.ChimeError, 0)


def _error_rows(kind: type[errors.ChimeError], depth: int) -> Iterator[Row]:
    builtin = [
        f"`{base.__name__}`" for base in kind.__bases__ if base.__module__ == "builtins" and base is not Exception
    ]
    indent = "\N{NO-BREAK SPACE}" * 4 * depth
    yield f"{indent}`{kind.__name__}`", ", ".join(builtin), "yes" if kind.retryable else "", first_line(kind)
    for child in kind.__subclasses__():
        if child.__module__.startswith(f"{errors.__name__}."):
            yield from _error_rows(child, depth + 1)


# Operations


CELLS = {
    Rule.YES: "yes",
    Rule.PUBLIC: "public channels",
    Rule.OWN: "own",
    Rule.MEMBERSHIP: "with a membership",
    Rule.SEND: "with a membership that is not hidden",
    Rule.ADD: "unrestricted channels",
    Rule.JOIN: "themselves, public channels",
}


def operation_rows(service: str) -> Callable[[], Iterator[Row]]:
    """What the local server does for each operation of a service."""

    def rows() -> Iterator[Row]:
        register_handlers()
        yield "Operation", "Bearer", "What the local server does"
        model = service_model(service)
        for name in model.operation_names:
            rule = BearerRule(model.operation_model(name))
            bearer = "required" if rule.required else "optional" if rule.taken else "none"
            yield f"`{name}`", bearer, _meaning(service, name)

    return rows


def _meaning(service: str, name: str) -> str:
    if name == "GetMessagingSessionEndpoint":
        return "Answer with the server's own host and port, or with the public host it was started with."
    return " ".join(paragraphs(HANDLERS[service, name])[:2])


def role_rows() -> Iterator[Row]:
    """The role matrix."""
    yield "Action", "Administrator", "Moderator", "Member", "Other users"
    for action, rules in RULES.items():
        yield f"`{action}`", *(CELLS.get(rule, "") for rule in rules)


def method_rows() -> Iterator[Row]:
    """Operations and the methods that call them."""
    yield "Operation", "Method", "What it does"
    found: dict[str, tuple[str, str]] = {}
    for kind, name in ((Channel, "Channel"), (Channels, "Channels")):
        for method, function in inspect.getmembers(kind, inspect.isfunction):
            for official in re.findall(r"Official name: (\w+)\.", inspect.getdoc(function) or ""):
                summary = re.sub(r" Official name: \w+\.", "", first_line(function))
                found[official] = (f"`{name}.{method}`", summary)
    found["ListChannelMessages"] = ("`Channel.messages`", first_line(Channel.messages))
    for official, cells in sorted(found.items()):
        assert official in service_model("messaging").operation_names, official
        yield f"`{official}`", *cells


# Limits


def limit_rows() -> Iterator[Row]:
    """What the client checks before it asks."""
    yield "Limit", "Value"
    for name, value in vars(limits).items():
        if name.isupper() and isinstance(value, int):
            *words, unit = name.lower().split("_")
            if name in ("BATCH_MEMBERS", "CREATE_MEMBERS", "SEARCH_VALUES"):
                yield PER_REQUEST[name], str(value)
            else:
                yield " ".join(words), f"{value} {unit}"


PER_REQUEST = {
    "BATCH_MEMBERS": "members per BatchCreateChannelMembership (`add_members` sends as many requests as it takes)",
    "CREATE_MEMBERS": "members, and moderators, given to CreateChannel",
    "SEARCH_VALUES": "members given to SearchChannels",
}


def rate_rows() -> Iterator[Row]:
    """The rate quotas."""
    yield "Quota", "Per second", "Counted for each", "Operations"
    yield "new websockets", f"{quotas.CONNECTIONS_PER_SECOND:g} (burst {quotas.CONNECTION_BURST})", "user", ""
    for quota in quotas.QUOTAS:
        names = ", ".join(f"`{name}`" for _, name in sorted(quota.operations))
        scope = quota.scope if quota.shared else f"{quota.scope} and operation"
        rate = f"{quota.rate:g}" if quota.at_once is None else f"{quota.rate:g} (burst {quota.at_once:g})"
        yield quota.name, rate, scope, names or "all that take a bearer"


def count_rows() -> Iterator[Row]:
    """The count quotas, and what prefetch sends."""
    yield "Quota", "Value"
    yield "websockets of a user", str(MAX_CONNECTIONS_PER_USER)
    for name, value in vars(counts).items():
        if name.isupper() and isinstance(value, int):
            yield name.lower().replace("_", " "), f"{value:,}"
    yield "channel flows per app instance", str(flows.MAX_FLOWS)
    yield "app instances per account", str(APP_INSTANCE_LIMIT)
    yield "administrators per app instance", str(ADMIN_LIMIT)
    yield "users per app instance", f"{USER_LIMIT:,}"
    yield "endpoints per user", str(ENDPOINT_LIMIT)
    yield "channels that prefetch tells", str(prefetch.MAX_CHANNELS)
    yield "messages per prefetched channel", str(prefetch.MAX_MESSAGES)
    yield "members per prefetched channel", str(prefetch.MAX_MEMBERSHIPS)
    yield "records that memory keeps of a stream", f"{streams.MAX_REMEMBERED:,}"
    yield "attendees per meeting", str(meeting_limits.ATTENDEES_PER_MEETING)
    yield (
        "attendees in a meeting with FHD video or UHD content",
        str(meeting_limits.ATTENDEES_PER_HIGH_DEFINITION_MEETING),
    )
    yield "replicas per primary meeting", str(meeting_limits.REPLICAS_PER_PRIMARY_MEETING)


# Settings


def setting_rows(kind: Any) -> Callable[[], Iterator[Row]]:
    """The fields of a configuration: defaults and docstrings."""

    def rows() -> Iterator[Row]:
        yield "Field", "Default", "Meaning"
        docs = ModuleAnalyzer.for_module(kind.__module__).find_attr_docs()
        for field in dataclasses.fields(kind):
            default = "required" if field.default is dataclasses.MISSING else _default(field.default)
            yield f"`{field.name}`", default, " ".join(" ".join(docs.get((kind.__name__, field.name), [])).split())

    return rows


def _default(value: object) -> str:
    if isinstance(value, tuple) and value:
        return "those of `chime env`"
    if isinstance(value, str) and type(value) is not str:
        return f"`{value.name}`"  # type: ignore[attr-defined]  # a StrEnum
    return f"`{value!r}`"


def environment_rows() -> Iterator[Row]:
    """The variables of ``chime env``."""
    yield "Variable", "Value"
    for name, value in client_environment("http://127.0.0.1:8765").items():
        yield f"`{name}`", f"`{value}`"


def metric_rows() -> Iterator[Row]:
    """What a running server exposes."""
    yield "Metric", "Type", "Meaning"
    with LocalServer() as server:
        for metric in server.node.metrics.registry.collect():
            suffix = "_total" if metric.type == "counter" else ""
            yield f"`{metric.name}{suffix}`", metric.type, metric.documentation


TABLES: dict[str, Callable[[], Iterable[Row]]] = {
    "events": event_rows,
    "lifecycle": lifecycle_rows,
    "close-codes": close_code_rows,
    "gaps": gap_rows,
    "client-transitions": transition_rows(TRANSITIONS),
    "server-transitions": transition_rows(SERVER_TRANSITIONS),
    "errors": error_rows,
    "messaging-operations": operation_rows("messaging"),
    "identity-operations": operation_rows("identity"),
    "meetings-operations": operation_rows("meetings"),
    "roles": role_rows,
    "methods": method_rows,
    "limits": limit_rows,
    "rates": rate_rows,
    "counts": count_rows,
    "session-settings": setting_rows(MessagingSessionConfiguration),
    "server-settings": setting_rows(ServerConfiguration),
    "environment": environment_rows,
    "metrics": metric_rows,
}


def inline(text: str) -> list[nodes.Node]:
    """Text with names in backticks as code."""
    parts: list[nodes.Node] = []
    for number, part in enumerate(re.split(r"`+", text)):
        if part:
            parts.append(nodes.literal(text=part) if number % 2 else nodes.Text(part))
    return parts


def build(rows: Iterable[Row]) -> nodes.table:
    """Build a table; the first row is its head."""
    header, *body = rows
    table = nodes.table()
    group = nodes.tgroup(cols=len(header))
    table += group
    group += [nodes.colspec(colwidth=1) for _ in header]
    head = nodes.thead()
    head += row_of(header)
    rest = nodes.tbody()
    rest += [row_of(cells) for cells in body]
    group += [head, rest]
    return table


def row_of(cells: Row) -> nodes.row:
    """One row."""
    row = nodes.row()
    for cell in cells:
        entry = nodes.entry()
        entry += nodes.paragraph("", "", *inline(cell))
        row += entry
    return row


class ChimeTable(Directive):
    """Insert one of `TABLES`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Build the table's nodes."""
        return [build(TABLES[self.arguments[0]]())]


def setup(app: Any) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("chime-table", ChimeTable)
    app.add_directive("chime-states", StateDiagram)
    return {"parallel_read_safe": True}
