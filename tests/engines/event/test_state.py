"""Runs in chunks against one run of all steps, and against a loop whose input changes."""

import dataclasses
import itertools

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile.engines.event import clocked, run_streams
from nengo_tactile.engines.recording import ReadOutMean
from nengo_tactile.errors import DataError, EngineError
from nengo_tactile.networks.neurons import Sum
from tests.support import stage_graphs as graphs
from tests.support import step_loop
from tests.support.algorithm1 import CODINGS, SHAPE, built, images
from tests.support.measures import assert_same_recordings, joined_steps
from tests.support.slayer_networks import NAMES, case, network_of

CHUNKS = ((1, 1, 1, 5, 1), (4, 5), (9,))
IFS = {
    "plain": nt.IF(),
    "signed": nt.IF(signed=True),
    "graded": nt.IF(signed=True, spikes_per_step=4),
    "zero": nt.IF(reset="zero"),
}


def assert_goes_on(network, chunks, whole, **options):
    """Steps of these chunks, (input, number of steps), are those of one run."""
    state = nt.start(network, engine="event", **options)
    parts = [state.step(*chunk) for chunk in chunks]
    assert state.n_steps == whole.n_steps and state.n_samples == whole.n_samples
    assert any(counts.any() for counts in whole.spike_counts.values())
    assert_same_recordings(joined_steps(parts), whole)


@pytest.mark.parametrize("change", [None, graphs.graded], ids=["plain", "graded"])
def test_every_kind_of_stage_goes_on(change):
    """Sums, max poolings, several links, steps with currents of their own; dyadic weights."""
    network = graphs.everything(change)[0]
    x, n_steps = graphs.images(), sum(CHUNKS[0])
    whole = nt.run(network, x, n_steps, engine="event")
    assert_goes_on(network, [(x, n) for n in CHUNKS[0]], whole)


@pytest.fixture(scope="module")
def converted():
    model = nt.ann.build("8x8x2-6c3-8c3s2-10-3o", seed=2)
    x = np.random.default_rng(0).random((5, 8, 8, 2), dtype=np.float32)
    return {name: nt.convert(model, x, neuron, n_steps=9) for name, neuron in IFS.items()}, x


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("name", IFS)
def test_converted_networks_go_on(converted, name, chunks):
    networks, x = converted
    for network in (networks[name], dataclasses.replace(networks[name], discard=0.5)):
        whole = nt.run(network, x, sum(chunks), engine="event")
        assert_goes_on(network, [(x, n) for n in chunks], whole, threads=2)


@pytest.mark.parametrize("change", [None, graphs.graded], ids=["plain", "graded"])
def test_input_may_change(change):
    """Each chunk has an image of its own, which a loop over steps sees at each of its steps."""
    network, x = graphs.everything(change)[0], graphs.images()
    frames = [np.roll(x, k, axis=1) for k in range(len(CHUNKS[0]))]
    state = nt.start(network)
    got = joined_steps([state.step(frame, n) for frame, n in zip(frames, CHUNKS[0])])
    sent = step_loop.run(network.graph, np.repeat(np.stack(frames, axis=1), CHUNKS[0], axis=1))
    assert not np.array_equal(got.outputs, nt.run(network, x, sum(CHUNKS[0])).outputs)
    for layer, spikes in got.spikes_over_time.items():
        np.testing.assert_array_equal(spikes, (sent[layer] != 0).sum(axis=2))
    outputs = np.cumsum(sent[network.graph.stages[-1].name], axis=1)
    outputs /= np.arange(1, sum(CHUNKS[0]) + 1)[:, None]
    np.testing.assert_allclose(got.outputs, outputs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("chunks", [(1, 1, 3, 2, 1), (7, 50)])
@pytest.mark.parametrize("name", NAMES)
def test_networks_that_read_spikes_go_on(name, chunks):
    """Spike response, delays, recurrence, pooling."""
    graph, x = case(name, n_samples=3)
    x = x[:, : sum(chunks)]
    firsts = np.cumsum((0, *chunks))
    parts = [(x[:, first : first + n],) for first, n in zip(firsts, chunks)]
    for dtype in ("float32", "float64"):
        whole = nt.run(network_of(graph), x, engine="event", dtype=dtype)
        assert_goes_on(network_of(graph), parts, whole, dtype=dtype, threads=2)


@pytest.mark.parametrize("neuron", [Sum(), Sum(0.25), Sum(0)])
def test_read_outs_of_values_go_on(neuron):
    graph, x = case("cuba-dense", n_steps=12)
    last = dataclasses.replace(graph.stages[-1], neuron=neuron)
    network = network_of(dataclasses.replace(graph, stages=[*graph.stages[:-1], last]))
    chunks = [(x[:, a:b], None) for a, b in ((0, 1), (1, 7), (7, 12))]
    assert_goes_on(network, chunks, nt.run(network, x, engine="event"))


@pytest.mark.parametrize("coding", CODINGS)
def test_frames_of_sigma_delta_networks_go_on(coding):
    network, frames = built(coding)[0], images(6).reshape(2, 3, *SHAPE)
    whole = run_streams(network, frames)
    state = nt.start(network)
    for k in range(3):
        part = state.step(frames[:, k], network.coding.n_steps)
        np.testing.assert_array_equal(part.outputs, whole.outputs[k::3])
        for layer, counts in part.spike_counts.items():
            np.testing.assert_array_equal(counts, whole.spike_counts[layer][k::3])
            np.testing.assert_array_equal(part.synops[layer], whole.synops[layer][k::3])
    with pytest.raises(EngineError, match=r"n_steps is 1, a frame arrives in \d+ steps"):
        state.step(frames[:, 0], 1)


@pytest.mark.parametrize("discard", [0.0, 0.3, 0.5])
def test_means_of_the_last_steps(discard):
    values = np.random.default_rng(1).normal(size=(2, 11, 3)).astype(np.float32)
    means, firsts = ReadOutMean(discard), np.cumsum((0, 1, 4, 1, 5))
    got = np.concatenate([means(values[:, a:b]) for a, b in itertools.pairwise(firsts)], axis=1)
    for t in range(11):
        first = int((t + 1) * discard)
        wanted = values[:, first : t + 1].mean(axis=1, dtype=float)
        np.testing.assert_allclose(got[:, t], wanted, rtol=1e-6)


def test_what_a_state_refuses(converted):
    networks, x = converted
    state = nt.start(networks["plain"])
    state.step(x[:2], 1)
    with pytest.raises(DataError, match="chunk has 3 samples, those before had 2"):
        state.step(x[:3], 1)
    with pytest.raises(DataError, match="shape"):
        state.step(x[:2, 1:], 1)
    with pytest.raises(EngineError, match="n_steps is 0"):
        state.step(x[:2], 0)
    assert state.step(x[:2], 2).n_steps == 2 and state.n_steps == 3
    with pytest.raises(EngineError, match=r"'nengo-dl' shows samples of .* as a whole.*'event'"):
        nt.start(networks["plain"], engine="nengo-dl")
    with pytest.raises(EngineError, match="takes no margin"):
        nt.start(networks["plain"], margin=0.5)


def test_what_was_interrupted_does_not_go_on(converted, monkeypatch):
    networks, x = converted
    state = nt.start(networks["plain"])
    state.step(x, 1)

    def interrupted(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(clocked, "side_by_side", interrupted)
        with pytest.raises(KeyboardInterrupt):
            state.step(x, 1)
    with pytest.raises(EngineError, match="a step after 1 did not come to its end"):
        state.step(x, 1)
