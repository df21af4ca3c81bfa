"""Small changes to modules of finished releases, each with its reason and when it is needed."""

import builtins
import dataclasses
import functools
import importlib
import re
import sys
import types

from nengo_tactile.stack.host import inside, numpy_generator

#: Modules of Nengo 3.2 and NengoLoihi 1.1 that say ``np.array(..., copy=False)`` in its old sense.
_OLD_ARRAY_USERS = {
    "nengo_loihi": ("nengo_loihi.block", "nengo_loihi.neurons"),
    "nengo": (
        *("nengo.connection", "nengo.neurons", "nengo.spa.utils", "nengo.synapses"),
        *("nengo.utils.matplotlib", "nengo.utils.numpy"),
    ),
}

#: Nengo's copy of a scipy that knows the names which NumPy 1 had.
_OLD_NAMES_USERS = tuple(
    f"nengo._vendor.scipy.sparse.linalg_{name}" for name in ("expm", "interface", "onenormest")
)


@dataclasses.dataclass(frozen=True)
class Patch:
    """One change to modules that were imported, and why.

    Attributes
    ----------
    what, why : str
    modules : tuple of str
        Full names.
    is_needed : callable
        Whether the versions at hand need it.
    apply : callable
        Takes the module. Applying it twice does no more than once.
    early : bool
        Whether it is applied to the empty module, before its code runs.
    """

    what: str
    why: str
    modules: tuple
    is_needed: object
    apply: object
    early: bool = False


def version_of(name):
    """Major and minor version of an installed distribution as numbers; (0, 0) if it is missing.

    Parameters
    ----------
    name : str

    Returns
    -------
    tuple of int
    """
    from importlib import metadata  # slow to import, and seldom needed

    try:
        return numbers_in(metadata.version(name))
    except metadata.PackageNotFoundError:
        return 0, 0


def numbers_in(version):
    """First two numbers of a version: (2, 21) of "2.21.0rc1"."""
    found = [int(number) for number in re.findall(r"\d+", version)[:2]]
    return tuple([*found, 0, 0][:2])


def _since(distribution, version):
    return lambda: version_of(distribution) >= version


def _old_nengo_since_numpy(version):
    return lambda: version_of("nengo") < (4, 0) and version_of("numpy") >= version


class _OldNumpy(types.ModuleType):
    """NumPy with what version 2 changed or dropped, as it was."""

    def __init__(self, numpy):
        super().__init__("numpy")
        self.__dict__["_numpy"] = numpy

    def __getattr__(self, name):
        return getattr(self._numpy, name)

    def array(self, *args, copy=True, **kwargs):
        return self._numpy.array(*args, copy=copy or None, **kwargs)

    def product(self, *args, **kwargs):
        return self._numpy.prod(*args, **kwargs)

    def fromstring(self, string, dtype=float):
        return self._numpy.frombuffer(string, dtype).copy()

    def in1d(self, ar1, ar2):
        return self._numpy.isin(self._numpy.ravel(ar1), ar2)

    def find_common_type(self, array_types, scalar_types):
        return self._numpy.result_type(*array_types, *scalar_types)


def _give_old_numpy(module):
    if not isinstance(module.np, _OldNumpy):
        module.np = _OldNumpy(module.np)


def _import_old_numpy(module):
    def import_(name, *args, **kwargs):
        found = builtins.__import__(name, *args, **kwargs)
        return _OldNumpy(found) if name == "numpy" else found

    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": import_}


def wrap(owner, name, make):
    """Replace a function by what ``make`` makes of it, once."""
    function = getattr(owner, name)
    if not hasattr(function, "without_patch"):
        made = functools.wraps(function)(make(function))
        made.without_patch = function
        setattr(owner, name, made)


def _filter_one_dimension(module):
    def make(filt):
        def as_column(self, x, dt=None, axis=0, y0=0, copy=True, filtfilt=False):
            x = module.np.asarray(x)
            if x.ndim != 1:
                return filt(self, x, dt, axis, y0, copy, filtfilt)
            return filt(self, x[:, None], dt, 0, y0, copy, filtfilt)[:, 0]

        return as_column

    wrap(module.Synapse, "filt", make)


