"""Reading saved Keras models, of Keras 2 and Keras 3, without running what is inside them."""

import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np

from nengo_tactile.ann.portable import class_name, layer_configs, layer_name, model_from_config
from nengo_tactile.errors import ConversionError, ModelFileError


def load_keras(path, remedy=lambda kind: None):
    """Load a .keras or .h5 model file, saved by tf.keras or by Keras 3.

    Parameters
    ----------
    path : str or Path
    remedy : callable, optional
        See `nengo_tactile.ann.portable.model_from_config`.

    Returns
    -------
    tf.keras.Model
        Functional, with the file's weights; it is not compiled, and initializers and
        regularizers stay behind.

    Raises
    ------
    ModelFileError
        If the file is missing or damaged, is no Keras model, or has a Lambda or another layer
        that is not on the list of `nengo_tactile.ann.portable` (code in a file is never run).
    """
    path = Path(path)
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file: give the path of a .keras or .h5 model")
    try:
        reader = _read_keras if zipfile.is_zipfile(path) else _read_h5
        architecture, weights = reader(path)
    except ConversionError as error:
        raise ModelFileError(f"{path}: {error}") from error
    except Exception as error:  # h5py, zipfile, zlib and json have error classes of their own
        first = (str(error).strip().splitlines() or [""])[0][:300]
        raise ModelFileError(
            f"{path}: is no readable Keras model file ({type(error).__name__}: {first}): give a "
            ".keras or .h5 file that holds architecture and weights"
        ) from error
    try:
        return model_from_config(architecture, lambda index, entry: weights[index], remedy)
    except ConversionError as error:
        raise ModelFileError(f"{path}: {error}") from error


def _read_h5(path):
    """Architecture and list of weights per layer from HDF5 (Keras 2 and 3 write it alike)."""
    import h5py

    with h5py.File(path, "r") as file:
        architecture = json.loads(file.attrs["model_config"])
        weights = []
        for entry in layer_configs(architecture):
            group = file["model_weights"].get(layer_name(entry))
            names = [] if group is None else group.attrs.get("weight_names", [])
            names = [name.decode() if isinstance(name, bytes) else name for name in names]
            weights.append([_array(group[name]) for name in names])
    return architecture, weights


def _read_keras(path):
    """Architecture and list of weights per layer from a .keras archive."""
    import h5py

    with zipfile.ZipFile(path) as archive:
        architecture = json.loads(archive.read("config.json"))
        content = io.BytesIO(archive.read("model.weights.h5"))
    weights, used = [], {}
    with h5py.File(content, "r") as file:
        # Keras 3 calls this group "layers", Keras 2 as below
        layers = file.get("layers", file.get("_layer_checkpoint_dependencies", {}))
        for entry in layer_configs(architecture):
            # groups are named after the type and numbered from the second of a type on
            kind = _snake_case(class_name(entry))
            number = used[kind] = used.get(kind, -1) + 1
            group = layers.get(f"{kind}_{number}" if number else kind)
            stored = {} if group is None else group.get("vars", {})
            # Keras 3 notes the layer's name there
            if stored and stored.attrs.get("name", layer_name(entry)) != layer_name(entry):
                raise ConversionError(
                    f"weights '{stored.name}' belong to layer '{stored.attrs['name']}', but "
                    f"'{layer_name(entry)}' was expected there: save the model again"
                )
            weights.append([_array(stored[str(i)]) for i in range(len(stored))])
    return architecture, weights


def _array(dataset):
    return np.asarray(dataset, np.float32)


def _snake_case(name):
    """Keras's group names: "Conv2D" -> "conv2d", "GlobalAveragePooling2D" -> "global_a...2d"."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
