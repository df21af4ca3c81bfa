"""How soon a run decides: time since the first event of each recording, and early exit."""

import numpy as np

from nengo_tactile import engines
from nengo_tactile.analysis import (
    accuracy_text,
    as_events_come,
    first_steps,
    latency_step,
    plots_decisions,
    since_first_event,
)
from nengo_tactile.commands.shown import chosen_samples, encoded
from nengo_tactile.commands.tasks import any_task_named
from nengo_tactile.datasets.registry import open_dataset
from nengo_tactile.errors import DataError
from nengo_tactile.report import Picture, Section, Table

#: Training recordings that levels are chosen on, at most.
N_LEVELS = 1000
#: The part that they are of.
LEVELS_FROM = "train"


def check(network, source, margin, max_loss):
    """Refuse what can have no levels of a margin, before anything runs.

    Parameters
    ----------
    network : Network
    source : nengo_tactile.commands.shown.Source
    margin : object or None
        Of ``--margin``.
    max_loss : float or None
        Of ``--max-loss``.

    Raises
    ------
    DataError
    """
    if max_loss is None:
        return
    told = f"--max-loss {max_loss:g}"
    if margin is not None:
        raise DataError(f"{told} and --margin {margin}: the first chooses levels, give one of them")
    if source.given is not None:
        raise DataError(
            f"{told} with --x: levels are chosen on training recordings, which files do not name; "
            "give a --task, or use nengo_tactile.analysis.since_first_event"
        )
    if source.split != "test":
        raise DataError(
            f"{told} with --split {source.split}: levels are chosen on training recordings, and "
            "measured on others; give --split test"
        )
    if not network.is_timed and getattr(network, "layout", None) is None:
        raise DataError(
            f"{told}: the network is shown images, each as a whole from the first step on, so "
            "that there is no time since a first event; choose a network of recordings, or save "
            "steps by nengo_tactile.analysis.exit_margin and --margin"
        )


def numbers_of(network, measured):
    """Accuracy over time since the first event, of networks whose samples come step by step.

    Parameters
    ----------
    network : Network
    measured : Measured
        With ``x``.

    Returns
    -------
    dict
        ``since_first_event``; empty for others, for values and for runs that a margin stopped.
    """
    recording, x = measured.recording, measured.x
    own = network.is_timed and x is not None and recording.exit_steps is None
    if not own or measured.targets.are_values:
        return {}
    first = first_steps(x)
    there = first[(first >= 0) & (first < recording.n_steps)]
    if not len(there):
        return {"since_first_event": {"n_samples": 0, "n_empty": len(first)}}
    since = since_first_event(network, recording, x, measured.labels, leave_out=True)
    told = {"median_first_event_ms": float(np.median(there) * 1e3 * recording.dt)}
    return {"since_first_event": _told(since) | told}


def decisions_of(network, measured, source, task, max_loss, n_steps=None, progress=None, **run):
    """When recordings are decided, with levels of the margin chosen on training recordings.

    Parameters
    ----------
    network : Network
    measured : Measured
        The run on the test part, with ``x``.
    source : nengo_tactile.commands.shown.Source
    task : str
        Of both parts.
    max_loss : float
        Points that levels may lose, of the training recordings.
    n_steps, progress, **run
        Of `nengo_tactile.engines.run`, with its engine.

    Returns
    -------
    dict
        ``since_first_event``, with ``decisions``.
    """
    names = any_task_named(task).dataset, source.data_dir
    data, others = (
        open_dataset(names[0], split=split, data_dir=names[1])
        for split in (source.split, LEVELS_FROM)
    )
    some = chosen_samples(len(others), N_LEVELS, source.seed)
    shared = {"leave_out": True}
    if network.is_timed:
        x, y = encoded(network, others, None, some, progress)
        recording = engines.run(network, x, n_steps, progress=progress, **run)
        training = since_first_event(network, recording, x, y, **shared)
        since = since_first_event(
            network, measured.recording, measured.x, measured.labels, **shared
        )
        told = numbers_of(network, measured)["since_first_event"]
    else:
        chosen = chosen_samples(len(data), source.n_samples, source.seed)
        options = {"n_steps": n_steps, "progress": progress, **shared, **run}
        training = as_events_come(network, others, some, **options)
        since = as_events_come(network, data, chosen, **options)
        told = _told(since) | {"answer_ms": 1e3 * network.dt * measured.recording.n_steps}
    levels = training.levels(max_loss)
    found = {
        "max_loss": float(max_loss),
        "n_train": int(training.recording.n_samples),
        "train_lost_points": training.decisions(levels).lost,
        **since.decisions(levels).numbers(),
    }
    return {"since_first_event": told | {"decisions": found}}


