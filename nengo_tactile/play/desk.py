"""What one page and its recordings are to the server: messages in, answers out."""

import base64
import dataclasses
from typing import Any

from nengo_tactile.errors import DataError
from nengo_tactile.events.eskin_table1 import fitted_parameters
from nengo_tactile.play import files
from nengo_tactile.play.deciding import ENGINES
from nengo_tactile.play.drawing import Drawing
from nengo_tactile.play.messages import parse
from nengo_tactile.play.networks import NEURONS, SOURCES, Networks
from nengo_tactile.play.skin import Replay, Skin


class Desk:
    """One page: its recording, and what it asks for.

    Parameters
    ----------
    networks : Networks
    collection : nengo_tactile.play.files.Collection, optional
        Where recordings are kept.
    """

    def __init__(self, networks: Networks, collection: files.Collection | None = None) -> None:
        self._networks, self._collection = networks, collection
        self._drawing: Drawing | None = None

    def hello(self) -> dict[str, Any]:
        """What the page can choose from, plain JSON values."""
        folder = self._collection.folder.name if self._collection else None
        return {
            "type": "hello",
            "networks": list(self._networks.names),
            "first": dataclasses.asdict(self._networks.first),
            "neurons": list(NEURONS),
            "engines": list(ENGINES),
            "sources": list(SOURCES),
            "endings": list(files.WRITERS),
            "loads": ".npz,.mat,.csv",
            "collection": folder,
        }

    def answer(self, text: str) -> dict[str, Any]:
        """Do what a message asks for.

        Parameters
        ----------
        text : str
            See `nengo_tactile.play.messages`.

        Returns
        -------
        dict
            Plain JSON values; of its "type" "chosen", "begun", "progress", "file" or "kept".

        Raises
        ------
        TactileError
            With what is wrong; nothing is changed.
        """
        message = parse(text)
        answers = {
            "choose": self._choose,
            "begin": self._begin,
            "sample": self._sample,
            "load": self._load,
            "touch": self._touch,
            "save": self._save,
            "keep": self._keep,
        }
        return answers[message.kind](message)

    def _begun(self, source, listener, label=None):
        self._drawing = Drawing(source, listener)
        dead = source.dead.ravel().astype(int).tolist()
        return {"type": "begun", "network": listener.to_dict(), "dead": dead, "label": label}

    def _choose(self, message):
        return {"type": "chosen", "network": self._networks.listener(message.network).to_dict()}

    def _begin(self, message):
        listener = self._networks.listener(message.network)
        parameters = dataclasses.replace(fitted_parameters(), noise_rate_hz=message.noise)
        skin = Skin(parameters, listener.duration_us, message.dead, message.seed, listener.grid)
        return self._begun(skin, listener)

    def _replay(self, events, listener, label=None):
        return self._begun(Replay(events, listener.duration_us, listener.grid), listener, label)

    def _sample(self, message):
        listener = self._networks.listener(message.network)
        samples = self._networks.samples(message.source)
        size = tuple(samples.sensor_size[:2])
        if size != listener.grid.sensor_size[:2]:
            raise DataError(
                f"{message.source} has {size[0]} x {size[1]} taxels, {listener.name} reads "
                f"{listener.grid.side} x {listener.grid.side}: choose another network"
            )
        if message.number >= len(samples):
            raise DataError(
                f"{message.source} has {len(samples):,} test samples, counted from 0: "
                f"{message.number} is none"
            )
        events, label = samples[message.number]
        return self._replay(events, listener, samples.classes[label])

    def _load(self, message):
        listener = self._networks.listener(message.network)
        return self._replay(files.loaded(message.name, message.content, listener.grid), listener)

    def _touch(self, message):
        progress = self._now().advance(message.points, message.until_us)
        return {"type": "progress", **progress.to_dict()}

    def _save(self, message):
        drawing = self._now()
        content = files.written(drawing.events, message.ending, drawing.source.grid)
        name = f"skin-recording{message.ending}"
        return {"type": "file", "name": name, "content": base64.b64encode(content).decode()}

    def _keep(self, message):
        if self._collection is None:
            raise DataError("no folder was named to keep recordings in: start with --out FOLDER")
        drawing = self._now()
        if not drawing.done:
            raise DataError("the recording is not over: keep it when it is")
        file, n_files = self._collection.keep(drawing.events, message.label, drawing.source.grid)
        return {"type": "kept", "file": file, "label": message.label, "n_files": n_files}

    def _now(self):
        if self._drawing is None:
            raise DataError("nothing was begun: touch the skin first")
        return self._drawing
