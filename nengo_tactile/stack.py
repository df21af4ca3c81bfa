"""Make NengoDL 3.6 run on today's TensorFlow: the only file that touches ``sys.modules``
or the environment.

NengoDL's last release (3.6.0, January 2023) names private places of Keras 2: the modules
``keras.engine.functional`` and ``keras.layers``. They live on in ``tf_keras``, which
TensorFlow uses as ``tf.keras`` when ``TF_USE_LEGACY_KERAS=1`` stands in the environment
before its first import. While ``nengo_dl`` is being imported, those module names point at
tf_keras; afterwards ``import keras`` gives Keras 3 as before.
"""

import contextlib
import dataclasses
import faulthandler
import importlib
import importlib.metadata
import logging
import os
import platform
import sys
import types
import warnings

from nengo_tactile.errors import StackError

KERAS_SWITCH = "TF_USE_LEGACY_KERAS"

#: Distribution name, what it is for, and the licence a user has to know of.
DISTRIBUTIONS = (
    ("tensorflow", "tensors and training", "Apache-2.0"),
    ("tf_keras", "Keras 2, NengoDL's model format", "Apache-2.0"),
    ("keras", "Keras 3, comes with TensorFlow, left untouched", "Apache-2.0"),
    (
        "nengo",
        "networks and neuron types",
        "proprietary, free for non-commercial use (GPL-2.0 from 4.0 on)",
    ),
    (
        "nengo-dl",
        "the NengoDL engine and Converter",
        "proprietary, free for academic and personal use",
    ),
    ("nengo-loihi", "the Loihi emulator", "Apache-2.0"),
    ("nengo-extras", "Loihi neuron types in NengoDL", "proprietary, non-commercial use"),
    ("numpy", "arrays", "BSD-3-Clause"),
    ("scipy", "fitting the e-skin, writing .mat files in tests", "BSD-3-Clause"),
    ("tonic", "event data sets and transforms", "GPL-3.0"),
    ("numba", "compiled loops", "BSD-2-Clause"),
    ("h5py", "HDF5 files", "BSD-3-Clause"),
    ("scikit-learn", "nearest neighbours, to check the e-skin", "BSD-3-Clause"),
    ("matplotlib", "plots", "Matplotlib licence (BSD style)"),
    ("pooch", "downloads", "BSD-3-Clause"),
    ("rich", "tables and progress bars", "MIT"),
    ("typer", "command line", "MIT"),
    ("jinja2", "report pages", "BSD-3-Clause"),
)


@dataclasses.dataclass(frozen=True)
class Patch:
    """One change made to the running process, and why."""

    what: str
    why: str


PATCHES = (
    Patch(
        f"environment variable {KERAS_SWITCH}=1",
        "tf.keras must be tf_keras (Keras 2): NengoDL builds Keras 2 models",
    ),
    Patch(
        "environment variable TF_CPP_MIN_LOG_LEVEL=3",
        "TensorFlow's start-up lines about CPU features and missing GPUs",
    ),
    Patch(
        "names keras, keras.engine, keras.engine.functional and keras.layers point at tf_keras "
        "while nengo_dl is imported, then at what they were",
        "NengoDL imports Functional, _build_map and BatchNormalizationV1/V2 from there",
    ),
    Patch(
        "Python warnings and log lines of these libraries are held back while they are imported",
        "deprecations inside finished releases that no user can act on",
    ),
)

_LOADED = {}


def prepare():
    """Set the environment that TensorFlow reads at its first import.

    Raises
    ------
    StackError
        If TensorFlow was imported before as Keras 3: nothing can be mended then.
    """
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None and not getattr(tensorflow, "_tf_uses_legacy_keras", False):
        raise StackError(
            "tensorflow was imported before nengo_tactile (keras, nengo_dl and nengo_loihi import "
            "it too) and uses Keras 3, but NengoDL needs Keras 2 (tf_keras): import nengo_tactile "
            f"first, or set {KERAS_SWITCH}=1 in the environment before Python starts"
        )
    os.environ[KERAS_SWITCH] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextlib.contextmanager
def _quiet_import():
    """Hold back warnings, log lines and native start-up lines while libraries load."""
    loggers = [logging.getLogger(name) for name in ("tensorflow", "tf_keras", "absl")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), _native_stderr_to_null():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels):
                logger.setLevel(level)


@contextlib.contextmanager
def _native_stderr_to_null():
    """Send file descriptor 2 to the null device: absl writes there before any log setting.

    Python's own errors still surface, as exceptions; should native code end the process (an
    instruction this processor lacks), faulthandler says so on the real error stream.
    """
    try:
        saved = os.dup(2)
    except OSError:  # no error stream at all (a daemon): nothing to keep quiet
        yield
        return
    watch = not faulthandler.is_enabled()
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
        if watch:
            faulthandler.enable(saved)
        with open(os.devnull, "wb") as null:
            os.dup2(null.fileno(), 2)
        yield
    finally:
        if sys.stderr is not None:
            sys.stderr.flush()
        if watch:
            faulthandler.disable()
        os.dup2(saved, 2)
        os.close(saved)


@contextlib.contextmanager
def quiet_build():
    """Hold back warnings of finished releases that no user can act on, each by its text."""
    with warnings.catch_warnings():
        for text in _UPSTREAM_WARNINGS:
            warnings.filterwarnings("ignore", message=text)
        yield


