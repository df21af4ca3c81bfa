"""AEDAT4 files of iniVation's, read by faery in a process of its own, which damage may end.

The process is kept for the next file. Files come to it as descriptors through a socket, which it
answers by lines; events come through memory that both share, two places in turn, so that it reads
on while a part is looked at.
"""

import atexit
import contextlib
import mmap
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nengo_tactile.datasets.sensor_files import Sensor, agreed, library
from nengo_tactile.doors.plain import DATA

#: What faery has for an event.
_EVENT = np.dtype([("t", "<u8"), ("x", "<u2"), ("y", "<u2"), ("p", "?")])
#: Events of a place in the shared memory, and how much memory the process may take.
_ROWS, _CHILD_BYTES = 1 << 17, 4 << 30
#: Reads files whose descriptors come: "size W H", "part N" for each part, "end".
_CHILD = """
import mmap, os, resource, socket, sys
resource.setrlimit(resource.RLIMIT_DATA, ({bytes}, {bytes}))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
import faery
wire, shared, place = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]), {place}
memory = memoryview(mmap.mmap(shared, 2 * place))
def say(text):
    wire.sendall(text.encode() + b"\\n")
while True:
    told, descriptors, _, _ = socket.recv_fds(wire, 1, 1)
    if not told:
        break
    path = "/dev/fd/%d" % descriptors[0]
    stream = faery.events_stream_from_file(path, file_type="aedat", dimensions_fallback=(0, 0))
    say("size %d %d" % stream.dimensions())
    free, turn, used = 2, 0, 0
    def send():
        global free, turn, used
        say("part %d" % used)
        free, turn, used = free - 1, 1 - turn, 0
    def write(content):
        global free, used
        while len(content):
            if not free:
                free += len(wire.recv(2))
            n = min(len(content), place - used)
            first = turn * place + used
            memory[first : first + n] = content[:n]
            content, used = content[n:], used + n
            if used == place:
                send()
    for part in stream:
        write(memoryview(part).cast("B"))
    if used:
        send()
    while free < 2:
        free += len(wire.recv(2))
    del stream
    os.close(descriptors[0])
    say("end")
"""


class _Reader:
    """A process that reads one file after another."""

    def __init__(self):
        self.pid = os.getpid()
        ours, theirs = socket.socketpair()
        place = _ROWS * _EVENT.itemsize
        with tempfile.TemporaryFile() as shared, theirs:
            shared.truncate(2 * place)
            self.memory = mmap.mmap(shared.fileno(), 2 * place)
            ends = theirs.fileno(), shared.fileno()
            code = _CHILD.format(bytes=_CHILD_BYTES, place=place)
            self.told = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
            self.process = subprocess.Popen(
                [sys.executable, "-c", code, *map(str, ends)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self.told,
                pass_fds=ends,
            )
        self.wire, self.lines = ours, ours.makefile("rb")

    def begin(self, file, path):
        """Hand a file over; returns the size of its sensor, None where it says none."""
        with contextlib.suppress(OSError):  # it is gone: its answer says so
            socket.send_fds(self.wire, [b"f"], [file.fileno()])
        line = self._line(path, rb"size (\d+) (\d+)\n")
        width, height = int(line[1]), int(line[2])
        return (width, height) if width and height else None

    def parts(self, path):
        """Events of the file, part by part, up to its end."""
        turn, size = 0, _ROWS * _EVENT.itemsize
        while True:
            line = self._line(path, rb"part (\d+)\n|end\n")
            if line[1] is None:
                return
            first = turn * size
            content = self.memory[first : first + int(line[1])]
            self.wire.sendall(b"a")
            turn = 1 - turn
            part = np.frombuffer(content, _EVENT)
            yield {name: part[name] for name in "xytp"}

    def _line(self, path, pattern):
        with contextlib.suppress(OSError):
            line = re.fullmatch(pattern, self.lines.readline(64))
            if line is not None:
                return line
        self.process.kill()
        self.process.wait()
        self.told.seek(0)
        lines = self.told.read().decode("utf-8", "replace").strip().splitlines() or ["nothing"]
        told = next((line for line in lines if "panicked" in line), lines[-1])
        raise DATA.refusal(path, f"cannot be read ({told[:200]})")

    def end(self):
        """Let the process end."""
        self.lines.close()
        self.wire.close()
        self.process.kill()
        self.process.wait()
        self.memory.close()
        self.told.close()


#: Those that wait for a file.
_IDLE: list[_Reader] = []


@contextlib.contextmanager
def opened_aedat4(path: Path, size: tuple[int, int] | None) -> Iterator[Sensor]:
    """Open an AEDAT4 file."""
    library("faery", "AEDAT4")
    with DATA.opened(path) as (file, _):
        if file.read(14) != b"#!AER-DAT4.0\r\n":
            raise DATA.refusal(path, "is no AEDAT4 file (it does not begin with #!AER-DAT4.0)")
        os.lseek(file.fileno(), 0, os.SEEK_SET)  # where the other process begins
        reader, whole = _idle(), False

        def parts():
            nonlocal whole
            yield from reader.parts(path)
            whole = True

        try:
            yield Sensor(agreed(reader.begin(file, path), size, path), parts())
        finally:
            if whole:
                _IDLE.append(reader)
            else:
                reader.end()


def _idle():
    """A reader that waits, or a new one."""
    while _IDLE:
        reader = _IDLE.pop()
        if reader.pid == os.getpid() and reader.process.poll() is None:
            return reader
        if reader.pid == os.getpid():  # of a process that was forked others wait for it
            reader.end()
    return _Reader()


@atexit.register
def _end_all():
    while _IDLE:
        reader = _IDLE.pop()
        if reader.pid == os.getpid():
            reader.end()


__all__ = ["opened_aedat4"]
