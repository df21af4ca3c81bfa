"""Engines: ``run(network, inputs, n_steps) -> Recording``."""

import inspect
from collections.abc import Callable, Collection
from typing import Any

from nengo_tactile.arguments import whole
from nengo_tactile.engines.recording import Recording
from nengo_tactile.engines.state import State
from nengo_tactile.errors import DataError, EngineError
from nengo_tactile.events.labelled import is_recordings
from nengo_tactile.memory import check_fits
from nengo_tactile.networks.protocol import ENGINES, Network, check_network, runner

__all__ = ["ENGINES", "Recording", "State", "check_run", "run", "start"]


def run(
    network: Network,
    x: Any,
    n_steps: int | None = None,
    engine: str | None = None,
    progress: bool | None = None,
    **options: Any,
) -> Recording:
    """Run a spiking network.

    Parameters
    ----------
    network : SpikingNetwork, SkimNetwork or SlayerNetwork
    x : array, what ``network.encode`` gives as first, a data set, or a list of recordings
        Samples in the network's input shape. Data sets and recordings are encoded here.
    n_steps : int, optional
        Time steps per sample; by default ``network.n_steps``, on the emulator more of them.
    engine : {"event", "nengo-dl", "loihi", "nengo"}, optional
        One of the network's ``runners``; by default the one that runs it fastest.
    progress : bool, optional
        Show a progress bar (default: on a terminal).
    **options
        ``rasters=3`` keeps all spikes of the first three samples, as `Recording.rasters`. Others
        are of the engine: see `nengo_tactile.engines.nengo_dl.run`,
        `nengo_tactile.engines.event.run`, `nengo_tactile.engines.loihi.run`; for a SkimNetwork
        `nengo_tactile.engines.skim.run`.

    Returns
    -------
    Recording

    Raises
    ------
    EngineError
        For unknown engines, for networks, steps and options that the engine cannot take.
    DataError
        For samples that the network does not read.
    """
    check_network(network)
    engine = network.fastest if engine is None else engine
    n_steps = check_run(network, n_steps, engine, options)
    if isinstance(x, tuple) and len(x) == 2 and (x[1] is None or len(x[1]) == len(x[0])):
        raise DataError(
            "x is a pair of samples and labels, as `encode` and data sets give them: give the "
            "first of the two"
        )
    if is_recordings(x):
        x, _ = network.encode(x, progress=progress)
    rasters = whole("rasters", options.pop("rasters", 0), least=0, error=EngineError)
    check_memory(network, x, n_steps, rasters)
    module = runner(network, engine)
    if "engine" in inspect.signature(module.run).parameters:
        options["engine"] = engine
    return module.run(network, x, n_steps, progress=progress, rasters=rasters, **options)


def start(
    network: Network,
    engine: str | None = None,
    progress: bool | None = None,
    **options: Any,
) -> State:
    """Begin a run in chunks, for input that comes while the network runs.

    Parameters
    ----------
    network : SpikingNetwork or SlayerNetwork
    engine : {"event", "loihi"}, optional
        One that keeps its state between chunks; by default the network's fastest.
    progress : bool, optional
        Say when it compiles (default: on a terminal).
    **options
        Of the engine: ``threads``, and what its ``start`` takes.

    Returns
    -------
    State
        Whose ``step(x, n_steps)`` does what `run` does, from where the last one ended.

    Raises
    ------
    EngineError
        For engines that show samples as a whole, and as `run`.
    """
    check_network(network)
    engine = network.fastest if engine is None else engine
    module = runner(network, engine)
    if not hasattr(module, "start"):
        able = [name for name in network.runners if hasattr(runner(network, name), "start")]
        remedy = f"use engine={' or '.join(map(repr, able))}, or " if able else "use "
        raise EngineError(
            f"engine {engine!r} shows samples of a {type(network).__name__} as a whole and keeps "
            f"no state: {remedy}nengo_tactile.run with all steps"
        )
    check_options(network, engine, module.start, options)
    return module.start(network, progress=progress, **options)


def check_memory(network: Network, x: Any, n_steps: int | None, rasters: int = 0) -> None:
    """Refuse a run whose recording alone would not fit into memory.

    Raises
    ------
    DataError
        With what it needs.
    """
    if not hasattr(x, "__len__"):
        raise DataError(f"x is {x!r}: give an array of samples, a data set or recordings")
    n_steps = network.n_steps if n_steps is None else n_steps
    # outputs, in 4 bytes and twice in 8 where they are summed up; spikes and operations; counts of
    # each neuron, of minibatches and joined
    needed = len(x) * (n_steps * (20 * network.read_out.n_outputs + 16) + 8 * network.n_neurons)
    needed += 2 * min(rasters, len(x)) * n_steps * network.n_neurons if rasters else 0
    remedy = "give fewer samples or steps"
    check_fits(f"a recording of {len(x):,} samples and {n_steps:,} steps", needed, remedy)


def check_run(
    network: Network, n_steps: int | None, engine: str, options: Collection[str] = ()
) -> int | None:
    """Refuse a run that cannot be, before samples are read.

    Parameters
    ----------
    network : Network
    n_steps : int or None
    engine : str
    options : collection of str
        Names of options for the engine.

    Returns
    -------
    int or None
        The steps to run; None where engine or samples decide.

    Raises
    ------
    EngineError
        For engines, steps and options that the network has not.
    """
    check_options(network, engine, runner(network, engine).run, options)
    return network.steps(n_steps)


def check_options(
    network: Network, engine: str, function: Callable[..., Any], options: Collection[str]
) -> None:
    """Refuse options that a function of an engine has not.

    Raises
    ------
    EngineError
    """
    taken = inspect.signature(function).parameters
    others = [name for name in options if name not in taken]
    if others:
        raise EngineError(
            f"a {type(network).__name__} on engine {engine!r} takes no {', '.join(others)}: leave "
            f"{'it' if len(others) == 1 else 'them'} out"
        )
