# SPDX-License-Identifier: LGPL-2.1-or-later
"""A headless Chromium that tests look at pages with, over the pipe of its debugging protocol.

The methods are those of chromedevtools.github.io/devtools-protocol.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SECONDS = 60.0  # for one answer, on a busy machine
_QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-pipe",
)  # fmt: skip


class Browser:
    """What the two ends of the pipe are used for."""

    def __init__(self, reader: int, writer: int) -> None:
        self._reader, self._writer = reader, writer
        self._left = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **params: object) -> dict[str, Any]:
        """Return the result of a method; what else comes meanwhile is in ``events``."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        os.write(self._writer, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + _SECONDS
        while True:
            said = self._next(deadline)
            if said.get("id") == self._number:
                assert "error" not in said, said
                result: dict[str, Any] = said["result"]
                return result
            self.events.append(said)

    def _next(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._left:
            ready, _, _ = select.select([self._reader], [], [], deadline - time.monotonic())
            assert ready, "the browser does not answer"
            data = os.read(self._reader, 1 << 20)
            assert data, "the browser has ended"
            self._left += data
        message, _, self._left = self._left.partition(b"\0")
        said: dict[str, Any] = json.loads(message)
        return said


class Page:
    """A page that is open."""

    def __init__(self, browser: Browser, place: Path, fragment: str = "") -> None:
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        browser.events.clear()
        for domain in ("Page", "Network", "Log", "Runtime", "DOM", "Accessibility"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=place.as_uri() + fragment)
        self.wait("document.readyState === 'complete' && location.protocol === 'file:'")

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """Return the result of a method of the page."""
        return self.browser.call(method, self._session, **params)

    def ask(self, expression: str) -> Any:
        """Return what an expression of JavaScript says."""
        said = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    def wait(self, expression: str) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + _SECONDS
        while not self.ask(expression):
            assert time.monotonic() < deadline, expression
            time.sleep(0.05)

    def press(self, key: str, code: int) -> None:
        """Press a key and let it go."""
        words = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        if key == "Enter":
            words["text"] = "\r"
        self.call("Input.dispatchKeyEvent", type="keyDown", **words)
        self.call("Input.dispatchKeyEvent", type="keyUp", **words)

    def of(self, *methods: str) -> list[dict[str, Any]]:
        """Return the parameters of the events of these kinds since the page was opened."""
        self.ask("0")
        return [event["params"] for event in self.browser.events if event["method"] in methods]


@contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser for as long as the block lasts."""
    to_browser, mine = os.pipe()
    answers, from_browser = os.pipe()
    with tempfile.TemporaryDirectory(prefix="v2v-browser-") as profile:
        words = ("chromium", *_QUIET, f"--user-data-dir={profile}", "about:blank")
        plumbing = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
        child = subprocess.Popen(
            ["bash", "-c", plumbing, "bash", *words],
            pass_fds=(to_browser, from_browser),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        try:
            yield Browser(answers, mine)
        finally:
            os.close(mine)  # it ends by itself when nobody debugs it
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            os.close(answers)
