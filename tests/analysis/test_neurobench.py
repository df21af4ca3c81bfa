"""NeuroBench's metrics: counted spike by spike and weight by weight, and by neurobench itself."""

import json
import math
import os
import subprocess

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile.analysis import Measured, beside_quantised, neurobench
from nengo_tactile.networks.linear_maps import Convolution, Pooling, Sparse
from nengo_tactile.networks.neurons import IntegrateFire, Sum
from nengo_tactile.networks.stages import Graph, Link, Stage

N_STEPS = 12


def some(*shape, seed):
    """Weights of which a third are zero."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=shape) * (rng.random(shape) > 1 / 3)).astype(np.float32)


def stepped():
    """A convolution, a pooling that a sum adds up, two dense layers and what only copies."""
    fires = IntegrateFire(threshold=0.5)
    conv = Convolution(some(3, 3, 2, 4, seed=0), (6, 6, 2), (6, 6, 4), padding=(1, 1))
    pool = Pooling.of(1.0, 2, (6, 6, 4), (3, 3, 4))
    dense = Convolution.matrix_of(some(36, 10, seed=1))
    last = Convolution.matrix_of(some(10, 3, seed=2))
    graph = Graph(
        (6, 6, 2),
        [
            Stage("conv", (6, 6, 4), fires, [Link("input", conv)], np.tile([0.1, 0, 0, 0.2], 36)),
            Stage("pool", (3, 3, 4), Sum(), [Link("conv", pool)]),
            Stage("dense", (10,), fires, [Link("pool", dense)], np.linspace(0, 1, 10)),
            Stage("copy", (10,), IntegrateFire(0.5), [Link("dense", Sparse.routing(None, 10))]),
            Stage("out", (3,), Sum(0.0), [Link("copy", last)]),
        ],
    )
    layout = nt.events.SpikeLayout((6, 6, 2), 1000, N_STEPS)
    x = (np.random.default_rng(5).random((3, N_STEPS, 6, 6, 2)) < 0.3).astype(np.float32)
    return nt.SteppedNetwork(graph, layout), x


def test_spikes_and_weights_one_by_one():
    network, x = stepped()
    recording = nt.run(network, x, rasters=3, progress=False)
    maps = {stage.name: stage.links[0].map.matrix().toarray() for stage in network.graph}
    operations = 0
    for name, reader in (("input", "conv"), ("conv", "dense"), ("copy", "out")):
        weights = maps[reader]
        if name == "conv":  # each spike meets the weights behind its window
            weights = weights @ (maps["pool"] != 0)
            assert ((maps["dense"] != 0) @ (maps["pool"] != 0) == (weights != 0)).all()
        for sender in np.argwhere(recording.rasters[name])[:, 2]:
            operations += np.count_nonzero(weights[:, sender])
    found = neurobench(network, recording, x)
    assert operations and found["synaptic_operations"]["Effective_MACs"] == 0
    assert found["synaptic_operations"]["Effective_ACs"] == pytest.approx(operations / 3)
    kernels = [network.graph.stages[i].links[0].map.kernel for i in (0, 2, 4)]
    n_weights, zeros = sum(k.size for k in kernels), sum((k == 0).sum() for k in kernels)
    assert found["connection_sparsity"] == pytest.approx(zeros / n_weights) and zeros > 50
    # biases: four channels, ten neurons; states: a potential each, and ten currents
    assert found["footprint"] == 4 * (n_weights + 4 + 10 + 144 + 10 + 20)
    neurons = [recording.rasters[name] for name in ("conv", "dense", "copy")]
    silent = sum((each == 0).sum() for each in neurons) / sum(each.size for each in neurons)
    assert found["activation_sparsity"] == pytest.approx(silent) and 0.1 < silent < 0.99
    inside = (3 * 6 - 2) ** 2  # places of a kernel of 3 x 3 on 6 x 6 pixels that are no padding
    assert found["synaptic_operations"]["Dense"] == N_STEPS * (inside * 2 * 4 + 36 * 10 + 10 * 3)


def test_an_image_is_multiplied_once():
    model = nt.ann.build("5x5-3c3-4o", seed=0)
    x = np.random.default_rng(0).random((4, 5, 5, 1), dtype=np.float32)
    x[:, :2] = 0
    network = nt.convert(model, x, nt.IF(), n_steps=8)
    recording = nt.run(network, x, progress=False)
    numbers = Measured(recording, np.zeros(4, int), x).numbers(network)
    done = numbers["neurobench"]["synaptic_operations"]
    products = sum(
        x[0, row + down, column + right, 0] != 0
        for row in range(3) for column in range(3) for down in range(3) for right in range(3)
    )  # fmt: skip
    assert done["Effective_MACs"] == products * 3 and 0 < products < 81
    spikes = sum(each.sum() for each in recording.spike_counts.values()) / 4
    assert done["Effective_ACs"] == spikes * 4  # each neuron has four synapses
    beside = numbers["beside_quantised"]
    assert beside["bits"] == 4  # 0 to 8 spikes
    assert beside["spikes_per_neuron_and_step"] == pytest.approx(spikes / 27 / 8)
    wanted = network.ann_multiplications * (0.2e-12 * 4 / 8 + 0.1e-12)
    assert beside["quantised_joules_rough"] == pytest.approx(wanted)
    told = Measured(recording, np.zeros(4, int)).numbers(network)
    assert "neurobench" not in told  # nobody knows what it was shown


def test_sums_behind_weights_are_multiplied():
    """Spikes that a linear layer adds up: additions into it, multiplications out of it."""
    fires, first = IntegrateFire(threshold=0.5), Convolution.matrix_of(some(8, 6, seed=0))
    narrow, wide = (Convolution.matrix_of(some(*shape, seed=3)) for shape in ((6, 2), (2, 9)))
    graph = Graph(
        (1, 8, 1),
        [
            Stage("first", (6,), fires, [Link("input", first)]),
            Stage("narrow", (2,), Sum(), [Link("first", narrow)]),
            Stage("wide", (9,), fires, [Link("narrow", wide)]),
            Stage("out", (9,), Sum(), [Link("wide", Sparse.routing(None, 9))]),
        ],
    )
    network = nt.SteppedNetwork(graph, nt.events.SpikeLayout((8, 1, 1), 1000, N_STEPS))
    x = (np.random.default_rng(5).random((3, N_STEPS, 1, 8, 1)) < 0.1).astype(np.float32)
    recording = nt.run(network, x, rasters=3, progress=False)
    sent = recording.rasters["first"].reshape(-1, 6)
    into, out = (each.matrix().toarray().T for each in (narrow, wide))
    sums = sent @ into  # (samples and steps, units)
    assert 10 < np.count_nonzero(sums) < sums.size - 10
    products = ((sums != 0) @ (out != 0).sum(axis=1)).sum()
    found = neurobench(network, recording, x)["synaptic_operations"]
    assert found["Effective_MACs"] == pytest.approx(products / 3)
    arrived = x.reshape(-1, 8) @ (first.matrix().toarray().T != 0)
    additions = (sent @ (into != 0)).sum() + arrived.sum()
    assert found["Effective_ACs"] == pytest.approx(additions / 3)


def test_at_break_even_both_take_the_same():
    operations = {"Effective_ACs": 900.0, "Effective_MACs": 50.0}
    found = beside_quantised(0.03, 64, 400, operations)
    even = {**operations, "Effective_ACs": 900 * found["break_even"] / 0.03}
    again = beside_quantised(found["break_even"], 64, 400, even)
    assert again["spiking_joules_rough"] == pytest.approx(found["quantised_joules_rough"])
    assert found["bits"] == math.ceil(math.log2(65))
    assert "quantised_joules_rough" not in beside_quantised(0.03, 64, None, operations)


#: neurobench on two layers of torch, what arrives at each step given.
THEIRS = """
import json, sys
import numpy as np, torch
from neurobench.metrics.static import ConnectionSparsity
from neurobench.metrics.utils.layers import single_layer_MACs

