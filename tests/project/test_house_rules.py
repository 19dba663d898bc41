"""Rules of the house that no linter knows."""

import ast
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = {".ci", ".github", "chime_media", "chime_messaging", "docs", "examples", "tests"}
MADE_BY_TOOLS = {"__pycache__", "_build", "node_modules"}
TEXT = {".css", ".html", ".js", ".json", ".md", ".mjs", ".py", ".toml", ".yaml", ".yml", ""}

MOST_LINES = 420
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
OF_ONE_MACHINE = re.compile(r"(?<![\w.:])/(home|root|Users|work|workspace)/\w|/tmp/\w+\.md|\bspec/\w+\.md")
MOCKING = re.compile(r"^\s*(import|from)\s+(unittest\.mock|mock|pytest_mock)\b|from unittest import mock")


@cache
def files() -> list[Path]:
    """Every text file of the project."""
    found = [path for path in ROOT.iterdir() if path.is_file() and path.suffix in TEXT - {""}]
    for top in sorted(OURS):
        for folder, folders, names in os.walk(ROOT / top):
            folders[:] = [name for name in folders if name not in MADE_BY_TOOLS and not name.startswith(".")]
            found += [Path(folder, name) for name in names if Path(name).suffix in TEXT]
    return [path for path in found if path.name != "package-lock.json"]


def modules(*tops: str) -> list[Path]:
    return [path for path in files() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in tops]


def runnable_tests() -> list[Path]:
    return [path for path in modules("tests") if "benchmarks" not in path.parts]


def violations(paths: list[Path], pattern: re.Pattern[str]) -> Iterator[str]:
    for path in paths:
        if path == Path(__file__):
            continue  # has to name what it looks for
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if pattern.search(line):
                yield f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"


def test_the_rules_see_the_project() -> None:
    assert Path(__file__) in runnable_tests()
    assert ROOT / "README.md" in files()
    assert ROOT / ".ci" / "run" in files()
    assert len(modules("chime_messaging")) > 100


def test_nothing_is_left_unfinished() -> None:
    assert list(violations(files(), UNFINISHED)) == []


def test_nothing_names_the_folders_of_one_machine() -> None:
    assert list(violations(files(), OF_ONE_MACHINE)) == []


def test_no_module_is_too_long_to_read() -> None:
    ours = modules("chime_messaging", "chime_media")
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in ours}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


ROOMS = sorted(path.parent for path in (ROOT / "chime_messaging").glob("*/__init__.py"))


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_every_room_says_what_question_it_answers(room: Path) -> None:
    docstring = ast.get_docstring(ast.parse((room / "__init__.py").read_text())) or ""
    first = docstring.partition("\n")[0]
    assert first.startswith("Room: ")
    assert "?" in docstring


def test_every_module_says_what_it_is_for() -> None:
    silent = [path for path in modules("chime_messaging", "chime_media", "examples") if not docstring_of(path)]
    assert silent == []


def docstring_of(path: Path) -> str | None:
    return ast.get_docstring(ast.parse(path.read_text("utf-8")))


def test_no_test_waits_for_real_time_to_pass() -> None:
    assert [found for path in runnable_tests() for found in sleeps(path)] == []


def sleeps(path: Path) -> Iterator[str]:
    """Calls of sleep() with anything but a literal 0, in a module that does not live in virtual time."""
    source = path.read_text("utf-8")
    if re.search(r"^VIRTUAL_TIME = True|import async_solipsism|[Vv]irtual time", source, re.MULTILINE):
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "sleep":
            given = node.args[0] if node.args else None
            if not (isinstance(given, ast.Constant) and given.value == 0):
                yield f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"


def test_no_test_replaces_what_it_tests_by_a_mock() -> None:
    assert list(violations(runnable_tests(), MOCKING)) == []


def test_the_changelog_tells_what_is_not_released() -> None:
    _, heading, rest = (ROOT / "CHANGELOG.md").read_text().partition("\n## Unreleased\n")
    assert heading
    assert re.search(r"^- \w", rest.partition("\n## ")[0], re.MULTILINE)
