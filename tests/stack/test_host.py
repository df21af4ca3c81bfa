"""What a process notices of its guest: nothing. Threads and forked processes get what is right.

One process does it all, and does it in a child that was forked before TensorFlow computed.
"""

import logging
import os

import pytest

from nengo_tactile.stack import host
from tests.support import fresh_process

CODE = """
import faulthandler, logging, os, random, signal, sys, tempfile, threading, time, warnings
import numpy as np
import numba, threadpoolctl
import nengo_tactile as nt
from nengo_tactile.errors import StackError
random.seed(1)
np.random.seed(1)
logging.getLogger("tensorflow").setLevel(logging.INFO)

def within(seconds, child):
    "Exit code of a forked process; it is killed after so long."
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "it waits for ever"

def forked(work):
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except StackError as error:
            print(error, flush=True)
            os._exit(3)
        except BaseException:
            import traceback
            print(traceback.format_exc(), flush=True)
            os._exit(4)
    return child

def seen():
    "What a host can see of itself."
    names = ("tensorflow", "absl", "tf_keras", "numba", "nengo")
    loggers = {name: logging.getLogger(name) for name in names} | {"root": logging.root}
    found = {
        "log": {k: (each.level, list(map(repr, each.filters))) for k, each in loggers.items()},
        "root": list(map(repr, logging.root.handlers)),
        "warnings": list(map(repr, warnings.filters)),
        "random": random.getstate(),
        "numpy": [str(part) for part in np.random.get_state(legacy=True)],
        "numpy's numbers": np.random.get_state()[1].tolist(),
        "signals": {str(n): repr(signal.getsignal(n)) for n in signal.valid_signals()},
        "hooks": (repr(sys.excepthook), repr(threading.excepthook), sys.getrecursionlimit()),
        "errors": np.geterr(), "crashes": faulthandler.is_enabled(), "folder": os.getcwd(),
        "numba": numba.get_num_threads(),
        "pools": {p["filepath"]: p["num_threads"] for p in threadpoolctl.threadpool_info()
                  if "numpy" in p["filepath"]},
    }
    tf = sys.modules.get("tensorflow")
    if tf is not None:
        threads = tf.config.threading
        found["tensorflow"] = (
            threads.get_intra_op_parallelism_threads(), threads.get_inter_op_parallelism_threads(),
            tf.config.functions_run_eagerly())
    return found

def compare(what, before):
    after = seen()
    for key in before:
        if before[key] != after[key]:
            told = (str(each[key])[:300] for each in (before, after))
            print("CHANGED by", what, key, *told, flush=True)
    return after

def work():
    before = seen()
    from nengo_tactile import stack
    tf = stack.tensorflow()
    layers = tf.keras.layers
    compare("loading", before)
    start = tf.keras.initializers.GlorotUniform(seed=3)
    model = tf.keras.Sequential([
        layers.Input((4, 4, 1)), layers.Conv2D(2, 3, activation="relu", kernel_initializer=start),
        layers.Flatten(), layers.Dense(3, kernel_initializer=start)])
    before, x = seen(), np.random.default_rng(0).random((8, 4, 4, 1), np.float32)
    good, folder = {}, tempfile.mkdtemp()
    for neuron, engines in (
        (nt.IF(), ("event", "nengo-dl", "loihi")), (nt.LIF(), ("nengo-dl", "loihi")),
    ):
        network = nt.convert(model, x, neuron, n_steps=8)
        before = compare(f"convert {neuron}", before)
        network.save(folder + "/network")
        network = nt.load(folder + "/network")
        before = compare(f"load {neuron}", before)
        for engine in engines:
            options = {"least_agreement": 0} if engine == "loihi" else {}
            good[engine] = nt.run(network, x, 8, engine=engine, **options).outputs
            before = compare(f"run {engine} {neuron}", before)
        if engines[0] == "event":
            runner, saved = network, good["event"]
    nt.check(model)
    before = compare("check", before)

    def one(number):
        network = nt.convert(model, x, nt.IF(), n_steps=8)
        network.save(f"{folder}/{number}")
        network = nt.load(f"{folder}/{number}")
        engine = ("event", "nengo-dl")[number % 2]
        same = np.allclose(nt.run(network, x, 8, engine=engine).outputs, saved, atol=1e-6)
        results.append(same)

    results = []
    threads = [threading.Thread(target=one, args=(number,), daemon=True) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    print("threads", results, flush=True)
    compare("threads", before)

    def event():
        assert np.array_equal(nt.run(runner, x, 8, engine="event").outputs, saved)

    print("forked, event engine", within(20, forked(event)), flush=True)
    for name, action in (
        ("convert", lambda: nt.convert(model, x, nt.IF())),
        ("load", lambda: nt.load(folder + "/0")),
        ("run", lambda: nt.run(runner, x, 8, engine="nengo-dl")),
    ):
        print("forked,", name, within(20, forked(action)), flush=True)

print("forked early", within(180, forked(work)))
"""


@pytest.fixture(scope="module")
def lines():
    if not hasattr(os, "fork"):
        pytest.skip("this system forks no processes")
    return fresh_process.done(CODE).stdout.splitlines()


def test_nothing_of_the_host_changes(lines):
    assert "forked early 0" in lines
    assert not [line for line in lines if line.startswith("CHANGED")]


def test_threads_at_once(lines):
    assert "threads [True, True, True, True]" in lines


def test_forked_after_tensorflow_computed(lines):
    assert "forked, event engine 0" in lines
    for name in ("convert", "load", "run"):
        assert f"forked, {name} 3" in lines
    assert sum("this process was forked" in line and "spawn" in line for line in lines) == 3


def test_only_this_threads_advice_is_held_back(caplog):
    logger = logging.getLogger("tensorflow")
    with host.quiet():
        logger.warning("advice")
        record = logger.makeRecord("tensorflow", logging.WARNING, "", 0, "of a host", (), None)
        record.thread = -1
        logger.handle(record)
        logger.error("an error")
    logger.warning("afterwards")
    assert [record.msg for record in caplog.records] == ["of a host", "an error", "afterwards"]
