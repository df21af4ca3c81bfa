"""Are values normally distributed, and do two sets of them differ in their means?

The tests of Cohen et al. 2016 (SKIM), section 3.2, for accuracies of repeated trials. Each
returns a plain dict, ready for results.json: ``statistic``, ``p`` and ``n``, numbers of Python.
"""

import numpy as np

from nengo_tactile import arguments
from nengo_tactile.errors import DataError

#: Random samples behind a Lilliefors p: it is exact to about 0.5 % at p = 0.5, never below 1e-4.
LILLIEFORS_SAMPLES = 9999
#: Below this many values a mean and an SD that are taken from them leave nothing to test.
FEWEST_FOR_NORMALITY = 4
#: Spread, over the largest value, up to which values count as equal: rounding errors of shares.
_EQUAL = 1e-12
_PAIR = ("first values", "second values")


def _checked(values, name, fewest, varied=True):
    values = np.asarray(values, float)
    if values.ndim != 1 or len(values) < fewest:
        raise DataError(
            f"{name} have shape {values.shape}, wanted (n,) with n of at least {fewest}: run more "
            "trials"
        )
    if not np.isfinite(values).all():
        bad = int(np.flatnonzero(~np.isfinite(values))[0])
        raise DataError(
            f"{name}[{bad}] is {values[bad]}, wanted a finite number: run that trial again or "
            "leave it out"
        )
    if varied and np.ptp(values) <= _EQUAL * np.abs(values).max():
        raise DataError(
            f"all {len(values)} {name} are {values[0]:g}, so their SD is zero and a test has no "
            "meaning: give trials that differ"
        )
    return values


def _outcome(result, n, **more):
    return {"statistic": float(result.statistic), "p": float(result.pvalue), "n": int(n), **more}


def standardised(values, name="values"):
    """Values less their mean, over their sample standard deviation.

    Parameters
    ----------
    values : (n,) array_like of float
        At least two that differ.
    name : str
        What they are, for errors.

    Returns
    -------
    (n,) float array

    Raises
    ------
    DataError
        For too few values, values that are not finite, and equal ones.
    """
    values = _checked(values, name, 2)
    return (values - values.mean()) / values.std(ddof=1)


def kolmogorov_smirnov(values, name="values"):
    """One-sample Kolmogorov-Smirnov test of standardised values against the standard normal.

    As in Cohen et al. 2016, section 3.2. Mean and SD come from the same values, for which the
    p value is not made: it is too large, so the test hardly ever rejects. See `lilliefors`.

    Parameters
    ----------
    values : (n,) array_like of float
        At least `FEWEST_FOR_NORMALITY`.
    name : str
        What they are, for errors.

    Returns
    -------
    dict
        ``statistic`` (largest distance of the cumulative distributions), ``p`` (exact for
        values whose mean and SD are known) and ``n``.

    Raises
    ------
    DataError
        For too few values, values that are not finite, and equal ones.
    """
    from scipy import stats

    values = _checked(values, name, FEWEST_FOR_NORMALITY)
    return _outcome(stats.kstest(standardised(values, name), "norm"), len(values))


def lilliefors(values, seed=0, n_samples=LILLIEFORS_SAMPLES, name="values"):
    """Lilliefors' test that values are normal with any mean and SD (Lilliefors 1967).

    The statistic is the one of `kolmogorov_smirnov`; p is the share of random normal samples,
    standardised by their own mean and SD, whose statistic is at least as large.

    Parameters
    ----------
    values : (n,) array_like of float
        At least `FEWEST_FOR_NORMALITY`.
    seed : int or numpy.random.Generator
    n_samples : int
        Random samples; p is never below ``1 / (n_samples + 1)``.
    name : str
        What they are, for errors.

    Returns
    -------
    dict
        ``statistic``, ``p`` and ``n``.

    Raises
    ------
    DataError
        For too few values, values that are not finite, and equal ones.
    """
    from scipy import stats

    values = _checked(values, name, FEWEST_FOR_NORMALITY)
    arguments.whole("n_samples", n_samples)
    result = stats.goodness_of_fit(
        stats.norm,
        values,
        statistic="ks",
        n_mc_samples=int(n_samples),
        random_state=np.random.default_rng(seed),  # scipy's name for it that 1.13 has as well
    )
    return _outcome(result, len(values))


def t_test(first, second, names=_PAIR):
    """Student's t test of two independent samples of one variance, two-sided.

    Parameters
    ----------
    first : (n,) array_like of float
    second : (m,) array_like of float
        Both with at least two values that differ.
    names : (str, str)
        What they are, for errors.

    Returns
    -------
    dict
        ``statistic``, ``p``, ``n`` (n + m), and ``difference``, mean of the first less mean of
        the second.

    Raises
    ------
    DataError
        For too few values, values that are not finite, and a sample of equal ones.
    """
    from scipy import stats

    first, second = (_checked(v, n, 2) for v, n in zip((first, second), names))
    return _outcome(
        stats.ttest_ind(first, second),
        len(first) + len(second),
        difference=float(first.mean() - second.mean()),
    )


def paired_t_test(first, second, names=_PAIR):
    """Student's paired t test, two-sided: is the mean of the differences zero?

    Parameters
    ----------
    first, second : (n,) array_like of float
        At least two pairs, one for each trial in the same order.
    names : (str, str)
        What they are, for errors.

    Returns
    -------
    dict
        ``statistic``, ``p``, ``n`` (pairs), and ``difference``, mean of first less second.

    Raises
    ------
    DataError
        For different numbers, too few, values that are not finite, and differences that are all
        the same.
    """
    from scipy import stats

    first, second = (_checked(v, n, 2, False) for v, n in zip((first, second), names))
    if len(first) != len(second):
        raise DataError(
            f"there are {len(first)} {names[0]} and {len(second)} {names[1]}: a paired test needs "
            "one of each for every trial"
        )
    differences = first - second
    if np.ptp(differences) <= _EQUAL * max(np.abs(first).max(), np.abs(second).max()):
        raise DataError(
            f"all {len(first)} differences of {names[0]} and {names[1]} are {differences[0]:g}, "
            "so their SD is zero and a test has no meaning: give trials that differ"
        )
    return _outcome(
        stats.ttest_rel(first, second), len(first), difference=float(differences.mean())
    )


def compared(first, second):
    """What a paired t test says of two lists of values, also where there is nothing to test.

    Parameters
    ----------
    first, second : (n,) array_like of float
        One for each trial, in the same order; at least one.

    Returns
    -------
    dict
        ``difference``, mean of first less second; ``p`` (None where there is nothing to test: a
        single trial, or differences that are all the same) and ``equal``, whether all pairs are.

    Raises
    ------
    DataError
        For no values, different numbers of them, and values that are not finite.
    """
    first, second = (_checked(v, n, 1, False) for v, n in zip((first, second), _PAIR))
    if len(first) != len(second):
        raise DataError(
            f"there are {len(first)} {_PAIR[0]} and {len(second)} {_PAIR[1]}: a comparison needs "
            "one of each for every trial"
        )
    found = {"difference": float(np.mean(first - second)), "p": None}
    found["equal"] = bool((first == second).all())
    try:
        found["p"] = paired_t_test(first, second)["p"]
    except DataError:  # why p may be None is said above
        return found
    return found
