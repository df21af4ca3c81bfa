"""Tables and pictures of the study of few steps."""

import functools

from nengo_tactile.analysis import plots_resnet
from nengo_tactile.experiments.tables import Figure, Table, form, percent, points, whole
from nengo_tactile.papers.few_steps.plan import NETWORKS, SETTINGS

#: Tables of a network: binary spikes, and graded ones, which are another kind of hardware.
KINDS = {"binary": "spikes of one", "graded": "spikes worth several"}
CAPTION = (
    "Accuracy in per cent; lost: points that the spiking network has less than its ANN on the same "
    "samples; waiting: the same of the network in which each layer waits for the one before, which "
    "rounding and clipping alone would leave. Packets (spikes, whatever they are worth), unit "
    "spikes and synaptic operations are of one sample."
)
NOTE = (
    "Thresholds, corrections and read-outs are chosen on training samples alone. QCFS rows are of "
    "weights that were fine-tuned with quantised activations; all others are of weights as they "
    "were trained. Their losses are counted from the same ANN."
)
MAPS = (
    "Mean intersection over union of the classes of the pixels, of the spiking network, of its ANN "
    "on the same samples, and of the network in which each layer waits for the one before; "
    "accuracy is of pixels, most of which are background. Packets (spikes, whatever they are "
    "worth), unit spikes and synaptic operations are of one sample."
)
_FIRST = {
    "neurons": (lambda row: SETTINGS[row["setting"]].title, str),
    "steps": ("n_steps", str),
}
_LAST = {
    "packets": ("spikes", whole),
    "unit spikes": ("units", whole),
    "synops": ("synops", whole),
    "converted in s": ("conversion_seconds", whole),
    "samples": ("n_test", form(",")),
}
COLUMNS = {
    **_FIRST,
    "accuracy": ("accuracy", percent),
    "ANN": ("ann", percent),
    "lost": ("lost_points", points),
    "waiting": ("bound_points", points),
    **_LAST,
}
#: Of networks that decide at each pixel.
MAP_COLUMNS = {
    **_FIRST,
    "overlap": ("overlap", form(".4f")),
    "ANN": ("ann_overlap", form(".4f")),
    "waiting": ("bound_overlap", form(".4f")),
    "accuracy": ("accuracy", percent),
    **_LAST,
}


def _rows(name, binary, results):
    return [row for row in results["rows"] if (row["network"], row["binary"]) == (name, binary)]


def _networks(results):
    return list(dict.fromkeys(row["network"] for row in results["rows"]))


def _has_maps(name, results):
    return any(row["network"] == name and "overlap" in row for row in results["rows"])


def tables(results):
    """Two for each network."""
    return {
        f"{name}-{kind}": Table(
            f"{NETWORKS[name]}, {words}",
            functools.partial(_rows, name, kind == "binary"),
            *((MAP_COLUMNS, MAPS) if _has_maps(name, results) else (COLUMNS, CAPTION)),
        )
        for name in _networks(results)
        for kind, words in KINDS.items()
    }


def _over_packets(name, results):
    """Accuracy over packets, a line for each kind of spikes; graded ones are dashed."""
    rows = [row for row in results["rows"] if row["network"] == name]
    lines, (value, ann, words) = {}, ("accuracy", "ann", "accuracy")
    if _has_maps(name, results):
        value, ann, words = "overlap", "ann_overlap", "mean intersection over union"
    for row in rows:
        title = SETTINGS[row["setting"]].title
        lines.setdefault(title, []).append((row["spikes"], row[value], row["n_steps"]))
    dashed = {SETTINGS[row["setting"]].title for row in rows if not row["binary"]}
    return plots_resnet.accuracy_over_packets(lines, rows[0][ann], dashed, words=words)


def figures(results):
    """Accuracy over packets for each network."""
    return {
        f"packets-{name}": Figure(
            functools.partial(_over_packets, name),
            "Accuracy over packets of a sample; the numbers are time steps, dashed lines are of "
            "spikes that are worth several.",
            "Lines of accuracy rising with the packets that a sample takes, towards the ANN's",
        )
        for name in _networks(results)
    }


def sections(results):
    """One for each network."""
    return [
        (NETWORKS[name], "", (f"packets-{name}", *(f"{name}-{kind}" for kind in KINDS)))
        for name in _networks(results)
    ]
