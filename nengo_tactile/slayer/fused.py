"""Layers in one pass: spikes of inputs to spikes of neurons, with gradients.

The same as currents by TensorFlow and neurons by `dynamics`, without arrays of currents and of
their errors in memory: see `fused_kernel`. Spikes are taken event by event, forward and for the
errors of the weights.
"""

import math
from collections import namedtuple

import numpy as np

from nengo_tactile import stack
from nengo_tactile.lanes import LANES
from nengo_tactile.slayer import dynamics, loops
from nengo_tactile.slayer import fused_kernel as kernel
from nengo_tactile.slayer.row_lanes import MOST_VECTORS, STEPS

tf = stack.tensorflow()

#: Where things are: inputs of a step; rows of outputs, floats of one with its margins, of the left
#: margin, and of what is inside; vectors of a row of weights; columns, filters, stride, side and
#: upper padding of the convolution; rows of inputs, floats of one with its margins, of the left
#: margin, from one column of outputs to the next, and vectors that the kernel reaches; steps at a
#: time; whether it is a dense layer, or pools.
Plan = namedtuple(
    "Plan",
    "n_in rows row margin width vectors columns filters stride size pad in_rows in_row in_margin "
    "in_step in_vectors chunk dense pools",
)
#: Floats of currents, and of errors, of the steps at a time: they stay in the second cache.
CHUNK = 2**17
#: Weights of a dense layer up to which it pays: more do not stay in a cache.
MOST_DENSE = 2**16


