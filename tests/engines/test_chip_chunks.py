"""Runs in chunks on the chip's integers against one run of all steps."""

import dataclasses

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile.engines import chip_spikes
from nengo_tactile.errors import DataError, EngineError
from tests.support.engine_networks import make_network
from tests.support.measures import assert_same_recordings, joined_steps
from tests.support.slayer_networks import case, network_of

pytestmark = pytest.mark.stack
CHUNKS = (1, 1, 7, 30, 1)
N_STEPS = sum(CHUNKS)


@pytest.mark.parametrize("synapse", [None, 0.005])
@pytest.mark.parametrize("on_host", ["conv1", ()])
def test_images_go_on(on_host, synapse):
    network, x = make_network("7x7-3c3-4c2s2-7-3o", padding="same", synapse=synapse)
    whole = nt.run(network, x[:3], 2 * N_STEPS, engine="loihi", on_host=on_host)
    state = nt.start(network, engine="loihi", on_host=on_host, n_steps=2 * N_STEPS)
    parts = [state.step(x[:3], n) for n in (*CHUNKS, N_STEPS)]
    assert all(counts.sum() > 20 for counts in whole.spike_counts.values())
    assert_same_recordings(joined_steps(parts), dataclasses.replace(whole, notes=()))


def test_integrate_and_fire_takes_its_start_over_all_steps():
    model = nt.ann.build("5-9-6-3o", seed=3)
    x = np.random.default_rng(5).random((8, 5), dtype=np.float32)
    network = nt.convert(model, x, nt.IF(), n_steps=30)
    whole = nt.run(network, x[:2], engine="loihi", least_agreement=0)
    state = nt.start(network, engine="loihi", threads=1)
    parts = [state.step(x[:2], n) for n in (10, whole.n_steps - 10)]
    assert_same_recordings(joined_steps(parts), dataclasses.replace(whole, notes=()))


def test_the_image_may_change():
    network, x = make_network("7x7-3c3-4c2s2-7-3o", padding="same")
    state = nt.start(network, engine="loihi")
    first = state.step(x[:2], 40)
    other = state.step(x[2:4], 200).outputs[:, -1]
    alone = nt.run(network, x[2:4], 200, engine="loihi").outputs[:, -1]
    assert np.abs(other - alone).max() < 0.5 * np.abs(other - first.outputs[:, -1]).max()
    with pytest.raises(DataError, match="the chunk has 1 samples, those before had 2"):
        state.step(x[:1], 10)


@pytest.mark.parametrize("name", ["cuba-dense", "cuba-conv", "cuba-recurrent"])
def test_spikes_come_when_the_chip_sends_them(name):
    graph, x = case(name)
    stages = [dataclasses.replace(stage, axon=None) for stage in graph]
    network = network_of(dataclasses.replace(graph, stages=stages))
    whole = nt.run(network, x[:2], engine="loihi")
    state, parts = nt.start(network, engine="loihi"), []
    for first in range(0, x.shape[1], 9):
        parts.append(state.step(x[:2, first : first + 9]))
    found = joined_steps(parts)
    for layer, lag in chip_spikes.check_chip(network.graph).items():
        late = found.spikes_over_time[layer][:, lag:]
        assert not found.spikes_over_time[layer][:, :lag].any()
        np.testing.assert_array_equal(late, whole.spikes_over_time[layer][:, : late.shape[1]])
        assert late.any()
    last = whole.outputs[:, : whole.n_steps - lag]
    np.testing.assert_array_equal(found.outputs[:, lag:], last)


def test_what_cannot_go_on_is_refused():
    network, _ = make_network("7x7-3c3-4c2s2-7-3o", padding="same")
    with pytest.raises(EngineError, match=r"takes layers on the host that see the image alone"):
        nt.start(network, engine="loihi", on_host="conv1,conv2")
