"""Draw the pictures of the README and the docs from the package alone.

The recordings are written on the simulated e-skin by invented writers, so the pictures show
no one's data. They take about a minute::

    python examples/make_pictures.py --out docs/pictures
"""

import argparse
from pathlib import Path

import numpy as np

import nengo_tactile as nt
from nengo_tactile.analysis import plots
from nengo_tactile.ann import training
from nengo_tactile.engines.loihi import chip_report
from nengo_tactile.files import atomic_write

DIGIT = 8  # the digit of Figure 4 in the ST-MNIST paper
SKIN = (10, 10)


def recording_of(dataset, digit, n_events_wanted=2400):
    """Return the sample of ``digit`` nearest in events to the paper's mean of an 8 (Table 1)."""
    candidates = [i for i in range(len(dataset)) if dataset.targets[i] == digit]
    recordings = [dataset.read_events(i) for i in candidates]
    return min(recordings, key=lambda events: abs(len(events) - n_events_wanted))


def tactile_pictures(dataset):
    """Figure 4 of the paper: the growing tactile image, and all events over time."""
    events = recording_of(dataset, DIGIT)
    # a stray event may come long before or after the pen
    first, last = np.quantile(events["t"], [0.01, 0.995]) / 1e6
    times = np.linspace(first, last, 9)[1:]
    frames = plots.cumulative_frames(events, times, SKIN)
    return {
        "tactile_image": plots.tactile_evolution(frames, times, transpose=True),
        "events": plots.event_raster(events, SKIN),
    }


def network_pictures(train, test, epochs, n_emulator, seed):
    """Accuracy over time, firing rates, spikes and the chip's core map of one network."""
    image = nt.events.TactileImage(upright=True)
    x, y = image.batch(train), train.targets
    x_test, y_test = image.batch(test), test.targets
    model = nt.ann.build("10x10-6c4-24c3-10o", seed=seed)
    training.train(model, (x, y), training.Recipe(epochs=epochs), seed=seed)
    snn = nt.convert(model, x[:512], image=image)
    spiking = nt.run(snn, x_test)
    emulated = nt.run(snn, x_test[:n_emulator], engine="loihi")
    curves = {
        f"NengoDL, {len(x_test)} samples": spiking.accuracy(y_test),
        f"Loihi emulator, {n_emulator} of them": emulated.accuracy(y_test[:n_emulator]),
    }
    cnn = training.accuracy(model, x_test, y_test)
    return {
        "accuracy_over_time": plots.accuracy_over_time(curves, ann_accuracy=cnn, dt=snn.dt),
        "firing_rates": plots.firing_rates(spiking),
        "spikes_and_synops": plots.spikes_and_synops(spiking),
        "core_map": plots.core_map(chip_report(snn, on_host=()).cores),
    }


def main(arguments=None):
    """Draw all pictures and write them as PNG files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--train", type=int, default=3000, help="training samples")
    parser.add_argument("--test", type=int, default=500, help="test samples")
    parser.add_argument("--emulator", type=int, default=100, help="of them on the emulator")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    train = nt.datasets.ESkin(split="train", n_samples=options.train, seed=options.seed)
    test = nt.datasets.ESkin(split="test", n_samples=options.test, seed=options.seed)
    pictures = tactile_pictures(test)
    pictures |= network_pictures(train, test, options.epochs, options.emulator, options.seed)
    for name, figure in pictures.items():
        path = options.out / f"{name}.png"
        with atomic_write(path, "wb") as file:
            file.write(plots.png(figure, dpi=110))
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
