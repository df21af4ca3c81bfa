"""The SKIM reproduction's tables in words, for the terminal and the report alike."""

from nengo_tactile.analysis.accuracy import standard_error
from nengo_tactile.reproduce.parts import Part, p_text, percent, points_text
from nengo_tactile.reproduce.skim_statistics import TITLES
from nengo_tactile.skim.supervision import METHODS, PATTERNS


def _sizes_part(results):
    shown = [r for r in results["rows"] if r["table"] in ("table1", "table2", "recordings")]
    rows = [
        [
            f"{row['n_hidden']:,}",
            f"{row['n_train']:,}",
            row["data"],
            f"{row['n_test']:,}",
            percent(row["paper"]),
            percent(row["ours_mean"]),
            percent(standard_error(row["ours_mean"], row["n_test"])),
        ]
        for row in shown
    ]
    taught = dict.fromkeys(f"{r['pattern']} pattern, {TITLES[r['method']]}" for r in shown)
    return Part(
        "Tables 1 and 2: accuracy by hidden neurons",
        ("hidden neurons", "trained on", "tested on", "digits", "paper", "ours", "standard error"),
        rows,
        "Accuracy in per cent. The standard error is what the number of test digits leaves open; "
        f"other random weights would add to it (Table 3's SD). Taught and read: "
        f"{'; '.join(taught)}.",
    )


def _methods_part(results):
    cells = {(row["pattern"], row["method"]): row for row in results["rows"]
             if row["table"] == "table3"}  # fmt: skip

    def cell(row):
        sd = "" if row["ours_sd"] is None else f" ({percent(row['ours_sd'])})"
        return percent(row["ours_mean"]) + sd

    rows = [[p.capitalize(), *(cell(cells[p, m]) for m in METHODS)] for p in PATTERNS if cells]
    return Part(
        "Table 3: training patterns and output determination",
        ("pattern", *TITLES.values()),
        rows,
        "Mean accuracy in per cent (SD) of all trials.",
    )


def _recommended_part(results):
    def names(methods):
        return ", ".join(TITLES[method] for method in methods) or "-"

    rows = [
        [
            row["pattern"].capitalize(),
            TITLES.get(row["paper"], "-"),
            TITLES[row["method"]],
            percent(row["accuracy"]),
            names(row["equal"]),
            names(row["undecided"]),
        ]
        for row in results["recommendation"]
    ]
    return Part(
        "Table 4: recommended output determination",
        ("pattern", "paper", "ours", "accuracy", "same in all trials", "not significantly worse"),
        rows,
        "Ours: the highest mean accuracy in per cent. Not significantly worse: paired t test "
        "against it, p of at least 0.05, or too few trials for a test. The paper's prose names no "
        "method for the flat pattern.",
    )


def _normality_part(results):
    rows = [
        [
            row["pattern"].capitalize(),
            p_text(row["paper_ks"]),
            p_text(row["ks"] and row["ks"]["p"]),
            "-" if row["paper_lilliefors_above"] is None else f"> {row['paper_lilliefors_above']}",
            p_text(row["lilliefors"] and row["lilliefors"]["p"]),
        ]
        for row in results["statistics"].get("normality", [])
    ]
    return Part(
        "Section 3.2: are accuracies normally distributed?",
        ("pattern", "K-S, paper", "K-S, ours", "Lilliefors, paper", "Lilliefors, ours"),
        rows,
        "p values of the one-sample Kolmogorov-Smirnov test (K-S) of standardised accuracies, "
        "Area, and of Lilliefors' test; small ones speak against a normal distribution. For K-S "
        "mean and SD are taken from the same trials, which makes its p too large; Lilliefors' "
        "test allows for that.",
    )


