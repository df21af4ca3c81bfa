"""Tables and pictures of the SKIM reproduction."""

import functools

from nengo_tactile.analysis import plots_skim
from nengo_tactile.analysis.accuracy import standard_error
from nengo_tactile.experiments.tables import (
    Figure,
    Table,
    form,
    p_value,
    percent,
    points,
    spread,
    whole,
)
from nengo_tactile.papers.skim import published as paper
from nengo_tactile.papers.skim.plan import GAUSSIAN_LENGTH, LAYERS
from nengo_tactile.papers.skim.statistics import TITLES
from nengo_tactile.report import KeyNumber, Note
from nengo_tactile.skim.supervision import METHODS, PATTERNS

seconds = form(",.1f")
#: Ways of learning while it runs, behind what they are held to.
WAYS = ("closed form", "OPIUM", "PES")
HOLDS = {True: "yes", False: "no", None: "too few trials"}


def error_of(key):
    """A column: what the number of test samples leaves open."""
    return (lambda row: standard_error(row[key], row["n_test"])), percent


def rows_of(*tables):
    """Rows of results.json that belong to one of these tables."""
    return lambda results: [row for row in results["rows"] if row["table"] in tables]


def statistics_of(kind):
    """One kind of tests, none without trials."""
    return lambda results: results["statistics"].get(kind, [])


def title(word):
    """Of a method or a pattern, as tables call it; "-" for none."""
    return "-" if word is None else TITLES.get(word, word.capitalize())


def titles(methods):
    """Of some methods."""
    return ", ".join(map(title, methods)) or "-"


def p_of(compared):
    """The p value of a test, "-" without one."""
    if compared is None:
        return "-"
    return "all equal" if compared.get("equal") else p_value(compared["p"])


def taught(results):
    """How the networks of Tables 1 and 2 were taught and read."""
    rows = SIZES(results)
    return "; ".join(dict.fromkeys(f"{r['pattern']} pattern, {TITLES[r['method']]}" for r in rows))


def by_pattern(results):
    """Rows of Table 3, {method: (mean, SD)} and the pattern."""
    found = {}
    for row in rows_of("table3")(results):
        each = found.setdefault(row["pattern"], {"pattern": row["pattern"]})
        each[row["method"]] = row["ours_mean"], row["ours_sd"]
    return [found[pattern] for pattern in PATTERNS if pattern in found]


def pairs(kind, of, heading):
    """A table of paired tests."""
    return Table(
        heading,
        statistics_of(kind),
        {
            of: (of, title),
            "difference of": (lambda r: f"{title(r['first'])} less {title(r['second'])}", str),
            "points": (lambda row: 100 * row["difference"], points),
            "p": (lambda row: row, p_of),
        },
        "Paired t tests over the trials.",
        short=False,
    )


def crossing_caption(results):
    """Which networks crossed over."""
    networks = dict.fromkeys(
        f"{row['n_networks']} networks of {row['n_hidden']:,} hidden neurons"
        for row in results["crossing"]
    )
    return (
        f"Mean accuracy of {', '.join(networks)}, in per cent. Trained on one half of the digits "
        "that are recorded, or on their simulations, and tested on the other. Events simulated "
        "without any fault would do as well as recorded ones, in both places."
    )


def _less(row, way):
    """Points by which a way of learning is above the closed form."""
    if way not in row or "closed form" not in row:
        return None
    return 100 * (row[way] - row["closed form"])


def _online_caption(online):
    """What has learnt, and what it took."""
    if online is None:
        return ""
    took = ", ".join(f"{way} {taken:,.0f} s" for way, taken in online["seconds"].items())
    return (
        f"Not in the paper. {online['n_hidden']:,} hidden neurons that see recordings of "
        f"{online['data']} once, in a random order, and learn in the running Nengo network; "
        "accuracy in per cent of all test recordings, differences in points. The ridge is "
        f"{online['ridge']:,.0f}. Learning took: {took}."
    )


