"""Networks written as NIR: run by a loop over NIR's nodes, read again, read by the nir package."""

import json
import re

import h5py
import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import cli, stack
from nengo_tactile.errors import ConversionError
from nengo_tactile.exchange import PROFILES, nir_files
from nengo_tactile.networks.linear_maps import Convolution, Sparse
from nengo_tactile.networks.neurons import IntegrateFire, SigmaDelta, SpikeResponse, Sum
from nengo_tactile.networks.stages import Graph, Link, Stage
from tests.support import nir_reference
from tests.support.slayer_networks import case, network_of

N_STEPS = 24
ALL = tuple(PROFILES)


@pytest.fixture(scope="module")
def residual():
    """A residual network with average pooling and "same" padding at stride 2, and samples."""
    la = stack.tensorflow().keras.layers
    stack.tensorflow().keras.utils.set_random_seed(3)
    inputs = stack.tensorflow().keras.Input((9, 8, 2))
    x = la.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="first")(inputs)
    y = la.Conv2D(4, 3, padding="same", activation="relu", name="second")(x)
    x = la.Add(name="sum")([la.Conv2D(4, 1, name="side")(x), y])
    x = la.AveragePooling2D(2, name="pool")(la.ReLU(name="third")(x))
    x = la.Dense(12, activation="relu", name="dense")(la.Flatten(name="flat")(x))
    model = stack.tensorflow().keras.Model(inputs, la.Dense(3, name="out")(x))
    samples = np.random.default_rng(0).random((6, 9, 8, 2), dtype=np.float32)
    return model, samples


@pytest.fixture(scope="module")
def converted(residual):
    """It as a spiking network, and the samples."""
    model, samples = residual
    return nt.convert(model, samples, nt.IF(), n_steps=N_STEPS), samples


@pytest.fixture(scope="module")
def trained():
    """A network of current-based neurons, and spikes."""
    graph, x = case("cuba-conv", n_samples=3)
    return network_of(graph), x


def looped(path, x, dt, **rules):
    """What the nodes of a file send, by a loop; they stand in no order of computation."""
    graph = nir_files.read(path)
    nodes, done = {}, []
    while len(done) < len(graph.nodes):
        ready = [n for n in graph.nodes if n not in done and set(graph.sources(n)) <= set(done)]
        done += ready
    for name in done:
        nodes[name] = (graph.nodes[name].kind, graph.nodes[name].values)
    return nir_reference.run(nodes, graph.edges, x, dt, **rules)


def test_a_loop_over_nirs_nodes_is_the_network(residual, tmp_path):
    model, x = residual
    network = nt.convert(model, x, nt.IF(start=0.0), n_steps=N_STEPS)
    path = tmp_path / "net.nir"
    lost = nt.to_nir(network, path, accept=["reset"])
    assert [loss.name for loss in lost] == ["reset"]
    recording = nt.run(network, x[:1], N_STEPS, engine="event")
    frames = np.repeat(np.moveaxis(x[:1], -1, 1), N_STEPS, axis=0)
    sent = looped(path, frames, network.dt, reset="subtract")
    for name, counts in recording.spike_counts.items():
        assert counts.sum() > 20
        np.testing.assert_array_equal(
            recording.spikes_over_time[name][0],
            np.array(sent[name]).reshape(N_STEPS, -1).sum(1),
            name,
        )
    out = np.cumsum(sent["output"], axis=0) / np.arange(1, N_STEPS + 1)[:, None]
    np.testing.assert_allclose(recording.outputs[0], out, atol=1e-5)


def test_a_loop_is_the_network_trained_on_spikes(trained, tmp_path):
    network, x = trained
    path = tmp_path / "net.nir"
    assert nt.to_nir(network, path) == []
    recording = nt.run(network, x[:1])
    sent = looped(path, np.moveaxis(x[0], -1, 1), network.dt)
    for stage in network.graph:
        counts = np.array(sent[stage.name]).reshape(len(x[0]), -1).sum(1)
        np.testing.assert_array_equal(recording.spikes_over_time[stage.name][0], counts)
        assert counts.any()


