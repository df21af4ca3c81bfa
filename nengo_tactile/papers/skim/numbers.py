"""All numbers of the SKIM reproduction, beside the paper's, from the states that its runs keep."""

from nengo_tactile.analysis.accuracy import mean_and_sd
from nengo_tactile.commands.tasks import TASKS
from nengo_tactile.errors import DataError
from nengo_tactile.papers.skim import online
from nengo_tactile.papers.skim import published as paper
from nengo_tactile.papers.skim.plan import PARTS
from nengo_tactile.papers.skim.statistics import (
    TITLES,
    accuracies,
    recommendation,
    statistics,
)
from nengo_tactile.skim.supervision import METHODS, PATTERNS

#: What a network was tested on -> how tables call it; "simulated" is called by the data's name.
TESTED_ON = {
    "recordings": "N-MNIST, recordings of training digits",
    "recorded test": "N-MNIST, recordings of test digits",
}


def summarise(plan, states):
    """All numbers; see `numbers`.

    Parameters
    ----------
    plan : SkimPlan
    states : dict of str to dict or None
        What the cells keep.
    """
    by_part = {part: [] for part in PARTS}
    for state in states.values():
        if state is not None:
            by_part[state["part"]].append(state)
    trials = by_part["trials"]
    about = {
        state["digits"] for part in ("growth", "trials", "crossing") for state in by_part[part]
    }
    parts = {
        "growth": by_part["growth"],
        "trials": {**trials[0], "trials": trials} if trials else None,
        "crossing": by_part["crossing"][0] if by_part["crossing"] else None,
        "tactile": {"rows": by_part["tactile"]},
        "online": by_part["online"],
    }
    return numbers(plan.seed, next(iter(about), "tactile digits"), plan.kernels, parts)


def line(plan, key, state):
    """A hidden size's result, for the terminal; nothing of the rest."""
    if state["part"] != "growth":
        return None
    last = of_kind(state, "simulated")[-1]
    return (
        f"{state['n_hidden']:,} hidden neurons: {last['hits'] / last['n_test']:.4f} of "
        f"{last['n_test']:,} test digits after {last['n_train']:,} training digits"
    )


def numbers(seed, data, kernels, states):
    """All numbers, as in results.json.

    Parameters
    ----------
    seed : int
        Also of the Lilliefors tests' random samples.
    data : str
        What the networks are trained on, in a few words. Rows and points whose ``data`` is
        "simulated" are called so; the report explains the simulation if the word is in it.
    kernels : str
        Of `plan.LAYERS`.
    states : dict
        ``growth`` (a list), ``trials`` (with the list ``trials``), ``crossing``, ``tactile``
        (with the list ``rows``), ``online`` (a list): what the cells keep. Any may be missing, None
        or partial.

    Returns
    -------
    dict
        ``engine``, ``data``, ``kernels``, ``rows`` (see `all_rows`), ``growth`` (see
        `growth_curve`), ``trials`` (see `statistics.accuracies`), ``statistics``,
        ``recommendation`` (Table 4), ``crossing`` and ``tactile`` (rows of theirs, with
        accuracies; ``n_test`` and ``hits`` of the former for one network), ``online`` (see
        `online.numbers`).

    Raises
    ------
    DataError
        For more right answers than test samples, and for unknown data.
    """
    growth = sorted(states.get("growth") or [], key=lambda each: each["n_hidden"])
    trials = accuracies(states.get("trials"))
    crossing, tactile = states.get("crossing") or {}, states.get("tactile") or {}
    felt = [
        {key: value for key, value in row.items() if key != "part"}
        for row in tactile.get("rows", [])
    ]
    return {
        "engine": "batch trainer",
        "data": data,
        "kernels": kernels,
        "rows": all_rows(data, growth, trials, crossing, felt),
        "growth": [growth_curve(each) for each in growth if each["points"]],
        "trials": trials,
        "statistics": statistics(trials, seed),
        "recommendation": recommendation(trials),
        "crossing": [
            {**row, "accuracy": share(row, "crossing")} for row in _crossing_rows(crossing)
        ],
        "tactile": [
            {**row, "accuracy": share(row, row["about"]), "chance": 1 / row["n_classes"]}
            for row in felt
        ],
        "online": online.numbers(states.get("online") or [], share),
    }


def share(counts, name):
    """Share of right answers, from ``hits`` and ``n_test``.

    Raises
    ------
    DataError
        Without test samples, and for more right answers than there are.
    """
    hits, n = counts["hits"], counts["n_test"]
    if n < 1 or not 0 <= hits <= n:
        raise DataError(f"{name}: {hits} right answers of {n} test samples: run it again")
    return hits / n


