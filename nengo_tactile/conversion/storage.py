"""Spiking networks as folders: architecture and settings as JSON, weights as .npz.

Nothing in such a folder is ever executed: see `nengo_tactile.ann.portable`.
"""

import contextlib
import hashlib
import importlib.resources
import json
from pathlib import Path

import numpy as np

from nengo_tactile import files
from nengo_tactile.ann.portable import model_from_config
from nengo_tactile.conversion.network import SpikingNetwork
from nengo_tactile.errors import ConversionError, ModelFileError, TactileError
from nengo_tactile.events.coding import coding_from_dict, coding_to_dict
from nengo_tactile.events.images import TactileImage

FORMAT = 1
_FILES = {"network.json", "weights.npz", "card.json", "card.md"}
_SETTINGS = (
    "n_steps",
    "dt",
    "synapse",
    "min_voltage",
    "initial_voltage",
    "discard",
    "classes",
    "first_layer",
    "input_range",
)


def save(network, folder):
    """Write a network to a folder, whole or not at all.

    Parameters
    ----------
    network : SpikingNetwork
    folder : path
        Gets network.json, weights.npz, card.json and card.md; an existing folder is replaced
        only if it holds a saved network (or nothing).

    Raises
    ------
    ModelFileError
        If the folder holds something else.
    """
    from nengo_tactile.conversion.cards import card_text

    folder = check_folder(folder)
    description = {
        "format": FORMAT,
        "architecture": json.loads(network.ann.to_json()),
        "settings": {name: getattr(network, name) for name in _SETTINGS},
        "image": None if network.image is None else network.image.to_dict(),
        "coding": coding_to_dict(network.coding),
    }
    description = json.loads(json.dumps(description, default=files.plain))
    arrays = network.ann.get_weights()
    weights = {f"{i:03d}": w for i, w in enumerate(arrays)}
    description["sha256"] = _digest(description, arrays)
    with files.atomic_folder(folder) as temporary:
        files.write_json(temporary / "network.json", description)
        files.write_npz(temporary / "weights.npz", **weights)
        files.write_json(temporary / "card.json", network.card)
        with files.atomic_write(temporary / "card.md") as file:
            file.write(card_text(folder.name, network))


def _digest(description, arrays):
    """Digest of all that decides what a network computes."""
    told = {key: value for key, value in description.items() if key != "sha256"}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def check_folder(folder):
    """Refuse a folder that holds anything but a saved network, which `save` may replace.

    Returns
    -------
    Path

    Raises
    ------
    ModelFileError
    """
    folder = Path(folder)
    others = set()
    if folder.is_dir():
        names = {path.name for path in folder.iterdir()}
        others = names - _FILES if "network.json" in names else names
    if others or (folder.exists() and not folder.is_dir()):
        held = f" holds {sorted(others)[0]!r}" if others else " is a file"
        raise ModelFileError(
            f"{folder}:{held} and is no folder of a saved network: choose another folder"
        )
    return folder


def load(source):
    """Read a saved network.

    Parameters
    ----------
    source : path or str
        A folder from ``network.save``, or the bare name of a model shipped with the package
        (see `shipped_models`).

    Returns
    -------
    SpikingNetwork

    Raises
    ------
    ModelFileError
        If it is missing, damaged or holds layers that are never loaded from files.
    """
    folder = Path(source)
    if not folder.is_dir():
        shipped = shipped_models()
        if str(source) not in shipped:
            raise ModelFileError(
                f"no model folder {str(source)!r}, and no shipped model of that name: "
                f"choose one of {', '.join(sorted(shipped)) or '(none installed)'} or give a folder"
            )
        folder = shipped[str(source)]
    description = _read_json(folder / "network.json")
    if description.get("format") != FORMAT:
        raise ModelFileError(
            f"{folder / 'network.json'}: format {description.get('format')!r}, this version reads "
            f"{FORMAT}: update nengo-tactile, or save the network again"
        )
    arrays = _arrays(folder / "weights.npz")
    if description.get("sha256") != _digest(description, arrays):
        raise ModelFileError(
            f"{folder}: network.json and weights.npz do not have the digest that was saved with "
            "them: one is damaged or was changed; restore the folder from its source"
        )
    try:
        model = _model(folder, description["architecture"], arrays)
        settings = dict(description["settings"])
        image = description["image"]
        return SpikingNetwork(
            model,
            image=None if image is None else TactileImage.from_dict(image),
            coding=coding_from_dict(description.get("coding")),
            card=_read_json(folder / "card.json"),
            **settings,
        )
    except ModelFileError:
        raise
    except (TactileError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(
            f"{folder / 'network.json'}: damaged ({type(error).__name__}: {error}): restore the "
            "folder from its source"
        ) from error


def shipped_models():
    """Folders of the models that come with the package, {name: Path}."""
    found = {}
    roots = [Path(__file__).parents[2] / "models"]
    # run from a checkout that is not installed, the second is not there
    with contextlib.suppress(ModuleNotFoundError):
        roots.insert(0, Path(str(importlib.resources.files("nengo_tactile.models"))))
    for root in roots:
        if root.is_dir():
            for path in sorted(root.iterdir()):
                if (path / "network.json").is_file():
                    found.setdefault(path.name, path)
    return found


def _read_json(path):
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelFileError(
            f"{path}: cannot be read ({error.strerror}): restore the model's folder"
        ) from error
    except ValueError as error:
        raise ModelFileError(f"{path}: is not JSON ({error}): restore the file") from error
    if not isinstance(data, dict):
        raise ModelFileError(
            f"{path}: holds a {type(data).__name__}, wanted an object: restore the file"
        )
    return data


def _arrays(path):
    try:
        stored = files.read_npz(path)
    except Exception as error:  # numpy, zipfile and zlib have error classes of their own
        raise ModelFileError(
            f"{path}: cannot be read ({type(error).__name__}: {error}): restore the file"
        ) from error
    arrays = [stored[name] for name in sorted(stored)]
    for index, array in enumerate(arrays):
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise ModelFileError(
                f"{path}: array {index:03d} holds {array.dtype} or values that are not finite, "
                "wanted finite float32: restore the file"
            )
    return arrays


def _model(folder, architecture, arrays):
    try:
        model = model_from_config(architecture, lambda index, entry: None)
    except ConversionError as error:
        raise ModelFileError(f"{folder / 'network.json'}: {error}") from error
    wanted = [tuple(w.shape) for w in model.weights]
    if [a.shape for a in arrays] != wanted:
        raise ModelFileError(
            f"{folder / 'weights.npz'}: arrays of shapes {[a.shape for a in arrays]}, the "
            f"architecture wants {wanted}: the two files belong to different networks"
        )
    model.set_weights(arrays)
    return model