#: Starts of warning messages, and why they say nothing to a user.
_UPSTREAM_WARNINGS = (
    # NengoDL: this toolkit runs on CPUs as well
    "No GPU support detected",
    # Nengo derives intercepts from gains and biases, which nothing here uses
    "Non-finite values detected in `(max_rates|intercepts)`",
    "invalid value encountered in (log1p|divide)",
    "divide by zero encountered in (log1p|divide|true_divide)",
    # NengoLoihi 1.1 with numpy 1.26 and Nengo 3.2
    "tau_s is (already|currently) set to",
    "invalid value encountered in cast",
    # of which layer it does not say; `engines.loihi` does
    "Lost \\d+ extra bits in weight rounding",
    # Nengo 3.2 carries a copy of an old scipy, which numpy 1.25 and later warn about
    "Conversion of an array with ndim > 0 to a scalar is deprecated",
    "`product` is deprecated",
)


def _need(name):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise StackError(
            f"{name} cannot be imported ({error}): install the set that works together with "
            "`pip install nengo-tactile`, in a virtual environment of its own"
        ) from error


def tensorflow():
    """Import TensorFlow with tf_keras as ``tf.keras``, without start-up noise.

    Returns
    -------
    module
        ``tensorflow``.
    """
    if "tensorflow" not in _LOADED:
        prepare()
        with _quiet_import():
            module = _need("tensorflow")
            home = module.keras.Model.__module__.split(".")[0]
        if home != "tf_keras":
            raise StackError(
                f"tf.keras comes from {home!r}, NengoDL needs 'tf_keras': import nengo_tactile "
                f"before tensorflow, or set {KERAS_SWITCH}=1 before Python starts"
            )
        # retracing advice and the like; errors still come through
        module.get_logger().setLevel("ERROR")
        _LOADED["tensorflow"] = module
    return _LOADED["tensorflow"]


def _keras_stand_ins():
    """Modules with just the names that NengoDL takes from Keras 2's private places."""
    layers = importlib.import_module("tf_keras.layers")
    functional = importlib.import_module("tf_keras.src.engine.functional")
    normalization = "tf_keras.src.layers.normalization"
    v1 = importlib.import_module(f"{normalization}.batch_normalization_v1")
    v2 = importlib.import_module(f"{normalization}.batch_normalization")

    keras = types.ModuleType("keras")
    engine = types.ModuleType("keras.engine")
    stand_in_layers = types.ModuleType("keras.layers")
    stand_in_layers.__dict__.update(
        {name: value for name, value in vars(layers).items() if not name.startswith("__")}
    )
    stand_in_layers.BatchNormalizationV1 = v1.BatchNormalization
    stand_in_layers.BatchNormalizationV2 = v2.BatchNormalization
    keras.engine, keras.layers, engine.functional = engine, stand_in_layers, functional
    keras.__path__ = engine.__path__ = []
    return {
        "keras": keras,
        "keras.engine": engine,
        "keras.engine.functional": functional,
        "keras.layers": stand_in_layers,
    }


def nengo_dl():
    """Import NengoDL on tf_keras, leaving ``import keras`` as it was.

    Returns
    -------
    module
        ``nengo_dl``.
    """
    if "nengo_dl" not in _LOADED:
        tensorflow()
        with _quiet_import():
            # a user who imported it had to mend the names of Keras too: then it works
            module = sys.modules.get("nengo_dl") or _import_nengo_dl()
            # with nengo-extras, the chip's neuron types build in NengoDL too
            loihi = _need("nengo_loihi")
        if not loihi.compat.HAS_DL:
            raise StackError(
                "nengo_loihi was imported before nengo_tactile and found no NengoDL that works: "
                "import nengo_tactile first"
            )
        _LOADED["nengo_dl"] = module
        _LOADED["nengo_loihi"] = loihi
    return _LOADED["nengo_dl"]


def _import_nengo_dl():
    stand_ins = _keras_stand_ins()
    kept = {name: sys.modules.get(name) for name in stand_ins}
    sys.modules.update(stand_ins)
    # NengoDL sets TF_CPP_MIN_LOG_LEVEL itself; `prepare` has set it
    level = os.environ["TF_CPP_MIN_LOG_LEVEL"]
    try:
        return _need("nengo_dl")
    finally:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = level
        for name, module in kept.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module


def nengo_loihi():
    """Import NengoLoihi (and nengo-extras, through which NengoDL knows the chip's neurons).

    Returns
    -------
    module
        ``nengo_loihi``.
    """
    # its neuron types register NengoDL builders only when NengoDL can be imported
    nengo_dl()
    return _LOADED["nengo_loihi"]


def versions():
    """Versions and licences of the stack.

    Returns
    -------
    list of dict
        ``name``, ``version`` (None when missing), ``purpose``, ``licence``.
    """
    rows = []
    for name, purpose, licence in DISTRIBUTIONS:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            version = None
        rows.append({"name": name, "version": version, "purpose": purpose, "licence": licence})
    return rows


def made_with(*names):
    """Versions for a model card.

    Parameters
    ----------
    *names : str
        Of the stack's packages.

    Returns
    -------
    dict
        Of nengo-tactile, Python and these.
    """
    from nengo_tactile import __version__

    found = {row["name"]: row["version"] for row in versions()}
    own = {"nengo-tactile": __version__, "python": platform.python_version()}
    return own | {name: found[name] for name in names}
