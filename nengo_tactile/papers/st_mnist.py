"""ST-MNIST (See et al. 2020), Table 2: CNN, converted CNN, converted on Loihi, SLAYER.

The paper's own recordings are behind a form; without them the simulated e-skin (or STEMNIST)
takes their place, and every row says so.
"""

import dataclasses
import functools

import numpy as np

from nengo_tactile import files
from nengo_tactile.analysis import mean_and_sd, plots
from nengo_tactile.ann import training
from nengo_tactile.ann.augment import shifted_epochs
from nengo_tactile.commands import pages, paths
from nengo_tactile.commands.tasks import TASKS, open_task, pool, task_named
from nengo_tactile.conversion.lif_training import LIFRecipe
from nengo_tactile.datasets.splits import repeated_splits
from nengo_tactile.datasets.stmnist import locate_stmnist
from nengo_tactile.errors import DataError
from nengo_tactile.events.sparse import joined
from nengo_tactile.experiments.papers import Paper
from nengo_tactile.experiments.plans import Plan
from nengo_tactile.experiments.tables import Figure, Table, form, spread
from nengo_tactile.experiments.workers import Cell
from nengo_tactile.options import option
from nengo_tactile.papers.spikemax.plan import SETTINGS
from nengo_tactile.papers.spikemax.runs import train_and_test
from nengo_tactile.report import KeyNumber, Note
from nengo_tactile.saved import load

#: The row of the network that is trained on the events themselves, and its loss: the difference
#: of spike counts (section 3.2.3: 10x10x2-6c2-24c3-10o, spike response neurons, 200 bins of 10 ms,
#: desired spike counts of 60 and 10, 100 epochs; what it leaves out is the Spikemax paper's).
SLAYER, LOSS = "SNN-SLAYER", "spike-count"
#: Paper, Table 2: row -> mean accuracy, SD over 10 splits. Rows of ours beyond it have none.
PAPER_ROWS = {
    "CNN": (0.89, 0.01),
    "ANN-SNN (NengoDL)": (0.87, 0.01),
    "ANN-SNN (Loihi emulator)": (0.86, 0.02),
    SLAYER: (0.81, 0.01),
    "CNN, modern recipe": (None, None),
    "Converted without training (NengoDL)": (None, None),
}
#: Of the CNN: the paper's and ours; of the training in NengoDL; steps of a sample.
RECIPE, MODERN, LIF, N_STEPS = training.PAPER, training.MODERN, LIFRecipe(), 60


@dataclasses.dataclass(frozen=True)
class StMnistPlan(Plan):
    """The data set (None: what is there); random 80-20 splits (the paper has 10), or seeds of the
    given split; "random", the paper's splits, in which a writer is on both sides, or "given", the
    data set's own, for the e-skin by writer; whether to train on the events as well, which takes
    longer than all others, and its epochs (None: its recipe's; the paper has 100); seed.
    """

    dataset: str | None = option(
        None,
        "stmnist, eskin, eskin-pendigits or stemnist (default: what --data-dir holds, else the "
        "e-skin).",
        choices=[name for name, task in TASKS.items() if task.is_grid],
    )
    n_splits: int = option(
        10,
        "Random 80-20 splits, or seeds of the given split.",
        flag="--splits",
        least=1,
        always=True,
    )
    protocol: str = option(
        "random",
        "random (the paper's) or given (by writer for the e-skin).",
        choices=("random", "given"),
        always=True,
    )
    slayer: bool = option(False, "Train on the events as well (takes long).")
    slayer_epochs: int | None = option(None, "Epochs of that (default: its recipe's).", least=1)
    seed: int = option(0, "Seed of every random draw.", always=True)

    @property
    def task(self):
        """The task of the data set."""
        return task_named(self.dataset, tactile=True)


def settle(plan, data_dir, say):
    """The plan with a data set: what is there, if it names none."""
    if plan.dataset is None:
        plan = dataclasses.replace(plan, dataset=best_task(data_dir, say))
    if plan.slayer:
        slayer_setting(plan.task)
    return plan


