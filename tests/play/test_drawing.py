import dataclasses

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile.engines.event import run_streams
from nengo_tactile.errors import DataError, EngineError
from nengo_tactile.events import TactileImage
from nengo_tactile.play.deciding import Listener
from nengo_tactile.play.drawing import Drawing
from nengo_tactile.play.skin import Grid, Replay, Skin

#: Ticks as a page makes them, in microseconds, and an uneven one.
TICKS = (*range(16_000, 1_000_000, 16_000), 1_300_000, 1_999_999, 2_000_000)


@pytest.fixture(scope="module")
def events():
    return nt.datasets.ESkin(split="test", n_samples=5)[4][0]


def converted(neuron, **image):
    image = TactileImage(upright=True, **image)
    height, width, channels = image.shape
    shape = f"{height}x{width}" + (f"x{channels}" if channels > 1 else "")
    model = nt.ann.build(f"{shape}-3c3-5o", seed=1)
    x = np.random.default_rng(0).random((32, *image.shape), np.float32)
    return dataclasses.replace(nt.convert(model, x, neuron, n_steps=12), image=image)


@pytest.fixture(scope="module")
def integrating():
    return converted(nt.IF(), normalise="log")


def played(network, events, engine="event"):
    drawing = Drawing(Replay(events, 2e6), Listener(network, engine))
    return [drawing.advance([], until) for until in TICKS]


def frames(network, events):
    """What a network that sees images is shown: one of each 50 ms, made of all so far."""
    ends = range(50_000, 2_000_001, 50_000)
    return np.concatenate([network.encode([events[events["t"] < end]])[0] for end in ends])


def of_chunks(progress, name):
    return [getattr(chunk, name) for each in progress for chunk in each.chunks]


def test_images_so_far_are_shown_for_50_ms_each(integrating, events):
    progress = played(integrating, events)
    state = nt.start(integrating, "event")
    parts = [state.step(image[None], 50) for image in frames(integrating, events)]
    np.testing.assert_array_equal(
        np.concatenate(of_chunks(progress, "winners")),
        np.concatenate([part.predictions()[0] for part in parts]),
    )
    np.testing.assert_array_equal(progress[-1].outputs, parts[-1].predict()[0])
    spikes = sum(part.spike_counts["conv1"][0] for part in parts)
    maps = sum(np.asarray(chunk["conv1"]) for chunk in of_chunks(progress, "layers"))
    np.testing.assert_array_equal(maps, spikes.reshape(8, 8, 3).sum(axis=2))
    assert progress[-1].n_packets == maps.sum() > 0
    assert progress[-1].n_synops == 5 * maps.sum()  # each neuron reaches the five outputs
    assert len(np.concatenate(of_chunks(progress, "t_us"))) == 2000


def test_the_decision_of_the_whole(integrating, events):
    progress = played(integrating, events)
    wanted = nt.run(integrating, [events], engine="event").predictions()[0, -1]
    assert [each.whole for each in progress[:-1]] == [None] * (len(TICKS) - 1)
    assert progress[-1].whole == wanted
    assert [each.done for each in progress[-2:]] == [False, True]


def test_the_image_fills(integrating, events):
    progress = played(integrating, events)
    counts = np.zeros((10, 10))
    for x, y in zip(events["x"], events["y"]):
        counts[x, y] += 1
    np.testing.assert_allclose(progress[-1].image, counts / counts.max(), rtol=1e-6)
    np.testing.assert_array_equal(np.concatenate([each.events for each in progress]), events)
    assert progress[-1].n_events == len(events)


def test_steps_of_spikes_arrive_as_they_come(events):
    network = nt.load("eskin-slayer")
    progress = played(network, events)
    recording = nt.run(network, [events], engine="event")
    winners = np.concatenate(of_chunks(progress, "winners"))
    np.testing.assert_array_equal(winners, recording.predictions()[0])
    np.testing.assert_array_equal(progress[-1].outputs, recording.outputs[0, -1])
    assert progress[-1].n_synops == sum(recording.synops.values())[0]
    spikes = {name: n[0].sum() for name, n in recording.spike_counts.items() if name != "input"}
    assert progress[-1].n_packets == sum(spikes.values())
    # a tick of 16 ms brings one or two steps of 10
    assert {len(chunk) for chunk in of_chunks(progress[:60], "t_us")} == {1, 2}


def test_frames_of_sigma_delta_networks_bring_changes(events):
    network = converted(nt.SigmaDelta(threshold=0.05))
    progress = played(network, events)
    stream = run_streams(network, frames(network, events)[None])
    np.testing.assert_allclose(progress[-1].outputs, stream.predict()[-1], rtol=1e-5, atol=1e-6)


def test_time_bins_are_decided_at_the_end(events):
    network = converted(nt.IF(), n_bins=2)
    progress = played(network, events)
    assert not any(each.chunks for each in progress[:-1])
    assert progress[-2].winner is None
    wanted = nt.run(network, [events], engine="event")
    np.testing.assert_array_equal(progress[-1].outputs, wanted.predict()[0])
    assert progress[-1].winner == progress[-1].whole == wanted.predictions()[0, -1]


