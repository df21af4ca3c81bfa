"""Statistical tests against closed forms, published critical values and their own level."""

import numpy as np
import pytest
from scipy import special, stats

from nengo_tactile.analysis import statistical_tests as tests
from nengo_tactile.errors import DataError


def normal_quantiles(n):
    """The most normal n values there are."""
    return special.ndtri((np.arange(n) + 0.5) / n)


def test_standardised_values_have_mean_zero_and_sample_sd_one():
    np.testing.assert_allclose(tests.standardised([1.0, 2.0, 3.0]), [-1, 0, 1])


def test_kolmogorov_smirnov_is_the_largest_distance_from_the_normal(rng):
    values = rng.normal(0.8, 0.01, 51)
    found = tests.kolmogorov_smirnov(values)
    z = np.sort((values - values.mean()) / values.std(ddof=1))
    steps, normal = np.arange(52) / 51, special.ndtr(z)
    distance = max(np.abs(steps[1:] - normal).max(), np.abs(steps[:-1] - normal).max())
    assert found["statistic"] == pytest.approx(distance, rel=1e-12)
    assert found["p"] == pytest.approx(stats.kstwo(51).sf(distance), rel=1e-9)
    assert found["n"] == 51


def test_both_tests_keep_the_most_normal_values():
    """n quantiles differ from the normal's steps by 1/(2n), up to their own SD."""
    values = 5 + 3 * normal_quantiles(51)
    found = tests.kolmogorov_smirnov(values)
    assert found["p"] > 0.999 and found["statistic"] < 0.02
    composite = tests.lilliefors(values)
    assert composite["p"] > 0.99
    assert composite["statistic"] == pytest.approx(found["statistic"], rel=1e-9)


@pytest.mark.parametrize(
    ("n", "critical"),
    # Lilliefors 1967, table 1, 5 %: made with 1,000 samples, so to about 0.005
    [(10, 0.258), (20, 0.190), (30, 0.161), (60, 0.886 / np.sqrt(60))],
)
def test_published_critical_values_of_lilliefors(n, critical, rng):
    """Values with about that statistic have about that p."""
    for seed in range(1000):
        values = np.random.default_rng(seed).gumbel(size=n)
        if abs(tests.kolmogorov_smirnov(values)["statistic"] - critical) < 0.001:
            break
    assert tests.lilliefors(values, rng)["p"] == pytest.approx(0.05, abs=0.015)


def test_the_level_is_kept_for_normal_values(rng):
    """p of normal values is uniform; the Kolmogorov-Smirnov test hardly ever rejects them."""
    samples = rng.normal(size=(300, 20))
    p = [tests.lilliefors(values, rng, n_samples=199)["p"] for values in samples]
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.09
    assert np.mean([tests.kolmogorov_smirnov(v)["p"] < 0.05 for v in samples]) < 0.01


def test_exponential_values_are_not_normal(rng):
    """Power of Lilliefors' test at 5 % with 50 exponential values: about 0.96 (simulated)."""
    samples = rng.exponential(size=(60, 50))
    p = np.array([tests.lilliefors(values, rng, n_samples=199)["p"] for values in samples])
    assert np.mean(p < 0.05) > 0.85


def test_the_seed_decides_the_random_samples(rng):
    values = rng.normal(size=30)
    assert tests.lilliefors(values, 3) == tests.lilliefors(values, 3)
    p = [tests.lilliefors(values, seed)["p"] for seed in range(4)]
    assert np.ptp(p) < 0.03 and len(set(p)) > 1


def test_t_test_in_closed_form():
    """t of (1, 2, 3) and (3, 4, 5, 6): difference -2.5, pooled variance (2 + 5) / 5."""
    found = tests.t_test([1, 2, 3], [3, 4, 5, 6])
    t = -2.5 / np.sqrt(7 / 5 * (1 / 3 + 1 / 4))
    assert found["statistic"] == pytest.approx(t)
    assert found["difference"] == -2.5 and found["n"] == 7
    # the two tails of Student's t with 5 degrees of freedom, by the incomplete beta function
    assert found["p"] == pytest.approx(special.betainc(5 / 2, 1 / 2, 5 / (5 + t**2)))


def test_paired_t_test_in_closed_form(rng):
    """Differences 1, 2, 3, 4: mean 2.5, variance 5/3, so t is 2.5 over the root of 5/12."""
    second = rng.normal(0, 100, 4)
    found = tests.paired_t_test(second + np.arange(1, 5), second)
    t = 2.5 / np.sqrt(5 / 12)
    assert found["statistic"] == pytest.approx(t)
    assert found["difference"] == pytest.approx(2.5) and found["n"] == 4
    assert found["p"] == pytest.approx(special.betainc(3 / 2, 1 / 2, 3 / (3 + t**2)))


def test_a_comparison_is_the_paired_t_test():
    """Differences of 1, 2 and 3 points: t is 2 over 1 / sqrt(3), with 2 degrees of freedom."""
    found = tests.compared([0.71, 0.82, 0.93], [0.70, 0.80, 0.90])
    t = 2 * np.sqrt(3)
    assert found["difference"] == pytest.approx(0.02)
    assert found["p"] == pytest.approx(special.betainc(1, 0.5, 2 / (2 + t**2)))
    assert not found["equal"]
    assert tests.compared([0.5, 0.6], [0.5, 0.6]) == {"difference": 0.0, "p": None, "equal": True}
    assert tests.compared([0.5], [0.4])["p"] is None
    shifted = tests.compared([0.85, 0.81], [0.84, 0.80])
    assert shifted["p"] is None and not shifted["equal"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tests.kolmogorov_smirnov([1, 2, 3]), r"values have shape \(3,\), wanted .* 4"),
        (lambda: tests.lilliefors(np.ones((4, 2))), r"values have shape \(4, 2\)"),
        (lambda: tests.lilliefors([1, 2, np.nan, 4], name="accuracies"), r"accuracies\[2\] is nan"),
        (lambda: tests.kolmogorov_smirnov([0.1 + 0.2] * 3 + [0.3]), "all 4 values are 0.3, so"),
        (lambda: tests.lilliefors([1, 2, 3, 4], n_samples=0), "n_samples is 0"),
        (lambda: tests.standardised([2.0]), r"shape \(1,\)"),
        (lambda: tests.standardised([0, 0]), "all 2 values are 0"),
        (lambda: tests.t_test([1], [1, 2]), "first values have shape"),
        (lambda: tests.t_test([1, 2], [2, 2]), "all 2 second values are 2, so"),
        (lambda: tests.t_test([1, np.inf], [2, 3]), r"first values\[1\] is inf"),
        (lambda: tests.paired_t_test([1, 2], [1, 2, 3]), "2 first values and 3 second values"),
        (lambda: tests.compared([], []), r"first values have shape \(0,\)"),
        (lambda: tests.compared([1], [1, 2]), "1 first values and 2 second values"),
        (lambda: tests.paired_t_test([0.85, 0.81], [0.84, 0.8]), "all 2 differences .* are 0.01"),
    ],
)
def test_what_cannot_be_tested(call, message):
    with pytest.raises(DataError, match=message):
        call()
