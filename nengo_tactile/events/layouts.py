"""What all ways from recordings to a network's input have in common."""

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Layout(Protocol):
    """How recordings become a network's input.

    There are `images.TactileImage`, `spikes.SpikeLayout` and `patterns.PatternLayout`.

    Attributes
    ----------
    sensor_size : tuple of int
        (width, height, polarities) of the recordings, as in tonic.
    """

    @property
    def sensor_size(self) -> tuple[int, ...]: ...

    def batch(self, recordings: Iterable, progress: bool | None = None) -> Any:
        """Recordings as samples: an array, or `sparse.SpikeSamples` with their labels."""
        ...
