"""The page's server, on this machine alone."""

import contextlib
import functools
import importlib.resources
import json
import socket
import webbrowser
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import anyio.to_thread
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from nengo_tactile.errors import DataError, TactileError
from nengo_tactile.play.desk import Desk
from nengo_tactile.play.files import Collection
from nengo_tactile.play.messages import MOST_BYTES
from nengo_tactile.play.networks import Networks

HOST = "127.0.0.1"
#: Pages that are served at once.
MOST_PAGES = 8
_FILES = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.mjs": ("page.mjs", "text/javascript"),
    "/painting.mjs": ("painting.mjs", "text/javascript"),
    "/socket.mjs": ("socket.mjs", "text/javascript"),
    "/strokes.mjs": ("strokes.mjs", "text/javascript"),
}
#: Browsers load nothing from elsewhere, and show the page in no other.
_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"
    ),
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


def application(
    networks: Networks,
    settings: dict[str, float],
    port: int,
    collection: Collection | None = None,
) -> Any:
    """The page and its socket as an ASGI application.

    Parameters
    ----------
    networks : Networks
    settings : dict
        What the page's sliders show at first: "noise" and "dead".
    port : int
        At which it is reached: requests of other hosts' pages are refused.
    collection : Collection, optional
        Where recordings are kept.
    """
    engine = anyio.CapacityLimiter(1)  # engines share memories of threads
    pages: set[Desk] = set()

    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        if len(pages) >= MOST_PAGES:
            await websocket.send_json(
                _error(f"{MOST_PAGES} pages are open: close one, and load this one again")
            )
            await websocket.close(1013)
            return
        desk = Desk(networks, collection)
        pages.add(desk)
        try:
            await websocket.send_json({**desk.hello(), **settings})
            while True:
                text = await websocket.receive_text()
                # one message after the other: what floods waits in its own connection
                answer = await anyio.to_thread.run_sync(
                    functools.partial(_answered, desk, text), limiter=engine
                )
                await websocket.send_text(answer)
        except (WebSocketDisconnect, KeyError, RuntimeError):
            pass  # it is gone, or sent bytes
        finally:
            pages.discard(desk)

    routes: list[Any] = [
        Route(path, functools.partial(_file, name=name, kind=kind))
        for path, (name, kind) in _FILES.items()
    ]
    app = Starlette(routes=[*routes, WebSocketRoute("/socket", talk)])
    return _only_from_here(app, port)


async def _file(request: Any, name: str, kind: str) -> Response:
    """One of the page's files."""
    content = (importlib.resources.files(__package__) / name).read_bytes()
    return Response(content, media_type=kind, headers=_HEADERS)


def _answered(desk: Desk, text: str) -> str:
    """The answer to a message, or what is wrong with it."""
    try:
        return json.dumps(desk.answer(text))
    except TactileError as error:
        return json.dumps(_error(str(error)))


def _error(text: str) -> dict[str, str]:
    return {"type": "error", "message": text}


def _only_from_here(app: Any, port: int) -> Any:
    """Refuse names that others may have pointed to this machine, and pages of other hosts."""
    hosts = {f"{name}:{port}" for name in (HOST, "localhost")}
    origins = {f"http://{host}" for host in hosts}

    async def checked(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] in ("http", "websocket"):
            headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in scope["headers"]]
            host = [value for name, value in headers if name == "host"]
            origin = [value for name, value in headers if name == "origin"]
            own = len(host) == 1 and host[0] in hosts and set(origin) <= origins
            if not own or (scope["type"] == "websocket" and not origin):
                if scope["type"] == "http":
                    refusal = PlainTextResponse("this page is served to this machine alone\n", 403)
                    await refusal(scope, receive, send)
                else:
                    await receive()
                    await send({"type": "websocket.close", "code": 1008})
                return
        await app(scope, receive, send)

    return checked


def bound(port: int) -> socket.socket:
    """A socket at a port of this machine.

    Raises
    ------
    DataError
        If it is in use or not allowed.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen()  # so that a second server is told, whatever the system reuses
    except OSError as error:
        listening.close()
        raise DataError(
            f"port {port} of {HOST}: {error.strerror}: choose another (--port), 0 for a free one"
        ) from error
    return listening


def server_of(app: Any) -> uvicorn.Server:
    """A server of an application, quiet."""
    config = uvicorn.Config(
        app,
        ws="websockets-sansio",
        ws_max_size=MOST_BYTES,
        ws_max_queue=16,
        log_level="critical",
        access_log=False,
        lifespan="off",
        limit_concurrency=64,
        timeout_graceful_shutdown=1,
        server_header=False,
    )
    return uvicorn.Server(config)


@contextlib.contextmanager
def listening(port: int) -> Iterator[tuple[socket.socket, int]]:
    """A socket while it is needed, and its port."""
    with bound(port) as found:
        yield found, found.getsockname()[1]


def serve(
    networks: Callable[[], Networks],
    settings: dict[str, float],
    port: int,
    browser: bool,
    say: Callable[[str], None],
    collection: Collection | None = None,
) -> None:
    """Serve the page until Ctrl-C.

    Parameters
    ----------
    networks : callable
        Makes them, once the port is known to be free.
    settings : dict
        See `application`.
    port : int
    browser : bool
        Open the page.
    say : callable
    collection : Collection, optional
    """
    with listening(port) as (found, number):
        made = networks()
        address = f"http://{HOST}:{number}/"
        first = made.listener(made.first)
        say(f"{first.name} on engine {first.engine}: draw on {address} (Ctrl-C ends)")
        if browser:
            webbrowser.open(address)
        server_of(application(made, settings, number, collection)).run(sockets=[found])
