"""The stack in fresh processes: what is imported before or after must not matter."""

import pytest

from nengo_tactile import stack
from nengo_tactile.errors import StackError
from nengo_tactile.stack import imports
from nengo_tactile.stack.patches import version_of
from tests.support.fresh_process import done, run

#: Where Nengo cannot be imported before it is patched.
NENGO_FIRST = pytest.mark.skipif(
    version_of("nengo") < (4, 0) and version_of("numpy") >= (2, 0),
    reason="Nengo 3.2 on NumPy 2 cannot be imported first: it wants numpy.product",
)
#: A network of NengoDL's own Converter, trained for a step, beside the Keras of the process.
CONVERTED = """
import numpy as np, tf_keras, nengo_dl, nengo_loihi
tf_keras.utils.set_random_seed(0)
image = tf_keras.Input((6, 6, 1))
x = tf_keras.layers.Conv2D(2, 3, activation="relu")(image)
model = tf_keras.Model(image, tf_keras.layers.Dense(3)(tf_keras.layers.Flatten()(x)))
converter = nengo_dl.Converter(model, allow_fallback=False)
assert converter.verify(training=True, atol=1e-5)
assert nengo_loihi.compat.HAS_DL
nengo_loihi.neurons.install_dl_builders()
assert nengo_loihi.LoihiLIF in nengo_dl.neuron_builders.SimNeuronsBuilder.TF_NEURON_IMPL
"""
KERAS_3 = """
import tensorflow, keras
assert keras.__version__.startswith("3.") and "keras.engine" not in sys.modules
assert not hasattr(keras.layers, "BatchNormalizationV1")
assert keras.layers.Dense(2)(np.ones((1, 3), "float32")).shape == (1, 2)
assert tensorflow.keras.Model is keras.Model and tensorflow.losses.Loss is keras.losses.Loss
"""


def test_import_is_quick_and_leaves_all_alone():
    code = (
        "import sys, time; start = time.perf_counter(); import nengo_tactile; "
        "took = time.perf_counter() - start; "
        "print(sorted({'tensorflow', 'nengo', 'matplotlib', 'scipy'} & set(sys.modules)), took)"
    )
    process = run(code)
    loaded, took = process.stdout.rsplit(" ", 1)
    assert loaded == "[]" and float(took) < 1, process.stdout + process.stderr


@pytest.mark.stack
@pytest.mark.parametrize(
    "first",
    [
        "",
        "import tensorflow; tensorflow.keras.layers.Dense(2)",
        pytest.param("import keras, nengo", marks=NENGO_FIRST),
        pytest.param("import nengo_loihi", marks=NENGO_FIRST),
    ],
)
def test_any_order_of_imports(first):
    """Keras 3 stays what it is, NengoDL works, the environment is what it was."""
    done(f"""
import os, sys
{first}
def switches():  # TensorFlow itself sets others
    return {{name: os.environ[name] for name in os.environ if name.startswith(("TF_", "KERAS"))}}
before = switches()
import nengo_tactile
{CONVERTED}
{KERAS_3}
assert switches() == before
""")


def test_keras_2_by_the_environment():
    """As TensorFlow offers it: then tf.keras is tf_keras, for the process."""
    done(
        f"""
import sys, tensorflow
import nengo_tactile
{CONVERTED}
assert tensorflow.keras.Model is tf_keras.Model
""",
        TF_USE_LEGACY_KERAS="1",
    )


def test_a_module_reloaded_works():
    done(f"""
import importlib, warnings
import nengo_tactile, nengo_dl, nengo_loihi
warnings.simplefilter("ignore")
for module in (nengo_dl.converter, nengo_dl.process_builders, nengo_dl, nengo_loihi.block,
               nengo_loihi.neurons, nengo_loihi):
    importlib.reload(module)
{CONVERTED}
""")