SIZES = rows_of("table1", "table2", "recordings")
TABLES = {
    "sizes": Table(
        "Tables 1 and 2: accuracy by hidden neurons",
        SIZES,
        {
            "hidden neurons": ("n_hidden", whole),
            "trained on": ("n_train", whole),
            "tested on": ("data", str),
            "digits": ("n_test", whole),
            "paper": ("paper", percent),
            "ours": ("ours_mean", percent),
            "standard error": error_of("ours_mean"),
        },
        lambda results: (
            "Accuracy in per cent. The standard error is what the number of test "
            "digits leaves open; other random weights would add to it (Table 3's SD). Taught and "
            f"read: {taught(results)}."
        ),
    ),
    "methods": Table(
        "Table 3: training patterns and output determination",
        by_pattern,
        {"pattern": ("pattern", title)}
        | {name: (method, spread(percent)) for method, name in TITLES.items()},
        "Mean accuracy in per cent (SD) of all trials.",
    ),
    "recommended": Table(
        "Table 4: recommended output determination",
        lambda results: results["recommendation"],
        {
            "pattern": ("pattern", title),
            "paper": ("paper", title),
            "ours": ("method", title),
            "accuracy": ("accuracy", percent),
            "same in all trials": ("equal", titles),
            "not significantly worse": ("undecided", titles),
        },
        "Ours: the highest mean accuracy in per cent. Not significantly worse: paired t test "
        "against it, p of at least 0.05, or too few trials for a test. The paper's prose names no "
        "method for the flat pattern.",
    ),
    "normality": Table(
        "Section 3.2: are accuracies normally distributed?",
        statistics_of("normality"),
        {
            "pattern": ("pattern", title),
            "K-S, paper": ("paper_ks", p_value),
            "K-S, ours": ("ks", p_of),
            "Lilliefors, paper": (
                "paper_lilliefors_above",
                lambda p: "-" if p is None else f"> {p}",
            ),
            "Lilliefors, ours": ("lilliefors", p_of),
        },
        "p values of the one-sample Kolmogorov-Smirnov test (K-S) of standardised accuracies, "
        "Area, and of Lilliefors' test; small ones speak against a normal distribution. For K-S "
        "mean and SD are taken from the same trials, which makes its p too large; Lilliefors' "
        "test allows for that.",
    ),
    "claims": Table(
        "Sections 3.3 and 3.4: what the paper finds",
        statistics_of("claims"),
        {
            "the paper": ("claim", str),
            "section": ("section", str),
            "our trials": ("ours", str),
            "holds": ("holds", HOLDS.get),
        },
        "Best and worst by mean accuracy; p values of paired t tests, two-sided, not corrected "
        "for their number.",
    ),
    "method_pairs": pairs("methods", "pattern", "Pairs of methods"),
    "pattern_pairs": pairs("patterns", "method", "Pairs of patterns"),
    "crossing": Table(
        "Crossing: simulated digits and recordings",
        lambda results: results["crossing"],
        {
            "trained on": ("train", str),
            "tested on": ("test", str),
            "training digits": ("n_train", whole),
            "test digits": ("n_test", whole),
            "accuracy": ("accuracy", percent),
            "standard error": error_of("accuracy"),
        },
        crossing_caption,
    ),
    "tactile": Table(
        "Tactile digits",
        lambda results: results["tactile"],
        {
            "data": ("about", str),
            "hidden neurons": ("n_hidden", whole),
            "trained on": ("n_train", whole),
            "tested on": ("n_test", whole),
            "steps": ("n_steps", whole),
            "accuracy": ("accuracy", percent),
            "chance": ("chance", percent),
        },
        "Not in the paper. Accuracy in per cent; chance: one over the number of classes.",
    ),
    "online": Table(
        "Learning while it runs",
        lambda results: (results["online"] or {"rows": []})["rows"],
        {
            "recordings seen": ("n_train", whole),
            "tested on": ("n_test", whole),
            "closed form": (lambda row: row.get("closed form"), percent),
            "OPIUM in Nengo": (lambda row: row.get("OPIUM"), percent),
            "less the closed form": (lambda row: _less(row, "OPIUM"), points),
            "PES in Nengo": (lambda row: row.get("PES"), percent),
            "of it less the closed form": (lambda row: _less(row, "PES"), points),
        },
        lambda results: _online_caption(results["online"]),
    ),
    "cost": Table(
        "Time and memory",
        lambda results: results["growth"],
        {
            "hidden neurons": ("n_hidden", whole),
            "training, s": (lambda curve: curve["seconds"].get("training"), seconds),
            "testing, s": (lambda curve: curve["seconds"].get("testing"), seconds),
            "samples a second": ("samples_per_second", seconds),
            "memory, GB": (lambda curve: (curve["peak_bytes"] or 0) / 1e9 or None, form(".2f")),
        },
        "Training: sums over all samples, and the weights that follow from them at each point of "
        "Figure 4. Testing: at all points together. Memory: the most that the process has had "
        "until then.",
        short=False,
    ),
}


