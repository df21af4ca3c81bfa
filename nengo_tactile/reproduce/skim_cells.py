"""Runs of SKIM networks for the paper's figures and tables; each goes on where it was stopped.

A cell's results are a JSON file, written after each test. What has been summed up for a network of
many hidden neurons lies beside it until the network is finished.
"""

import dataclasses
import itertools
import time
from pathlib import Path

import numpy as np

from nengo_tactile import files, skim
from nengo_tactile.datasets.nmnist import NMNIST
from nengo_tactile.datasets.nmnist_simulated import SimulatedNMNIST, recorded_digits
from nengo_tactile.datasets.registry import open_dataset
from nengo_tactile.errors import DataError
from nengo_tactile.events.patterns import PatternLayout
from nengo_tactile.progress import track
from nengo_tactile.reproduce.cells import stored
from nengo_tactile.reproduce.skim_data import Chosen, pattern_set
from nengo_tactile.reproduce.skim_plan import (
    EVERY,
    METHOD,
    PATTERN,
    TACTILE,
    TESTED,
    UP_TO,
    supervision,
)
from nengo_tactile.skim import trainer
from nengo_tactile.skim.activity import prepare
from nengo_tactile.skim.memory import peak_bytes
from nengo_tactile.skim.supervision import METHODS, PATTERNS

N_CLASSES = 10
#: Hidden neurons of the networks that cross over, and of those for tactile digits.
CROSSING_HIDDEN, TACTILE_HIDDEN = 1000, 1000
#: Networks, with weights of their own, that cross over.
CROSSING_NETWORKS = 5
#: Labels of STEMNIST that are digits, 1 to 9.
_STEMNIST_DIGITS = range(26, 35)


@dataclasses.dataclass(frozen=True)
class Digits:
    """What networks are trained and tested on.

    Attributes
    ----------
    train, test : Chosen
        Training digits in a random order, those that were recorded last; test digits in a random
        order.
    recordings, recorded_test : Chosen or None
        The recordings of N-MNIST that the package finds, of training and test digits.
    same : Chosen or None
        The simulated digits of ``recordings``, in their order.
    about : str
        What the training digits are.
    """

    train: Chosen
    test: Chosen
    recordings: Chosen | None
    recorded_test: Chosen | None
    same: Chosen | None
    about: str


def read_digits(plan, folder, data_dir=None, progress=None):
    """Simulate the digits of MNIST, or open the whole N-MNIST, and the recordings besides.

    Parameters
    ----------
    plan : skim_plan.Plan
    folder : path
        Gets the patterns.
    data_dir : path, optional
    progress : bool, optional

    Returns
    -------
    Digits
    """
    layout, rng = PatternLayout(), np.random.default_rng(plan.seed)
    recordings = recorded_test = same = None
    numbers = np.zeros(0, int)
    if plan.recordings is None:
        sets = [SimulatedNMNIST(data_dir, split, seed=plan.seed) for split in ("train", "test")]
        about = "simulated N-MNIST"
    else:
        sets = [NMNIST(plan.recordings, split) for split in ("train", "test")]
        about = f"N-MNIST, {len(sets[0]):,} recordings"
    patterns = []
    for dataset, split in zip(sets, ("train", "test")):
        place = Path(folder) / "patterns" / split
        patterns.append(pattern_set(dataset, layout, place, f"{split} digits", progress))
    if plan.recordings is None:
        recordings, recorded_test, numbers = _recorded(layout, data_dir, progress)
        same = None if recordings is None else Chosen(patterns[0], numbers)
    others = np.setdiff1d(np.arange(len(patterns[0])), numbers)
    order = np.concatenate([rng.permutation(others), rng.permutation(numbers)])
    if plan.n_samples is not None:
        order = order[: plan.n_samples]
    tested = rng.permutation(len(patterns[1]))[: plan.n_test]
    train, test = Chosen(patterns[0], order), Chosen(patterns[1], tested)
    return Digits(train, test, recordings, recorded_test, same, about)


def _recorded(layout, data_dir, progress):
    """Recordings of training and test digits, and which images the former show; none, none."""
    try:
        found, order, numbers = recorded_digits(data_dir, "train")
        test = NMNIST(data_dir, "test")
    except DataError:
        return None, None, np.zeros(0, int)
    train = pattern_set(found, layout, None, "recordings", progress)
    tests = pattern_set(test, layout, None, "recorded test digits", progress)
    return Chosen(train, order), Chosen(tests, np.arange(len(tests))), numbers


