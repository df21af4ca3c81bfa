"""A study of one's own: a network, a model or a function over a grid of settings."""

import dataclasses
import functools
import inspect
import itertools
import json
import pickle
import re
import shlex
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nengo_tactile import engines, files
from nengo_tactile.analysis import Measured
from nengo_tactile.ann.portable import keras_model, model_from_config
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.neurons import LIF
from nengo_tactile.conversion.reading import convertible
from nengo_tactile.doors.plain import Door
from nengo_tactile.errors import DataError, ModelFileError
from nengo_tactile.events.labelled import is_recordings
from nengo_tactile.experiments.papers import Paper
from nengo_tactile.experiments.sweep_tables import FIGURE, table_of, write_csv
from nengo_tactile.experiments.workers import Cell, Crew
from nengo_tactile.files import path_of
from nengo_tactile.networks.folders import read_json
from nengo_tactile.networks.protocol import ENGINES
from nengo_tactile.networks.targets import targets_of
from nengo_tactile.saved import find, load

#: Samples that calibrate a model at most, where none are given for it.
CALIBRATION_SAMPLES = 512
#: Settings that a network takes after it was made or loaded, if it has such an attribute.
CHANGES = {
    "synapse": ("synapse", lambda network, value: dataclasses.replace(network, synapse=value)),
    "rates": ("with_rates", lambda network, factor: network.with_rates(factor)),
    "bits": ("with_weight_bits", lambda network, bits: network.with_weight_bits(bits)),
}
#: Settings of the run.
RUN = ("engine", "n_steps")
#: Numbers of a row, beside accuracy or error: see `Measured.numbers`.
_MEASURED = (
    *("n_test", "latency_step", "spikes", "unit_spikes", "synops", "engine"),
    *("chip_joules_rough", "ann_multiplications"),
)
#: Numbers of a row that a function of one's own has to give.
_GIVEN = ("accuracy",)


def sweep(
    subject: Any,
    x: Any = None,
    y: Any = None,
    out: str | Path = "nengo-tactile-out/sweep",
    calibration: Any = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    threads: int = 1,
    progress: bool | None = None,
    name: str | None = None,
    command: str | None = None,
    say: Callable = print,
    **grid: Any,
) -> dict:
    """Measure every combination of some settings; an interrupted study goes on.

    Parameters
    ----------
    subject : network, Keras model, path, name or callable
        A network or its folder or shipped name; a Keras model or its file, which `convert` converts
        for each combination (it chooses the neurons where none are given); or a function of a
        module, ``function(**settings) -> dict`` of numbers, "accuracy" among them.
    x, y : samples and labels
        Of which accuracies are; a data set with its labels for a network. None for a function.
    out : path
        Gets cells/, results.json, results.csv, pictures and report.html.
    calibration : (n_samples, ...) array, optional
        For a model. By default some of ``x`` (up to a half of it, chosen by the seed), which are
        then not tested on.
    jobs : int, optional
        Run cells in so many processes.
    scheduler : str, optional
        Or on a Dask cluster.
    threads : int
        That a cell computes with.
    progress : bool, optional
    name, command : str, optional
        What the report calls the subject, and says ran it.
    say : callable
    **grid
        Name -> values, or one: ``engine``, ``n_steps``, ``synapse``, ``rates`` (a factor on the
        firing rates) and ``bits`` (of the weights); for a model also ``neuron``, the options of
        that, other arguments of `convert`, and ``seed``; for a function its own.

    Returns
    -------
    dict
        As in results.json: ``rows``, and ``failed``, cells that raised.

    Raises
    ------
    DataError
        For settings that the subject does not have, and samples that do not fit it.
    ModelFileError
        If the folder holds another study, or results of other samples.
    """
    return sweep_grid(
        *(subject, grid, x, y, out, calibration, jobs, scheduler, threads, progress, name),
        *(command, say),
    )


