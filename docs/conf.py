"""Sphinx configuration: MyST pages, API reference from docstrings, tables made from the code."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
sys.path.insert(0, str(Path(__file__).parent.parent))

from chime_messaging import __version__

project = "chime-messaging"
author = "the chime-messaging maintainers"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "tables", "commands", "docstrings"]
html_theme = "furo"
exclude_patterns = ["_build"]
default_role = "code"  # single backticks in docstrings name things; they are not references
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}
# The reference is checked for broken cross references of our own; those of other projects need their inventories,
# which a build without network cannot fetch.
FOREIGN = "json|anyio|asyncio|enum|botocore|boto3|msgspec|ssl|collections|datetime|pathlib|typing|types|contextlib"
FOREIGN += "|numpy|pycrdt|random|re"
BUILTIN = "Self|Any|bytes|str|int|float|bool|list|dict|tuple|object|None|Exception|ValueError|RuntimeError|TimeoutError"
# Modules below the rooms are not public, and not in the reference.
BELOW = r"chime_(messaging|media)\.\w+\.\w+\.\w+|Turn|BotStore|TaskGroup"
BELOW_BY_NAME = "ThreadedSignaling|Listener|AudioSource|VideoFrames?|SourceEnded|EmptyRecordingError"
nitpick_ignore_regex = [
    (r"py:.*", rf"({FOREIGN}|{BUILTIN}|_?T\d?)(\..*)?"),
    (r"py:.*", BELOW),
    (r"py:.*", BELOW_BY_NAME),
    (r"py:.*", r"tuple\[.*"),
    (r"py:class", "MediaPlugin"),  # only type checkers see it: what defines it imports what names it
]
suppress_warnings = ["ref.python"]  # `type[...]` in a signature, where classes have a field of that name