def _growth(results):
    lines = {c["n_hidden"]: c for c in results["growth"] if c["n_train"] or c["final"]}
    known = [(*key, value) for key, value in paper.ACCURACY.items()]
    return plots_skim.accuracy_by_samples(lines, paper.CHANCE, known) if lines else None


def _distributions(results):
    tested = {row["pattern"]: row for row in statistics_of("normality")(results) if row["ks"]}
    shown = [pattern for pattern in paper.KS_P if pattern in tested]
    if not shown:
        return None
    names = {"K-S": "ks", "Lilliefors": "lilliefors"}
    return plots_skim.distributions(
        {pattern: results["trials"]["accuracy"][pattern]["area"] for pattern in shown},
        {
            pattern: {name: tested[pattern][key]["p"] for name, key in names.items()}
            for pattern in shown
        },
    )


def _of_trials(draw, results):
    if not results["trials"]:
        return None
    return draw(
        {
            pattern: {TITLES[method]: values for method, values in by_method.items()}
            for pattern, by_method in results["trials"]["accuracy"].items()
        }
    )


FIGURES = {
    "figure4": Figure(
        _growth,
        "Figure 4: accuracy over training samples, by hidden neurons. At the right: after all "
        "training digits. Crosses: the paper's numbers.",
        "Lines of accuracy that rise with training samples, higher for more hidden neurons",
    ),
    "figure5": Figure(
        _distributions,
        "Figure 5: distribution of the trials' accuracies, Area, less their mean and over their "
        "SD. K-S: one-sample Kolmogorov-Smirnov test against the standard normal distribution.",
        "Histograms and cumulative distributions beside the standard normal's",
    ),
    "figure6": Figure(
        functools.partial(_of_trials, lambda named: plots_skim.spread_by_method(named["gaussian"])),
        "Figure 6: accuracy of all trials with the Gaussian pattern. Boxes: quartiles; whiskers: "
        "smallest and largest; points: trials; in words: mean and SD.",
        "Boxes of accuracies for four output determination methods",
    ),
    "figure7": Figure(
        functools.partial(_of_trials, plots_skim.errors_by_pattern),
        "Figure 7: mean error by output determination and training pattern. Whiskers: SD.",
        "Bars of mean errors for four methods and three training patterns",
    ),
    "learning": Figure(
        lambda results: (
            plots_skim.accuracy_online(results["online"], ("closed form", "OPIUM", "PES"))
            if results["online"]
            else None
        ),
        "Accuracy over recordings seen: OPIUM and PES in the running Nengo network, beside the "
        "closed form over the same recordings.",
        "Lines of accuracy that rise with recordings, OPIUM's on that of the closed form",
    ),
}


