"""HDF5 files: what lies in the file itself. No library but this module opens them.

HDF5 reads other files where a file says so: external storage, external links, virtual data sets,
and plugins for filters. Links and data sets are looked at before they are followed.
"""

import contextlib
import functools
import io
import math
import mmap
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5l, h5z

from nengo_tactile.doors.archives import DEFLATE_RATIO
from nengo_tactile.doors.plain import Door
from nengo_tactile.errors import printable
from nengo_tactile.memory import check_fits, told

#: The type of texts, to write them.
TEXT = h5py.string_dtype()
#: Filters whose output is bounded; each at most once.
_FILTERS = {h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32, h5z.FILTER_LZF}
_PACKING = {h5z.FILTER_DEFLATE, h5z.FILTER_LZF}
_LAYOUTS = (h5d.COMPACT, h5d.CONTIGUOUS, h5d.CHUNKED)
#: Bytes that packed chunks may unpack to before they are looked at one by one.
_LOOKED_AT = 1 << 28
#: Texts that are read at a time.
_TEXTS = 64


#: Chunks that are unpacked at once.
_THREADS = min(os.cpu_count() or 1, 4)


@contextlib.contextmanager
def opened(source: str | Path | bytes, door: Door, name: Any = None) -> Iterator["Group"]:
    """Open an HDF5 file, or the content of one; yields its root.

    Parameters
    ----------
    source : path or bytes
    door : Door
    name : path, optional
        What errors call the file.
    """
    name = source if name is None else name
    with contextlib.ExitStack() as stack:
        stack.enter_context(door.guarded(name, "is no readable HDF5 file"))
        if isinstance(source, bytes):
            size = len(source)
            file: Any = io.BytesIO(source)
        else:
            _, size = stack.enter_context(door.opened(source))
            file = source = os.path.expanduser(source)
        opened_file = stack.enter_context(h5py.File(file, "r"))
        yield Group(opened_file, door, name, size, functools.cache(lambda: _check_heaps(source)))


def content_of(write: Callable[[h5py.File], None]) -> bytes:
    """The HDF5 file that a function writes, in memory: on a full disk HDF5 ends the process."""
    with h5py.File("memory", "w", driver="core", backing_store=False) as file:
        write(file)
        file.flush()
        return file.id.get_file_image()


