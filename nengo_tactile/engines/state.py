"""Networks in the middle of a run: shown what comes next, a chunk of steps at a time."""

from collections.abc import Callable
from typing import Any

from nengo_tactile.engines.recording import Recording
from nengo_tactile.errors import DataError, EngineError


class State:
    """Samples that a network has seen so far, side by side.

    Made by `nengo_tactile.start`. An engine that runs in chunks has a function
    ``start(network, **options)`` beside its ``run``, which makes one.

    Parameters
    ----------
    network : Network
    begin : callable
        ``begin(n_samples)`` makes room for as many samples at rest and returns ``advance``, of
        which ``advance(x, n_steps)`` runs steps and returns their `Recording`.
    read : callable, optional
        ``read(x, n_steps)`` makes of samples what ``advance`` takes, or refuses them while nothing
        has changed yet.

    Attributes
    ----------
    n_samples : int or None
        Side by side; None before the first chunk.
    n_steps : int
        So far.
    """

    def __init__(
        self,
        network: Any,  # one whose input an engine checks
        begin: Callable[[int], Callable[[Any, int], Recording]],
        read: Callable[[Any, int], Any] = lambda x, n_steps: x,
    ) -> None:
        self.network, self._begin, self._read = network, begin, read
        self._advance: Callable[[Any, int], Recording] | None = None
        self.n_samples: int | None = None
        self.n_steps = 0

    def __repr__(self):
        samples = "no samples yet" if self.n_samples is None else f"{self.n_samples:,} samples"
        return f"State({samples} after {self.n_steps:,} steps of {self.network!r})"

    def step(self, x: Any, n_steps: int | None = None) -> Recording:
        """Go on from where the last steps ended.

        Parameters
        ----------
        x : (n_samples, ...) array_like
            As `nengo_tactile.run` takes it: an image that is shown for ``n_steps``, what arrives
            at each of the steps, or the next frame of a sigma-delta network's input. The first
            chunk decides how many samples there are.
        n_steps : int, optional
            As of `nengo_tactile.run`.

        Returns
        -------
        Recording
            Of these steps alone: spikes and synaptic operations of the chunk. Its outputs are the
            read-out of all steps so far, and so are its decisions: those that one run of all steps
            has at these.

        Raises
        ------
        DataError
            For other samples than in the chunk before, and for input that is not the network's.
        EngineError
            After a step that did not come to its end, such as by Ctrl-C.
        """
        if self._advance is _broken:
            raise EngineError(
                f"a step after {self.n_steps} did not come to its end, and left samples anywhere: "
                "begin anew with nengo_tactile.start"
            )
        n_steps = self.network.steps(n_steps)
        x = self.network.check_input(x)
        if self._advance is None:
            self.n_samples = len(x)
            self._advance = self._begin(len(x))
        elif len(x) != self.n_samples:
            raise DataError(
                f"the chunk has {len(x)} samples, those before had {self.n_samples}, which go on: "
                "give as many, or begin anew with nengo_tactile.start"
            )
        n_steps, advance = self.network.steps_of(x, n_steps), self._advance
        x = self._read(x, n_steps)
        self._advance = _broken
        recording = advance(x, n_steps)
        self._advance = advance
        self.n_steps += recording.n_steps
        return recording


def _broken(x, n_steps):
    """Stands for an ``advance`` that was interrupted."""
    raise NotImplementedError


__all__ = ["State"]
