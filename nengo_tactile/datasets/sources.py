"""Where recordings lie: folders, zip archives and npz files, opened with care."""

import os
import stat
import zipfile
from pathlib import Path, PurePosixPath

from nengo_tactile.datasets.matfile import MAX_BYTES
from nengo_tactile.doors import archives
from nengo_tactile.doors.plain import DATA
from nengo_tactile.errors import DataError
from nengo_tactile.files import path_of

DATA_VARIABLE = "NENGO_TACTILE_DATA"

# Left behind by archivers and file managers, never recordings.
_LITTER_FOLDERS = {"__MACOSX"}
_LITTER_PREFIX = "."


def data_root(save_to=None, what=""):
    """Return the folder (or file) where recordings are looked for.

    Parameters
    ----------
    save_to : str or Path, optional
        A folder or file; without it the environment variable NENGO_TACTILE_DATA counts.
    what : str
        What is looked for, for the error.

    Raises
    ------
    DataError
        When neither is given or the place does not exist.
    """
    origin, prefix = "the place given for recordings", f"{what}: " if what else ""
    if save_to is None:
        save_to, origin = os.environ.get(DATA_VARIABLE), f"environment variable {DATA_VARIABLE}"
        if not save_to:
            raise DataError(
                f"{prefix}no place for recordings given: pass their folder (--data-dir) or set "
                f"{DATA_VARIABLE}"
            )
    path = path_of(save_to)
    if not path.exists():
        raise DataError(f"{path} does not exist ({origin}): give the folder of the recordings")
    return path


def locate(save_to, candidates, what, remedy, accept=Path.exists):
    """Find a data set below a folder.

    Parameters
    ----------
    save_to : str, Path or None
        A file (taken as it is), a folder, or None for NENGO_TACTILE_DATA.
    candidates : sequence of str
        Relative paths, tried in this order.
    what : str
        Name of the data set, for the error.
    remedy : str
        How to get the data, for the error.
    accept : callable
        Whether a candidate path is the data set.

    Returns
    -------
    Path

    Raises
    ------
    DataError
        When no candidate is there; the message lists each.
    """
    first = next((Path(candidate).name for candidate in candidates if candidate), "")
    root = data_root(save_to, f"{what} ({first})" if first else what)
    if root.is_file():
        return root
    paths = [root / candidate if candidate else root for candidate in candidates]
    for path in paths:
        if accept(path):
            return path
    looked = "".join(f"\n  {path}" for path in paths)
    raise DataError(f"{what} was not found. Looked for:{looked}\n{remedy}")


def _is_litter(name):
    parts = PurePosixPath(name).parts
    return parts[0] in _LITTER_FOLDERS or any(part.startswith(_LITTER_PREFIX) for part in parts)


def _raise(error):
    raise error  # os.walk would skip the folder silently


class FolderSource:
    """The files below a folder, by their relative posix names.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    DataError
        For folders that cannot be listed and links that lead nowhere.
    """

    def __init__(self, path):
        self.path = path_of(path)
        self._stamps = {}
        visited = set()
        try:
            for folder, subfolders, files in os.walk(self.path, onerror=_raise, followlinks=True):
                visited.add(os.path.realpath(folder))
                # links are followed, but never in a circle
                subfolders[:] = sorted(
                    name
                    for name in subfolders
                    if os.path.realpath(os.path.join(folder, name)) not in visited
                )
                for file in sorted(files):
                    full = Path(folder, file)
                    name = full.relative_to(self.path).as_posix()
                    if not _is_litter(name):
                        status = full.stat()
                        self._stamps[name] = (status.st_size, status.st_mtime_ns)
        except OSError as error:
            raise DataError(
                f"{self.path} cannot be listed ({error}): check links and permissions"
            ) from error

    @property
    def names(self):
        """Names of all files, sorted folder by folder."""
        return list(self._stamps)

    def describe(self, name):
        """The file's name as errors show it."""
        return str(self.path / name)

    def stamps(self, names):
        """Size and modification time of ``names``, as plain tuples."""
        return [(name, *self._stamps[name]) for name in names]

    def read(self, name):
        """Return the bytes of a file."""
        return DATA.content(self.path / name, MAX_BYTES)


