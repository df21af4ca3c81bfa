"""Files as bytes, text and JSON."""

import contextlib
import dataclasses
import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from nengo_tactile.errors import DataError, StackError, TactileError
from nengo_tactile.memory import check_fits, told

#: Text of JSON at most: Python's objects are up to 40 times as large.
LARGEST_JSON = 1 << 25
#: How JSON writes half a character, which is no text.
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


@dataclasses.dataclass(frozen=True)
class Door:
    """What is said where a file is not sound.

    Attributes
    ----------
    error : type
        A `TactileError`.
    remedy : str
        What to do then.
    """

    error: type[TactileError] = DataError
    remedy: str = "get it afresh"

    def refusal(self, source: Any, what: str) -> TactileError:
        """The error that says what is wrong with a file."""
        return self.error(f"{source}: {what}: {self.remedy}")

    @contextlib.contextmanager
    def guarded(self, source: Any, what: str = "cannot be read") -> Iterator[None]:
        """What libraries raise on damage inside the block becomes an error of ours."""
        try:
            yield
        except (self.error, StackError):  # the latter is no fault of the file
            raise
        except TactileError as error:  # of a part that does not know of files
            raise self.error(f"{source}: {error}") from error
        except Exception as error:  # libraries raise whatever their parts raise
            reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
            first = reason.strip().splitlines()[0][:200]
            raise self.refusal(source, f"{what} ({first})") from error

    @contextlib.contextmanager
    def opened(self, path: str | Path) -> Iterator[tuple[BinaryIO, int]]:
        """Open a regular file; yields it and its size in bytes."""
        with contextlib.ExitStack() as stack:
            with self.guarded(path):
                # a pipe would wait for a writer, a device never ends
                handle = os.open(
                    os.path.expanduser(path), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
                )
                status = os.fstat(handle)
                if not stat.S_ISREG(status.st_mode):
                    os.close(handle)
                    raise self.refusal(path, "is no file, but a folder, a pipe or a device")
                file = stack.enter_context(os.fdopen(handle, "rb"))
            yield file, status.st_size

    def content(self, path: str | Path, most: int | None = None) -> bytes:
        """All bytes of a file, of at most so many."""
        with self.opened(path) as (file, size):
            if most is not None and size > most:
                raise self.refusal(path, f"holds {told(size)}, wanted at most {told(most)}")
            check_fits(f"{path}: reading it", size, self.remedy, self.error)
            with self.guarded(path):
                return file.read()

    def json(self, path: str | Path) -> Any:
        """What a file of JSON holds."""
        return self.parsed(self.content(path, LARGEST_JSON), path)

    def parsed(self, content: bytes | str, source: Any) -> Any:
        """What JSON says, with whole characters alone."""
        with self.guarded(source, "is not JSON"):
            text = content if isinstance(content, str) else content.decode("utf-8")
            data = json.loads(text)
            if _HALF.search(text):
                json.dumps(data, ensure_ascii=False).encode()
            return data


#: Of recordings and samples.
DATA = Door()