def sweep_grid(
    subject: Any,
    grid: dict,
    x: Any = None,
    y: Any = None,
    out: str | Path = "nengo-tactile-out/sweep",
    calibration: Any = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    threads: int = 1,
    progress: bool | None = None,
    name: str | None = None,
    command: str | None = None,
    say: Callable = print,
) -> dict:
    """The same as `sweep` with a dict of settings, which may be called as its own arguments are."""
    study = _study(subject, x, y, calibration)
    if name is not None:
        study = dataclasses.replace(study, name=name)
    axes = {name: _values(name, values) for name, values in grid.items()}
    if not axes:
        raise DataError("a sweep without settings: give a list of values for one at least")
    combinations = [dict(zip(axes, values)) for values in itertools.product(*axes.values())]
    for settings in combinations:
        study.check(settings)
    about = command or f"nt.sweep({study.name!r}, ..., {', '.join(map(_shown, axes.items()))})"
    paper = _Sweep(**_declaration(study, combinations, tuple(axes)))
    results = paper.run(
        _Plan(about), out, crew=Crew(jobs, scheduler, threads), progress=progress, say=say
    )
    write_csv(path_of(out) / "results.csv", results["rows"])
    return results


def _values(name, values):
    """Values of a setting, which may be one."""
    if isinstance(values, str) or not isinstance(values, Sequence | range | np.ndarray):
        return [values]
    if not len(values):
        raise DataError(f"setting {name} has no values: give one at least")
    return list(values)


def _shown(pair):
    name, values = pair
    return f"{name}=[{', '.join(map(str, values))}]"


# --------------------------------------------------------------------------- what is studied


@dataclasses.dataclass(frozen=True)
class _OfNetwork:
    """A network, as an object or where it lies."""

    source: Any
    name: str
    mark: str
    x: Any
    y: Any

    @property
    def network(self):
        return _loaded(self.source) if isinstance(self.source, str) else self.source

    def check(self, settings):
        changes = [name for name, (own, _) in CHANGES.items() if hasattr(self.network, own)]
        _known(settings, (*RUN, *changes), self.name)
        engine = settings.get("engine", self.network.fastest)
        engines.check_run(self.network, settings.get("n_steps"), engine)

    def run(self, settings):
        return _measured(self.network, self.x, self.y, settings)


