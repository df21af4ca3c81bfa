"""Tables and pictures of the sigma-delta reproduction."""

from nengo_tactile.analysis import plots_delta
from nengo_tactile.experiments.tables import Figure, Table, form, percent, points
from nengo_tactile.papers.sigma_delta.plan import CODING, NEURONS, SETTINGS, SHOWN
from nengo_tactile.report import KeyNumber


def _accuracy_by(cost, label, rates=True, marked=False):
    """Draws accuracy over a cost, sigma-delta first, so that a setting keeps its colour."""

    def draw(results):
        found = sorted(results["curves"], key=lambda c: not SETTINGS[c["setting"]].spikes_by_change)
        lines = {
            SETTINGS[c["setting"]].title: (c[cost], c["accuracy"])
            for c in found
            if rates or SETTINGS[c["setting"]].spikes_by_change
        }
        if not lines:
            return None
        counts = results["ann_operations"].items() if marked else ()
        marks = {f"ANN, {name}": value for name, value in counts}
        return plots_delta.accuracy_by(lines, label, results["curves"][0]["ann_accuracy"], marks)

    return draw


def _potentials(results):
    first = results.get("figure2")
    return first and plots_delta.potentials_over_time(
        first["times"], first["outputs"], first["label"], CODING.span
    )


def _input_spikes(results):
    first = results.get("figure2")
    return first and plots_delta.input_spikes(
        first["input"]["times"], first["input"]["pixels"], first["image"]
    )


def _layers(results):
    return [
        {"setting": SETTINGS[curve["setting"]].title, "layer": name, **sums}
        for curve in results["curves"]
        for name, sums in curve["layers"].items()
    ]


TABLES = {
    "table1": Table(
        "Table I",
        lambda results: results["rows"],
        {
            "network": ("name", str),
            "paper": ("paper", percent),
            "ours": ("ours_mean", percent),
            "lost, paper": ("paper_lost_points", points),
            "lost, ours": (lambda r: None if r["name"] == "ANN" else r["lost_points"], points),
            "spikes, paper": ("paper_spikes", form(".2f")),
            "spikes, ours": ("spikes", form(".3f")),
            "accumulations": ("synops", form(",.0f")),
        },
        "Accuracy in per cent; lost: points less than the ANN has on the same grey images "
        f"(negative: more); spikes per image and neuron, of {NEURONS:,} neurons, pixels and "
        "outputs with them; accumulations: synaptic operations for an image.",
        titled=False,
        heading=lambda results: (
            f"Table I, {max(row['n_test'] for row in results['rows']):,} test images"
        ),
    ),
    "layers": Table(
        "Activity and cost by layer",
        _layers,
        {
            "setting": ("setting", str),
            "layer": ("layer", str),
            "spikes": (lambda row: round(row["spikes"], 1), lambda value: value),
            "accumulations": (lambda row: round(row["synops"]), lambda value: value),
        },
        "For one image. Max pooling passes on changes of the largest sum; these are not counted "
        "as spikes of neurons, but what they cost is.",
        short=False,
        titled=False,
    ),
}
FIGURES = {
    "figure2-potentials": Figure(
        _potentials,
        "Figure 2a: potentials of the outputs for the first test image, after each spike that "
        "changed them.",
        "Lines of ten membrane potentials over time",
    ),
    "figure2-spikes": Figure(
        _input_spikes,
        "Figures 2b and 2c: spikes of that image, one for each pixel brighter than a fifth.",
        "Spikes by time and pixel, and a handwritten digit",
    ),
    "figure3-time": Figure(
        _accuracy_by("time", "time (time units)", rates=False),
        "Figure 3a: accuracy over time, if one stopped reading then.",
        "Accuracy rising over time towards the ANN's",
    ),
    "figure3-spikes": Figure(
        _accuracy_by("spikes", "spikes per neuron so far"),
        "Figure 3b: accuracy over the spikes so far.",
        "Accuracy rising over spikes towards the ANN's",
    ),
    "figure4": Figure(
        _accuracy_by("synops", "accumulations for an image so far", marked=True),
        "Figure 4: accuracy over the accumulations so far. Vertical lines: multiplications of the "
        "ANN as two accumulations each, as the paper counts them (455 K, without the 16 channels "
        "that each filter of the second convolution reads), and all of them.",
        "Accuracy rising over operations towards the ANN's",
    ),
}
NOTE = (
    "Thresholds are in the unit of activations, and so depend on how a network was trained. Ours "
    "learnt with activations quantised at random thresholds of up to 2, with a price on each "
    "spike, and with shifted images, half of them of one bit; the paper's with plain gradient "
    "descent. Thresholds by layer are chosen on training images. Rate coding takes the grey image "
    "as a constant current and our integrate-and-fire neurons, and what that current costs in the "
    "first layer, once, is not among its accumulations; the paper used another toolbox, in which "
    "pixels spike."
)


def key_numbers(results):
    """Tiles of the settings that the paper has."""
    return [
        KeyNumber(
            row["name"],
            f"{row['ours_mean']:.2%}",
            f"{row['lost_points']:+.2f} points lost, {row['spikes']:.3f} spikes per neuron, "
            f"{row['n_test']:,} images",
        )
        for row in results["rows"]
        if row["kind"] == "snn" and row["setting"] in (SHOWN, "threshold-2")
    ]
