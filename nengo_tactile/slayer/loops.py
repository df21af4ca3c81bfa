"""Compiled loops as TensorFlow's operations, their work shared out over the processors."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from nengo_tactile import stack
from nengo_tactile.memory import processors

tf = stack.tensorflow()

#: TensorFlow copies arrays that begin elsewhere (Eigen's ``EIGEN_MAX_ALIGN_BYTES``).
ALIGNMENT = 64


def call(function: Callable, tensors: list, shapes: list) -> list:
    """Arrays that a function makes of arrays, as tensors of the type of the first and of shapes.

    Parameters
    ----------
    function : callable
        Arrays to a list of arrays.
    tensors : list of tensor
    shapes : list of shape
        What is known of the results' shapes.
    """
    types = [tensors[0].dtype] * len(shapes)
    found = tf.numpy_function(function, tensors, types, stateful=False)  # left out where unused
    return [tf.ensure_shape(each, shape) for each, shape in zip(tf.nest.flatten(found), shapes)]


def empty(shape: tuple, dtype: Any) -> np.ndarray:
    """Memory for an array that TensorFlow takes over without a copy."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    first = -memory.ctypes.data % ALIGNMENT
    return memory[first : first + size].view(dtype).reshape(shape)


def share_out(n_tasks: int, work: Callable[[int, int], Any]) -> list:
    """What work returns for tasks from a first one to a last, one part for each processor."""
    ends = np.linspace(0, n_tasks, max(1, min(processors(), n_tasks)) + 1).astype(int)
    with ThreadPoolExecutor(len(ends) - 1) as pool:
        return list(pool.map(work, ends[:-1], ends[1:]))
