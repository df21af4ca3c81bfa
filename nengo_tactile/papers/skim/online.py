"""SKIM that learns while it runs: OPIUM and Nengo's PES in the Nengo network.

Recording by recording, beside the closed form over the same ones. Not in the paper.
"""

import functools
import time

import numpy as np

from nengo_tactile import files, skim
from nengo_tactile.doors.archives import read_npz
from nengo_tactile.doors.plain import Door
from nengo_tactile.errors import ModelFileError
from nengo_tactile.nengo_runs import simulator
from nengo_tactile.papers.skim import runs, transfer
from nengo_tactile.papers.skim.patterns import Chosen
from nengo_tactile.papers.skim.plan import LAYERS, METHOD, TACTILE_KERNELS, supervision
from nengo_tactile.skim import trainer
from nengo_tactile.skim.activity import prepare
from nengo_tactile.skim.kernels import DT
from nengo_tactile.skim.layer import draw_layer

#: The recordings: touches of a real skin.
NAME = "stemnist"
#: Recordings after which the networks are tested, besides all.
TIMES = (50, 100, 200, 350, 500, 700, 1000, 1500, 2000, 3000)
#: What squared weights cost the closed form and OPIUM. So many neurons fit few recordings whole:
#: of 1 to 10,000, 3,000 and 10,000 had the most of 500 held-out training recordings right (0.51
#: after 2,000 recordings), and 1 no more than 0.12.
RIDGE = 3000.0
#: What PES takes of an error at a step: its rate times the squared activity of the hidden neurons;
#: above two it is not stable. Of 0.002 to 0.02 the best on the same recordings.
PES_SHARE = 0.002
#: Recordings of which that activity is taken.
_MEASURED = 20


def options(plan, data_dir):
    """Options of `learn` for each cell, by the way of learning."""
    shared = {"n_hidden": plan.online_hidden, "n_samples": plan.online_samples}
    return {way: {"way": way, **shared, "seed": plan.seed, "data_dir": data_dir} for way in WAYS}


def learn(ledger, way, n_hidden, n_samples, seed, data_dir):
    """Show training recordings once, and test the weights after more and more of them.

    Parameters
    ----------
    ledger : Ledger
    way : str
        Of `WAYS`.
    n_hidden : int
    n_samples : int or None
        Training recordings, in a random order; all.
    seed : int
    data_dir : path, optional

    Returns
    -------
    dict
        ``way``, ``data``, ``n_hidden``, ``points`` (n_train, n_test, hits), ``seconds`` of
        learning.
    """
    patterns = transfer.tactile_patterns(ledger, NAME, data_dir)
    train, test = (Chosen(each, np.arange(len(each))) for each in patterns)
    order = np.random.default_rng(seed).permutation(len(train))[:n_samples]
    train, n_classes = Chosen(patterns[0], order), len(np.unique(patterns[0].targets))
    layer = draw_layer(n_hidden, patterns[0].n_channels, seed, **LAYERS[TACTILE_KERNELS])
    taught = supervision()
    settings = [trainer.fingerprint(layer, taught, n_classes), way, train.digest, RIDGE, PES_SHARE]
    inputs = {f"data {NAME}": " ".join(each.digest for each in patterns)}
    start = {"part": "online", "way": way, "data": NAME, "n_hidden": n_hidden, "points": []}
    state = ledger.begin(settings, inputs, start | {"seconds": 0.0})
    if state["points"]:
        return ledger.finished(state, *_kept(ledger))
    times = sorted({*(n for n in TIMES if n < len(train)), len(train)})
    weights = WAYS[way](ledger, state, layer, train, taught, n_classes, times)
    hits = runs.hits_of(layer, weights, test, taught, ledger.progress)
    for n_train, right in zip(times, hits):
        state["points"].append({"n_train": n_train, "n_test": len(test), "hits": int(right)})
    ledger.write(state)
    return ledger.finished(state, *_kept(ledger))


def _kept(ledger):
    """What learning keeps beside a cell's file: the weights so far, and sums to go on from."""
    return ledger.path.with_suffix(".weights.npz"), ledger.path.with_suffix(".sums.npz")


