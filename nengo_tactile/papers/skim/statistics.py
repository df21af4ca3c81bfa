"""What repeated trials say: accuracies by training pattern and method, tests, recommendation."""

import itertools

import numpy as np

from nengo_tactile.analysis.accuracy import mean_and_sd
from nengo_tactile.analysis.statistical_tests import compared, kolmogorov_smirnov, lilliefors
from nengo_tactile.errors import DataError
from nengo_tactile.experiments.tables import p_value, points
from nengo_tactile.papers.skim import published as paper
from nengo_tactile.skim.supervision import METHODS, PATTERNS

#: Method -> how tables call it.
TITLES = {
    "max": "Max",
    "area": "Area",
    "weighted-max": "Weighted Max",
    "weighted-area": "Weighted Area",
}


def accuracies(state):
    """Accuracies of the trials that are complete.

    Parameters
    ----------
    state : dict or None
        ``n_hidden``, ``n_train``, ``n_test``, ``length`` (steps of the training pattern) and
        ``trials``: ``seed`` and ``hits`` (right answers by pattern and method).

    Returns
    -------
    dict or None
        ``n_hidden``, ``n_train``, ``n_test``, ``length``, ``seeds`` and ``accuracy``, {pattern:
        {method: accuracy of each trial}}; None without a complete trial.

    Raises
    ------
    DataError
        For hits that are more than test samples, and seeds that occur twice.
    """
    trials = [t for t in (state or {}).get("trials", []) if _complete(t["hits"])]
    if not trials:
        return None
    seeds, n = [trial["seed"] for trial in trials], state["n_test"]
    if len(set(seeds)) < len(seeds):
        twice = next(seed for seed in seeds if seeds.count(seed) > 1)
        raise DataError(f"trials: seed {twice} occurs twice: leave one of them out")
    most = max(hits for trial in trials for pattern in PATTERNS
               for hits in trial["hits"][pattern].values())  # fmt: skip
    if most > n:
        raise DataError(f"trials: {most} right answers of {n} test samples: run them again")
    return {
        **{key: state[key] for key in ("n_hidden", "n_train", "n_test", "length")},
        "seeds": seeds,
        "accuracy": {
            pattern: {
                method: [trial["hits"][pattern][method] / n for trial in trials]
                for method in METHODS
            }
            for pattern in PATTERNS
        },
    }


def _complete(hits):
    return all(method in hits.get(pattern, {}) for pattern in PATTERNS for method in METHODS)


def statistics(trials, seed=0):
    """All tests on the trials.

    Parameters
    ----------
    trials : dict or None
        Of `accuracies`.
    seed : int
        Of the Lilliefors tests' random samples.

    Returns
    -------
    dict
        ``n_trials``; ``normality`` (one dict for each pattern, Area: ``ks``, ``lilliefors`` of
        `statistical_tests` or None for too few or equal accuracies, ``paper_ks``,
        ``paper_lilliefors_above``); ``methods`` and ``patterns`` (`compared` for all pairs of
        methods with a pattern, and of patterns with a method); ``claims`` (see `claims`).
        Empty without trials.
    """
    if trials is None:
        return {}
    accuracy = trials["accuracy"]
    return {
        "n_trials": len(trials["seeds"]),
        "normality": [_normality(p, accuracy[p]["area"], seed) for p in PATTERNS],
        "methods": [
            {"pattern": pattern, "first": a, "second": b}
            | compared(accuracy[pattern][a], accuracy[pattern][b])
            for pattern in PATTERNS
            for a, b in itertools.combinations(METHODS, 2)
        ],
        "patterns": [
            {"method": method, "first": a, "second": b}
            | compared(accuracy[a][method], accuracy[b][method])
            for method in METHODS
            for a, b in itertools.combinations(PATTERNS, 2)
        ],
        "claims": claims(accuracy),
    }


def _normality(pattern, values, seed):
    found = {
        "pattern": pattern,
        "method": "area",
        "ks": None,
        "lilliefors": None,
        "paper_ks": paper.KS_P.get(pattern),
        "paper_lilliefors_above": paper.LILLIEFORS_ABOVE if pattern in paper.KS_P else None,
    }
    try:
        found["ks"] = kolmogorov_smirnov(values)
        found["lilliefors"] = lilliefors(values, seed)
    except DataError:  # too few trials yet, or all alike
        return found
    return found


