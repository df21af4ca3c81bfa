"""``nengo-tactile sweep``: samples of a task or of files for a study of one's own."""

import importlib
from pathlib import Path

import numpy as np

from nengo_tactile.commands.samples import files_of
from nengo_tactile.commands.shown import chosen_samples, encoded, task_of
from nengo_tactile.commands.tasks import any_task_named
from nengo_tactile.datasets.registry import open_dataset
from nengo_tactile.errors import DataError, ModelFileError
from nengo_tactile.experiments import sweep_tables, sweeps
from nengo_tactile.files import path_of
from nengo_tactile.saved import load


def sweep_command(
    subject,
    grid,
    out,
    task=None,
    x=None,
    y=None,
    split="test",
    n_samples=None,
    jobs=None,
    scheduler=None,
    threads=1,
    data_dir=None,
    seed=0,
    progress=None,
    say=print,
):
    """Run the sweep of a grid file: see `nengo_tactile.experiments.sweeps.sweep`.

    Returns
    -------
    results : dict
    tables : list of rich.table.Table

    Raises
    ------
    DataError
        If no samples are named, or they do not fit.
    """
    settings = sweeps.read_grid(grid)
    shared = {"jobs": jobs, "scheduler": scheduler, "threads": threads}
    shared |= {"progress": progress, "say": say}
    function = _function(subject)
    if function is not None:
        _refuse_samples(subject, task=task, x=x, y=y, samples=n_samples, data_dir=data_dir)
        told = sweeps.command_line(subject, [("grid", grid)], seed)
        found = sweeps.sweep_grid(function, settings, out=out, command=told, **shared)
        return found, sweep_tables.tables(found)
    files = files_of(task, x, y)
    network = _network(subject)
    if network is None and files is None:
        raise DataError(
            f"{subject}: a Keras model is swept on samples of your own, part of which calibrates "
            "it: give --x FILE and --y FILE; or convert it first"
        )
    if files is not None and files.y is None:
        raise DataError(f"--x {x} without --y: a sweep measures accuracy, give the labels too")
    given = [("grid", grid)]
    if files is not None:
        shape = _shape(subject) if network is None else network.input_shape
        data, labels = files.read(shape)
        given += [("x", x), ("y", y)]
    else:
        task = task_of(network) if task is None else task
        data = open_dataset(any_task_named(task).dataset, split=split, data_dir=data_dir)
        labels = None
        given += [("task", task), ("split", split)]
        given += [("data-dir", "DATA")] if data_dir is not None else []
    given += [("samples", n_samples)] if n_samples is not None else []
    chosen = chosen_samples(len(data), n_samples, seed)
    if network is None:
        samples, labels = data[chosen], labels[chosen]
    else:
        samples, labels = encoded(network, data, labels, chosen, progress)
    results = sweeps.sweep_grid(
        str(subject) if network is None else network,
        settings,
        samples,
        np.asarray(labels),
        out,
        **shared,
        name=Path(str(subject)).name,
        command=sweeps.command_line(subject, given, seed),
    )
    return results, sweep_tables.tables(results)


def _function(subject):
    """The function that "module:function" names; None for what is no such name."""
    module, sign, name = str(subject).partition(":")
    if not sign or not all(part.isidentifier() for part in (*module.split("."), name)):
        return None
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise DataError(
            f"{subject}: {error}: give module:function of a module that Python finds"
        ) from error


def _refuse_samples(subject, **given):
    """A function has samples of its own."""
    for name, value in given.items():
        if value is not None:
            raise DataError(
                f"{subject} is a function, which has samples of its own, and --"
                f"{name.replace('_', '-')} is {value}: leave it out, settings go into the grid"
            )


def _network(subject):
    """The saved network of that name or folder; None for a model's file."""
    try:
        return load(subject)
    except ModelFileError:
        if path_of(subject).is_file():
            return None
        raise


def _shape(subject):
    from nengo_tactile.conversion.reading import convertible

    return convertible(subject).input_shape
