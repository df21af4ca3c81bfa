"""Sigma-delta networks over time against Algorithm 1 in plain Python, Keras, and single frames."""

import dataclasses

import numpy as np
import pytest

from nengo_tactile.engines import run
from nengo_tactile.engines.event import run_streams
from nengo_tactile.engines.event.arrivals import arrivals_of
from nengo_tactile.errors import DataError, EngineError
from nengo_tactile.events.coding import CurrentCoding, DelayCoding
from tests.support.algorithm1 import CODINGS, SHAPE, assert_equal, built, images
from tests.support.measures import KINDS
from tests.support.passes import Accumulator

FRAMES = 5


def streams(n=2, seed=0):
    """Frames that keep most of the one before: (n, FRAMES, ...)."""
    rng = np.random.default_rng(seed)
    new = images(n * FRAMES, seed=seed).reshape(n, FRAMES, *SHAPE)
    for frame in range(1, FRAMES):
        kept = rng.random(new[:, frame].shape) < 0.8
        new[:, frame][kept] = new[:, frame - 1][kept]
    return new


def changes(coding, frames):
    """What arrives of each frame in each step, as `Loop.run` wants it, and the pixels that do."""
    found, before = [], np.zeros(frames[0].size)
    for frame in frames.reshape(len(frames), -1).astype(float):
        if coding.spikes:
            arriving = [[] for _ in range(coding.n_steps)]
            times = {}
            for pixel, (old, new) in enumerate(zip(before, frame)):
                if old > 0.2 >= new:
                    times.setdefault(0.0, []).append((pixel, -1.0))
                elif new > 0.2 >= old:
                    times.setdefault(1 - new, []).append((pixel, 1.0))
            for time in sorted(times):
                step = min(int(time / 0.8 * coding.n_steps + 1e-6), coding.n_steps - 1)
                arriving[step].append(times[time])
        else:
            pixels = np.flatnonzero(frame != before)
            part = [(int(i), (frame[i] - before[i]) / coding.n_steps) for i in pixels]
            arriving = [[part]] * coding.n_steps
        found.append(arriving)
        before = frame
    return found


def of_stream(recording, stream):
    """The recording of one stream's frames."""
    frames = slice(stream * FRAMES, (stream + 1) * FRAMES)
    parts = {
        kind: {layer: values[frames] for layer, values in getattr(recording, kind).items()}
        for kind in (*KINDS, "sent")
    }
    return dataclasses.replace(recording, outputs=recording.outputs[frames], **parts)


@pytest.mark.parametrize("coding", CODINGS)
def test_every_spike_is_algorithm_1s_without_a_reset(coding):
    network, loop = built(coding)
    x = streams()
    got = run_streams(network, x, threads=2)
    assert got.n_samples == 2 * FRAMES and got.n_steps == network.coding.n_steps
    for stream in range(2):
        part = of_stream(got, stream)
        inputs = part.spike_counts["input"]
        if coding == "current":  # the loop knows no spikes of a current
            before = np.concatenate([np.zeros((1, *SHAPE)), x[stream, :-1]])
            np.testing.assert_array_equal(inputs, (x[stream] != before).reshape(FRAMES, -1))
        frames = changes(network.coding, x[stream])
        assert_equal(part, network, loop, x[stream], got.n_steps, True, frames)


@pytest.mark.parametrize("coding", CODINGS)
def test_each_frame_ends_at_rest_by_keras(coding):
    network, _ = built(coding)
    x = streams(3, seed=4)
    got = run_streams(network, x)
    accumulator = Accumulator(network.ann)
    layers = {stage.layer: stage.name for stage in network.graph}
    sent = [
        got.sent[layers[name]].reshape(-1, *shape).astype(np.float32)
        for name, shape in accumulator.shapes.items()
    ]
    shown = network.coding.total(x.reshape(-1, *SHAPE))
    logits, _, fired = accumulator.step(shown, sent)
    np.testing.assert_array_equal(got.outputs[:, -1], logits)
    assert not fired.numpy().any()


@pytest.mark.parametrize("coding", CODINGS)
def test_a_frame_like_the_one_before_costs_nothing(coding):
    network, _ = built(coding)
    x = np.repeat(images(2, seed=5)[:, None], 3, axis=1)
    got = run_streams(network, x)
    assert got.synops["input"].reshape(2, 3)[:, 0].all()
    for synops in got.synops.values():
        assert not synops.reshape(2, 3)[:, 1:].any()


@pytest.mark.parametrize("coding", CODINGS)
def test_without_state_frames_are_samples(coding):
    network, _ = built(coding)
    x = streams(2, seed=7)
    got = run_streams(network, x, keep_state=False)
    alone = run(network, x.reshape(-1, *SHAPE), network.coding.n_steps, engine="event")
    np.testing.assert_array_equal(got.outputs, alone.outputs)
    for name, counts in alone.spike_counts.items():
        np.testing.assert_array_equal(got.spike_counts[name], counts)
    kept = run_streams(network, x)
    assert sum(map(np.sum, kept.synops.values())) < 0.7 * sum(map(np.sum, got.synops.values()))


def test_small_changes_of_a_pixel_wait(rng):
    frames = np.cumsum(rng.normal(0, 0.1, (1, 200, 6)), axis=1).astype(np.float32)
    arrivals = arrivals_of(CurrentCoding(2), frames[0], 200, input_threshold=0.25)
    arrived, sent = np.zeros(6), np.zeros(200, int)
    for number, frame in enumerate(frames[0]):
        for event in range(arrivals.length[number]):
            pixel, change = arrivals.unit[number, event], 2 * arrivals.value[number, event]
            assert abs(change) >= 0.25
            arrived[pixel] += change
            sent[number] += 1
        off = np.abs(frame - arrived)
        assert (off < 0.25).all()
    assert 0 < sent.mean() < 3 and off.any()


@pytest.mark.parametrize("options", [{"batch_size": 1}, {"threads": 1}])
def test_minibatches_and_threads_do_not_matter(options):
    network, _ = built("delay")
    x = streams(3, seed=9)
    one, other = run_streams(network, x), run_streams(network, x, **options)
    np.testing.assert_array_equal(one.outputs, other.outputs)
    for name, synops in one.synops_over_time.items():
        np.testing.assert_array_equal(synops, other.synops_over_time[name])


@pytest.mark.parametrize("value", [-0.1, np.inf, np.nan])
def test_bad_thresholds_are_refused(value):
    with pytest.raises(EngineError, match="input_threshold is"):
        run_streams(built("current")[0], streams(), input_threshold=value)


def test_bits_have_no_threshold():
    with pytest.raises(EngineError, match="one bit per pixel"):
        arrivals_of(DelayCoding(), streams()[0], FRAMES, 0.5)


def test_arrays_of_another_shape_are_refused():
    with pytest.raises(DataError, match=r"give \(n_streams, n_frames, 6, 6, 2\)"):
        run_streams(built("delay")[0], streams()[0])


def test_other_neurons_are_refused(small):
    with pytest.raises(EngineError, match=r"neuron=nt\.SigmaDelta\(\)"):
        run_streams(small[0], small[1][None])