class Window:
    """A square convolution of images, or a dense layer: one of a single pixel.

    Parameters
    ----------
    input_shape : (int, int, int)
        Rows, columns, channels.
    filters, size, stride : int
    padding : {"valid", "same"}
    """

    def __init__(self, input_shape, filters, size=1, stride=1, padding="valid"):
        self.input_shape, self.filters = input_shape, filters
        self.size, self.stride = size, stride
        #: Rows, and columns, of the kernel that lie a stride apart.
        self.taps = -(-size // stride)
        sides, pads = zip(*(_ends(side, size, stride, padding) for side in input_shape[:2]))
        self.sides, self.pads = sides, pads
        channels, (rows, columns) = input_shape[2], sides
        margin = (self.taps - 1) * filters
        row = margin + (columns + self.taps) * filters + LANES
        beyond = max(0, (columns - 1) * stride + size - pads[1] - input_shape[1])
        in_row = (pads[1] + input_shape[1] + beyond) * channels + LANES
        steps = CHUNK // (rows * row + input_shape[0] * in_row) // STEPS * STEPS
        self.plan = Plan(
            n_in=math.prod(input_shape),
            rows=rows,
            row=row,
            margin=margin,
            width=columns * filters,
            vectors=-(-self.taps * filters // LANES),
            columns=columns,
            filters=filters,
            stride=stride,
            size=size,
            pad=pads[0],
            in_rows=input_shape[0],
            in_row=in_row,
            in_margin=pads[1] * channels,
            in_step=stride * channels,
            in_vectors=-(-size * channels // LANES),
            chunk=min(max(STEPS, steps), 4 * STEPS),
            dense=int(input_shape[:2] == (1, 1) and size == 1),
            pools=0,
        )
        self.places = self._places()

    def _places(self):
        """Of each input, what `fused_kernel.run` reads."""
        y, x, c = np.indices(self.input_shape).reshape(3, -1)
        (row, row_phase), (column, column_phase) = (
            np.divmod(at + pad, self.stride) for at, pad in zip((y, x), self.pads)
        )
        goal = row * self.plan.row + column * self.filters
        weight = (row_phase * self.input_shape[2] + c) * self.stride + column_phase
        weight *= self.taps * self.plan.vectors * LANES
        first = np.maximum(0, row - (self.sides[0] - 1))
        inside = (self.size - row_phase + self.stride - 1) // self.stride
        end = np.minimum(row + 1, np.maximum(inside, 0))
        return np.stack([goal, weight, first, end], 1).astype(np.int64)

    def table(self, weights):
        """Rows of weights as events bring them: columns a stride apart, last one first.

        Parameters
        ----------
        weights : (size, size, channels, filters) array

        Returns
        -------
        (n,) float32 array
        """
        taps, stride, (*_, channels, filters) = self.taps, self.stride, weights.shape
        room = taps * stride - self.size
        weights = np.pad(weights, ((0, room), (0, room), (0, 0), (0, 0)))
        parts = weights.reshape(taps, stride, taps, stride, channels, filters)[:, :, ::-1]
        rows = parts.transpose(1, 4, 3, 0, 2, 5).reshape(-1, taps * filters)
        lacking = self.plan.vectors * LANES - taps * filters
        return np.ascontiguousarray(np.pad(rows, ((0, 0), (0, lacking)))).ravel()

    def weights_of(self, table):
        """The weights of a table."""
        taps, stride, channels = self.taps, self.stride, self.input_shape[2]
        rows = table.reshape(-1, self.plan.vectors * LANES)[:, : taps * self.filters]
        parts = rows.reshape(stride, channels, stride, taps, taps, self.filters)
        parts = parts.transpose(3, 0, 4, 2, 1, 5)[:, :, ::-1]
        whole = parts.reshape(taps * stride, taps * stride, channels, self.filters)
        return np.ascontiguousarray(whole[: self.size, : self.size])

    def back(self, weights):
        """Weights as errors meet them: see `fused_kernel.assign`."""
        rows = weights.reshape(self.size, -1, self.filters)
        lacking = self.plan.in_vectors * LANES - rows.shape[1]
        rows = np.pad(rows, ((0, 0), (0, lacking), (0, 0))).transpose(0, 2, 1)
        width = MOST_VECTORS * LANES
        tiles = [
            row[:, first : first + width] for row in rows for first in range(0, row.shape[1], width)
        ]
        return np.concatenate([tile.ravel() for tile in tiles])


class Pooling:
    """Sums over square windows that do not overlap, times one weight.

    Parameters
    ----------
    input_shape : (int, int, int)
        Rows, columns, channels.
    size : int
        Pixels that do not fill a window are left out.
    """

    def __init__(self, input_shape, size):
        in_rows, in_columns, channels = input_shape
        rows, columns = in_rows // size, in_columns // size
        row = columns * channels + LANES
        self.plan = Plan(
            n_in=math.prod(input_shape),
            rows=rows,
            row=row,
            margin=0,
            width=columns * channels,
            vectors=0,
            columns=columns,
            filters=channels,
            stride=size,
            size=size,
            pad=0,
            in_rows=in_rows,
            in_row=0,
            in_margin=0,
            in_step=0,
            in_vectors=0,
            chunk=min(max(1, CHUNK // (rows * row)), 4 * STEPS),
            dense=0,
            pools=1,
        )
        y, x, c = np.indices(input_shape).reshape(3, -1)
        inside = (y // size < rows) & (x // size < columns)
        goal = np.where(inside, y // size * row + x // size * channels + c, 0)
        zeros = np.zeros_like(goal)
        self.places = np.stack([goal, zeros, zeros, inside], 1).astype(np.int64)

    def table(self, weights):
        """Its weight, as the kernel reads it."""
        return weights.reshape(1)

    back = table

    def weights_of(self, table):
        """Of the weight, which is not trained, nothing is learnt."""
        return table.reshape(())


def _ends(side, size, stride, padding):
    """Outputs along an axis, and the pixels of padding before the first."""
    if padding == "valid":
        return (side - size) // stride + 1, 0
    n_out = -(-side // stride)
    return n_out, max((n_out - 1) * stride + size - side, 0) // 2


def spikes_of(spikes, weights, window, model, surrogate, learns_alone=False):
    """Spikes of a layer's neurons under spikes of its inputs, from rest.

    Parameters
    ----------
    spikes : (n_samples, n_steps, n_in) float32 tensor
    weights : (size, size, channels, filters) float32 tensor
        Of a pooling, ().
    window : Window or Pooling
    model : SpikeResponseModel or CurrentBasedLIF
    surrogate : Surrogate
    learns_alone : bool
        Whether nothing lies before the layer, so that errors of its inputs are hardly ever asked
        for: they are then found apart.

    Returns
    -------
    fired : (n_samples, n_steps, n_neurons) tensor
        Zeros and ones.
    counts : (n_samples,) tensor
        How many, without a gradient.
    """
    layer = _Layer(window, dynamics.Neurons(model, surrogate))
    constants = tf.stack([tf.convert_to_tensor(each, tf.float32) for each in model.constants()])
    goal = (*spikes.shape[:2], window.plan.rows * window.plan.width)

    @tf.custom_gradient
    def fire(spikes, weights):
        tensors = [spikes, weights, constants]
        potential, fired, counts = loops.call(layer.run, tensors, [goal, goal, spikes.shape[:1]])

        def gradient(error, _):
            known = [*tensors, error, potential]
            if learns_alone:
                (by_weights,) = loops.call(layer.by_weights, known, [weights.shape])
                _, by_spikes = loops.call(layer.assign, known, [weights.shape, spikes.shape])
            else:
                by_weights, by_spikes = loops.call(
                    layer.assign, known, [weights.shape, spikes.shape]
                )
            return by_spikes, by_weights

        return (fired, counts), gradient

    fired, counts = fire(spikes, weights)
    return fired, tf.stop_gradient(counts)


class _Layer:
    """Passes over time, forward and backward, of one layer."""

    def __init__(self, window, neurons):
        self.window, self.neurons = window, neurons

    def run(self, spikes, weights, constants):
        """Potentials, spikes, and their number in each sample."""
        n_samples, n_steps, _ = spikes.shape
        plan = self.window.plan
        shape = n_samples, n_steps, plan.rows * plan.width
        potential, fired = (loops.empty((math.prod(shape),), np.float32) for _ in range(2))
        counts = loops.empty((n_samples,), np.float32)
        told = spikes.reshape(-1), self.window.places, self.window.table(weights), plan
        told = *told, *self.neurons.numbers(constants), n_steps
        loops.share_out(n_samples, lambda a, b: kernel.run(*told, a, b, potential, fired, counts))
        return [potential.reshape(shape), fired.reshape(shape), counts]

    def assign(self, spikes, weights, constants, error, potential):
        """Errors of weights and of the inputs' spikes."""
        by_spikes = loops.empty((spikes.size,), np.float32)
        found = self._assign(spikes, weights, constants, error, potential, by_spikes)
        return [found, by_spikes.reshape(spikes.shape)]

    def by_weights(self, spikes, weights, constants, error, potential):
        """Errors of weights."""
        return [self._assign(spikes, weights, constants, error, potential, _nothing())]

    def _assign(self, spikes, weights, constants, error, potential, by_spikes):
        window, n_steps = self.window, spikes.shape[1]
        table, back = window.table(weights), _nothing()
        if by_spikes.size:
            back = window.back(weights)
        told = spikes.reshape(-1), error.reshape(-1), potential.reshape(-1), window.places, back
        told = *told, window.plan, *self.neurons.numbers(constants), self.neurons.stand_in, n_steps

        def part(a, b):
            found = np.zeros_like(table)
            kernel.assign(*told, a, b, found, by_spikes)
            return found

        return window.weights_of(sum(loops.share_out(len(spikes), part)))


def _nothing():
    return np.zeros(0, np.float32)
