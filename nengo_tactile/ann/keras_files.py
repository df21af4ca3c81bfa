"""Reading saved Keras models, of Keras 2 and Keras 3, without running what is inside them."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np

from nengo_tactile.ann.configs import (
    describe,
    is_function,
    is_model,
    layer_configs,
    layer_name,
    snake_case,
)
from nengo_tactile.errors import ConversionError, ModelFileError


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
    path = Path(path)
    if path.is_dir() and (path / "saved_model.pb").is_file():
        raise ModelFileError(
            f"{path}: is a SavedModel folder, whose layers are TensorFlow code: load it where it "
            "was made with tf.keras.models.load_model(folder), and save it again as one file, "
            "model.save('model.keras')"
        )
    if not path.is_file():
        what = "a folder, no model file" if path.is_dir() else "no such file"
        raise ModelFileError(f"{path}: {what}: give the path of a .keras or .h5 model")
    try:
        reader = _read_keras if zipfile.is_zipfile(path) else _read_h5
        return describe(*reader(path))
    except ConversionError as error:
        raise ModelFileError(f"{path}: {error}") from error
    except Exception as error:  # h5py, zipfile, zlib and json have error classes of their own
        first = (str(error).strip().splitlines() or [""])[0][:300]
        raise ModelFileError(
            f"{path}: is no readable Keras model file ({type(error).__name__}: {first}): give a "
            ".keras or .h5 file that holds architecture and weights"
        ) from error


def _read_h5(path):
    """Architecture and weights by path from HDF5 (Keras 2 and 3 write it alike)."""
    import h5py

    with h5py.File(path, "r") as file:
        architecture = json.loads(file.attrs["model_config"])
        weights = {}
        for entry in layer_configs(architecture):
            name = layer_name(entry)
            group = file["model_weights"].get(name)
            names = [] if group is None else group.attrs.get("weight_names", [])
            names = [n.decode() if isinstance(n, bytes) else str(n) for n in names]
            arrays = [_array(group[n]) for n in names]
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
    import h5py

    with zipfile.ZipFile(path) as archive:
        architecture = json.loads(archive.read("config.json"))
        content = io.BytesIO(archive.read("model.weights.h5"))
    weights = {}
    with h5py.File(content, "r") as file:
        _collect(architecture, file, (), weights)
    return architecture, weights.get


def _collect(entry, group, path, weights):
    """Put the weights of a model's layers into ``weights``, by path."""
    # Keras 3 calls this group "layers", early Keras 2 as below
    groups, used = group.get("layers", group.get("_layer_checkpoint_dependencies", {})), {}
    for inner in layer_configs(entry):
        if is_function(inner):  # no layer in Keras 3
            continue
        # groups are named after the type and numbered from the second of a type on
        kind = snake_case(str(inner["class_name"]).rsplit(">", 1)[-1])
        number = used[kind] = used.get(kind, -1) + 1
        stored = groups.get(f"{kind}_{number}" if number else kind)
        where = (*path, layer_name(inner))
        if is_model(inner) and stored is not None:
            _collect(inner, stored, where, weights)
            continue
        arrays = {} if stored is None else stored.get("vars", {})
        # Keras 3 notes the layer's name there
        if arrays and arrays.attrs.get("name", where[-1]) != where[-1]:
            raise ConversionError(
                f"weights '{arrays.name}' belong to layer '{arrays.attrs['name']}', but "
                f"'{where[-1]}' was expected there: save the model again"
            )
        weights[where] = [_array(arrays[str(i)]) for i in range(len(arrays))]


def _array(dataset):
    return np.asarray(dataset, np.float32)
