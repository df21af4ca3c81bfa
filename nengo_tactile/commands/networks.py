"""Networks for images by name, and their trained weights as files of plain arrays.

And the sigma-delta paper's network, whose file holds the arrays of `nengo_tactile.ann.arrays`
alone. Otherwise a weights file holds these, and what the network's shape and input need besides:
``input/shape``, ``input/scale`` and ``input/offset`` (of its Rescaling), ``input/shortcuts`` (1,
or 0 for plain networks) and ``input/levels`` (of ClipFloor activations, 0 with ReLU) of residual
and plain ones, ``input/blocks`` of a mobilenet, ``input/strides`` of a densenet.
Kernels may be whole numbers of two bytes with ``scale/layer/weight`` beside them: see
`nengo_tactile.ann.two_bytes`.
"""

import contextlib
import importlib.resources
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nengo_tactile import files, saved
from nengo_tactile.ann import densenet, digits, mobile, residual, unet
from nengo_tactile.ann.arrays import load_arrays, save_arrays
from nengo_tactile.ann.portable import keras_model
from nengo_tactile.ann.two_bytes import unpacked
from nengo_tactile.arguments import nearest
from nengo_tactile.conversion.passes import spiking_layers
from nengo_tactile.conversion.quantise import use_clip_floor
from nengo_tactile.conversion.reading import functional, plain
from nengo_tactile.conversion.simplify import simplify
from nengo_tactile.doors.archives import read_npz
from nengo_tactile.doors.plain import Door
from nengo_tactile.errors import ConversionError, ModelFileError, NotationError
from nengo_tactile.files import path_of

_NAME = re.compile(r"(resnet|plain)(\d+)")
#: Epochs that weights of the package were trained for, where they are not the recipe's.
_EPOCHS = {
    "cifar10-plain20": 16,
    "cifar10-plain32": 4,
    "cifar10-mobilenet": 30,
    "cifar10-densenet": 20,
}
#: Shallower weights that weights of the package began with: see `nengo_tactile.ann.deepen`.
_BEGIN = {
    f"cifar10-{kind}{depth}": f"cifar10-{kind}{depth - 12}"
    for kind in ("resnet", "plain")
    for depth in (32, 44, 56)
}
_INPUT = ("shape", "scale", "offset")
#: Networks that standardise their images themselves, by their whole name.
_NAMED = {mobile.NAME: mobile.mobilenet, densenet.NAME: densenet.densenet, unet.NAME: unet.unet}
#: Networks that are not named by their depth.
WHOLE_NAMES = (*_NAMED, digits.NAME)


def is_residual(name):
    """Whether it is the name of a residual or plain network, such as "resnet20"."""
    return _NAME.fullmatch(str(name)) is not None


def is_standardised(name):
    """Whether it is the name of a network that standardises its images itself."""
    return is_residual(name) or name in _NAMED


def has_arrays(name):
    """Whether weights of the network of that name are written as plain arrays."""
    return is_standardised(name) or name == digits.NAME


def network_named(name, shape, n_classes, rescale, seed=0, widths=residual.WIDTHS):
    """Build "resnet20", "plain44", "mobilenet": see `nengo_tactile.ann.residual.resnet`.

    Parameters
    ----------
    name : str
    shape : tuple of int
        (height, width, channels).
    n_classes : int
    rescale : (scale, offset)
        From `nengo_tactile.ann.residual.standardise`.
    seed : int
    widths : sequence of int

    Returns
    -------
    tf.keras.Model
    """
    if name in _NAMED:
        return _NAMED[name](shape, n_classes, seed, rescale)
    found = _NAME.fullmatch(str(name))
    if not found:
        raise NotationError(
            f"network {name!r} is no residual or plain network: choose resnet8, resnet20, plain20 "
            f"and so on, or {', '.join(_NAMED)}"
        )
    build = {"resnet": residual.resnet, "plain": residual.plain}[found[1]]
    return build(int(found[2]), tuple(shape), n_classes, seed, rescale, tuple(widths))


