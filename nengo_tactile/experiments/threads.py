"""How many threads a cell computes with, so that its result does not depend on the machine."""

import contextlib
import os
import sys

#: What TensorFlow reads when it computes for the first time.
VARIABLES = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


@contextlib.contextmanager
def fixed(n_threads):
    """Let TensorFlow, numba and the linear algebra of NumPy use so many threads inside.

    In a process where TensorFlow has computed before, it keeps the number that it has; workers
    are processes of their own.

    Parameters
    ----------
    n_threads : int
    """
    import numba
    import threadpoolctl

    threads, before = numba.get_num_threads(), {name: os.environ.get(name) for name in VARIABLES}
    numba.set_num_threads(min(n_threads, numba.config.NUMBA_NUM_THREADS))
    os.environ.update(dict.fromkeys(VARIABLES, str(n_threads)))
    if "tensorflow" in sys.modules:
        threading = sys.modules["tensorflow"].config.threading
        with contextlib.suppress(RuntimeError):  # it has computed before
            threading.set_intra_op_parallelism_threads(n_threads)
            threading.set_inter_op_parallelism_threads(n_threads)
    try:
        with threadpoolctl.threadpool_limits(n_threads):
            yield
    finally:
        numba.set_num_threads(threads)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
