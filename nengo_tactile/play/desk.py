"""What one page and its recordings are to the server: messages in, answers out."""

import base64
import dataclasses
from typing import Any

from nengo_tactile import saved
from nengo_tactile.datasets.eskin import ESkin
from nengo_tactile.errors import DataError
from nengo_tactile.events.eskin_table1 import fitted_parameters
from nengo_tactile.events.taxels import TaxelMap
from nengo_tactile.play import files
from nengo_tactile.play.deciding import Listener
from nengo_tactile.play.drawing import Drawing
from nengo_tactile.play.messages import parse
from nengo_tactile.play.skin import Replay, Skin

#: Shipped networks of the e-skin.
SHIPPED = ("eskin-cnn", "eskin-slayer")


class Networks:
    """Networks that pages may choose, each loaded when it is first asked for.

    Parameters
    ----------
    first : str
        A shipped one's name, or a folder; loaded at once.
    engine : str, optional
        Of that one; by default the first that takes it.
    taxels : TaxelMap, optional
        Of that one: see `nengo_tactile.play.deciding.Listener`.
    """

    def __init__(
        self,
        first: str = SHIPPED[0],
        engine: str | None = None,
        taxels: TaxelMap | None = None,
    ) -> None:
        self.names = tuple(dict.fromkeys((first, *SHIPPED)))
        network: Any = saved.load(first)
        self._listeners = {first: Listener(network, engine, first, taxels)}

    def listener(self, name: str) -> Listener:
        """One of them, ready.

        Raises
        ------
        DataError
            For another: a page cannot open folders.
        """
        if name not in self.names:
            raise DataError(f"network {name!r:.80} is not here: choose {', '.join(self.names)}")
        if name not in self._listeners:
            network: Any = saved.load(name)
            self._listeners[name] = Listener(network, name=name)
        return self._listeners[name]


class Desk:
    """One page: its recording, and what it asks for.

    Parameters
    ----------
    networks : Networks
    """

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._drawing: Drawing | None = None

    def answer(self, text: str) -> dict[str, Any]:
        """Do what a message asks for.

        Parameters
        ----------
        text : str
            See `nengo_tactile.play.messages`.

        Returns
        -------
        dict
            Plain JSON values; of its "type" "begun", "progress" or "file".

        Raises
        ------
        TactileError
            With what is wrong; nothing is changed.
        """
        message = parse(text)
        answers = {
            "begin": self._begin,
            "sample": self._sample,
            "load": self._load,
            "touch": self._touch,
            "save": self._save,
        }
        return answers[message.kind](message)

    def _begun(self, source, listener, label=None):
        self._drawing = Drawing(source, listener)
        dead = source.dead.ravel().astype(int).tolist()
        return {"type": "begun", "network": listener.to_dict(), "dead": dead, "label": label}

    def _begin(self, message):
        listener = self._networks.listener(message.network)
        parameters = dataclasses.replace(fitted_parameters(), noise_rate_hz=message.noise)
        skin = Skin(parameters, listener.duration_us, message.dead, message.seed)
        return self._begun(skin, listener)

    def _sample(self, message):
        listener = self._networks.listener(message.network)
        samples = ESkin(split="test", n_samples=message.number + 1)
        events, label = samples[message.number]
        return self._begun(Replay(events, listener.duration_us), listener, samples.classes[label])

    def _load(self, message):
        listener = self._networks.listener(message.network)
        events = files.from_npz(message.content)
        return self._begun(Replay(events, listener.duration_us), listener)

    def _touch(self, message):
        progress = self._now().advance(message.points, message.until_us)
        return {"type": "progress", **progress.to_dict()}

    def _save(self, message):
        content = base64.b64encode(files.to_npz(self._now().events)).decode()
        return {"type": "file", "name": "eskin-recording.npz", "content": content}

    def _now(self):
        if self._drawing is None:
            raise DataError("nothing was begun: touch the skin first")
        return self._drawing
