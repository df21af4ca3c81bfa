"""Training patterns against formulas; output determination against loops."""

import math

import numpy as np
import pytest

from nengo_tactile.errors import DataError
from nengo_tactile.skim.supervision import METHODS, Supervision, determine, training_pattern


@pytest.mark.parametrize("length", [1, 10, 45])
def test_patterns_by_hand(length):
    steps = range(length)
    assert training_pattern("flat", length).tolist() == [1.0] * length
    np.testing.assert_allclose(
        training_pattern("gaussian", length),
        [math.exp(-0.5 * ((k - 10) / 5) ** 2) for k in steps],
    )
    np.testing.assert_allclose(
        training_pattern("exponential", length, tau=3),
        [math.exp(-k / 3) for k in steps],
    )


def test_exponentials_end_near_zero():
    assert training_pattern("exponential", 40)[0] == 1
    assert training_pattern("exponential", 40)[-1] < 0.025


def test_targets_lie_in_the_window():
    supervision = Supervision(training_pattern("gaussian", 21), onset=3)
    assert supervision.first == 315
    targets = supervision.targets(4, 10)
    assert targets.shape == (45, 10)
    for step in range(45):
        for output in range(10):
            inside = output == 4 and 3 <= step < 24
            expected = math.exp(-0.5 * ((step - 13) / 5) ** 2) if inside else 0
            assert targets[step, output] == pytest.approx(expected)


def brute_force(outputs, method, supervision):
    """One sample at a time, one class at a time."""
    chosen = []
    for sample in outputs:
        scores = []
        for output in range(sample.shape[1]):
            values = []
            for k, wanted in enumerate(supervision.pattern):
                value = sample[supervision.onset + k, output]
                values.append(value * wanted if "weighted" in method else value)
            scores.append(max(values) if "max" in method else math.fsum(values))
        chosen.append(scores.index(max(scores)))
    return chosen


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["flat", "gaussian", "exponential"])
def test_determination_by_brute_force(method, kind, rng):
    supervision = Supervision(training_pattern(kind, 12), n_steps=30, window=20, onset=5)
    outputs = rng.normal(size=(200, 20, 6))
    found = determine(outputs, method, supervision)
    assert found.tolist() == brute_force(outputs, method, supervision)
    assert determine(outputs[7], method, supervision) == found[7]
    assert (found != determine(rng.permutation(outputs), method, supervision)).any()


def test_weights_change_nothing_for_a_flat_pattern(rng):
    supervision = Supervision(training_pattern("flat", 10))
    outputs = rng.normal(size=(50, 45, 10))
    for plain in ("max", "area"):
        weighted = determine(outputs, f"weighted-{plain}", supervision)
        assert (determine(outputs, plain, supervision) == weighted).all()


def test_negative_areas_count_as_such():
    supervision = Supervision(np.ones(2), n_steps=4, window=2)
    outputs = np.array([[3.0, 1.0], [-3.0, 1.0]])
    assert determine(outputs, "area", supervision) == 1
    assert determine(outputs, "max", supervision) == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: training_pattern("square", 3), "'square': choose one of flat"),
        (lambda: training_pattern("flat", 0), "of 0 steps"),
        (lambda: training_pattern("gaussian", 3, sigma=0), "sigma is 0 steps"),
        (lambda: Supervision(np.ones(46)), "46 steps from step 0 on does not fit.*45 steps"),
        (lambda: Supervision(np.ones(40), onset=6), "does not fit"),
        (lambda: Supervision(np.ones(4), n_steps=20), "window of 45 steps does not fit.*20"),
        (lambda: Supervision(np.zeros(4)), "not all zero"),
        (lambda: Supervision(np.ones(4)).targets(10, 10), "label 10 is not one of the 10"),
        (lambda: Supervision(np.ones(4)).targets(-1, 10), "label -1"),
        (lambda: Supervision(np.ones(4)).targets(1.5, 10), "label 1.5"),
        (lambda: determine(np.ones((45, 2)), "min", Supervision(np.ones(4))), "'min': choose"),
        (lambda: determine(np.ones((44, 2)), "max", Supervision(np.ones(4))), r"\(44, 2\)"),
        (
            lambda: determine(np.full((45, 2), np.nan), "max", Supervision(np.ones(4))),
            "8 values that are not finite",
        ),
    ],
)
def test_bad_use_is_refused(make, message):
    with pytest.raises(DataError, match=message):
        make()
