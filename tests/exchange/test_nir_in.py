"""NIR graphs on all engines against loops over their nodes; files of other simulators; refusals."""

import dataclasses

import h5py
import nengo
import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import nengo_runs
from nengo_tactile.errors import ModelFileError, TactileError
from nengo_tactile.exchange import nir_files
from tests.support import nir_reference
from tests.support.nir_graphs import DT, cases, cuba, integrate, io, lif, weights

EXACT = ("event", "nengo-dl", "nengo")
CASES = cases()


def read(case, tmp_path, **options):
    path = nir_reference.write(tmp_path / "graph.nir", case.nodes, case.edges)
    return nt.from_nir(path, **{"dt": DT, **case.rules, **options})


def last_axis(x, shape):
    """Channels first to channels last."""
    return x if len(shape) == 1 else np.moveaxis(x, 1, -1)


@pytest.mark.parametrize("engine", EXACT)
@pytest.mark.parametrize("name", CASES)
def test_graphs_are_those_of_a_loop_over_their_nodes(name, engine, tmp_path):
    case = CASES[name]
    network, x = read(case, tmp_path), case.signal()
    most = case.rules.get("spikes_per_step", 1)
    rules = {k: v for k, v in case.rules.items() if k != "spikes_per_step"}
    wanted = nir_reference.run(case.nodes, case.edges, x, DT, case.late, most=most, **rules)
    recording = nt.run(network, last_axis(x, case.shape)[None], engine=engine, progress=False)
    for stage in network.graph:
        if not stage.spikes:
            continue
        fired = np.array(wanted[stage.name])
        assert 0.02 < (fired > 0).mean() < 0.95, stage.name
        if stage.axon is None:
            units = recording.units_over_time[stage.name][0]
            np.testing.assert_array_equal(units, fired.reshape(len(x), -1).sum(axis=1))
    out = np.array(wanted["output"]).reshape(len(x), -1)
    if network.graph.stages[-1].spikes:
        out = np.cumsum(out, axis=0)
    elif network.graph.stages[-1].neuron.decay == 1:
        out = np.cumsum(out, axis=0) / np.arange(1, len(x) + 1)[:, None]
    np.testing.assert_allclose(recording.outputs[0], out, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_networks_are_saved_and_loaded(name, tmp_path):
    case = CASES[name]
    network, x = read(case, tmp_path), last_axis(case.signal(), case.shape)[None]
    network.save(tmp_path / "saved")
    again = nt.load(tmp_path / "saved")
    assert again.graph.input_shape == network.graph.input_shape
    for one, other in zip(again.graph, network.graph, strict=True):
        assert one.neuron == other.neuron and one.shape == other.shape
    outputs = [nt.run(each, x, progress=False).outputs for each in (network, again)]
    np.testing.assert_array_equal(*outputs)


def test_the_nir_package_writes_what_is_read(tmp_path):
    """Its own files, graphs in graphs, and shapes that it finds by itself."""
    nir = pytest.importorskip("nir", reason="needs the tests extra: pip install '.[tests]'")
    case = CASES["a loop, and values at the end"]
    numbers = {name: getattr(nir, kind)(**values) for name, (kind, values) in case.nodes.items()
               if kind not in ("Input", "Output")}  # fmt: skip
    inner = nir.NIRGraph(
        {"start": nir.Input(np.array([8])), "lif": numbers["lif"], "rec": numbers["rec"],
         "end": nir.Output(np.array([8]))},
        [("start", "lif"), ("lif", "rec"), ("rec", "lif"), ("lif", "end")],
    )  # fmt: skip
    graph = nir.NIRGraph(
        {"input": nir.Input(np.array([5])), "in": numbers["in"], "block": inner,
         "out": numbers["out"], "output": nir.Output(np.array([3]))},
        [("input", "in"), ("in", "block"), ("block", "out"), ("out", "output")],
    )  # fmt: skip
    nir.write(tmp_path / "nested.nir", graph)
    network, x = nt.from_nir(tmp_path / "nested.nir", dt=DT), case.signal()
    assert [stage.name for stage in network.graph if stage.spikes] == ["block.lif"]
    plain = read(case, tmp_path)
    outputs = [nt.run(each, x[None], progress=False).outputs for each in (network, plain)]
    np.testing.assert_array_equal(*outputs)


def test_the_lif_neuron_of_nirs_paper(data_dir):
    """Input, voltage and spikes of its exact solution; voltages at resets differ by a part step."""
    exact = np.loadtxt(data_dir / "nir" / "lif_exact.csv", delimiter=",")
    network = nt.from_nir(data_dir / "nir" / "lif_norse.nir", dt=1e-4)
    x = exact[None, :, :1].astype(np.float32)
    for engine in EXACT:
        outputs = nt.run(network, x, engine=engine, progress=False).outputs[0, :, 0]
        np.testing.assert_array_equal(np.diff(outputs, prepend=0), exact[:, 2])
    assert exact[:, 2].sum() == 4
    net = network.net
    with net:
        probe = nengo.Probe(net.neurons["1"], "voltage")
    (data,) = nengo_runs.show(net, [x], "nengo")
    assert np.abs(data[probe][0, :, 0] - exact[:, 1]).max() < 0.01


@pytest.fixture(scope="module")
def digits(data_dir):
    """sinabs' network for N-MNIST, some recordings as its input, and their labels."""
    layout = nt.events.SpikeLayout((34, 34, 2), 1000, 300, late="drop")
    network = nt.from_nir(data_dir / "nir" / "cnn_sinabs.nir", "sinabs", layout=layout)
    data = nt.datasets.NMNIST(data_dir, split="train")
    return network, *network.encode(data, range(0, 1000, 50), progress=False)


def test_digits_of_a_network_from_sinabs(digits):
    """tools/nir_digits.py runs all 1,100."""
    network, x, y = digits
    assert network.n_neurons == 2 * 16**3 + 8**3 + 256 + 10
    assert nt.run(network, x, progress=False).accuracy(y)[-1] >= 0.9


def test_digits_of_a_network_from_sinabs_in_nengo_dl(digits):
    network, x, _ = digits
    few = [nt.run(network, x[:2], 40, engine=engine, progress=False) for engine in EXACT[:2]]
    for name in few[0].spike_counts:
        np.testing.assert_array_equal(few[0].spike_counts[name], few[1].spike_counts[name])
    np.testing.assert_array_equal(few[0].outputs, few[1].outputs)
    assert few[0].spike_counts["10"].any()


def test_a_loop_with_reset_by_subtraction(data_dir):
    path = data_dir / "nir" / "braille_recurrent_subtract.nir"
    network = nt.from_nir(path, dt=1e-4, reset="subtract")
    assert [stage.name for stage in network.graph] == ["lif1.lif", "lif2"]
    x = np.float32(np.random.default_rng(0).random((1, 60, 12)) < 0.2)
    outputs = [nt.run(network, x, engine=engine, progress=False).outputs for engine in EXACT]
    for other in outputs[1:]:
        np.testing.assert_array_equal(other, outputs[0])
    chip = nt.run(network, x, engine="loihi", verify=1, progress=False)
    assert chip.outputs.any() and "'lif2': a spike sets to zero" in chip.notes[1]


def small(**change):
    """A chain of a linear node and neurons."""
    start, end = io((2,), (3,))
    nodes = {"in": ("Linear", {"weight": weights(3, 2)}), "lif": ("LIF", lif((3,)))}
    nodes = {start[0]: start[1:], **nodes, end[0]: end[1:], **change}
    return nodes, [("input", "in"), ("in", "lif"), ("lif", "output")]


def linear(kind="Linear", **values):
    return {"in": (kind, {"weight": weights(3, 2)} | values)}


def leaky(kind="LIF", **change):
    return {"lif": (kind, lif((3,)) | change)}


@pytest.mark.parametrize(
    ("nodes", "options", "message"),
    [
        (leaky("Spiny"), {}, r"node 'lif' \(Spiny\): no engine runs it; there are Affine"),
        ({"lost": ("Scale", {"scale": 1.0})}, {}, "no edges lead from the input to 'lost'"),
        ({"more": ("Input", {"shape": np.array([2])})}, {}, "has 2 nodes Input: give it one"),
        (linear(weight=weights(3, 4)), {}, r"'in' \(Linear\): its weight has shape \(3, 4\), 2"),
        (linear("Affine", bias=weights(4)), {}, "its bias has 4 values, its weight 3"),
        (linear("Scale", scale=weights(5)), {}, r"its scale has shape \(5,\), what arrives"),
        (linear("Conv2d", weight=weights(3, 2, 1, 1)), {}, "4 and 3 axes, channels first"),
        (linear("Delay", delay=np.full(2, 0.0015)), {}, "its delay of 1.5 steps is not whole"),
        (linear("Flatten", start_dim=1, end_dim=2), {}, "flattens the axes 1 to 2"),
        ({"lif": ("LIF", lif((4,)))}, {}, r"'lif' \(LIF\): its tau has shape \(4,\), what arrives"),
        ({"lif": ("LIF", {})}, {}, "'lif' .*: has no tau"),
        (leaky(tau=np.array([1.0, 2, 3])), {}, "its tau goes from 1 to 3 in one node"),
        (leaky(v_threshold=np.nan), {}, "its v_threshold has values"),
        (leaky(v_threshold=-1.0), {}, "v_threshold less v_reset goes from -1"),
        (leaky(), {"profile": "norse", "dt": 1.0}, "its tau is 0.005 s .* loses a share of 200"),
        ({"lif": ("CubaLIF", cuba((3,), v_leak=1.0))}, {}, "its v_leak is not its v_reset"),
        ({"lif": ("IF", integrate((3,), r=1.0))}, {}, "its r is 1: .* give profile='sinabs'"),
        ({"lif": ("IF", integrate((3,)))}, {"profile": "norse"}, "which norse .* does not look at"),
        ({}, {"dt": None}, "does not say how long a step is"),
        ({}, {"dt": -1.0}, "dt is -1.0"),
        ({}, {"profile": "brian"}, "profile is 'brian': choose one of portable, sinabs"),
        ({}, {"reset": "half"}, "reset is 'half': choose one of"),
        ({}, {"spikes_per_step": 0}, "spikes_per_step is 0"),
        ({}, {"floor": 1.0}, "floor is 1.0"),
        ({}, {"classes": ("a", "b")}, "2 class names for a network with 3 outputs"),
    ],
)
def test_what_is_refused(nodes, options, message, tmp_path):
    nodes, edges = small(**nodes)
    path = nir_reference.write(tmp_path / "graph.nir", nodes, edges)
    with pytest.raises(TactileError, match=message):
        nt.from_nir(path, **{"dt": DT, **options})


def test_circles_without_neurons_are_refused(tmp_path):
    nodes, edges = small(back=("Linear", {"weight": weights(2, 3)}))
    path = nir_reference.write(tmp_path / "a.nir", nodes, [*edges, ("in", "back"), ("back", "in")])
    with pytest.raises(ModelFileError, match="lead into each other without neurons between them"):
        nt.from_nir(path, dt=DT)
    other = nir_reference.write(
        tmp_path / "b.nir", nodes, [*edges, ("in", "back"), ("back", "lif")]
    )
    with pytest.raises(ModelFileError, match=r"its edges bring shapes \(3,\) and \(2,\)"):
        nt.from_nir(other, dt=DT)


def test_files_that_are_no_graphs(tmp_path):
    nodes, edges = small()
    with pytest.raises(ModelFileError, match="an edge names 'nowhere', which is no node"):
        nt.from_nir(nir_reference.write(tmp_path / "a", nodes, [*edges, ("lif", "nowhere")]), dt=DT)
    with h5py.File(tmp_path / "b", "w") as file:
        file["node"] = h5py.ExternalLink(tmp_path / "a", "node")
    with pytest.raises(ModelFileError, match="is a link to another place"):
        nt.from_nir(tmp_path / "b", dt=DT)
    with h5py.File(tmp_path / "c", "w") as file:
        file["other"] = 1
    with pytest.raises(ModelFileError, match="holds no graph of NIR under 'node'"):
        nt.from_nir(tmp_path / "c", dt=DT)
    with pytest.raises(ModelFileError, match="No such file"):
        nt.from_nir(tmp_path / "d", dt=DT)


def test_files_are_written_as_they_were_read(tmp_path):
    for name, case in CASES.items():
        graph = nir_files.read(nir_reference.write(tmp_path / "a.nir", case.nodes, case.edges))
        told = dataclasses.replace(graph, metadata={"dt": DT, "reset": "zero"})
        nir_files.write(told, tmp_path / "b.nir")
        again = nir_files.read(tmp_path / "b.nir")
        assert again.metadata == told.metadata and again.edges == graph.edges == case.edges, name
        for key, (kind, values) in case.nodes.items():
            assert again.nodes[key].kind == kind and set(again.nodes[key].values) == set(values)
            for part, value in values.items():
                np.testing.assert_array_equal(again.nodes[key].values[part], value)
