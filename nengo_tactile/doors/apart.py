"""Libraries in processes of their own, which damage may end, with limits to what they take.

Files come to a process as descriptors through a socket, which it answers by lines.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from nengo_tactile.doors.plain import Door
from nengo_tactile.memory import told

#: Seconds that a process may be silent for each of a processor, for others may need the machine,
#: and that it has to end.
_PATIENCE, _ENDING = 30, 5
#: What each process has: the next file's descriptor, what says a line, and what it may take.
_BEGIN = """
import os, resource, socket, sys
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
_wire = socket.socket(fileno=int(sys.argv[1]))
def say(text):
    _wire.sendall(" ".join(text.split()).encode("utf-8", "replace")[:1000] + b"\\n")
def heard(n):
    return _wire.recv(n)
def received():
    told, descriptors, _, _ = socket.recv_fds(_wire, 1, 1)
    return descriptors[0] if told else None
def allow(n_bytes, seconds):
    # in all, and of a processor from now on
    used = resource.getrusage(resource.RUSAGE_SELF)
    least = int(used.ru_utime + used.ru_stime + seconds) + 1
    for what, number in ((resource.RLIMIT_DATA, n_bytes), (resource.RLIMIT_CPU, least)):
        hard = resource.getrlimit(what)[1]
        resource.setrlimit(what, (number if hard < 0 else min(number, hard), hard))
"""


class Apart:
    """A process that reads one file after another.

    Parameters
    ----------
    code : str
        Python, with ``received()`` (the next file's descriptor, None at the end), ``say(line)``,
        ``heard(n)`` (bytes said by `say`) and ``allow(n_bytes, seconds)``, from which on it may
        take so much; ``sys.argv[2:]`` are the arguments.
    door : Door
    arguments : sequence of str
    descriptors : sequence of int
        Which it has open, too.
    environment : dict, optional
    more : str
        What lets it take more of a processor, for errors.
    """

    def __init__(
        self,
        code: str,
        door: Door,
        arguments: Sequence[str] = (),
        descriptors: Sequence[int] = (),
        environment: dict[str, str] | None = None,
        more: str = "",
    ) -> None:
        self.pid, self._door, self._more = os.getpid(), door, more and f" ({more})"
        ours, theirs = socket.socketpair()
        with theirs:
            self._told = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
            self.process = subprocess.Popen(
                [sys.executable, "-c", _BEGIN + code, str(theirs.fileno()), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._told,
                pass_fds=(theirs.fileno(), *descriptors),
                env=environment,
            )
        self._wire, self._lines = ours, ours.makefile("rb")

    @property
    def waits(self) -> bool:
        """Whether it is ours, and there."""
        return self.pid == os.getpid() and self.process.poll() is None

    def hand(self, file: BinaryIO) -> None:
        """Hand a file over, from its beginning."""
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        with contextlib.suppress(OSError):  # it is gone: its answer says so
            socket.send_fds(self._wire, [b"f"], [file.fileno()])

    def say(self, content: bytes) -> None:
        """Send bytes."""
        with contextlib.suppress(OSError):
            self._wire.sendall(content)

    def line(self, path: Path, pattern: bytes, n_bytes: int, seconds: int) -> re.Match[bytes]:
        """What it says of a file, by what it may take.

        Raises
        ------
        TactileError
            The door's, with why, if it says something else, ends or is silent; then it is ended.
        """
        self._wire.settimeout(_PATIENCE * seconds)
        content, silent = b"", False
        try:
            content = self._lines.readline(2000)
        except TimeoutError:
            silent = True
        except OSError:  # it is gone
            pass
        if line := re.fullmatch(pattern, content):
            return line
        if not (content or silent):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_ENDING)  # how it ends says why
        self.process.kill()
        self.process.wait()
        raise self._door.refusal(path, self._reason(n_bytes, seconds, silent))

    def _reason(self, n_bytes, seconds, silent):
        if silent:
            return f"could not be read in {_PATIENCE * seconds:g} s, in which nothing was said"
        if self.process.returncode == -signal.SIGXCPU:
            return f"takes more than {seconds} s of a processor{self._more}"
        self._told.seek(0)
        lines = self._told.read().decode("utf-8", "replace").strip().splitlines() or ["nothing"]
        last = next((line for line in lines if "panicked" in line), lines[-1])
        if re.search(r"MemoryError|bad_alloc|memory allocation|[Oo]ut of memory|OOM", last):
            return f"takes more than {told(n_bytes)} of memory"
        return f"cannot be read ({last[:200]})"

    def end(self) -> None:
        """Let the process end."""
        self._lines.close()
        self._wire.close()
        self.process.kill()
        self.process.wait()
        self._told.close()


__all__ = ["Apart"]
