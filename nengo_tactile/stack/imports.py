"""Imports of NengoDL and its kin: they see TensorFlow with Keras 2 in it, all others what is there.

NengoDL's last release (3.6.0, January 2023) names private places of Keras 2: the modules
``keras.engine.functional`` and ``keras.layers``, and ``tf.keras``. They live on in tf_keras. A
finder in front of ``sys.meta_path`` gives each module of these packages builtins of its own, in
which ``import tensorflow`` gives `legacy_tensorflow` and ``import keras`` gives `legacy_keras`.
So neither ``sys.modules`` nor the environment changes, whatever was imported before.
"""

import builtins
import contextlib
import faulthandler
import functools
import importlib
import importlib.abc
import logging
import os
import subprocess
import sys
import types
import warnings

from nengo_tactile.errors import StackError
from nengo_tactile.stack.host import keras_loaded, quiet, same_draws
from nengo_tactile.stack.patches import PATCHES

#: Packages made for Keras 2.
KERAS_2_PACKAGES = ("nengo_dl", "nengo_loihi", "nengo_extras", "keras_spiking")
#: Packages whose modules are patched once they are imported.
PATCHED_PACKAGES = (*KERAS_2_PACKAGES, "nengo")

#: What this module does, and why, in words.
IMPORTS = (
    f"in modules of {', '.join(KERAS_2_PACKAGES)} import tensorflow gives a TensorFlow whose Keras "
    "is tf_keras, and import keras gives tf_keras; the process's own modules stay as they are",
    "NengoDL 3.6 was made for Keras 2 and names private places of it",
)
#: What ``tensorflow`` takes from Keras, beside ``tensorflow.keras`` itself.
_FROM_KERAS = ("initializers", "losses", "metrics", "optimizers")
#: Without any of these files Linux has no GPU for TensorFlow (NVIDIA's, AMD's, Windows's drivers).
_GPU_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
#: NengoDL sets this variable when it is imported.
_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def install() -> None:
    """Put the finder in front, and mend what was imported before. Imports nothing itself."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    for package in KERAS_2_PACKAGES:
        if package not in sys.modules:  # what is left of an import that failed
            for name in [name for name in sys.modules if name.startswith(f"{package}.")]:
                del sys.modules[name]
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in PATCHED_PACKAGES:
            _patch(module)


def _patch(module, early=False):
    for patch in PATCHES:
        if module.__name__ in patch.modules and patch.early == early and patch.is_needed():
            patch.apply(module)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds these packages as the finders behind it do, with a loader of our own."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in PATCHED_PACKAGES:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader)
                return spec
        return None


class _Loader(importlib.abc.Loader):
    """Runs a module's code with its own builtins, then patches it."""

    def __init__(self, found):
        self.found = found

    def create_module(self, spec):
        return self.found.create_module(spec)

    def exec_module(self, module):
        name = module.__name__
        module.__spec__.loader = module.__loader__ = self.found
        if name.partition(".")[0] in KERAS_2_PACKAGES:
            module.__dict__["__builtins__"] = _BUILTINS
        _patch(module, early=True)
        if "." in name:
            self.found.exec_module(module)
        else:
            if name in KERAS_2_PACKAGES:
                _check_versions()
            with quiet_import(), _remedy_named(name):
                self.found.exec_module(module)
        _patch(module)


@functools.cache
def _check_versions():
    """Say once what was not tried of the versions at hand, before warnings are held back."""
    from nengo_tactile.stack.distributions import check

    check()


def _may_have_gpu():
    return sys.platform != "linux" or any(map(os.path.exists, _GPU_DRIVERS))


@contextlib.contextmanager
def _environment_kept(name):
    value = os.environ.get(name)
    try:
        yield
    finally:
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _import(name, globals=None, locals=None, fromlist=(), level=0):
    """``__import__`` of these packages' modules."""
    top, _, rest = name.partition(".")
    if name == "subprocess" and globals.get("__name__") == "nengo_dl.utils" and not _may_have_gpu():
        # which starts Python and TensorFlow once more to ask for a GPU
        return _StandIn(subprocess, call=_call_without_gpu)
    if level or top not in ("tensorflow", "keras"):
        return builtins.__import__(name, globals, locals, fromlist, level)
    if top == "keras":
        return _walk(legacy_keras(), rest, fromlist)
    if not rest:
        return legacy_tensorflow()
    if rest.partition(".")[0] == "keras":
        return _walk(legacy_tensorflow(), rest, fromlist)
    found = builtins.__import__(name, globals, locals, fromlist)
    return found if fromlist else legacy_tensorflow()


