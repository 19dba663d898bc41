"""``chime bot run``."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

import anyio
from anyio.abc import Process

from chime_messaging.bots import Bot, run_bots
from chime_messaging.cli.directory import directory
from chime_messaging.cli.interrupts import until_interrupted
from chime_messaging.errors import ConfigurationError

POLL = 0.3
"""Seconds between two looks at the files."""

SKIPPED = {"__pycache__", "node_modules", "site-packages"}


def run(
    targets: Sequence[str],
    *,
    user: str | None,
    state: str | None,
    trio: bool,
    url: str | None,
    app_instance: str | None,
) -> None:
    """Load bots and run them.

    Raises:
        ConfigurationError: if there is no such bot, or it is not clear who it is.
    """
    # What goes wrong in handlers is told nowhere else.
    logging.getLogger("chime_messaging.bots").setLevel(logging.WARNING)
    bots = [load(target) for target in targets]

    async def work() -> None:
        client = None
        async with directory(url, app_instance) as names:
            client = names.messaging.client
            for bot in bots:
                name = user or bot.user_arn or bot.name
                if name is None:
                    raise ConfigurationError("bot", "does not say who it is; say it: --as USER")
                bot.user_arn = await names.user(name)
                if bot.state_path is None and state is not None:
                    bot.state_path = Path(state)
            await run_bots(bots, client=client, on_ready=lambda bot: print(f"ready {bot.user_arn}", flush=True))

    anyio.run(work, backend="trio" if trio else "asyncio")


def load(target: str) -> Bot:
    """Import the bot that a text names.

    Raises:
        ConfigurationError: if it names none.
    """
    place, _, name = target.partition(":")
    module = _load_file(Path(place)) if place.endswith(".py") else _load_module(place)
    bot = getattr(module, name or "bot", None)
    if not isinstance(bot, Bot):
        raise ConfigurationError("bot", f"there is no Bot called {name or 'bot'!r} in {place}")
    return bot


def _load_module(name: str) -> ModuleType:
    sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name is None or not f"{name}.".startswith(f"{exc.name}."):
            raise
        raise ConfigurationError("bot", f"there is no module {name!r} here") from exc


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigurationError("bot", f"there is no file {path}")
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ConfigurationError("bot", f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def run_and_reload(targets: Sequence[str]) -> int:
    """Run the same command without ``--reload`` in a process of its own, anew after each change; the exit code."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--reload"]
    anyio.run(_supervise, [sys.executable, "-m", "chime_messaging.cli.main", *arguments], folders(targets))
    return 0


def folders(targets: Sequence[str]) -> list[Path]:
    """Return the folders whose Python files matter: those of the files, and this one for modules."""
    places = [target.partition(":")[0] for target in targets]
    return sorted({Path(place).resolve().parent if place.endswith(".py") else Path.cwd() for place in places})


def snapshot(places: Sequence[Path]) -> dict[str, int]:
    """When each Python file under these folders was last written, in nanoseconds."""
    return dict(_times(places))


def _times(places: Sequence[Path]) -> Iterator[tuple[str, int]]:
    for place in places:
        for folder, names, files in os.walk(place):
            names[:] = [name for name in names if name not in SKIPPED and not name.startswith(".")]
            for file in files:
                if file.endswith(".py"):
                    path = os.path.join(folder, file)
                    try:
                        yield path, os.stat(path).st_mtime_ns
                    except FileNotFoundError:  # between the listing and now
                        continue


async def _supervise(command: list[str], places: list[Path]) -> None:
    async with until_interrupted():
        while True:
            known = await anyio.to_thread.run_sync(snapshot, places)
            # Output goes where ours goes.
            process = await anyio.open_process(command, stdin=None, stdout=None, stderr=None)
            try:
                while known == await _later_snapshot(places):
                    continue
            finally:
                with anyio.CancelScope(shield=True):
                    await _end(process)
            print("-- changed, starting again", file=sys.stderr)


async def _later_snapshot(places: list[Path]) -> dict[str, int]:
    await anyio.sleep(POLL)
    return await anyio.to_thread.run_sync(snapshot, places)


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
    await process.wait()