@pytest.mark.parametrize("profile", ALL)
@pytest.mark.parametrize("which", ["converted", "trained"])
def test_what_is_written_is_read_again(which, profile, request, tmp_path):
    """Spikes of each neuron, with start, reset and floor from what the file says of itself."""
    network, x = request.getfixturevalue(which)
    path = tmp_path / "net.nir"
    if (which, profile) == ("trained", "sinabs"):
        with pytest.raises(ConversionError, match="leaky current, which sinabs"):
            nt.to_nir(network, path, profile)
        return
    nt.to_nir(network, path, profile, ["reset", "start"], x=x[:3], n_steps=N_STEPS)
    again = nt.from_nir(path)
    shown = x[:3, :N_STEPS] if which == "trained" else np.repeat(x[:3, None], N_STEPS, axis=1)
    recording = nt.run(again, shown)
    golden = np.load(path.with_suffix(".npz"))
    layers = [name[:-7] for name in golden.files if name.endswith("/counts")]
    assert len(layers) == sum(stage.fires for stage in network.graph)
    for name in layers:
        found = recording.spikes_over_time[name]
        np.testing.assert_array_equal(golden[f"{name}/over_time"], found)
        assert golden[f"{name}/counts"].sum() == found.sum() > 0
    np.testing.assert_allclose(golden["outputs"], recording.outputs, atol=1e-5)
    card = path.with_suffix(".md").read_text()
    assert PROFILES[profile].version in card and "Golden spikes" in card


@pytest.mark.parametrize("profile", ALL)
def test_the_nir_package_reads_it_with_its_types(profile, converted, tmp_path):
    nir = pytest.importorskip("nir", reason="needs the tests extra: pip install '.[tests]'")
    path = tmp_path / "net.nir"
    nt.to_nir(converted[0], path, profile, ["reset", "start"])
    graph = nir.read(path)
    ours = nir_files.read(path)
    assert {name: type(node).__name__ for name, node in graph.nodes.items()} == {
        name: node.kind for name, node in ours.nodes.items()
    }
    weight = ours.nodes["first_in"].values["weight"]
    np.testing.assert_array_equal(graph.nodes["first_in"].weight, weight)


def test_losses_are_refused_unless_they_are_accepted_or_set(converted, tmp_path):
    network, _ = converted
    with pytest.raises(ConversionError, match=r"\(reset\): give accept=\['start', 'reset'\]"):
        nt.to_nir(network, tmp_path / "a.nir")
    assert not list(tmp_path.iterdir())
    lost = nt.to_nir(network, tmp_path / "a.nir", "sinabs")
    assert {loss.name for loss in lost} == {"start", "spikes", "floor"}
    assert all(loss.setting for loss in lost)
    with h5py.File(tmp_path / "a.nir") as file:
        told = json.loads(file["node/metadata/nengo_tactile"][()])
    assert told["reset"] == "subtract" and told["start"]["first"] == [0.5]


def graph_with(neuron=None, **change):
    """One stage of neurons behind a matrix, and a read-out."""
    weights = np.ones((3, 4), np.float32)
    settings = {"neuron": neuron or IntegrateFire()}
    settings["links"] = [Link("input", Convolution.matrix_of(weights))]
    stage = Stage("one", (4,), **{**settings, **change})
    read = Link("one", Convolution.matrix_of(np.ones((4, 2), np.float32)))
    return Graph((3,), [stage, Stage("out", (2,), Sum(), [read])])


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (graph_with(IntegrateFire(signed=True)), "its spikes are taken back"),
        (graph_with(IntegrateFire(negative_slope=0.1)), "its spikes are taken back"),
        (graph_with(IntegrateFire(spikes_per_step=4)), "it sends up to 4 spikes a step"),
        (graph_with(IntegrateFire(0.5, 0.5, whole=True)), "its states are whole numbers"),
        (graph_with(SigmaDelta(1.0)), "its neurons are SigmaDelta"),
        (graph_with(SpikeResponse()), "its neurons are SpikeResponse"),
        (graph_with(step_bias=np.ones((2, 4))), "it has currents of its own"),
        (graph_with(links=[Link("input", Sparse.routing([0, 1, 2, 0], 3), low_pass=3.0)]), "a low"),
        (
            graph_with(links=[Link("input", Sparse.routing([0, 1], 3), np.array([0, 3]))]),
            "a link reaches a part",
        ),
    ],
)
def test_what_nir_has_not_is_refused_by_name(graph, message, tmp_path):
    with pytest.raises(ConversionError, match=f"stage 'one': {message}"):
        nt.to_nir(network_of(graph), tmp_path / "net.nir", accept=["reset"])
    assert not list(tmp_path.iterdir())