def sections(results):
    """(title, text, keys of pictures and tables)."""
    return (
        ("Accuracy by hidden neurons", "", ("figure4", "sizes")),
        ("Repeated trials", _trials_text(results), ("figure5", "normality")),
        ("Output determination with the Gaussian pattern", "", ("figure6",)),
        ("Training patterns", "", ("figure7", "methods", "claims")),
        ("Recommendation", "", ("recommended", "method_pairs", "pattern_pairs")),
        ("Simulated digits and recordings", "", ("crossing",)),
        ("Tactile digits", "", ("tactile",)),
        ("Learning while it runs", "", ("learning", "online")),
        ("Time and memory", "", ("cost",)),
    )


_SIMULATED = (
    "The whole of N-MNIST was not at hand. A simulator of the camera's three saccades, fitted to "
    "real recordings, made events of all MNIST digits. Recorded training digits come last in "
    "training; their recordings are tested when none of them has been seen in any form."
)
_TRAINING = (
    "Weights are those of least squares over all samples, with the ridge of 1 that OPIUM begins "
    "with (its inverse correlation starts as the identity). Exact least squares does not depend "
    "on the order of training, so trials differ by their random weights alone; those of the "
    "paper's section 3.2 also by order."
)
_NUMBERS = (
    "The paper's tables are pictures in the text at hand. Only what its prose says stands beside "
    "ours; a dash is a number it does not give."
)


def _layer_note(kernels):
    chosen = ", ".join(f"{key} {value}" for key, value in LAYERS[kernels].items())
    return (
        "The paper has alpha functions (its section 3.4), but names neither their time constants "
        f"nor the size of the random weights. Ours: {chosen}"
        + (", chosen on simulated training digits." if kernels == "resonance" else ".")
    )


def notes(results):
    """Remarks on the whole."""
    found = [_TRAINING, _layer_note(results["kernels"]), _NUMBERS]
    found = [_SIMULATED, *found] if "simulated" in results["data"] else found
    return [Note(text) for text in found]


def _trials_text(results):
    trials = results["trials"]
    if not trials:
        return ""
    return (
        f"{len(trials['seeds'])} trials (the paper: {paper.NORMALITY_TRIALS}, "
        f"{paper.METHOD_TRIALS} and {paper.PATTERN_TRIALS}) of {trials['n_hidden']:,} hidden "
        f"neurons, each trained on {trials['n_train']:,} samples (the paper: "
        f"{paper.ALL_SAMPLES:,}) and tested on {trials['n_test']:,}. Training patterns last "
        f"{trials['length']} steps, the Gaussian {GAUSSIAN_LENGTH}, whose peak lies at step 10. "
        "The same random weights serve all patterns and methods of a trial."
    )


def key_numbers(results):
    """Tiles: what the paper gives numbers for, the largest network on recordings, the best mean."""
    rows = [row for row in results["rows"] if row["paper"] is not None]
    rows += [row for row in results["rows"] if row["table"] == "recordings"][-2:]
    tiles = [
        KeyNumber(
            f"{row['n_hidden']:,} hidden neurons"
            + (f", {row['data'].split(', ')[-1]}" if row["table"] == "recordings" else ""),
            f"{row['ours_mean']:.2%}",
            ("" if row["paper"] is None else f"paper {row['paper']:.2%}; ")
            + f"{row['n_train']:,} training samples, {row['n_test']:,} digits tested",
        )
        for row in rows
    ]
    if results["recommendation"]:
        best = max(results["recommendation"], key=lambda row: row["accuracy"])
        spread = "" if best["sd"] is None else f" ± {best['sd']:.2%}"
        trials = results["trials"]
        tiles.append(
            KeyNumber(
                f"best of {len(PATTERNS) * len(METHODS)}: {best['pattern']} pattern, "
                f"{TITLES[best['method']]}",
                f"{best['accuracy']:.2%}{spread}",
                f"{trials['n_hidden']:,} hidden neurons, {len(trials['seeds'])} trials",
            )
        )
    return tiles