def _claims_part(results):
    words = {True: "yes", False: "no", None: "too few trials"}
    rows = [
        [claim["claim"], claim["section"], claim["ours"], words[claim["holds"]]]
        for claim in results["statistics"].get("claims", [])
    ]
    return Part(
        "Sections 3.3 and 3.4: what the paper finds",
        ("the paper", "section", "our trials", "holds"),
        rows,
        "Best and worst by mean accuracy; p values of paired t tests, two-sided, not corrected "
        "for their number.",
    )


def _pairs_part(results, kind, title):
    of = {"methods": "pattern", "patterns": "method"}[kind]

    def name(word):
        return TITLES.get(word, word.capitalize())

    rows = [
        [
            name(row[of]),
            f"{name(row['first'])} less {name(row['second'])}",
            points_text(row["difference"]),
            "all equal" if row["equal"] else p_text(row["p"]),
        ]
        for row in results["statistics"].get(kind, [])
    ]
    columns = (of, "difference of", "points", "p")
    return Part(title, columns, rows, "Paired t tests over the trials.", short=False)


def _crossing_part(results):
    rows = [
        [
            row["train"],
            row["test"],
            f"{row['n_train']:,}",
            f"{row['n_test']:,}",
            percent(row["accuracy"]),
            percent(standard_error(row["accuracy"], row["n_test"])),
        ]
        for row in results["crossing"]
    ]
    networks = dict.fromkeys(
        f"{row['n_networks']} networks of {row['n_hidden']:,} hidden neurons"
        for row in results["crossing"]
    )
    return Part(
        "Crossing: simulated digits and recordings",
        ("trained on", "tested on", "training digits", "test digits", "accuracy", "standard error"),
        rows,
        f"Mean accuracy of {', '.join(networks)}, in per cent. Trained on one half of the digits "
        "that are recorded, or on their simulations, and tested on the other. Events simulated "
        "without any fault would do as well as recorded ones, in both places.",
    )


def _tactile_part(results):
    rows = [
        [
            row["about"],
            f"{row['n_hidden']:,}",
            f"{row['n_train']:,}",
            f"{row['n_test']:,}",
            f"{row['n_steps']:,}",
            percent(row["accuracy"]),
            percent(row["chance"]),
        ]
        for row in results["tactile"]
    ]
    return Part(
        "Tactile digits",
        ("data", "hidden neurons", "trained on", "tested on", "steps", "accuracy", "chance"),
        rows,
        "Not in the paper. Accuracy in per cent; chance: one over the number of classes.",
    )


def _cost_part(results):
    def seconds(value):
        return "-" if value is None else f"{value:,.1f}"

    rows = [
        [
            f"{curve['n_hidden']:,}",
            *(seconds(curve["seconds"].get(key)) for key in ("training", "testing")),
            seconds(curve["samples_per_second"]),
            "-" if curve["peak_bytes"] is None else f"{curve['peak_bytes'] / 1e9:.2f}",
        ]
        for curve in results["growth"]
    ]
    return Part(
        "Time and memory",
        ("hidden neurons", "training, s", "testing, s", "samples a second", "memory, GB"),
        rows,
        "Training: sums over all samples, and the weights that follow from them at each point of "
        "Figure 4. Testing: at all points together. Memory: the most that the process has had "
        "until then.",
        short=False,
    )


def parts(results):
    """All tables that have rows.

    Parameters
    ----------
    results : dict
        Of `skim_tables.summarise`.

    Returns
    -------
    dict of str to Part
    """
    found = {
        "sizes": _sizes_part(results),
        "methods": _methods_part(results),
        "recommended": _recommended_part(results),
        "normality": _normality_part(results),
        "claims": _claims_part(results),
        "method_pairs": _pairs_part(results, "methods", "Pairs of methods"),
        "pattern_pairs": _pairs_part(results, "patterns", "Pairs of patterns"),
        "crossing": _crossing_part(results),
        "tactile": _tactile_part(results),
        "cost": _cost_part(results),
    }
    return {name: part for name, part in found.items() if part.rows}
