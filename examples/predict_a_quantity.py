"""Regression: how long did it take to write a digit on the skin? From a spiking network, in s.

The network sees events of the simulated e-skin as images, a count per taxel for each eighth of
two seconds. What it is to tell is known from the recording: when nineteen of twenty events had
come (the last ones are often noise). Run it with::

    python examples/predict_a_quantity.py
"""

import argparse

import numpy as np

import nengo_tactile as nt
from nengo_tactile import stack

#: Counts as they are: writing that goes on sends more events.
IMAGE = nt.events.TactileImage(n_bins=8, normalise="log", upright=True)


def samples(split, n, seed=0):
    """Images of recordings, and when nineteen of twenty events of each had come, in seconds."""
    recordings = nt.datasets.ESkin(split=split, n_samples=n, seed=seed)
    events = [recordings[index][0] for index in range(n)]
    return IMAGE.batch(events), np.array([np.quantile(e["t"], 0.95) / 1e6 for e in events])


def train(x, seconds, epochs, seed=0):
    """Train a small network of one output; its values are seconds."""
    keras = stack.tensorflow().keras  # Keras 2, as NengoDL needs it; Keras 3 models work too
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            keras.layers.Conv2D(16, 4, strides=2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(1),
        ],
        name="how_long",
    )
    model.compile(keras.optimizers.Adam(2e-3), "mse")
    model.fit(x, seconds, epochs=epochs, batch_size=32, verbose=0)
    return model


def main(arguments=None):
    """Train, convert, run; print errors in seconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=int, default=1000, help="training recordings")
    parser.add_argument("--test", type=int, default=300, help="test recordings, other writers")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--steps", type=int, default=256)
    options = parser.parse_args(arguments)
    x, seconds = samples("train", options.train)
    x_test, seconds_test = samples("test", options.test)
    model = train(x, seconds, options.epochs)
    snn = nt.convert(model, x[:256], nt.IF(), n_steps=options.steps, image=IMAGE)
    recording = nt.run(snn, x_test, engine="event")

    def rms(found):
        return np.sqrt(np.mean((found - seconds_test) ** 2))

    errors = recording.error(seconds_test)
    print(f"always the mean: off by {rms(seconds.mean()):.3f} s (RMS, {options.test} recordings)")
    print(f"Keras: off by {rms(model.predict(x_test, verbose=0)[:, 0]):.3f} s")
    for step in (options.steps // 4, options.steps // 2, options.steps):
        print(f"spikes, after {step} steps: off by {errors[step - 1]:.3f} s")
    found = recording.predict()  # of the shape of model.predict, (recordings, 1)
    for label in range(3):
        print(f"recording {label}: {seconds_test[label]:.2f} s, read as {found[label, 0]:.2f} s")
    return errors


if __name__ == "__main__":
    main()
