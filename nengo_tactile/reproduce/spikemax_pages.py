"""Tables and pictures of the Spikemax reproduction, on the terminal and in its report."""

import datetime

from nengo_tactile import __version__
from nengo_tactile.analysis import plots_slayer
from nengo_tactile.analysis.accuracy import standard_error
from nengo_tactile.report import KeyNumber, Note, Picture, Report, Section, Table
from nengo_tactile.reproduce import spikemax_paper as paper
from nengo_tactile.reproduce.parts import rich_tables
from nengo_tactile.reproduce.spikemax_parts import paper_accuracy, parts
from nengo_tactile.reproduce.spikemax_trials import TITLES


def terminal_tables(results):
    """Table I, latency, spikes and findings as rich tables, those that have rows.

    Parameters
    ----------
    results : dict
        Of `spikemax_tables.summarise`.

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
        Of `spikemax_tables.summarise`.
    """
    found = {}
    for data, measures in _by_data(results).items():
        first = next(iter(measures.values()))
        found[f"accuracy-{data}"] = plots_slayer.accuracy_over_time(
            {
                loss: {
                    "mean": each["accuracy_over_time"],
                    "sd": each["accuracy_sd_over_time"],
                    "latency": each["latency"]["step"],
                }
                for loss, each in measures.items()
            },
            first["step_ms"],
        )
        found[f"spikes-{data}"] = plots_slayer.spikes_by_layer(
            {
                loss: {
                    layer: (spikes["mean"], spikes["sd"])
                    for layer, spikes in {
                        **each["spikes"],
                        "all layers": each["all_spikes"],
                    }.items()
                }
                for loss, each in measures.items()
            }
        )
        found[f"training-{data}"] = plots_slayer.training_curves(
            {
                loss: {
                    "accuracy": each["accuracy_over_epochs"],
                    "loss": each["loss_over_epochs"],
                }
                for loss, each in measures.items()
            }
        )
    return found


def _by_data(results):
    """{data: {loss: measure}}."""
    found = {}
    for each in results["measures"]:
        found.setdefault(each["data"], {})[each["loss"]] = each
    return found


#: The paper's data -> the numbers of its figures of accuracy and of spikes.
_FIGURES = {"nmnist": (2, 3), "dvs-gesture": (4, 5), "ntidigits": (6, 7)}
_NAMES = (
    "The text at hand prints Table I with two rows named spikemax_s for N-MNIST and for DVS "
    "Gesture. One of each must be spikemax_g's; as the table does not say which, both stand beside "
    "both of ours. For N-TIDIGITS18 it ends with spike-rate's row, and the section's prose gives "
    "no accuracy of the other losses."
)
_TRIALS = (
    "Trials differ by their seed. The same seeds serve all losses, as in the paper, so losses are "
    "compared in pairs of trials."
)
_WEIGHTS = (
    "The paper does not say what its numbers of parameters count. That of 64-256-256-11 is the "
    "weights alone, as ours are; those of convolutional networks depend on the padding as well."
)
#: Training samples of the paper's N-MNIST (section IV-A), and the runs on recordings of it.
_ALL_NMNIST = 60_000
_RECORDED = ("nmnist", "nmnist-paper")
_SMALLER = (
    "The paper trains on 60,000 recordings of N-MNIST and tests on 10,000; all of them were not at "
    "hand."
)
_SIMULATED = (
    "Simulated N-MNIST: networks are trained on simulated recordings of MNIST digits, and tested "
    "on real recordings of digits that training leaves out."
)


