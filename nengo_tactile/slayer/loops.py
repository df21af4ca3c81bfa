"""Compiled loops as TensorFlow's operations, their work shared out over the processors."""

import functools
import itertools
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from nengo_tactile import stack
from nengo_tactile.memory import processors

tf = stack.tensorflow()

#: TensorFlow copies arrays that begin elsewhere (Eigen's ``EIGEN_MAX_ALIGN_BYTES``).
ALIGNMENT = 64
#: Arrays of fewer bytes are not worth keeping.
LEAST_KEPT = 2**18
#: Memory that was not asked for in so many requests is given back.
REQUESTS = 64


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
    """Memory for an array that TensorFlow takes over without a copy.

    It is used again once nothing looks at the array any more: new memory of the system comes as
    zeros, which cost as much as what loops write into it.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return _KEPT.view(size)[:size].view(dtype).reshape(shape)


class _Kept:
    """Memory of arrays, with the number of the request that took it last."""

    def __init__(self):
        self.lock, self.requests = threading.Lock(), 0
        self.blocks: list[tuple[np.ndarray, int]] = []

    def view(self, size):
        """Bytes from an aligned one on, that nothing else looks at."""
        if size < LEAST_KEPT:
            return _aligned(np.empty(size + ALIGNMENT, np.uint8))
        with self.lock:
            self.requests += 1
            memory, blocks = None, []
            for block, request in self.blocks:
                free = sys.getrefcount(block) <= _LOOKS
                if free and memory is None and size <= len(block) - ALIGNMENT <= 1.1 * size:
                    memory = block
                elif not free or self.requests - request < REQUESTS:
                    blocks.append((block, request))
            if memory is None:
                memory = np.empty(size + ALIGNMENT, np.uint8)
            self.blocks = [*blocks, (memory, self.requests)]
            return _aligned(memory)

    def forget(self):
        """Give back what nothing looks at."""
        with self.lock:
            self.blocks = [
                (block, request)
                for block, request in self.blocks
                if sys.getrefcount(block) > _LOOKS
            ]


def _aligned(memory):
    return memory[-memory.ctypes.data % ALIGNMENT :]


def _looks():
    """References to a block that only the list of them holds, as `_Kept` counts them.

    The list's pair, the loop's name and the argument look at it.
    """
    for block, _ in [(np.empty(1, np.uint8), 0)]:
        return sys.getrefcount(block)


_LOOKS = _looks()
_KEPT = _Kept()


def forget() -> None:
    """Give memory back that `empty` keeps for arrays to come."""
    _KEPT.forget()


def share_out(n_tasks: int, work: Callable[[int, int], Any]) -> list:
    """What work returns for tasks from a first one to a last, one part for each processor."""
    ends = np.linspace(0, n_tasks, max(1, min(processors(), n_tasks)) + 1).astype(int)
    mine, *parts = itertools.pairwise(ends)
    others = [_pool(os.getpid()).submit(work, *part) for part in parts]
    return [work(*mine), *(each.result() for each in others)]


@functools.lru_cache(1)
def _pool(process):
    """Threads beside the one that asks: a process that was forked has none of those before."""
    return ThreadPoolExecutor(max(1, (os.cpu_count() or 1)), "loops")
