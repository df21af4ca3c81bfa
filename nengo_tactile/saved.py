"""Saved networks of every kind, by folder or by the name of a shipped one."""

import contextlib
import importlib
import importlib.resources
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nengo_tactile.arguments import nearest
from nengo_tactile.errors import ModelFileError
from nengo_tactile.files import path_of, restore_folder
from nengo_tactile.networks.folders import DOOR, FORMAT, digest, read_arrays, read_json
from nengo_tactile.networks.protocol import Network


class Kind(NamedTuple):
    """A kind of saved network.

    Attributes
    ----------
    room : str
        The module whose ``restore(folder, description, arrays, card)`` makes the network.
    dtype : type
        Of all its arrays.
    """

    room: str
    dtype: type


#: By the "kind" in network.json; where there is none, the network is a converted one.
KINDS = {
    "converted": Kind("nengo_tactile.conversion.storage", np.float32),
    "skim": Kind("nengo_tactile.skim.storage", np.float64),
    "slayer": Kind("nengo_tactile.slayer.storage", np.float32),
    "stepped": Kind("nengo_tactile.networks.stepped_storage", np.float64),
}


def load(source: str | Path) -> Network:
    """Read a saved network.

    Parameters
    ----------
    source : path or str
        A folder from ``network.save``, or the bare name of a model shipped with the package
        (see `shipped_models`).

    Returns
    -------
    SpikingNetwork, SkimNetwork, SlayerNetwork or SteppedNetwork

    Raises
    ------
    ModelFileError
        If it is missing, damaged or holds layers that are never loaded from files.
    """
    folder = find(source)
    description = read_json(folder / "network.json")
    if description.get("format") != FORMAT:
        raise ModelFileError(
            f"{folder / 'network.json'}: format {description.get('format')!r}, this version reads "
            f"{FORMAT}: update nengo-tactile, or save the network again"
        )
    kind = kind_of(folder)
    names = description.get("arrays")  # not in older folders of converted networks
    arrays = read_arrays(folder / "weights.npz", KINDS[kind].dtype, names)
    if description.get("sha256") != digest(description, arrays):
        raise ModelFileError(
            f"{folder}: network.json and weights.npz do not have the digest that was saved with "
            "them: one is damaged or was changed; restore the folder from its source"
        )
    card = read_json(folder / "card.json")
    room = importlib.import_module(KINDS[kind].room)
    with DOOR.guarded(folder / "network.json", "is damaged"):
        return room.restore(folder, description, arrays, card)


def find(source: str | Path) -> Path:
    """The folder of a saved network, given as such or by its shipped name.

    Raises
    ------
    ModelFileError
        Listing the names.
    """
    if not isinstance(source, str | Path):
        raise ModelFileError(
            f"{source!r} is a {type(source).__name__}: give a folder or a shipped model's name"
        )
    folder = path_of(source)
    restore_folder(folder)
    if folder.is_dir():
        return folder
    shipped = shipped_models()
    if str(source) not in shipped:
        raise ModelFileError(
            f"no model folder {str(source)!r}, and no shipped model of that name"
            f"{nearest(source, shipped)}: "
            f"choose one of {', '.join(sorted(shipped)) or '(none installed)'} or give a folder"
        )
    return shipped[str(source)]


def kind_of(folder: str | Path) -> str:
    """Kind of the network in a folder, one of `KINDS`.

    Raises
    ------
    ModelFileError
        If it is another.
    """
    path = path_of(folder) / "network.json"
    kind = read_json(path).get("kind", "converted")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ModelFileError(
            f"{path}: a network of kind {kind!r}, this version reads {', '.join(KINDS)}: update "
            "nengo-tactile"
        )
    return kind


def shipped_models() -> dict[str, Path]:
    """Folders of the models that come with the package, {name: Path}."""
    found: dict[str, Path] = {}
    roots = [Path(__file__).parents[1] / "models"]
    # run from a checkout that is not installed, the second is not there
    with contextlib.suppress(ModuleNotFoundError):
        roots.insert(0, Path(str(importlib.resources.files("nengo_tactile.models"))))
    for root in roots:
        if root.is_dir():
            for path in sorted(root.iterdir()):
                if (path / "network.json").is_file():
                    found.setdefault(path.name, path)
    return found
