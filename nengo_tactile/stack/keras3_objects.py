"""NengoDL takes objects of Keras 3: they become those of tf_keras that say the same.

NengoDL 3.6 was made for Keras 2. A script that writes ``tf.keras.layers.Dense`` today gets
Keras 3, and hands a model, a loss or an optimizer of it to NengoDL.
"""

import functools
import importlib
import inspect
import sys

from nengo_tactile.errors import StackError
from nengo_tactile.stack.patches import wrap

#: Kinds of Keras 3 objects: the base class, and the room of tf_keras that has the same names.
_KINDS = (
    ("optimizers.Optimizer", "optimizers"),
    ("losses.Loss", "losses"),
    ("metrics.Metric", "metrics"),
    ("layers.Layer", "layers"),
    ("regularizers.Regularizer", "regularizers"),
)
#: Arguments by class and name, and what they are called in Keras 2.
_RENAMED = {("LeakyReLU", "negative_slope"): "alpha"}
#: The module whose ``functional`` makes a model of tf_keras of one of Keras 3: of a room above this
#: one, which only a script that hands Keras 3 to NengoDL enters.
READER = "nengo_tactile.conversion.reading"
#: Rooms of Keras 3 with functions.
_ROOMS_OF_FUNCTIONS = ("activations", "losses", "metrics")


def is_keras_3(value):
    """Whether a value is an object or function of Keras 3. Imports nothing."""
    if "keras" not in sys.modules:
        return False
    if inspect.isfunction(value):
        return _is_home(value.__module__)
    return any(_is_home(kind.__module__) for kind in type(value).__mro__)


def _is_home(module):
    return module is not None and module.partition(".")[0] == "keras"


def twin_of(value):
    """What NengoDL takes in place of a value; of lists and dicts, of all in them.

    Parameters
    ----------
    value
        An optimizer, loss, metric, layer or function of Keras 3; all else is given back as it is.

    Returns
    -------
    object of tf_keras

    Raises
    ------
    StackError
        For objects without a twin, naming the remedy.
    """
    if type(value) in (list, tuple):
        return type(value)(twin_of(part) for part in value)
    if type(value) is dict:
        return {twin_of(key): twin_of(part) for key, part in value.items()}
    if not is_keras_3(value):
        return value
    if inspect.isfunction(value):
        return _function(value)
    keras = sys.modules["keras"]
    for base, room in _KINDS:
        if isinstance(value, functools.reduce(getattr, base.split("."), keras)):
            return _object(value, importlib.import_module(f"tf_keras.{room}"))
    return value


def _function(value):
    for room in _ROOMS_OF_FUNCTIONS:
        if f".{room}." in f".{value.__module__}.":
            found = getattr(importlib.import_module(f"tf_keras.{room}"), value.__name__, None)
            if found is not None:
                return found
    raise _without_twin(f"function {value.__module__}.{value.__name__}")


def _object(value, room):
    told = f"{type(value).__module__}.{type(value).__qualname__}"
    if not _is_home(type(value).__module__):
        raise _without_twin(f"class {told}")
    # some losses leave arguments of their function out of their configuration
    config = {**getattr(value, "_fn_kwargs", {}), **value.get_config()}
    twin = _made(room, type(value).__name__, config, told, _defaults(type(value)))
    if room.__name__ == "tf_keras.layers" and value.built and value.weights:
        twin.build(value.get_build_config()["input_shape"])
        twin.set_weights(value.get_weights())
    return twin


def _made(room, name, config, told, usual):
    """An object of tf_keras from Keras 3's configuration.

    ``usual`` has the values of arguments that may be missing in Keras 2.
    """
    kind = getattr(room, name, None)
    if kind is None:
        raise _without_twin(f"class {told}")
    known = {word for base in kind.__mro__ for word in inspect.signature(base.__init__).parameters}
    if room.__name__ == "tf_keras.layers":
        known |= {"name", "trainable", "dtype"}
    taken = {}
    for word, given in config.items():
        word = _RENAMED.get((name, word), word)
        if word in known:
            taken[word] = _plain(given)
        elif word not in usual or given != usual[word]:
            raise _without_twin(f"{told} with {word}={given!r}")
    return kind.from_config(taken)