def test_what_a_reader_has_not(tmp_path):
    graph, _ = case("cuba-delays")
    network = network_of(graph)
    with pytest.raises(ConversionError, match=r"is a Delay, which norse .*max_delay=0"):
        nt.to_nir(network, tmp_path / "net.nir", "norse")
    nt.to_nir(network, tmp_path / "net.nir")
    skim = nt.load("nmnist-skim-2000")
    with pytest.raises(ConversionError, match="a SkimNetwork has kernels of its own"):
        nt.to_nir(skim, tmp_path / "skim.nir")
    slow = nt.load("eskin-cnn")
    with pytest.raises(ConversionError, match=r"LIF|synapse"):
        nt.to_nir(slow, tmp_path / "slow.nir")


def test_on_the_command_line(trained, tmp_path, capsys):
    network, x = trained
    network = nt.SlayerNetwork(network.graph, network.layout)
    network.save(tmp_path / "net")
    file, out = tmp_path / "net.nir", tmp_path / "again"
    assert cli.main(["export", str(tmp_path / "net"), "--nir", str(file)]) == 0
    assert cli.main(["import", str(file), "--out", str(out)]) == 0
    assert "SteppedNetwork" in capsys.readouterr().out
    outputs = [nt.run(each, x).outputs for each in (network, nt.load(out))]
    np.testing.assert_array_equal(*outputs)
    assert cli.main(["export", str(tmp_path / "net"), "--nir", str(file), "--profile", "x"]) == 2


def test_losses_of_all_profiles_are_told_before(trained, tmp_path, capsys):
    network, _ = trained
    found = nt.exchange.nir_losses(network.graph, network.dt)
    assert set(found) == set(nt.exchange.PROFILES)
    for name, losses in found.items():
        file = tmp_path / f"{name}.nir"
        if isinstance(losses, str):
            with pytest.raises(ConversionError, match=re.escape(losses)):
                nt.to_nir(network, file, name)
            continue
        names = [loss.name for loss in losses if not loss.setting]
        assert nt.to_nir(network, file, name, accept=names) == losses
    assert "does not read" in found["sinabs"] and "stage '" in found["sinabs"]
    with pytest.raises(ConversionError, match="accept names resett: a loss is one of start, reset"):
        nt.to_nir(network, tmp_path / "net.nir", accept="resett")
    network.save(tmp_path / "net")
    assert cli.main(["check", str(tmp_path / "net"), "--nir", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["sinabs"] == found["sinabs"] and set(told) == set(found)


def test_check_lists_what_a_converted_model_would_lose(tmp_path, capsys):
    model = nt.ann.build("6x6-3c3-4o", seed=0)
    found = nt.check(model, nir=True)
    x = np.random.default_rng(0).random((8, 6, 6, 1), dtype=np.float32)
    network = nt.convert(model, x, nt.IF(), n_steps=8)
    wanted = nt.exchange.nir_losses(network.graph, network.dt)
    assert {name: [loss.name for loss in losses] for name, losses in found.nir.items()} == {
        name: [loss.name for loss in losses] for name, losses in wanted.items()
    }
    assert [loss.name for loss in found.nir["sinabs"]] == ["start", "spikes", "floor"]
    assert not nt.check(model).nir
    model.save(tmp_path / "net.keras")
    assert cli.main(["check", str(tmp_path / "net.keras"), "--nir"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "NIR for sinabs:" in out and "(start: set layer.v_mem" in out