def _growing(ledger, state, times, step):
    """Weights at all times; ``step(done, n, found)`` makes `OpiumState` after n of that before."""
    place, learnt, found = _kept(ledger)[0], {}, None
    if ledger.path.exists() and place.exists():
        learnt, found = _read(place)
    for done, n in zip([0, *times], times):
        if n in learnt:
            continue
        began = time.monotonic()
        found = step(done, n, found)
        state["seconds"] += time.monotonic() - began
        learnt[n] = found.weights
        ledger.write(state)
        arrays = {str(n): weights for n, weights in learnt.items()}
        arrays |= {} if found.inverse is None else {"inverse": found.inverse}
        files.write_npz(place, arrays, compress=False)
    return [learnt[n] for n in times]


def _read(place):
    """Weights by recordings, and the last state."""
    door = Door(ModelFileError, "remove it to learn anew")
    with door.guarded(place, "cannot be read as output weights"):
        arrays = dict(read_npz(place, door))
        inverse = arrays.pop("inverse", None)
        learnt = {int(n): weights for n, weights in arrays.items()}
        return learnt, skim.OpiumState(learnt[max(learnt)], inverse)


def _closed_form(ledger, state, layer, train, taught, n_classes, times):
    """Least squares over all recordings so far."""
    _, sums = _kept(ledger)

    def step(done, n, found):
        samples = Chosen(train.patterns, train.indices[:n])
        weights, _ = skim.train(
            layer,
            samples,
            taught,
            n_classes,
            ridge=RIDGE,
            state_path=sums,
            progress=ledger.progress,
        )
        return skim.OpiumState(weights)

    return _growing(ledger, state, times, step)


def _in_nengo(rule_of, ledger, state, layer, train, taught, n_classes, times):
    """A rule in the running network."""

    def step(done, n, found):
        found = found or skim.OpiumState(np.zeros((n_classes, layer.n_hidden)))
        net = skim.build(layer, found.weights, rule_of(layer, train, taught, found.inverse))
        samples = Chosen(train.patterns, train.indices[done:n])
        with simulator(net) as sim:
            return skim.learn(sim, net, samples, taught, ledger.progress)

    return _growing(ledger, state, times, step)


def _opium(layer, train, taught, inverse):
    return functools.partial(skim.Opium, ridge=RIDGE, inverse=inverse)


def _pes(layer, train, taught, inverse):
    samples = [train[number] for number in range(min(_MEASURED, len(train)))]
    shown = [(pattern, 0) for pattern, _ in samples]
    activity, _ = trainer.observations(prepare(layer), shown, taught, 1)
    return skim.pes(PES_SHARE * layer.n_hidden / (DT * (activity**2).sum(-1).mean()))


#: How the networks learn, as tables call them.
WAYS = {
    "closed form": _closed_form,
    "OPIUM": functools.partial(_in_nengo, _opium),
    "PES": functools.partial(_in_nengo, _pes),
}


def numbers(states, share):
    """What tables and the picture show of the cells' states.

    Parameters
    ----------
    states : list of dict
        Of `learn`.
    share : callable
        ``share(counts, name)`` is an accuracy.

    Returns
    -------
    dict or None
        ``data``, ``n_hidden``, ``method``, ``ridge``, ``seconds`` ({way: seconds}), ``rows``
        (n_train, n_test, and the accuracy of each way); None without states.
    """
    found = {state["way"]: state for state in states if state["points"]}
    if not found:
        return None
    rows = {}
    for way, state in found.items():
        for point in state["points"]:
            row = {"n_train": point["n_train"], "n_test": point["n_test"]}
            rows.setdefault(point["n_train"], row)[way] = share(point, way)
    first = next(iter(found.values()))
    return {
        **{key: first[key] for key in ("data", "n_hidden")},
        "method": METHOD,
        "ridge": RIDGE,
        "seconds": {way: state["seconds"] for way, state in found.items()},
        "rows": [rows[n] for n in sorted(rows)],
    }
