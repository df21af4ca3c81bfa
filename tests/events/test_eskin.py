"""The e-skin against closed forms and a brute-force loop."""

import dataclasses

import numpy as np
import pytest

from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import check_events
from nengo_tactile.events.crossing_kernel import at_rest, crossings
from nengo_tactile.events.eskin import (
    SENSOR_SIZE,
    WINDOW_US,
    ESkinParameters,
    Hand,
    _ramp,
    place,
    simulate,
    taxel_mismatch,
)
from nengo_tactile.events.eskin_kernel import pressures
from nengo_tactile.events.trajectories import Trajectory, from_recorded_points
from nengo_tactile.lazy import compiled

ONES = np.ones((10, 10))
STILL = Hand(1.0, 1.0, (0.0, 0.0))


def run(row, column, force, *, step_s=1e-4, sigma=0.3, peak=1.0, activation=1e-9, floor=1.0,
        linear=True, vibration=0.0, gain=ONES, threshold=0.1, refractory_s=0.0, delay_s=0.0,
        plain=False, seed=0):  # fmt: skip
    shape = np.shape(force)
    ready = (lambda function: function) if plain else compiled
    field = ready(pressures)(
        np.broadcast_to(row, shape) * 1.0, np.broadcast_to(column, shape) * 1.0,
        np.asarray(force, float), sigma, peak, activation, gain,
    )  # fmt: skip
    time_s, taxel, rises = ready(crossings)(
        np.random.default_rng(seed), field, at_rest(np.zeros(100)), step_s, activation, floor,
        not linear, vibration, 0.0, np.full(100, float(threshold)), 0.0, refractory_s, delay_s,
        False,
    )  # fmt: skip
    return time_s, taxel // 10, taxel % 10, rises


def at(messages, i, j):
    time_s, rows, columns, rises = messages
    here = (rows == i) & (columns == j)
    return time_s[here], rises[here]


def test_linear_ramp_sends_a_message_each_threshold():
    force = np.linspace(0, 1.05, 5001)[1:]  # signal rises to 1.05 under the pen: 10 thresholds
    time_s, rises = at(run(4, 4, force), 4, 4)
    assert len(time_s) == 10
    assert rises.all()
    # the k-th crossing of a ramp lies at k * threshold / slope, later by the steps' overshoot
    wanted = np.arange(1, 11) * 0.1 / 1.05 * 0.5
    np.testing.assert_allclose(time_s, wanted, atol=12e-4)
    # a neighbour feels exp(-1 / (2 sigma^2)) of it: nothing; with a wide field, its share
    assert len(at(run(4, 4, force), 5, 4)[0]) == 0
    share = np.exp(-0.5 / 0.8**2)
    assert len(at(run(4, 4, force, sigma=0.8), 5, 4)[0]) == int(1.05 * share / 0.1)


def test_log_ramp_sends_a_message_each_relative_change():
    force = np.geomspace(1e-3, 100.5, 60_001)
    time_s, rises = at(run(2, 7, force, linear=False, threshold=0.5), 2, 7)
    assert rises.all()
    start = np.log1p(1e-3)
    assert len(time_s) == int((np.log1p(100.5) - start) / 0.5)


def test_fall_undoes_rise():
    force = np.r_[np.linspace(0.001, 1.05, 3000), np.linspace(1.05, 0.001, 3000)]
    _, rises = at(run(4, 4, force), 4, 4)
    assert rises.sum() == 10
    assert (~rises).sum() == pytest.approx(10, abs=1)
    assert rises[:10].all()
    assert not rises[10:].any()


def test_static_force_is_not_felt():
    time_s, rises = at(run(4, 4, np.full(5000, 1.0)), 4, 4)
    assert rises.tolist() == [True]  # the onset only
    assert time_s[0] <= 1e-4


def test_lifting_the_pen_is_felt_once():
    force = np.r_[np.full(100, 1.0), np.zeros(100)]
    time_s, rises = at(run(4, 4, force), 4, 4)
    assert rises.tolist() == [True, False]
    assert time_s[1] == pytest.approx(100e-4, abs=1.1e-4)


