"""Samples stopped early: what recordings say against a loop, what the engine does against them."""

import dataclasses

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile.analysis import exit_margin, exits
from nengo_tactile.errors import DataError, EngineError
from nengo_tactile.networks.read_out import ReadOut


def recording(outputs, **settings):
    """Of given outputs, (n_samples, n_steps, n_outputs); two packets of three units a step."""
    outputs = np.asarray(outputs, np.float32)
    ones = np.ones(outputs.shape[:2], int)
    series = [{"a": np.ones((len(outputs), 1), int)}, {"a": 2 * ones}, {"a": 10 * ones}]
    return nt.Recording(
        outputs, *series, 0.001, "event", units_over_time={"a": 3 * ones}, **settings
    )


def test_it_stops_at_the_first_step_that_is_clear():
    outputs = [[[1, 0.9, 0], [0, 2, 0.5], [3, 0, 0]], [[0, 0, 0.1], [0, 0, 0.2], [0, 0, 0.3]]]
    found = exits(recording(outputs), 1.5)
    assert found.steps.tolist() == [2, 3]
    assert found.mean_steps == 2.5
    np.testing.assert_array_equal(found.outputs, np.array([[0, 2, 0.5], [0, 0, 0.3]], np.float32))
    assert found.accuracy([1, 2]) == 1 and found.accuracy([0, 2]) == 0.5
    assert (found.spikes, found.unit_spikes, found.synops) == (5, 7.5, 25)
    assert exits(recording(outputs), 0).steps.tolist() == [1, 1]
    assert exits(recording(outputs), 99).steps.tolist() == [3, 3]


@pytest.mark.parametrize(
    ("read_out", "outputs", "margin"),
    [
        (ReadOut.linear((3,)), [5, 1, 4.5], 0.5),
        (ReadOut("sigmoid", (1,), (1,)), [-2], 2),
        (ReadOut("sigmoid", (3,), (3,)), [-2, 0.5, 1], 0.5),
        (ReadOut("softmax", (2, 2), (2, 2)), [1, 4, 2, 1.5], 0.5),
    ],
)
def test_margins(read_out, outputs, margin):
    assert read_out.margin(np.array(outputs, float)) == pytest.approx(margin)


