"""What kinds of network have in common, each of which is a class of its own."""

from pathlib import Path
from typing import Any, ClassVar

from nengo_tactile.arguments import names
from nengo_tactile.errors import DataError
from nengo_tactile.networks import folders
from nengo_tactile.networks.protocol import summary
from nengo_tactile.networks.read_out import ReadOut
from nengo_tactile.networks.weights import export_weights


class BaseNetwork:
    """A network that is printed, saved and reads recordings by its ``layout``, if it has one."""

    layout: Any

    def __repr__(self):
        return summary(self)

    @property
    def sensor_size(self) -> tuple[int, ...] | None:
        """(width, height, polarities) of recordings, None where it does not read them."""
        return None if self.layout is None else self.layout.sensor_size

    def save(self, folder: str | Path) -> None:
        """Write the network to a folder, whole or not at all."""
        folders.save(self, folder)


class GraphNetwork(BaseNetwork):
    """One whose neurons are stages of a ``graph``."""

    graph: Any
    dt: Any

    @property
    def n_neurons(self) -> int:
        """Spiking neurons; max poolings, `relays`, have none."""
        return sum(stage.n_neurons for stage in self.graph if stage.fires)

    @property
    def relays(self) -> tuple[str, ...]:
        """Names of max poolings of spikes, which send changes of the largest sum."""
        return tuple(stage.name for stage in self.graph if stage.spikes and not stage.fires)

    def export_weights(self, file: str | Path) -> None:
        """Write weights, biases, thresholds and delays as npz: see `networks.weights`."""
        export_weights(self.graph, self.dt, file)


class SpikeInputNetwork(BaseNetwork):
    """One whose input comes step by step, and that stands for no Keras model."""

    classes: tuple[str, ...]
    build: Any
    ann_multiplications = None
    scale = None
    is_timed: ClassVar[bool] = True

    def _name_classes(self, n_outputs):
        """Set their names, numbers by default.

        Raises
        ------
        DataError
            If they are more or fewer than outputs, or two are the same.
        """
        classes = names("classes", self.classes) or tuple(str(i) for i in range(n_outputs))
        if len(classes) != n_outputs:
            raise DataError(
                f"{len(classes)} class names for a network with {n_outputs} outputs: give one each"
            )
        object.__setattr__(self, "classes", classes)  # of a frozen dataclass

    @property
    def read_out(self) -> ReadOut:
        """What outputs mean: spikes, or a value, of each class."""
        return ReadOut.linear((len(self.classes),))

    @property
    def net(self) -> Any:
        """A new Nengo network to look into, connect and simulate."""
        return self.build()
