"""Trained SLAYER networks as objects: recordings in, classes out, saved, loaded and run."""

import dataclasses
import json

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile.errors import ConversionError, DataError, EngineError, ModelFileError
from nengo_tactile.events.arrays import make_events
from nengo_tactile.events.binning import spike_tensor
from nengo_tactile.saved import load
from nengo_tactile.slayer import SlayerNetwork, SpikeLayout, storage
from nengo_tactile.slayer.models import build, model_of, stages_of
from nengo_tactile.slayer.neurons import CurrentBasedLIF, SpikeResponseModel
from nengo_tactile.slayer.storage import n_parameters
from tests.support import slayer_networks
from tests.support import slayer_reference as reference
from tests.support.recordings import Recordings

LIVELY = {"conv": 40.0, "dense": 40.0, "output": 60.0}
LAYOUT = SpikeLayout((6, 5, 2), 2000, 20)


def make(notation="5x6x2-3c2-2a-4-3o", layout=LAYOUT, **options):
    options = {"neuron": SpikeResponseModel(2.0, 3.0), "max_delay": 5, "gains": LIVELY, **options}
    model = build(notation, **options)
    for layer in model.layers:
        if getattr(layer, "delays", None) is not None:
            layer.delays.assign(np.random.default_rng(0).uniform(0, 5, layer.delays.shape))
    return model, SlayerNetwork(stages_of(model), layout, ("a", "b", "c"), {"seed": 0})


def recordings(n=5):
    rng = np.random.default_rng(0)
    events = [
        make_events(
            rng.integers(0, 6, 90), rng.integers(0, 5, 90),
            np.sort(rng.integers(0, 40_000, 90)), rng.integers(0, 2, 90),
        )
        for _ in range(n)
    ]  # fmt: skip
    return Recordings(events, np.arange(n) % 3, (6, 5, 2))


def test_recordings_become_spikes():
    _, network = make()
    data = recordings()
    x, labels = network.encode(data)
    np.testing.assert_array_equal(labels, data.targets)
    wanted = [spike_tensor(events, (6, 5, 2), 2000, 20) for events in data.events]
    np.testing.assert_array_equal(x[:], wanted)
    np.testing.assert_array_equal(x[1:4], wanted[1:4])
    np.testing.assert_array_equal(x[-1], wanted[-1])
    one, none = network.encode(data.events[2])
    assert none is None
    np.testing.assert_array_equal(one[0], wanted[2])
    assert network.input_shape == (20, 5, 6, 2)
    assert network.dt == 0.002
    array, none = network.encode(x[:])
    assert none is None
    assert array.shape == (5, 20, 5, 6, 2)
    with pytest.raises(DataError, match=r"\(5, 20, 5, 6\): give \(n_samples, n_steps, 5, 6, 2\)"):
        network.encode(x[:][..., 0])
    with pytest.raises(IndexError):
        x[5]


def test_phases_are_read_again(tmp_path):
    _, network = make("5x6x4-3o", SpikeLayout((6, 5, 2), 2000, 20, phases=2))
    network.save(tmp_path / "net")
    assert "20 steps of 2 ms, 2 phases" in (tmp_path / "net/card.md").read_text()
    again = nt.load(tmp_path / "net")
    assert again.layout == network.layout
    x, first = again.encode(recordings())[0][:], np.arange(20) < 10
    wanted = np.stack([spike_tensor(events, (6, 5, 2), 2000, 20) for events in recordings().events])
    np.testing.assert_array_equal(x[..., :2], wanted * first[:, None, None, None])
    np.testing.assert_array_equal(x[..., 2:], wanted * ~first[:, None, None, None])


@pytest.mark.parametrize("engine", ["event", "nengo", "nengo-dl"])
def test_it_runs(engine):
    model, network = make()
    x, labels = network.encode(recordings())
    recording = nt.run(network, x, engine=engine, progress=False)
    wanted = reference.outputs(network.graph, x[:])
    assert wanted.any()
    np.testing.assert_array_equal(recording.outputs, wanted)
    np.testing.assert_array_equal(recording.outputs, model(x[:]).numpy().cumsum(1))
    assert recording.accuracy(labels).shape == (20,)
    assert recording.dt == 0.002


def test_other_engines_are_refused():
    _, network = make()
    with pytest.raises(EngineError, match=r"max_delay=0|spike-response|current-based"):
        nt.run(network, network.encode(recordings())[0], engine="loihi")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"notation": "5x6x2-5-3o", "recurrent": True},
        {"neuron": CurrentBasedLIF(0.3, 0.1), "max_delay": 0, "padding": "same"},
    ],
    ids=["convolutions", "recurrent", "current-based"],
)
def test_saved_and_loaded(tmp_path, options):
    model, network = make(**options)
    network.save(tmp_path / "net")
    again = nt.load(tmp_path / "net")
    assert isinstance(again, nt.SlayerNetwork)
    assert (again.layout, again.classes, again.card) == (LAYOUT, ("a", "b", "c"), {"seed": 0})
    assert_same(network.graph, again.graph)
    x, _ = network.encode(recordings())
    np.testing.assert_array_equal(again.keras_model()(x[:]), model(x[:]))
    text = (tmp_path / "net" / "card.md").read_text()
    for words in (
        "trained on spikes",
        "6 x 5 x 2",
        "20 steps of 2 ms",
        network.graph.stages[0].neuron.kind,
    ):
        assert words in text
    weights = [w for w in model.get_weights() if w.ndim > 1]
    assert n_parameters(network.graph) == sum(w.size for w in weights)
    network.save(tmp_path / "net")  # its own folder may be replaced


