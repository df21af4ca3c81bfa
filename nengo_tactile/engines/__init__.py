"""Engines: ``run(network, inputs, n_steps) -> Recording``."""

from nengo_tactile.conversion.support import ENGINES
from nengo_tactile.engines.recording import Recording
from nengo_tactile.errors import EngineError
from nengo_tactile.skim.classifier import SkimNetwork
from nengo_tactile.slayer.classifier import SlayerNetwork

__all__ = ["ENGINES", "Recording", "run"]


def run(network, x, n_steps=None, engine="nengo-dl", progress=None, **options):
    """Run a spiking network.

    Parameters
    ----------
    network : SpikingNetwork, SkimNetwork or SlayerNetwork
    x : (n_samples, ...) float array
        Samples in the network's input shape (see ``network.encode``).
    n_steps : int, optional
        Time steps per sample; by default ``network.n_steps``, on the emulator more of them.
    engine : {"nengo-dl", "event", "loihi"}
        A SkimNetwork runs on "nengo-dl" and "nengo", Nengo's reference simulator; a SlayerNetwork
        on these, "event" and, with current-based neurons, "loihi".
    progress : bool, optional
        Show a progress bar (default: on a terminal).
    **options
        Of the engine: see `nengo_tactile.engines.nengo_dl.run`,
        `nengo_tactile.engines.event.run`, `nengo_tactile.engines.loihi.run`; for a SkimNetwork
        `nengo_tactile.engines.skim.run`, for a SlayerNetwork `nengo_tactile.engines.slayer.run`.

    Returns
    -------
    Recording

    Raises
    ------
    EngineError
        For unknown engines and for networks the engine cannot take.
    """
    if isinstance(network, SkimNetwork):
        from nengo_tactile.engines import skim

        return skim.run(network, x, n_steps, engine, progress=progress, **options)
    if isinstance(network, SlayerNetwork):
        from nengo_tactile.engines import slayer

        return slayer.run(network, x, n_steps, engine, progress=progress, **options)
    if n_steps is None and engine != "loihi":  # which shows networks for longer
        n_steps = network.n_steps
    if n_steps is not None and (int(n_steps) != n_steps or n_steps < 1):
        raise EngineError(f"n_steps is {n_steps}: give a whole number of at least 1")
    if engine == "nengo-dl":
        from nengo_tactile.engines import nengo_dl as module
    elif engine == "event":
        from nengo_tactile.engines import event as module
    elif engine == "loihi":
        from nengo_tactile.engines import loihi as module
    else:
        raise EngineError(f"engine {engine!r} is unknown: choose one of {', '.join(ENGINES)}")
    n_steps = None if n_steps is None else int(n_steps)
    return module.run(network, x, n_steps, progress=progress, **options)