def test_own_libraries_load_quietly():
    """Nothing is written, and TensorFlow's log keeps its level."""
    process = done("""
import logging, sys
from nengo_tactile import stack
nengo_dl = stack.nengo_dl()
assert stack.nengo_dl() is nengo_dl is sys.modules["nengo_dl"]
assert stack.nengo_loihi() is sys.modules["nengo_loihi"]
tf = stack.tensorflow()
assert float(tf.reduce_sum(tf.ones(3))) == 3 and tf.keras.Model.__module__.startswith("tf_keras")
assert tf.compat.v1.keras.layers.Dense.__module__.startswith("tf_keras")
import tensorflow
assert tensorflow.get_logger() is logging.getLogger("tensorflow")
assert tensorflow.get_logger().level == logging.NOTSET
""")
    assert process.stderr == ""


#: NengoDL's documentation as people wrote it: all from tf.keras, which today is Keras 3.
OLD_SCRIPT = """
import nengo
import nengo_dl
import numpy as np
import tensorflow as tf

tf.keras.utils.set_random_seed(0)
inp = tf.keras.Input(shape=(6, 6, 1))
conv = tf.keras.layers.Conv2D(4, 3, activation=tf.nn.relu)(inp)
flat = tf.keras.layers.Flatten()(conv)
dense = tf.keras.layers.Dense(units=2)(flat)
model = tf.keras.Model(inputs=inp, outputs=dense)
rng = np.random.default_rng(0)
labels = rng.integers(0, 2, 200)
images = rng.random((200, 1, 36)) * 0.2 + labels[:, None, None] * np.linspace(0, 1, 36)

converter = nengo_dl.Converter(model)
with nengo_dl.Simulator(converter.net, minibatch_size=20, progress_bar=False) as sim:
    sim.compile(
        optimizer=tf.optimizers.RMSprop(0.01),
        loss={
            converter.outputs[dense]: tf.losses.SparseCategoricalCrossentropy(from_logits=True)
        },
        metrics={converter.outputs[dense]: [tf.metrics.sparse_categorical_accuracy]},
    )
    sim.fit(
        {converter.inputs[inp]: images},
        {converter.outputs[dense]: labels[:, None, None]},
        epochs=8,
        verbose=0,
    )
    sim.save_params("params")

converter = nengo_dl.Converter(
    model,
    swap_activations={tf.nn.relu: nengo.SpikingRectifiedLinear()},
    scale_firing_rates={model.layers[1]: 100},
    synapse=0.01,
)
with converter.net:
    probe = nengo.Probe(converter.layers[conv])
with nengo_dl.Simulator(converter.net, minibatch_size=20, progress_bar=False) as sim:
    sim.load_params("params")
    data = sim.predict({converter.inputs[inp]: np.tile(images[:20], (1, 60, 1))}, verbose=0)
winners = np.argmax(data[converter.outputs[dense]][:, -1], axis=-1)
assert np.mean(winners == labels[:20]) > 0.9, winners
assert set(np.unique(data[probe] > 0)) == {False, True}
(hidden,) = converter.net.all_ensembles
assert isinstance(hidden.neuron_type, nengo.SpikingRectifiedLinear)
assert len(np.unique(np.round(data[probe], 3))) < 10  # spikes, not rates
"""


