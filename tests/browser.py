"""A real Chromium without a window, driven by its DevTools protocol: what a page says, shows and does."""

import asyncio
import base64
import contextlib
import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import aiohttp
import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-extensions",
)
STEP_S = 0.05
WAIT_S = 20.0


class Tab:
    """One page of the browser.

    Attributes
    ----------
    faults
        What the page wrote to the console as an error or warning, threw, or could not load.
    """

    def __init__(self, browser: "Browser", socket: aiohttp.ClientWebSocketResponse) -> None:
        self._browser, self._socket, self._sent = browser, socket, 0
        self.faults: list[str] = []

    def open(self, url: str, width: int = 1400, height: int = 900, scheme: Literal["light", "dark"] = "light") -> None:
        """Load a page and wait until it is complete."""
        for name in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{name}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """Value of an expression of the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, script: str) -> None:
        """Wait until an expression is true."""
        for _ in range(int(WAIT_S / STEP_S)):
            if self.run(script):
                return
            self.run(f"new Promise((done) => setTimeout(done, {1000 * STEP_S}))")
        raise AssertionError(f"not within {WAIT_S} s: {script}; faults: {self.faults}")

    def mouse(self, kind: Literal["mouseMoved", "mousePressed", "mouseReleased"], x: float, y: float) -> None:
        """Move or press at a place of the window."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def picture(self, path: Path) -> None:
        """Write the whole page as PNG."""
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the DevTools protocol."""
        return self._browser.wait_for(self._call(method, parameters))

    async def _call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self._sent += 1
        await self._socket.send_str(json.dumps({"id": self._sent, "method": method, "params": parameters}))
        while True:
            told = json.loads((await self._socket.receive(timeout=WAIT_S)).data)
            if told.get("id") == self._sent:
                if "error" in told:
                    raise AssertionError(f"{method}: {told['error']}")
                return dict(told["result"])
            self._note(told)

    def _note(self, told: dict[str, Any]) -> None:
        method, content = told.get("method"), told.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.faults.append(str(content["exceptionDetails"].get("exception", {}).get("description", content)))
        elif method == "Runtime.consoleAPICalled" and content["type"] in ("error", "warning", "assert"):
            self.faults.append(str([argument.get("value") for argument in content["args"]]))
        elif method == "Log.entryAdded" and content["entry"]["level"] in ("error", "warning"):
            self.faults.append(content["entry"]["text"] + " " + content["entry"].get("url", ""))
        elif method == "Network.loadingFailed" and not content.get("canceled"):
            self.faults.append(f"not loaded: {content.get('errorText')}")


class Browser:
    """A running Chromium with a profile of its own."""

    def __init__(self, profile: Path) -> None:
        self._process = subprocess.Popen(
            [str(CHROMIUM), *FLAGS, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        line = next(line for line in self._process.stderr if "DevTools listening" in line)
        self._port = int(line.rsplit(":", 1)[1].split("/")[0])
        threading.Thread(target=self._process.stderr.read, daemon=True).start()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def wait_for(self, task: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(task, self._loop).result(2 * WAIT_S)

    @contextlib.contextmanager
    def tab(self) -> Iterator[Tab]:
        """A new page, closed at the end."""
        session, socket = self.wait_for(self._opened())
        try:
            yield Tab(self, socket)
        finally:
            self.wait_for(self._closed(session, socket))

    async def _opened(self) -> tuple[aiohttp.ClientSession, aiohttp.ClientWebSocketResponse]:
        session = aiohttp.ClientSession()
        async with session.put(f"http://127.0.0.1:{self._port}/json/new?about:blank") as answer:
            place = (await answer.json())["webSocketDebuggerUrl"]
        return session, await session.ws_connect(place, max_msg_size=0)

    async def _closed(self, session: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse) -> None:
        await socket.close()
        await session.close()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._loop.call_soon_threadsafe(self._loop.stop)


@contextlib.contextmanager
def running_browser() -> Iterator[Browser]:
    """Chromium for the tests of a module."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(Path(profile))
        try:
            yield browser
        finally:
            browser.close()
