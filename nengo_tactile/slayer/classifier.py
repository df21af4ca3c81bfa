"""A trained SLAYER network as one object: from recordings to classes, saved, loaded and run."""

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nengo_tactile.networks.protocol import Reference
from nengo_tactile.networks.stepped import SteppedNetwork

if TYPE_CHECKING:
    from nengo_tactile.slayer.surrogates import Surrogate


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
        from nengo_tactile.slayer.training import measured

        n_steps = recording.n_steps

        def dense(rows):
            return np.asarray(x[rows[0] : rows[-1] + 1][:, :n_steps], np.float32)

        lengths = np.full(len(x), n_steps)
        found = measured(self.keras_model(), dense, labels, lengths, n_steps, progress=progress)
        return {f"{self.reference.key}_accuracy": found["accuracy"]}

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
