"""Whether other frameworks and nengo-tactile work in one environment, in any order of imports.

    python tools/beside_others.py [--names torch,jax] [--install] [--json FILE]

Every order of every framework runs in a process of its own: imports, conversions of a small Keras
network on three engines, then something small with the framework. Where Keras 3 has the
framework as its backend, a model made there is converted too. The outputs have to be near those of
the Keras model, and those of a process in which nothing else was imported. The environment is
taken as it is; --install installs what is missing into it. Exit code 1 if something fails, is
missing, or if `pip check` finds something.
"""

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

from other_frameworks import OTHERS

#: Packages whose versions matter to the result, beside those of the frameworks.
OURS = ("tensorflow", "tf_keras", "keras", "numpy", "nengo", "nengo-dl", "nengo-loihi")
#: What is imported, by order; ``other`` stands for the framework.
ORDERS = {
    "first": ("other", "nengo_tactile", "nengo_dl", "nengo_loihi"),
    "first, then TensorFlow": ("other", "tensorflow", "nengo_tactile"),
    "last": ("nengo_tactile", "nengo_dl", "nengo_loihi", "other"),
    "last, after TensorFlow": ("nengo_tactile", "tensorflow", "other"),
}
#: Largest difference from the Keras model's output, in units of the largest: what counting spikes
#: for 64 steps comes to, and the chip's weights of 8 bits beside it.
ALLOWED = {"event": 0.06, "nengo-dl": 0.06, "loihi": 0.3}
#: Largest difference from the outputs of a process with nothing else in it.
SAME = 1e-6
STEPS = 64
#: Seconds after which a process counts as hung.
PATIENCE = 400


def network(keras):
    """A small network of one of the Kerases, of always the same weights."""
    import numpy as np

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    rng = np.random.default_rng(0)
    model.set_weights(
        [rng.normal(size=w.shape) / np.sqrt(np.prod(w.shape[:-1])) for w in model.weights]
    )
    return model


def converted(model, wanted, x):
    """Convert a model and run it on the engines.

    Parameters
    ----------
    model : tf.keras.Model or keras.Model
    wanted : callable
        Gives the model's output for samples.
    x : (n_samples, ...) array

    Returns
    -------
    dict
        By engine: ``difference`` of its outputs from the model's, in units of the largest, and
        ``outputs`` after the last step.
    """
    import numpy as np

    import nengo_tactile as nt

    snn, few = nt.convert(model, x, nt.IF(), n_steps=STEPS), x[:4]
    found = {}
    for engine in ALLOWED:
        outputs = nt.run(snn, few, engine=engine, progress=False).outputs[:, -1]
        differs = np.abs(outputs - wanted(few)).max() / np.abs(wanted(few)).max()
        found[engine] = {"difference": float(differs), "outputs": outputs.tolist()}
    return found


def one(other, order):
    """What a process does: imports, conversions, and the framework's use.

    Parameters
    ----------
    other : Other or None
        None for nothing beside ours.
    order : str
        One of `ORDERS`.

    Returns
    -------
    dict of str to dict
        From `converted`, by whose model it was.
    """
    for word in ORDERS[order]:
        for name in (other.modules if other else ()) if word == "other" else (word,):
            importlib.import_module(name)
    import keras
    import numpy as np
    import tensorflow

    from nengo_tactile import stack

    x = np.random.default_rng(0).random((64, 8, 8, 1)).astype(np.float32)
    old = network(stack.tensorflow().keras)
    found = {"tf_keras": converted(old, lambda x: old(x).numpy(), x)}
    new = network(keras)
    found["keras"] = converted(new, lambda x: keras.ops.convert_to_numpy(new(x)), x)
    for use in other.uses if other else ():
        use()
    # the process's Keras is what it was
    assert keras.backend.backend() == ((other and other.backend) or "tensorflow")
    assert tensorflow.keras.Model is keras.Model and keras.__version__.startswith("3.")
    return found


