"""Files written whole or not at all."""

import contextlib
import ctypes
import errno
import glob
import hashlib
import itertools
import json
import os
import shutil
import stat
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from nengo_tactile.errors import DataError, printable

try:
    import fcntl
except ImportError:  # not a POSIX system: what killed processes leave stays
    fcntl = None  # type: ignore[assignment]

#: renameat2(2): paths from the current folder, and the flag that exchanges them.
_HERE, _EXCHANGE = -100, 2
#: Ending of a folder that is about to be replaced.
_OLD = ".old"
#: File in a temporary folder that its writer has locked.
_LOCK = ".lock"


def path_of(path: str | os.PathLike) -> Path:
    """A path that a user gave: ``~`` is home."""
    if not isinstance(path, str | os.PathLike):
        raise DataError(f"{path!r:.80} is no path: give the name of a file or folder")
    return Path(os.path.expanduser(path))


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
        Whatever interrupts the block (a full disk, Ctrl-C, a kill) leaves the old file as it was.
        What a killed process left beside it goes when the file is written again.
    """
    path = _target(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = _temporary(path, tempfile.mkstemp)
    # names of files need not be text
    text = {} if "b" in mode else {"encoding": "utf-8", "errors": "backslashreplace"}
    try:
        with os.fdopen(handle, mode, **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes private files
            os.replace(temporary, path)  # before the lock on it goes with the open file
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        _name_file(error, path, temporary)
        raise


def _target(path):
    """Where a path leads: where a link points, which stays."""
    path = path_of(path)
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def missing_folders(path):
    """The folder and those that it lies in, innermost first, as far as they are not there."""
    return list(itertools.takewhile(lambda place: not place.exists(), (path, *path.parents)))


def check_writable(folder):
    """Try to write into a folder, before long work whose result goes there.

    It may be missing, and then is so afterwards: work that fails leaves no empty folder behind.

    Raises
    ------
    OSError
        Naming the folder.
    """
    folder = _target(folder)
    missing = missing_folders(folder)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        error.filename = str(folder)
        raise
    finally:
        with contextlib.suppress(OSError):  # another process may have written there
            for place in missing:
                place.rmdir()


@contextlib.contextmanager
def atomic_folder(path):
    """Yield an empty temporary folder that replaces ``path`` only on success.

    Whoever reads ``path`` sees the old folder or the new one, also when several processes write it:
    the last one counts.

    Parameters
    ----------
    path : str or Path
        The final folder. An existing one is replaced as a whole.
    """
    path = _target(path)
    with contextlib.suppress(FileNotFoundError):  # another writer may have it in hand
        if not stat.S_ISDIR(path.stat().st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    restore_folder(path)
    handle, temporary = _temporary(path, _locked_folder)
    try:
        yield Path(temporary)
        os.chmod(temporary, 0o777 & ~_umask())  # mkdtemp makes private folders
        with _locked(path.parent):
            os.unlink(os.path.join(temporary, _LOCK))
            _swap(temporary, path)
    except BaseException as error:
        _name_file(error, path, temporary)
        raise
    finally:
        # the old folder, if the two changed places
        shutil.rmtree(temporary, ignore_errors=True)
        os.close(handle)


def restore_folder(path):
    """Put back a folder whose writer was killed between two renames.

    That can be only where the file system does not let two folders change places.

    Parameters
    ----------
    path : Path
    """
    if path.exists() or not _left(path, _OLD):
        return
    with _locked(path.parent):
        for old in _left(path, _OLD):
            if not path.exists():
                os.rename(old, path)


def _swap(temporary, path):
    """Put a folder in the place of another."""
    try:
        os.rename(temporary, path)  # where there is none, or an empty one
        return
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    if _exchange(temporary, path):
        return
    # whoever reads between two renames sees none, without `restore_folder`
    old = f"{temporary}{_OLD}"
    os.rename(path, old)
    try:
        os.rename(temporary, path)
    except BaseException:
        os.rename(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _exchange(one, other):
    """Let two folders change places at once; returns whether the system can do that."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(other))


def _temporary(path, make):
    """Make a locked temporary beside a path, and remove those that killed processes left there.

    Returns
    -------
    handle : int
        Its lock goes when this is closed, or the process ends.
    temporary : str
    """
    with _locked(path.parent):
        for left in [*_left(path), *(_left(path, _OLD) if path.exists() else [])]:
            _remove_if_left(left)
        handle, temporary = make(dir=path.parent, prefix=f".{path.name}.")
        lock(handle)
    return handle, temporary


def _left(path, ending=""):
    """Temporaries of a path, of living processes and of others."""
    random = "[a-z0-9_]" * 8  # what tempfile adds
    return sorted(path.parent.glob(f".{glob.escape(path.name)}.{random}{ending}"))


def _locked_folder(dir, prefix):
    # files in it lock it itself: see `_locked`
    folder = tempfile.mkdtemp(dir=dir, prefix=prefix)
    return os.open(os.path.join(folder, _LOCK), os.O_RDWR | os.O_CREAT), folder


def _remove_if_left(path):
    """Remove a temporary that no living process holds."""
    handle = None
    try:
        held = path / _LOCK if path.is_dir() else path
        if held.exists():
            handle = os.open(held, os.O_RDWR)
            if not lock(handle, wait=False):
                return
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    except OSError:  # of another user, or gone meanwhile
        pass
    finally:
        if handle is not None:
            os.close(handle)


@contextlib.contextmanager
def _locked(folder):
    """Keep others from making or removing temporaries in a folder meanwhile."""
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        lock(handle)
        yield
    finally:
        os.close(handle)


def lock(handle, wait=True):
    """Lock an open file or folder; returns whether it is locked (not all file systems can)."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _umask():
    umask = os.umask(0)
    os.umask(umask)
    return umask


def _name_file(error, path, temporary):
    """Let an OSError name the file the user asked for (a full disk comes without a name)."""
    if not isinstance(error, OSError) or error.errno is None:
        return
    if error.filename is None or str(error.filename).startswith(str(temporary)):
        error.filename = str(path)
        del error.filename2  # which None would be told as one


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


def whole_texts(data):
    """Plain data with half characters, of names that are not UTF-8, as numbers: none is read."""
    if isinstance(data, dict):
        return {whole_texts(key): whole_texts(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [whole_texts(value) for value in data]
    return printable(data) if isinstance(data, str) else data


def write_json(path, data):
    """Write ``data`` as indented JSON, atomically. NaN and infinity are refused."""
    text = json.dumps(whole_texts(data), indent=2, default=plain, allow_nan=False)
    with atomic_write(path) as file:
        file.write(text + "\n")


def write_npz(path, arrays, compress=True):
    """Write arrays, {name: array}, as an .npz, atomically, without pickles."""
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    # numpy.savez leaves its archive open on a full disk, which Python tells on the error stream
    with atomic_write(path, "wb") as file, zipfile.ZipFile(file, "w", method) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