def best_task(data_dir, say):
    """ST-MNIST, else the e-skin driven by recorded trajectories, else by invented writers."""
    pen = functools.partial(open_task, task_named("eskin-pendigits"), "train")
    for name, locate in (("stmnist", locate_stmnist), ("eskin-pendigits", pen)):
        try:
            locate(data_dir)
        except DataError as error:  # it is not there; a damaged one is an error when opened
            if name == "stmnist" and data_dir is not None:
                say(f"no ST-MNIST recordings: {error}")
        else:
            say(f"data: {TASKS[name].about}")
            return name
    say(f"data: {TASKS['eskin'].about}")
    return "eskin"


# -------------------------------------------------------------------------------------- cells


def cells(plan, data_dir):
    """Two cells for each split: what begins with the CNN, and SLAYER."""
    shared = {"dataset": plan.task.dataset, "protocol": plan.protocol, "seed": plan.seed}
    shared["data_dir"] = data_dir
    found = []
    for split in range(plan.n_splits):
        options = {"split": split, **shared}
        found.append(Cell(f"{split:02d}", run_split, options))
        if plan.slayer:
            options["epochs"] = plan.slayer_epochs
            found.append(Cell(f"{split:02d}-slayer", run_slayer, options))
    return found


@functools.lru_cache(maxsize=1)
def read(dataset, data_dir=None, progress=None):
    """All samples, once for all cells of a process: see `nengo_tactile.commands.tasks.pool`."""
    x, y, n_train, classes = pool(TASKS[dataset], data_dir, progress=progress)
    training.check_samples(x, y, int(y.max()) + 1, dataset)
    return x, y, n_train, classes, files.fingerprint("samples", x, y)


@functools.lru_cache(maxsize=1)
def read_spikes(dataset, data_dir=None, progress=None):
    """Spikes of all samples, in the order of `read`."""
    layout = slayer_setting(TASKS[dataset]).layout
    splits = ("all",) if dataset == "stmnist" else ("train", "test")
    sets = [open_task(TASKS[dataset], split, data_dir) for split in splits]
    return joined([layout.batch(each, progress) for each in sets])


def slayer_setting(task):
    """Network, neurons and recipe for a task's sensor.

    Raises
    ------
    DataError
        If there is none.
    """
    size = tuple(task.image.sensor_size[:2])
    name = {(10, 10): "eskin", (16, 16): "stemnist"}.get(size)
    if name is None:
        raise DataError(f"no SLAYER network is set for a sensor of {size}: leave --slayer out")
    return SETTINGS[name]


def indices(dataset, protocol, y, n_train, split, seed):
    """Training and test samples of a split, two int arrays."""
    if protocol == "random":
        return list(repeated_splits(y, split + 1, 0.2, seed))[split]
    if n_train is None:
        raise DataError(f"{dataset} has no split of its own: use the random protocol")
    return np.arange(n_train), np.arange(n_train, len(y))


def run_split(ledger, dataset, protocol, split, seed, data_dir):
    """One split: train, convert, run. Its number also seeds the training.

    Returns
    -------
    dict
        ``accuracy`` {row: float}, ``n_train``, ``n_test`` and each engine's numbers.
    """
    x, y, n_train, classes, digest = read(dataset, data_dir, ledger.progress)
    train, test = indices(dataset, protocol, y, n_train, split, seed)
    task, progress, seed = TASKS[dataset], False, seed * 1000 + split
    recipes = [dataclasses.asdict(recipe) for recipe in (RECIPE, MODERN, LIF)]
    settings = [protocol, split, seed, N_STEPS, task.network, *recipes]
    state = ledger.begin(settings, {f"data {dataset}": digest})
    if state is not None:
        return state
    data = x[train], y[train]
    paper = paths.train_cnn(task.network, data, RECIPE, seed, progress=progress)
    augmented = shifted_epochs([x[train]], [y[train]], seed)
    modern = paths.train_cnn(task.network, augmented, MODERN, seed, progress=progress)
    lif = paths.train_snn(paper, data, LIF, seed, progress=progress)
    options = {"n_steps": N_STEPS, "classes": classes, "progress": progress}
    network = ledger.network(
        lambda: paths.to_spikes(lif, task, x[train], seed, **options),
        {"summary": f"Split {split} of Table 2.", "task": dataset},
    )
    plain = paths.to_spikes(paper, task, x[train], seed, **options)
    spiking = paths.on_nengo_dl(network, x[test], y[test], progress)
    converted = paths.on_nengo_dl(plain, x[test], y[test], progress)
    emulated = paths.on_emulator(network, x[test], y[test], progress)
    state = {
        "split": split,
        "n_train": len(train),
        "n_test": len(test),
        "accuracy": {
            "CNN": training.accuracy(paper, x[test], y[test]),
            "CNN, modern recipe": training.accuracy(modern, x[test], y[test]),
            "LIF rates": training.accuracy(lif, x[test], y[test]),
            "ANN-SNN (NengoDL)": spiking.accuracy,
            "Converted without training (NengoDL)": converted.accuracy,
            "ANN-SNN (Loihi emulator)": emulated.accuracy,
        },
        "nengo-dl": spiking.numbers(network),
        "loihi": emulated.numbers(network),
    }
    ledger.write(state)
    return state