@dataclasses.dataclass(frozen=True)
class _OfModel:
    """A Keras model, as its file or as what such a file would say."""

    source: Any
    name: str
    mark: str
    x: Any
    y: Any
    calibration: Any

    def _arguments(self, settings):
        """What goes to `convert`: the neuron with its options or None, these, and the rest."""
        neuron = settings.get("neuron")
        own = {field.name for field in dataclasses.fields(neuron or LIF())}
        options = {name: settings[name] for name in settings if name in own}
        if options:
            neuron = dataclasses.replace(neuron or LIF(), **options)
        taken = set(inspect.signature(convert).parameters) - {"model", "x", "neuron", "progress"}
        rest = {name: settings[name] for name in settings if name in taken}
        _known(settings, (*RUN, *CHANGES, *own, *taken, "neuron", "seed"), f"{neuron!r}")
        return neuron, own, rest

    def check(self, settings):
        self._arguments(settings)
        engine = settings.get("engine", ENGINES[0])
        if engine not in ENGINES:
            raise DataError(f"engine {engine!r} is unknown: choose from {', '.join(ENGINES)}")

    def run(self, settings):
        neuron, own, rest = self._arguments(settings)
        calibration, tested = self.calibration, slice(None)
        if calibration is None:
            order = np.random.default_rng(settings.get("seed", 0)).permutation(len(self.x))
            n = min(CALIBRATION_SAMPLES, len(self.x) // 2)
            calibration, tested = self.x[order[:n]], np.sort(order[n:])
        model = self.source if isinstance(self.source, str) else self.source.model()
        network = convert(model, calibration, neuron, progress=False, **rest)
        left = {name: settings[name] for name in settings if name not in own}
        return _measured(network, self.x[tested], self.y[tested], left)


@dataclasses.dataclass(frozen=True)
class _OfFunction:
    """A function that measures what it is given."""

    source: Callable
    name: str
    mark: str

    def check(self, settings):
        parameters = inspect.signature(self.source).parameters.values()
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            _known(settings, [p.name for p in parameters], self.name)

    def run(self, settings):
        found = self.source(**settings)
        if not isinstance(found, dict) or any(name not in found for name in _GIVEN):
            raise DataError(
                f"{self.name} gave {found!r}: return a dict of numbers, 'accuracy' among them"
            )
        return found


def _study(subject, x, y, calibration):
    """What is studied, with its samples, checked."""
    is_model = hasattr(subject, "layers") and not hasattr(subject, "encode")
    if callable(subject) and not is_model:
        return _of_function(subject, x, y)
    if y is None and not is_recordings(x):
        raise DataError("a sweep measures accuracy or error: give x and y, samples and labels")
    if hasattr(subject, "encode"):
        return _of_network(subject, type(subject).__name__, x, y)
    if not is_model:
        try:
            place = str(find(subject))
        except ModelFileError:
            if not path_of(subject).exists():
                raise
        else:
            return _of_network(place, str(subject), x, y)
    if is_recordings(x):
        raise DataError(
            "x is recordings, a Keras model takes arrays: turn them into images "
            "(nt.events.TactileImage), or give a network, which knows how"
        )
    x, y = np.asarray(x), np.asarray(y)
    if len(x) != len(y):
        raise DataError(f"x has {len(x)} samples, y {len(y)}: give one label for each")
    mark = files.fingerprint("calibration", () if calibration is None else calibration)
    source, digest = _model_to_send(subject)
    name = Path(subject).name if isinstance(subject, str | Path) else subject.name
    return _OfModel(source, name, f"{digest} {_mark(x, y)} {mark}", x, y, calibration)


def _of_network(source, name, x, y):
    network = _loaded(source) if isinstance(source, str) else source
    x, labels = network.encode(x)
    y = labels if y is None else y
    if y is None:
        raise DataError("the recordings have no labels: give y too")
    y = targets_of(network.read_out, y).y
    with tempfile.TemporaryDirectory() as folder:
        network.save(Path(folder) / "network")
        digest = read_json(Path(folder) / "network" / "network.json")["sha256"]
    return _OfNetwork(source, name, f"{digest[:16]} {_mark(x, y)}", x, y)


def _of_function(function, x, y):
    if x is not None or y is not None:
        raise DataError("a function measures on samples of its own: leave out x and y")
    name = getattr(function, "__qualname__", repr(function))
    try:
        pickle.dumps(function)
        text = inspect.getsource(function)
    except (pickle.PicklingError, AttributeError, TypeError, OSError) as error:
        raise DataError(
            f"{name} cannot be sent to other processes ({error}): give a function that a module "
            "defines"
        ) from error
    return _OfFunction(function, name, files.fingerprint([name, text]))


@functools.cache
def _loaded(source):
    return load(source)


def _model_to_send(subject):
    """A model as another process takes it, and its digest."""
    if isinstance(subject, str | Path):
        path = path_of(subject).absolute()
        return str(path), files.fingerprint(path.name, np.frombuffer(path.read_bytes(), np.uint8))
    model = keras_model(convertible(subject))
    weights = model.get_weights()
    return _Portable(model.to_json(), weights), files.fingerprint(model.to_json(), *weights)


@dataclasses.dataclass(frozen=True)
class _Portable:
    """A Keras model of one's own as text and arrays, which other processes take."""

    config: str
    weights: list

    def model(self):
        model = model_from_config(json.loads(self.config), lambda path: None)
        model.set_weights(self.weights)
        return model


def _mark(x, y):
    """Digest of samples and labels."""
    listed = [x] if isinstance(x, np.ndarray) else _arrays(x)
    return files.fingerprint(len(y), *listed, np.asarray(y))


def _arrays(x):
    """Arrays of what a network of events reads."""
    entries = x if isinstance(x, list) else [x]
    parts = [vars(each) if dataclasses.is_dataclass(each) else each._asdict() for each in entries]
    return [value for part in parts for value in part.values() if isinstance(value, np.ndarray)]


def _known(settings, names, whose):
    unknown = [name for name in settings if name not in names]
    if unknown:
        raise DataError(
            f"{whose} has no setting {', '.join(unknown)}: choose from "
            f"{', '.join(sorted(set(names)))}"
        )


# ----------------------------------------------------------------------------- what is measured


def _measured(network, x, y, settings):
    """A row of numbers for a network with some settings."""
    for name, (_, change) in CHANGES.items():
        if name in settings:
            network = change(network, settings[name])
    chosen = {name: settings[name] for name in RUN if name in settings}
    began = time.monotonic()
    recording = engines.run(network, x, progress=False, **chosen)
    seconds = time.monotonic() - began
    measured = Measured(recording, targets_of(network.read_out, y).y)
    numbers, what = measured.numbers(network), measured.targets.what
    compared = network.compare(x, measured.labels, recording, progress=False)
    beside = {
        name: float(compared[f"{key}_{what}"])
        for name, key in (("reference", network.reference.key), ("bound", "bound"))
        if f"{key}_{what}" in compared
    }
    return {
        what: numbers[what],
        **beside,
        **{key: numbers[key] for key in _MEASURED if key in numbers},
        "steps": recording.n_steps,
        "seconds": round(seconds, 3),
    }


def measure(ledger, study, settings):
    """A cell: the numbers of one combination."""
    shown = {name: _plain(value) for name, value in settings.items()}
    state = ledger.begin(shown, {f"{study.name} and samples": study.mark})
    if state is not None:
        return state
    row = {"settings": shown, **study.run(settings)}
    ledger.write(row)
    return row


def _plain(value):
    """A setting as JSON has it."""
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, str | int | float | bool | None) else repr(value)


