"""Samples side by side: how many at once, and on how many processors."""

import math
from concurrent.futures import ThreadPoolExecutor

from nengo_tactile import arguments
from nengo_tactile.errors import EngineError
from nengo_tactile.memory import processors

#: Samples side by side at most: by benchmarks/nengo_dl_speed.py larger minibatches are not
#: faster on a processor, because a layer's state no longer stays in its cache.
LARGEST_BATCH = 64
#: Bytes of dense input that are read at once, unless one sample has more.
INPUT_BYTES = 2**28
DTYPES = ("float64", "float32")
#: Parts that a thread's share of a minibatch is done in: whoever is ready takes the next.
PARTS = 4


def batch_size_for(n_samples, sample_bytes=1, largest=LARGEST_BATCH):
    """Samples that run side by side: equal minibatches, as large as they may be.

    Parameters
    ----------
    n_samples : int
    sample_bytes : int
        Of the input of one, where it is read when it is run.
    largest : int
        Samples at most.
    """
    largest = max(1, min(largest, INPUT_BYTES // sample_bytes))
    return math.ceil(n_samples / math.ceil(n_samples / largest))


def checked_counts(batch_size, threads):
    """Both as whole numbers; without ``threads``, as many as there are processors.

    Raises
    ------
    EngineError
        For numbers that are not whole, or below 1.
    """
    threads = processors() if threads is None else threads
    return (
        arguments.whole("batch_size", batch_size, error=EngineError),
        arguments.whole("threads", threads, error=EngineError),
    )


def checked_dtype(graph, dtype=None):
    """The type of sums: by default float64 where neurons remember what arrived, else float32.

    Raises
    ------
    EngineError
        For another type.
    """
    if dtype not in (None, *DTYPES):
        raise EngineError(f"dtype is {dtype!r}: choose one of {', '.join(DTYPES)}")
    return dtype or DTYPES[not any(stage.neuron.remembers for stage in graph)]


class Memories:
    """What threads need for themselves, kept from one run to the next.

    Parameters
    ----------
    make : callable
        Makes that of one thread.
    """

    def __init__(self, make):
        self._make, self._free = make, []

    def take(self, n_threads):
        """Those of so many threads; whoever takes them gives them back."""
        return [self._one() for _ in range(n_threads)]

    def give_back(self, memories):
        """Keep what was taken, once it is as good as new."""
        self._free.extend(memories)

    def _one(self):
        try:  # runs in other threads may take the last one
            return self._free.pop()
        except IndexError:
            return self._make()


def side_by_side(n_samples, memories, simulate, together=1):
    """Simulate samples in as many threads as there are memories.

    What interrupts it, such as Ctrl-C, sets each memory's ``stop``, and is raised when all have
    stopped.

    Parameters
    ----------
    n_samples : int
    memories : list
        What a thread needs for itself.
    simulate : callable
        ``simulate(first, last, memory)`` runs the samples from ``first`` to ``last``; it is called
        once with none of them where there are none, which compiles it.
    together : int
        Samples that follow one another and go to the same thread.

    Returns
    -------
    list
        What ``simulate`` returned, in the order of the samples.
    """
    free = list(memories)

    def part(first, last):
        memory = free.pop()
        try:
            return simulate(first, last, memory)
        finally:
            free.append(memory)

    size = together * max(1, -(-n_samples // (together * PARTS * len(memories))))
    firsts = range(0, n_samples, size) if n_samples else [0]
    with ThreadPoolExecutor(len(memories)) as pool:
        parts = [pool.submit(part, first, min(first + size, n_samples)) for first in firsts]
        try:
            return [each.result() for each in parts]
        except BaseException:
            for memory in memories:
                memory.stop[0] = 1
            pool.shutdown(cancel_futures=True)
            for memory in memories:
                memory.stop[0] = 0
            raise


__all__ = [
    "DTYPES",
    "LARGEST_BATCH",
    "Memories",
    "batch_size_for",
    "checked_counts",
    "checked_dtype",
    "side_by_side",
]
