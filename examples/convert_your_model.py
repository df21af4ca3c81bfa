"""Check and convert a Keras model of your own, and see what it costs as spikes.

With a saved model and your data::

    python examples/convert_your_model.py my_model.keras my_data.npz

where the npz holds ``x`` (samples in the model's input shape) and ``y`` (integer labels).
Without arguments the script makes a small model and data to show the steps.
"""

import argparse
from pathlib import Path

import numpy as np

import nengo_tactile as nt
from nengo_tactile import stack
from nengo_tactile.analysis import accuracy_text, cost_until, latency_step
from nengo_tactile.ann import training


def stand_in(seed=0):
    """Make a small model of a kind you might have, with data: which quadrant is brightest?"""
    keras = stack.tensorflow().keras  # Keras 2, as NengoDL needs it; Keras 3 models work too
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, 600)
    x = rng.random((600, 8, 8, 1), np.float32) * 0.3
    for image, quadrant in zip(x, y):
        row, column = divmod(quadrant, 2)
        image[row * 4 : row * 4 + 4, column * 4 : column * 4 + 4] += 0.5
    model = keras.Sequential(
        [
            keras.layers.Conv2D(8, 3, activation="relu", input_shape=(8, 8, 1)),
            keras.layers.AveragePooling2D(2),
            keras.layers.Dropout(0.2),
            keras.layers.Flatten(),
            keras.layers.Dense(20, activation="relu"),
            keras.layers.Dense(4, activation="softmax"),
        ],
        name="quadrants",
    )
    training.train(model, (x, y), training.Recipe(epochs=5), seed=seed)
    return model, x, y


def main(arguments=None):
    """Check, convert, run, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", type=Path, help=".keras or .h5 file")
    parser.add_argument("data", nargs="?", type=Path, help=".npz file with x and y")
    parser.add_argument("--samples", type=int, default=100, help="samples to run")
    parser.add_argument("--emulator", type=int, default=20, help="of them on the emulator")
    parser.add_argument("--out", type=Path, help="folder for the spiking network")
    options = parser.parse_args(arguments)
    if (options.model is None) != (options.data is None):
        parser.error("give both a model and its data, or neither")
    if options.model is None:
        model, x, y = stand_in()
    else:
        model = options.model
        with np.load(options.data, allow_pickle=False) as stored:
            x, y = stored["x"], stored["y"]

    # 1. what would become of each layer, and what to change if it cannot be converted
    result = nt.check(model)
    print(result)
    if not result.ok:
        return 1

    # 2. convert: the last samples calibrate firing rates and synapse, the first are for testing
    n = min(options.samples, len(x) // 2)
    neuron = nt.LIF() if "lif" in result.neurons else nt.IF()
    snn = nt.convert(model, x[n:][:256], neuron)
    print(f"spiking layers: {', '.join(snn.spiking_layers)}; synapse {snn.synapse} s")

    # 3. run on the engines that take all of its layers
    for engine in result.engines_with(neuron.name):
        count = min(options.emulator, n) if engine == "loihi" else n
        recording = nt.run(snn, x[:count], engine=engine)
        curve = recording.accuracy(y[:count])
        step = latency_step(curve, n_samples=count)
        cost = cost_until(recording, step)
        print(
            f"{engine}: accuracy {accuracy_text(curve[-1], count)}; settled at step {step} with "
            f"{cost.spikes:.0f} spikes and {cost.synops:.0f} synaptic operations a sample"
        )
    if options.out:
        snn.save(options.out)
        print(f"wrote {options.out}; load it with nengo_tactile.load({str(options.out)!r})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
