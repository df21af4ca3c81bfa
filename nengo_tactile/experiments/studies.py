"""A study's folder: what it is a study of, what all of it agrees on, whose turn a cell is.

``study.json`` names the study and holds digests of the package, weights and data that it began
with; ``cells/`` the results, each a file that `nengo_tactile.experiments.ledgers` reads;
``locks/`` a file for each cell, locked by the process that works on it. Locks are the operating
system's: a process that is killed leaves none behind.
"""

import contextlib
import fcntl
import functools
import hashlib
import shutil
from pathlib import Path

import nengo_tactile
from nengo_tactile import files
from nengo_tactile.doors.plain import Door
from nengo_tactile.errors import DataError, ModelFileError
from nengo_tactile.files import path_of

FORMAT = 1


class Study:
    """The folder of a study; as a context one that leaves nothing where no cell has a result.

    Parameters
    ----------
    folder : path
    name : str
        Of the study: "reproduce sigma-delta".

    Raises
    ------
    ModelFileError
        If the folder holds another study, or results of another version.
    """

    def __init__(self, folder, name):
        self.folder, self.name = path_of(folder), name
        self._made = files.missing_folders(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        files.check_writable(self.folder)
        found = self._read()
        if found["study"] != name:
            raise ModelFileError(
                f"{self.folder}: holds the study {found['study']!r}, wanted {name!r}: choose "
                "another --out folder"
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Remove what is there without any result, unless another process works here."""
        own = {"study.json", "results.json", "locks"}
        if {path.name for path in self.folder.iterdir()} - own:
            return
        locks = self.folder / "locks"
        with contextlib.ExitStack() as turns:
            keys = [path.stem for path in locks.glob("*.lock")]
            if all(turns.enter_context(self.turn(key, wait=False)) for key in keys):
                shutil.rmtree(locks, ignore_errors=True)
                for name in own - {"locks"}:
                    (self.folder / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # another process may have begun
            for folder in self._made:
                folder.rmdir()

    @property
    def _path(self):
        return self.folder / "study.json"

    def _read(self):
        fresh = {"format": FORMAT, "study": self.name, "digests": {}}
        if not self._path.exists():
            return fresh
        door = Door(ModelFileError, "delete it to go on with the cells that are there")
        with door.guarded(self._path, "damaged"):
            found = door.json(self._path)
            sound = set(found) == set(fresh) and found["format"] == FORMAT
            sound = sound and all(isinstance(d, str) for d in found["digests"].values())
        if not sound:
            raise door.refusal(self._path, "damaged, or of another version of this package")
        return found

    def agree(self, what, digest):
        """Refuse to go on with other weights, data or another version than the study began with.

        Parameters
        ----------
        what : str
            "package", "weights mnist-deltacnn", "data mnist".
        digest : str
            What is here. The first process writes it down.

        Raises
        ------
        ModelFileError
        """
        with self.turn("study"):
            found = self._read()
            if what not in found["digests"]:
                found["digests"][what] = digest
                files.write_json(self._path, found)
        if found["digests"][what] != digest:
            raise ModelFileError(
                f"{self._path}: this study began with other {what} ({found['digests'][what]}, here "
                f"{digest}): use the same on all machines, choose another --out folder, or delete "
                "this file to go on with the cells that fit"
            )

    @contextlib.contextmanager
    def turn(self, key, wait=True):
        """Hold the lock of a cell, or of the study's own file.

        Parameters
        ----------
        key : str
        wait : bool
            Whether to wait for another process that holds it.

        Yields
        ------
        bool
            Whether it is held; always after waiting.
        """
        path = self.folder / "locks" / f"{key}.lock"
        path.parent.mkdir(exist_ok=True)
        with open(path, "ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            except OSError as error:
                raise DataError(
                    f"{path}: cannot be locked ({error.strerror}): choose an --out folder on a "
                    "file system with locks"
                ) from error
            yield True


@functools.cache
def package_digest():
    """Version and digest of the package's source, the same wherever it is installed."""
    found, root = hashlib.sha256(), Path(nengo_tactile.__file__).parent
    for path in sorted(root.rglob("*.py")):
        found.update(f"{path.relative_to(root).as_posix()}\n".encode())
        found.update(path.read_bytes())
    return f"{nengo_tactile.__version__} {found.hexdigest()[:16]}"
