"""Runs of SKIM networks for the paper's figures and tables; each goes on where it was stopped.

A cell's results are a JSON file, written after each test. What has been summed up for a network of
many hidden neurons lies beside it until the network is finished.
"""

import dataclasses
import functools
import time
from pathlib import Path

import numpy as np

from nengo_tactile import files, skim
from nengo_tactile.datasets.nmnist import NMNIST
from nengo_tactile.datasets.nmnist_simulated import SimulatedNMNIST, recorded_digits
from nengo_tactile.doors.archives import read_npz
from nengo_tactile.doors.plain import Door
from nengo_tactile.errors import DataError, ModelFileError
from nengo_tactile.events.patterns import PatternLayout
from nengo_tactile.experiments.workers import Cell
from nengo_tactile.files import path_of
from nengo_tactile.lazy import cached_property
from nengo_tactile.papers.skim import online, transfer
from nengo_tactile.papers.skim.patterns import Chosen, pattern_set
from nengo_tactile.papers.skim.plan import (
    EVERY,
    METHOD,
    PATTERN,
    UP_TO,
    draw,
    supervision,
    trial_seed,
)
from nengo_tactile.progress import track
from nengo_tactile.skim import trainer
from nengo_tactile.skim.memory import peak_bytes
from nengo_tactile.skim.supervision import METHODS, PATTERNS

N_CLASSES = 10
#: Test digits whose outputs are held at once.
_MINIBATCH = 500


@dataclasses.dataclass(frozen=True, eq=False)
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

    @cached_property
    def digest(self):
        """Of all patterns, in their order."""
        sets = (self.train, self.test, self.recordings, self.recorded_test, self.same)
        return files.fingerprint([chosen and chosen.digest for chosen in sets])

    @property
    def n_channels(self):
        """Channels of the patterns."""
        return self.train.patterns.n_channels


def cells(plan, data_dir):
    """Cells: a hidden size each, a trial, crossing over, a tactile set, a way of learning."""
    digits = {"n_samples": plan.n_samples, "n_test": plan.n_test, "data_dir": data_dir}
    digits["recordings"] = plan.recordings and str(path_of(plan.recordings).absolute())
    digits |= {"kernels": plan.kernels, "seed": plan.seed}
    trial = {"n_hidden": plan.trial_hidden, "trial_samples": plan.trial_samples, **digits}
    stem = f"trial-{plan.kernels}-{plan.trial_hidden}-{plan.trial_samples}"
    found = {
        "growth": [
            Cell(f"growth-{plan.kernels}-{n}", grow, {"n_hidden": n, **digits}) for n in plan.hidden
        ],
        "trials": [
            Cell(f"{stem}-{number}", try_patterns, {"number": number, **trial})
            for number in range(plan.n_trials)
        ],
        "crossing": [Cell(f"crossing-{plan.kernels}", transfer.cross, digits)],
        "tactile": [
            Cell(f"tactile-{name}", transfer.feel, options)
            for name, options in transfer.options(plan.seed, data_dir).items()
        ],
        "online": [
            Cell(f"online-{way.replace(' ', '-').lower()}", online.learn, options)
            for way, options in online.options(plan, data_dir).items()
        ],
    }
    return [cell for part in found if part in plan.parts for cell in found[part]]


def read_digits(ledger, n_samples, n_test, recordings, seed, data_dir):
    """Simulate the digits of MNIST, or open the whole N-MNIST, and the recordings besides.

    Once for all cells of a process.

    Parameters
    ----------
    ledger : Ledger
        Whose study gets the patterns.
    n_samples, n_test : int or None
    recordings : path or None
    seed : int
    data_dir : path, optional

    Returns
    -------
    Digits
    """
    with ledger.study.turn("patterns"):
        about = (n_samples, n_test, recordings, seed, data_dir)
        return _digits(*about, str(ledger.folder), ledger.progress)


@functools.lru_cache(maxsize=1)
def _digits(n_samples, n_test, recorded, seed, data_dir, folder, progress):
    layout, rng = PatternLayout(), np.random.default_rng(seed)
    recordings = recorded_test = same = None
    numbers = np.zeros(0, int)
    if recorded is None:
        sets = [SimulatedNMNIST(data_dir, split, seed=seed) for split in ("train", "test")]
        about = "simulated N-MNIST"
    else:
        sets = [NMNIST(recorded, split) for split in ("train", "test")]
        about = f"N-MNIST, {len(sets[0]):,} recordings"
    if recorded is None:
        recordings, recorded_test, numbers = _recorded(layout, data_dir, progress)
    others = np.setdiff1d(np.arange(len(sets[0])), numbers)
    order = np.concatenate([rng.permutation(others), rng.permutation(numbers)])[:n_samples]
    tested = rng.permutation(len(sets[1]))[:n_test]
    places = [Path(folder) / "patterns" / split for split in ("train", "test")]
    train, shown = _of_split(sets[0], layout, places[0], progress, order, numbers)
    (test,) = _of_split(sets[1], layout, places[1], progress, tested)
    same = None if recordings is None else shown
    return Digits(train, test, recordings, recorded_test, same, about)