def grow(plan, n_hidden, digits, folder, progress=None):
    """Train a network on more and more digits, and test it on the way (Figure 4, Tables 1, 2).

    Parameters
    ----------
    plan : skim_plan.Plan
    n_hidden : int
    digits : Digits
    folder : path
    progress : bool, optional

    Returns
    -------
    dict
        ``n_hidden``, ``pattern``, ``method``, ``points`` (n_train, data, n_test, hits),
        ``seconds`` by what they were spent on, ``peak_bytes`` of the process.
    """
    path = Path(folder) / "cells" / f"growth-{plan.kernels}-{n_hidden}.json"
    sums = path.with_suffix(".sums.npz")
    taught = supervision()
    layer = plan.draw(n_hidden, digits.train.patterns.n_channels)
    mark = _mark(layer, taught, digits)
    state = stored(path, mark) or {
        "fingerprint": mark,
        "kernels": plan.kernels,
        "n_hidden": n_hidden,
        "pattern": PATTERN,
        "method": METHOD,
        "points": [],
        "seconds": {"training": 0.0, "testing": 0.0},
        "peak_bytes": 0,
    }
    done = {point["n_train"] for point in state["points"]}
    for n_train, tests in _tests(digits):
        if n_train in done:
            continue
        began = time.monotonic()
        samples = Chosen(digits.train.patterns, digits.train.indices[:n_train])
        weights, _ = skim.train(
            layer, samples, taught, N_CLASSES, state_path=sums, progress=progress
        )
        between = time.monotonic()
        points = [
            {
                "n_train": n_train,
                "data": data,
                "n_test": len(chosen),
                "hits": _hits(layer, weights, chosen, taught, progress),
            }
            for data, chosen in tests
        ]
        state["points"] += points
        state["seconds"]["training"] += between - began
        state["seconds"]["testing"] += time.monotonic() - between
        state["peak_bytes"] = max(state["peak_bytes"], peak_bytes())
        files.write_json(path, state)
    sums.unlink(missing_ok=True)
    return state


def _tests(digits):
    """After how many training digits is tested on what."""
    n = len(digits.train)
    some = Chosen(digits.test.patterns, digits.test.indices[:TESTED])
    found = {}
    for n_train in range(EVERY, min(n, UP_TO) + 1, EVERY):
        found[n_train] = [("simulated", some)]
    for n_train in {min(n, UP_TO), n}:
        found[n_train] = [("simulated", digits.test)]
    if digits.recordings is not None:
        # those digits come last, and are tested before
        unseen = n - len(digits.recordings) if n == len(digits.train.patterns) else n
        found[unseen] = [*found.get(unseen, []), ("recordings", digits.recordings)]
        found[n] = [*found[n], ("recorded test", digits.recorded_test)]
    return sorted(found.items())


def _hits(layer, weights, chosen, taught, progress, method=METHOD):
    outputs = skim.read_out(layer, weights, chosen.events(), taught, progress=progress)
    return int((skim.determine(outputs, method, taught) == chosen.targets).sum())


def _mark(layer, taught, digits):
    """What a cell's file must agree with."""
    chosen = [digits.train.indices, digits.test.indices]
    marks = [len(indices) for indices in chosen] + [int(indices[0]) for indices in chosen]
    return f"{trainer.fingerprint(layer, taught, N_CLASSES)[:16]} {digits.about} {marks}"


class Together:
    """Several supervisions of the same window, with outputs of their own, learnt at once.

    Parameters
    ----------
    parts : dict of str to Supervision
    """

    def __init__(self, parts):
        self.parts = parts
        one = next(iter(parts.values()))
        self.n_steps, self.window, self.first = one.n_steps, one.window, one.first

    def targets(self, label, n_classes, sample=""):
        """(window, n_parts * n_classes), part after part."""
        return np.hstack([p.targets(label, n_classes, sample) for p in self.parts.values()])


def try_patterns(plan, digits, folder, progress=None):
    """Train networks with random weights of their own (Figures 5 to 7, Tables 3 and 4).

    Each learns all training patterns at once, because they have the hidden activity in common, and
    is read in all ways.

    Parameters
    ----------
    plan : skim_plan.Plan
    digits : Digits
    folder : path
    progress : bool, optional

    Returns
    -------
    dict
        ``n_hidden``, ``n_train``, ``n_test``, ``length``, ``trials`` (seed, hits by pattern and
        method).
    """
    taught = Together({kind: supervision(kind) for kind in PATTERNS})
    train = Chosen(digits.train.patterns, digits.train.indices[: plan.trial_samples])
    path = Path(folder) / "cells" / f"trials-{plan.kernels}-{plan.trial_hidden}-{len(train)}.json"
    n_channels = digits.train.patterns.n_channels
    first = plan.draw(plan.trial_hidden, n_channels, 0)
    mark = _mark(first, taught.parts[PATTERN], digits)
    state = stored(path, mark) or {
        "fingerprint": mark,
        "kernels": plan.kernels,
        "n_hidden": plan.trial_hidden,
        "n_train": len(train),
        "n_test": len(digits.test),
        "length": len(taught.parts[PATTERN].pattern),
        "trials": [],
    }
    numbers = range(len(state["trials"]), plan.n_trials)
    for number in track(numbers, "networks with weights of their own", progress=progress):
        layer = plan.draw(plan.trial_hidden, n_channels, number)
        weights = _train_together(layer, train, taught)
        outputs = skim.read_out(layer, weights, digits.test.events(), taught, progress=False)
        hits = {}
        for place, (kind, part) in enumerate(taught.parts.items()):
            own = outputs[..., place * N_CLASSES : (place + 1) * N_CLASSES]
            hits[kind] = {
                method: int((skim.determine(own, method, part) == digits.test.targets).sum())
                for method in METHODS
            }
        state["trials"].append({"seed": plan.trial_seed(number), "hits": hits})
        files.write_json(path, state)
    return {**state, "trials": state["trials"][: plan.n_trials]}


