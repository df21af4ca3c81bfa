"""Linear maps between populations: what a Nengo connection computes, and what it costs.

A Keras layer without nonlinearity becomes one of these maps, without its bias (constants are
gathered in `nengo_tactile.conversion.stages`). Inputs and outputs are flattened, channels last.
"""

import dataclasses

import numpy as np

from nengo_tactile import stack


@dataclasses.dataclass(frozen=True)
class Dense:
    """Every input reaches every output.

    Attributes
    ----------
    kernel : (n_in, n_out) array
    """

    kernel: np.ndarray

    #: Whether its entries are synapses, or only say what goes where.
    weighted = True

    @property
    def n_in(self):
        """Inputs, flattened."""
        return len(self.kernel)

    def scaled(self, factor):
        """The same map times a number."""
        return dataclasses.replace(self, kernel=self.kernel * np.float32(factor))

    def transform(self, gain):
        """As the transform of a Nengo connection, times ``gain``."""
        return (self.kernel * np.float32(gain)).T

    def fan_out(self, reached):
        """For each input the sum of ``reached``, (n_out,), over the outputs it has weights to."""
        return np.rint((self.kernel != 0) @ reached.astype(float)).astype(np.int64)


@dataclasses.dataclass(frozen=True)
class Diagonal:
    """One weight per neuron, as in a shortcut.

    Attributes
    ----------
    weights : (n,) array
    shape : tuple of int
        Of the map, (height, width, channels).
    """

    weights: np.ndarray
    shape: tuple

    weighted = True

    @property
    def n_in(self):
        """Inputs, flattened."""
        return len(self.weights)

    def scaled(self, factor):
        """The same map times a number."""
        return dataclasses.replace(self, weights=self.weights * np.float32(factor))

    def transform(self, gain):
        """As the transform of a Nengo connection, times ``gain``."""
        weights = self.weights * np.float32(gain)
        return weights[0] if (weights == weights[0]).all() else weights

    def fan_out(self, reached):
        """See `Dense.fan_out`."""
        return (self.weights != 0) * reached


@dataclasses.dataclass(frozen=True)
class _Kernel:
    """Weights shared between positions: what a convolution and its transpose have in common."""

    kernel: np.ndarray
    strides: tuple
    padding: str
    input_shape: tuple
    output_shape: tuple

    weighted = True

    @property
    def n_in(self):
        """Inputs, flattened."""
        return int(np.prod(self.input_shape))

    def scaled(self, factor):
        """The same map times a number."""
        return dataclasses.replace(self, kernel=self.kernel * np.float32(factor))

    def _arguments(self, gain):
        """Arguments of Nengo's transform, the weights times ``gain``."""
        kernel = self.kernel * np.float32(gain)
        return {
            "n_filters": kernel.shape[-1],
            "input_shape": self.input_shape,
            "kernel_size": kernel.shape[:-2],
            "strides": self.strides,
            "padding": self.padding,
            "init": kernel,
        }


@dataclasses.dataclass(frozen=True)
class Convolution(_Kernel):
    """Convolution over one or two axes.

    Attributes
    ----------
    kernel : (*sides, inputs, filters) array
        Dilated kernels with the zeros in between, grouped ones with zeros between groups.
    strides : tuple of int
    padding : {"valid", "same"}
    input_shape, output_shape : tuple of int
        (*size, channels).
    """

    def transform(self, gain):
        """As the transform of a Nengo connection, times ``gain``."""
        import nengo

        return nengo.Convolution(**self._arguments(gain))

    def fan_out(self, reached):
        """See `Dense.fan_out`; edges are exact: an input near the border reaches less."""
        size, out = self.input_shape[:-1], self.output_shape[:-1]
        sides = self.kernel.shape[:-2]
        before = [0] * len(sides)
        if self.padding == "same":
            before = [
                max((n - 1) * s + k - m, 0) // 2
                for n, s, k, m in zip(out, self.strides, sides, size)
            ]
        room = [
            max((n - 1) * s + k, m + b)
            for n, s, k, m, b in zip(out, self.strides, sides, size, before)
        ]
        total = np.zeros((*room, self.input_shape[-1]))
        reached = reached.reshape(self.output_shape).astype(float)
        exists = (self.kernel != 0).astype(float)
        for offset in np.ndindex(*sides):
            window = tuple(
                slice(o, o + (n - 1) * s + 1, s) for o, n, s in zip(offset, out, self.strides)
            )
            total[window] += reached @ exists[offset].T
        inside = tuple(slice(b, b + m) for b, m in zip(before, size))
        return np.rint(total[inside]).astype(np.int64).reshape(-1)


