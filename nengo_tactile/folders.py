"""Saved networks as folders: what all kinds share. Nothing in such a folder is ever executed.

network.json says what the network is, weights.npz holds its arrays, card.json and card.md where it
comes from. A digest in network.json covers all that decides what the network computes.
"""

import contextlib
import importlib
import importlib.resources
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nengo_tactile import files
from nengo_tactile.errors import ModelFileError, TactileError

FORMAT = 1
_FILES = {"network.json", "weights.npz", "card.json", "card.md"}


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
}


def check_folder(folder):
    """Refuse a folder that holds anything but a saved network, which `write` may replace.

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


def write(folder, description, arrays, card, page):
    """Write a network to a folder, whole or not at all.

    Parameters
    ----------
    folder : path
        An existing one is replaced only if it holds a saved network (or nothing).
    description : dict
        What the network is, as JSON; format and digest are added.
    arrays : dict of str to array
    card : dict
        Where it comes from.
    page : str
        The same to read: see `card_page`.

    Raises
    ------
    ModelFileError
        If the folder holds something else.
    """
    folder = check_folder(folder)
    description = {"format": FORMAT, **description}
    description = json.loads(json.dumps(description, default=files.plain))
    description["arrays"] = sorted(arrays)
    description["sha256"] = digest(description, arrays)
    with files.atomic_folder(folder) as temporary:
        files.write_json(temporary / "network.json", description)
        files.write_npz(temporary / "weights.npz", **arrays)
        files.write_json(temporary / "card.json", card)
        with files.atomic_write(temporary / "card.md") as file:
            file.write(page)


def digest(description, arrays):
    """Digest of all that decides what a network computes; arrays count in the order of names."""
    told = {key: value for key, value in description.items() if key != "sha256"}
    return files.digest(told, *(array for _, array in sorted(arrays.items())))


def load(source):
    """Read a saved network.

    Parameters
    ----------
    source : path or str
        A folder from ``network.save``, or the bare name of a model shipped with the package
        (see `shipped_models`).

    Returns
    -------
    SpikingNetwork, SkimNetwork or SlayerNetwork

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
    arrays = read_arrays(folder / "weights.npz", KINDS[kind].dtype)
    if description.get("sha256") != digest(description, arrays):
        raise ModelFileError(
            f"{folder}: network.json and weights.npz do not have the digest that was saved with "
            "them: one is damaged or was changed; restore the folder from its source"
        )
    wanted = description.get("arrays", sorted(arrays))  # not in older folders of converted ones
    if sorted(arrays) != wanted:
        raise ModelFileError(
            f"{folder / 'weights.npz'}: holds the arrays {', '.join(sorted(arrays))}, the network "
            f"wants {', '.join(wanted)}: the two files belong to different networks"
        )
    card = read_json(folder / "card.json")
    try:
        room = importlib.import_module(KINDS[kind].room)
        return room.restore(folder, description, arrays, card)
    except ModelFileError:
        raise
    except (TactileError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(
            f"{folder / 'network.json'}: damaged ({type(error).__name__}: {error}): restore the "
            "folder from its source"
        ) from error


def find(source):
    """The folder of a saved network, given as such or by its shipped name.

    Raises
    ------
    ModelFileError
        Listing the names.
    """
    folder = Path(source)
    if folder.is_dir():
        return folder
    shipped = shipped_models()
    if str(source) not in shipped:
        raise ModelFileError(
            f"no model folder {str(source)!r}, and no shipped model of that name: "
            f"choose one of {', '.join(sorted(shipped)) or '(none installed)'} or give a folder"
        )
    return shipped[str(source)]


def kind_of(folder):
    """Kind of the network in a folder, one of `KINDS`.

    Raises
    ------
    ModelFileError
        If it is another.
    """
    path = Path(folder) / "network.json"
    kind = read_json(path).get("kind", "converted")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ModelFileError(
            f"{path}: a network of kind {kind!r}, this version reads {', '.join(KINDS)}: update "
            "nengo-tactile"
        )
    return kind


def shipped_models():
    """Folders of the models that come with the package, {name: Path}."""
    found = {}
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


def read_json(path):
    """Read a JSON object.

    Raises
    ------
    ModelFileError
        If it is missing or anything else.
    """
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


def read_arrays(path, dtype):
    """Read a network's arrays, {name: array}.

    Raises
    ------
    ModelFileError
        If the file cannot be read, or an array is of another type or not finite.
    """
    try:
        stored = files.read_npz(path)
    except Exception as error:  # numpy, zipfile and zlib have error classes of their own
        raise ModelFileError(
            f"{path}: cannot be read ({type(error).__name__}: {error}): restore the file"
        ) from error
    for name, array in sorted(stored.items()):
        if array.dtype != dtype or not np.isfinite(array).all():
            raise ModelFileError(
                f"{path}: array {name} holds {array.dtype} or values that are not finite, "
                f"wanted finite {np.dtype(dtype)}: restore the file"
            )
    return stored


def card_page(name, rows, card):
    """A model card as Markdown.

    Parameters
    ----------
    name : str
    rows : dict
        What the network is; the first table.
    card : dict
        Has free keys; dicts become tables, lists lists, everything else a row.

    Returns
    -------
    str
    """
    lines = [f"# {name}", ""]
    if "summary" in card:
        lines += [card["summary"], ""]
    lines += ["| | |", "| --- | --- |", *(f"| {key} | {value} |" for key, value in rows.items())]
    for key, value in card.items():
        if key != "summary" and not isinstance(value, dict | list):
            lines.append(f"| {key} | {_cell(value)} |")
    lines.append("")
    for key, value in card.items():
        if isinstance(value, dict):
            lines += [f"## {key}", "", "| | |", "| --- | --- |"]
            lines += [f"| {k} | {_cell(v)} |" for k, v in value.items()]
            lines.append("")
        elif isinstance(value, list):
            lines += [f"## {key}", "", *(f"- {_cell(item)}" for item in value), ""]
    lines += [f"Load it with `nengo_tactile.load({json.dumps(name)})`.", ""]
    return "\n".join(lines)


def _cell(value):
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
    return json.dumps(value) if isinstance(value, dict | list) else str(value)