def test_the_level_loses_no_more_than_it_may():
    """Against all levels in a loop, on random outputs that grow clearer with the steps."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 300)
    noise = rng.normal(size=(300, 6, 4)).cumsum(1) / np.arange(1, 7)[:, None]
    outputs = noise + 0.8 * np.eye(4)[labels][:, None]
    shown = recording(outputs)
    last = np.mean(outputs[:, -1].argmax(1) == labels)

    def told(levels):
        """Points lost, and mean steps."""
        hits = steps = 0
        for sample, label in zip(shown.outputs, labels):
            for outputs, level in zip(sample, levels):
                steps += 1
                first, second = np.sort(outputs)[:-3:-1]
                if first - second >= np.float32(level):
                    break
            hits += outputs.argmax() == label
        return 100 * (last - hits / len(labels)), steps / len(labels)

    for max_loss in (0.5, 3.0):
        levels = exit_margin(shown, labels, max_loss)
        lost, steps = told(levels)
        found = exits(shown, levels)
        assert lost <= max_loss + 1e-6
        assert lost == pytest.approx(100 * (last - found.accuracy(labels)))
        assert steps == pytest.approx(found.mean_steps)
        # one level for all steps that loses no more takes more of them
        same = [told([level] * 6) for level in np.linspace(0, 6, 60)]
        assert steps < min(steps for lost, steps in same if lost <= max_loss)
        # and no level can be lowered alone, so that what may be lost is used
        for step in range(5):
            margins = np.sort(shown.read_out.margin(shown.outputs)[:, step])
            for lower in margins[margins < levels[step]][::7]:
                less = exits(shown, np.where(np.arange(6) == step, lower, levels))
                fewer = less.mean_steps < steps - 1e-9
                assert not fewer or 100 * (last - less.accuracy(labels)) > max_loss + 1e-6
        # of one level for all steps that which takes the fewest
        level = exit_margin(shown, labels, max_loss, same=True)
        assert len(set(level)) == 1
        lost, steps = told(level)
        assert lost <= max_loss + 1e-6
        assert steps <= min(steps for lost, steps in same if lost <= max_loss) + 0.02
    losses = (2.0, 2.5, 3.0, 3.5)
    steps = [exits(shown, exit_margin(shown, labels, loss)).mean_steps for loss in losses]
    assert steps == sorted(steps)[::-1] and len(set(steps)) == 4
    # without labels, decisions count
    levels = exit_margin(shown, max_loss=1.0)
    same = exits(shown, levels).outputs.argmax(1) == outputs[:, -1].argmax(1)
    assert 0.99 <= same.mean() < 1


def middle(margins):
    """A level in the widest gap near the median: sums of other order round otherwise."""
    near = np.quantile(margins, np.linspace(0.4, 0.6, 21)).astype(float)
    place = np.diff(near).argmax()
    return near[place : place + 2].mean()


@pytest.fixture(scope="module")
def network():
    model = nt.ann.build("6x6-4c3-8-3o", seed=0)
    x = np.random.default_rng(0).random((64, 6, 6, 1), np.float32)
    return nt.convert(model, x, nt.IF(signed=True), n_steps=12), x


@pytest.mark.parametrize("discard", [0.0, 0.5])
def test_the_engine_stops_where_the_recording_says(network, discard):
    snn, x = dataclasses.replace(network[0], discard=discard), network[1]
    whole = nt.run(snn, x, engine="event", progress=False)
    level = middle(snn.read_out.margin(whole.outputs))
    wanted = exits(whole, level)
    assert 2 < wanted.mean_steps < 10
    found = nt.run(snn, x, engine="event", progress=False, margin=level)
    np.testing.assert_array_equal(found.exit_steps, wanted.steps)
    for sample, steps in enumerate(wanted.steps):
        shown = whole.outputs[sample].copy()
        shown[steps:] = shown[steps - 1]
        np.testing.assert_array_equal(found.outputs[sample], shown)
        for name, spikes in whole.spikes_over_time.items():
            cut = found.spikes_over_time[name][sample]
            np.testing.assert_array_equal(cut[:steps], spikes[sample, :steps])
            assert not cut[steps:].any()
    spikes = sum(each.sum() for each in found.spikes_over_time.values()) / len(x)
    assert spikes == pytest.approx(wanted.spikes)
    counted = sum(each.sum() for each in found.spike_counts.values()) / len(x)
    assert counted == pytest.approx(wanted.spikes)
    assert whole.exit_steps is None
    levels = np.linspace(2, 0, 12) * level
    found = nt.run(snn, x, engine="event", progress=False, margin=levels)
    np.testing.assert_array_equal(found.exit_steps, exits(whole, levels).steps)


def test_one_output_is_stopped_by_its_distance_from_zero():
    model = nt.ann.build("4-6-1o", seed=1)
    x = np.random.default_rng(0).random((40, 4), np.float32)
    snn = nt.convert(model, x, nt.IF(), n_steps=10)
    whole = nt.run(snn, x, engine="event", progress=False)
    level = middle(abs(whole.outputs))
    found = nt.run(snn, x, engine="event", progress=False, margin=level)
    np.testing.assert_array_equal(found.exit_steps, exits(whole, level).steps)


def test_what_is_refused(network):
    snn, x = network
    for margin in (-1.0, "much", True, [1.0, 2.0], float("nan")):
        with pytest.raises(DataError, match="margin is"):
            nt.run(snn, x, engine="event", margin=margin)
    with pytest.raises(EngineError, match="takes no margin"):
        nt.run(snn, x, engine="nengo-dl", margin=1.0)
    shown = nt.run(snn, x[:4], engine="event", progress=False)
    with pytest.raises(DataError, match="margin is -1"):
        exits(shown, -1)
    with pytest.raises(DataError, match="max_loss is -1"):
        exit_margin(shown, max_loss=-1)
    with pytest.raises(DataError, match="labels"):
        exit_margin(shown, [0])
    decided = dataclasses.replace(shown, decisions=np.zeros((4, 12), int))
    with pytest.raises(DataError, match="no largest outputs"):
        exits(decided, 1.0)
    values = recording(np.ones((2, 3, 1)), read_out=ReadOut("softplus", (1,), (1,)))
    with pytest.raises(DataError, match="tells no classes"):
        exits(values, 1.0)
