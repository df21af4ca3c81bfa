"""``nengo-tactile robustness``: what is left of a network's accuracy when its skin goes wrong."""

import numpy as np

from nengo_tactile import __version__, engines, files
from nengo_tactile.analysis import accuracy_interval, accuracy_text, plots_robustness, style
from nengo_tactile.commands.shown import chosen_samples, run_options, task_of
from nengo_tactile.commands.tasks import any_task_named, data_option, open_task
from nengo_tactile.errors import DataError, printable
from nengo_tactile.events import disturb
from nengo_tactile.events.labelled import Labelled
from nengo_tactile.files import path_of
from nengo_tactile.networks.protocol import check_data
from nengo_tactile.saved import load

#: What may go wrong, in words, and how far it is tried.
KINDS = {
    "dead": ("share of dead taxels", (0.05, 0.1, 0.2, 0.3)),
    "noise": ("random events, as a share of its own", (0.1, 0.25, 0.5, 1.0)),
    "drop": ("share of lost events", (0.1, 0.25, 0.5, 0.75)),
    "stretch": ("times as long", (0.5, 0.75, 1.25, 1.5)),
    "weights": ("bits of the weights", (8,)),
}


def measure(
    network,
    data,
    indices=None,
    kinds=tuple(KINDS),
    engine=None,
    n_steps=None,
    seed=0,
    progress=None,
):
    """Accuracies of a network whose recordings, or weights, are disturbed.

    Each recording meets a skin of its own: its dead taxels are drawn for it alone, from the seed
    and its number, so that all levels of a kind disturb the same places first.

    Parameters
    ----------
    network : Network
        That reads recordings.
    data : data set of recordings with labels
    indices : (n,) int array, optional
        Some of them; by default all.
    kinds : sequence of str
        Of `KINDS`.
    engine : str, optional
        By default the network's fastest.
    n_steps : int, optional
    seed : int
    progress : bool, optional

    Returns
    -------
    list of dict
        ``kind``, ``level``, ``accuracy``, its Wilson interval as ``low`` and ``high``, ``n``
        samples, and how many of these were ``emptied``. The first is of nothing disturbed (None).

    Raises
    ------
    DataError
        For networks of images, unknown kinds, and recordings of another sensor.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise DataError(f"disturbance {', '.join(unknown) or 'none'}: choose of {', '.join(KINDS)}")
    layout, engine = getattr(network, "layout", None), engine or network.fastest
    if layout is None:
        raise DataError(
            "the network reads images, not recordings, of which taxels and events could go wrong: "
            "give a network of events, or use nengo-tactile run"
        )
    check_data(network, data)
    recordings = Labelled(data, indices, progress)
    kept = list(recordings)
    labels, end = recordings.labels, float(layout.duration_us)
    if labels is None:
        raise DataError(f"{data!r}: the recordings have no labels: give some that have")
    cells, _ = disturb.cells_of((*network.sensor_size[:2], 2), getattr(data, "taxels", None))
    results = []

    def run(one, events, kind, level):
        emptied = sum(not len(new) and bool(len(old)) for new, old in zip(events, kept))
        x, _ = one.encode(events, progress=False)
        recording = engines.run(one, x, n_steps, engine, progress)
        accuracy = float(recording.accuracy(labels)[-1])
        low, high = accuracy_interval(accuracy, len(kept))
        found = {"kind": kind, "level": level, "accuracy": accuracy, "low": low, "high": high}
        results.append({**found, "n": len(kept), "emptied": emptied})

    run(network, kept, None, None)
    for kind in kinds:
        for level in KINDS[kind][1]:
            if kind != "weights":
                changed = disturbed(kept, kind, level, seed, cells, end, network.sensor_size[2])
                run(network, changed, kind, level)
            elif hasattr(network, "with_weight_bits"):
                run(network.with_weight_bits(level), kept, kind, level)
    return results


def card_section(network, data, n_samples=None, seed=0, progress=None):
    """What a model card says of it: all kinds, on the network's fastest engine.

    Parameters
    ----------
    network, data, seed, progress
        See `measure`.
    n_samples : int, optional
        So many random recordings, if there are more.

    Returns
    -------
    dict
        Engine, seed and version, and accuracies with their intervals by what happens.
    """
    indices = chosen_samples(len(data), n_samples, seed)
    rows = measure(network, data, indices, tuple(KINDS), seed=seed, progress=progress)
    return {
        "engine": network.fastest,
        "seed": seed,
        "nengo-tactile": __version__,
        **{
            "as recorded" if row["kind"] is None else f"{row['kind']} {row['level']:g}": (
                accuracy_text(row["accuracy"], row["n"])
            )
            for row in rows
        },
    }


def disturbed(recordings, kind, level, seed, cells, duration_us, n_polarities=2):
    """Recordings to each of which one thing has happened, and that end where they are read to.

    Parameters
    ----------
    recordings : list of event arrays
    kind : str
        Of `KINDS`, but "weights".
    level : float
    seed : int
    cells : (n_taxels, 2) int array
    duration_us : float
        What comes to lie behind is lost; noise comes before.
    n_polarities : int

    Returns
    -------
    list of event arrays
    """
    found = []
    for number, events in enumerate(recordings):
        rng = np.random.default_rng((seed, number))
        if kind == "dead":
            events = disturb.dead(events, level, rng, cells)
        elif kind == "drop":
            events = disturb.dropped(events, level, rng)
        elif kind == "noise":
            places = cells[rng.integers(0, len(cells), round(level * len(events)))]
            events = disturb.noise(events, places, rng, duration_us, n_polarities)
        else:
            events = disturb.stretched(events, level)
        found.append(events[events["t"] < duration_us])
    return found


def robustness(
    name,
    out,
    task_name=None,
    split="test",
    kinds=None,
    engine=None,
    n_steps=None,
    n_samples=None,
    data_dir=None,
    seed=0,
    progress=None,
    say=print,
):
    """Measure a saved network; write robustness.json and robustness.png into ``out``.

    Returns
    -------
    numbers : dict
    tables : list of rich.table.Table
    """
    kinds = tuple(KINDS) if kinds is None else tuple(kinds.replace(" ", "").split(","))
    network, out = load(name), path_of(out)
    files.check_writable(out)
    task_name = task_of(network) if task_name is None else task_name
    task = any_task_named(task_name)
    data = open_task(task, split, data_dir)
    indices = chosen_samples(len(data), n_samples, seed)
    engine = network.fastest if engine is None else engine
    engines.check_run(network, n_steps, engine, {})
    rows = measure(network, data, indices, kinds, engine, n_steps, seed, progress)
    numbers = {
        "network": printable(str(name)),
        "command": f"nengo-tactile robustness {name} --task {task_name} --split {split}"
        f"{data_option(task)} --kinds {','.join(kinds)}"
        f"{run_options(engine, n_steps, n_samples, seed)}",
        "data": task.about,
        "split": split,
        "engine": engine,
        "seed": seed,
        "n_samples": len(indices),
        "results": rows,
        "nengo-tactile": __version__,
    }
    files.write_json(out / "robustness.json", numbers)
    picture = style.png(plots_robustness.robustness(rows, _words(), numbers["network"]))
    with files.atomic_write(out / "robustness.png", "wb") as file:
        file.write(picture)
    say(f"wrote {out / 'robustness.json'} and robustness.png")
    return numbers, [_table(numbers)]


def _words():
    return {kind: words for kind, (words, _) in KINDS.items()}


def _table(numbers):
    from rich.table import Table

    about = f"{numbers['network']} on {numbers['engine']}, {numbers['data']}"
    table = Table(title=about, title_justify="left")
    for column in ("what", "how much", "accuracy", "change", "emptied"):
        table.add_column(column)
    whole = numbers["results"][0]["accuracy"]
    for row in numbers["results"]:
        table.add_row(
            _words().get(row["kind"], "nothing"),
            "" if row["level"] is None else f"{row['level']:g}",
            accuracy_text(row["accuracy"], row["n"]),
            "" if row["kind"] is None else f"{100 * (row['accuracy'] - whole):+.2f}",
            str(row["emptied"] or ""),
        )
    return table