def test_refractory_time_is_kept(rng):
    force = 1 + rng.random(20_000)
    messages = run(4.3, 4.6, force, refractory_s=3.272e-3, vibration=0.2, delay_s=6e-6)
    time_s, rows, columns, _ = messages
    for taxel in range(100):
        own = np.sort(time_s[rows * 10 + columns == taxel])
        assert (np.diff(own) >= 3.272e-3 - 1e-12).all()
    assert len(time_s) > 500


def test_activation_silences_weak_contact():
    force = np.linspace(0, 1, 1000)[1:]
    time_s, _ = at(run(4, 4, force, activation=0.65), 4, 4)
    assert time_s[0] == pytest.approx(0.65 * 0.1, abs=3e-4)
    assert len(time_s) == 4  # the jump to 0.65, then 0.75, 0.85, 0.95


def test_gain_scales_what_a_taxel_feels():
    gain = ONES.copy()
    gain[4, 4] = 0.5
    assert len(at(run(4, 4, np.linspace(0, 1.05, 5001)[1:], gain=gain), 4, 4)[0]) == 5


def brute_force(row, column, force, step_s, sigma, activation, threshold, refractory_s):
    """The rules again, taxel by taxel, without noise and without times within a step."""
    messages = []
    for i in range(10):
        for j in range(10):
            reported, free_at = 0.0, -1.0
            for k in range(len(force)):
                distance2 = (row[k] - i) ** 2 + (column[k] - j) ** 2
                pressure = force[k] * np.exp(-distance2 / (2 * sigma**2))
                signal = np.log(1 + pressure / 0.1) if pressure >= activation else 0.0
                if k * step_s < free_at:
                    continue
                if abs(signal - reported) > threshold:
                    messages.append((k, i, j, signal > reported))
                    reported, free_at = signal, k * step_s + refractory_s
                elif signal == 0:
                    reported = 0.0
    return sorted(messages)


def test_moving_pen_matches_a_brute_force_loop(rng):
    n_steps, step_s = 300, 1e-3
    row = 4 + 3 * np.sin(np.linspace(0, 5, n_steps))
    column = np.linspace(1, 8, n_steps)
    force = 1 + 0.3 * rng.random(n_steps)
    force[100:130] = 0
    wanted = brute_force(row, column, force, step_s, 0.6, 0.02, 0.3, 0.0)
    # sent within the step before: ceil gives the step
    time_s, rows, columns, rises = run(
        row, column, force, step_s=step_s, sigma=0.6, activation=0.02, floor=0.1, linear=False,
        threshold=0.3,
    )  # fmt: skip
    steps = np.ceil(np.round(time_s / step_s, 9)).astype(int)
    ours = sorted(zip(steps.tolist(), rows.tolist(), columns.tolist(), rises.tolist()))
    assert ours == [(k, i, j, bool(up)) for k, i, j, up in wanted]
    assert len(ours) > 100


def test_compiled_kernel_is_the_plain_function(rng):
    force = 1 + rng.random(400)
    row, column = 4 + rng.random(400), 5 + rng.random(400)
    settings = {"vibration": 0.3, "refractory_s": 1e-3, "delay_s": 1e-5, "linear": False}
    fast = run(row, column, force, **settings)
    plain = run(row, column, force, plain=True, **settings)
    for a, b in zip(fast, plain):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_more_messages_than_room_are_kept():
    force = np.tile([0.2, 1.0], 4000)
    assert len(at(run(4, 4, force), 4, 4)[0]) == 8000


def a_digit(n=40):
    angle = np.linspace(0, 2 * np.pi, n)
    xy = 250 + 100 * np.stack([np.cos(angle), 1.3 * np.sin(angle)], 1)
    return from_recorded_points(xy, np.zeros(n, int), 0.02, 0.1)


