"""``/meet``: a page on which a person joins a meeting from a browser, with the official JavaScript SDK.

The page speaks to this server like any client: REST without a signature, which the server takes unless it was started
with ``--strict-auth``, and the SDK for everything else. The SDK is an ECMAScript module, out of a file if one is given
and from a public CDN otherwise, so that nothing of it is part of this package.
"""

from __future__ import annotations

import html
from importlib.resources import files
from pathlib import Path

from chime_messaging.errors import ConfigurationError
from chime_messaging.server.pages import Page

MEET_PATH = "/meet"
SDK_PATH = "/meet/sdk.js"
SDK_URL = "https://cdn.jsdelivr.net/npm/amazon-chime-sdk-js@3.32.0/+esm"
"""Where the SDK comes from if no file is given; the browser loads it, this server does not."""

_JAVASCRIPT = "text/javascript; charset=utf-8"
_HTML = "text/html; charset=utf-8"


def meet_pages(sdk: str | None = None) -> dict[str, Page]:
    """Make the pages by their paths.

    Args:
        sdk: A file with amazon-chime-sdk-js as an ECMAScript module (``esbuild --bundle --format=esm`` makes one), or
            an http(s) URL of one; None for the public CDN.

    Raises:
        ConfigurationError: if the file cannot be read.
    """
    pages: dict[str, Page] = {}
    url = sdk or SDK_URL
    if not url.startswith(("http://", "https://")):
        try:
            pages[SDK_PATH] = Page(_JAVASCRIPT, Path(url).read_bytes())
        except OSError as error:
            raise ConfigurationError("js_sdk", f"{url}: {error.strerror}") from error
        url = SDK_PATH
    text = files("chime_media.server").joinpath("pages/meet.html").read_text(encoding="utf-8")
    marked = text.replace('<html lang="en">', f'<html lang="en" data-sdk="{html.escape(url)}">', 1)
    pages[MEET_PATH] = Page(_HTML, marked.encode())
    return pages
