"""Networks that pages may choose, and the neurons, steps and engines that these run with."""

import functools
from collections import OrderedDict
from typing import Any

import numpy as np

from nengo_tactile import saved
from nengo_tactile.conversion.neurons import IF, SigmaDelta
from nengo_tactile.datasets.base import EventDataset
from nengo_tactile.datasets.registry import open_dataset
from nengo_tactile.errors import DataError
from nengo_tactile.events.taxels import TaxelMap
from nengo_tactile.play.deciding import Listener
from nengo_tactile.play.messages import Choice

#: Shipped networks of skins.
SHIPPED = ("eskin-cnn", "eskin-slayer", "stemnist-cnn")
#: Besides a network's own. The first images of a recording, of nothing yet, count half as long.
NEURONS = {"if": IF(discard=0.5), "sigma-delta": SigmaDelta(threshold=0.05)}
#: Data sets whose test samples are played.
SOURCES = ("eskin", "stemnist", "stmnist")
#: Training samples that thresholds are chosen on, by the rows of the skin.
_CALIBRATION = {10: "eskin", 16: "stemnist"}
_N_CALIBRATION = 128
#: Listeners that are kept: each choice of steps is another.
_MOST_KEPT = 12


class Networks:
    """Networks that pages may choose, each made when it is first asked for.

    Parameters
    ----------
    first : Choice
        Whose name may also be a folder; made at once.
    data_dir : path, optional
        Where recorded samples are; by default NENGO_TACTILE_DATA.
    taxels : TaxelMap, optional
        Of the first one: see `nengo_tactile.play.deciding.Listener`.
    """

    def __init__(self, first: Choice, data_dir: Any = None, taxels: TaxelMap | None = None) -> None:
        self.names = tuple(dict.fromkeys((first.name, *SHIPPED)))
        self.first, self._data_dir, self._taxels = first, data_dir, taxels
        self._kept: OrderedDict[Choice, Listener] = OrderedDict()
        self.listener(first)

    def listener(self, choice: Choice) -> Listener:
        """One of them, ready.

        Raises
        ------
        TactileError
            For another (a page cannot open folders), neurons and steps that it does not take, and
            engines that do not take those.
        """
        if choice.name not in self.names:
            names = ", ".join(self.names)
            raise DataError(f"network {choice.name!r:.80} is not here: choose {names}")
        if choice not in self._kept:
            network = self._network(choice)
            steps = choice.n_steps or None
            taxels = self._taxels if choice.name == self.first.name else None
            listener = Listener(network, choice.engine or None, choice.name, steps, taxels)
            self._kept[choice] = listener
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(choice)
        return self._kept[choice]

    def samples(self, source: str) -> EventDataset:
        """A data set's test samples.

        Raises
        ------
        DataError
            For another, and one that is not there, with where it was looked for.
        """
        if source not in SOURCES:
            raise DataError(f"source is {source!r:.50}: choose one of {', '.join(SOURCES)}")
        return self._opened(source, "test")

    @functools.cache  # noqa: B019 - as many as there are, and they go with the object
    def _opened(self, source, split):
        return open_dataset(source, split=split, data_dir=self._data_dir)

    @functools.cache  # noqa: B019 - likewise
    def _saved(self, name):
        return saved.load(name)

    def _network(self, choice):
        network: Any = self._saved(choice.name)
        if not choice.neuron:
            return network
        if choice.neuron not in NEURONS:
            raise DataError(f"neuron is {choice.neuron!r}: choose one of {', '.join(NEURONS)}")
        # neurons are options too, which the command line reads without what converts
        from nengo_tactile.conversion.other_neurons import check, with_neuron

        neuron = NEURONS[choice.neuron]
        check(network, neuron)
        size = network.sensor_size
        side = None if size is None else size[0]
        if side not in _CALIBRATION:
            raise DataError(
                f"{choice.name}: there are no training samples here to convert it on: leave its "
                "own neurons, or convert it before"
            )
        data = self._opened(_CALIBRATION[side], "train")
        rows = np.random.default_rng(0).permutation(len(data))[:_N_CALIBRATION]
        x, _ = network.encode(data, rows, progress=False)
        return with_neuron(network, neuron, x)