def _walk(module, path, fromlist):
    """What ``import`` gives for a path below a module: its end if it is imported from."""
    found = module
    for part in filter(None, path.split(".")):
        try:
            found = getattr(found, part)
        except AttributeError:
            name = f"{found.__name__}.{part}"
            raise ModuleNotFoundError(f"No module named {name!r}", name=name) from None
    return found if fromlist else module


def _call_without_gpu(command):
    """What NengoDL's question for a GPU in a process of its own ends with where there is none."""
    return 1


_BUILTINS = {**vars(builtins), "__import__": _import}


class _StandIn(types.ModuleType):
    """A module like another one, but for the attributes that it is given."""

    def __init__(self, other, **attributes):
        super().__init__(other.__name__)
        self.__dict__.update({"_other": other, "__path__": [], **attributes})

    def __getattr__(self, name):
        return getattr(self._other, name)

    def __dir__(self):
        return sorted({*dir(self._other), *vars(self)})


@functools.cache
def legacy_tensorflow():
    """TensorFlow with tf_keras as its ``keras``, whichever Keras the process uses.

    Returns
    -------
    module
        Everything else is that of ``tensorflow``.

    Raises
    ------
    StackError
        If TensorFlow or tf_keras cannot be imported.
    """
    _check_versions()
    with quiet_import():
        tensorflow, keras = need("tensorflow"), need("tf_keras")
        if not _may_have_gpu():  # which TensorFlow calls an error, once
            tensorflow.config.list_physical_devices("GPU")
        old = {
            version: _StandIn(
                getattr(tensorflow.compat, version),
                keras=importlib.import_module(f"tf_keras.api._{version}.keras"),
            )
            for version in ("v1", "v2")
        }
    keras_loaded()
    return _StandIn(
        tensorflow,
        keras=keras,
        compat=_StandIn(tensorflow.compat, **old),
        **{name: getattr(keras, name) for name in _FROM_KERAS},
    )


@functools.cache
def legacy_keras():
    """tf_keras under the names that Keras 2 had when NengoDL was made.

    Returns
    -------
    module
    """
    with quiet_import():
        keras, layers = need("tf_keras"), need("tf_keras.layers")
        functional = need("tf_keras.src.engine.functional")
        normalization = "tf_keras.src.layers.normalization"
        v1 = need(f"{normalization}.batch_normalization_v1").BatchNormalization
        v2 = need(f"{normalization}.batch_normalization").BatchNormalization
    return _StandIn(
        keras,
        layers=_StandIn(layers, BatchNormalizationV1=v1, BatchNormalizationV2=v2),
        engine=_StandIn(need("tf_keras.src.engine"), functional=functional),
    )


def need(name):
    """Import a module of the stack.

    Raises
    ------
    StackError
        With the remedy.
    """
    with _remedy_named(name):
        return importlib.import_module(name)


@contextlib.contextmanager
def _remedy_named(name):
    """Turn an ImportError of a module of the stack into one that says what to type."""
    try:
        yield
    except StackError:
        raise
    except ValueError as error:
        if "backend" not in str(error):
            raise
        raise StackError(
            f"{name} cannot be imported: {error}; Keras takes it from KERAS_BACKEND or "
            "~/.keras/keras.json: choose tensorflow, jax or torch there, before Python starts",
            name=name,
        ) from error
    except ImportError as error:
        from nengo_tactile.stack.distributions import INSTALL, then, untried

        wrong = "".join(f"; not tried: {told}" for told in untried())
        raise StackError(
            f"{name} cannot be imported ({error}){wrong}. Install the set that works together, in "
            f"a virtual environment of its own, in the project's folder: {INSTALL}{then()}; "
            "`nengo-tactile doctor --quick` shows what is there",
            name=name,
        ) from error


@contextlib.contextmanager
def quiet_import():
    """Hold back warnings, log lines and native start-up lines while libraries load.

    Random numbers that they draw, and levels of loggers, are as before afterwards.
    """
    loggers = [logging.getLogger(name) for name in ("tf_keras", "absl")]
    levels = [logger.level for logger in loggers]
    with (
        same_draws(),
        quiet(),
        warnings.catch_warnings(),
        _environment_kept(_LOG_LEVEL),
        _native_stderr_to_null(),
    ):
        os.environ.setdefault(_LOG_LEVEL, "3")  # which TensorFlow reads once, at its import
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
