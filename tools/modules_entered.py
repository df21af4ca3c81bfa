"""Count the modules that running a network enters, and the Keras models that conversion builds.

    python tools/modules_entered.py [NAME ...]

For each shipped network (by default those below) and each engine that takes it: the modules whose
functions run from the call of ``nengo_tactile.run`` to the engine's loop over time steps, and to
its end, without those that only an import runs. What one has to read to follow a run is what this
counts. Then how many Keras models one conversion builds.
"""

import argparse
import contextlib
import sys
from collections import Counter
from unittest import mock

import numpy as np
from rich.console import Console
from rich.table import Table

import nengo_tactile as nt
import nengo_tactile.errors

PACKAGE = "nengo_tactile."
NETWORKS = ("eskin-cnn", "mnist-resnet8", "mnist-sigma-delta", "eskin-slayer", "nmnist-skim-2000")
#: Not a room of the package's own: where libraries come from, and what shows that work goes on.
APART = (f"{PACKAGE}stack", f"{PACKAGE}lazy", f"{PACKAGE}progress")
#: The functions that step through time, or have compiled code do it.
LOOPS = {
    ("engines.event.clocked", "record"),
    ("engines.event.stepped", "record"),
    ("engines.event.asynchronous", "record"),
    ("engines.chip_samples", "record"),
    ("nengo_runs", "_at_once"),
    ("nengo_runs", "_one_by_one"),
}


@contextlib.contextmanager
def entered():
    """Yield two Counters of calls that enter a module from another one: to the loop, and in all."""
    counts: Counter = Counter()
    before: Counter = Counter()

    def hook(frame, event, argument):
        if event != "call" or frame.f_code.co_name == "<module>":
            return
        name = frame.f_globals.get("__name__", "")
        if not name.startswith(PACKAGE) or name.startswith(APART):
            return
        caller = frame.f_back
        while caller and not caller.f_globals.get("__name__", "").startswith(PACKAGE):
            caller = caller.f_back
        if caller is None or caller.f_globals["__name__"] != name:
            counts[name.removeprefix(PACKAGE)] += 1
        if not before and (name.removeprefix(PACKAGE), frame.f_code.co_name) in LOOPS:
            before.update(counts)

    sys.setprofile(hook)
    try:
        yield before, counts
    finally:
        sys.setprofile(None)


def of_a_run(network, engine, x):
    """Modules to the loop, and in all, ordered by name; a first run loads what it needs."""
    options = {"n_steps": 2} if engine == "loihi" else {}
    if engine == "loihi" and hasattr(network, "chip_rate"):
        options["least_agreement"] = 0
    nt.run(network, x, engine=engine, progress=False, **options)
    with entered() as (before, counts):
        nt.run(network, x, engine=engine, progress=False, **options)
    return sorted(before), sorted(counts)


def of_a_conversion():
    """How many Keras models are built while a small network is converted."""
    keras = nt.stack.tensorflow().keras
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Conv2D(4, 3, input_shape=(8, 8, 1)),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.AveragePooling2D(),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    x = np.random.default_rng(0).random((32, 8, 8, 1)).astype(np.float32)
    kind = type(keras.Model(model.inputs, model.outputs))
    make, made = kind.__init__, []

    def counted(self, *arguments, **options):
        made.append(self)
        make(self, *arguments, **options)

    with mock.patch.object(kind, "__init__", counted):
        nt.convert(model, x, nt.IF(), progress=False)
    return len(made)


def main(arguments=None):
    """Command line of this tool."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(NETWORKS), help="shipped networks")
    names = parser.parse_args(arguments).names
    table = Table("network", "engine", "to the loop", "in all", "which")
    for name in names:
        network = nt.load(name)
        x = np.zeros((2, *network.input_shape), np.float32)
        for engine in network.runners:
            try:
                before, modules = of_a_run(network, engine, x)
            except nt.errors.TactileError as error:
                table.add_row(name, engine, "-", "-", str(error).partition(":")[0])
                continue
            table.add_row(name, engine, str(len(before)), str(len(modules)), ", ".join(modules))
    console = Console()
    console.print(table)
    console.print(f"one conversion builds Keras models {of_a_conversion()} times")


if __name__ == "__main__":
    main()