def run(name, order):
    """The same in a process of its own.

    Parameters
    ----------
    name : str
        One of `OTHERS`, or "" for nothing beside ours.
    order : str

    Returns
    -------
    dict
        ``name``, ``order``, ``seconds``, ``models`` (from `one`, None if it failed) and
        ``problem`` (None, or what ended the process).
    """
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("TF_", "KERAS"))}
    if name and OTHERS[name].backend:
        clean["KERAS_BACKEND"] = OTHERS[name].backend
    start = time.perf_counter()
    row = {"name": name, "order": order, "models": None, "problem": None}
    command = [sys.executable, __file__, "--one", name, order]
    try:
        done = subprocess.run(
            command, env=clean, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return {**row, "seconds": PATIENCE, "problem": f"hung for {PATIENCE} s"}
    row["seconds"] = round(time.perf_counter() - start, 1)
    lines = [line for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    if done.returncode < 0:  # also behind the last line of ours, when libraries are unloaded
        row["problem"] = f"ended by {signal.Signals(-done.returncode).name}"
    elif done.returncode or not lines:
        row["problem"] = (done.stderr.strip().splitlines() or ["ended without a word"])[-1]
    else:
        row["models"] = json.loads(lines[-1].removeprefix("FOUND "))
    return row


def judge(row, alone):
    """Name what is wrong with a process's outputs.

    Parameters
    ----------
    row, alone : dict
        From `run`, the second of a process with nothing else in it.

    Returns
    -------
    str or None
    """
    import numpy as np

    if row["problem"]:
        return row["problem"]
    for model, engines in row["models"].items():
        for engine, found in engines.items():
            what = f"{model} model on {engine}: outputs differ by"
            if not found["difference"] <= ALLOWED[engine]:
                return f"{what} {found['difference']:.2g} from the model's"
            usual = (alone["models"] or row["models"])[model][engine]["outputs"]
            apart = np.abs(np.subtract(found["outputs"], usual)).max()
            if not apart <= SAME:
                return f"{what} {apart:.2g} from those of a process with nothing else in it"
    return None


def version(name):
    """An installed distribution's version; None if it is missing."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def pip(*arguments):
    """Run pip on this environment: (exit code, what it said)."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def install(names):
    """Install what is missing, one by one, so that one refusal does not stop the others.

    Parameters
    ----------
    names : list of str
        Distributions.

    Returns
    -------
    list of str
        Pip's errors, and versions that it changed of what was there.
    """
    told = []
    for name in names:
        before = {d.name: d.version for d in importlib.metadata.distributions()}
        code, output = pip("install", name)
        if code:
            errors = [line for line in output.splitlines() if line.startswith("ERROR")]
            told += [f"{name}: {line}" for line in errors or output.splitlines()[-1:]]
        importlib.invalidate_caches()
        after = {d.name: d.version for d in importlib.metadata.distributions()}
        told += [
            f"{name}: {changed} {before[changed]} became {after.get(changed, 'removed')}"
            for changed in before
            if after.get(changed) != before[changed]
        ]
    return told


def table(results):
    """The results as a table of frameworks."""
    from rich.table import Table

    shown = Table("framework", "version", "orders", *ALLOWED, title="imports, largest differences")
    for name, given in results["versions"].items():
        rows = [row for row in results["rows"] if row["name"] == name]
        if rows:
            failed = [row["order"] for row in rows if row["problem"]]
            orders = f"failed: {'; '.join(failed)}" if failed else f"all {len(rows)} ok"
            shown.add_row(name, ", ".join(given.values()), orders, *largest(rows))
    return shown


def largest(rows):
    """Largest difference from the models' outputs on each engine, in words."""
    models = [engines for row in rows for engines in (row["models"] or {}).values()]
    for engine in ALLOWED:
        values = [engines[engine]["difference"] for engines in models]
        yield f"{max(values):.3f}" if values else "-"


def main():
    """Try all, print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--names", default=",".join(OTHERS), help="of frameworks, with commas")
    parser.add_argument("--install", action="store_true", help="install what is missing")
    parser.add_argument("--json", type=Path, help="where to write the results")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        name, order = arguments.one
        print("FOUND " + json.dumps(one(OTHERS.get(name), order)))
        return 0
    names = arguments.names.split(",")
    unknown = [name for name in names if name not in OTHERS]
    if unknown:
        parser.error(f"{', '.join(unknown)} unknown: choose from {', '.join(OTHERS)}")
    results = tried(names, arguments.install)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    show(results)
    return int(bool(results["failures"]))


def tried(names, installs):
    """Try frameworks.

    Parameters
    ----------
    names : list of str
        Of `OTHERS`.
    installs : bool
        Whether missing ones are installed.

    Returns
    -------
    dict
        ``python``, ``versions``, ``installed`` (from `install`), ``pip_check``, ``rows`` (from
        `run`) and ``failures``, in words.
    """
    needed = list(dict.fromkeys(part for name in names for part in OTHERS[name].distributions))
    missing = [part for part in needed if version(part) is None]
    told = install(missing) if installs else []
    versions = {
        name: {part: version(part) for part in OTHERS[name].distributions}
        for name in names
        if name != "all of them"
    }
    code, checked = pip("check")
    failures = [] if not code else [f"pip check: {line}" for line in checked.splitlines()]
    alone = run("", "first")
    problem = judge(alone, alone)
    if problem:
        failures.append(f"ours alone: {problem}")
    rows = []
    for name in names:
        gone = [part for part in OTHERS[name].distributions if version(part) is None]
        if gone:
            failures.append(f"{name}: {', '.join(gone)} not installed (try --install)")
            continue
        for order in ORDERS:
            row = run(name, order)
            row["problem"] = judge(row, alone)
            print(f"{name}, {order}: {row['problem'] or 'ok'} ({row['seconds']} s)", flush=True)
            if row["problem"]:
                failures.append(f"{name}, {order}: {row['problem']}")
            rows.append(row)
    return {
        "python": platform.python_version(),
        "versions": {"ours": {name: version(name) for name in OURS}, **versions, "all of them": {}},
        "installed": told,
        "pip_check": checked.splitlines(),
        "alone": alone,
        "rows": rows,
        "failures": failures,
    }


def show(results):
    """Print results."""
    from rich.console import Console

    console = Console()
    console.print(table(results))
    own = ", ".join(f"{name} {given}" for name, given in results["versions"]["ours"].items())
    print(f"Python {results['python']}, {own}")
    print("pip check:", "\n".join(results["pip_check"]))
    for title in ("installed", "failures"):
        for line in results[title]:
            print(f"{title}: {line}")


if __name__ == "__main__":
    sys.exit(main())
