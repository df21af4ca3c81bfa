"""Spikemax's claim of half the latency, with delays and with networks of equal accuracy.

``python benchmarks/spikemax_latency.py DATA --out FOLDER``: networks 10x10x2-64-10o on the e-skin
driven by pendigits' pens, 50 steps of 40 ms, trained with the paper's four losses on 1,000
recordings of its training writers, without delays, with those of axons, and (two losses) with those
of synapses too; seeds 0 to 2. 500 other training recordings choose the epoch of networks of equal
accuracy and the levels of margins; all 1,748 test recordings, of other writers, are read once for
each of these. Times are since the first event of each recording. An interrupted run goes on. Prints
tables and writes FOLDER/results.json; docs/slayer.md has them.
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path

import numpy as np

import nengo_tactile as nt
from nengo_tactile import files, slayer
from nengo_tactile.analysis import accuracy_interval, first_step_within, percentile
from nengo_tactile.analysis import since_first_event as shifted
from nengo_tactile.analysis.statistical_tests import compared
from nengo_tactile.datasets.registry import open_dataset
from nengo_tactile.events.sparse import load_spike_samples
from nengo_tactile.papers.spikemax.plan import SETTINGS, make_loss
from nengo_tactile.slayer import training

N_TRAIN, N_HELD, N_SEEDS, EPOCHS, MAX_LOSS = 1000, 500, 3, 12, 2.0
LAYOUT = slayer.SpikeLayout((10, 10, 2), 40_000, 50, late="drop")
LOSSES = ("spike-rate", "spikemax", "spikemax_s", "spikemax_g")
#: Kinds of delays, of up to 400 ms, as `slayer.build` takes them.
DELAYS = {
    "none": {"max_delay": 0},
    "axons": {"max_delay": 10},
    "synapses": {"max_delay": 10, "synaptic_delay": 10},
}
#: The ST-MNIST network's times and the reproduction's rates and window, in steps of 40 ms.
SETTING = dataclasses.replace(
    SETTINGS["eskin"],
    network="10x10x2-64-10o",
    neuron=slayer.SpikeResponseModel(1.25, 1.25),
    window=10,
)


def read(folder, data_dir):
    """Training, held-out and test samples, simulated once."""
    found = []
    for split, parts in (("train", (N_TRAIN, N_HELD)), ("test", (None,))):
        places = [folder / f"{split}-{number}.npz" for number in range(len(parts))]
        if not all(place.exists() for place in places):
            data = open_dataset("eskin-pendigits", split=split, data_dir=data_dir)
            order = np.arange(len(data))
            if split == "train":
                order = np.random.default_rng(0).permutation(len(data))
            for place, size in zip(places, parts):
                chosen, order = order[:size], order[size or len(order) :]
                LAYOUT.batch([data[int(i)] for i in chosen], progress=False).save(place)
        found += map(load_spike_samples, places)
    return found


def build(options, seed):
    """A network that starts from the data."""
    return slayer.build(SETTING.network, SETTING.neuron, SETTING.surrogate, seed=seed, **options)


def train(place, options, loss, seed, samples, held):
    """Weights and held-out accuracy after each epoch, in a file."""
    if place.exists():
        return
    kept, model = {}, build(options, seed)

    def keep(model, history):
        epoch = len(history.loss)
        kept.update({f"{epoch}/{n}": v for n, v in enumerate(model.get_weights())})

    recipe = training.Recipe(epochs=EPOCHS, batch_size=32, learning_rate=0.02)
    began = time.monotonic()
    history = training.train(
        model, samples, make_loss(loss, SETTING), recipe, seed,
        validation=held, progress=False, each_epoch=keep,
    )  # fmt: skip
    seconds = time.monotonic() - began
    kept |= {"held": np.array(history.validation_accuracy), "seconds": np.array(seconds)}
    files.write_npz(place, kept)
    print(
        f"{place.stem}: held-out {history.validation_accuracy[-1]:.3f}, {seconds:.0f} s", flush=True
    )


def measure(options, seed, stored, epoch, held, test):
    """Accuracy and times of a network as it was after an epoch."""
    model = build(options, seed)
    model.set_weights([stored[f"{epoch}/{n}"] for n in range(len(model.get_weights()))])
    network = slayer.SlayerNetwork(slayer.stages_of(model), LAYOUT)

    def shown(samples):
        recording = nt.run(network, samples, progress=False)
        spikes = sum(each.sum() for each in recording.spikes_over_time.values()) / len(samples)
        return shifted(network, recording, samples, samples.labels), recording, spikes

    chosen, read = shown(held)[0], shown(test)
    since, recording, spikes = read
    decided = since.decisions(chosen.levels(MAX_LOSS))
    return {
        "epoch": int(epoch),
        "held_accuracy": float(stored["held"][epoch - 1]),
        "curve": since.accuracy.tolist(),
        "window_curve": recording.accuracy(test.labels).tolist(),
        "spikes": float(spikes),
        "decisions": decided.numbers(),
    }


def cells(told):
    """(name, delays, loss, seed), a seed of all before the next."""
    for seed in range(told.seeds):
        for delays in told.delays.split(","):
            for loss in told.losses.split(","):
                yield f"{delays}-{loss}-{seed}", delays, loss, seed


def measured(told, held, test):
    """Of each cell, trained to the end and at the accuracy that all have."""
    stored = {each[0]: dict(np.load(told.out / f"{each[0]}.npz")) for each in cells(told)}
    target = min(float(each["held"].max()) for each in stored.values())
    found = []
    for name, delays, loss, seed in cells(told):
        curve = stored[name]["held"]
        epochs = {"trained": len(curve), "equal": int(np.abs(curve - target).argmin()) + 1}
        row = {"delays": delays, "loss": loss, "seed": seed}
        row["seconds"] = float(stored[name]["seconds"])
        for what, epoch in epochs.items():
            place = told.out / f"{name}-{epoch}.json"
            if not place.exists():
                result = measure(DELAYS[delays], seed, stored[name], epoch, held, test)
                files.write_json(place, result)
            row[what] = json.loads(place.read_text())
        found.append(row)
    return target, found


def table(told, rows, what, n_test):
    """Print what is measured of trained networks, or of those of equal accuracy."""
    step = LAYOUT.bin_us / 1e6
    print(HEAD)
    print("| --- " * HEAD.count(" | ") + "| --- |")
    for delays in told.delays.split(","):
        own = [row for row in rows if row["delays"] == delays]
        beside = None
        for loss in told.losses.split(","):
            each = [row[what] for row in own if row["loss"] == loss]
            curves = np.array([one["curve"] for one in each])
            windows = np.array([one["window_curve"] for one in each])
            low, high = (100 * end for end in accuracy_interval(curves[:, -1].mean(), n_test))
            steps = [first_step_within(curve) for curve in curves]
            latency = first_step_within(curves.mean(axis=0))
            ratio = p = ""
            if beside is None:
                beside = latency, steps
            else:
                test = compared(steps, beside[1])
                ratio = f"{latency / beside[0]:.2f}"
                p = "-" if test["p"] is None else f"{test['p']:.2f}"
            seconds = [np.array(one["decisions"]["ms"]) / 1e3 for one in each]
            times = " | ".join(_time(seconds, percent) for percent in (50, 95, 99))
            mean, sd = 100 * curves[:, -1].mean(), 100 * curves[:, -1].std(ddof=1)
            lost = np.mean([one["decisions"]["lost_points"] for one in each])
            print(
                f"| {delays} | {loss} | {mean:.2f} ({sd:.2f}) [{low:.1f}, {high:.1f}] | "
                f"{step * first_step_within(windows.mean(axis=0)):.2f} s | "
                f"{step * latency:.2f} s | {ratio} | {p} | {times} | {lost:.2f} | "
                f"{np.mean([one['spikes'] for one in each]):,.0f} |"
            )


def _time(seconds, percent):
    """A percentile of all networks together, and the ends of their 95 % intervals."""
    ends = [percentile(each, percent) for each in seconds]
    low, high = min(end.low for end in ends), max(end.high for end in ends)
    return f"{percentile(np.concatenate(seconds), percent).value:.2f} [{low:.2f}, {high:.2f}] s"


HEAD = (
    "| delays | loss | accuracy (SD) | within a point, of the window | since the first event | to "
    "spike-rate's | p | half decided | 95 % | 99 % | points lost then | spikes |"
)


def main():
    """Train, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_dir")
    parser.add_argument("--out", type=Path, default=Path("nengo-tactile-out/spikemax-latency"))
    parser.add_argument("--delays", default="none,axons")
    parser.add_argument("--losses", default=",".join(LOSSES))
    parser.add_argument("--seeds", type=int, default=N_SEEDS)
    told = parser.parse_args()
    told.out.mkdir(parents=True, exist_ok=True)
    samples, held, test = read(told.out, told.data_dir)
    for name, delays, loss, seed in cells(told):
        train(told.out / f"{name}.npz", DELAYS[delays], loss, seed, samples, held)
    target, rows = measured(told, held, test)
    found = {"target": target, "n_test": len(test), "rows": rows}
    files.write_json(told.out / "results.json", found)
    print(f"trained for {EPOCHS} epochs")
    table(told, rows, "trained", len(test))
    print(f"after the epoch that is nearest to {target:.3f} of the held-out recordings")
    table(told, rows, "equal", len(test))


if __name__ == "__main__":
    main()
