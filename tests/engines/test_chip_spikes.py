"""SLAYER networks on the Loihi emulator against integer loops, and beside the trained network."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import stack
from nengo_tactile.engines import chip_spikes
from nengo_tactile.engines.placement import build_model
from nengo_tactile.errors import EngineError
from nengo_tactile.networks.stages import Link
from nengo_tactile.slayer import stages as layers
from nengo_tactile.slayer.neurons import CurrentBasedLIF
from nengo_tactile.slayer.stages import chain, loop_of
from tests.support import slayer_reference as reference
from tests.support.measures import assert_same_recordings
from tests.support.slayer_networks import (
    CUBA,
    case,
    conv,
    dense,
    network_of,
    pool,
    spikes_for,
    with_delays,
)

NAMES = ("cuba-dense", "cuba-conv", "cuba-recurrent")


def run(graph, x, n_steps=None, engine="event", **options):
    return nt.run(network_of(graph), x, n_steps, engine, **options)


def without_delays(name, **settings):
    graph, x = case(name, **settings)
    stages = [dataclasses.replace(stage, axon=None) for stage in graph]
    return dataclasses.replace(graph, stages=stages), x


def integers(stages):
    """Blocks of the chip and, by (sender, block), integer weights (n_pre, n_post); -1: the host."""
    with stack.quiet_build():
        model = build_model(chip_spikes.build_chip(stages, 0.001).net, 0.001)
    (shown,) = model.inputs
    blocks, weights = list(model.blocks), {}
    for number, sender in enumerate([shown, *blocks], -1):
        for axon in sender.axons:
            post = next(i for i, block in enumerate(blocks) if axon.target in block.synapses)
            matrix = np.zeros((sender.n_neurons, blocks[post].n_neurons), np.int64)
            for neuron, spike in enumerate(axon.map_spikes(np.arange(sender.n_neurons))):
                base = None if spike is None else axon.target.axon_compartment_base(spike.axon_idx)
                if base is None:
                    continue
                values, targets = axon.target.axon_weights_indices(spike.axon_idx, spike.atom)
                matrix[neuron, base + np.asarray(targets)] += np.asarray(values)
            weights[number, post] = matrix
    return blocks, weights


def toward_zero(x, keep):
    return np.sign(x) * (np.abs(x) * keep // 4096)


def integer_loop(stages, blocks, weights, x):
    """Spikes of all stages, [(n_steps, n_neurons), ...], in the time of the trained network."""
    arriving, result = x, []
    for number, (stage, block) in enumerate(zip(stages, blocks)):
        n = stage.n_neurons
        neuron = stage.neuron
        keep_i = 4096 - round(4096 * neuron.current_decay)
        keep_v = 4096 - round(4096 * neuron.voltage_decay)
        i, v = np.zeros((2, n), np.int64)
        fired = np.zeros((len(x), n), bool)
        for t in range(len(x)):
            current = arriving[t].astype(np.int64) @ weights[number - 1, number]
            if len(stage.links) > 1 and t:
                current = current + fired[t - 1].astype(np.int64) @ weights[number, number]
            i = toward_zero(i, keep_i) + current
            v = np.maximum(toward_zero(v, keep_v) + i, int(block.compartment.vmin))
            fired[t] = v > block.compartment.vth
            v[fired[t]] = 0
        result.append(fired)
        arriving = fired
    return result


@pytest.mark.parametrize("name", NAMES)
def test_every_spike_is_that_of_an_integer_loop(name):
    stages, x = without_delays(name, n_samples=2)
    blocks, weights = integers(stages)
    recordings = [
        # what the last of some stages sends is recorded at each step
        run(dataclasses.replace(stages, stages=stages.stages[:last]), x, engine="loihi")
        for last in range(1, len(stages.stages) + 1)
    ]
    found = [np.diff(one.outputs, axis=1, prepend=0) > 0 for one in recordings]
    for sample in range(len(x)):
        expected = integer_loop(stages, blocks, weights, x[sample].reshape(len(x[sample]), -1))
        for fired, wanted in zip(found, expected):
            np.testing.assert_array_equal(fired[sample], wanted)
            assert 0 < wanted.mean() < 1


@pytest.mark.parametrize("name", NAMES)
def test_integers_are_the_trained_numbers_in_eight_bits(name):
    stages, _ = without_delays(name)
    blocks, weights = integers(stages)
    for number, (stage, block) in enumerate(zip(stages, blocks)):
        theta = int(block.compartment.vth[0])
        assert theta % 64 == 0
        scale = stage.neuron.threshold / theta  # a unit of the chip, as trained
        units = np.eye(stage.links[0].map.n_in)
        trained = np.array([reference.linear(stage, unit).reshape(-1) for unit in units])
        pairs = [(weights[number - 1, number], trained)]
        if len(stage.links) > 1:
            pairs.append((weights[number, number], loop_of(stage)))
        largest = max(np.abs(exact).max() for _, exact in pairs)
        for integer, exact in pairs:
            assert not (integer % 64).any()
            assert np.abs(integer).max() <= 256 * 64
            # half of a step of two in 255, and what the threshold was rounded by
            tolerance = largest / 255 + np.abs(exact) * 64 / theta
            assert (np.abs(integer * scale - exact) <= tolerance + 1e-6).all()
        comp = block.compartment
        assert set(comp.decay_u) == {round(4096 * stage.neuron.current_decay) - 1}
        assert set(comp.decay_v) == {round(4096 * stage.neuron.voltage_decay)}


@pytest.mark.parametrize("share", [1, 2, 1000, 2047, 2048, 3000, 4094, 4095])
def test_every_decay_of_the_chip_is_met(share, rng):
    neuron = CurrentBasedLIF(share / 4096, share / 4096)
    blocks, _ = integers(chain((2,), [dense(rng, "out", (2,), 3, neuron)]))
    assert set(blocks[0].compartment.decay_u) == {share - 1}
    assert set(blocks[0].compartment.decay_v) == {share}


def test_recording_beside_that_of_the_trained_network():
    stages, x = without_delays("cuba-conv", n_samples=3)
    chip = run(stages, x, engine="loihi", n_steps=35)
    trained = run(stages, x, n_steps=35)
    assert chip.engine == "loihi"
    assert chip.outputs.shape == trained.outputs.shape
    for name, spikes in trained.spikes_over_time.items():
        assert abs(chip.spikes_over_time[name].sum() / spikes.sum() - 1) < 0.05
        assert chip.spike_counts[name].sum() == chip.spikes_over_time[name].sum()
    np.testing.assert_array_equal(chip.synops_over_time["input"], trained.synops_over_time["input"])
    assert chip.chip_synops_over_time == chip.synops_over_time  # all layers are on the chip
    assert (
        chip.chip_neurons == sum(stage.n_neurons for stage in stages) and not trained.chip_neurons
    )
    one = run(stages, x[2:], engine="loihi", n_steps=35)
    np.testing.assert_array_equal(one.outputs, chip.outputs[2:])  # nothing is left behind


def test_a_large_layer_is_cut_into_cores(rng):
    image = (12, 12, 1)
    maps = conv(rng, "maps", image, 3, 16, CUBA, padding="same")
    pooled = pool("pool", maps.shape, 2, CUBA)
    out = dense(rng, "out", pooled.shape, 3, CUBA, scale=1.0, mean=0.2)
    stages = chain(image, [maps, pooled, out])
    report = chip_spikes.chip_report(network_of(stages))
    assert [row["layer"] for row in report.rows()] == ["maps", "pool", "out"]
    assert report.rows()[0]["cores"] > 1
    assert all(0 <= e["median"] <= e["worst"] < 0.05 for e in report.rounding.values())
    x = spikes_for(rng, stages, n_samples=1, n_steps=12, rate=0.1)
    chip, trained = run(stages, x, engine="loihi"), run(stages, x)
    for name, spikes in trained.spikes_over_time.items():
        assert abs(chip.spikes_over_time[name].sum() / spikes.sum() - 1) < 0.1


def test_delays_that_are_all_zero_are_none():
    """As those of a network that could have learned some, and did not."""
    graph, x = without_delays("cuba-dense")
    stages = [dataclasses.replace(s, axon=np.zeros(s.n_neurons, int)) for s in graph.stages]
    zero = dataclasses.replace(graph, stages=stages)
    for engine in ("loihi", "nengo-dl", "event"):
        assert_same_recordings(run(graph, x, engine=engine), run(zero, x, engine=engine))


def test_what_the_chip_has_not_is_refused(rng):
    graph, x = without_delays("cuba-dense")
    first, last = graph.stages

    def refused(message, stages=(first, last), x=x):
        with pytest.raises(EngineError, match=message):
            run(dataclasses.replace(graph, stages=stages), x, engine="loihi")

    refused("its neurons are SpikeResponseModel", case("srm-dense")[0].stages)
    refused("'out' has axonal delays up to", [first, with_delays(rng, last)])
    fast = dataclasses.replace(first.neuron, current_decay=0.99999)
    refused("its current_decay is 0.99999, ", [dataclasses.replace(first, neuron=fast), last])
    slow = dataclasses.replace(first.neuron, voltage_decay=1e-5)
    refused("voltage_decay is 1e-05", [dataclasses.replace(first, neuron=slow), last])
    (link,) = first.links
    nothing = dataclasses.replace(link, map=link.map.scaled(0))
    refused("all its weights are zero", [dataclasses.replace(first, links=[nothing]), last])
    biased = dataclasses.replace(first, bias=np.ones(first.n_neurons))
    refused("begin at zero, and what they get at each step does not", [biased, last])
    past = dataclasses.replace(
        last, links=[*last.links, Link("input", layers.dense(np.ones((6, 3))))]
    )
    refused("spikes from 'input' would come at another step", [first, past])
    refused("the input has the value 0.5", x=x / 2)
    with pytest.raises(EngineError, match="takes no dtype: leave it out"):
        run(graph, x, engine="loihi", dtype="float32")


def test_registers_that_overflow_end_the_run(rng):
    strong = chain((400,), [dense(rng, "out", (400,), 3, CUBA, scale=0.0, mean=5.0)])
    x = np.ones((1, 10, 400), np.float32)
    with pytest.raises(EngineError, match="more current arrives at a neuron"):
        run(strong, x, engine="loihi")


def test_threads_take_turns():
    """What is built is kept with the network, and built by one of them."""
    graph, x = without_delays("cuba-dense")
    network = network_of(graph)
    wanted = nt.run(network_of(graph), x, engine="loihi").outputs
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: nt.run(network, x, engine="loihi").outputs, range(4)))
    for outputs in found:
        np.testing.assert_array_equal(outputs, wanted)
