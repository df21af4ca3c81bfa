"""A trained SLAYER network as plain arrays: what engines, files and the chip read."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Stage:
    """One layer of spiking neurons and the connection into it.

    Attributes
    ----------
    name : str
    kind : {"dense", "conv", "pool"}
    weights : float32 array
        "dense": (n_inputs, n_neurons), inputs in the order of Keras's Flatten. "conv":
        (height, width, channels, filters). "pool": (), one weight for all pixels of a window.
    input_shape, shape : tuple of int
        Of the inputs and of the neurons, without samples and steps.
    neuron : SpikeResponseModel or CurrentBasedLIF
    stride : int
        Of "conv" and "pool"; a pooling window has this side too.
    padding : {"valid", "same"}
        Of "conv", as in Keras. A pooling leaves pixels out that do not fill a window.
    delays : (n_neurons,) int array or None
        Steps that spikes spend on each neuron's axon.
    recurrent : (n_neurons, n_neurons) float32 array or None
        Weights from the spikes of a step, after their delay, to the current of the next one.
    """

    name: str
    kind: str
    weights: np.ndarray
    input_shape: tuple
    shape: tuple
    neuron: object
    stride: int = 1
    padding: str = "valid"
    delays: np.ndarray | None = None
    recurrent: np.ndarray | None = None

    @property
    def n_neurons(self):
        """Neurons of the stage."""
        return int(np.prod(self.shape))
