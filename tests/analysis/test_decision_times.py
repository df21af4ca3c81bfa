"""Time since the first event of each recording: against loops, closed forms and cut recordings."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

import nengo_tactile as nt
from nengo_tactile.analysis import (
    as_events_come,
    exits,
    first_steps,
    percentile,
    since_first_event,
)
from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import EVENT_DTYPE
from nengo_tactile.events.images import TactileImage
from nengo_tactile.events.spikes import SpikeLayout
from nengo_tactile.slayer import SlayerNetwork
from nengo_tactile.slayer.stages import chain
from tests.support.skim_networks import Recordings, small_network
from tests.support.slayer_networks import SRM, dense

N_STEPS = 20


@pytest.fixture(scope="module")
def spiking():
    """A SLAYER network, and samples of which each begins at another step."""
    rng = np.random.default_rng(0)
    stages = [dense(rng, "hidden", (6,), 8, SRM), dense(rng, "out", (8,), 3, SRM)]
    layout = SpikeLayout((6, 1, 1), 1000, N_STEPS, shape=(6,))
    network = SlayerNetwork(chain((6,), stages), layout)
    recordings = []
    for number in range(24):
        events = np.zeros(80, EVENT_DTYPE)
        first = 500 * (number % 15)
        events["t"] = np.sort(rng.integers(first, 1000 * N_STEPS, 80))
        events["t"][0] = first
        events["x"], events["p"] = rng.integers(0, 6, 80), 1
        recordings.append((events, number % 3))
    x, labels = network.encode(recordings)
    return network, x, labels, nt.run(network, x, progress=False)


def test_first_steps_against_a_loop(spiking):
    _, x, _, _ = spiking
    wanted = [next((t for t, step in enumerate(sample) if step.any()), -1) for sample in x]
    assert first_steps(x).tolist() == wanted
    assert first_steps(x[:]).tolist() == wanted
    assert wanted[3] == 1 and max(wanted) == 7
    assert first_steps(np.zeros((2, 3, 4))).tolist() == [-1, -1]


def test_each_recording_is_counted_from_its_first_event(spiking):
    network, x, labels, recording = spiking
    since = since_first_event(network, recording, x, labels)
    firsts = first_steps(x)
    answers = recording.predictions()
    for elapsed in range(1, N_STEPS + 1):
        steps = [min(first + elapsed, N_STEPS) for first in firsts]
        right = np.mean([answers[i, step - 1] == labels[i] for i, step in enumerate(steps)])
        assert since.accuracy[elapsed - 1] == pytest.approx(right)
        assert since.seconds[elapsed - 1] == pytest.approx(elapsed * 1e-3)
    assert since.accuracy[-1] == recording.accuracy(labels)[-1]
    assert not np.array_equal(since.accuracy, recording.accuracy(labels))
    for name, spikes in recording.spikes_over_time.items():
        shifted = since.recording.spikes_over_time[name]
        for i, first in enumerate(firsts):
            assert shifted[i, : N_STEPS - first].tolist() == spikes[i, first:].tolist()
            assert not shifted[i, N_STEPS - first :].any()


def test_decisions_against_a_loop(spiking):
    network, x, labels, recording = spiking
    since = since_first_event(network, recording, x, labels)
    level = 2.0
    found = since.decisions(level)
    margins = network.read_out.margin(recording.outputs)
    answers, firsts = recording.predictions(), first_steps(x)
    for i, first in enumerate(firsts):
        steps = [t for t in range(first, N_STEPS - 1) if margins[i, t] >= level]
        step = steps[0] if steps else N_STEPS - 1
        assert found.seconds[i] == pytest.approx((step - first + 1) * 1e-3)
        assert found.clear[i] == bool(steps)
        assert found.right[i] == (answers[i, step] == labels[i])
    assert 0 < found.clear.sum() < len(labels)
    whole = recording.accuracy(labels)[-1]
    assert found.lost == pytest.approx(100 * (whole - found.accuracy))
    numbers = found.numbers()
    assert numbers["low"] < found.accuracy < numbers["high"]
    assert numbers["percentiles"][0]["ms"] == 1e3 * np.sort(found.seconds)[11]
    chosen = since.decisions(since.levels(10.0))
    assert chosen.lost <= 10 + 1e-9 and chosen.seconds.mean() < since.decisions(1e5 * np.ones(
        N_STEPS)).seconds.mean()  # fmt: skip


def test_a_percentile_lies_in_its_interval_as_often_as_it_says():
    rng = np.random.default_rng(0)
    true = stats.expon.ppf(0.95)
    held = 0
    for _ in range(1000):
        found = percentile(rng.exponential(size=300), 95)
        held += found.low <= true <= found.high
    assert 0.94 <= held / 1000 <= 0.99
    values = np.arange(1, 101)
    assert percentile(values, 50).value == 50 and percentile(values, 99).value == 99
    # of the 99th of 100 nothing is known from above, of the first nothing from below
    assert percentile(values, 99).high is None and percentile(values, 1).low is None
    with pytest.raises(DataError, match="percentile 0 of"):
        percentile(values, 0)
    with pytest.raises(DataError, match=r"of \(0,\) values"):
        percentile([], 50)


def test_skim_is_decided_by_what_it_determines():
    network = small_network()
    x, labels = network.encode(Recordings())
    recording = nt.run(network, x, progress=False)
    since = since_first_event(network, recording, x, labels)
    assert since.accuracy[-1] == (network.predict(x) == labels).mean()
    # at the end the margin is that of the areas under the outputs
    window = network.window_outputs(x)[:, network.supervision.taught]
    areas = np.sort(window.sum(axis=1), axis=1)
    np.testing.assert_allclose(recording.margins()[:, -1], areas[:, -1] - areas[:, -2], rtol=1e-5)
    level = float(np.median(recording.margins()[:, 10]))
    found = since.decisions(level)
    stopped = exits(since.recording, level)
    assert stopped.accuracy(labels) == pytest.approx(found.accuracy)
    assert found.clear.any()
    other = nt.run(network, x, engine="nengo-dl", progress=False)
    np.testing.assert_allclose(other.margins(), recording.margins(), atol=1e-4)
    assert since.decisions(since.levels(0.0)).lost <= 1e-9


@pytest.fixture(scope="module")
def of_images():
    image = TactileImage((10, 10, 2), duration_us=2_000_000)
    model = nt.ann.build("10x10-4c3-3o", seed=0)
    data = nt.datasets.ESkin(n_samples=8)
    x = image.batch(data)
    return nt.convert(model, x, nt.IF(), n_steps=8, image=image), data


def test_images_are_those_of_the_events_so_far(of_images):
    snn, data = of_images
    recordings = [(data[i][0], i % 3) for i in range(8)]
    since = as_events_come(snn, recordings, n_times=5, progress=False)
    for number in range(5):
        cut = []
        for events, _ in recordings:
            end = events["t"][0] + (number + 1) * 400_000
            cut.append(snn.image(events[events["t"] < end]))
        wanted = nt.run(snn, np.array(cut), progress=False).outputs[:, -1]
        np.testing.assert_array_equal(since.recording.outputs[:, number], wanted)
    whole = nt.run(snn, [events for events, _ in recordings], progress=False)
    assert since.accuracy[-1] == whole.accuracy(since.labels)[-1]
    assert since.recording.dt == pytest.approx(0.4)
    firsts = np.array([events["t"][0] for events, _ in recordings])
    assert since.ends.tolist() == np.ceil((2_000_000 - firsts) / 400_000).astype(int).tolist()
    some = as_events_come(snn, recordings, [3, 5], 5, progress=False)
    np.testing.assert_array_equal(some.recording.outputs, since.recording.outputs[[3, 5]])


def test_what_is_refused(spiking, of_images):
    network, x, labels, recording = spiking
    snn, data = of_images
    images = snn.image.batch(data)
    shown = nt.run(snn, images, progress=False)
    with pytest.raises(DataError, match=r"no time since its first event.*as_events_come"):
        since_first_event(snn, shown, images, np.zeros(8, int))
    plain = dataclasses.replace(snn, image=None)
    with pytest.raises(DataError, match=r"no time since the first event.*count steps"):
        as_events_come(plain, [(data[0][0], 0)])
    with pytest.raises(DataError, match="have no labels"):
        as_events_come(snn, [data[0][0]])
    nothing = np.zeros(0, EVENT_DTYPE)
    with pytest.raises(DataError, match=r"recording 1 has no event.*1 of 2.*leave_out"):
        as_events_come(snn, [(data[0][0], 0), (nothing, 1)])
    left = as_events_come(snn, [(nothing, 1), (data[0][0], 0)], leave_out=True, n_times=2)
    assert left.kept.tolist() == [1] and left.labels.tolist() == [0] and left.n_empty == 1
    with pytest.raises(DataError, match="none of 2 recordings has an event"):
        as_events_come(snn, [(nothing, 0), (nothing, 1)], leave_out=True)
    silent, _ = network.encode([nothing, np.array([(0, 0, 10, 1)], EVENT_DTYPE)])
    both = nt.run(network, silent, progress=False)
    with pytest.raises(DataError, match="recording 0 has no event"):
        since_first_event(network, both, silent, [0, 1])
    kept = since_first_event(network, both, silent, [0, 1], leave_out=True)
    assert kept.recording.n_samples == 1 and kept.n_empty == 1
    with pytest.raises(DataError, match="24 samples, 2 labels"):
        since_first_event(network, recording, x, [0, 1])
    stopped = nt.run(network, x, progress=False)
    stopped = dataclasses.replace(stopped, exit_steps=np.ones(24, int))
    with pytest.raises(DataError, match="stopped by a margin"):
        since_first_event(network, stopped, x, labels)
    since = since_first_event(network, recording, x, labels)
    with pytest.raises(DataError, match=r"margin is 1000\.0, which none of 24 .* largest is"):
        since.decisions(1000.0)
