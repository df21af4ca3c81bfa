"""Files written whole or not at all."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np


@contextlib.contextmanager
def atomic_write(path, mode="w"):
    """Open a temporary file beside ``path`` that replaces it only on success.

    Parameters
    ----------
    path : str or Path
        The final file. Its folder is made when missing.
    mode : str
        ``"w"`` (UTF-8 text) or ``"wb"``.

    Yields
    ------
    file object
        Whatever interrupts the block (a full disk, Ctrl-C) leaves the old file as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes private files
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        _name_file(error, path, temporary)
        raise


def check_writable(folder):
    """Make a folder and try to write into it, before long work whose result goes there.

    Raises
    ------
    OSError
        Naming the folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        error.filename, error.filename2 = str(folder), None
        raise


@contextlib.contextmanager
def atomic_folder(path):
    """Yield an empty temporary folder that replaces ``path`` only on success.

    Parameters
    ----------
    path : str or Path
        The final folder. An existing one is replaced as a whole.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    old = temporary.with_name(temporary.name + ".old")
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)  # mkdtemp makes private folders
        if path.exists():
            os.replace(path, old)
        os.replace(temporary, path)
    except BaseException as error:
        if old.exists() and not path.exists():
            os.replace(old, path)
        _name_file(error, path, temporary)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _name_file(error, path, temporary):
    """Let an OSError name the file the user asked for (a full disk comes without a name)."""
    if not isinstance(error, OSError) or error.errno is None:
        return
    if error.filename is None or str(error.filename).startswith(str(temporary)):
        error.filename, error.filename2 = str(path), None


def plain(value):
    """Turn numpy values into what JSON holds."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"cannot write {type(value).__name__} {value!r} as JSON")


def fingerprint(about, *arrays):
    """What a kept result must agree with, as a digest.

    Parameters
    ----------
    about : object
        Of JSON; what is not counts as its text.
    *arrays : array
        In this order, whatever their layout in memory.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    return digest(about, *arrays)[:16]


def digest(about, *arrays):
    """All 64 hexadecimal digits of what `fingerprint` begins with."""
    found = hashlib.sha256(json.dumps(about, default=str, sort_keys=True).encode())
    for array in map(np.asarray, arrays):
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def write_json(path, data):
    """Write ``data`` as indented JSON, atomically. NaN and infinity are refused."""
    text = json.dumps(data, indent=2, default=plain, allow_nan=False)
    with atomic_write(path) as file:
        file.write(text + "\n")


def write_npz(path, **arrays):
    """Write arrays as a compressed .npz, atomically, without pickles."""
    with atomic_write(path, "wb") as file:
        np.savez_compressed(file, **arrays)


def read_npz(path):
    """Read all arrays of a .npz, {name: array}; pickles are refused.

    Damaged files raise whatever numpy, zipfile or zlib raise: catch Exception and name the file.
    """
    # np.load leaves a file that it opened itself open when the archive is damaged
    with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
