"""At which rate should a network trained on spikes start? Accuracy by events a sample, and rate.

    python benchmarks/slayer_start.py

The samples are those of tests/support/slayer_events.py: three classes, 90 samples of 50 steps to
train on and 90 to test. "as drawn" are slayerPytorch's gains, which know nothing of the data.
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from nengo_tactile import slayer
from nengo_tactile.errors import SilenceError, SilenceWarning
from nengo_tactile.files import write_json
from nengo_tactile.slayer import start, training
from nengo_tactile.slayer.layers import GAINS

NEURONS = {
    "spike response": slayer.SpikeResponseModel(3, 3),
    "current-based": slayer.CurrentBasedLIF(),
}
LOSSES = {
    "spikemax_s": slayer.SpikemaxSoftmax(),
    "spike-rate": slayer.SpikeRate(0.2, 0.03),
}
RECIPE = slayer.Recipe(epochs=12, batch_size=15, learning_rate=0.02)


def trained(module, neuron, loss, events, rate, seed):
    """Accuracy of one network in its last epoch of training and in the test, None if silent."""
    data, test = module.samples(events, seed=2 * seed), module.samples(events, seed=2 * seed + 1)
    gains = GAINS if rate is None else None
    model = slayer.build("8x8x2-32-3o", neuron, max_delay=0, gains=gains, seed=seed)
    if rate is not None:
        start.scale_weights(model, start.look_at(data, seed), rate)
    try:
        history = training.train(model, data, loss, RECIPE, seed)
    except SilenceError:
        return None
    return history.accuracy[-1], training.evaluate(model, test)["accuracy"]


def told(found):
    """Mean accuracies of several networks in per cent, and how many were silent."""
    alive = [each for each in found if each is not None]
    if not alive:
        return "silent"
    train, test = 100 * np.mean(alive, 0)
    silent = len(found) - len(alive)
    return f"{train:.0f} / {test:.0f}" + (f" ({silent} silent)" if silent else "")


def main(arguments=None):
    """Command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", default="6,60,600", help="events a sample")
    parser.add_argument("--rates", default="0.25,0.5,1,2,4", help="spikes a neuron and sample")
    parser.add_argument("--seeds", type=int, default=2, help="networks of each kind")
    parser.add_argument("--out", help="JSON file: accuracies of each network, null where silent")
    options = parser.parse_args(arguments)
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.support import slayer_events as module

    events = [int(each) for each in options.events.split(",")]
    table = Table(title="accuracy in training / test, in per cent", title_justify="left")
    for column in ("neurons", "loss", "rate", *(f"{n} events" for n in events)):
        table.add_column(column)
    warnings.simplefilter("ignore", SilenceWarning)
    rows = []
    for kind, neuron in NEURONS.items():
        for name, loss in LOSSES.items():
            for rate in (None, *map(float, options.rates.split(","))):
                found = {
                    n: [trained(module, neuron, loss, n, rate, s) for s in range(options.seeds)]
                    for n in events
                }
                label = "as drawn" if rate is None else f"{rate:g}"
                table.add_row(kind, name, label, *map(told, found.values()))
                rows.append({"neurons": kind, "loss": name, "rate": label, "accuracy": found})
    Console(width=110).print(table)
    if options.out:
        write_json(options.out, rows)


if __name__ == "__main__":
    main()
