"""Saved networks as folders: what all kinds share. Nothing in such a folder is ever executed.

network.json says what the network is, weights.npz holds its arrays, card.json and card.md where it
comes from. A digest in network.json covers all that decides what the network computes.
"""

import importlib
import json

import numpy as np

from nengo_tactile import files
from nengo_tactile.doors.archives import npz_names, read_npz
from nengo_tactile.doors.plain import Door
from nengo_tactile.errors import ModelFileError
from nengo_tactile.files import path_of

FORMAT = 1
DOOR = Door(ModelFileError, "restore the model's folder")
_FILES = {"network.json", "weights.npz", "card.json", "card.md"}


def check_folder(folder):
    """Refuse a folder that holds anything but a saved network, which `write` may replace.

    Returns
    -------
    Path

    Raises
    ------
    ModelFileError
    """
    folder = path_of(folder)
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


def save(network, folder):
    """Write a network to a folder, whole or not at all.

    Parameters
    ----------
    network : Network
        Whose module `storage` says what it is: ``described(network)`` gives the description (as
        JSON) and the arrays, ``page(name, network)`` its card to read, and
        ``restore(folder, description, arrays, card)`` makes the network again.
    folder : path
        Gets network.json, weights.npz, card.json and card.md; an existing folder is replaced
        only if it holds a saved network (or nothing).

    Raises
    ------
    ModelFileError
        If the folder holds something else.
    """
    folder, storage = check_folder(folder), importlib.import_module(network.storage)
    page = storage.page(folder.name, network)
    write(folder, *storage.described(network), network.card, page)


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
    description = files.whole_texts(json.loads(json.dumps(description, default=files.plain)))
    description["arrays"] = sorted(arrays)
    description["sha256"] = digest(description, arrays)
    with files.atomic_folder(folder) as temporary:
        files.write_json(temporary / "network.json", description)
        files.write_npz(temporary / "weights.npz", arrays)
        files.write_json(temporary / "card.json", card)
        with files.atomic_write(temporary / "card.md") as file:
            file.write(page)


def digest(description, arrays):
    """Digest of all that decides what a network computes; arrays count in the order of names."""
    told = {key: value for key, value in description.items() if key != "sha256"}
    return files.digest(told, *(array for _, array in sorted(arrays.items())))


def read_json(path):
    """Read a JSON object.

    Raises
    ------
    ModelFileError
        If it is missing or anything else.
    """
    data = DOOR.json(path)
    if not isinstance(data, dict):
        raise ModelFileError(
            f"{path}: holds a {type(data).__name__}, wanted an object: restore the file"
        )
    return data


def read_arrays(path, dtype, names=None):
    """Read a network's arrays, {name: array}, which are those of such names if these are given.

    Raises
    ------
    ModelFileError
        If the file cannot be read, has other arrays, or one is of another type or not finite.
    """
    there = sorted(npz_names(path, DOOR))
    if names is not None and there != names:
        raise ModelFileError(
            f"{path}: holds the arrays {there}, the network wants {names}: the two files belong to "
            "different networks"
        )
    stored = read_npz(path, DOOR)
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