def _plain(given):
    """A type policy by its name; other objects that Keras 3 wrote down, as those of tf_keras."""
    if _is_type_policy(given):
        return given["config"]["name"]
    if not isinstance(given, dict) or not {"module", "class_name", "config"} <= set(given):
        return given
    told = f"{given['module']}.{given['class_name']}"
    if not _is_home(given["module"]):
        raise _without_twin(f"class {told}")
    room = importlib.import_module(f"tf_{given['module']}")
    kind = getattr(importlib.import_module(given["module"]), given["class_name"])
    return _made(room, given["class_name"], given["config"], told, _defaults(kind))


def _defaults(kind):
    """What a class of Keras 3 takes for arguments that are not given."""
    found = {
        word: argument.default
        for base in reversed(kind.__mro__)
        for word, argument in inspect.signature(base.__init__).parameters.items()
        if argument.default is not inspect.Parameter.empty
    }
    # which are written down whatever was given
    return {"input_axes": None, "output_axes": None, **found}


def _is_type_policy(given):
    return isinstance(given, dict) and str(given.get("class_name", "")).endswith("DTypePolicy")


def _without_twin(told):
    return StackError(
        f"NengoDL knows Keras 2 only, and {told} of Keras 3 has no twin there: make it with "
        "tf_keras, or set TF_USE_LEGACY_KERAS=1 in the environment before Python starts, with "
        "which tf.keras is tf_keras"
    )


def patch(module):
    """Let a module of NengoDL take Keras 3.

    Parameters
    ----------
    module : module
        ``nengo_dl.converter``, ``nengo_dl.tensor_node`` or ``nengo_dl.simulator``.
    """
    {
        "nengo_dl.converter": _patch_converter,
        "nengo_dl.tensor_node": _patch_tensor_node,
        "nengo_dl.simulator": _patch_simulator,
    }[module.__name__](module)


def _patch_simulator(module):
    def make(compile):
        def with_twins(self, *args, **kwargs):
            return compile(self, *twin_of(args), **twin_of(kwargs))

        return with_twins

    wrap(module.Simulator, "compile", make)


def _patch_tensor_node(module):
    def make(init):
        def with_twin(self, tensor_func, *args, **kwargs):
            init(self, twin_of(tensor_func), *args, **kwargs)

        return with_twin

    wrap(module.TensorNode, "__init__", make)


def _patch_converter(module):
    def make_init(init):
        def with_twin(self, model, *args, swap_activations=None, scale_firing_rates=None, **kwargs):
            twins = None
            if is_keras_3(model):
                twins = _Twins(model)
                model, swap_activations = twins.model, twin_of(swap_activations)
                if isinstance(scale_firing_rates, dict):
                    scale_firing_rates = {
                        twins.layer(layer): scale for layer, scale in scale_firing_rates.items()
                    }
            kwargs |= {
                "swap_activations": swap_activations,
                "scale_firing_rates": scale_firing_rates,
            }
            init(self, model, *args, **kwargs)
            for known in (self.inputs, self.outputs, self.layers):
                known.twins = twins

        return with_twin

    def make_get_key(get_key):
        def of_twin(self, key):
            twins = getattr(self, "twins", None)
            return get_key(self, key if twins is None else twins.of(key))

        return of_twin

    wrap(module.Converter, "__init__", make_init)
    wrap(module.Converter.KerasTensorDict, "_get_key", make_get_key)


class _Twins:
    """A Keras 3 model's twin, with its layers and tensors.

    Attributes
    ----------
    model : tf_keras.Model
    """

    def __init__(self, model):
        self.model = importlib.import_module(READER).functional(model)
        for layer in model.layers:
            # by which NengoDL knows what to swap: tf.nn.relu is not Keras's relu there
            activation = getattr(layer, "activation", None)
            if inspect.isfunction(activation) and not is_keras_3(activation):
                self.model.get_layer(layer.name).activation = activation
        pairs = zip([*model.inputs, *model.outputs], [*self.model.inputs, *self.model.outputs])
        self._tensors = {id(tensor): (tensor, twin) for tensor, twin in pairs}

    def layer(self, layer):
        """The twin of a layer, by its name."""
        return self.model.get_layer(layer.name) if is_keras_3(layer) else layer

    def of(self, key):
        """The twin of a tensor or layer, or of a list of them."""
        if isinstance(key, (list, tuple)):
            return type(key)(self.of(part) for part in key)
        if id(key) in self._tensors:
            return self._tensors[id(key)][1]
        if not is_keras_3(key):
            return key
        history = getattr(key, "_keras_history", None)
        if history is None:
            return self.layer(key)
        return self.layer(history.operation).get_output_at(history.node_index)