def assert_same(one, other):
    """All arrays and settings of two graphs."""
    assert one.input_shape == other.input_shape
    for before, after in zip(one, other, strict=True):
        assert (before.name, before.shape, before.neuron) == (after.name, after.shape, after.neuron)
        np.testing.assert_array_equal(before.axon, after.axon)
        for ours, theirs in zip(before.links, after.links, strict=True):
            assert (ours.source, ours.delay) == (theirs.source, theirs.delay)
            for field in dataclasses.fields(ours.map):
                values = (getattr(link.map, field.name) for link in (ours, theirs))
                np.testing.assert_array_equal(*values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "max"}, "its kind is 'max': choose one of dense, conv, pool"),
        ({"padding": "full"}, "padding is 'full'"),
        ({"shape": [2, 2, 3]}, r"have shape \(2, 2, 3\), its inputs and weights make"),
    ],
)
def test_descriptions_that_fit_no_weights(change, message, tmp_path):
    _, network = make()
    network.save(tmp_path / "net")
    text = json.loads((tmp_path / "net" / "network.json").read_text())
    text["stages"][0] |= change
    with (
        np.load(tmp_path / "net" / "weights.npz") as arrays,
        pytest.raises(ConversionError, match=message),
    ):
        storage.restore(tmp_path, text, dict(arrays), {})


def test_a_pooling_of_another_weight_is_no_keras_layer():
    _, network = make()
    stages = list(network.graph)
    number = [stage.links[0].map.pools for stage in stages].index(True)
    (link,) = stages[number].links
    link = dataclasses.replace(link, map=link.map.reweighted(lambda weights: 0 * weights + 3))
    stages[number] = dataclasses.replace(stages[number], links=[link])
    with pytest.raises(ConversionError, match=r"'pool1' pools with the weight 3.0, Keras .* 11"):
        model_of(dataclasses.replace(network.graph, stages=stages))


def test_a_keras_model_of_stages_has_the_same_stages():
    _, network = make()
    assert_same(network.graph, stages_of(model_of(network.graph)))


def test_damaged_folders(tmp_path):
    _, network = make()
    folder = tmp_path / "net"
    network.save(folder)
    text = (folder / "network.json").read_text()
    other = json.loads(text)
    other["stages"][0]["stride"] = 2
    (folder / "network.json").write_text(json.dumps(other))
    with pytest.raises(ModelFileError, match="digest"):
        load(folder)
    (folder / "network.json").write_text(text)
    (folder / "weights.npz").write_bytes((folder / "weights.npz").read_bytes()[:-40])
    with pytest.raises(ModelFileError, match=r"weights\.npz"):
        load(folder)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"sensor_size": (6, 5)}, r"sensor_size is \(6, 5\)"),
        ({"sensor_size": (6, 0, 2)}, "sensor_size is 0"),
        ({"bin_us": 0}, "bin_us is 0"),
        ({"n_steps": 0}, "n_steps is 0"),
        ({"shape": (7,)}, r"shape \(7,\) has 7 places, the sensor .* has 60"),
        ({"late": "cut"}, "late is 'cut'"),
        ({"phases": 0}, "phases is 0"),
        ({"phases": 21}, "phases is 21, n_steps 20"),
        ({"phases": 2, "shape": (60,)}, "60 places, the sensor .* has 120 in 2 phases"),
    ],
)
def test_bad_layouts(values, words):
    with pytest.raises(DataError, match=words):
        dataclasses.replace(LAYOUT, **values)


def test_what_does_not_fit():
    _, network = make()
    with pytest.raises(DataError, match="2 class names for a network with 3"):
        dataclasses.replace(network, classes=("a", "b"))
    flat = SpikeLayout((6, 5, 2), 2000, 20, shape=(60,))
    with pytest.raises(DataError, match=r"steps of shape \(60,\), the network reads \(5, 6, 2\)"):
        dataclasses.replace(network, layout=flat)
    data = recordings()
    data.sensor_size = (7, 5, 2)
    with pytest.raises(DataError, match=r"reads 6 x 5 pixels.*has 7 x 5"):
        network.encode(data)


def test_a_graph_that_is_no_chain_is_not_saved(tmp_path, rng):
    graph = slayer_networks.networks(rng)["srm-dense"]
    driven = dataclasses.replace(graph.stages[0], bias=np.ones(graph.stages[0].n_neurons))
    graph = dataclasses.replace(graph, stages=(driven, *graph.stages[1:]))
    with pytest.raises(ConversionError, match="'hidden' is no layer of a SLAYER network"):
        slayer_networks.network_of(graph).save(tmp_path / "network")
    assert not (tmp_path / "network").exists()
