"""Hard cases of every picture: no text overlaps or is cut off, every curve ends in sight."""

import numpy as np
import pytest

from nengo_tactile.analysis import (
    plots,
    plots_delta,
    plots_resnet,
    plots_skim,
    plots_slayer,
    plots_sweep,
)
from nengo_tactile.analysis.style import fitted, told_apart
from nengo_tactile.conversion.diagnosis import PARTS, Diagnosis, LayerDiagnosis
from nengo_tactile.engines.recording import Recording
from tests.support.pictures import out_of_sight, unreadable

LONG = (
    "Left index finger, firm press",
    "Left index finger, soft press",
    "Right thumb, sliding downwards",
    "No contact at all",
    "Edge of the table",
    "Donaudampfschifffahrtsgesellschaftskapitaen",
)
LAYERS = ("conv1", "a_layer_of_a_really_long_name_conv2d_17", "block_3_of_the_second_stage", "out")
TWICE = [f"{name} {number}" for number in (1, 2) for name in LONG]
MANY = [f"{LONG[number % 6]} {number}" for number in range(35)]
NAMES = [f"class_{number}" for number in range(101)]
STAGES = [f"stage{number}_conv2d" for number in range(19)]
STEPS = np.arange(1, 81)


def rising(top, tau=9.0):
    return top * (1 - np.exp(-STEPS / tau))


def matrix(n, scale=1):
    rng = np.random.default_rng(n)
    found = rng.integers(0, 3, (n, n))
    found[np.arange(n), np.arange(n)] = rng.integers(20, 90, n)
    return scale * found


def at_work(names, rate=0.3):
    """A recording of these layers."""
    rng = np.random.default_rng(0)
    fired = {name: rng.random((3, 40, 30)) < rate * rng.random(30) for name in names}
    fan_out = {name: np.full(30, 100 * 9**place) for place, name in enumerate(names)}
    settings = {"dt": 0.001, "engine": "event", "rasters": 1}
    return Recording.of_spikes(np.zeros((3, 40, 2), np.float32), fired, fan_out, **settings)


def lost(names, size=0.3):
    """What a diagnosis says of these layers."""
    numbers = np.random.default_rng(0).random((len(names), len(PARTS) + 1)) * size
    layers = [
        LayerDiagnosis(name, *row.tolist(), exact=0.9 + row[0] / size / 100)
        for name, row in zip(names, numbers)
    ]
    return Diagnosis(tuple(layers), "accuracy", 0.9, 0.95, 500, 16)