told = np.load(sys.argv[1])
conv = torch.nn.Conv2d(2, 4, 3, padding=1, bias=False)
dense = torch.nn.Linear(10, 3, bias=False)
with torch.no_grad():
    conv.weight.copy_(torch.tensor(told["conv"].transpose(3, 2, 0, 1)))
    dense.weight.copy_(torch.tensor(told["dense"].T))
layers = [(conv, told["input"].transpose(0, 3, 1, 2)), (dense, told["copy"])]
result = {"effective": 0, "dense": 0, "spiking": []}
for layer, sent in layers:
    for values in torch.tensor(sent.astype(np.float32)).split(16):
        operations, spiking = single_layer_MACs(values, layer)
        result["effective"] += operations
        result["dense"] += single_layer_MACs(values, layer, total=True)[0]
        result["spiking"].append(bool(spiking))

class Model:
    def __net__(self):
        return torch.nn.Sequential(conv, dense)

result["connections"] = ConnectionSparsity()(Model())
print(json.dumps(result))
"""


def test_neurobench_counts_the_same(tmp_path):
    python = os.environ.get("NENGO_TACTILE_READERS")
    known = (
        python
        and not subprocess.run(
            [python, "-c", "import torch, neurobench"], capture_output=True
        ).returncode
    )
    if not known:
        pytest.skip("needs neurobench: set NENGO_TACTILE_READERS to a Python that has it")
    network, x = stepped()
    stages = {stage.name: stage for stage in network.graph}
    # without pooling and what follows it, which neurobench leaves out or counts otherwise
    first = Link("input", Sparse.routing(np.arange(10), 72))
    alone = [
        stages["conv"],
        Stage("copy", (10,), IntegrateFire(0.5), [first], np.full(10, 0.1)),
        stages["out"],
    ]
    network = nt.SteppedNetwork(Graph((6, 6, 2), alone), network.layout)
    recording = nt.run(network, x, rasters=3, progress=False)
    kernels = {
        name: stages[stage].links[0].map.kernel
        for name, stage in (("conv", "conv"), ("dense", "out"))
    }
    sent = {"input": x.reshape(-1, 6, 6, 2), "copy": recording.rasters["copy"].reshape(-1, 10)}
    np.savez(tmp_path / "told.npz", **kernels, **sent)
    done = subprocess.run(
        [python, "-c", THEIRS, tmp_path / "told.npz"], capture_output=True, text=True, check=True
    )
    theirs = json.loads(done.stdout.splitlines()[-1])
    ours = neurobench(network, recording, x)
    assert all(theirs["spiking"]) and sent["copy"].any()
    assert ours["synaptic_operations"] == {
        "Effective_MACs": 0, "Effective_ACs": theirs["effective"] / 3, "Dense": theirs["dense"] / 3
    }  # fmt: skip
    assert ours["connection_sparsity"] == pytest.approx(theirs["connections"], abs=1e-4)