class Group:
    """A group of an opened file.

    Parameters
    ----------
    group : h5py.Group
    door : Door
    name : path
        What errors call the file.
    size : int
        Bytes of the file.
    check_texts : callable
        Raises an error where texts in the file would keep HDF5 reading for ever.
    """

    def __init__(self, group, door, name, size, check_texts):
        self._group, self._door, self._file, self._size = group, door, name, size
        self._check_texts = check_texts

    @property
    def name(self) -> str:
        """Path of the group in its file."""
        return printable(str(self._group.name))

    def names(self) -> list[str]:
        """Names of what the group holds, in HDF5's order."""
        return [printable(name) for name in self._group]

    def attribute(self, key: str, default: Any = None) -> Any:
        """An attribute of the group."""
        with self._door.guarded(f"{self._file}: attribute {key!r} of {self.name!r}"):
            self._check_texts()
            return self._group.attrs.get(key, default)

    def group(self, path: str) -> "Group | None":
        """The group of that path; None where there is none."""
        found = self._follow(path)
        return Group(found, *self._told) if isinstance(found, h5py.Group) else None

    def numbers(self, path: str) -> np.ndarray:
        """An array of numbers."""
        dataset, source = self._dataset(path)
        if dataset.dtype.kind not in "biuf" or dataset.shape is None:
            raise self._door.refusal(source, f"is of type {dataset.dtype}, wanted numbers")
        with self._door.guarded(source):
            return np.asarray(dataset[()])

    def type_of(self, path: str) -> np.dtype | None:
        """Type of the array of that path; None where there is none."""
        found = self._follow(path)
        return found.dtype if isinstance(found, h5py.Dataset) else None

    def rows(self, path: str, n_rows: int) -> Iterator[np.ndarray]:
        """Read an array of numbers, or of records of numbers, by so many rows at a time."""
        dataset, source = self._dataset(path)
        fields = dataset.dtype.names
        kinds = [dataset.dtype[name] for name in fields] if fields else [dataset.dtype]
        if dataset.ndim < 1 or any(kind.kind not in "biuf" for kind in kinds):
            raise self._door.refusal(
                source, f"is of type {dataset.dtype} and shape {dataset.shape}, wanted numbers"
            )
        with self._door.guarded(source), ThreadPoolExecutor(_THREADS) as pool:
            for start in range(0, max(len(dataset), 1), n_rows):
                rows = slice(start, min(start + n_rows, len(dataset)))
                part = _side_by_side(dataset, rows, pool)
                yield np.asarray(dataset[rows]) if part is None else part

    def whole_chunks(self, path: str, n_rows: int) -> int:
        """About so many rows of an array, of whole chunks: a part of one is unpacked with the rest.

        Parameters
        ----------
        path : str
        n_rows : int
        """
        chunk = (self._dataset(path)[0].chunks or (1,))[0]
        return max(n_rows // chunk, 1) * chunk

    def holds(self, path: str) -> bool:
        """Whether there is an array of that path that is not nothing at all."""
        found = self._follow(path)
        return isinstance(found, h5py.Dataset) and found.shape is not None

    def is_text(self, path: str) -> bool:
        """Whether the array of that path holds texts."""
        dataset, source = self._dataset(path)
        with self._door.guarded(source):
            return h5py.check_string_dtype(dataset.dtype) is not None

    def text(self, path: str) -> str:
        """One text, by itself or in a row of one."""
        texts, source = self._texts(path, ((), (1,))), f"{self._file}: {printable(path)!r}"
        if not texts:
            raise self._door.refusal(source, "holds no text")
        return texts[0]

    def texts(self, path: str, columns: int = 1) -> list[str]:
        """A row of texts, or of each row of a table with so many columns one after the other."""
        return self._texts(path, ((None,) if columns == 1 else (None, columns),))

    def _texts(self, path, shapes):
        dataset, source = self._dataset(path)
        is_text = h5py.check_string_dtype(dataset.dtype) is not None
        fits = (
            dataset.shape is not None
            and len(dataset.shape) == len(shape)
            and all(wanted in (None, size) for wanted, size in zip(shape, dataset.shape))
            for shape in shapes
        )
        if not is_text or not any(fits):
            raise self._door.refusal(
                source, f"has type {dataset.dtype} and shape {dataset.shape}, wanted a row of texts"
            )
        found, length = [], 0
        with self._door.guarded(source):
            self._check_texts()
            rows = (
                dataset[start : start + _TEXTS] if dataset.shape else [dataset[()]]
                for start in range(0, len(dataset) if dataset.shape else 1, _TEXTS)
            )
            for row in rows:
                part = [bytes(text).decode() for text in np.ravel(row)]
                length += sum(map(len, part))
                if length > self._size:  # texts in a file of their own may be one and the same
                    raise self._door.refusal(source, "holds texts longer than its file")
                found += part
        return found

    @property
    def _told(self):
        return self._door, self._file, self._size, self._check_texts

    def _follow(self, path):
        """The object of a path, link by link; None where there is none."""
        found = self._group
        with self._door.guarded(f"{self._file}: {printable(path)!r}"):
            for part in filter(None, path.split("/")):
                links, key = found.id.links, part.encode()
                if not links.exists(key):
                    return None
                if links.get_info(key).type != h5l.TYPE_HARD:
                    raise self._door.refusal(
                        self._file, f"{path!r} is a link to another place or file, which is never "
                        "followed"
                    )  # fmt: skip
                found = found[part]
                if not isinstance(found, h5py.Group):
                    return found if path.rstrip("/").endswith(part) else None
        return found

    def _dataset(self, path):
        """A data set all of which lies in this file, and what errors call it."""
        source = f"{self._file}: {printable(self.name.rstrip('/') + '/' + path)!r}"
        dataset = self._follow(path)
        if not isinstance(dataset, h5py.Dataset):
            raise self._door.refusal(source, "is not there")
        with self._door.guarded(source):
            self._check(dataset, source)
        return dataset, source

    def _check(self, dataset, source):
        plan = dataset.id.get_create_plist()
        if plan.get_layout() not in _LAYOUTS or plan.get_external_count():
            raise self._door.refusal(source, "lies in another file, which is never read")
        filters = [plan.get_filter(i)[0] for i in range(plan.get_nfilters())]
        others = sorted({f for f in filters if f not in _FILTERS or filters.count(f) > 1})
        if others:
            raise self._door.refusal(source, f"is packed with filter {others[0]}, read is gzip")
        largest = math.prod(dataset.shape or ())
        if plan.get_layout() == h5d.CHUNKED:
            largest = max(largest, math.prod(plan.get_chunk())) if largest else 0
        if len(_PACKING & set(filters)) > 1:
            raise self._door.refusal(source, "is packed twice, read is gzip")
        needed = largest * dataset.id.get_type().get_size() * (dataset.shape is not None)
        held = min(dataset.id.get_storage_size(), self._size)
        if needed > held * (DEFLATE_RATIO if _PACKING & set(filters) else 1):
            raise self._door.refusal(
                source, f"declares {told(needed)} (shape {dataset.shape}), but holds {told(held)}"
            )
        check_fits(f"{source}: reading it", needed, self._door.remedy, self._door.error)
        if h5z.FILTER_DEFLATE in filters and held * DEFLATE_RATIO > _LOOKED_AT:
            self._check_chunks(dataset, filters.index(h5z.FILTER_DEFLATE), source)

    def _check_chunks(self, dataset, place, source):
        """Refuse gzip chunks that unpack to more than a chunk: HDF5 makes room for all of it."""
        chunk = math.prod(dataset.chunks) * dataset.id.get_type().get_size()
        suspect: list = []
        # what is unpacked may have a checksum of four bytes besides
        dataset.id.chunk_iter(
            lambda info: suspect.append(info) if info.size * DEFLATE_RATIO > _LOOKED_AT else None
        )
        for info in suspect:
            if info.size > self._size:
                raise self._door.refusal(source, f"a chunk says it holds {told(info.size)}")
            if info.filter_mask & 1 << place:
                continue  # is stored as it is
            _, packed = dataset.id.read_direct_chunk(info.chunk_offset)
            unpacker = zlib.decompressobj()
            unpacker.decompress(packed, chunk + 4)
            if unpacker.unconsumed_tail and unpacker.decompress(unpacker.unconsumed_tail, 1):
                raise self._door.refusal(source, f"a chunk unpacks to more than {told(chunk)}")


def _check_heaps(source):
    """Refuse heaps of texts with a free part of no bytes: HDF5 1.14 goes round in it for ever."""
    if isinstance(source, bytes):
        return _walk_heaps(source)
    read = mmap.ACCESS_READ
    with open(source, "rb") as file, mmap.mmap(file.fileno(), 0, access=read) as content:
        return _walk_heaps(content)


def _walk_heaps(content):
    # HDF5 file format 3.0, III.E: signature, version, size; then objects, each index, size, data
    start = -1
    while (start := content.find(b"GCOL\1\0\0\0", start + 1)) >= 0:
        if start + 16 > len(content):
            return
        end = min(start + struct.unpack_from("<Q", content, start + 8)[0], len(content))
        place = start + 16
        while place + 16 <= end:
            index, size = struct.unpack_from("<H6xQ", content, place)
            if not index and not size:
                raise ValueError(f"the heap of texts at byte {start} is damaged at byte {place}")
            place += size if not index else 16 + (size + 7) // 8 * 8


def _side_by_side(dataset, rows, pool):
    """Rows of plain gzipped numbers, their chunks unpacked at once; None where HDF5 has to do it.

    That is for all that is not as it nearly always is, damage too, of which HDF5 speaks itself.
    """
    if dataset.ndim != 1 or not dataset.chunks or dataset.dtype.kind not in "iuf":
        return None
    plan, kind, (chunk,) = dataset.id.get_create_plist(), dataset.id.get_type(), dataset.chunks
    filters = [plan.get_filter(i)[0] for i in range(plan.get_nfilters())]
    whole = kind.get_size() == dataset.dtype.itemsize == kind.get_precision() / 8
    if filters != [h5z.FILTER_DEFLATE] or not whole or rows.start % chunk:
        return None
    n_bytes = chunk * dataset.dtype.itemsize

    def unpacked(packed):
        unpacker = zlib.decompressobj()
        return unpacker.decompress(packed, n_bytes), unpacker.eof

    try:
        stored = [dataset.id.read_direct_chunk((at,)) for at in range(rows.start, rows.stop, chunk)]
        if any(skipped for skipped, _ in stored):
            return None
        parts = list(pool.map(unpacked, [packed for _, packed in stored]))
    except (OSError, RuntimeError, ValueError, KeyError, zlib.error):
        return None
    if any(len(part) != n_bytes or not ended for part, ended in parts):
        return None
    values = np.frombuffer(b"".join(part for part, _ in parts), dataset.dtype)
    return values[: rows.stop - rows.start]