def test_events_are_well_formed_and_seeded():
    parameters = ESkinParameters()
    first, again, other = (
        simulate(a_digit(), 0, parameters, STILL, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    check_events(first, SENSOR_SIZE)
    assert first["t"][-1] < WINDOW_US
    assert len(first) > 500
    np.testing.assert_array_equal(first, again)
    assert len(other) != len(first) or (other != first).any()


def test_digit_runs_down_x_and_right_along_y():
    quiet = ESkinParameters(noise_rate_hz=0, height_sd=0, centre_mm=(0, 0),
                            centre_sample_sd_mm=0, height_mm=8)  # fmt: skip
    t_s = np.linspace(0, 0.5, 30)
    # an L: down the left side, then right along the bottom
    x = np.r_[np.zeros(15), np.linspace(0, 1, 15)]
    y = np.r_[np.linspace(1, 0, 15), np.zeros(15)]
    trajectory = Trajectory(t_s, x, y, np.ones(30), np.zeros(30, int))
    events = simulate(trajectory, 1, quiet, STILL, np.random.default_rng(0))
    image = np.zeros((10, 10))
    np.add.at(image, (events["x"], events["y"]), 1)
    assert image[8:].sum() > 0.4 * image.sum()  # rows (x): the bottom is full
    assert image[:7, :2].sum() > 0.8 * image[:7].sum()  # columns (y): the upper part is left
    early = events[events["t"] < np.quantile(events["t"], 0.2)]
    assert early["x"].mean() < events["x"].mean()


def test_onset_polarity_flips_the_sign_only():
    quiet = ESkinParameters(noise_rate_hz=0, on_repeats=1, off_repeats=1, repeats_spread=0)
    flipped = dataclasses.replace(quiet, onset_polarity=1)
    a, b = (simulate(a_digit(), 0, p, STILL, np.random.default_rng(5)) for p in (quiet, flipped))
    np.testing.assert_array_equal(a["t"], b["t"])
    np.testing.assert_array_equal(a["p"], ~b["p"])
    assert not a["p"][0]  # the recording starts with OFF


def test_repeats_have_their_mean():
    one = ESkinParameters(on_repeats=1, off_repeats=1, repeats_spread=0, noise_rate_hz=0)
    many = dataclasses.replace(one, on_repeats=4.46, off_repeats=2.5)
    single, repeated = (
        [simulate(a_digit(), 0, p, STILL, np.random.default_rng(s)) for s in range(20)]
        for p in (one, many)
    )
    for polarity, mean in ((True, 4.46), (False, 2.5)):
        before = sum(np.count_nonzero(e["p"] == polarity) for e in single)
        after = sum(np.count_nonzero(e["p"] == polarity) for e in repeated)
        # each is floor or floor + 1: SD at most 0.5
        assert after / before == pytest.approx(mean, abs=5 * 0.5 / np.sqrt(before) + 0.01)


def test_strays_are_poisson():
    silent = ESkinParameters(noise_rate_hz=0.05, force_n=1e-9, on_repeats=1, off_repeats=1,
                             repeats_spread=0)  # fmt: skip
    rng = np.random.default_rng(0)
    counts = [len(simulate(a_digit(), 0, silent, STILL, rng)) for _ in range(400)]
    assert np.mean(counts) == pytest.approx(10, abs=5 * np.sqrt(10 / 400))
    assert np.var(counts) == pytest.approx(10, rel=0.4)


def test_digit_stays_on_the_array():
    wild = ESkinParameters(height_mm=15, centre_sample_sd_mm=5, aspect=3)
    for seed in range(20):
        placed = place(a_digit(), wild, STILL, np.random.default_rng(seed))
        for values in (placed.x, placed.y):
            assert values.min() >= -0.25 - 1e-9
            assert values.max() <= 9.25 + 1e-9


def test_size_and_place_follow_the_parameters():
    plain = ESkinParameters(height_mm=6, height_sd=0, aspect_power=1, centre_mm=(1, -1.5),
                            centre_sample_sd_mm=0)  # fmt: skip
    placed = place(a_digit(), plain, STILL, np.random.default_rng(0))
    assert np.ptp(placed.y) == pytest.approx(6)
    # wide as high over 1.3, measured on the drawn points
    drawn = a_digit()
    assert np.ptp(placed.x) == pytest.approx(6 * np.ptp(drawn.x) / np.ptp(drawn.y))
    assert (placed.y.max() + placed.y.min()) / 2 == pytest.approx(4.5 + 1)
    assert (placed.x.max() + placed.x.min()) / 2 == pytest.approx(4.5 - 1.5)
    assert placed.y[drawn.y.argmax()] == placed.y.min()  # y turns downwards


def test_slow_writers_hurry_to_stay_in_the_window():
    slow = ESkinParameters(pace=(50.0,) * 10, noise_rate_hz=0)
    events = simulate(a_digit(), 0, slow, STILL, np.random.default_rng(0))
    assert 1.8e6 < np.ptp(events["t"]) < WINDOW_US


def test_pace_stretches_time_and_can_be_switched_off():
    parameters = ESkinParameters(pace=(2.0,) + (1.0,) * 9, noise_rate_hz=0, pace_sample_sd=0)
    digits = [simulate(a_digit(), k, parameters, STILL, np.random.default_rng(1)) for k in (0, 1)]
    spans = [np.ptp(events["t"]) for events in digits]
    assert spans[0] / spans[1] == pytest.approx(2, rel=0.05)
    same = parameters.without_pace()
    a, b = (simulate(a_digit(), k, same, STILL, np.random.default_rng(1)) for k in (0, 1))
    np.testing.assert_array_equal(a, b)


def test_ramp_counts_steps_to_the_nearest_lift():
    down = np.array([0, 1, 1, 1, 1, 1, 0, 0, 1, 1], bool)
    expected = [0, 0.5, 1, 1, 1, 0.5, 0, 0, 0.5, 0.5]  # the end is a lift
    np.testing.assert_allclose(_ramp(down, 1e-3, 2e-3), expected)
    np.testing.assert_array_equal(_ramp(down, 1e-3, 0.0), down)


def test_mismatch_belongs_to_the_device():
    parameters = ESkinParameters()
    gain, threshold = taxel_mismatch(parameters)
    np.testing.assert_array_equal(gain, taxel_mismatch(parameters)[0])
    assert (gain != taxel_mismatch(dataclasses.replace(parameters, device_seed=1))[0]).all()
    assert np.log(gain).std() == pytest.approx(parameters.gain_mismatch, rel=0.3)
    assert np.log(threshold).std() == pytest.approx(parameters.threshold_mismatch, rel=0.3)


def test_hands_have_the_parameters_spread(rng):
    parameters = ESkinParameters()
    hands = [Hand.draw(rng, parameters) for _ in range(2000)]
    for name in ("force", "pace"):
        values = np.log([getattr(hand, name) for hand in hands])
        assert values.std() == pytest.approx(getattr(parameters, f"{name}_writer_sd"), rel=0.1)


def test_parameters_survive_json():
    import json

    parameters = ESkinParameters(pace=tuple(range(1, 11)), response="linear")
    text = json.dumps(parameters.to_dict())
    assert ESkinParameters.from_dict(json.loads(text)) == parameters
    with pytest.raises(DataError, match=r"unknown parameters \['colour'\]"):
        ESkinParameters.from_dict({"colour": 1})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"response": "cubic"}, "response is 'cubic'"),
        ({"onset_polarity": 0}, "onset_polarity is 0"),
        ({"pace": (1.0,) * 9}, "pace is .* give 10 finite values"),
        ({"centre_mm": (0.0, float("nan"))}, "centre_mm is .* give 2 finite"),
        ({"slowing": 1.0}, "slowing is 1.0"),
        ({"pace": (0.0,) + (1.0,) * 9}, "pace is .* over 0"),
        ({"threshold": 0.0}, "threshold is 0.0; give over 0"),
        ({"vibration": -1.0}, "vibration is -1.0; give at least 0"),
        ({"force_n": float("nan")}, "force_n is nan"),
    ],
)
def test_bad_parameters_are_named(values, message):
    with pytest.raises(DataError, match=message):
        ESkinParameters(**values)