def write_weights(model, path):
    """Write a network of `network_named` as a file of plain arrays, atomically.

    Parameters
    ----------
    model : tf.keras.Model
        From `network_named`, or fine-tuned from one with ClipFloor activations.
    path : path
        An .npz file.

    Raises
    ------
    ModelFileError
        For other models, which such a file does not describe.
    """
    if model.name == digits.NAME:
        save_arrays(model, path)
        return
    kinds = [type(layer).__name__ for layer in model.layers]
    arrays = {
        f"{layer.name}/{weight.name.split(':')[0].split('/')[-1]}": weight.numpy()
        for layer in model.layers
        for weight in layer.weights
    }
    try:
        rescaling = model.layers[kinds.index("Rescaling")]
        arrays |= {
            "input/shape": np.array(model.input_shape[1:]),
            "input/scale": np.array(rescaling.scale, float),
            "input/offset": np.array(rescaling.offset, float),
        }
        if model.name == mobile.NAME:
            arrays["input/blocks"] = np.array(mobile.blocks_of(model))
        elif model.name == densenet.NAME:
            arrays["input/strides"] = np.array(model.get_layer("first").strides[0])
        elif model.name not in _NAMED:
            arrays["input/shortcuts"] = np.array(int("Add" in kinds))
            levels = model.layers[kinds.index("ClipFloor")].levels if "ClipFloor" in kinds else 0
            arrays["input/levels"] = np.array(levels)
        rebuilt = _model(path, arrays)
    except (ModelFileError, ValueError, KeyError, NotationError) as error:
        raise ModelFileError(
            f"{path}: a file of plain arrays describes networks made by name, not model "
            f"'{model.name}' ({error}): write it as .keras or .h5"
        ) from error
    del rebuilt
    files.write_npz(path, arrays)


def read_weights(path):
    """Read a network from a file of `write_weights`.

    Parameters
    ----------
    path : path

    Returns
    -------
    tf.keras.Model

    Raises
    ------
    ModelFileError
        If the file is missing or damaged, or describes no network made by name.
    """
    path = path_of(path)
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file: give an .npz of nengo-tactile train")
    arrays = read_npz(path, Door(ModelFileError, "restore it, or train again"))
    remedy = "write it with nengo-tactile train, resuming from the training's checkpoint"
    with Door(ModelFileError, remedy).guarded(path, "describes no network made by name"):
        return _model(path, unpacked(arrays))


def _model(path, arrays):
    """The network whose sizes are those of its arrays."""
    if "conv1/kernel" in arrays:
        return _digits(path, arrays)
    first = next((name for name in _KINDS if name in arrays), next(iter(_KINDS)))
    kind = _KINDS[first]
    extras = (*_INPUT, *kind.needs)
    missing = [f"input/{name}" for name in extras if f"input/{name}" not in arrays]
    if missing:
        raise ModelFileError(
            f"{path}: no array {missing[0]!r}: write it with nengo-tactile train, resuming "
            "from the training's checkpoint"
        )
    extra = {name: arrays[f"input/{name}"] for name in extras}
    weights = {k: v for k, v in arrays.items() if not k.startswith("input/")}
    channels = weights[first].shape[2]
    if extra["shape"].shape != (3,) or extra["shape"][2] != channels:
        raise ModelFileError(
            f"{path}: array 'input/shape' is {extra['shape'].tolist()}, '{first}' takes "
            f"images of {channels} channels: restore the file"
        )
    _check_standardisation(path, extra, channels)
    model = kind.build(extra, weights)
    try:
        load_arrays(model, weights)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error
    return model


def _ends(extra, weights):
    """Shape of the images, number of classes, and (scale, offset) of the standardisation."""
    rescale = extra["scale"].tolist(), extra["offset"].tolist()
    return [int(n) for n in extra["shape"]], weights["logits/bias"].shape[0], rescale


def _mobile(extra, weights):
    shape, n_classes, rescale = _ends(extra, weights)
    return mobile.mobilenet(shape, n_classes, 0, rescale, extra["blocks"].tolist())


def _unet(extra, weights):
    shape, n_classes, rescale = _ends(extra, weights)
    return unet.unet(shape, n_classes, 0, rescale, unet.widths_of(weights))


def _densenet(extra, weights):
    shape, n_classes, rescale = _ends(extra, weights)
    return densenet.densenet(
        shape, n_classes, 0, rescale, *densenet.blocks_of(weights), int(extra["strides"])
    )


def _residual(extra, weights):
    blocks = [re.fullmatch(r"block(\d+)_(\d+)_conv1/kernel", name) for name in weights]
    groups = [int(found[1]) for found in blocks if found]
    n_groups = max(groups)
    widths = [weights[f"block{g}_1_conv1/kernel"].shape[-1] for g in range(1, n_groups + 1)]
    depth = 2 * len(groups) + 2
    model = network_named(
        f"{'resnet' if extra['shortcuts'] else 'plain'}{depth}",
        *_ends(extra, weights),
        widths=widths,
    )
    levels = int(extra["levels"])
    if levels:
        layers = simplify(plain(model))
        ceilings = dict.fromkeys(spiking_layers(layers), 1.0)
        model = keras_model(use_clip_floor(layers, ceilings, levels))
    return model


class _Kind(NamedTuple):
    """Networks in such files: arrays ``input/...`` that they need besides, and how to build one."""

    needs: tuple
    build: Callable