def claims(accuracy):
    """What sections 3.3 and 3.4 say of patterns and methods, beside our trials.

    Parameters
    ----------
    accuracy : dict
        {pattern: {method: accuracy of each trial}}.

    Returns
    -------
    list of dict
        ``claim``, ``section``, ``ours`` (in words) and ``holds`` (None where the trials do not
        suffice for a test).
    """
    mean = {p: {m: float(np.mean(accuracy[p][m])) for m in METHODS} for p in PATTERNS}
    best = {m: max(PATTERNS, key=lambda p: mean[p][m]) for m in METHODS}
    worst = {m: min(PATTERNS, key=lambda p: mean[p][m]) for m in METHODS}
    others = [m for m in METHODS if m != "area"]
    area = [compared(accuracy["gaussian"]["area"], accuracy["gaussian"][m]) for m in others]
    gains = [compared(accuracy[p]["max"], accuracy["gaussian"]["max"])
             for p in ("flat", "exponential")]  # fmt: skip
    same = [compared(accuracy[a]["area"], accuracy[b]["area"])
            for a, b in itertools.combinations(PATTERNS, 2)]  # fmt: skip
    return [
        {
            "claim": f"Gaussian pattern: Area is the best method (p < {paper.BEST_P})",
            "section": "3.3",
            "ours": "Area less " + _listed(TITLES[m] for m in others) + ": " + _points(area),
            "holds": _all_above(area),
        },
        {
            "claim": "Flat is the best pattern with each method but Max",
            "section": "3.4",
            "ours": _by_method(best),
            "holds": all((best[method] == "flat") == (method != "max") for method in METHODS),
        },
        {
            "claim": "Gaussian is the worst pattern with each method",
            "section": "3.4",
            "ours": _by_method(worst),
            "holds": set(worst.values()) == {"gaussian"},
        },
        {
            "claim": f"Area does not differ between patterns (p = {paper.AREA_PATTERNS_P})",
            "section": "3.4",
            "ours": "Flat less Gaussian, Flat less Exponential, Gaussian less Exponential: "
            + _points(same),
            "holds": None
            if any(each["p"] is None and not each["equal"] for each in same)
            else all(each["equal"] or each["p"] >= paper.SIGNIFICANT for each in same),
        },
        {
            "claim": f"Max is better with another pattern than Gaussian (p < {paper.BEST_P})",
            "section": "3.4",
            "ours": "Flat and Exponential less Gaussian: " + _points(gains),
            "holds": _all_above(gains),
        },
    ]


def _all_above(found):
    if any(each["p"] is None and not each["equal"] for each in found):
        return None
    return all(
        not each["equal"] and each["difference"] > 0 and each["p"] < paper.BEST_P for each in found
    )


def _points(found):
    """Differences in points with their p values, in words."""
    texts = []
    for each in found:
        p = "no test" if each["p"] is None else f"p {p_value(each['p'])}"
        p = "all equal" if each["equal"] else p
        texts.append(f"{points(100 * each['difference'])} points ({p})")
    return _listed(texts)


def _listed(texts):
    texts = list(texts)
    return ", ".join(texts[:-1]) + " and " + texts[-1]


def _by_method(chosen):
    return ", ".join(
        f"{TITLES[method]}: {pattern.capitalize()}" for method, pattern in chosen.items()
    )


def recommendation(trials):
    """The best method for each training pattern (Table 4), by our trials.

    Parameters
    ----------
    trials : dict or None
        Of `accuracies`.

    Returns
    -------
    list of dict
        ``pattern``, ``paper`` (method or None), ``method`` (highest mean; the first in the order
        of `METHODS`, simple ones first, among equals), ``accuracy``, ``sd``, ``against`` (the
        other methods: ``method`` and `compared`), ``equal`` (methods with the same accuracy in
        every trial) and ``undecided`` (methods that are not significantly worse at 5 %).
    """
    if trials is None:
        return []
    rows = []
    for pattern in PATTERNS:
        found = trials["accuracy"][pattern]
        best = max(METHODS, key=lambda method: np.mean(found[method]))
        against = [{"method": m} | compared(found[best], found[m]) for m in METHODS if m != best]
        summary = mean_and_sd(found[best])
        rows.append(
            {
                "pattern": pattern,
                "paper": paper.RECOMMENDED.get(pattern),
                "method": best,
                "accuracy": summary.mean,
                "sd": summary.sd,
                "against": against,
                "equal": [each["method"] for each in against if each["equal"]],
                "undecided": [
                    each["method"]
                    for each in against
                    if not each["equal"] and (each["p"] is None or each["p"] >= paper.SIGNIFICANT)
                ],
            }
        )
    return rows