class ZipSource:
    """The members of a zip archive, read without extracting them.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    DataError
        When the file is no zip archive, is damaged, encrypted, holds two members of one name,
        or a member whose path leaves the archive's folder.
    """

    def __init__(self, path):
        self.path = path_of(path)
        self._archive, self._process = None, None
        self._members = {}
        for info in self._open().infolist():
            name = _safe_member_name(info, self.path)
            if info.is_dir() or _is_litter(name):
                # passed over only if that is its name: the member itself has it too
                with DATA.guarded(f"{self.path}:{name}", "is damaged"):
                    self._open().open(info).close()
                continue
            if name in self._members:
                raise DataError(f"{self.path}: member {name!r} is there twice: get the zip afresh")
            if info.flag_bits & 1:
                raise DataError(f"{self.path}: member {name!r} is encrypted: unpack it by hand")
            self._members[name] = info

    def __getstate__(self):
        # an open file neither pickles nor survives a fork of a data loader
        return {**self.__dict__, "_archive": None, "_process": None}

    def _open(self):
        if self._archive is None or self._process != os.getpid():
            with DATA.opened(self.path), DATA.guarded(self.path, "is no readable zip archive"):
                self._archive = zipfile.ZipFile(self.path)
                archives.check_count(self._archive, self.path, DATA)
            self._process = os.getpid()
        return self._archive

    def close(self):
        """Close the archive; it opens again when read."""
        if self._archive is not None:
            self._archive.close()
            self._archive = None

    def __del__(self):
        if getattr(self, "_archive", None) is not None:
            self._archive.close()

    @property
    def names(self):
        """Names of all members that are files, in a fixed order."""
        return sorted(self._members)

    def describe(self, name):
        """The member's name as errors show it."""
        return f"{self.path}:{name}"

    def stamps(self, names):
        """Size and modification time of the archive, size and checksum of ``names``."""
        status = self.path.stat()
        members = [(name, self._members[name].file_size, self._members[name].CRC) for name in names]
        return [("", status.st_size, status.st_mtime_ns), *members]

    def read(self, name):
        """Return the bytes of a member, its checksum verified."""
        return archives.member_content(
            self._open(), self._members[name], self.path, DATA, MAX_BYTES
        )


def _safe_member_name(info, archive):
    """Return the member's posix name, or say that it would leave its folder or is damaged."""
    if "\0" in info.orig_filename:  # where Python ends the name
        raise DataError(f"{archive}: member {info.orig_filename!r} is damaged: get the zip afresh")
    name = info.filename.replace("\\", "/")
    parts = PurePosixPath(name).parts
    is_link = stat.S_ISLNK(info.external_attr >> 16)
    if not parts or name.startswith("/") or ".." in parts or ":" in parts[0] or is_link:
        raise DataError(
            f"{archive}: member {info.filename!r} points outside its folder: do not unpack "
            "this archive, get it from its authors"
        )
    return PurePosixPath(name).as_posix()


def open_source(path):
    """Return a `FolderSource` or a `ZipSource`, whatever ``path`` is.

    Raises
    ------
    DataError
        When it is neither a folder nor a zip archive.
    """
    path = path_of(path)
    if path.is_dir():
        return FolderSource(path)
    if not path.exists():
        raise DataError(f"{path} does not exist: give a folder or a zip archive")
    return ZipSource(path)


def read_npz(path, wanted):
    """Read named arrays of an npz file, never running code from it.

    Parameters
    ----------
    path : str or Path
    wanted : dict of str to (kinds, ndim)
        Per array, the allowed ``dtype.kind`` characters and the number of dimensions.

    Returns
    -------
    dict of str to array

    Raises
    ------
    DataError
        When the file is no npz, lacks an array, or holds it pickled, damaged, of another type
        or with another number of dimensions.
    """
    path = path_of(path)
    present = archives.npz_names(path, DATA)
    for key in wanted:
        if key not in present:
            raise DataError(f"{path} has no array {key!r}, only {present}: give another .npz")
    arrays = archives.read_npz(path, DATA, wanted)
    for key, (kinds, ndim) in wanted.items():
        array = arrays[key]
        if array.dtype.kind not in kinds or array.ndim != ndim:
            raise DataError(
                f"{path}: array {key!r} has type {array.dtype} and shape {array.shape}, wanted "
                f"{ndim} dimensions of kind {' or '.join(kinds)}"
            )
    return arrays


def require_below(values, limit, source, what="label"):
    """Raise `DataError` for the first of ``values``, (n,) of int, that is not 0 to limit - 1."""
    wrong = (values < 0) | (values >= limit)
    if wrong.any():
        first = int(wrong.argmax())
        raise DataError(
            f"{source}: {what} {first} is {values[first]}, wanted 0 to {limit - 1}: get the file "
            "afresh"
        )


def require_split(split, allowed=("train", "test")):
    """Return ``split`` when it is one of ``allowed``, else raise `DataError`."""
    if split not in allowed:
        raise DataError(f"split is {split!r}, wanted one of {', '.join(map(repr, allowed))}")
    return split
