import numpy as np
import pytest

from nengo_tactile.errors import DataError
from nengo_tactile.events import fitted_parameters
from nengo_tactile.events.crossing_kernel import at_rest
from nengo_tactile.events.eskin import ESkinParameters, electronics, felt, taxel_mismatch
from nengo_tactile.play.skin import Pen, Replay, Skin

QUIET = ESkinParameters(
    vibration=0.0, delay_us=0.0, noise_rate_hz=0.0, tremor=0.0, repeats_spread=0.0, on_repeats=1.0,
    off_repeats=1.0, force_ramp_s=0.0,
)  # fmt: skip
#: Microseconds, column, row, pressure: down the middle and up again, with a lift between.
STROKE = np.array([
    [50_000, 4.5, 1.0, 1.0], [66_000, 4.5, 2.0, 1.1], [82_000, 4.4, 4.5, 0.9],
    [250_000, 4.0, 8.0, 1.0], [251_000, 4.0, 8.0, 0.0],
    [400_000, 7.0, 7.0, 1.0], [600_000, 2.0, 3.0, 1.0], [610_000, 2.0, 3.0, 0.0],
])  # fmt: skip


def whole(skin, points=STROKE, until=2e6):
    return skin.advance(points, until)


def test_a_pen_moves_in_straight_lines_and_presses_when_told():
    pen = Pen(QUIET, np.random.default_rng(0))
    row, column, force = pen.move(STROKE, 700_000)
    t = np.arange(1401) * 500.0
    down = ((t >= 50_000) & (t < 251_000)) | ((t >= 400_000) & (t < 610_000))
    assert len(t) == len(row) == len(force)
    np.testing.assert_array_equal(force > 0, down)
    for values, k in ((column, 1), (row, 2), (force, 3)):
        wanted = np.interp(t, STROKE[:, 0], STROKE[:, k])
        on_the_way = down & (t < 600_000) & ~((t >= 250_000) & (t < 251_000))
        np.testing.assert_allclose(values[on_the_way], wanted[on_the_way])


def test_force_rises_in_its_time():
    parameters = ESkinParameters(force_ramp_s=0.01, tremor=0.0)
    force = Pen(parameters, np.random.default_rng(0)).move(STROKE[:1], 100_000)[2]
    since = np.arange(201) * 0.5 - 50  # ms from the touch
    np.testing.assert_allclose(force, np.clip((since + 0.5) / 10, 0, 1), atol=1e-12)


def test_events_are_those_of_the_simulator():
    """All steps at once, through the electronics as they are for whole recordings."""
    row, column, force = Pen(QUIET, np.random.default_rng(0)).move(STROKE, 2e6)
    gain, factors = taxel_mismatch(QUIET)
    noise = np.random.default_rng(5).spawn(3)[1]  # the skin's own
    field = felt(QUIET, row, column, force, gain)
    time_s, taxels, rises = electronics(QUIET).messages(
        field, noise, 5e-4, at_rest(np.zeros(100)), factors.ravel()
    )
    order = np.argsort(time_s, kind="stable")
    events = whole(Skin(QUIET, 2e6, seed=5))
    assert len(events) > 50
    np.testing.assert_array_equal(events["t"], (time_s[order] * 1e6).astype(int))
    np.testing.assert_array_equal(events["x"] * 10 + events["y"], taxels[order])
    np.testing.assert_array_equal(
        events["p"], ~rises[order]
    )  # an onset is OFF: see ESkinParameters


@pytest.mark.parametrize("n_pieces", [2, 8])
def test_pieces_give_the_same_events(n_pieces):
    skin, parameters = None, fitted_parameters()
    once = whole(Skin(parameters, 2e6, seed=3))
    skin = Skin(parameters, 2e6, seed=3)
    parts = [skin.advance(each, each[-1, 0]) for each in np.array_split(STROKE, n_pieces)]
    parts += [skin.advance(STROKE[:0], until) for until in (700_123.0, 1e6, 2e6)]
    np.testing.assert_array_equal(np.concatenate(parts), once)
    assert (np.diff(once["t"]) >= 0).all()
    assert set(once["p"]) == {True, False}


def test_what_is_pressed_is_where_the_pen_is():
    events = whole(Skin(QUIET, 2e6), np.array([[0.0, 7.0, 2.0, 1.0], [9e5, 7.0, 2.0, 1.0]]))
    assert set(zip(events["x"], events["y"])) <= {(x, y) for x in (1, 2, 3) for y in (6, 7, 8)}
    assert (2, 7) in set(zip(events["x"], events["y"]))


def test_dead_taxels_send_nothing_and_grow():
    parameters = ESkinParameters(noise_rate_hz=50.0)
    few, many = (Skin(parameters, 2e6, dead=share, seed=1) for share in (0.1, 0.4))
    assert few.dead.sum() == 10
    assert many.dead.sum() == 40
    assert (few.dead <= many.dead).all()
    for skin in (few, many):
        seen = np.zeros((10, 10), bool)
        events = whole(skin)
        seen[events["x"], events["y"]] = True
        np.testing.assert_array_equal(seen, ~skin.dead)
    assert not len(whole(Skin(parameters, 2e6, dead=1.0)))


def test_noise_comes_at_its_rate():
    parameters = ESkinParameters(noise_rate_hz=20.0, on_repeats=1.0, off_repeats=1.0,
                                 repeats_spread=0.0)  # fmt: skip
    n = len(whole(Skin(parameters, 2e6), STROKE[:0]))
    assert abs(n - 4000) < 4 * np.sqrt(4000)  # Poisson


def test_no_share():
    with pytest.raises(DataError, match=r"dead is 1.5: give the share"):
        Skin(QUIET, 2e6, dead=1.5)


def test_replay_shows_each_event_once():
    events = whole(Skin(QUIET, 2e6))
    replay = Replay(events, 1e5)
    parts = [replay.advance(STROKE, until) for until in (60_000, 60_000, 90_000, 2e6)]
    np.testing.assert_array_equal(np.concatenate(parts), events[events["t"] < 100_000])
    assert not len(parts[1])
