"""Convert a trained network, or train one on spikes? Both on the same recordings.

    python examples/train_on_spikes.py
    python examples/train_on_spikes.py --task eskin-pendigits --train 7494 --data-dir DATA

A CNN sees each recording as a tactile image and is converted to spikes. A network of spike response
neurons sees the events as they come, and is trained on them with a loss over its output spikes. The
table has what each of them needs for its answer.
"""

import argparse

import numpy as np
from rich.console import Console
from rich.table import Table

import nengo_tactile as nt
from nengo_tactile import analysis, slayer
from nengo_tactile.ann import build, training

LOSSES = {
    "spike-rate": lambda: slayer.SpikeRate(0.3, 0.05),
    "spikemax_g": slayer.SpikemaxGlobal,
    "spikemax_s": slayer.SpikemaxSoftmax,
}
#: Steps of the spiking network trained on events: two seconds in bins of 20 ms.
STEP_US, N_STEPS = 20_000, 100


def converted(train, test, epochs, seed):
    """A CNN of tactile images, converted and run: accuracy of the CNN, recording, labels."""
    image = nt.events.TactileImage((10, 10, 2), normalise="max", upright=True)
    x, y = image.batch(train[0]), train[1]
    model = build("10x10-6c4-24c3-10o", seed=seed)
    training.train(model, (x, y), training.Recipe(epochs=epochs), seed)
    snn = nt.convert(model, x[:256], image=image)
    x_test = image.batch(test[0])
    accuracy = training.accuracy(model, x_test, test[1])
    return accuracy, nt.run(snn, x_test, engine="nengo-dl", progress=False)


def trained_on_spikes(train, test, loss, epochs, seed):
    """The same for a network trained on events; its own accuracy is that of its Keras layers."""
    layout = slayer.SpikeLayout((10, 10, 2), STEP_US, N_STEPS, late="drop")
    spikes = [
        nt.events.spike_samples(
            events, layout.sensor_size, STEP_US, N_STEPS, late="drop", labels=labels
        )
        for events, labels in (train, test)
    ]
    model = slayer.build("10x10x2-6c2-24c3-10o", slayer.SpikeResponseModel(5, 5), seed=seed)
    recipe = slayer.Recipe(epochs=epochs, batch_size=32, learning_rate=0.02)
    slayer.train(model, spikes[0], LOSSES[loss](), recipe, seed)
    network = slayer.SlayerNetwork(slayer.stages_of(model), layout)
    accuracy = slayer.evaluate(model, spikes[1])["accuracy"]
    return accuracy, nt.run(network, spikes[1], engine="event", progress=False)


def recordings(task, split, n, data_dir, seed):
    """Some recordings of a data set, and their labels."""
    dataset = nt.datasets.open_dataset(task, split=split, data_dir=data_dir)
    chosen = np.random.default_rng(seed).permutation(len(dataset))[:n]
    return [dataset.read_events(int(i)) for i in chosen], np.asarray(dataset.targets)[chosen]


def row(name, accuracy, recording, labels):
    """A line of the table."""
    curve = recording.accuracy(labels)
    step = analysis.latency_step(curve, n_samples=len(labels))
    cost = analysis.cost_until(recording, step)
    return (
        name,
        f"{accuracy:.3f}",
        f"{curve[-1]:.3f}",
        f"{step * recording.dt * 1000:.0f} ms",
        f"{cost.spikes:,.0f}",
        f"{cost.synops:,.0f}",
    )


def main(arguments=None):
    """Command line of this example."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", default="eskin", help="eskin (invented writers), eskin-pendigits")
    parser.add_argument("--data-dir")
    parser.add_argument("--train", type=int, default=1500, help="training recordings")
    parser.add_argument("--test", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--loss", choices=LOSSES, default="spikemax_s")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    train, test = (
        recordings(options.task, split, n, options.data_dir, options.seed)
        for split, n in (("train", options.train), ("test", options.test))
    )
    table = Table(title=f"{options.task}, {len(test[1])} test recordings", title_justify="left")
    for column in (
        "network", "before", "spiking", "latency", "spikes until then", "synaptic operations",
    ):  # fmt: skip
        table.add_column(column)
    found = converted(train, test, options.epochs, options.seed)
    table.add_row(*row("CNN, converted", *found, test[1]))
    found = trained_on_spikes(train, test, options.loss, options.epochs, options.seed)
    table.add_row(*row(f"trained on spikes, {options.loss}", *found, test[1]))
    Console(width=110).print(table)
    print(
        "before: the CNN's accuracy, or that of the layers in training. The converted network is\n"
        "shown the finished image; the other one reads events while the digit is written."
    )


if __name__ == "__main__":
    main()