#: By the name of the first layer's weights.
_KINDS = {
    "conv0/kernel": _Kind(("shortcuts", "levels"), _residual),
    "stem/kernel": _Kind(("blocks",), _mobile),
    "first/kernel": _Kind(("strides",), _densenet),
    "down1_conv1/kernel": _Kind((), _unet),
}


def _digits(path, arrays):
    model = digits.digits_cnn()
    try:
        load_arrays(model, arrays)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error
    return model


def _check_standardisation(path, extra, channels):
    """Refuse what no `nengo_tactile.ann.residual.standardise` gives."""
    for name, bound in (("scale", 0), ("offset", -np.inf)):
        value = extra[name]
        sound = value.shape in ((), (1,), (channels,)) and value.dtype.kind in "fiu"
        if not (sound and np.isfinite(value).all() and (value > bound).all()):
            above = "" if np.isinf(bound) else " above zero"
            raise ModelFileError(
                f"{path}: array 'input/{name}' is {value.tolist()}, wanted finite numbers{above}, "
                f"one or one for each of {channels} channels, because the network reads images * "
                "scale + offset: restore the file, or write it again with nengo-tactile train, "
                "resuming from the training's checkpoint"
            )


def weights_file(name, folder=None):
    """Path of the trained weights of that name, such as "cifar10-resnet20"; None if not there.

    Parameters
    ----------
    name : str
        Task and network, with a dash between.
    folder : path, optional
        Where to look instead of the folder that comes with the package.
    """
    folders = _shipped() if folder is None else [path_of(folder)]
    return next((f / f"{name}.npz" for f in folders if (f / f"{name}.npz").is_file()), None)


def trained(name, folder=None):
    """A network with its trained weights.

    Parameters
    ----------
    name : str
        Task and network, with a dash between: "cifar10-resnet20", "mnist-resnet8",
        "cifar10-resnet20-qcfs" (fine-tuned with quantised activations).
    folder : path, optional
        Where to look instead of the folder that comes with the package.

    Returns
    -------
    tf.keras.Model

    Raises
    ------
    ModelFileError
        Naming the command that trains it.
    """
    path = weights_file(name, folder)
    if path is None:
        place = "models/weights" if folder is None else folder
        raise ModelFileError(
            f"no trained weights {name!r} in {place}: train them with\n"
            f"  {train_command(name, Path(place) / f'{name}.npz')}"
        )
    return read_weights(path)


def find_model(source):
    """The model that a command line names.

    Parameters
    ----------
    source : path or str
        A .keras, .h5 or .npz file, or the name of weights that come with the package.

    Returns
    -------
    tf.keras.Model

    Raises
    ------
    ConversionError
        If it is a network that was saved, which is Nengo's already.
    """
    path = path_of(source)
    if path.suffix == ".npz":
        return read_weights(path)
    if not path.exists() and weights_file(str(source)):
        return trained(str(source))
    shipped = saved.shipped_models()
    if not path.exists() and str(source) not in shipped and not path.suffix:
        known = {*shipped, *(file.stem for place in _shipped() for file in place.glob("*.npz"))}
        raise ModelFileError(
            f"{source}: no such file, and no trained weights of that name"
            f"{nearest(source, known)}: give the path of a .keras or .h5 model, or one of "
            f"{', '.join(sorted(known))}"
        )
    folder = path if path.exists() else shipped.get(str(source), path)
    if (folder / "network.json").is_file():
        kind = {
            "skim": "a SKIM network, which has no Keras model",
            "slayer": "a SLAYER network, which spikes already",
        }.get(saved.kind_of(folder), "a converted network")
        raise ConversionError(
            f"{source}: holds {kind}, so there is nothing to convert or check: run it with "
            f"nengo-tactile run {source}"
        )
    return functional(path)


def train_command(name, out):
    """The command line that trains the weights of that name."""
    task, network, *rest = name.split("-")
    tuned = f" --fine-tune {task}-{network}" if rest else ""
    begin = f" --deepen {_BEGIN[name]}" if name in _BEGIN else ""
    epochs = f" --epochs {_EPOCHS[name]}" if name in _EPOCHS else ""
    options = f"{tuned}{begin}{epochs} --out {out} --data-dir DATA"
    return f"nengo-tactile train {network} --task {task}{options}"


def _shipped():
    """Folders of the weights that come with the package, as in `saved.shipped_models`."""
    found = [Path(__file__).parents[2] / "models" / "weights"]
    # run from a checkout that is not installed, this one is not there
    with contextlib.suppress(ModuleNotFoundError):
        root = Path(str(importlib.resources.files("nengo_tactile.models")))
        found.insert(0, root / "weights")
    return found
