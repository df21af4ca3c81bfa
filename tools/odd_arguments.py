"""Odd arguments over the public face and the command line: each must be refused by name.

    python tools/odd_arguments.py [--only TEXT]

Prints those that are accepted, end in an exception of another's, take a second of a processor or
leave files behind; exit code 1 if there are any. The list is tests/support/odd_arguments.py.
"""

import argparse
import contextlib
import io
import os
import shlex
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: Of a processor: a refusal comes before any work.
SECONDS = 1.0
#: After which what was accepted is stopped: a page would be served for ever.
WAIT = 60


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="")
    only = parser.parse_args().only
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        found = []
        for name, what in judged(Path(folder), lambda name: only in name):
            found.append((name, what))
            if what:
                print(f"{name}: {what}", flush=True)
    wrong = [(name, what) for name, what in found if what]
    print(f"{len(found)} odd arguments, {len(found) - len(wrong)} refused by name")
    return int(bool(wrong))


def judged(folder, chosen):
    """What is wrong with the answer to each that is chosen, or None: (name, text), one by one."""
    import nengo_tactile as nt
    from nengo_tactile import cli
    from tests.support.odd_arguments import COMMANDS, calls

    model, snn, x, y = made(nt, folder)
    warnings.simplefilter("ignore")
    for name, call in calls(nt, model, snn, x, y).items():
        if chosen(name):
            yield name, _answer(nt, call)
    places = {"FILE": "model.keras", "NET": "net", "NIR": "net.nir"}
    places |= {"X": "x.npy", "Y": "y.npy"}
    for line in COMMANDS:
        if chosen(line):
            words = [places.get(word, word) for word in shlex.split(line)]
            yield line, _ending(cli, words)


def made(nt, folder):
    """A small model, its network, samples and labels, also as files."""
    import numpy as np

    from tests.support.readers import readers

    keras = nt.stack.tensorflow().keras
    x = np.random.default_rng(0).random((6, 5, 4, 1), np.float32)
    y = np.arange(6) % 3
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((5, 4, 1)), layers.Flatten(), layers.Dense(4, "relu"), layers.Dense(3)]
    )
    snn = nt.convert(model, x, nt.IF(), n_steps=8)
    for engine in snn.runners:  # what is compiled or imported at first use is no part of an answer
        with contextlib.suppress(nt.errors.TactileError):
            nt.run(snn, x, 2, engine)
    model.save(folder / "model.keras")
    snn.save(folder / "net")
    nt.to_nir(snn, folder / "net.nir", accept=("start", "reset"))
    readers()["lava"].make(folder)
    (folder / "network.net").rename(folder / "net.net")
    read = nt.from_lava(folder / "net.net")
    nt.run(read, np.zeros((1, 3, *read.graph.input_shape), np.float32), engine="event")
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    return model, snn, x, y


def _answer(nt, call):
    start = time.process_time()
    try:
        call()
    except (nt.errors.TactileError, TypeError, OSError) as error:
        # a TypeError is Python's own for names that a function does not have, an OSError of a
        # place that cannot be written
        if isinstance(error, OSError) and not error.filename:
            return f"{type(error).__name__}: {error}"
        if isinstance(error, TypeError) and "unexpected keyword" not in str(error):
            return f"TypeError: {error}"
        seconds = time.process_time() - start
        return f"refused after {seconds:.1f} s" if seconds > SECONDS else None
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:150]}"
    return "accepted"


def _ending(cli, words):
    start, said = time.process_time(), io.StringIO()

    def stop(*_):
        raise TimeoutError(f"is accepted, and still goes on after {WAIT} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(WAIT)
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = cli.main(words)
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:150]}"
    finally:
        signal.alarm(0)
    seconds = time.process_time() - start
    if code != 2:
        return f"exit code {code}: {said.getvalue()[-150:]!r}"
    left = [path for path in Path().iterdir() if path.name == "OUT"]
    if left:
        return "leaves OUT behind"
    return f"refused after {seconds:.1f} s" if seconds > SECONDS else None


if __name__ == "__main__":
    sys.exit(main())