@dataclasses.dataclass(frozen=True)
class TransposedConvolution(_Kernel):
    """The transpose of a convolution's map, which makes a larger image.

    Attributes
    ----------
    kernel : (*sides, inputs, filters) array
    strides, padding, input_shape, output_shape :
        As in `Convolution`, of the larger image as output.
    """

    def transform(self, gain):
        """As the transform of a Nengo connection, times ``gain``."""
        import nengo

        arguments = self._arguments(gain)
        return nengo.transforms.ConvolutionTranspose(output_shape=self.output_shape, **arguments)

    def fan_out(self, reached):
        """See `Dense.fan_out`: the forward convolution of what is reached."""
        tf = stack.tensorflow()
        # as a convolution from the larger image with the mask of weights, filters first
        exists = tf.constant((self.kernel != 0).astype(np.float64).swapaxes(-1, -2))
        image = tf.constant(reached.reshape(1, *self.output_shape).astype(np.float64))
        total = tf.nn.convolution(image, exists, self.strides, self.padding.upper())
        return np.rint(total.numpy()).astype(np.int64).reshape(-1)


@dataclasses.dataclass(frozen=True)
class Sparse:
    """Few weights, given one by one: pooling, interpolation.

    Attributes
    ----------
    matrix : scipy.sparse matrix, (n_out, n_in)
    """

    matrix: object

    weighted = True

    @property
    def n_in(self):
        """Inputs, flattened."""
        return self.matrix.shape[1]

    def scaled(self, factor):
        """The same map times a number."""
        return dataclasses.replace(self, matrix=self.matrix * np.float32(factor))

    def transform(self, gain):
        """As the transform of a Nengo connection, times ``gain``."""
        import nengo

        return nengo.Sparse(self.matrix.shape, init=(self.matrix * np.float32(gain)).tocsr())

    def fan_out(self, reached):
        """See `Dense.fan_out`."""
        return np.rint((self.matrix != 0).T @ reached.astype(float)).astype(np.int64)


@dataclasses.dataclass(frozen=True)
class Routing:
    """No weights: output i is input ``indices[i]`` (or input i), times one factor.

    Attributes
    ----------
    indices : (n_out,) int array or None
    n_in : int
        Inputs, flattened.
    factor : float
    """

    indices: np.ndarray | None
    n_in: int
    factor: float = 1.0

    weighted = False

    def scaled(self, factor):
        """The same map times a number."""
        return dataclasses.replace(self, factor=self.factor * float(factor))

    def transform(self, gain):
        """As the transform of a Nengo connection from the indexed inputs, times ``gain``."""
        return self.factor * float(gain)

    def fan_out(self, reached):
        """See `Dense.fan_out`."""
        if self.indices is None:
            return reached
        counts = np.zeros(self.n_in, np.int64)
        np.add.at(counts, self.indices, reached)
        return counts


def channelwise_matrix(layer, input_shape):
    """The matrix of a layer that treats each channel alike: average pooling, interpolation.

    Parameters
    ----------
    layer : tf.keras.layers.Layer
        Linear, without weights.
    input_shape : tuple of int
        (*size, channels).

    Returns
    -------
    scipy.sparse.csr_matrix of shape (n_out, n_in)
    """
    import scipy.sparse

    *size, channels = input_shape
    n_pixels = int(np.prod(size))
    columns, chunk = [], 1024
    for start in range(0, n_pixels, chunk):
        n = min(chunk, n_pixels - start)
        images = np.zeros((n, n_pixels, 1), np.float32)
        images[np.arange(n), start + np.arange(n)] = 1
        response = np.asarray(layer(images.reshape(n, *size, 1))).reshape(n, -1)
        columns.append(scipy.sparse.csr_matrix(response).T)
    matrix = scipy.sparse.hstack(columns)
    return scipy.sparse.kron(matrix, scipy.sparse.identity(channels, np.float32)).tocsr()