def _of_split(dataset, layout, place, progress, *wanted):
    """Some samples of a split, several times: of many the patterns of all are made and kept."""
    needed, about = np.unique(np.concatenate(wanted)), f"{place.name} digits"
    if 2 * len(needed) > len(dataset):
        patterns = pattern_set(dataset, layout, place, about, progress)
        return [Chosen(patterns, indices) for indices in wanted]
    place = place.with_name(f"{place.name}-{files.fingerprint(needed)[:8]}")
    patterns = pattern_set(dataset, layout, place, about, progress, needed)
    return [Chosen(patterns, np.searchsorted(needed, indices)) for indices in wanted]


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


def begin(ledger, layer, taught, digits, start=None):
    """The state of a cell that trains a hidden layer on the digits."""
    settings = trainer.fingerprint(layer, taught, N_CLASSES)
    return ledger.begin(settings, {"data digits": digits.digest}, start)


def grow(ledger, n_hidden, kernels, seed, **chosen):
    """Train a network on more and more digits, then test its weights of all times at once.

    For Figure 4, Tables 1 and 2. The test digits' hidden activity, which costs more than anything
    else in a test, is computed once for all weights.

    Parameters
    ----------
    ledger : Ledger
    n_hidden : int
    kernels : str
    seed : int
    **chosen
        For `read_digits`.

    Returns
    -------
    dict
        ``n_hidden``, ``pattern``, ``method``, ``points`` (n_train, data, n_test, hits),
        ``seconds`` by what they were spent on, ``peak_bytes`` of the process.
    """
    digits, taught = read_digits(ledger, seed=seed, **chosen), supervision()
    layer = draw(kernels, seed, n_hidden, digits.n_channels)
    start = {"part": "growth", "digits": digits.about, "kernels": kernels, "n_hidden": n_hidden}
    start |= {"pattern": PATTERN, "method": METHOD, "points": []}
    start |= {"seconds": {"training": 0.0, "testing": 0.0}, "peak_bytes": 0}
    state = begin(ledger, layer, taught, digits, start)
    if state["points"]:
        return ledger.finished(state, *_kept(ledger.path))
    times = sorted({n_train for _, _, times in _tests(digits) for n_train in times})
    learnt = learn(ledger, layer, taught, digits, times, state)
    began = time.monotonic()
    for data, tested, times in _tests(digits):
        weights = [learnt[n_train] for n_train in times]
        hits = hits_of(layer, weights, tested, taught, ledger.progress)
        for n_train, right in zip(times, hits):
            point = {"n_train": n_train, "data": data, "n_test": len(tested), "hits": int(right)}
            state["points"].append(point)
    state["seconds"]["testing"] = time.monotonic() - began
    state["peak_bytes"] = max(state["peak_bytes"], peak_bytes())
    ledger.write(state)
    return ledger.finished(state, *_kept(ledger.path))


def _kept(path):
    """What training keeps beside a cell's file: sums, and the weights so far."""
    return path.with_suffix(".sums.npz"), path.with_suffix(".weights.npz")


def learn(ledger, layer, taught, digits, times, state):
    """Output weights after so many training digits each; goes on behind those that are on disk.

    Parameters
    ----------
    ledger : Ledger
        Gets ``state`` after each of them; sums and weights are kept beside its file.
    layer : HiddenLayer
    taught : Supervision
    digits : Digits
    times : list of int
        Sorted.
    state : dict
        Its ``seconds`` of ``training`` and ``peak_bytes`` grow.

    Returns
    -------
    dict of int to array
    """
    sums, place = _kept(ledger.path)
    # without the cell's file, which has agreed with this network, weights may be of another
    learnt = _weights_in(place) if ledger.path.exists() and place.exists() else {}
    for n_train in (n_train for n_train in times if n_train not in learnt):
        began = time.monotonic()
        samples = Chosen(digits.train.patterns, digits.train.indices[:n_train])
        # the sums are read anew each time: those of before would be there beside them
        learnt[n_train] = skim.train(
            layer, samples, taught, N_CLASSES, state_path=sums, progress=ledger.progress
        )[0]
        state["seconds"]["training"] += time.monotonic() - began
        state["peak_bytes"] = max(state["peak_bytes"], peak_bytes())
        ledger.write(state)
        files.write_npz(place, {str(n): weights for n, weights in learnt.items()})
    return learnt


