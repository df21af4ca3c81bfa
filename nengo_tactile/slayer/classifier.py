"""A trained SLAYER network as one object: from recordings to classes, saved, loaded and run."""

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nengo_tactile.networks.protocol import Reference
from nengo_tactile.networks.stepped import SteppedNetwork
from nengo_tactile.progress import track

if TYPE_CHECKING:
    from nengo_tactile.slayer.surrogates import Surrogate

#: Samples that the Keras layers are shown at once.
_BATCH = 32


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SlayerNetwork(SteppedNetwork):
    """A network trained on spikes and all that is needed to run it again.

    Attributes
    ----------
    graph : Graph
        From `nengo_tactile.slayer.stages_of`.
    layout, classes, card
        As of `SteppedNetwork`.

    Raises
    ------
    DataError
        If layout or classes do not fit them.
    """

    storage: ClassVar = "nengo_tactile.slayer.storage"
    reference: ClassVar = Reference("layers", "Keras layers", "network", "Keras layers")

    def compare(
        self, x: Any, labels: np.ndarray, recording: Any, progress: bool | None = None
    ) -> dict[str, float]:
        """Accuracy of the Keras layers on the samples of a recording, after as many steps."""
        model, hits = self.keras_model(), 0
        starts = range(0, len(x), _BATCH)
        for start in track(starts, "running the Keras layers", progress=progress):
            batch = slice(start, start + _BATCH)
            fired = model.predict_on_batch(x[batch][:, : recording.n_steps])
            hits += (fired.sum(1).argmax(1) == labels[batch]).sum()
        return {f"{self.reference.key}_accuracy": float(hits / len(x))}

    def keras_model(self, surrogate: "Surrogate | None" = None) -> Any:
        """The network as a Keras model, to look into or train on.

        Parameters
        ----------
        surrogate : Surrogate, optional

        Returns
        -------
        tf.keras.Model

        Raises
        ------
        ConversionError
            If the graph is no chain of SLAYER's layers.
        """
        from nengo_tactile.slayer.models import model_of

        return model_of(self.graph, surrogate)
