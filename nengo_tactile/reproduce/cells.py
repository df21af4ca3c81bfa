"""Runs over many images whose sums are kept in a file, so that an interrupted one goes on."""

import dataclasses
import json
import time

from nengo_tactile import files
from nengo_tactile.engines.event import stream
from nengo_tactile.errors import ModelFileError
from nengo_tactile.progress import track
from nengo_tactile.saved import load


def fingerprint(model, data, settings):
    """What a cell's file must agree with: weights, images and settings, as a digest.

    Parameters
    ----------
    model : tf.keras.Model
    data : resnet_cells.Data
    settings : object
        Of JSON.

    Returns
    -------
    str
    """
    return files.fingerprint([model.to_json(), settings, data.mark], *model.get_weights())


def stored(path, mark, key="fingerprint"):
    """What a cell's file holds, None without one.

    Parameters
    ----------
    path : Path
    mark : object
        What it must agree with.
    key : str
        Where the file says what it comes from.

    Returns
    -------
    dict or None

    Raises
    ------
    ModelFileError
        If it is no such file, or comes from something else.
    """
    if not path.exists():
        return None
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        found = state[key]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelFileError(
            f"{path}: not a result of this command ({error}): delete it to run it again"
        ) from error
    if found != mark:
        raise ModelFileError(
            f"{path}: comes from other settings, weights or samples: choose another --out folder, "
            "or delete it"
        )
    return state


def kept_network(place, mark, make, card):
    """A spiking network from its folder, made and saved there if it is not yet.

    Parameters
    ----------
    place : Path
    mark : str
        The network's fingerprint.
    make : callable
        Without arguments; returns the network.
    card : dict
        What its card says besides.

    Returns
    -------
    SpikingNetwork
    """
    if (place / "network.json").is_file():
        spiking = load(place)
        if spiking.card.get("fingerprint") == mark:
            return spiking
    spiking = dataclasses.replace(make(), card={**card, "fingerprint": mark})
    spiking.save(place)
    return spiking


def recordings(spiking, x, n_steps, starts, state, description, progress=None):
    """Show images to a network, minibatch by minibatch; the time goes to ``state["seconds"]``.

    Parameters
    ----------
    spiking : SpikingNetwork
    x : (n, ...) array
        All images.
    n_steps : int
    starts : range
        First images of the minibatches; it stops behind the last image.
    state : dict
    description : str
        For the progress bar.
    progress : bool, optional

    Yields
    ------
    slice, Recording
        Which images, and what they did.
    """
    began = time.monotonic()
    played = stream(spiking, x[starts.start : starts.stop], n_steps, starts.step, progress=False)
    for start in track(starts, description, progress=progress):
        recording = next(played)
        state["seconds"] += time.monotonic() - began
        yield slice(start, min(start + starts.step, starts.stop)), recording
        began = time.monotonic()
    played.close()