@pytest.mark.stack
def test_an_old_script_runs_with_one_line_at_its_top(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done(f"import nengo_tactile\n{OLD_SCRIPT}")


@NENGO_FIRST
def test_an_old_script_runs_with_the_line_behind_its_imports(tmp_path, monkeypatch):
    """Where an import of NengoDL came before it, in vain."""
    monkeypatch.chdir(tmp_path)
    failed = "import contextlib\nwith contextlib.suppress(ImportError):\n    import nengo_dl\n"
    script = OLD_SCRIPT.replace("import nengo_dl\n", "import nengo_tactile, nengo_dl\n")
    done(f"import sys\n{failed}{script}\n{KERAS_3}")


def test_a_missing_library_names_the_remedy():
    with pytest.raises(StackError, match=r"no_such_library cannot be imported.*pip install"):
        imports.need("no_such_library")
    process = run("""
import sys
sys.modules["tf_keras"] = None  # as if it were not installed
import nengo_tactile
try:
    import nengo_dl
except Exception as error:
    print(type(error).__name__, error)
""")
    assert process.stdout.startswith("StackError tf_keras cannot be imported")


def test_a_backend_that_keras_has_not_names_the_remedy():
    process = run(
        "from nengo_tactile import stack, errors\n"
        "try: stack.tensorflow()\n"
        "except errors.StackError as error: print(error)",
        KERAS_BACKEND="abacus",
    )
    assert "abacus; Keras takes it from KERAS_BACKEND" in process.stdout


def test_nengo_dl_starts_no_second_tensorflow_to_ask_for_a_gpu():
    """Where there can be none; its answer is TensorFlow's."""
    if imports._may_have_gpu():
        pytest.skip("this machine may have a GPU: NengoDL asks for it")
    done("""
import subprocess
import nengo_tactile
real = subprocess.call
subprocess.call = None
import nengo_dl, tensorflow
subprocess.call = real
assert not nengo_dl.utils.tf_gpu_installed and not tensorflow.config.list_physical_devices("GPU")
assert nengo_dl.utils.subprocess.run([__import__("sys").executable, "-c", ""]).returncode == 0
""")


def test_a_library_that_lacks_something_names_versions_and_remedy(tmp_path):
    """As NengoDL does beside a Nengo of another age; an ImportError, as some packages catch."""
    (tmp_path / "nengo_dl").mkdir()
    (tmp_path / "nengo_dl" / "__init__.py").write_text("from nengo import NoSuchThing\n")
    process = run(f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import warnings
warnings.simplefilter("ignore")
from nengo_tactile.stack import distributions
row = distributions.Distribution("nengo", "", "", ("1.0", "1.1"))
distributions.DISTRIBUTIONS = (row,)
import nengo_tactile
try:
    import nengo_dl
except ImportError as error:
    print(type(error).__name__, error)
""")
    assert process.stdout.startswith("StackError nengo_dl cannot be imported (cannot import name")
    assert "not tried: nengo" in process.stdout and "pip install" in process.stdout


def test_what_is_not_there_is_an_import_error():
    """For packages that try one name after another."""
    for name in ("keras.engine.no_such_thing", "tensorflow.keras.no_such_thing"):
        with pytest.raises(ModuleNotFoundError, match="no_such_thing"):
            imports._import(name, fromlist=("x",))


@pytest.mark.parametrize(
    ("action", "seen"),
    [
        ("raise ValueError('in sight')", "ValueError: in sight"),
        ("os.abort()", "Fatal Python error: Aborted"),
        ("os.write(2, b'noise'); os.system('echo noise >&2')", "after"),
    ],
)
def test_silence_swallows_noise_but_no_failure(action, seen):
    process = run(f"""
import os, sys
from nengo_tactile.stack import imports
from nengo_tactile.stack.patches import version_of
with imports._native_stderr_to_null():
    {action}
sys.stderr.write("after")
""")
    assert seen in process.stderr and "noise" not in process.stderr


def test_threads_see_their_own_tensorflow_while_nengo_dl_is_imported():
    """Nothing of the process changes meanwhile, so that another thread's import is right."""
    done("""
import threading
import tensorflow, nengo_tactile
kinds, stop = set(), threading.Event()

def watch():
    while not stop.is_set():
        import tensorflow.keras
        kinds.add(tensorflow.keras.Model.__module__.partition(".")[0])

thread = threading.Thread(target=watch)
thread.start()
import nengo_dl
stop.set()
thread.join()
assert kinds == {"keras"}, kinds
""")


def test_stack_gives_the_same_modules():
    assert stack.tensorflow() is stack.tensorflow()
    assert stack.nengo_dl().Simulator.__module__ == "nengo_dl.simulator"
