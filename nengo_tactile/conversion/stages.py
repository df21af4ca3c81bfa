"""A converted Keras model as a list of stages: linear map, then neurons."""

import dataclasses

import numpy as np

from nengo_tactile.ann.lif import LIFParameters
from nengo_tactile.conversion.graph import functional, walk
from nengo_tactile.errors import ConversionError


@dataclasses.dataclass(frozen=True)
class Stage:
    """One layer of neurons (or the read-out) and the connection that drives it.

    Attributes
    ----------
    name : str
        Name of the Keras layer with the weights; "read-out" layers keep theirs too.
    source : str
        Name of the stage it reads, or "input".
    kind : {"conv", "dense"}
    kernel : array
        (rows, columns, inputs, filters) or (inputs, units).
    bias : (filters,) or (units,) array
    input_shape, output_shape : tuple of int
        Without the sample axis; (features,) or (height, width, channels).
    strides : tuple of int
    padding : str
    lif : LIFParameters or None
        None for the read-out, which does not spike.
    """

    name: str
    source: str
    kind: str
    kernel: np.ndarray
    bias: np.ndarray
    input_shape: tuple
    output_shape: tuple
    strides: tuple = (1, 1)
    padding: str = "valid"
    lif: LIFParameters | None = None

    @property
    def n_inputs(self):
        """Neurons (or pixels) it reads."""
        return int(np.prod(self.input_shape))

    @property
    def n_neurons(self):
        """Neurons of the stage, or outputs of the read-out."""
        return int(np.prod(self.output_shape))

    def neuron_bias(self):
        """Bias of every neuron, (n_neurons,) array."""
        return np.broadcast_to(self.bias, self.output_shape).reshape(-1).astype(np.float32)

    def fan_out(self):
        """Synapses of this stage that leave each of its inputs, (n_inputs,) int array.

        Edges of convolutions are counted exactly: an input near the border reaches fewer
        outputs.
        """
        if self.kind == "dense":
            return np.full(self.n_inputs, self.n_neurons, np.int64)
        reach = [
            _positions_reached(size, out, k, s, self.padding)
            for size, out, k, s in zip(
                self.input_shape, self.output_shape, self.kernel.shape, self.strides
            )
        ]
        per_pixel = np.multiply.outer(*reach)[:, :, None] * self.kernel.shape[3]
        return np.broadcast_to(per_pixel, self.input_shape).reshape(-1).astype(np.int64)


def _positions_reached(size, n_out, kernel, stride, padding):
    """How many of ``n_out`` window positions cover each of ``size`` pixels on one axis."""
    before = 0
    if padding == "same":
        before = max((n_out - 1) * stride + kernel - size, 0) // 2
    counts = np.zeros(size, np.int64)
    for position in range(n_out):
        first = position * stride - before
        counts[max(first, 0) : max(min(first + kernel, size), 0)] += 1
    return counts


def stages_of(model):
    """Read the stages off a model from `use_lif` (see `nengo_tactile.conversion.passes`).

    Parameters
    ----------
    model : tf.keras.Model

    Returns
    -------
    list of Stage
        In the order of computation, the read-out last.

    Raises
    ------
    ConversionError
        For graphs that are no chain of linear layers and neurons, naming the layer.
    """
    model = functional(model)
    # id of a tensor -> (name of the stage it comes from, linear stage awaiting its neurons)
    made = {id(model.inputs[0]): ("input", None)}
    stages = []
    for layer, inputs, output in walk(model):
        label = f"layer '{layer.name}' ({type(layer).__name__})"
        source, linear = made[id(inputs[0])]
        if type(layer).__name__ == "Flatten":
            made[id(output)] = (source, linear)
        elif type(layer).__name__ in ("Conv2D", "Dense"):
            if linear is not None:
                raise ConversionError(
                    f"{label}: reads '{linear.name}', which has no activation; give "
                    f"'{linear.name}' a relu, or merge the two layers' weights"
                )
            made[id(output)] = (source, _linear_stage(layer, source))
        elif type(layer).__name__ == "RateLIF":
            if linear is None:
                raise ConversionError(
                    f"{label}: an activation needs a Conv2D or Dense layer before it; "
                    f"it reads '{source}'"
                )
            stages.append(dataclasses.replace(linear, lif=layer.parameters))
            made[id(output)] = (linear.name, None)
        else:
            raise ConversionError(
                f"{label}: is no linear layer and no LIF layer; give all hidden layers ReLUs, or "
                "all of them RateLIF"
            )
    source, linear = made[id(model.outputs[0])]
    if linear is None:
        raise ConversionError(
            f"model '{model.name}' ends in '{source}', which spikes: end it with a linear Dense "
            "layer, the read-out"
        )
    if linear.kind != "dense":
        raise ConversionError(
            f"model '{model.name}' ends in '{linear.name}' (Conv2D): end it with a Dense layer"
        )
    return [*stages, linear]


def _linear_stage(layer, source):
    kernel, *bias = layer.get_weights()
    conv = type(layer).__name__ == "Conv2D"
    return Stage(
        name=layer.name,
        source=source,
        kind="conv" if conv else "dense",
        kernel=kernel,
        bias=bias[0] if bias else np.zeros(kernel.shape[-1], kernel.dtype),
        input_shape=tuple(layer.input_shape[1:]),
        output_shape=tuple(layer.output_shape[1:]),
        strides=tuple(layer.strides) if conv else (1, 1),
        padding=layer.padding if conv else "valid",
    )