def cores(layers, n):
    rng = np.random.default_rng(0)
    return [
        {
            "layer": layers[index * len(layers) // n],
            "core": index,
            "compartments": int(rng.integers(1, 1024)),
            "in_axons": int(rng.integers(1, 4300)),
            "out_axons": int(rng.integers(1, 4096)),
            "synapse_bits": int(rng.integers(1, 2**20)),
        }
        for index in range(n)
    ]


def trials():
    rng = np.random.default_rng(0)
    names = ("max", "area", "area above threshold", "weighted sum")
    return {name: rng.normal(0.9, 0.01, 30) for name in names}


def by_samples():
    sizes = (100, 200, 500, 1000, 2000, 5000)
    lines = {
        size: {
            "n_train": [100, 1000, 50000],
            "accuracy": [0.3 + 0.05 * k, 0.6 + 0.04 * k, 0.65 + 0.04 * k],
            "final": {"n_train": 60000, "accuracy": 0.65 + 0.04 * k},
        }
        for k, size in enumerate(sizes)
    }
    return lines | {20000: {"n_train": [100, 1000], "accuracy": [0.5, 0.7], "final": None}}


CURVE = {"mean": rising(0.9), "sd": None}
LOSSES = ("spike-rate", "spikemax", "spikemax_g", "spikemax_s", "spike-count")
TESTS = {"Shapiro-Wilk": 0.01, "K-S": 0.2}
PATTERNS = ("flat", "gaussian", "exponential")
PICTURES = {
    "confusion of two": lambda: plots.confusion(matrix(2), ["no", "yes"]),
    "confusion of 6 long names": lambda: plots.confusion(matrix(6), LONG, LONG[0] * 2),
    "confusion of 12 long names": lambda: plots.confusion(matrix(12), TWICE),
    "confusion of many samples": lambda: plots.confusion(matrix(10, 1370)),
    "confusion of 35": lambda: plots.confusion(matrix(35), "ABCDEFGHIJKLMNOPQRSTUVWXYZ123456789"),
    "confusion of 35 long names": lambda: plots.confusion(matrix(35), MANY),
    "confusion of 101 names": lambda: plots.confusion(matrix(101), NAMES),
    "confusion of 101": lambda: plots.confusion(matrix(101)),
    "accuracy, one curve": lambda: plots.accuracy_over_time(
        {"a network of a very long name on the loihi emulator": rising(0.98)}, 0.99, 20, dt=0.001
    ),
    "accuracy, two engines": lambda: plots.accuracy_over_time(
        {"NengoDL": rising(0.98), "Loihi emulator": rising(0.9, 20)},
        {"NengoDL": 0.984, "Loihi emulator": 0.96}, {"NengoDL": 1748, "Loihi emulator": 60},
    ),
    "accuracy, one step": lambda: plots.accuracy_over_time({"event": [0.5]}, 0.9, 20),
    "error": lambda: plots.error_over_time({"event": 1.02 - rising(0.98)}, 0.01, 1.0),
    "rates": lambda: plots.firing_rates(at_work(LAYERS)),
    "fast": lambda: plots.firing_rates(at_work(LAYERS, 1.0)),
    "silent": lambda: plots.firing_rates(at_work("ab", 0.0)),
    "spikes": lambda: plots.spikes_and_synops(at_work(LAYERS), title="A network"),
    "raster": lambda: plots.spike_raster(at_work(LAYERS), title="A sample of " + LONG[0]),
    "raster of 60 layers": lambda: plots.spike_raster(at_work([*LAYERS, *NAMES[:56]])),
    "raster without spikes": lambda: plots.spike_raster(at_work("ab", 0.0)),
    "layer errors": lambda: plots.layer_errors(lost(LAYERS), LONG[0] * 3),
    "layer errors of one": lambda: plots.layer_errors(lost(["conv"], 1e-4)),
    "layer errors of 60, large": lambda: plots.layer_errors(lost(NAMES[:60], 400)),
    "layer errors of 60 long names": lambda: plots.layer_errors(lost((MANY * 2)[:60])),
    "cores of long names": lambda: plots.core_map(cores(LAYERS, 14)),
    "cores of 19 layers": lambda: plots.core_map(cores(STAGES, 60)),
    "beside a paper": lambda: plots.beside_paper(
        [{"name": LONG[0], "paper": 0.9, "paper_sd": 0.02, "ours_mean": 0.95, "ours_sd": 0.01}]
    ),
    "potentials": lambda: plots_delta.potentials_over_time(STEPS, np.outer(STEPS, [1, 2]), 0, 90),
    "accuracy by cost": lambda: plots_delta.accuracy_by(
        {"sigma-delta": (3e3 * STEPS, rising(0.6)), "rates": (6e3 * STEPS, rising(0.97))},
        "accumulations", 0.985, {"the ANN, as the paper counts": 2.3e5},
    ),
    "rates by layer": lambda: plots_resnet.rates_by_layer({"a": rising(1.0)[:19] / 2}),
    "loss by depth": lambda: plots_resnet.loss_by_depth({"a": {20: 1, 32: 2}, "b paper": {110: 3}}),
    "accuracy over steps": lambda: plots_resnet.accuracy_over_steps(
        {"better": rising(0.95), "worse": rising(0.6)}, 0.9
    ),
    "sweep": lambda: plots_sweep.accuracy_over_costs(
        {"time steps": [10, 80], "spikes": [1e3, 9e4], "synaptic operations": [1e5, 2e5]},
        [0.5, 0.9], 0.95,
    ),
    "accuracy by samples": lambda: plots_skim.accuracy_by_samples(by_samples()),
    "distributions": lambda: plots_skim.distributions(
        dict.fromkeys(PATTERNS, trials()["max"]), dict.fromkeys(PATTERNS, TESTS)
    ),
    "spread": lambda: plots_skim.spread_by_method(trials()),
    "errors": lambda: plots_skim.errors_by_pattern(dict.fromkeys(PATTERNS, trials())),
    "inference": lambda: plots_slayer.accuracy_over_time(
        {loss: {"mean": rising(0.9), "sd": None, "latency": 30} for loss in LOSSES}, 25
    ),
    "spikes by layer": lambda: plots_slayer.spikes_by_layer(
        {loss: {"input": (1000, 10), "dense": (300.0, 5), "output": (1, None)} for loss in LOSSES}
    ),
    "training": lambda: plots_slayer.training_curves(
        {loss: {"accuracy": CURVE, "loss": CURVE} for loss in LOSSES}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PICTURES)
def test_every_text_is_read_and_every_curve_ends_in_sight(name):
    figure = PICTURES[name]()
    assert unreadable(figure) == []
    assert [label for axes in figure.axes for label in out_of_sight(axes)] == []


def test_what_cannot_be_read_is_found():
    """Names side by side that are wider than their cells, and a curve below its axes."""
    figure = plots.confusion(matrix(6), LONG)
    axes = figure.axes[0]
    axes.set_xticks(range(6), LONG, rotation=0)
    assert any("overlap" in text for text in unreadable(figure))
    figure = plots.accuracy_over_time({"event": rising(0.5)}, 0.9)
    figure.axes[0].set_ylim(0.8, 1)
    assert len(out_of_sight(figure.axes[0])) == 1


def test_a_key_names_only_what_is_drawn():
    rows = [{"name": "a", "paper": None, "ours_mean": 0.5}]
    figures = {
        "ours": plots.beside_paper(rows),
        "output 0, the true class": plots_delta.potentials_over_time([1, 2], [[1], [2]], 0, 3),
    }
    for name, figure in figures.items():
        (legend,) = figure.legends
        assert [text.get_text() for text in legend.get_texts()] == [name]


def test_names_that_are_too_long_lose_their_middle_and_stay_apart():
    assert fitted("short", 18) == "short"
    assert fitted("Left index finger, firm press", 18, 2) == "Left index finger,\nfirm press"
    assert fitted("abcdefghij", 5) == "ab\N{HORIZONTAL ELLIPSIS}ij"
    names = ["abcdefghij", "ab1234ghij", "x"]
    assert len(set(told_apart(names, 5))) == 3
    assert all(len(text) <= 5 for text in told_apart(names, 5))


def test_accuracies_between_whole_percents_are_written_as_they_are():
    figure = plots_resnet.accuracy_over_steps({"a": rising(0.9)}, 0.9)
    figure.canvas.draw()
    axis = figure.axes[0].yaxis
    for label, place in zip(axis.get_ticklabels(), axis.get_ticklocs()):
        assert float(label.get_text().rstrip("%")) == pytest.approx(100 * place)
