"""What shapes alone say of Loihi's cores, against what nengo-loihi builds; and networks cut so."""

import time

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.conversion.check import check
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.neurons import IF, LIF
from nengo_tactile.engines import chip_build, core_shapes, loihi, nengo_dl, placement
from nengo_tactile.errors import EngineError
from tests.support.random_models import layers


def sequential(shape, *parts):
    stack.tensorflow().keras.utils.set_random_seed(0)
    return stack.tensorflow().keras.Sequential([layers().Input(shape), *parts])


def converted(model, n_steps=60):
    x = np.random.default_rng(0).random((16, *model.input_shape[1:]), np.float32)
    return convert(model, x, LIF(max_rate=200.0, synapse=0.005), n_steps=n_steps), x


def convolutions():
    conv = layers().Conv2D
    return sequential(
        (9, 9, 2),
        conv(4, 3, padding="same", activation="relu"),
        conv(6, 3, 2, padding="same", activation="relu"),
        conv(5, 2, activation="relu"),
        layers().Flatten(),
        layers().Dense(20, "relu"),
        layers().Dense(3),
    )


def sequences():
    conv = layers().Conv1D
    return sequential(
        (20, 3),
        conv(4, 3, padding="same", activation="relu"),
        conv(6, 3, 2, activation="relu"),
        layers().Flatten(),
        layers().Dense(20, "relu"),
        layers().Dense(3),
    )


def transposed():
    conv = layers().Conv2DTranspose
    return sequential(
        (6, 6, 2),
        layers().Conv2D(4, 3, activation="relu"),
        conv(6, 3, 2, activation="relu"),
        conv(3, 3, 1, padding="same", activation="relu"),
        layers().Conv2D(40, 4, 3, activation="relu"),
        layers().GlobalAveragePooling2D(),
        layers().Dense(3),
    )


def residual():
    conv = layers().Conv2D
    start = stack.tensorflow().keras.Input((8, 8, 1))
    first = conv(16, 3, padding="same", activation="relu")(start)
    second = conv(16, 3, padding="same", activation="relu")(first)
    third = layers().ReLU()(layers().Add()([first, conv(16, 3, padding="same")(second)]))
    return stack.tensorflow().keras.Model(start, layers().Dense(3)(layers().Flatten()(third)))


@pytest.mark.parametrize("most", [1024, 40, 100])
@pytest.mark.parametrize("make", [convolutions, sequences, transposed, residual])
def test_shapes_say_what_nengo_loihi_builds(make, most, monkeypatch):
    network, _ = converted(make())
    monkeypatch.setitem(placement.CORE_LIMITS, "compartments", most)
    prepared = chip_build.prepare(network, None if make is transposed else ())
    with stack.quiet_build():
        cores = chip_build.placed(prepared, chip_build.Shown(network))[-1].cores
    chip = [stage for stage in prepared.graph if stage.name in prepared.blocks]
    blocks = {
        name: block if len(block) != 2 else (block[0], 1, block[1])
        for name, block in prepared.blocks.items()
    }
    for stage in chip:
        found = core_shapes._inside(stage, blocks[stage.name])
        found["out_axons"] = core_shapes._out_axons(stage, chip, blocks)
        built = [core for core in cores if core["layer"] == stage.name]
        assert found == {limit: max(core[limit] for core in built) for limit in found}


def test_a_dense_layer_reads_more_neurons_than_a_core_has_axons():
    model = sequential(
        (28, 28, 1),
        layers().Conv2D(32, 3, 2, activation="relu", name="c1"),
        layers().Flatten(),
        layers().Dense(64, "relu", name="d1"),
        layers().Dense(4),
    )
    assert "loihi" in check(model).engines
    network, x = converted(model)
    report = loihi.chip_report(network)
    assert report.rows()[0]["in_axons"] == 13 * 13  # pixels, not their 5,408 neurons
    chip = loihi.run(network, x[:2], least_agreement=0)
    ours = nengo_dl.run(loihi.chip_settings(network), x[:2], chip.n_steps)
    counts = [recording.spike_counts["d1"].astype(float).ravel() for recording in (chip, ours)]
    assert np.corrcoef(*counts)[0, 1] > 0.95


def test_what_cannot_be_placed_is_refused_at_once_with_a_remedy_that_works(monkeypatch):
    model = sequential(
        (6, 6, 1),
        layers().Conv2D(8, 3, activation="relu", name="c1"),
        layers().Flatten(),
        layers().Dense(30, "relu", name="d1"),
        layers().Dense(20, "relu", name="d2"),
        layers().Dense(4),
    )
    network, x = converted(model)
    # one neuron's 128 weights need more
    monkeypatch.setitem(placement.CORE_LIMITS, "synapse_bits", 3000)
    monkeypatch.setattr(chip_build, "build", None)  # nothing is built
    started = time.process_time()
    wanted = r"layer 'd1' .*: synapse_bits is at least [\d,]+ .*3,000.*on_host='c1,d1'"
    with pytest.raises(EngineError, match=wanted):
        loihi.chip_report(network)
    assert time.process_time() - started < 2
    row = next(row for row in check(model).layers if row.name == "d1")
    assert "loihi" not in row.engines and "synapse_bits" in row.notes["loihi"]
    monkeypatch.undo()
    assert loihi.chip_report(network, "c1,d1").on_host == ("c1", "d1")
    recording = loihi.run(network, x[:1], on_host=["c1", "d1"])
    assert recording.spike_counts.keys() == {"c1", "d1", "d2"}


def test_max_pooling_runs_on_the_host_with_the_layer_behind_it():
    model = sequential(
        (8, 8, 1),
        layers().Conv2D(4, 3, activation="relu", name="c1"),
        layers().MaxPooling2D(2, name="pool"),
        layers().Conv2D(6, 2, activation="relu", name="c2"),
        layers().Flatten(),
        layers().Dense(12, "relu", name="d1"),
        layers().Dense(3),
    )
    x = np.random.default_rng(0).random((8, 8, 8, 1), np.float32)
    network = convert(model, x, IF(), n_steps=60)
    with pytest.raises(EngineError, match=r"'pool' .*max pooling.*--on-host"):
        loihi.run(network, x[:1])
    with pytest.raises(EngineError, match=r"'pool' .*let 'c2' run on the host"):
        loihi.run(network, x[:1], on_host="c1,pool")
    chip = loihi.run(network, x[:2], on_host="c1,pool,c2", least_agreement=0)
    ours = nengo_dl.run(loihi.chip_settings(network), x[:2], chip.n_steps)
    for name in ("c1", "pool", "c2"):  # the same neurons, in another simulator
        assert np.abs(chip.spike_counts[name] - ours.spike_counts[name]).max() <= 2
    counts = [r.spike_counts["d1"].astype(float).ravel() for r in (chip, ours)]
    assert np.corrcoef(*counts)[0, 1] > 0.95
