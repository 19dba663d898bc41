"""Docstrings of attributes as they are: a colon in one does not end a type, as napoleon would have it."""

from typing import Any

from sphinx.ext.napoleon.docstring import GoogleDocstring


def _whole(docstring: Any) -> tuple[str, list[str]]:
    # Types stand in annotations here, and prose has colons.
    return "", list(docstring._consume_to_end())


def setup(app: Any) -> dict[str, bool]:
    """Put it in place."""
    del app
    GoogleDocstring._consume_inline_attribute = _whole  # type: ignore[method-assign]
    return {"parallel_read_safe": True}
