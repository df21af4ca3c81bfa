"""Tables and pictures of the SKIM reproduction, on the terminal and in its report."""

import datetime

from nengo_tactile import __version__
from nengo_tactile.analysis import plots_skim
from nengo_tactile.report import KeyNumber, Note, Picture, Report, Section, Table
from nengo_tactile.reproduce import skim_paper as paper
from nengo_tactile.reproduce.parts import rich_tables
from nengo_tactile.reproduce.skim_parts import parts
from nengo_tactile.reproduce.skim_plan import GAUSSIAN_LENGTH, LAYERS
from nengo_tactile.reproduce.skim_statistics import TITLES
from nengo_tactile.skim.supervision import METHODS, PATTERNS


def terminal_tables(results):
    """The tables of the paper and our own as rich tables, those that have rows.

    Parameters
    ----------
    results : dict
        Of `skim_tables.summarise`.

    Returns
    -------
    list of rich.table.Table
    """
    return rich_tables(parts(results).values())


def figures(results):
    """The pictures that the results are enough for, {file name: figure}.

    Parameters
    ----------
    results : dict
        Of `skim_tables.summarise`.
    """
    found = {}
    lines = {c["n_hidden"]: c for c in results["growth"] if c["n_train"] or c["final"]}
    if lines:
        found["figure4"] = plots_skim.accuracy_by_samples(
            lines, paper.CHANCE, [(*key, value) for key, value in paper.ACCURACY.items()]
        )
    if not results["trials"]:
        return found
    accuracy = results["trials"]["accuracy"]
    tested = {row["pattern"]: row for row in results["statistics"]["normality"] if row["ks"]}
    shown = [pattern for pattern in paper.KS_P if pattern in tested]
    if shown:
        found["figure5"] = plots_skim.distributions(
            {pattern: accuracy[pattern]["area"] for pattern in shown},
            {
                pattern: {"K-S": tested[pattern]["ks"]["p"],
                          "Lilliefors": tested[pattern]["lilliefors"]["p"]}
                for pattern in shown
            },
        )  # fmt: skip
    named = {
        pattern: {TITLES[method]: values for method, values in by_method.items()}
        for pattern, by_method in accuracy.items()
    }
    found["figure6"] = plots_skim.spread_by_method(named["gaussian"])
    found["figure7"] = plots_skim.errors_by_pattern(named)
    return found


_PICTURES = {
    "figure4": (
        "Figure 4: accuracy over training samples, by hidden neurons. At the right: after all "
        "training digits. Crosses: the paper's numbers.",
        "Lines of accuracy that rise with training samples, higher for more hidden neurons",
    ),
    "figure5": (
        "Figure 5: distribution of the trials' accuracies, Area, less their mean and over their "
        "SD. K-S: one-sample Kolmogorov-Smirnov test against the standard normal distribution.",
        "Histograms and cumulative distributions beside the standard normal's",
    ),
    "figure6": (
        "Figure 6: accuracy of all trials with the Gaussian pattern. Boxes: quartiles; whiskers: "
        "smallest and largest; points: trials; in words: mean and SD.",
        "Boxes of accuracies for four output determination methods",
    ),
    "figure7": (
        "Figure 7: mean error by output determination and training pattern. Whiskers: SD.",
        "Bars of mean errors for four methods and three training patterns",
    ),
}
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


def report(results, pictures):
    """The report.

    Parameters
    ----------
    results : dict
        Of `skim_tables.summarise`.
    pictures : dict of str to figure
        From `figures`.

    Returns
    -------
    nengo_tactile.report.Report
    """
    found = parts(results)
    sections = []
    for title, text, names, files in (
        ("Accuracy by hidden neurons", "", ("sizes",), ("figure4",)),
        ("Repeated trials", _trials_text(results), ("normality",), ("figure5",)),
        ("Output determination with the Gaussian pattern", "", (), ("figure6",)),
        ("Training patterns", "", ("methods", "claims"), ("figure7",)),
        ("Recommendation", "", ("recommended", "method_pairs", "pattern_pairs"), ()),
        ("Simulated digits and recordings", "", ("crossing",), ()),
        ("Tactile digits", "", ("tactile",), ()),
        ("Time and memory", "", ("cost",), ()),
    ):
        items = [Picture(pictures[n], *_PICTURES[n]) for n in files if n in pictures]
        items += [Table(p.columns, p.rows, f"{p.title}. {p.caption}")
                  for p in (found.get(name) for name in names) if p]  # fmt: skip
        if items:
            sections.append(Section(title, text, items))
    notes = [_TRAINING, _layer_note(results["kernels"]), _NUMBERS]
    if "simulated" in results["data"]:
        notes.insert(0, _SIMULATED)
    return Report(
        "SKIM on N-MNIST",
        "Random synaptic kernels between events and a layer of hidden neurons, output weights in "
        "closed form: how accuracy grows with hidden neurons and training samples, and what to "
        "teach and how to read.",
        {
            "command": results["command"],
            "seed": results["seed"],
            "data": results["data"],
            "nengo-tactile": __version__,
            "date": datetime.date.today().isoformat(),
        },
        _key_numbers(results),
        [Note(text) for text in notes],
        sections,
    )


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


def _key_numbers(results):
    """Tiles: what the paper gives numbers for, the largest network on recordings, the best mean."""
    rows = [row for row in results["rows"] if row["paper"] is not None]
    rows += [row for row in results["rows"] if row["table"] == "recordings"][-2:]
    tiles = [
        KeyNumber(
            f"{row['n_hidden']:,} hidden neurons"
            + (", recordings" if row["table"] == "recordings" else ""),
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
