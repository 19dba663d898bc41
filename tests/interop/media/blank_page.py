"""An empty page on loopback: Chromium gives microphones, cameras and loopback sockets only to pages from there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class _Blank(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>meeting</title><body></body>")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def blank_page() -> Iterator[str]:
    """Serve it for the length of a block; its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Blank) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join(10)
