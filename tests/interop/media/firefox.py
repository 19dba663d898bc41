"""Firefox as Debian ships it, by WebDriver BiDi: as much of Playwright's page as `MeetingPage` uses."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

MICROPHONE = 1000
"""What the fake microphone hears, in Hz. Without a sound card no page can make a tone of its own."""
PREFERENCES: dict[str, Any] = {
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "media.navigator.audio.fake_frequency": MICROPHONE,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "network.proxy.type": 0,
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.aboutwelcome.enabled": False,
    "services.settings.server": "http://127.0.0.1:9/",
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "extensions.getAddons.cache.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "media.gmp-provider.enabled": False,
}
_LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")


class BiDi:
    """One connection: commands with their answers."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0

    def command(self, method: str, timeout: float = 60.0, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its result.

        Raises:
            RuntimeError: Firefox refuses it.
            TimeoutError: No answer.
        """
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout))
            if answer.get("id") != self._number:
                continue
            if answer["type"] == "error":
                raise RuntimeError(f"{method}: {answer['error']}: {answer['message']}")
            return dict(answer["result"])


class FirefoxTab:
    """A tab, with the methods of Playwright's page that `MeetingPage` calls."""

    def __init__(self, bidi: BiDi, context: str) -> None:
        self._bidi = bidi
        self._context = context

    def on(self, event: str, handler: Callable[..., Any]) -> None:
        """Events of the console are not told."""

    def goto(self, url: str) -> None:
        self._bidi.command("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def add_script_tag(self, *, path: Path) -> None:
        self._run(path.read_text(encoding="utf-8") + "\n;undefined", False)

    def evaluate(self, function: str, argument: Any = None) -> Any:
        """Call a JavaScript function, which may be async, with one argument."""
        script = f"(async () => JSON.stringify(await ({function})({json.dumps(argument)})) ?? 'null')()"
        return json.loads(self._run(script, True)["value"])

    def wait_for_function(self, function: str, *, arg: Any, timeout: float, polling: float) -> None:
        """Wait until a JavaScript function of one argument gives something true; times are milliseconds."""
        deadline = time.monotonic() + timeout / 1000
        while not self.evaluate(f"async value => Boolean(await ({function})(value))", arg):
            if time.monotonic() > deadline:
                raise TimeoutError(function)
            self.wait_for_timeout(polling)

    def wait_for_timeout(self, timeout: float) -> None:
        self.evaluate("time => new Promise(resolve => setTimeout(resolve, time))", timeout)

    def close(self) -> None:
        self._bidi.command("browsingContext.close", context=self._context)

    def _run(self, script: str, wait: bool) -> dict[str, Any]:
        target = {"context": self._context}
        activation = {"userActivation": True} if wait else {}
        answer = self._bidi.command(
            "script.evaluate", expression=script, target=target, awaitPromise=wait, **activation
        )
        if answer["type"] == "exception":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return dict(answer["result"])


class Firefox:
    """A running browser."""

    def __init__(self, bidi: BiDi) -> None:
        self._bidi = bidi

    def new_page(self) -> FirefoxTab:
        return FirefoxTab(self._bidi, self._bidi.command("browsingContext.create", type="tab")["context"])


@contextmanager
def running_firefox(program: str, directory: Path) -> Iterator[Firefox]:
    """Run Firefox without a screen and with a profile of its own in `directory`."""
    profile = directory / "profile"
    profile.mkdir()
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
    (profile / "user.js").write_text("\n".join(lines))
    command = [
        program,
        "--headless",
        "--no-remote",
        "--profile",
        str(profile),
        "--remote-debugging-port",
        "0",
        "about:blank",
    ]
    environment = {
        "HOME": str(directory),
        "PATH": "/usr/bin:/bin",
        "MOZ_DISABLE_CONTENT_SANDBOX": "1",
        "LANG": "C.UTF-8",
    }
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        # Whatever happens, nobody waits for a line that never comes.
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        try:
            url = _listening(process)
            watchdog.cancel()
            drain = threading.Thread(target=lambda: [None for _ in process.stderr or ()], daemon=True)
            drain.start()
            with connect(url + "/session", max_size=None, proxy=None) as socket:
                bidi = BiDi(socket)
                bidi.command("session.new", capabilities={})
                yield Firefox(bidi)
        finally:
            watchdog.cancel()
            process.terminate()
            process.wait(20)


def _listening(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        found = _LISTENING.search(line)
        if found:
            return found[1]
    raise RuntimeError(f"Firefox does not listen: {''.join(said)[-500:]}")
