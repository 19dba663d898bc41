"""``{chime-states}``: the client's state machine as a drawing, made from its transition table."""

from collections.abc import Iterator

from docutils import nodes
from docutils.parsers.rst import Directive

from chime_messaging.protocol.messaging_session import TRANSITIONS, Signal, State

WIDTH, HEIGHT = 880, 300
LANE = 116
"""Width of a column."""
ROW = {"stopped": 20, "path": 130, "waiting": 240}
"""Top of each of the three rows: where it ends, the way to a session, between two tries."""
BOX = 40
PATH = (State.IDLE, State.PREPARING, State.CONNECTING, State.AUTHORISING, State.ESTABLISHED)


def left(state: State) -> int:
    """Left edge of a box."""
    return 20 + PATH.index(state) * (LANE + 58) if state in PATH else left(State.PREPARING)


def right(state: State) -> int:
    """Right edge of a box: those off the path lie under and over all of it."""
    return left(state) + LANE if state in PATH else left(State.ESTABLISHED) + LANE


def top(state: State) -> int:
    """Top edge of a box."""
    return ROW.get(state.value, ROW["path"])


def edges() -> Iterator[tuple[State, Signal, State]]:
    """Every transition."""
    for state, moves in TRANSITIONS.items():
        for signal, target in moves.items():
            yield state, signal, target


def route(state: State, signal: Signal, target: State) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Way of an arrow, and where its label stands."""
    if state in PATH and target in PATH:
        y = top(state) + BOX // 2
        return [(right(state), y), (left(target), y)], ((right(state) + left(target)) // 2, y - 6)
    if state is State.WAITING and target is State.STOPPED:
        x = right(state) + 24
        y, end = top(state) + BOX // 2, top(target) + BOX // 2
        return [(right(state), y), (x, y), (x, end), (right(target), end)], (x - 14, (y + end) // 2 + 40)
    # Straight up or down. Arrows of the same box stand beside each other.
    lane = target if state is State.WAITING else state
    share = {Signal.LOST: 2, Signal.DUE: 1}.get(signal, 2)
    x = left(lane) + LANE * share // 3
    down = top(target) > top(state)
    start, end = (top(state) + BOX, top(target)) if down else (top(state), top(target) + BOX)
    return [(x, start), (x, end)], (x + 20, (start + end) // 2 + 4)


def drawing() -> str:
    """Draw the table as SVG, in the colour of the text around it."""
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="States of a messaging session">',
        '<g font-family="sans-serif" fill="none" stroke="currentColor">',
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">',
        '<path d="M0 0L8 4L0 8z" fill="currentColor" stroke="none"/></marker></defs>',
    ]
    for state in TRANSITIONS:
        width = right(state) - left(state)
        middle = left(state) + width // 2
        parts.append(f'<rect x="{left(state)}" y="{top(state)}" width="{width}" height="{BOX}" rx="6"/>')
        parts.append(text(middle, top(state) + BOX // 2 + 5, state.name, 13))
    for state, signal, target in edges():
        points, (x, y) = route(state, signal, target)
        way = " ".join(f"{a},{b}" for a, b in points)
        parts.append(f'<polyline points="{way}" marker-end="url(#arrow)"/>')
        parts.append(text(x, y, signal.name.lower(), 10))
    return "".join([*parts, "</g></svg>"])


def text(x: int, y: int, words: str, size: int) -> str:
    """Write something, centred."""
    style = f'font-size="{size}" text-anchor="middle" fill="currentColor" stroke="none"'
    return f'<text x="{x}" y="{y}" {style}>{words}</text>'


class StateDiagram(Directive):
    """Insert the drawing."""

    def run(self) -> list[nodes.Node]:
        """Build the node; formats other than HTML have the table."""
        return [nodes.raw("", drawing(), format="html")]
