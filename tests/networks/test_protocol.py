"""Every kind of network does what engines, files and the command line ask of any."""

import copy
import dataclasses
import pickle
import subprocess
import sys

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import stack
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.network import SpikingNetwork
from nengo_tactile.datasets.base import EventDataset, ImageDataset
from nengo_tactile.errors import DataError, EngineError
from nengo_tactile.events.arrays import make_events
from nengo_tactile.events.images import TactileImage
from nengo_tactile.events.patterns import PatternLayout
from nengo_tactile.networks.image_scale import ImageScale
from nengo_tactile.networks.linear_maps import Sparse
from nengo_tactile.networks.neurons import IntegrateFire
from nengo_tactile.networks.protocol import Network
from nengo_tactile.networks.stages import Link, Stage
from nengo_tactile.skim import SkimNetwork, Supervision, draw_layer, training_pattern
from nengo_tactile.slayer import SlayerNetwork, SpikeLayout
from nengo_tactile.slayer.models import build, stages_of

KINDS = ("converted", "skim", "slayer", "stepped")


class Touches(EventDataset):
    """Recordings of a sensor of 4 x 3, which lean to the left or to the right."""

    sensor_size, classes = (4, 3, 2), ("left", "right")

    def __init__(self, n=6):
        super().__init__("memory")
        self.targets = np.arange(n) % 2

    def read_events(self, index):
        rng = np.random.default_rng(index)
        x = rng.integers(0, 2, 60) + 2 * self.targets[index]
        t = np.sort(rng.integers(0, 38_000, 60))
        return make_events(x, rng.integers(0, 3, 60), t, rng.integers(0, 2, 60))


class Images(ImageDataset):
    """Images of 3 x 4."""

    sensor_size = (4, 3, 1)
    classes = ("left", "right")

    def __init__(self):
        self.images = np.random.default_rng(0).integers(0, 256, (5, 3, 4), dtype=np.uint8)
        EventDataset.__init__(self, "memory")
        self.targets = np.array([0, 1, 1, 0, 1])