def _norm_as_number(module):
    wrap(module, "_onenorm_matrix_power_nnm", lambda norm: lambda a, p: norm(a, p).item())


def _miss_what_cannot_be_read(module):
    def make(read):
        def read_or_miss(file):
            try:
                return read(file)
            except ModuleNotFoundError as error:
                raise KeyError(str(error)) from error

        return read_or_miss

    wrap(module, "read", make)


class _FlatProcess:
    """A linear filter whose step has its passthrough as one dimension, as Nengo 3 made it."""

    def __init__(self, process):
        self.process = process

    def __getattr__(self, name):
        return getattr(self.process, name)

    def make_step(self, *args, **kwargs):
        step = self.process.make_step(*args, **kwargs)
        step.D = step.D.ravel()
        return step


class _FlatOperator:
    """An operator with such a process."""

    def __init__(self, operator):
        self.operator, self.process = operator, _FlatProcess(operator.process)

    def __getattr__(self, name):
        return getattr(self.operator, name)


def _flatten_passthrough(module):
    def make(build_pre):
        def with_flat_passthrough(self, signals, config):
            operators = self.ops
            self.ops = [_FlatOperator(operator) for operator in operators]
            try:
                build_pre(self, signals, config)
            finally:
                self.ops = operators

        return with_flat_passthrough

    wrap(module.LinearFilterBuilder, "build_pre", make)


def _tell_nengo_loihi(nengo_dl):
    """Where nengo_loihi looked for NengoDL before it could be imported."""
    compat, neurons = (sys.modules.get(f"nengo_loihi.{name}") for name in ("compat", "neurons"))
    # if it has no HAS_DL yet, it is looking just now
    if neurons is None or getattr(compat, "HAS_DL", True):
        return
    try:
        from nengo_extras import loihi_training, reqs
    except ImportError:  # as before: its own error says that nengo-extras is missing
        return
    # which looked for NengoDL too, when nengo_loihi imported them
    importlib.reload(reqs)
    importlib.reload(loihi_training)
    compat.nengo_dl = neurons.nengo_dl = nengo_dl
    compat.HAS_DL = neurons.HAS_DL = True
    neurons.LoihiLIFBuilder = loihi_training.LoihiLIFBuilder
    neurons.LoihiSpikingRectifiedLinearBuilder = loihi_training.LoihiSpikingRectifiedLinearBuilder


def _take_keras_3(module):
    from nengo_tactile.stack import keras3_objects

    keras3_objects.patch(module)


def _draw_apart(module):
    def make_seeding(seed_network):
        def with_own_draws(network, seeds, seeded, **base_rng):
            if inside():
                base_rng.setdefault("base_rng", numpy_generator())
            seed_network(network, seeds, seeded, **base_rng)

        return with_own_draws

    def make_simulator(init):
        def with_own_seed(self, network, *args, **kwargs):
            if inside() and getattr(network, "seed", None) is None and len(args) < 2:
                kwargs.setdefault("seed", 0)
            init(self, network, *args, **kwargs)

        return with_own_seed

    if hasattr(module, "seed_network"):
        wrap(module, "seed_network", make_seeding)
    else:
        wrap(module.Simulator, "__init__", make_simulator)


def _leave_no_trace(module):
    def make(init):
        def with_size(self, *args, **kwargs):  # so that it does not ask, and listen to changes
            init(self, *args, **{"term_width": 80, **kwargs})

        return with_size

    if module.__name__ == "nengo_dl.tensor_graph":
        module.logging = module.logger  # whose functions are the root logger's
    elif module.__name__ == "nengo_dl.utils":
        wrap(module.NullProgressBar, "__init__", make)
    else:
        logger = module.tf.get_logger()
        for each in list(logger.filters):
            if isinstance(each, module.TFLogFilter) and not each.err_on_deprecation:
                logger.removeFilter(each)


