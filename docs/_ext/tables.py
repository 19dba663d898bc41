"""``{chime-table} NAME``: tables made from the code when the docs are built, so they cannot drift."""

from collections.abc import Callable, Iterable
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive

from chime_messaging import events

Row = tuple[str, ...]


def first_line(thing: Any) -> str:
    """First line of a docstring."""
    return (thing.__doc__ or "").strip().splitlines()[0]


def event_rows() -> Iterable[Row]:
    """Wire names, our classes, and what they carry."""
    yield "Official event type", "Class", "Carries"
    for wire_name, kind in events.EVENT_TYPES.items():
        own = [field for field in kind.__struct_fields__ if field not in ("envelope", "recovered")]
        yield wire_name, kind.__name__, ", ".join(own) or "nothing"


def lifecycle_rows() -> Iterable[Row]:
    """Events that do not come from a frame."""
    yield "Class", "Meaning"
    for name in vars(events):
        kind = getattr(events, name)
        direct = isinstance(kind, type) and issubclass(kind, events.Event) and kind is not events.Event
        if direct and not issubclass(kind, events.ChannelEvent):
            yield name, first_line(kind)


TABLES: dict[str, Callable[[], Iterable[Row]]] = {"events": event_rows, "lifecycle": lifecycle_rows}


class ChimeTable(Directive):
    """Insert one of `TABLES`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Build the table's nodes."""
        header, *body = TABLES[self.arguments[0]]()
        table = nodes.table()
        group = nodes.tgroup(cols=len(header))
        table += group
        group += [nodes.colspec(colwidth=1) for _ in header]
        head = nodes.thead()
        head += self.row(header)
        rows = nodes.tbody()
        rows += [self.row(cells) for cells in body]
        group += [head, rows]
        return [table]

    @staticmethod
    def row(cells: Row) -> nodes.row:
        """One row; names in code font are left to the reader's eye."""
        row = nodes.row()
        for cell in cells:
            entry = nodes.entry()
            entry += nodes.paragraph(text=cell)
            row += entry
        return row


def setup(app: Any) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("chime-table", ChimeTable)
    return {"parallel_read_safe": True}