def _converted():
    layers = stack.tensorflow().keras.layers
    stack.tensorflow().keras.utils.set_random_seed(0)
    model = stack.tensorflow().keras.Sequential(
        [
            layers.Conv2D(4, 2, activation="relu", input_shape=(3, 4, 1)),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    image = TactileImage((4, 3, 2))
    x = image.batch(Touches(), progress=False)
    return convert(model, x, nt.IF(), image=image, n_steps=20)


def _skim():
    layout = PatternLayout((4, 3, 2), step_us=2000, recording_steps=20, tail_steps=5)
    taught = Supervision(training_pattern("gaussian", 3, mu=1, sigma=1.0), 25, 5)
    layer = draw_layer(10, 12, 0, "alpha", "tanh", tau=(4, 12))
    weights = np.random.default_rng(0).normal(size=(2, 10))
    return SkimNetwork(layer, weights, taught, "area", layout, Touches.classes)


def _slayer():
    model = build("3x4x2-6-2o", gains={"dense": 40.0, "output": 60.0})
    return SlayerNetwork(stages_of(model), SpikeLayout((4, 3, 2), 2000, 20), Touches.classes)


def _stepped():
    slayer = _slayer()
    links = [Link("output", Sparse.routing(order, 2)) for order in ([1, 0], [0, 1])]
    end = Stage("end", (2,), IntegrateFire(0.5, 0.1, spikes_per_step=2, floor=-3.0), links)
    neuron = IntegrateFire(0.25, 0.1, 2.0)
    stages = [dataclasses.replace(stage, neuron=neuron) for stage in slayer.graph] + [end]
    graph = dataclasses.replace(slayer.graph, stages=stages)
    return nt.SteppedNetwork(graph, slayer.layout, Touches.classes)


@pytest.fixture(scope="module")
def networks():
    return {
        "converted": _converted(),
        "skim": _skim(),
        "slayer": _slayer(),
        "stepped": _stepped(),
    }


@pytest.fixture(params=KINDS)
def network(networks, request):
    return networks[request.param]


def _dense(x):
    """Encoded samples as arrays."""
    entries = [
        nt.skim.dense(each) if hasattr(each, "pointers") else np.asarray(each)
        for each in (x if isinstance(x, list) else x[:])
    ]
    return np.stack(entries)


def _outputs(network, x, **options):
    return nt.run(network, x, progress=False, **options).outputs


def test_the_three_kinds_are_networks(network):
    assert isinstance(network, Network)
    assert network.fastest in network.engines
    assert set(network.engines) <= set(network.runners)
    assert not set(network.others) & set(network.runners)


@pytest.mark.parametrize(
    "neuron",
    [nt.LIF(), nt.IF(), nt.IF(signed=True), nt.IF(spikes_per_step=3), nt.SigmaDelta(threshold=0.1)],
)
def test_the_engines_that_a_network_names_have_its_neurons(neuron, rng):
    layers = stack.tensorflow().keras.layers
    model = stack.tensorflow().keras.Sequential(
        [layers.Dense(9, "relu", input_shape=(5,)), layers.Dense(7, "relu"), layers.Dense(3)]
    )
    x = rng.random((12, 5), np.float32)
    network = convert(model, x, neuron, n_steps=8)
    for engine in network.runners:
        options = {"least_agreement": 0} if engine == "loihi" else {}
        if engine in network.engines:
            assert _outputs(network, x[:2], engine=engine, **options).shape[0] == 2
            continue
        with pytest.raises(EngineError):
            _outputs(network, x[:2], engine=engine, **options)
    assert f"runs on {', '.join(network.engines)})" in repr(network)


def test_whatever_recordings_come_in_they_become_the_same(network):
    data = Touches()
    x, labels = network.encode(data, progress=False)
    assert labels.tolist() == [0, 1, 0, 1, 0, 1] and labels.dtype == np.int64
    pairs = [data[index] for index in range(len(data))]
    alone = [events for events, _ in pairs]
    for given, known in ((pairs, True), (alone, False), (alone[0], False)):
        again, there = network.encode(given, progress=False)
        np.testing.assert_array_equal(_dense(again), _dense(x)[: len(_dense(again))])
        assert (there is not None) == known and (not known or there.tolist() == labels.tolist())
    some, there = network.encode(data, indices=[3, 0], progress=False)
    np.testing.assert_array_equal(_dense(some), _dense(x)[[3, 0]])
    assert there.tolist() == [1, 0]
    through, there = network.encode(x)
    assert through is x or np.array_equal(through, x)
    np.testing.assert_array_equal(_dense(network.encode(x, [2, 1])[0]), _dense(x)[[2, 1]])


def test_transforms_of_a_data_set_are_applied(network):
    data = Touches()
    mirrored = Touches()
    mirrored.transform = lambda events: make_events(
        3 - events["x"], events["y"], events["t"], events["p"]
    )
    mirrored.target_transform = lambda label: 1 - label
    x, labels = network.encode(mirrored, progress=False)
    by_hand = [mirrored.transform(data.read_events(index)) for index in range(len(data))]
    np.testing.assert_array_equal(_dense(x), _dense(network.encode(by_hand, progress=False)[0]))
    assert labels.tolist() == [1, 0, 1, 0, 1, 0]


def test_what_is_encoded_runs_and_a_data_set_runs_by_itself(network):
    data = Touches()
    pair = network.encode(data, progress=False)
    outputs = _outputs(network, pair[0])
    assert np.ptp(outputs) > 0
    np.testing.assert_array_equal(_outputs(network, data), outputs)
    np.testing.assert_array_equal(_outputs(network, [data[0], data[1]]), outputs[:2])
    for given in (pair, (pair[0], None)):
        with pytest.raises(DataError, match="give the first of the two"):
            nt.run(network, given)


def test_images_of_a_data_set_are_scaled(networks):
    network, data = networks["converted"], Images()
    scaled = SpikingNetwork(network.ann, scale=ImageScale(1 / 255, -0.1), synapse=None)
    x, labels = scaled.encode(data, indices=[4, 1])
    np.testing.assert_allclose(x[..., 0], data.images[[4, 1]] / 255 - 0.1, atol=1e-6)
    assert labels.tolist() == [1, 1]
    np.testing.assert_array_equal(_outputs(scaled, data)[[4, 1]], _outputs(scaled, x))
    for name in ("skim", "slayer", "stepped"):
        with pytest.raises(DataError, match="images"):
            networks[name].encode(data)


def test_data_of_others_are_refused(network):
    other = Touches()
    other.sensor_size = (10, 10, 2)
    with pytest.raises(DataError, match=r"reads 4 x 3 pixels.*has 10 x 10"):
        network.encode(other)
    more = Touches()
    more.classes = ("left", "right", "above")
    with pytest.raises(DataError, match=r"the network has 2 classes.*has 3"):
        nt.run(network, more)
    for wrong in ("touches", np.zeros((2, 9, 9, 9))):
        with pytest.raises(DataError):
            network.encode(wrong)
    events, _ = Touches()[0]
    with pytest.raises(DataError, match="1 of 2 recordings have no label"):
        network.encode([(events, 1), (events, None)])


def test_engines_and_options_that_are_not_there(network):
    with pytest.raises(EngineError, match=r"on engine 'abacus', which is unknown: use '"):
        nt.run(network, Touches(), engine="abacus")
    for engine, why in network.others.items():
        with pytest.raises(EngineError, match=f"{engine}.*{why[:20]}"):
            nt.run(network, Touches(), engine=engine)
    with pytest.raises(EngineError, match=r"takes no on_host, colour: leave them out"):
        nt.run(network, Touches(), on_host=(), colour="red")


def test_pickles_go_to_other_processes_and_copies_run(networks, tmp_path):
    """As joblib, Dask and pools send them: nothing of ours is imported there before."""
    data, runs = Touches(), {}
    for name, network in networks.items():
        recording = nt.run(network, data, progress=False)
        runs[name] = recording.outputs
        for copied in (copy.copy(network), copy.deepcopy(network)):
            np.testing.assert_array_equal(_outputs(copied, data), recording.outputs)
        x = network.encode(data, progress=False)[0]
        (tmp_path / name).write_bytes(pickle.dumps((network, x, recording)))
    code = """
import pickle, sys
from pathlib import Path
import numpy as np
for name in ("converted", "skim", "slayer", "stepped"):
    network, x, recording = pickle.loads((Path(sys.argv[1]) / name).read_bytes())
    import nengo_tactile
    outputs = nengo_tactile.run(network, x, progress=False).outputs
    assert np.array_equal(recording.outputs, outputs)
    np.save(Path(sys.argv[1]) / name, outputs)
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name, outputs in runs.items():
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), outputs)


def test_a_shipped_network_and_its_recording_in_a_line_each():
    for name in ("eskin-cnn", "eskin-slayer", "nmnist-skim-2000"):
        network = nt.load(name)
        line = str(network)
        assert "\n" not in line and len(line) < 200
        assert f"{network.n_steps} steps" in line and "nengo-dl" in line
        told = f"{network.n_neurons:,} neurons" if network.n_neurons else "no spiking neurons"
        assert told in line
    network = nt.load("eskin-cnn")
    recording = nt.run(network, np.zeros((2, *network.input_shape), np.float32), 5)
    spikes = sum(counts.sum() for counts in recording.spike_counts.values()) / 2
    assert str(recording).startswith("Recording(2 samples, 5 steps of 1 ms on ")
    assert f"{spikes:,.0f} spikes" in str(recording)
