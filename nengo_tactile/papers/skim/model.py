"""The SKIM paper's network as a shipped model."""

import numpy as np

from nengo_tactile import engines, skim
from nengo_tactile.commands.tasks import TASKS
from nengo_tactile.datasets.nmnist import NMNIST
from nengo_tactile.events.patterns import PatternLayout
from nengo_tactile.experiments.ledgers import Ledger
from nengo_tactile.experiments.studies import Study
from nengo_tactile.nengo_runs import ENGINES
from nengo_tactile.papers.skim import PAPER
from nengo_tactile.papers.skim.plan import METHOD, PATTERN, draw, supervision
from nengo_tactile.papers.skim.runs import begin, learn, read_digits
from nengo_tactile.skim import trainer
from nengo_tactile.skim.memory import check_fits, peak_bytes

TASK = "nmnist-simulated"
#: Accuracy by hidden neurons: Cohen et al. 2016, Table 2.
ACCURACY = {2000: 0.8396, 10_000: 0.9287}
#: Training digits after which sums, and the time, are written.
_EVERY = 5000


def make(name, order, n_hidden=2000, n_engine=10, kernels="resonance"):
    """Train and measure a network: see `nengo_tactile.papers.shipped`.

    Parameters
    ----------
    name : str
    order : Order
    n_hidden : int
    n_engine : int
        Test digits to run in Nengo and NengoDL as well.
    kernels : str
        Of `plan.LAYERS`.

    Returns
    -------
    SkimNetwork, dict

    Raises
    ------
    DataError
        If images, or recordings of test digits, are missing; or the hidden layer does not fit into
        memory.
    """
    layout, taught = PatternLayout(), supervision()
    _check_fits(n_hidden, layout, taught)
    for split in ("train", "test"):
        NMNIST(order.data_dir, split)  # or say at once where it was looked for
    key = f"model-{kernels}-{n_hidden}-{order.n_samples or 'all'}"
    ledger = Ledger(Study(order.work, PAPER.command), key, order.progress)
    chosen = (order.n_samples, order.n_samples, None, order.seed, order.data_dir)
    digits = read_digits(ledger, *chosen)
    layer = draw(kernels, order.seed, n_hidden, layout.n_channels)
    n_train, start = len(digits.train), {"seconds": {"training": 0.0}, "peak_bytes": 0}
    times = [*range(_EVERY, n_train, _EVERY), n_train]
    with ledger.study.turn(key):
        state = begin(ledger, layer, taught, digits, start)
        weights = learn(ledger, layer, taught, digits, times, state)[n_train]
    seconds, peak = state["seconds"]["training"], peak_bytes()  # before TensorFlow takes its share
    network = skim.SkimNetwork(layer, weights, taught, METHOD, layout, NMNIST.classes)
    sets = {"simulated": digits.test, "recorded": digits.recorded_test}
    found = {
        kind: float((network.predict(each.alone(), progress=order.progress) == each.targets).mean())
        for kind, each in sets.items()
    }
    order.say(
        f"{name}: {found['simulated']:.4f} of {len(digits.test):,} simulated test "
        f"digits, {found['recorded']:.4f} of {len(digits.recorded_test):,} recorded ones; trained "
        f"in {seconds:,.0f} s with {peak / 1e9:.1f} GB"
    )
    card = _card(network, digits, found, n_engine, order)
    card["training"] = {
        "seconds, without simulation": round(seconds, 1),
        "samples per second": round(n_train / seconds, 1),
        "peak memory, GB": round(peak / 1e9, 2),
    }
    return network, card


def _check_fits(n_hidden, layout, taught):
    """Refuse a hidden layer that does not fit into memory, before it is drawn."""
    sizes = layout.n_channels, len(NMNIST.classes), trainer.chunk_size(n_hidden, taught.window)
    check_fits("training", n_hidden, trainer.needed_bytes(n_hidden, *sizes, taught.window))


def _card(network, digits, found, n_engine, order):
    layer, n_hidden = network.layer, network.layer.n_hidden
    counts = {"training samples": len(digits.train), "test samples": len(digits.test)}
    paper = (
        {"accuracy in the paper, on recordings": ACCURACY[n_hidden]} if n_hidden in ACCURACY else {}
    )
    return {
        "summary": f"{n_hidden:,} random synaptic kernels that read the digits of N-MNIST "
        "(Synaptic Kernel Inverse Method; Cohen et al. 2016, Skimming Digits): output weights in "
        f"closed form, from {digits.about}.",
        "task": TASK,
        "data": TASKS[TASK].about,
        "seed": order.seed,
        **counts,
        "accuracy": found["simulated"],
        "recorded test digits": len(digits.recorded_test),
        "accuracy on recorded test digits": found["recorded"],
        **paper,
        "kind of training pattern": PATTERN,
        "hidden layer": {k: v for k, v in layer.drawn.items() if k != "seed"},
        **_on_engines(network, digits.test, n_engine, order.progress),
        "limits": [
            "Trained on simulated events. The simulator was fitted to recordings of training "
            "digits; see the accuracy on recorded test digits for what is lost.",
            "Recordings of another sensor, or longer than 360 ms, need a network of their own.",
        ],
    }


def _on_engines(network, test, n_samples, progress):
    """Nengo and NengoDL beside the batch code, as parts of a card."""
    patterns = [test[number][0] for number in range(min(n_samples, len(test)))]
    labels = test.targets[: len(patterns)]
    batch, classes = network.window_outputs(patterns, progress=progress), network.predict(patterns)
    parts = {}
    for engine in ENGINES:
        recording = engines.run(network, patterns, engine=engine, progress=progress)
        outputs = recording.outputs[:, network.supervision.first :]
        parts[{"nengo": "Nengo", "nengo-dl": "NengoDL"}[engine]] = {
            "n_test": len(patterns),
            "accuracy": float(recording.accuracy(labels)[-1]),
            "accuracy of the batch code": float((classes == labels).mean()),
            "same classes": int((recording.predictions()[:, -1] == classes).sum()),
            "largest difference of outputs": float(f"{np.abs(outputs - batch).max():.1e}"),
        }
    costs = {"events": recording.spikes_over_time["input"]}
    if "hidden" in recording.spikes_over_time:
        costs["spikes"] = recording.spikes_over_time["hidden"]
    means = {name: float(counts.sum(1).mean()) for name, counts in costs.items()}
    synops = sum(float(counts.mean()) for counts in recording.synops.values())
    return {**parts, "cost of a recording": {**means, "synaptic operations": synops}}
