"""Reading saved Keras models, of Keras 2 and Keras 3, without running what is inside them."""

import numpy as np

from nengo_tactile.ann.configs import (
    describe,
    is_function,
    is_model,
    layer_configs,
    layer_name,
    snake_case,
)
from nengo_tactile.doors.archives import is_zip, member_content, opened_zip
from nengo_tactile.doors.plain import LARGEST_JSON, Door
from nengo_tactile.errors import ConversionError, ModelFileError
from nengo_tactile.files import path_of

_DOOR = Door(ModelFileError, "give a .keras or .h5 file that holds architecture and weights")


def describe_file(path):
    """Read a .keras or .h5 model file as a description.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    nengo_tactile.ann.description.Description

    Raises
    ------
    ModelFileError
        If the file is missing or damaged, or is no Keras model.
    """
    path = path_of(path)
    if path.is_dir() and (path / "saved_model.pb").is_file():
        raise ModelFileError(
            f"{path}: is a SavedModel folder, whose layers are TensorFlow code: load it where it "
            "was made with tf.keras.models.load_model(folder), and save it again as one file, "
            "model.save('model.keras')"
        )
    if not path.is_file():
        what = "a folder, no model file" if path.is_dir() else "no such file"
        raise ModelFileError(f"{path}: {what}: give the path of a .keras or .h5 model")
    with _DOOR.guarded(path, "is no readable Keras model file"):
        reader = _read_keras if is_zip(path, _DOOR) else _read_h5
        return describe(*reader(path))


def _read_h5(path):
    """Architecture and weights by path from HDF5 (Keras 2 and 3 write it alike)."""
    from nengo_tactile.doors import hdf5

    with hdf5.opened(path, _DOOR) as file:
        config = file.attribute("model_config")
        if config is None:
            raise _DOOR.refusal(path, "holds no architecture, perhaps weights alone")
        architecture = _DOOR.parsed(config, path)
        weights = {}
        for entry in layer_configs(architecture):
            name = layer_name(entry)
            group = file.group(f"model_weights/{name}")
            names = [] if group is None else group.attribute("weight_names", [])
            names = [n.decode() if isinstance(n, bytes) else str(n) for n in names]
            arrays = [group.numbers(n).astype(np.float32) for n in names]
            if is_model(entry):
                weights |= _shared_out(entry, (name,), names, arrays)
            else:
                weights[(name,)] = arrays
    return architecture, weights.get


def _shared_out(entry, path, names, arrays):
    """Weights of a model inside a model by the path of its layers.

    An .h5 file lists them in one row, first all that are trainable; their names end in the
    layer's and the weight's own ("conv1/kernel:0").
    """
    layers = dict(_layers_of(entry, path))
    found = {where: [] for where in layers}
    for name, array in zip(names, arrays):
        parts = name.split(":")[0].split("/")[:-1]
        fits = [where for where in layers if list(where[-len(parts) :]) == parts[-len(where) :]]
        if not fits:
            fits = [where for where in layers if where[-1] in parts]
        if len(fits) != 1:
            raise ConversionError(
                f"weight '{name}' inside '{path[0]}' belongs to {len(fits)} of its layers, one is "
                "wanted: give the layers names of their own, or save the model as .keras"
            )
        found[fits[0]].append(array)
    return found


def _layers_of(entry, path):
    """(path, entry) of every layer inside a model's entry."""
    for inner in layer_configs(entry):
        where = (*path, layer_name(inner))
        if is_model(inner):
            yield from _layers_of(inner, where)
        else:
            yield where, inner


def _read_keras(path):
    """Architecture and weights by path from a .keras archive."""
    from nengo_tactile.doors import hdf5

    with opened_zip(path, _DOOR) as archive:
        text = member_content(archive, "config.json", path, _DOOR, LARGEST_JSON)
        architecture = _DOOR.parsed(text, f"{path}:config.json")
        content = member_content(archive, "model.weights.h5", path, _DOOR)
    weights = {}
    with hdf5.opened(content, _DOOR, path) as file:
        _collect(architecture, file, (), weights)
    return architecture, weights.get


def _collect(entry, group, path, weights):
    """Put the weights of a model's layers into ``weights``, by path."""
    # Keras 3 calls this group "layers", early Keras 2 as below
    groups = group.group("layers") or group.group("_layer_checkpoint_dependencies")
    used: dict[str, int] = {}
    for inner in layer_configs(entry):
        if is_function(inner):  # no layer in Keras 3
            continue
        # groups are named after the type and numbered from the second of a type on
        kind = snake_case(str(inner["class_name"]).rsplit(">", 1)[-1])
        number = used[kind] = used.get(kind, -1) + 1
        stored = groups and groups.group(f"{kind}_{number}" if number else kind)
        where = (*path, layer_name(inner))
        if is_model(inner) and stored is not None:
            _collect(inner, stored, where, weights)
            continue
        arrays = stored and stored.group("vars")
        numbers = range(len(arrays.names())) if arrays else ()
        # Keras 3 notes the layer's name there
        noted = arrays.attribute("name", where[-1]) if numbers else where[-1]
        if noted != where[-1]:
            raise ConversionError(
                f"weights '{arrays.name}' belong to layer '{noted}', but '{where[-1]}' was "
                "expected there: save the model again"
            )
        weights[where] = [arrays.numbers(str(i)).astype(np.float32) for i in numbers]
