"""Cells that add up numbers, and fail, wait or fall over when they are told to."""

import os
import signal
import time
from pathlib import Path

N_PARTS = 5


def total(ledger, value, data="data", pause=0.0, trap=None):
    """The sum of ``value`` times 0 to 4, part by part.

    With a ``trap``, a folder, the process kills itself once in the middle.
    """
    start = {"n_done": 0, "sum": 0, "by": []}
    state = ledger.begin({"value": value}, {"data toys": data}, start)
    for number in range(state["n_done"], N_PARTS):
        if trap is not None and number == 3 and not (Path(trap) / ledger.key).exists():
            (Path(trap) / ledger.key).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(pause)
        state["sum"] += number * value
        state["n_done"] += 1
        state["by"].append(os.getpid())
        ledger.write(state)
    return state


def fails(ledger, words):
    raise RuntimeError(words)


def dies(ledger):
    os.kill(os.getpid(), signal.SIGKILL)


def n_threads(ledger):
    """Threads of numba and of NumPy's linear algebra, and what TensorFlow is told."""
    import numba
    import threadpoolctl

    state = ledger.begin(None, {})
    state = {
        "numba": numba.get_num_threads(),
        "blas": max(each["num_threads"] for each in threadpoolctl.threadpool_info()),
        "tensorflow": os.environ["TF_NUM_INTRAOP_THREADS"],
    }
    ledger.write(state)
    return state


def cost_of(n, power, seed=0):
    """A function of one's own, which fails for one setting."""
    if n == 3:
        raise ValueError("three is no number of mine")
    return {"accuracy": 1 - 1 / n**power, "spikes": float(n), "seed": seed}


def called(name, out=0, jobs=0):
    """A function whose settings are called as arguments of a sweep are."""
    return {"accuracy": len(name) / 10, "out": float(out), "jobs": float(jobs)}