def run_slayer(ledger, dataset, protocol, split, epochs, seed, data_dir):
    """Train and test a network on the events of a split; goes on behind the last epoch.

    Returns
    -------
    dict
        ``accuracy``, ``train_accuracy``, ``epochs``, ``network``, ``spikes`` (per test sample, by
        layer), ``seconds``.
    """
    samples, setting = (
        read_spikes(dataset, data_dir, ledger.progress),
        slayer_setting(TASKS[dataset]),
    )
    n_train = None if dataset == "stmnist" else len(open_task(TASKS[dataset], "train", data_dir))
    train, test = indices(dataset, protocol, samples.labels, n_train, split, seed)
    recipe, seed = setting.recipe, seed * 1000 + split
    if epochs is not None:
        recipe = dataclasses.replace(recipe, epochs=epochs)
    settings = [dataclasses.asdict(setting), dataclasses.asdict(recipe), protocol, split, seed]
    state = ledger.begin(settings, {f"spikes {dataset}": samples.digest})
    checkpoint = ledger.folder / "checkpoints" / f"{ledger.key}-{ledger.origin}.npz"
    if state is not None:
        return ledger.finished(state, checkpoint)
    parts = samples.take(train), samples.take(test)
    _, history, found = train_and_test(
        setting, parts, LOSS, recipe, seed, checkpoint, ledger.progress, "SLAYER"
    )
    state = {
        "split": split,
        "network": setting.network,
        "loss": LOSS,
        "epochs": recipe.epochs,
        "accuracy": found["accuracy"],
        "train_accuracy": history.accuracy[-1],
        "spikes": found["spikes"],
        "seconds": sum(history.seconds),
    }
    ledger.write(state)
    return ledger.finished(state, checkpoint)


# ------------------------------------------------------------------------------------ numbers


def together(states):
    """States of the splits, SLAYER's beside the others'."""
    splits = []
    for key, state in states.items():
        if key.endswith("-slayer"):
            continue
        trained = states.get(f"{key}-slayer")
        if trained is not None:
            accuracy = state["accuracy"] | {SLAYER: trained["accuracy"]}
            state = {**state, "accuracy": accuracy, "slayer": trained}
        splits.append(state)
    return splits


def summarise(plan, states):
    """Rows beside the paper's, what was run, and ``splits``."""
    splits, task = together(states), plan.task
    return {
        "network": task.network,
        "data": task.about,
        "protocol": plan.protocol,
        "n_samples": splits[0]["n_train"] + splits[0]["n_test"] if splits else 0,
        "recipe": dataclasses.asdict(RECIPE),
        "lif_recipe": dataclasses.asdict(LIF),
        "rows": [row_of(name, splits, task) for name in PAPER_ROWS],
        "splits": splits,
        "differences": differences(splits) if splits else {},
    }


def row_of(name, splits, task):
    """A row of Table 2."""
    values = [s["accuracy"][name] for s in splits if name in s["accuracy"]]
    summary, (paper, paper_sd) = mean_and_sd(values) if values else None, PAPER_ROWS[name]
    return {
        "name": name,
        "paper": paper,
        "paper_sd": paper_sd,
        "ours_mean": summary.mean if summary else None,
        "ours_sd": summary.sd if summary else None,
        "n_splits": len(values),
        "n_test": splits[0]["n_test"] if values else 0,
        "data": task.about,
    }


def differences(splits):
    """Mean accuracy lost on the way from the CNN to spikes and to the chip, in points."""

    def lost(better, worse):
        return 100 * float(np.mean([s["accuracy"][better] - s["accuracy"][worse] for s in splits]))

    return {
        "CNN to ANN-SNN (NengoDL)": lost("CNN", "ANN-SNN (NengoDL)"),
        "CNN to ANN-SNN (emulator)": lost("CNN", "ANN-SNN (Loihi emulator)"),
    }