def _told(since):
    n = since.recording.n_samples
    settled = latency_step(since.accuracy, n_samples=n)
    return {
        "step_ms": 1e3 * since.recording.dt,
        "n_samples": int(n),
        "n_empty": int(since.n_empty),
        "accuracy_over_time": [float(value) for value in since.accuracy],
        "settled_ms": 1e3 * since.recording.dt * settled,
    }


def rows(numbers):
    """Rows of a run's table, {what: value}; none where there is no first event."""
    since = numbers.get("since_first_event")
    if since is None:
        return {}
    empty = f"{since['n_empty']} recordings have no event" if since["n_empty"] else ""
    if not since["n_samples"]:
        return {"since the first event": f"{empty}: there is none"}
    told = [f"accuracy settled after {since['settled_ms']:,.0f} ms"]
    if "median_first_event_ms" in since:
        told.append(f"that comes {since['median_first_event_ms']:,.0f} ms after the start (median)")
    if "answer_ms" in since:
        told.append(f"of images so far, and {since['answer_ms']:,.0f} ms until the answer")
    found = {
        "since the first event": ", ".join([*told, *([f"{empty}, left out"] if empty else [])])
    }
    decided = since.get("decisions")
    if decided is None:
        return found
    found["decided"] = ", ".join(
        f"{row['percent']:g} % after {_ms(row['ms'])} ms [{_ms(row['low_ms'])}, "
        f"{_ms(row['high_ms'])}]"
        for row in decided["percentiles"]
    )
    found["accuracy when decided"] = (
        f"{accuracy_text(decided['accuracy'], since['n_samples'])}, "
        f"{decided['lost_points']:.2f} points less than at the end"
    )
    found["levels of the margin"] = (
        f"lose {decided['train_lost_points']:.2f} of {decided['max_loss']:g} points on "
        f"{decided['n_train']:,} training recordings; {decided['clear_share']:.1%} of the test "
        "recordings pass them before their end"
    )
    return found


def _ms(value):
    return "-" if value is None else f"{value:,.0f}"


def sections(numbers):
    """The report's section; none where there is no first event."""
    since = numbers.get("since_first_event")
    if since is None or not since["n_samples"]:
        return []
    decided, own = since.get("decisions", {}), "answer_ms" not in since
    figure = plots_decisions.since_first_event(
        since["accuracy_over_time"],
        since["step_ms"],
        since["n_samples"],
        numbers["accuracy_over_time"] if own else None,
        decided.get("ms"),
        decided.get("percentiles", ()),
    )
    what = "Accuracy if one stopped reading so long after each recording's first event"
    below = ", and the share of recordings that are decided by then" if decided else ""
    table = [
        Table(
            ["recordings decided", "after, ms", "95 % interval, ms"],
            [
                {
                    "recordings decided": f"{row['percent']:g} %",
                    "after, ms": _ms(row["ms"]),
                    "95 % interval, ms": f"{_ms(row['low_ms'])} to {_ms(row['high_ms'])}",
                }
                for row in decided["percentiles"]
            ],
            "Time to decision; a dash: too few recordings to say.",
        )
        for _ in decided and [None]
    ]
    text = [f"{words[0].upper()}{words[1:]}: {value}." for words, value in rows(numbers).items()]
    caption = f"{what}{below}. Shaded: 95 % interval."
    alt = "Accuracy rising over the time since the first event"
    return [
        Section("Since the first event", " ".join(text), [Picture(figure, caption, alt), *table])
    ]