def _train_together(layer, samples, taught):
    """Output weights for all training patterns, part after part."""
    equations = trainer.empty(layer.n_hidden, len(taught.parts) * N_CLASSES)
    prepared, size = prepare(layer), trainer.chunk_size(layer.n_hidden, taught.window)
    shown = iter(samples[number] for number in range(len(samples)))
    while chunk := list(itertools.islice(shown, size)):
        seen = trainer.observations(prepared, chunk, taught, N_CLASSES, equations.n_samples)
        trainer.accumulate(equations, *seen)
    return trainer.solve(equations)


def cross(plan, digits, folder, progress=None):
    """Train on simulated digits and test on recorded ones, and the reverse.

    Training takes the digits of even number, on whose recordings the simulator was fitted, tests
    take the odd ones.

    Returns
    -------
    dict or None
        ``n_hidden``, ``n_networks``, ``rows`` (train, test, n_train, n_test, hits: of all networks
        together); None without recordings.
    """
    if digits.recordings is None:
        return None
    path = Path(folder) / "cells" / f"crossing-{plan.kernels}.json"
    n_channels, taught = digits.train.patterns.n_channels, supervision()
    layers = [plan.draw(CROSSING_HIDDEN, n_channels, number) for number in range(CROSSING_NETWORKS)]
    mark = _mark(layers[0], taught, digits)
    state = stored(path, mark)
    if state is not None:
        return state
    sets = {"simulated": digits.same, "recordings": digits.recordings}
    even, odd = ({k: Chosen(s.patterns, s.indices[i::2]) for k, s in sets.items()} for i in (0, 1))
    rows = {(a, b): 0 for a in sets for b in sets}
    for layer in track(layers, "crossing over", progress=progress):
        for kind, samples in even.items():
            weights, _ = skim.train(layer, samples, taught, N_CLASSES, progress=False)
            for other, tests in odd.items():
                rows[kind, other] += _hits(layer, weights, tests, taught, False)
    state = {
        "fingerprint": mark,
        "n_hidden": CROSSING_HIDDEN,
        "n_networks": CROSSING_NETWORKS,
        "rows": [
            {
                "train": kind,
                "test": other,
                "n_train": len(even[kind]),
                "n_test": len(odd[other]) * CROSSING_NETWORKS,
                "hits": hits,
            }
            for (kind, other), hits in rows.items()
        ],
    }
    files.write_json(path, state)
    return state


def feel(plan, folder, data_dir=None, progress=None):
    """Train on tactile digits: the simulated e-skin's, and STEMNIST's.

    Returns
    -------
    dict
        ``rows``: data, about, n_hidden, n_train, n_test, n_steps, n_classes, hits.
    """
    rows = []
    for name, layout in TACTILE.items():
        sets = [open_dataset(name, split, data_dir) for split in ("train", "test")]
        patterns = [
            pattern_set(dataset, layout, Path(folder) / "patterns" / f"{name}-{split}",
                        f"{name}, {split}", progress)
            for dataset, split in zip(sets, ("train", "test"))
        ]  # fmt: skip
        about = f"{name}: all classes" if name == "stemnist" else name
        rows.append(_feel(plan, name, about, patterns, None, folder, progress))
        if name == "stemnist":
            digits = np.array(_STEMNIST_DIGITS)
            rows.append(_feel(plan, name, f"{name}: digits", patterns, digits, folder, progress))
    return {"rows": rows}


def _feel(plan, name, about, patterns, labels, folder, progress):
    labels = np.unique(patterns[0].targets) if labels is None else labels
    layer = plan.draw(TACTILE_HIDDEN, patterns[0].n_channels)
    taught = supervision()
    mark = f"{trainer.fingerprint(layer, taught, len(labels))[:16]} {about}"
    path = (
        Path(folder)
        / "cells"
        / f"tactile-{plan.kernels}-{about.replace(': ', '-').replace(' ', '-')}.json"
    )
    state = stored(path, mark)
    if state is not None:
        return state
    train, test = (Chosen(p, np.flatnonzero(np.isin(p.targets, labels))) for p in patterns)
    samples = [(events, int(np.searchsorted(labels, label))) for events, label in train]
    weights, _ = skim.train(layer, samples, taught, len(labels), progress=progress)
    outputs = skim.read_out(layer, weights, test.events(), taught, progress=progress)
    found = labels[skim.determine(outputs, METHOD, taught)]
    state = {
        "fingerprint": mark,
        "data": name,
        "about": about,
        "n_hidden": TACTILE_HIDDEN,
        "n_train": len(train),
        "n_test": len(test),
        "n_steps": taught.n_steps,
        "n_classes": len(labels),
        "hits": int((found == test.targets).sum()),
    }
    files.write_json(path, state)
    return state
