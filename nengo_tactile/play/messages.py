"""What a page may say to the server: JSON objects, each checked before anything is done."""

import base64
import binascii
import dataclasses
import json
import re
from typing import Any, ClassVar

import numpy as np

from nengo_tactile.errors import DataError

#: A message is no longer, in bytes: a saved recording fits, and no page sends more.
MOST_BYTES = 1 << 20
#: Points of one message: those of a frame are a few.
MOST_POINTS = 512
#: Steps that an image may be shown for.
MOST_STEPS = 500
#: A folder's name on every system.
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,40}")
#: A page's clock starts with a recording, in milliseconds.
_MOST_MS = 1e6


@dataclasses.dataclass(frozen=True)
class Choice:
    """A network, and how it is to run.

    Attributes
    ----------
    name : str
    neuron : str
        A name of `NEURONS`; "" for the network's own.
    n_steps : int
        That each image is shown for; 0 for the network's own.
    engine : str
        "" for the first that takes it.
    """

    name: str
    neuron: str = ""
    n_steps: int = 0
    engine: str = ""


@dataclasses.dataclass(frozen=True)
class Choose:
    """A network is wanted, and nothing of it yet.

    Attributes
    ----------
    network : Choice
    """

    kind: ClassVar = "choose"

    network: Choice


@dataclasses.dataclass(frozen=True)
class Begin:
    """A new recording by hand, on a skin of such noise and dead taxels.

    Attributes
    ----------
    network : Choice
    noise : float
        Stray messages per second and taxel.
    dead : float
        Share of taxels that send nothing.
    seed : int
    """

    kind: ClassVar = "begin"

    network: Choice
    noise: float
    dead: float
    seed: int


@dataclasses.dataclass(frozen=True)
class Sample:
    """A new recording: a sample of a data set, by number.

    Attributes
    ----------
    network : Choice
    source : str
        The data set.
    number : int
    """

    kind: ClassVar = "sample"

    network: Choice
    source: str
    number: int


@dataclasses.dataclass(frozen=True)
class Load:
    """A new recording: a file that was saved before.

    Attributes
    ----------
    network : Choice
    name : str
        Its ending says the format.
    content : bytes
    """

    kind: ClassVar = "load"

    network: Choice
    name: str
    content: bytes


@dataclasses.dataclass(frozen=True)
class Touch:
    """Time goes on, and this touched the skin meanwhile.

    Attributes
    ----------
    until_us : float
    points : (n_points, 4) float array
        Microseconds; column and row in taxel pitches; pressure, 0 where the pen is lifted.
    """

    kind: ClassVar = "touch"

    until_us: float
    points: np.ndarray


@dataclasses.dataclass(frozen=True)
class Save:
    """The events so far are wanted as a file.

    Attributes
    ----------
    ending : str
        One of `nengo_tactile.play.files.WRITERS`.
    """

    kind: ClassVar = "save"

    ending: str


@dataclasses.dataclass(frozen=True)
class Keep:
    """The events so far are to become a sample of the data set that is being made.

    Attributes
    ----------
    label : str
    """

    kind: ClassVar = "keep"

    label: str


def parse(text: str) -> Choose | Begin | Sample | Load | Touch | Save | Keep:
    """Read a message.

    Parameters
    ----------
    text : str

    Raises
    ------
    DataError
        For what is none of these, with what is wrong.
    """
    if len(text) > MOST_BYTES:
        raise DataError(f"the message has {len(text):,} characters: at most {MOST_BYTES:,}")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError("the message is no JSON") from error
    if not isinstance(message, dict):
        raise DataError("the message is no JSON object")
    kind = message.pop("type", None)
    if not isinstance(kind, str) or kind not in _READERS:
        raise DataError(f"the message's type is {kind!r:.50}: give one of {', '.join(_READERS)}")
    names, read = _READERS[kind]
    if set(message) != set(names):
        raise DataError(f"a message {kind!r} has {', '.join(names) or 'nothing'}, and nothing else")
    return read(*(message[name] for name in names))


def _begin(network, noise, dead, seed):
    return Begin(
        _choice(network),
        _number("noise", noise, 1000),
        _number("dead", dead, 1),
        _whole("seed", seed, 2**32),
    )


def _choice(value):
    names = [field.name for field in dataclasses.fields(Choice)]
    if not isinstance(value, dict) or set(value) != set(names):
        raise DataError(f"network has to be an object of {', '.join(names)}, and nothing else")
    neuron, engine = (_text(name, value[name], 40) for name in ("neuron", "engine"))
    n_steps = _whole("n_steps", value["n_steps"], MOST_STEPS + 1)
    return Choice(_text("network", value["name"], 4096), neuron, n_steps, engine)


def _sample(network, source, number):
    return Sample(_choice(network), _text("source", source, 40), _whole("number", number, 100_000))


def _save(ending):
    return Save(_text("ending", ending, 8))


def _keep(label):
    if not isinstance(label, str) or not _LABEL.fullmatch(label):
        raise DataError(
            f"the label is {label!r:.60}: give 1 to 40 letters, digits, hyphens and underscores"
        )
    return Keep(label)


def _load(network, name, content):
    choice, name = _choice(network), _text("name", name, 255)
    if not isinstance(content, str):
        raise DataError("content has to be a file in base64")
    try:
        return Load(choice, name, base64.b64decode(content, validate=True))
    except (binascii.Error, ValueError) as error:
        raise DataError("content has to be a file in base64") from error


def _touch(until, points):
    if not isinstance(points, list) or len(points) > MOST_POINTS:
        raise DataError(f"points has to be a list of at most {MOST_POINTS}")
    rows = []
    for point in points:
        if not isinstance(point, list) or len(point) != 4:
            raise DataError("a point has to be [milliseconds, column, row, pressure]")
        t, *place, pressure = point
        # a finger may leave the skin: nothing is felt there
        column, row = (_number("a place", value, 100, -100) for value in place)
        rows.append(
            (_number("a time", t, _MOST_MS) * 1e3, column, row, _number("pressure", pressure, 10))
        )
    return Touch(_number("until", until, _MOST_MS) * 1e3, np.array(rows).reshape(-1, 4))


def _text(name, value, most):
    if not isinstance(value, str) or len(value) > most:
        raise DataError(f"{name} has to be a text of at most {most} characters")
    return value


def _number(name, value, most, least=0.0):
    fine = isinstance(value, int | float) and not isinstance(value, bool)
    if not fine or not least <= value <= most:  # neither is what is not finite
        raise DataError(f"{name} is {value!r:.50}: give a number from {least:g} to {most:g}")
    return float(value)


def _whole(name, value, most):
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < most:
        raise DataError(f"{name} is {value!r:.50}: give a whole number from 0, below {most}")
    return value


#: By type: what a message has besides, and what reads that.
_READERS: dict[str, tuple[tuple[str, ...], Any]] = {
    "choose": (("network",), lambda network: Choose(_choice(network))),
    "begin": (("network", "noise", "dead", "seed"), _begin),
    "sample": (("network", "source", "number"), _sample),
    "load": (("network", "name", "content"), _load),
    "touch": (("until", "points"), _touch),
    "save": (("ending",), _save),
    "keep": (("label",), _keep),
}
