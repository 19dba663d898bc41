"""The pages of the documentation, and the code blocks in them."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>python|bash|\{code-block\} python)\n(?P<body>.*?)^ *```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    language: str
    code: str
    endless: bool
    """It goes on for ever, and is stopped once it has printed something."""

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path, language: str) -> list[Block]:
    """The blocks of a page in a language, in their order."""
    text = page.read_text()
    found = []
    for match in _FENCE.finditer(text):
        if language not in match["language"]:
            continue
        body = match["body"]
        endless = body.startswith(":class: endless\n")
        code = body.removeprefix(":class: endless\n")
        lines = [line.removeprefix(match["indent"]) for line in code.splitlines()]
        line = text.count("\n", 0, match.start("body")) + 1
        found.append(Block(page, line + 2 * endless, language, "\n".join(lines) + "\n", endless))
    return found


def pages() -> list[Path]:
    """All pages with text of their own, and the README."""
    return [ROOT / "README.md", *sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)]
