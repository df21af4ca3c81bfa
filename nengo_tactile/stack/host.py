"""A guest in someone's process: what the libraries below do to it stays inside.

NengoDL, Nengo and Keras draw from the process's random numbers, TensorFlow writes advice to its
log, and none of them works from two threads at once. Inside `guest` they draw from generators of
their own, keep quiet, and have one thread.
"""

import contextlib
import ctypes
import logging
import os
import random
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

from nengo_tactile.errors import StackError


class _Guests(threading.local):
    """How deep this thread is inside."""

    depth = 0


_GUESTS = _Guests()
#: Threads take turns; a child process gets a lock of its own.
_TURN = threading.RLock()
#: What to do in a child process whose parent had TensorFlow running.
_REMEDY = (
    "this process was forked from one in which TensorFlow had computed: it would wait here for "
    "threads that only the other one has. Start processes afresh, with "
    'multiprocessing.get_context("spawn"), or fork before TensorFlow computes; what the event '
    "engine has run before, it runs in forked processes too"
)
_STATE = {"forked": False}


@contextlib.contextmanager
def guest() -> Iterator[None]:
    """Use TensorFlow, Keras and Nengo inside without a trace in the process, one thread at a time.

    Raises
    ------
    StackError
        In a process that was forked when TensorFlow had computed: it would wait for ever.
    """
    if _STATE["forked"]:
        raise StackError(_REMEDY)
    with _TURN:
        _GUESTS.depth += 1
        try:
            with contextlib.ExitStack() as stack:
                if _GUESTS.depth == 1:
                    stack.enter_context(quiet())
                    stack.enter_context(_own_keras_seeds())
                yield
        finally:
            _GUESTS.depth -= 1


def interruptible(compute: Callable[[], Any]) -> Any:
    """What TensorFlow computes, unless Ctrl-C ends it at its next operation.

    TensorFlow looks at no signal while it computes, so it does that in a thread of its own, and
    this one waits. What interrupts the wait is raised when TensorFlow has stopped.

    Parameters
    ----------
    compute : callable
        Without arguments; it runs as if inside of `guest` if this thread is.

    Returns
    -------
    object
        What ``compute`` returns.
    """
    if threading.current_thread() is not threading.main_thread():  # no signal comes here
        return compute()
    from tensorflow.python.eager import cancellation

    stop, depth, answer = cancellation.CancellationManager(), _GUESTS.depth, Future[Any]()

    def work():
        _GUESTS.depth = depth
        try:
            with quiet(), cancellation.CancellationManagerContext(stop):
                answer.set_result(compute())
        except BaseException as error:
            answer.set_exception(error)

    worker = threading.Thread(target=work, name="TensorFlow of nengo_tactile", daemon=True)
    worker.start()
    try:
        return answer.result()
    except BaseException:
        end, number = ctypes.pythonapi.PyThreadState_SetAsyncExc, ctypes.c_ulong(worker.ident or 0)
        while worker.is_alive():
            stop.start_cancel()  # of what runs; a graph that begins later needs another one
            stop = cancellation.CancellationManager()
            cancellation.CancellationManagerContext(stop).__enter__()
            end(number, ctypes.py_object(SystemExit))  # of Python, which no thread prints
            worker.join(0.2)
        raise
    finally:
        worker.join()


def inside() -> bool:
    """Whether this thread is inside of `guest`."""
    return _GUESTS.depth > 0


def numpy_generator() -> Any:
    """What stands for ``numpy.random`` inside of `guest`."""
    import numpy as np

    return np.random.RandomState(0)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back what TensorFlow logs for this thread below errors: advice on retracing."""
    logger, thread = logging.getLogger("tensorflow"), threading.get_ident()

    def passes(record):
        return record.thread != thread or record.levelno >= logging.ERROR

    logger.addFilter(passes)
    try:
        yield
    finally:
        logger.removeFilter(passes)


@contextlib.contextmanager
def same_draws() -> Iterator[None]:
    """Leave Python's and NumPy's global random numbers as they were: for imports, once."""
    import numpy as np

    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


@contextlib.contextmanager
def _own_keras_seeds():
    """Let Keras 2 draw the seeds of this thread's layers from a generator of its own."""
    before = _keras_generator(random.Random(0))
    try:
        yield
    finally:
        _keras_generator(before)


def _keras_generator(generator: Any) -> Any:
    """Give tf_keras, once loaded, a generator of seeds (None: Python's own); returns its last."""
    backend = sys.modules.get("tf_keras.src.backend")
    place = getattr(backend, "_SEED_GENERATOR", None)  # a threading.local
    if place is None:
        return None
    before = getattr(place, "generator", None)
    place.generator = generator
    return before


def keras_loaded() -> None:
    """tf_keras was loaded just now, perhaps inside."""
    if _GUESTS.depth:
        _keras_generator(random.Random(0))


def _in_child():
    global _TURN
    _TURN = threading.RLock()
    context = sys.modules.get("tensorflow.python.eager.context")
    running = getattr(context, "_context", None)
    if getattr(running, "_context_handle", None) is not None:
        _STATE["forked"] = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
