"""Reading saved Keras models without running what is inside them."""

import json
import zipfile
from pathlib import Path

from nengo_tactile import stack
from nengo_tactile.ann.lif import rate_lif_layer
from nengo_tactile.errors import ModelFileError

_REFUSED = {"Lambda", "TFOpLambda", "SlicingOpLambda"}


def load_keras(path):
    """Load a .keras or .h5 model file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    tf.keras.Model

    Raises
    ------
    ModelFileError
        If the file is missing or damaged, is no Keras model, or has a Lambda layer (code in
        a file is never run).
    """
    path = Path(path)
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file: give the path of a .keras or .h5 model")
    tf = stack.tensorflow()
    config = _config(path)
    _refuse_code(path, config)
    try:
        with stack.quiet_build():
            return tf.keras.models.load_model(
                path, compile=False, custom_objects={"RateLIF": rate_lif_layer()}
            )
    except Exception as error:  # Keras raises whatever its parts raise
        raise ModelFileError(
            f"{path}: cannot be loaded ({type(error).__name__}: {_first_line(error)}): save the "
            "model again with tf_keras, as a functional model of standard layers"
        ) from error


def _first_line(error):
    return (str(error).strip().splitlines() or [""])[0][:300]


def _config(path):
    """The architecture in a model file, as JSON data."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return json.loads(archive.read("config.json"))
        import h5py

        with h5py.File(path, "r") as file:
            return json.loads(file.attrs["model_config"])
    except Exception as error:  # not a zip, not HDF5, or without a model in it
        raise ModelFileError(
            f"{path}: is no Keras model file ({type(error).__name__}: {_first_line(error)}): give a "
            ".keras or .h5 file that holds architecture and weights"
        ) from error


def _refuse_code(path, config):
    pending = [config]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            if item.get("class_name") in _REFUSED:
                name = (item.get("config") or {}).get("name", "?")
                raise ModelFileError(
                    f"{path}: layer '{name}' is a {item['class_name']}, whose code is never run "
                    "from a file: replace it with standard layers and save again"
                )
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
