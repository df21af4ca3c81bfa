"""A headless Chromium, driven through its own protocol: nothing is needed but a socket."""

import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import time

from websockets.sync.client import connect

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")


class Browser:
    """One tab."""

    def __init__(self, socket):
        self._socket, self._numbers = socket, itertools.count(1)
        self.complaints = []

    def call(self, method, **parameters):
        """Call a method of the protocol; what the page complained about meanwhile is kept."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=60))
            if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.complaints.append(message["params"])
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def value(self, expression):
        """What an expression is in the page."""
        options = {"returnByValue": True, "awaitPromise": True}
        return self.call("Runtime.evaluate", expression=expression, **options)["result"].get(
            "value"
        )

    def wait(self, expression, seconds=180):
        """Until an expression is true."""
        end = time.monotonic() + seconds
        while not self.value(expression):
            assert time.monotonic() < end, f"{expression}: {self.value('document.body.innerText')}"
            time.sleep(0.02)

    def mouse(self, kind, x, y):
        """Press, move or release the left button."""
        button = {"button": "left", "buttons": int(kind != "mouseReleased"), "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def picture(self, path):
        """Keep what it shows."""
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))


@contextlib.contextmanager
def browsing(folder, address, width=1200, height=1000):
    """A page in a new browser whose files lie in a folder."""
    command = [
        PROGRAM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--no-first-run", "--disable-background-networking", "--remote-debugging-port=0",
        f"--user-data-dir={folder}", f"--window-size={width},{height}", "about:blank",
    ]  # fmt: skip
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet) as process:
        try:
            port = _port(folder / "DevToolsActivePort")
            with connect(f"ws://127.0.0.1:{port[0]}{port[1]}", proxy=None, max_size=None) as whole:
                root = Browser(whole)
                target = root.call("Target.createTarget", url="about:blank")["targetId"]
                tab = f"ws://127.0.0.1:{port[0]}/devtools/page/{target}"
                with connect(tab, proxy=None, max_size=None) as socket:
                    browser = Browser(socket)
                    for domain in ("Page", "Runtime", "Log"):
                        browser.call(f"{domain}.enable")
                    browser.call("Page.navigate", url=address)
                    yield browser
        finally:
            process.terminate()
            process.wait(30)


def _port(path):
    """(port, path) that the browser listens at, once it does."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(FileNotFoundError):
            lines = path.read_text().split("\n")
            if len(lines) == 2:
                return int(lines[0]), lines[1]
        time.sleep(0.05)
    raise AssertionError("Chromium did not start")
