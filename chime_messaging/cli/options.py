"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="CHIME_URL",
        metavar="URL",
        help='Base URL of a local server, for example http://127.0.0.1:8765; instead of eval "$(chime env)".',
    ),
]
AppInstance = Annotated[
    str | None,
    typer.Option(
        "--app-instance",
        envvar="CHIME_APP_INSTANCE_ARN",
        metavar="ARN",
        help="App instance that names belong to. By default the only one; on a local server one is made.",
    ),
]
As = Annotated[
    str | None,
    typer.Option("--as", metavar="USER", help="Who acts: name or ARN.", envvar="CHIME_USER", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="JSON lines on stdout.")]