PATCHES = (
    Patch(
        "np.array(copy=False) means again: copy where it has to be",
        "NengoLoihi 1.1 uses it in its old sense, which NumPy 2 refuses",
        _OLD_ARRAY_USERS["nengo_loihi"],
        _since("numpy", (2, 0)),
        _give_old_numpy,
    ),
    Patch(
        "np.array(copy=False) means again: copy where it has to be",
        "Nengo 3.2 uses it in its old sense, which NumPy 2 refuses",
        _OLD_ARRAY_USERS["nengo"],
        _old_nengo_since_numpy((2, 0)),
        _give_old_numpy,
    ),
    Patch(
        "np.fromstring reads bytes",
        "NengoLoihi 1.1 reads .events files with it, NumPy 2.3 takes text only",
        ("nengo_loihi.dvs",),
        _since("numpy", (2, 3)),
        _give_old_numpy,
    ),
    Patch(
        "numpy.product can be imported",
        "Nengo 3.2 does, NumPy 2 has dropped it, and nothing of Nengo can be imported",
        ("nengo.utils.filter_design",),
        _old_nengo_since_numpy((2, 0)),
        _import_old_numpy,
        early=True,
    ),
    Patch(
        "np.in1d and np.find_common_type are there",
        "Nengo's matrix exponential (linear filters of over 200 states) uses them, NumPy 2 has not",
        _OLD_NAMES_USERS,
        _since("numpy", (2, 0)),
        _give_old_numpy,
    ),
    Patch(
        "the norm of a matrix power is a number",
        "Nengo 3.2 (matrix exponential) makes it an array, which NumPy 2.4 does not take for one",
        ("nengo._vendor.scipy.sparse.linalg_expm",),
        _old_nengo_since_numpy((2, 4)),
        _norm_as_number,
    ),
    Patch(
        "Synapse.filt takes a signal of one dimension",
        "Nengo puts an array of one element where NumPy 2.4 wants a number",
        ("nengo.synapses",),
        _since("numpy", (2, 4)),
        _filter_one_dimension,
    ),
    Patch(
        "decoders that another version of NumPy put into Nengo's cache are computed anew",
        "NumPy 1 cannot read those of NumPy 2, and building the network fails",
        ("nengo.utils.nco",),
        lambda: True,
        _miss_what_cannot_be_read,
    ),
    Patch(
        "the passthrough of a linear filter has one dimension in LinearFilterBuilder",
        "Nengo 4 gives it two, which NengoDL 3.6 does not expect",
        ("nengo_dl.process_builders",),
        _since("nengo", (4, 0)),
        _flatten_passthrough,
    ),
    Patch(
        "Converter, TensorNode and Simulator.compile take objects of Keras 3",
        "tf.keras of today is Keras 3, NengoDL 3.6 knows Keras 2",
        ("nengo_dl.converter", "nengo_dl.tensor_node", "nengo_dl.simulator"),
        _since("keras", (3, 0)),
        _take_keras_3,
    ),
    Patch(
        "nengo_loihi that was imported first finds NengoDL",
        "it looks for it once, when it is imported",
        ("nengo_dl",),
        lambda: True,
        _tell_nengo_loihi,
    ),
    Patch(
        "what is built for the toolkit draws its seeds apart",
        "Nengo draws them from NumPy's global generator, also where a network has a seed",
        ("nengo.builder.network", "nengo_loihi.builder.network", "nengo.simulator"),
        lambda: True,
        _draw_apart,
    ),
    Patch(
        "NengoDL leaves nothing in the root logger, TensorFlow's log and the process's signals",
        "it gives them a handler, a filter that lets all pass, and progressbar2 one of SIGWINCH",
        ("nengo_dl.tensor_graph", "nengo_dl.compat", "nengo_dl.utils"),
        lambda: True,
        _leave_no_trace,
    ),
)