def report(results, pictures):
    """The report.

    Parameters
    ----------
    results : dict
        Of `spikemax_tables.summarise`.
    pictures : dict of str to figure
        From `figures`.

    Returns
    -------
    nengo_tactile.report.Report
    """
    found, shown = parts(results), _by_data(results)

    def table(name):
        part = found.get(name)
        return [Table(part.columns, part.rows, f"{part.title}. {part.caption}")] if part else []

    sections = [
        Section("Table I", "", table("table1")),
        Section("What the paper finds", "", table("claims")),
        Section("Latency", "", table("latency") + table("times")),
        Section("Spikes", "", table("spikes")),
    ]
    for data in shown:
        items = [
            Picture(pictures[name], *_caption(kind, data))
            for kind in ("accuracy", "spikes", "training")
            if (name := f"{kind}-{data}") in pictures
        ]
        items += table(f"times-{data}") + table(f"layers-{data}")
        sections.append(Section(TITLES[data], _data_text(results, data), items))
    sections.append(Section("Settings and time", "", table("settings") + table("cost")))
    notes = [_NAMES, _TRIALS, _WEIGHTS]
    if "nmnist-simulated" in shown:
        notes.insert(0, _SIMULATED)
    if any(r["task"] in _RECORDED and 0 < r["n_train"] < _ALL_NMNIST for r in results["rows"]):
        notes.insert(0, _SMALLER)
    return Report(
        "Spikemax",
        "Networks of spiking neurons, trained with their spikes by SLAYER's back-propagation: "
        "losses that take output spikes as probabilities beside those that ask for spike rates "
        "or counts. How accurate the networks are, how soon, and how many spikes it takes.",
        {
            "command": results["command"],
            "seed": results["seed"],
            "data": ", ".join(TITLES[data] for data in shown),
            "nengo-tactile": __version__,
            "date": datetime.date.today().isoformat(),
        },
        _key_numbers(results),
        [Note(text) for text in notes],
        [section for section in sections if section.items],
    )


def _caption(kind, data):
    """Caption and alternative text of a picture."""
    accuracy, spikes = _FIGURES.get(paper.STANDS_FOR.get(data), (None, None))
    title = TITLES[data]
    if kind == "accuracy":
        return (
            f"{_figure(accuracy, (2, 4, 6))}{title}: accuracy over inference time, if one stopped "
            "reading then. Lines: all trials together; bands: SD over trials.",
            f"Lines of accuracy rising over time on {title}, one for each loss",
        )
    if kind == "spikes":
        return (
            f"{_figure(spikes, (3, 5, 7))}{title}: mean spikes of a test sample by layer. "
            "Whiskers: SD over trials.",
            f"Bars of spikes for each layer and loss on {title}",
        )
    return (
        f"{title}: accuracy and loss on training samples, as they were shown, over epochs. Bands: "
        "SD over trials.",
        f"Lines of accuracy and loss over training epochs on {title}",
    )


def _figure(number, like):
    return f"As Figures {like[0]}, {like[1]} and {like[2]}. " if number is None else (
        f"Figure {number}. "
    )  # fmt: skip


def _data_text(results, data):
    rows = [row for row in results["rows"] if row["task"] == data and row["n_splits"]]
    error = max(standard_error(row["ours_mean"], row["n_test"]) for row in rows)
    row, trials = rows[0], sorted({row["n_splits"] for row in rows})
    times = f"{trials[0]}" if len(trials) == 1 else f"{trials[0]} to {trials[-1]}"
    return (
        f"{row['data'][0].upper()}{row['data'][1:]}. Network {row['network']}, trained on "
        f"{row['n_train']:,} samples and tested on {row['n_test']:,}, {times} "
        f"trial{'' if times == '1' else 's'} of each loss. With that many test samples the "
        f"standard error of one network's accuracy is up to {100 * error:.1f} points."
    )


def _key_numbers(results):
    """Tiles: the most accurate loss on each data set, and how often half the time was enough."""
    tiles = []
    for data in _by_data(results):
        rows = [row for row in results["rows"] if row["task"] == data and row["n_splits"]]
        best = max(rows, key=lambda row: row["ours_mean"])
        spread = "" if best["ours_sd"] is None else f" ± {best['ours_sd']:.1%}"
        known = paper_accuracy(best)
        trials = f"{best['n_splits']} trial{'' if best['n_splits'] == 1 else 's'}"
        tiles.append(
            KeyNumber(
                f"{TITLES[data]}, {best['loss']}",
                f"{best['ours_mean']:.1%}{spread}",
                f"{trials}, {best['n_test']:,} test samples"
                + ("" if known == "-" else f"; paper {known} %"),
            )
        )
    if results["claims"]:
        together = results["claims"][0]
        n_true = list(together["on"].values()).count(True)
        tiles.append(
            KeyNumber(
                "data sets where all spikemax losses need at most half of spike-rate's time",
                f"{n_true} of {len(together['on'])}",
                "the paper: clearly on N-MNIST and N-TIDIGITS18",
            )
        )
    return tiles
