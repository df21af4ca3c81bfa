"""Table 2 of the ST-MNIST paper (See et al. 2020): CNN, converted CNN, converted on Loihi, SLAYER.

The paper's own recordings are behind a form; without them the simulated e-skin (or STEMNIST)
takes their place, and every row says so.
"""

import dataclasses
from pathlib import Path

import numpy as np

from nengo_tactile import files
from nengo_tactile.analysis import mean_and_sd
from nengo_tactile.ann import training
from nengo_tactile.ann.augment import shifted_epochs
from nengo_tactile.conversion.lif_training import LIFRecipe
from nengo_tactile.datasets.splits import repeated_splits
from nengo_tactile.errors import DataError
from nengo_tactile.progress import track
from nengo_tactile.reproduce import paths, st_mnist_slayer
from nengo_tactile.reproduce.cells import stored
from nengo_tactile.reproduce.tasks import data_option, pool

#: Paper, Table 2: (row, mean accuracy, SD over 10 splits).
PAPER_ROWS = (
    ("CNN", 0.89, 0.01),
    ("ANN-SNN (NengoDL)", 0.87, 0.01),
    ("ANN-SNN (Loihi emulator)", 0.86, 0.02),
    (st_mnist_slayer.ROW, 0.81, 0.01),
)
#: Rows of ours beyond the paper.
EXTRA_ROWS = ("CNN, modern recipe", "Converted without training (NengoDL)")


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a reproduction runs.

    Attributes
    ----------
    task : Task
    n_splits : int
        Random 80-20 splits (the paper has 10), or seeds of the given split.
    protocol : {"random", "given"}
        "random": the paper's splits, in which a writer is on both sides. "given": the data
        set's own split, for the e-skin by writer; only the seeds of training differ.
    n_emulator : int
        Random test samples on the emulator (the paper has 200).
    recipe : training.Recipe
        Of the CNN; the paper's.
    modern : training.Recipe
    lif : LIFRecipe
        Of the training in NengoDL.
    n_steps : int
    seed : int
    slayer : bool
        Whether to train a network on the events as well, which takes longer than all others.
    slayer_epochs : int or None
        Of that; by default those of its recipe (the paper has 100).
    """

    task: object
    n_splits: int = 10
    protocol: str = "random"
    n_emulator: int = paths.EMULATOR_SAMPLES
    recipe: training.Recipe = training.PAPER
    modern: training.Recipe = training.MODERN
    lif: LIFRecipe = LIFRecipe()  # noqa: RUF009 (frozen)
    n_steps: int = 60
    seed: int = 0
    slayer: bool = False
    slayer_epochs: int | None = None

    def fingerprint(self, x, y):
        """Identifies plan and data, so that a resumed run does not mix two."""
        # more splits, and SLAYER, are added to what is there
        plan = dataclasses.replace(self, n_splits=0, slayer=False, slayer_epochs=None)
        return files.fingerprint(dataclasses.asdict(plan), x, y)


def command(plan):
    """The command line that runs a plan."""
    return (
        f"nengo-tactile reproduce st-mnist --dataset {plan.task.dataset} "
        f"--splits {plan.n_splits} --protocol {plan.protocol} "
        f"--emulator-samples {plan.n_emulator}{' --slayer' if plan.slayer else ''}"
        f"{'' if plan.slayer_epochs is None else f' --slayer-epochs {plan.slayer_epochs}'}"
        f" --seed {plan.seed}{data_option(plan.task)}"
    )


def indices(plan, y, n_train, split):
    """Training and test samples of a split, two int arrays."""
    if plan.protocol == "random":
        return list(repeated_splits(y, split + 1, 0.2, plan.seed))[split]
    if n_train is None:
        raise DataError(f"{plan.task.dataset} has no split of its own: use the random protocol")
    return np.arange(n_train), np.arange(n_train, len(y))


def run_split(plan, x, y, n_train, classes, split, progress=None):
    """One split: train, convert, run.

    Parameters
    ----------
    plan : Plan
    x, y : arrays
        All samples.
    n_train : int or None
        See `nengo_tactile.reproduce.tasks.pool`.
    classes : sequence of str
    split : int
        Its number; it also seeds the training.

    Returns
    -------
    numbers : dict
        ``accuracy`` {row: float}, ``n_train``, ``n_test`` and each engine's numbers.
    network : SpikingNetwork
    measured : dict of str to Measured
    """
    train, test = indices(plan, y, n_train, split)
    seed = plan.seed * 1000 + split
    notation = plan.task.network
    paper = paths.train_cnn(notation, (x[train], y[train]), plan.recipe, seed, progress=progress)
    augmented = shifted_epochs([x[train]], [y[train]], seed)
    modern = paths.train_cnn(notation, augmented, plan.modern, seed, progress=progress)
    lif = paths.train_snn(paper, (x[train], y[train]), plan.lif, seed, progress=progress)
    options = {"n_steps": plan.n_steps, "classes": classes, "progress": progress}
    network = paths.to_spikes(lif, plan.task, x[train], seed, **options)
    plain = paths.to_spikes(paper, plan.task, x[train], seed, **options)

    spiking = paths.on_nengo_dl(network, x[test], y[test], progress)
    converted = paths.on_nengo_dl(plain, x[test], y[test], progress)
    emulated, chosen = paths.on_emulator(network, x[test], y[test], plan.n_emulator, seed, progress)
    numbers = {
        "split": split,
        "n_train": len(train),
        "n_test": len(test),
        "n_emulator": len(chosen),
        "accuracy": {
            "CNN": training.accuracy(paper, x[test], y[test]),
            "CNN, modern recipe": training.accuracy(modern, x[test], y[test]),
            "LIF rates": training.accuracy(lif, x[test], y[test]),
            "ANN-SNN (NengoDL)": spiking.accuracy,
            "Converted without training (NengoDL)": converted.accuracy,
            "ANN-SNN (Loihi emulator)": emulated.accuracy,
            "CNN on the emulator's samples": training.accuracy(
                paper, x[test][chosen], y[test][chosen]
            ),
        },
        "nengo-dl": spiking.numbers(),
        "loihi": emulated.numbers(),
    }
    return numbers, network, {"nengo-dl": spiking, "loihi": emulated, "samples": test}


def reproduce(plan, out, data_dir=None, progress=None, say=print):
    """Run all splits, or those that an interrupted run left out, and write the results.

    Parameters
    ----------
    plan : Plan
    out : path
        Gets splits/NN.json after each split, then results.json.
    data_dir : path, optional
    progress : bool, optional
    say : callable
        Takes a line of text after each split.

    Returns
    -------
    results : dict
        As in results.json.
    last : tuple or None
        What `run_split` returned for the last split, None if every split was on disk.

    Raises
    ------
    ModelFileError
        If ``out`` holds the splits of another plan.
    """
    out = Path(out)
    if plan.protocol not in ("random", "given"):
        raise DataError(f"protocol {plan.protocol!r} is unknown: choose random or given")
    files.check_writable(out)
    x, y, n_train, classes = pool(plan.task, data_dir, progress=progress)
    mark = plan.fingerprint(x, y)
    training.check_samples(x, y, int(y.max()) + 1, plan.task.dataset)
    events = st_mnist_slayer.read(plan.task, data_dir, progress) if plan.slayer else None
    splits, last = [], None
    for split in track(range(plan.n_splits), "splits", progress=progress):
        path = out / "splits" / f"{split:02d}.json"
        numbers = stored(path, mark, "plan")
        if numbers is None:
            numbers, network, measured = run_split(
                plan, x, y, n_train, classes, split, progress=False
            )
            numbers["plan"] = mark
            files.write_json(path, numbers)
            last = (numbers, network, measured)
        if events is not None:
            trained = st_mnist_slayer.run_split(
                plan.task,
                events,
                *indices(plan, y, n_train, split),
                plan.seed * 1000 + split,
                out / "splits" / f"{split:02d}-slayer.json",
                plan.slayer_epochs,
                progress=False,
            )
            numbers["accuracy"][st_mnist_slayer.ROW] = trained["accuracy"]
            numbers["slayer"] = trained
        splits.append(numbers)
        scores = ", ".join(f"{name} {value:.4f}" for name, value in numbers["accuracy"].items())
        say(f"split {split + 1} of {plan.n_splits}: {scores}")
    results = summarise(plan, splits, len(y))
    files.write_json(out / "results.json", results)
    return results, last


def summarise(plan, splits, n_samples):
    """Rows beside the paper's.

    Returns
    -------
    dict
        ``rows`` [{"name", "paper", "paper_sd", "ours_mean", "ours_sd", "n_splits", "n_test",
        "data"}], and what was run.
    """
    rows = []
    paper = {name: (mean, sd) for name, mean, sd in PAPER_ROWS}
    for name in [row[0] for row in PAPER_ROWS] + list(EXTRA_ROWS):
        values = [s["accuracy"][name] for s in splits if name in s["accuracy"]]
        summary = mean_and_sd(values) if values else None
        on_chip = "emulator" in name
        rows.append(
            {
                "name": name,
                "paper": paper.get(name, (None, None))[0],
                "paper_sd": paper.get(name, (None, None))[1],
                "ours_mean": summary.mean if summary else None,
                "ours_sd": summary.sd if summary else None,
                "n_splits": len(values),
                "n_test": splits[0]["n_emulator" if on_chip else "n_test"] if values else 0,
                "data": plan.task.about,
            }
        )
    return {
        "paper": "See et al. 2020, ST-MNIST, Table 2",
        "command": command(plan),
        "network": plan.task.network,
        "data": plan.task.about,
        "protocol": plan.protocol,
        "n_samples": n_samples,
        "seed": plan.seed,
        "recipe": dataclasses.asdict(plan.recipe),
        "lif_recipe": dataclasses.asdict(plan.lif),
        "rows": rows,
        "splits": splits,
        "differences": differences(splits),
    }


def differences(splits):
    """Mean accuracy lost on the way from the CNN to spikes and to the chip, in points."""

    def lost(better, worse):
        return 100 * float(np.mean([s["accuracy"][better] - s["accuracy"][worse] for s in splits]))

    return {
        "CNN to ANN-SNN (NengoDL)": lost("CNN", "ANN-SNN (NengoDL)"),
        "CNN to ANN-SNN (emulator), same samples": lost(
            "CNN on the emulator's samples", "ANN-SNN (Loihi emulator)"
        ),
    }
