"""The SKIM paper's network of 2,000 hidden neurons as the model ``nmnist-skim-2000``.

``python -m nengo_tactile.reproduce.skim_model`` trains it on all simulated training digits, tests
it on simulated and recorded ones, and writes models/nmnist-skim-2000 with its card. With the
``--out`` of ``nengo-tactile reproduce skim`` as ``--work`` digits are not simulated twice.
Training goes on where it was stopped.
"""

import argparse
from pathlib import Path

import numpy as np

from nengo_tactile import engines, skim
from nengo_tactile.datasets.nmnist import NMNIST
from nengo_tactile.events.patterns import PatternLayout
from nengo_tactile.experiments.ledgers import Ledger
from nengo_tactile.experiments.studies import Study
from nengo_tactile.networks.folders import check_folder
from nengo_tactile.papers.skim import PAPER, SkimPlan
from nengo_tactile.papers.skim.plan import LAYERS, METHOD, PATTERN, draw, supervision
from nengo_tactile.papers.skim.runs import begin, learn, read_digits
from nengo_tactile.reproduce.tasks import TASKS
from nengo_tactile.skim import trainer
from nengo_tactile.skim.memory import check_fits, peak_bytes
from nengo_tactile.skim.network import ENGINES
from nengo_tactile.stack.distributions import made_with

TASK = "nmnist-simulated"
N_HIDDEN = 2000
#: Accuracy by hidden neurons: Cohen et al. 2016, Table 2.
ACCURACY = {2000: 0.8396, 10_000: 0.9287}
#: Test digits on which Nengo and NengoDL are compared with the batch code.
ENGINE_SAMPLES = 50
WORK = "nengo-tactile-out/skim"
#: Training digits after which sums, and the time, are written.
_EVERY = 5000


def name_of(n_hidden):
    """Name of the model of so many hidden neurons."""
    return f"nmnist-skim-{n_hidden}"


def make(
    out,
    n_hidden=N_HIDDEN,
    n_samples=None,
    n_test=None,
    n_engine=ENGINE_SAMPLES,
    work=WORK,
    data_dir=None,
    seed=0,
    kernels=None,
    progress=None,
    say=print,
):
    """Train, measure and save the network.

    Parameters
    ----------
    out : path
        The model's folder.
    n_hidden : int
    n_samples, n_test : int, optional
        Random training and test digits; by default all.
    n_engine : int
        Test digits to run in Nengo and NengoDL as well.
    work : path
        Where patterns and sums are kept.
    data_dir : path, optional
    seed : int
    kernels : str, optional
        Of `nengo_tactile.papers.skim.plan.LAYERS`; by default those of the reproduction.
    progress : bool, optional
    say : callable

    Returns
    -------
    SkimNetwork

    Raises
    ------
    DataError
        If images, or recordings of test digits, are missing; or the hidden layer does not fit into
        memory.
    """
    chosen = {} if kernels is None else {"kernels": kernels}
    plan = SkimPlan(n_samples=n_samples, n_test=n_test, seed=seed, **chosen)
    check_folder(out)
    layout, taught = PatternLayout(), supervision()
    _check_fits(n_hidden, layout, taught)
    for split in ("train", "test"):
        NMNIST(data_dir, split)  # or say at once where it was looked for
    ledger = Ledger(Study(work, PAPER.command), f"model-{plan.kernels}-{n_hidden}", progress)
    digits = read_digits(ledger, n_samples, n_test, None, seed, data_dir and str(data_dir))
    layer = draw(plan.kernels, seed, n_hidden, layout.n_channels)
    weights, seconds = _train(layer, taught, digits, ledger)
    network = skim.SkimNetwork(layer, weights, taught, METHOD, layout, NMNIST.classes)
    peak = peak_bytes()  # before TensorFlow takes its share
    found = {
        name: float((network.predict(chosen.events(), progress=progress) == chosen.targets).mean())
        for name, chosen in {"simulated": digits.test, "recorded": digits.recorded_test}.items()
    }
    say(
        f"{name_of(n_hidden)}: {found['simulated']:.4f} of {len(digits.test):,} simulated test "
        f"digits, {found['recorded']:.4f} of {len(digits.recorded_test):,} recorded ones; trained "
        f"in {seconds:,.0f} s with {peak / 1e9:.1f} GB"
    )
    card = _card(network, plan, digits, found, n_engine, progress)
    card |= {
        "training": {
            "seconds, without simulation": round(seconds, 1),
            "samples per second": round(len(digits.train) / seconds, 1),
            "peak memory, GB": round(peak / 1e9, 2),
        },
        "made with": made_with("nengo", "nengo-dl", "tensorflow", "numpy"),
    }
    network = skim.SkimNetwork(layer, weights, taught, METHOD, layout, NMNIST.classes, card)
    network.save(out)
    return network