def all_rows(data, growth, trials, crossing, tactile):
    """Rows of Tables 1 to 3 and of our own.

    Parameters
    ----------
    data : str
    growth : list of dict
        By hidden neurons.
    trials : dict or None
        Of `statistics.accuracies`.
    crossing : dict
        May be empty.
    tactile : list of dict

    Returns
    -------
    list of dict
        As in the results.json of other reproductions (``name``, ``paper``, ``paper_sd``,
        ``ours_mean``, ``ours_sd``, ``n_splits``, ``n_test``, ``data``), and ``table``
        ("table1", "table2", "recordings", "table3", "crossing" or "tactile"), ``n_hidden``,
        ``n_train``, ``pattern`` and ``method`` (None where it is not known).
    """
    rows = []
    for each in growth:
        rows += _growth_rows(data, each)
    if trials:
        rows += [_trial_row(data, trials, p, m) for p in PATTERNS for m in METHODS]
    for row in _crossing_rows(crossing):
        name = f"trained on {row['train']}, tested on {row['test']}"
        rows.append(_row("crossing", name, row, row["test"], n_splits=row["n_networks"]))
    for row in tactile:
        rows.append(_row("tactile", row["about"], row, TASKS[row["data"]].about))
    return rows


def _crossing_rows(crossing):
    """With hidden neurons and networks, and test samples and hits for one network on average."""
    n = crossing.get("n_networks", 1)
    return [
        {
            **row,
            "n_hidden": crossing["n_hidden"],
            "n_networks": n,
            "n_test": row["n_test"] // n,
            "hits": row["hits"] / n,
        }
        for row in crossing.get("rows", [])
    ]


def _row(table, name, counts, data, **more):
    return {
        "table": table,
        "name": name,
        "paper": None,
        "paper_sd": None,
        "ours_mean": share(counts, name),
        "ours_sd": None,
        "n_splits": 1,
        "n_test": counts["n_test"],
        "data": data,
        "n_hidden": counts["n_hidden"],
        "n_train": counts["n_train"],
        "pattern": None,
        "method": None,
        **more,
    }


def _growth_rows(data, growth):
    """Rows at 10,000 samples and at the end, and on recordings."""
    n_hidden, rows = growth["n_hidden"], []
    points = of_kind(growth, "simulated")
    table = "table2" if n_hidden >= paper.TABLE_2_HIDDEN else "table1"
    best = {point["n_train"]: point for point in points}  # with the most test digits
    wanted = {paper.CURVE_SAMPLES, *(p["n_train"] for p in points[-1:])}
    chosen = [(table, data, best[n]) for n in sorted(wanted & set(best))]
    chosen += [
        ("recordings", TESTED_ON[kind], point)
        for kind in TESTED_ON
        for point in of_kind(growth, kind)[-1:]
    ]
    for table, source, point in chosen:
        found = paper.ACCURACY.get((n_hidden, point["n_train"])) if table != "recordings" else None
        rows.append(
            _row(
                table,
                f"{n_hidden:,} hidden neurons, {point['n_train']:,} training samples",
                {**point, "n_hidden": n_hidden},
                source,
                paper=found,
                pattern=growth["pattern"],
                method=growth["method"],
            )
        )
    return rows


def of_kind(growth, kind):
    """Points of one kind of test data, by training samples, then by test samples."""
    known = ("simulated", *TESTED_ON)
    for point in growth["points"]:
        if point["data"] not in known:
            raise DataError(
                f"{growth['n_hidden']} hidden neurons: test data {point['data']!r} are unknown: "
                f"give one of {', '.join(known)}"
            )
    points = [point for point in growth["points"] if point["data"] == kind]
    return sorted(points, key=lambda point: (point["n_train"], point["n_test"]))


def _trial_row(data, trials, pattern, method):
    summary = mean_and_sd(trials["accuracy"][pattern][method])
    ours = {"ours_mean": summary.mean, "ours_sd": summary.sd, "n_splits": summary.n_splits}
    of = {"pattern": pattern, "method": method}
    name = f"{pattern} pattern, {TITLES[method]}"
    return _row("table3", name, {**trials, "hits": 0}, data, **ours, **of)


def growth_curve(growth):
    """What Figure 4 shows of one hidden size, and what it cost.

    Parameters
    ----------
    growth : dict
        With at least one point.

    Returns
    -------
    dict
        ``n_hidden``, ``pattern``, ``method``; ``n_train``, ``accuracy`` and ``n_test``, lists up
        to 10,000 training samples; ``final``, ``recordings`` and ``recorded_test``, each
        ``n_train``, ``accuracy`` and ``n_test`` or None (``final`` is the last one after 10,000
        samples); ``seconds``, ``samples_per_second`` (trained) and ``peak_bytes``.
    """
    points = of_kind(growth, "simulated")
    curve = [point for point in points if point["n_train"] <= paper.CURVE_SAMPLES]
    final = points[-1] if len(points) > len(curve) else None
    recorded = {kind: of_kind(growth, kind)[-1:] for kind in TESTED_ON}
    seconds = growth.get("seconds") or {}
    trained = max(point["n_train"] for point in growth["points"])
    return {
        **{key: growth[key] for key in ("n_hidden", "pattern", "method")},
        "n_train": [point["n_train"] for point in curve],
        "accuracy": [share(point, "growth") for point in curve],
        "n_test": [point["n_test"] for point in curve],
        "final": _short(final),
        "recordings": _short(*recorded["recordings"]),
        "recorded_test": _short(*recorded["recorded test"]),
        "seconds": seconds,
        "samples_per_second": trained / seconds["training"] if seconds.get("training") else None,
        "peak_bytes": growth.get("peak_bytes"),
    }


def _short(point=None):
    if point is None:
        return None
    found = {key: point[key] for key in ("n_train", "n_test")}
    return {**found, "accuracy": share(point, "growth")}
