"""Zip archives, and the arrays of .npy and .npz files. Pickles are refused."""

import contextlib
import math
import os
import struct
import sys
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nengo_tactile.doors.plain import DATA, Door
from nengo_tactile.memory import check_fits, told

#: What a byte unpacks to at most with DEFLATE: two bits stand for 258 bytes.
DEFLATE_RATIO = 1032
#: Others unpack to anything.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BLOCK = 1 << 20
#: The end of an archive: its signature, and how many members there are (APPNOTE.TXT, 4.3.16).
_END = struct.Struct("<4s6xH10x")
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


@contextlib.contextmanager
def opened_zip(path: str | Path, door: Door) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive."""
    guarded = door.guarded(path, "is no readable zip archive")
    with door.opened(path) as (file, _), guarded, zipfile.ZipFile(file) as archive:
        check_count(archive, path, door)
        yield archive


def check_count(archive: zipfile.ZipFile, path: Any, door: Door) -> None:
    """Refuse an archive whose directory lists more or fewer members than it counts.

    Where a length in it is damaged, Python passes over what follows.
    """
    file: Any = archive.fp
    file.seek(-(_END.size + len(archive.comment)), os.SEEK_END)
    signature, count = _END.unpack(file.read(_END.size))
    n_members = len(archive.infolist())
    # archives of more than it can say have a number of all ones, or the number's last 16 bits
    if signature == b"PK\5\6" and count not in (0xFFFF, n_members & 0xFFFF):
        raise door.refusal(path, f"lists {n_members} members and counts {count}")


def is_zip(path: str | Path, door: Door) -> bool:
    """Whether a file is a zip archive."""
    with door.opened(path) as (file, _), door.guarded(path):
        return zipfile.is_zipfile(file)


def check_member(info: zipfile.ZipInfo, source: Any, door: Door, whole: bool = True) -> None:
    """Refuse a member whose size cannot be true, or that is packed in a way that has no bounds.

    And one that does not fit memory, unless it is read in parts (``whole`` is False).
    """
    if info.flag_bits & 1:
        raise door.refusal(source, "is encrypted")
    if info.compress_type not in _METHODS:
        raise door.refusal(
            source, f"is packed with method {info.compress_type}, read are stored and DEFLATE"
        )
    if info.file_size > DEFLATE_RATIO * (info.compress_size + 1):
        raise door.refusal(
            source, f"says it unpacks to {told(info.file_size)}, of {told(info.compress_size)}"
        )
    if whole:
        check_fits(f"{source}: unpacking it", info.file_size, door.remedy, door.error)


def member_content(
    archive: zipfile.ZipFile,
    member: str | zipfile.ZipInfo,
    path: Any,
    door: Door,
    most: int | None = None,
) -> bytes:
    """Bytes of a member, its checksum verified; no more of them than its directory says."""
    source = f"{path}:{getattr(member, 'filename', member)}"
    with door.guarded(source, "is damaged"):
        if isinstance(member, str) and member not in archive.namelist():
            raise door.refusal(path, f"has no member {member!r}")
        info = archive.getinfo(member) if isinstance(member, str) else member
        check_member(info, source, door)
        if most is not None and info.file_size > most:
            raise door.refusal(source, f"holds {told(info.file_size)}, wanted at most {told(most)}")
        with archive.open(info) as opened:
            return opened.read(info.file_size + 1)  # without a number it would unpack it all


def npz_names(path: str | Path, door: Door) -> list[str]:
    """Names of the arrays of an .npz."""
    with opened_zip(path, door) as archive:
        return list(_arrays_in(archive, path, door))


def read_npz(
    path: str | Path, door: Door = DATA, names: Collection[str] | None = None
) -> dict[str, np.ndarray]:
    """Read arrays of an .npz: those of such names that are there, or all.

    Raises
    ------
    TactileError
        The door's, for anything that is no such file, and for arrays that are damaged, pickled or
        larger than what there is.
    """
    with opened_zip(path, door) as archive:
        infos = _arrays_in(archive, path, door)
        infos = {k: info for k, info in infos.items() if names is None or k in names}
        size = sum(info.file_size for info in infos.values())
        check_fits(f"{path}: reading its arrays", size, door.remedy, door.error)
        found = {}
        for name, info in infos.items():
            source = f"{path}: array {name!r}"
            check_member(info, source, door)
            with door.guarded(source, "is damaged"), archive.open(info) as member:
                found[name] = _array(member, info.file_size, source, door)
        return found


def read_npy(path: str | Path, door: Door) -> np.ndarray:
    """Read the array of an .npy."""
    with door.opened(path) as (file, size), door.guarded(path, "is no readable array"):
        check_fits(f"{path}: reading it", size, door.remedy, door.error)
        return _array(file, size, path, door)


def npy_parts(path: str | Path, door: Door, n_rows: int) -> Iterator[np.ndarray]:
    """Read the array of an .npy by so many rows at a time; whole if it is stored by columns."""
    with door.opened(path) as (file, size), door.guarded(path, "is no readable array"):
        yield from _parts(file, size, path, door, n_rows)


def npz_parts(
    path: str | Path, door: Door, n_rows: int, names: Collection[str]
) -> Iterator[dict[str, np.ndarray]]:
    """Read arrays of an .npz side by side, by so many rows at a time.

    Yields
    ------
    dict of str to array
        Those that have not ended yet.
    """
    with contextlib.ExitStack() as stack:
        archive = stack.enter_context(opened_zip(path, door))
        infos, parts = _arrays_in(archive, path, door), {}
        for name in names:
            source = f"{path}: array {name!r}"
            check_member(infos[name], source, door, whole=False)
            with door.guarded(source, "is damaged"):
                member = stack.enter_context(archive.open(infos[name]))
            parts[name] = _parts(member, infos[name].file_size, source, door, n_rows)
        while parts:
            rows = {}
            for name, part in parts.items():
                with door.guarded(f"{path}: array {name!r}", "is damaged"):
                    rows[name] = next(part, None)
            rows = {name: row for name, row in rows.items() if row is not None}
            parts = {name: parts[name] for name in rows}
            if rows:
                yield rows


def _parts(stream: Any, size, source, door, n_rows):
    """An opened .npy by so many rows at a time; whole if it is stored by columns."""
    shape, by_columns, dtype = _header(stream, size, source, door)
    if not shape or (by_columns and len(shape) > 1):
        check_fits(f"{source}: reading it", size, door.remedy, door.error)
        yield _filled(stream, shape, by_columns, dtype, source, door)
        return
    for start in range(0, max(shape[0], 1), n_rows):
        part = (min(n_rows, shape[0] - start), *shape[1:])
        yield _filled(stream, part, False, dtype, source, door, start + n_rows >= shape[0])


def _arrays_in(archive, path, door):
    """Members by the names of their arrays."""
    found = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name == info.filename or name in found:
            how = "no array" if name == info.filename else "there twice"
            raise door.refusal(path, f"member {info.filename!r} is {how}")
        found[name] = info
    return found


def _array(stream: Any, size, source, door):
    """The array of an opened .npy of so many bytes."""
    shape, by_columns, dtype = _header(stream, size, source, door)
    return _filled(stream, shape, by_columns, dtype, source, door)


def _header(stream: Any, size, source, door):
    """Shape, whether stored by columns, and type, as far as they agree with the bytes there are."""
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise door.refusal(source, f"has a header of version {version}")
    shape, by_columns, dtype = _HEADERS[version](stream)
    if dtype.hasobject:
        raise door.refusal(source, "holds pickled objects, which are never read")
    held, declared = size - stream.tell(), math.prod(shape) * dtype.itemsize
    if declared != held or min(shape, default=0) < 0 or dtype.subdtype:
        raise door.refusal(
            source, f"declares {dtype} of shape {shape}, {told(declared)}, but holds {told(held)}"
        )
    return shape, by_columns, dtype


def _filled(stream: Any, shape, by_columns, dtype, source, door, last=True):
    """An array of the bytes that come next; the ``last`` has none after it."""
    array = np.empty(math.prod(shape), dtype)
    view = array.view(np.uint8).data if dtype.itemsize else memoryview(b"")
    place, declared = 0, array.nbytes
    while place < declared:
        n_read = stream.readinto(view[place : place + _BLOCK])
        if not n_read:
            raise door.refusal(source, f"ends after {place:,} of {declared:,} bytes")
        place += n_read
    if last and stream.read(1):
        raise door.refusal(source, "goes on after its array")
    if dtype.kind == "U" and array.view(dtype.byteorder + "u4").max(initial=0) > sys.maxunicode:
        raise door.refusal(source, "holds texts of characters that do not exist")
    return array.reshape(shape[::-1]).T if by_columns else array.reshape(shape)