def _weights_in(place):
    door = Door(ModelFileError, "remove it to train again")
    with door.guarded(place, "cannot be read as output weights"):
        return {int(n): weights for n, weights in read_npz(place, door).items()}


def _tests(digits):
    """What is tested on: kind, digits, after how many training digits."""
    n = len(digits.train)
    times = sorted({*range(EVERY, min(n, UP_TO) + 1, EVERY), min(n, UP_TO), n})
    found = [("simulated", digits.test, times)]
    if digits.recordings is not None:
        # those digits come last, and are tested before
        unseen = n - len(digits.recordings) if n == len(digits.train.patterns) else n
        found.append(("recordings", digits.recordings, [unseen]))
        found.append(("recorded test", digits.recorded_test, [n]))
    return found


def hits_of(layer, weights, chosen, taught, progress):
    """How many digits each of several networks gets right that have a hidden layer in common."""
    hits = np.zeros(len(weights), int)
    for outputs, targets in _outputs(layer, weights, chosen, taught, progress):
        hits += (skim.determine(outputs, METHOD, taught) == targets).sum(1)
    return hits


def _outputs(layer, weights, chosen, taught, progress):
    """Iterate over a minibatch's outputs, (n_networks, n_samples, window, classes), and labels."""
    together = np.concatenate(weights)
    starts = range(0, len(chosen), _MINIBATCH)
    for start in track(starts, "testing SKIM", progress=progress):
        part = Chosen(chosen.patterns, chosen.indices[start : start + _MINIBATCH])
        outputs = skim.read_out(layer, together, part.alone(), taught, progress=False)
        outputs = outputs.reshape(*outputs.shape[:2], len(weights), -1)
        yield np.moveaxis(outputs, 2, 0), part.targets


class Together:
    """Several supervisions of the same window, with outputs of their own, learnt at once.

    For `nengo_tactile.skim.train`, with ``n_classes`` the outputs of all parts.

    Parameters
    ----------
    parts : dict of str to Supervision
    """

    def __init__(self, parts):
        self.parts = parts
        one = next(iter(parts.values()))
        self.n_steps, self.window, self.first = one.n_steps, one.window, one.first
        self.onset = one.onset
        self.pattern = np.concatenate([part.pattern for part in parts.values()])

    def targets(self, label, n_outputs, sample=""):
        """(window, n_outputs), part after part."""
        n_classes = n_outputs // len(self.parts)
        return np.hstack([p.targets(label, n_classes, sample) for p in self.parts.values()])


def try_patterns(ledger, number, n_hidden, trial_samples, kernels, seed, **chosen):
    """Train a network with random weights of its own (Figures 5 to 7, Tables 3 and 4).

    It learns all training patterns at once, because they have the hidden activity in common, and
    is read in all ways.

    Returns
    -------
    dict
        ``n_hidden``, ``n_train``, ``n_test``, ``length``, ``seed``, ``hits`` by pattern and
        method.
    """
    digits = read_digits(ledger, seed=seed, **chosen)
    taught = Together({kind: supervision(kind) for kind in PATTERNS})
    train = Chosen(digits.train.patterns, digits.train.indices[:trial_samples])
    layer = draw(kernels, seed, n_hidden, digits.n_channels, number)
    state = begin(ledger, layer, taught.parts[PATTERN], digits)
    if state is not None:
        return state
    weights, _ = skim.train(layer, train, taught, N_CLASSES * len(taught.parts), progress=False)
    state = {
        "part": "trials",
        "digits": digits.about,
        "n_hidden": n_hidden,
        "n_train": len(train),
        "n_test": len(digits.test),
        "length": len(taught.parts[PATTERN].pattern),
        "seed": trial_seed(seed, number),
        "hits": _hits_in_all_ways(layer, weights, digits.test, taught),
    }
    ledger.write(state)
    return state


def _hits_in_all_ways(layer, weights, chosen, taught):
    """Digits that are right, by training pattern and output determination."""
    hits = {kind: dict.fromkeys(METHODS, 0) for kind in taught.parts}
    weights = np.split(weights, len(taught.parts))
    for outputs, targets in _outputs(layer, weights, chosen, taught, False):
        for (kind, part), own in zip(taught.parts.items(), outputs):
            for method in METHODS:
                right = skim.determine(own, method, part) == targets
                hits[kind][method] += int(right.sum())
    return hits
