"""Results of cells as files that say what they come from, whole or refused.

A cell's function gets a `Ledger`. It reads what an earlier run kept, adds to it and writes it
after each part, so that an interrupted cell goes on.
"""

import dataclasses
import hashlib
import json
import time

from nengo_tactile import files
from nengo_tactile.doors.plain import LARGEST_JSON, Door
from nengo_tactile.errors import ModelFileError
from nengo_tactile.progress import track

FORMAT = 2


def text_of(content):
    """A cell's file with its own digest; another text than this is not read."""
    whole = json.dumps(files.whole_texts(content), default=files.plain, allow_nan=False)
    digest = hashlib.sha256(whole.encode()).hexdigest()
    return json.dumps(json.loads(whole) | {"sha256": digest}, indent=1) + "\n"


def content_of(path):
    """What a cell's file holds: ``study``, ``cell``, ``origin`` (a digest) and ``state``.

    Raises
    ------
    ModelFileError
        If it is no such file, or one byte of it has changed.
    """
    door = Door(ModelFileError, "delete it to run it again")
    damaged = (
        "no result of this command, or damaged (it does not have the digest that was written with "
        "it)"
    )
    with door.guarded(path, damaged):
        text = door.content(path, LARGEST_JSON).decode()
        content = door.parsed(text, path)
        content.pop("sha256")
        keys = {"format", "study", "cell", "origin", "state"}
        if text != text_of(content) or content["format"] != FORMAT or set(content) != keys:
            raise door.refusal(path, damaged)
    return content


@dataclasses.dataclass
class Ledger:
    """What a cell keeps.

    Attributes
    ----------
    study : Study
    key : str
        The cell's name, of which its files are called.
    progress : bool or None
        For bars of the cell's own.
    """

    study: object
    key: str
    progress: bool | None = None
    origin: str | None = None

    @property
    def folder(self):
        """The study's folder."""
        return self.study.folder

    @property
    def path(self):
        """The cell's file."""
        return self.folder / "cells" / f"{self.key}.json"

    def begin(self, settings, inputs, start=None):
        """The cell's state; ``start`` (or None) where there is none yet.

        Parameters
        ----------
        settings : object
            All that the result depends on besides; of JSON, or written as its text.
        inputs : dict of str to str
            "data mnist", "weights mnist-deltacnn", ... -> digest of all of them. The whole study
            must agree on them.
        start : dict, optional

        Raises
        ------
        ModelFileError
            If the file is damaged, or comes from something else.
        """
        for what, digest in inputs.items():
            self.study.agree(what, digest)
        self.origin = origin = files.fingerprint([settings, inputs])
        if not self.path.exists():
            return start
        content = content_of(self.path)
        about = {key: content.get(key) for key in ("study", "cell", "origin")}
        for key, value in {"study": self.study.name, "cell": self.key, "origin": origin}.items():
            if about[key] != value:
                raise ModelFileError(
                    f"{self.path}: comes from other settings, weights or samples ({key} "
                    f"{about[key]}, wanted {value}): choose another --out folder, or delete it"
                )
        return content["state"]

    def write(self, state):
        """Keep a state."""
        content = {"format": FORMAT, "study": self.study.name, "cell": self.key}
        with files.atomic_write(self.path) as file:
            file.write(text_of(content | {"origin": self.origin, "state": state}))

    @staticmethod
    def finished(state, *kept):
        """The state of a cell that is on disk, whose training needs no longer what it kept.

        Called again for a cell that is found finished: a process may have been killed in between.
        """
        for path in kept:
            path.unlink(missing_ok=True)
        return state

    def remove_temporaries(self):
        """Remove what a process has left that was killed while it wrote."""
        for path in self.path.parent.glob(f".{self.path.name}.*"):
            path.unlink()

    def network(self, make, card, key=None):
        """A network from its folder, made and saved there if it is not yet.

        Parameters
        ----------
        make : callable
            Without arguments; returns the network.
        card : dict
            What its card says besides.
        key : str, optional
            The folder's name; by default the cell's.

        Returns
        -------
        SpikingNetwork
        """
        from nengo_tactile.saved import load

        place = self.folder / "networks" / (key or self.key)
        with self.study.turn(f"network-{place.name}"):
            if (place / "network.json").is_file():
                network = load(place)
                if network.card.get("origin") == self.origin:
                    return network
            network = dataclasses.replace(make(), card={**card, "origin": self.origin})
            network.save(place)
            return network

    def shown(self, state, network, x, n_steps, size, description):
        """Show a network the samples that it has not been shown yet, minibatch by minibatch.

        The state is written after each, with the seconds that the engine took.

        Parameters
        ----------
        state : dict
            Of ``n_done``, ``seconds`` and sums, which the caller brings up to date.
        network : SpikingNetwork
        x : (n_samples, ...) array
        n_steps, size : int
            Steps for each sample, samples in a minibatch.
        description : str
            For the progress bar.

        Yields
        ------
        slice, Recording
        """
        from nengo_tactile.engines import event

        starts = range(state["n_done"], len(x), size)
        played = event.stream(network, x[starts.start :], n_steps, size, progress=False)
        began = time.monotonic()
        for start in track(starts, description, progress=self.progress):
            recording = next(played)
            state["seconds"] += time.monotonic() - began
            yield slice(start, start + recording.n_samples), recording
            state["n_done"] += recording.n_samples
            self.write(state)
            began = time.monotonic()
        played.close()


def add(state, **sums):
    """Add whole numbers, or arrays of them, to those of a state."""
    for name, values in sums.items():
        before = state[name]
        if isinstance(before, list):
            state[name] = [int(a + b) for a, b in zip(before, values)]
        else:
            state[name] = before + int(values)
