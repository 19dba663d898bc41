"""The unmodified official clients in headless Chromium, which trusts the local certificate authority."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest

from chime_messaging.server.configuration import Authorization
from tests.interop.conftest import JS, PATIENCE, LocalChime, require

pytestmark = pytest.mark.interop

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, node: str) -> Path:
    output = tmp_path_factory.mktemp("bundle") / "browser.js"
    esbuild = JS / "node_modules" / ".bin" / "esbuild"
    options = ["--bundle", "--format=iife", "--main-fields=browser,module,main", "--define:global=window"]
    command = [str(esbuild), str(JS / "browser.mjs"), *options, f"--outfile={output}", "--log-level=error"]
    subprocess.run(command, check=True, timeout=60)
    return output


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """An empty page on loopback, of another origin than the server: Chromium lets only such pages reach loopback."""

    class Blank(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<title>chime</title>")

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Blank) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()
        thread.join(PATIENCE)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, chime: LocalChime) -> Iterator[Any]:
    chromium = shutil.which("chromium")
    require(chromium is not None, "install Chromium (Debian: apt-get install chromium)")
    require(shutil.which("certutil") is not None, "install certutil (Debian: apt-get install libnss3-tools)")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        require(False, "pip install playwright")
    home = tmp_path_factory.mktemp("home")
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    certutil = ["certutil", "-d", f"sql:{store}"]
    subprocess.run([*certutil, "-N", "--empty-password"], check=True, timeout=60)
    trust = ["-A", "-t", "C,,", "-n", "local chime", "-i", str(chime.server.ca_path)]
    subprocess.run([*certutil, *trust], check=True, timeout=60)
    environment: dict[str, str | float | bool] = {**chime.node_environment, "HOME": str(home)}
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=FLAGS, env=environment)
        yield launched
        launched.close()


class Page:
    """A page with the bundle loaded."""

    def __init__(self, page: Any, chime: LocalChime) -> None:
        self.page = page
        self.chime = chime
        self.console: list[str] = []
        page.on("console", lambda message: self.console.append(message.text))
        page.on("requestfailed", lambda request: self.console.append(f"{request.url[:60]} {request.failure}"))

    def start(self, user: str, **options: Any) -> None:
        self.page.evaluate("options => chime.start(options)", self.chime.options | {"userArn": user} | options)

    def until(self, event: str, **fields: Any) -> dict[str, Any]:
        find = "want => chime.reports.find(r => Object.entries(want).every(([k, v]) => r[k] === v))"
        try:
            self.page.wait_for_function(find, arg={"event": event, **fields}, timeout=PATIENCE * 1000)
        except Exception as error:
            reports = self.page.evaluate("() => chime.reports")
            raise AssertionError(f"no {event}; reported {reports}; console {self.console}") from error
        return dict(self.page.evaluate(find, {"event": event, **fields}))

    def count(self, event: str) -> int:
        return int(self.page.evaluate("event => chime.reports.filter(r => r.event === event).length", event))


@pytest.fixture
def page(browser: Any, bundle: Path, chime: LocalChime, origin: str) -> Iterator[Page]:
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(origin)
    tab.add_script_tag(path=bundle)
    yield Page(tab, chime)
    context.close()


@pytest.fixture
def alice(chime: LocalChime) -> str:
    return chime.user(f"alice-{uuid4()}")


@pytest.fixture
def bob(chime: LocalChime) -> str:
    return chime.user(f"bob-{uuid4()}")


def test_a_page_connects_prefetches_and_receives(page: Page, chime: LocalChime, alice: str, bob: str) -> None:
    channel = chime.channel(alice, bob)
    chime.send(channel, alice, "before")
    page.start(bob, prefetch=True)
    page.until("resolved")
    details = page.until("message", type="CHANNEL_DETAILS")["payload"]
    assert [message["Content"] for message in details["ChannelMessages"]] == ["before"]
    chime.send(channel, alice, "hello 🚀")
    assert page.until("message", type="CREATE_CHANNEL_MESSAGE")["payload"]["Content"] == "hello 🚀"


def test_a_page_sends_across_origins_and_reads_modelled_errors(
    page: Page, chime: LocalChime, alice: str, bob: str
) -> None:
    channel = chime.channel(alice)
    page.start(alice)
    page.until("resolved")
    message = {"ChannelArn": channel, "Content": "hi", "Type": "STANDARD", "Persistence": "PERSISTENT"}
    sent = page.page.evaluate("input => chime.send(input)", message | {"ChimeBearer": alice})
    assert sent["Status"] == {"Value": "SENT"}
    received = page.until("message", type="CREATE_CHANNEL_MESSAGE")["payload"]
    assert received["MessageId"] == sent["MessageId"]
    refused = page.page.evaluate("input => chime.send(input)", message | {"ChimeBearer": bob})
    assert refused["error"] == "ForbiddenException"


def test_a_page_reconnects_after_a_restart_close(page: Page, chime: LocalChime, alice: str) -> None:
    page.start(alice)
    page.until("resolved")
    chime.run(chime.server.control.close, alice, 1012, "restart")
    page.until("connecting", reconnecting=True)
    page.page.wait_for_function("() => chime.reports.filter(r => r.event === 'start').length === 2")
    assert page.count("stop") == 0


def test_a_kicked_page_is_told_so(page: Page, chime: LocalChime, alice: str) -> None:
    page.start(alice)
    page.until("resolved")
    chime.identity.delete_app_instance_user(AppInstanceUserArn=alice)
    assert page.until("stop")["code"] == 4003


def test_a_page_of_an_unknown_user_is_refused(page: Page, chime: LocalChime) -> None:
    page.start(f"{chime.app_instance}/user/nobody")
    assert page.until("rejected")["code"] == 4401


def test_a_page_with_a_wrong_signature_is_refused(page: Page, start_chime: Callable[..., LocalChime]) -> None:
    strict = start_chime(tls=True, authorization=Authorization.STRICT)
    dora = strict.user("dora")
    wrong = strict.options["credentials"] | {"secretAccessKey": "wrong"}
    endpoint = strict.server.url.removeprefix("https://")
    page.start(dora, **(strict.options | {"credentials": wrong, "endpointUrl": endpoint}))
    assert page.until("rejected")["code"] == 4401
    page.start(dora, **strict.options)
    page.until("resolved")


def test_a_page_stops_cleanly(page: Page, alice: str) -> None:
    page.start(alice)
    page.until("resolved")
    page.page.evaluate("() => chime.stop()")
    assert page.until("stop")["code"] == 1005