def _check_fits(n_hidden, layout, taught):
    """Refuse a hidden layer that does not fit into memory, before it is drawn."""
    sizes = layout.n_channels, len(NMNIST.classes), trainer.chunk_size(n_hidden, taught.window)
    check_fits("training", n_hidden, trainer.needed_bytes(n_hidden, *sizes, taught.window))


def _train(layer, taught, digits, ledger):
    """Output weights, and the seconds that all training took, of earlier runs too."""
    n_train = len(digits.train)
    ledger.key += f"-{n_train}"
    fresh = {"seconds": {"training": 0.0}, "peak_bytes": 0}
    state = begin(ledger, layer, taught, digits, fresh)
    times = [*range(_EVERY, n_train, _EVERY), n_train]
    weights = learn(ledger, layer, taught, digits, times, state)[n_train]
    return weights, state["seconds"]["training"]


def _card(network, plan, digits, found, n_engine, progress):
    layer, n_hidden = network.layer, network.layer.n_hidden
    counts = {"training samples": len(digits.train), "test samples": len(digits.test)}
    paper = (
        {"accuracy in the paper, on recordings": ACCURACY[n_hidden]} if n_hidden in ACCURACY else {}
    )
    return {
        "summary": f"{n_hidden:,} random synaptic kernels that read the digits of N-MNIST "
        "(Synaptic Kernel Inverse Method; Cohen et al. 2016, Skimming Digits): output weights in "
        f"closed form, from {digits.about}.",
        "command": f"python -m nengo_tactile.reproduce.skim_model --hidden {n_hidden} --samples "
        f"{counts['training samples']} --test-samples {counts['test samples']} --engine-samples "
        f"{n_engine} --kernels {plan.kernels} --seed {plan.seed} --data-dir DATA",
        "task": TASK,
        "data": TASKS[TASK].about,
        "seed": plan.seed,
        **counts,
        "accuracy": found["simulated"],
        "recorded test digits": len(digits.recorded_test),
        "accuracy on recorded test digits": found["recorded"],
        **paper,
        "kind of training pattern": PATTERN,
        "hidden layer": {k: v for k, v in layer.drawn.items() if k != "seed"},
        **_on_engines(network, digits.test, n_engine, progress),
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


def main(arguments=None):
    """Command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m nengo_tactile.reproduce.skim_model")
    parser.add_argument("--hidden", type=int, default=N_HIDDEN, help=f"default {N_HIDDEN}")
    parser.add_argument("--out", help="folder (default models/nmnist-skim-HIDDEN)")
    parser.add_argument("--samples", type=int, help="random training digits (default all)")
    parser.add_argument("--test-samples", type=int, help="random test digits (default all)")
    parser.add_argument("--engine-samples", type=int, default=ENGINE_SAMPLES)
    parser.add_argument("--kernels", choices=LAYERS, help="default: the reproduction's")
    parser.add_argument("--work", default=WORK, help=f"where a run goes on (default {WORK})")
    parser.add_argument("--data-dir", help="default: environment variable NENGO_TACTILE_DATA")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    make(
        options.out or Path("models") / name_of(options.hidden),
        options.hidden,
        options.samples,
        options.test_samples,
        options.engine_samples,
        options.work,
        options.data_dir,
        options.seed,
        options.kernels,
    )


if __name__ == "__main__":
    main()
