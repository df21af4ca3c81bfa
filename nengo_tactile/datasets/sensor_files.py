"""Recordings of event cameras in their own formats, through libraries that are kept.

Each opener yields a `Sensor`: its size, and parts of the recording, {x, y, t in microseconds, p}.
RAW (EVT 2.0, 3.0), DAT and AEDAT4 (`aedat4.py`) are read by faery, ROS bags by rosbags
(`ros_bags.py`); both are optional.
"""

import contextlib
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nengo_tactile.doors.plain import DATA
from nengo_tactile.errors import DataError, StackError

#: What is installed for sensors' formats.
EXTRA = "pip install 'nengo-tactile[sensors]'"
#: Lines of a file's header at most, and bytes of each.
_MOST_LINES, _LONGEST_LINE = 1000, 1 << 16


class Sensor(NamedTuple):
    """A recording of a camera.

    Attributes
    ----------
    size : (int, int)
    parts : iterator of {name: (n,) array}
        x, y, t in microseconds, p.
    """

    size: tuple[int, int]
    parts: Iterator[dict[str, np.ndarray]]


def library(name: str, what: str) -> Any:
    """An optional library, or how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.split(".")[0]
        raise StackError(f"{what} is read by {package}, which is not here: {EXTRA}") from error


@contextlib.contextmanager
def opened_raw(path: Path, size: tuple[int, int] | None) -> Iterator[Sensor]:
    """Open a RAW file of Prophesee's (EVT 2.0, 3.0)."""
    with DATA.opened(path) as (file, _):
        header = _header(file, path)
        version = _evt_version(header, path)
        size = agreed(_geometry(header), size, path)
        yield Sensor(size, _faery(file, path, "evt", version, size))


@contextlib.contextmanager
def opened_dat(path: Path, size: tuple[int, int] | None) -> Iterator[Sensor]:
    """Open a DAT file of Prophesee's."""
    with DATA.opened(path) as (file, _):
        header = _header(file, path)
        size = agreed(_geometry(header), size, path)
        yield Sensor(size, _faery(file, path, "dat", None, size))


def _header(file, path):
    """Lines of text that begin with "%"; the file is where it was."""
    lines = []
    while len(lines) < _MOST_LINES:
        line = file.readline(_LONGEST_LINE)
        if not line.startswith(b"%"):
            break
        lines.append(line[1:].decode("ascii", "replace").strip())
        if lines[-1] == "end":
            break
    file.seek(0)
    if not lines:
        raise DATA.refusal(path, "has no header of lines that begin with %")
    return lines


def _evt_version(header, path):
    """What faery calls the version that a RAW file names."""
    text = "\n".join(header)
    found = re.search(r"^(?:evt |format EVT)([\d.]+)", text, re.M)
    version = found[1].removesuffix(".0") if found else "none"
    if version not in ("2", "3"):
        raise DataError(
            f"{path}: its header says EVT version {version}, read are 2.0 and 3.0: convert it"
        )
    return f"evt{version}"


def _geometry(header):
    """(width, height) of a header; None where it has none."""
    text = "\n".join(header)
    for pattern in (
        r"^geometry (\d{1,5})x(\d{1,5})$",
        r"^format .*width=(\d{1,5});height=(\d{1,5})",
        r"(?s)^Width (\d{1,5})$.*^Height (\d{1,5})$",
    ):
        if found := re.search(pattern, text, re.M):
            return int(found[1]), int(found[2])
    return None


def agreed(
    found: tuple[int, int] | None, size: tuple[int, int] | None, path: Any
) -> tuple[int, int]:
    """A sensor's size, by its file or its user; refused where they differ, or neither says it."""
    if found is None and size is None:
        raise DataError(
            f"{path}: does not say how large its sensor is: give sensor_size=(width, height)"
        )
    if found is not None and size is not None and tuple(found) != tuple(size):
        raise DataError(
            f"{path}: is of a sensor of {found[0]} x {found[1]} pixels, wanted {size[0]} x "
            f"{size[1]}: give recordings of one sensor, or its own sensor_size"
        )
    return found or size  # type: ignore[return-value]


def _faery(file, path, kind, version, size):
    """Parts of an open file."""
    faery = library("faery", f"{path}: this format")
    with _no_panic(path):
        stream = faery.events_stream_from_file(
            f"/dev/fd/{file.fileno()}",
            file_type=kind,
            dimensions_fallback=size,
            version_fallback=version,
        )
        for part in stream:
            yield {name: part[name] for name in "xytp"}


@contextlib.contextmanager
def _no_panic(path):
    """What faery raises, also in Rust, becomes an error of ours."""
    try:
        with DATA.guarded(path):
            yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise DATA.refusal(path, f"cannot be read ({str(error)[:200]})") from error
