"""The page's server as it is, in a thread, and clients of it."""

import contextlib
import json
import threading
import time

from websockets.sync.client import connect

from nengo_tactile.play import server


@contextlib.contextmanager
def served(networks, port=0, collection=None):
    """Serve, by default on a free port, and say on which."""
    with server.listening(port) as (found, port):
        app = server.application(networks, {"noise": 0.015, "dead": 0.0}, port, collection)
        running = server.server_of(app)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [found]}, daemon=True)
        thread.start()
        end = time.monotonic() + 60
        while not running.started:
            assert time.monotonic() < end
            time.sleep(0.01)
        try:
            yield port
        finally:
            running.should_exit = True
            thread.join(30)
            assert not thread.is_alive()


@contextlib.contextmanager
def opened(port, **options):
    """A `Client` of the server at a port."""
    options = {"origin": f"http://127.0.0.1:{port}", **options}
    with connect(f"ws://127.0.0.1:{port}/socket", proxy=None, **options) as socket:
        yield Client(socket)


def chosen(name, **choice):
    """A network as messages have it."""
    return {"name": name, "neuron": "", "n_steps": 0, "engine": "", **choice}


class Client:
    """A page without a browser."""

    def __init__(self, socket):
        self.socket = socket
        self.hello = self.read()

    def read(self):
        return json.loads(self.socket.recv(timeout=120))

    def ask(self, **message):
        self.socket.send(json.dumps(message))
        return self.read()

    def begin(self, network, seed=1, **settings):
        settings = {"noise": 0.0, "dead": 0.0, **settings}
        return self.ask(type="begin", network=chosen(network), seed=seed, **settings)

    def draw(self, points, until):
        """Points as a page sends them, a message every 16 ms; returns all answers."""
        answers, sent = [], 0
        for now in [*range(16, until, 16), until]:
            new = [point for point in points[sent:] if point[0] <= now]
            sent += len(new)
            answers.append(self.ask(type="touch", until=now, points=new))
        return answers