def test_after_the_end_nothing_changes(integrating, events):
    drawing = Drawing(Replay(events, 2e6), Listener(integrating, "event"))
    last, after = drawing.advance([], 2.5e6), drawing.advance([[3e6, 1, 1, 1]], 3e6)
    assert after.done and not after.chunks and not len(after.events)
    assert (after.n_events, after.n_synops, after.t_us) == (last.n_events, last.n_synops, 2e6)


def test_a_touch_is_decided_on(integrating):
    """Through the skin: what is drawn is what the network is shown in the end."""
    skin = Skin(nt.events.fitted_parameters(), 2e6, seed=2)
    drawing = Drawing(skin, Listener(integrating, "event"))
    drawing.advance([[0, 2, 2, 1], [3e5, 7, 7, 1]], 3e5)
    progress = drawing.advance([[3.2e5, 7, 7, 0]], 2e6)
    x, _ = integrating.encode([drawing.events])
    assert progress.n_events == len(drawing.events) > 100
    assert progress.whole == nt.run(integrating, x, engine="event").predictions()[0, -1]
    values = progress.to_dict()
    assert len(values["image"]) == 100 and max(values["image"]) == 1.0
    assert values["counters"]["synops"] == progress.n_synops


def test_steps_of_an_image(integrating, events):
    """Each image so far for seven steps in place of 50."""
    drawing = Drawing(Replay(events, 2e6), Listener(integrating, "event", n_steps=7))
    progress = [drawing.advance([], until) for until in TICKS]
    state = nt.start(integrating, "event")
    parts = [state.step(image[None], 7) for image in frames(integrating, events)]
    winners = np.concatenate([part.predictions()[0] for part in parts])
    np.testing.assert_array_equal(np.concatenate(of_chunks(progress, "winners")), winners)
    wanted = nt.run(integrating, [events], 7, engine="event").predictions()[0, -1]
    assert progress[-1].whole == wanted


def test_another_skin():
    """16 x 16 taxels whose x runs to the right, all events ON, of a network in time bins."""
    image = TactileImage((16, 16, 1), n_bins=2)
    x = np.random.default_rng(0).random((32, *image.shape), np.float32)
    network = nt.convert(nt.ann.build("16x16x2-3c3-5o", seed=1), x, nt.IF(), n_steps=12)
    listener = Listener(dataclasses.replace(network, image=image), "event")
    assert listener.grid == Grid(16, False, 1) and listener.to_dict()["side"] == 16
    still = dataclasses.replace(nt.events.fitted_parameters(), noise_rate_hz=0.0)
    drawing = Drawing(Skin(still, 2e6, grid=listener.grid), listener)
    first = drawing.advance([[0, 12, 2, 1], [3e5, 12, 2, 1]], 3e5)  # column 12, row 2
    assert set(first.columns) <= set(range(10, 15)) and set(first.rows) <= set(range(5))
    np.testing.assert_array_equal(first.events["x"], first.columns)
    assert first.image.shape == (16, 16) and first.image[2, 12] > 0 and first.events["p"].all()
    last = drawing.advance([], 2e6)
    wanted = nt.run(listener.network, [drawing.events], engine="event")
    np.testing.assert_array_equal(last.outputs, wanted.predict()[0])
    assert len(last.to_dict()["image"]) == 256


@pytest.mark.parametrize(
    ("points", "until", "message"),
    [
        ([[1e5, 1, 1, 1], [9e4, 1, 1, 1]], 2e5, "in order"),
        ([[3e5, 1, 1, 1]], 2e5, "in order"),
        ([[1e5, 1, 1, -1]], 2e5, "in order"),
        ([[1e5, np.nan, 1, 1]], 2e5, "finite"),
        ([], 1e4, "time goes back from 50000 to 10000"),
    ],
)
def test_no_touch(integrating, points, until, message):
    drawing = Drawing(Skin(nt.events.fitted_parameters(), 2e6), Listener(integrating, "event"))
    drawing.advance([], 5e4)
    with pytest.raises(DataError, match=message):
        drawing.advance(points, until)


def test_no_network_for_it(integrating):
    with pytest.raises(EngineError, match=r"thing: layer 'conv1': its neurons are LIF"):
        Listener(nt.load("eskin-cnn"), "event", "thing")
    with pytest.raises(EngineError, match=r"'nengo-dl' shows samples of a"):
        Listener(integrating, "nengo-dl")
    with pytest.raises(EngineError, match=r"'elsewhere', which is unknown"):
        Listener(integrating, "elsewhere")
    with pytest.raises(DataError, match=r"reads no recordings: choose"):
        Listener(dataclasses.replace(integrating, image=None))
    with pytest.raises(DataError, match=r"recordings of 100 s, here they last 20 s"):
        long = TactileImage(upright=True, normalise="log", duration_us=100_000_000)
        Listener(dataclasses.replace(integrating, image=long))
    x = np.random.default_rng(0).random((9, 10, 10, 1))
    single = nt.convert(nt.ann.build("10x10-4-1o", seed=1), x, nt.IF())
    with pytest.raises(DataError, match=r"1 outputs and"):
        Listener(dataclasses.replace(single, image=TactileImage(upright=True)))