def line(plan, key, state):
    """A split's accuracies, for the terminal."""
    accuracy = {SLAYER: state["accuracy"]} if key.endswith("-slayer") else state["accuracy"]
    scores = ", ".join(f"{name} {value:.4f}" for name, value in accuracy.items())
    return f"split {state['split'] + 1} of {plan.n_splits}: {scores}"


# -------------------------------------------------------------------------- tables and figures

three = spread(form(".3f"))
TABLES = {
    "rows": Table(
        "Table 2",
        lambda results: results["rows"],
        {
            "model": ("name", str),
            "paper": (lambda row: (row["paper"], row["paper_sd"]), three),
            "ours": (lambda row: (row["ours_mean"], row["ours_sd"]), three),
            "splits": ("n_splits", int),
            "test samples": ("n_test", int),
        },
        "Mean accuracy (SD over the splits, or seeds of the given split).",
        titled=False,
        heading=lambda results: f"{results['network']}, {results['data']}: mean accuracy (SD)",
    )
}
FIGURES = {
    "table2": Figure(
        lambda results: plots.beside_paper(results["rows"]),
        "Accuracy of each row, the paper's and ours.",
        "Bars of accuracies beside the paper's",
    )
}


def lead(results):
    """The network and the splits."""
    splits = results["rows"][0]["n_splits"]
    kind = "random 80-20 splits." if results["protocol"] == "random" else "seeds, the given split."
    return f"{results['network']}, {splits} {kind}"


def notes(results):
    """What the data are, unless they are the paper's."""
    if results["data"] == TASKS["stmnist"].about:
        return []
    text = (
        "The paper's accuracies are on its own recordings, which are behind a form. Ours here "
        f"are on: {results['data']}. They say how the method works, not how it does on ST-MNIST."
    )
    return [Note(text, warning=True)]


def key_numbers(results):
    """Tiles of the rows that the paper has in the chain from the CNN to the chip."""
    rows = [row for row in results["rows"] if row["paper"] and row["name"] != SLAYER]
    return [
        KeyNumber(
            row["name"],
            f"{row['ours_mean']:.3f}",
            f"paper, on its recordings: {row['paper']:.2f}",
        )
        for row in rows
        if row["n_splits"]
    ]


def details(plan, results, folder, data_dir):
    """The last split, closer: what the sensor sends, and what the network makes of it."""
    if not results["splits"]:
        return []
    task, last = plan.task, results["splits"][-1]
    x, y, n_train, *_ = read(task.dataset, data_dir)
    _, test = indices(task.dataset, plan.protocol, y, n_train, last["split"], plan.seed)
    network = load(folder / "networks" / f"{last['split']:02d}")
    measured = paths.on_nengo_dl(network, x[test], y[test])
    names = {"NengoDL": "nengo-dl", "Loihi emulator": "loihi"}
    curves = {name: last[engine]["accuracy_over_time"] for name, engine in names.items()}
    split = "all" if task.dataset == "stmnist" else "train"
    counts = {name: last[engine]["n_test"] for name, engine in names.items()}
    cnn = dict.fromkeys(names, last["accuracy"]["CNN"])
    return [
        pages.input_section(task, open_task(task, split, data_dir), 0),
        pages.accuracy_section(curves, cnn, counts, network.dt, network.decision),
        pages.activity_section(measured.recording, measured.numbers(network)),
        pages.confusion_section(measured, network.classes),
        pages.chip_section(paths.on_chip(network), last["loihi"]),
    ]


PAPER = Paper(
    name="st-mnist",
    title="Table 2 of the ST-MNIST paper",
    lead=lead,
    about="Table 2 of the ST-MNIST paper: CNN, converted, on the Loihi emulator, SLAYER.",
    source="See et al. 2020, ST-MNIST, Table 2",
    plan=StMnistPlan,
    settle=settle,
    cells=cells,
    summarise=summarise,
    line=line,
    tables=lambda results: TABLES,
    figures=lambda results: FIGURES,
    sections=lambda results: (("Beside the paper", "", ("rows", "table2")),),
    notes=notes,
    key_numbers=key_numbers,
    data=lambda results: f"{results['data']}, {results['n_samples']} samples",
    details=details,
)
