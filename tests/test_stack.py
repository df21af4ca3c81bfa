"""The stack in fresh processes: what is imported before or after must not matter."""

import os
import subprocess
import sys
import types

import pytest

from nengo_tactile import stack
from nengo_tactile.errors import StackError


def run(code, **environment):
    """Run Python code in a fresh process without the switch this process has set."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("TF_", "KERAS"))}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_import_is_quick_and_leaves_tensorflow_alone():
    code = (
        "import sys, time; start = time.perf_counter(); import nengo_tactile; "
        "took = time.perf_counter() - start; "
        "print(sorted({'tensorflow', 'nengo', 'matplotlib', 'scipy'} & set(sys.modules)), took)"
    )
    done = run(code)
    loaded, took = done.stdout.rsplit(" ", 1)
    assert loaded == "[]" and float(took) < 1, done.stdout + done.stderr


def test_everything_loads_quietly_and_keras_stays_keras_3():
    done = run("""
import numpy, nengo, matplotlib
import nengo_tactile
from nengo_tactile import stack
nengo_dl, nengo_loihi = stack.nengo_dl(), stack.nengo_loihi()
assert stack.nengo_dl() is nengo_dl
tf = stack.tensorflow()
assert float(tf.reduce_sum(tf.ones(3))) == 3 and tf.keras.Model.__module__.startswith("tf_keras")
nengo_loihi.neurons.install_dl_builders()
assert nengo_loihi.LoihiLIF in nengo_dl.neuron_builders.SimNeuronsBuilder.TF_NEURON_IMPL
import sys
sys.stderr.write("|")
import keras, keras.layers
assert keras.__version__.startswith("3.") and "keras.engine" not in sys.modules
assert keras.layers.Dense(2)(numpy.ones((1, 3))).shape == (1, 2)
assert not hasattr(keras.layers, "BatchNormalizationV1")
print("done")
""")
    assert done.stdout == "done\n", done.stderr
    # what Keras 3 itself writes when a user imports it comes after the bar
    assert done.stderr.split("|")[0] == ""


def test_keras_and_others_imported_on_either_side():
    done = run(
        """
import keras
dense = keras.layers.Dense
import nengo_tactile
import numpy, nengo, matplotlib
from nengo_tactile import stack
stack.nengo_loihi()
import sys
import keras as again
assert again is keras and sys.modules["keras.layers"].Dense is dense
assert keras.layers.Dense(2)(numpy.ones((1, 3))).shape == (1, 2)
print("done")
""",
        TF_USE_LEGACY_KERAS="1",
    )
    assert done.stdout == "done\n", done.stderr


def test_tensorflow_as_keras_3_is_one_clear_error():
    done = run("""
import tensorflow
try:
    import nengo_tactile
except Exception as error:
    print(type(error).__name__, error)
""")
    assert done.stdout.startswith("StackError ")
    assert "import nengo_tactile first" in done.stdout
    assert "TF_USE_LEGACY_KERAS=1" in done.stdout


def test_nengo_loihi_imported_first_is_one_clear_error(monkeypatch):
    stack.nengo_dl()
    without_dl = types.SimpleNamespace(compat=types.SimpleNamespace(HAS_DL=False))
    monkeypatch.setattr(stack, "_LOADED", {"tensorflow": stack.tensorflow()})
    monkeypatch.setitem(sys.modules, "nengo_loihi", without_dl)
    with pytest.raises(StackError, match="nengo_loihi was imported before"):
        stack.nengo_loihi()


@pytest.mark.parametrize(
    ("action", "seen"),
    [
        ("raise ValueError('in sight')", "ValueError: in sight"),
        ("os.abort()", "Fatal Python error: Aborted"),
        ("os.write(2, b'noise'); os.system('echo noise >&2')", "after"),
    ],
)
def test_silence_swallows_noise_but_no_failure(action, seen):
    done = run(f"""
import os, sys
from nengo_tactile import stack
with stack._native_stderr_to_null():
    {action}
sys.stderr.write("after")
""")
    assert seen in done.stderr and "noise" not in done.stderr


def test_prepare_refuses_keras_3(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", types.ModuleType("tensorflow"))
    with pytest.raises(StackError, match="import nengo_tactile first"):
        stack.prepare()


def test_missing_library_names_the_remedy():
    with pytest.raises(StackError, match=r"no_such_library cannot be imported.*pip install"):
        stack._need("no_such_library")


def test_versions_name_every_licence():
    rows = stack.versions()
    assert all(row["version"] for row in rows)
    licences = {row["name"]: row["licence"] for row in rows}
    assert "academic" in licences["nengo-dl"] and "non-commercial" in licences["nengo-extras"]
    assert all(patch.what and patch.why for patch in stack.PATCHES)
