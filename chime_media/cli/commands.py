"""The commands about media and their options. What they do stands in the modules that they import when they run."""

from __future__ import annotations

from collections.abc import Mapping

import typer


def extend(groups: Mapping[str, typer.Typer]) -> None:
    """Add the commands of this package to those of ``chime``."""
    del groups