# ------------------------------------------------------------------------- as a study


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What the report says ran the sweep."""

    text: str
    seed: str = "see the settings"

    def command(self, name):
        return self.text


@dataclasses.dataclass(frozen=True)
class _Sweep(Paper):
    """A sweep as a study."""

    @property
    def command(self):
        return "sweep"


def _key(settings):
    """Name of a combination's files: its settings as far as file names take them, and a digest."""
    shown = {name: _plain(value) for name, value in settings.items()}
    text = "-".join(f"{name}-{value}" for name, value in shown.items())
    return f"{re.sub('[^A-Za-z0-9.]+', '-', text)[:60].strip('-')}-{files.fingerprint(shown)[:8]}"


def _declaration(study, combinations, names):
    """The fields of a `Paper`."""
    cells = [Cell(_key(each), measure, {"study": study, "settings": each}) for each in combinations]

    def summarise(plan, states):
        return {"subject": study.name, "rows": [state for state in states.values() if state]}

    return {
        "name": "sweep",
        "title": f"Sweep of {study.name}",
        "lead": f"{len(cells)} combinations of {', '.join(names)}.",
        "about": "",
        "source": "a study of one's own",
        "plan": _Plan,
        "cells": lambda plan, data_dir: cells,
        "summarise": summarise,
        "tables": lambda results: {"settings": table_of(results, names)},
        "figures": lambda results: {"pareto": FIGURE},
        "sections": lambda results: (
            ("Accuracy and cost", "", ("pareto",)),
            ("All settings", "", ("settings",)),
        ),
        "line": lambda plan, key, state: None,
        "data": lambda results: study.name,
    }


def read_grid(path):
    """A grid of a JSON file: {"n_steps": [10, 20], "neuron": ["if"], ...}.

    Raises
    ------
    DataError
        For anything else.
    """
    from nengo_tactile.conversion.neurons import NEURONS

    remedy = 'write a file such as {"n_steps": [10, 20, 40], "rates": [0.5, 1]}'
    grid = Door(DataError, remedy).json(path)
    if not isinstance(grid, dict) or not grid:
        raise DataError(
            f"{path}: holds {type(grid).__name__}, wanted names and their values, such as "
            '{"n_steps": [10, 20, 40], "rates": [0.5, 1]}'
        )
    if "neuron" in grid:
        kinds = _values("neuron", grid["neuron"])
        unknown = [kind for kind in kinds if kind not in tuple(NEURONS)]
        if unknown:
            raise DataError(
                f"{path}: neuron {unknown[0]!r} is unknown: choose from {', '.join(NEURONS)}"
            )
        grid["neuron"] = [NEURONS[kind]() for kind in kinds]
    return grid


def command_line(subject, options, seed):
    """The command line of a sweep, for its report."""
    words = ["nengo-tactile sweep", shlex.quote(str(subject))]
    words += [f"--{name} {shlex.quote(str(value))}" for name, value in [*options, ("seed", seed)]]
    return " ".join(words)
