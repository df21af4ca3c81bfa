"""AEDAT4 files of iniVation's, read by faery in a process of its own, which damage may end.

The process is kept for the next file. Events come through memory that both share, two places in
turn, so that it reads on while a part is looked at.
"""

import atexit
import contextlib
import mmap
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nengo_tactile.datasets.sensor_files import Sensor, agreed, library
from nengo_tactile.doors.apart import Apart
from nengo_tactile.doors.plain import DATA

#: What faery has for an event.
_EVENT = np.dtype([("t", "<u8"), ("x", "<u2"), ("y", "<u2"), ("p", "?")])
#: Events of a place in the shared memory; what the process may take, in seconds for each of them.
_ROWS, _BYTES, _SECONDS = 1 << 17, 2 << 30, 15
#: Reads files whose descriptors come: "size W H", "part N" for each part, and "end" or "refused".
_CHILD = """
import faery, mmap
shared, place = int(sys.argv[2]), {place}
memory = memoryview(mmap.mmap(shared, 2 * place))
def send():
    global free, turn, used
    allow({bytes}, {seconds})
    say("part %d" % used)
    free, turn, used = free - 1, 1 - turn, 0
def wait(places):
    global free
    while free < places:
        free += len(heard(2))
def write(content):
    global used
    while len(content):
        wait(1)
        n = min(len(content), place - used)
        first = turn * place + used
        memory[first : first + n] = content[:n]
        content, used = content[n:], used + n
        if used == place:
            send()
def read(path):
    stream = faery.events_stream_from_file(path, file_type="aedat", dimensions_fallback=(0, 0))
    say("size %d %d" % stream.dimensions())
    for part in stream:
        write(memoryview(part).cast("B"))
    if used:
        send()
while (descriptor := received()) is not None:
    allow({bytes}, {seconds})
    free, turn, used, answer = 2, 0, 0, "end"
    try:
        read("/dev/fd/%d" % descriptor)
    except MemoryError:
        raise
    except BaseException as error:  # a panic of Rust's is none of Exception
        answer = "refused %s: %s" % (type(error).__name__, error)
    os.close(descriptor)
    wait(2)
    say(answer)
"""


class _Reader:
    """A process that reads one file after another; ``free`` when it has done with the last."""

    def __init__(self):
        self.free = True
        place = _ROWS * _EVENT.itemsize
        code = _CHILD.format(place=place, bytes=_BYTES, seconds=_SECONDS)
        with tempfile.TemporaryFile() as shared:
            shared.truncate(2 * place)
            self._memory = mmap.mmap(shared.fileno(), 2 * place)
            handles = (shared.fileno(),)
            self.apart = Apart(code, DATA, [str(handles[0])], handles)

    def begin(self, file, path):
        """Hand a file over; returns the size of its sensor, None where it says none."""
        self.free = False
        self.apart.hand(file)
        line = self._line(path, rb"size (\d+) (\d+)\n")
        width, height = int(line[1]), int(line[2])
        return (width, height) if width and height else None

    def parts(self, path):
        """Events of the file, part by part, up to its end."""
        turn, size = 0, _ROWS * _EVENT.itemsize
        while True:
            line = self._line(path, rb"part (\d+)\n|end\n")
            if line[1] is None:
                self.free = True
                return
            first = turn * size
            content = self._memory[first : first + int(line[1])]
            self.apart.say(b"a")
            turn = 1 - turn
            part = np.frombuffer(content, _EVENT)
            yield {name: part[name] for name in "xytp"}

    def _line(self, path, pattern):
        line = self.apart.line(path, pattern + rb"|refused (.*)\n", _BYTES, _SECONDS)
        told = line[line.re.groups]
        if told is None:
            return line
        self.free = True
        told = told.decode("utf-8", "replace")
        raise DATA.refusal(path, f"cannot be read ({told[:200]})")

    def end(self):
        """Let the process end."""
        self.apart.end()
        self._memory.close()


#: Those that wait for a file.
_IDLE: list[_Reader] = []


@contextlib.contextmanager
def opened_aedat4(path: Path, size: tuple[int, int] | None) -> Iterator[Sensor]:
    """Open an AEDAT4 file."""
    library("faery", "AEDAT4")
    with DATA.opened(path) as (file, _):
        if file.read(14) != b"#!AER-DAT4.0\r\n":
            raise DATA.refusal(path, "is no AEDAT4 file (it does not begin with #!AER-DAT4.0)")
        reader = _idle()
        try:
            yield Sensor(agreed(reader.begin(file, path), size, path), reader.parts(path))
        finally:
            if reader.free:
                _IDLE.append(reader)
            else:
                reader.end()


def _idle():
    """A reader that waits, or a new one."""
    while _IDLE:
        reader = _IDLE.pop()
        if reader.apart.waits:
            return reader
        if reader.apart.pid == os.getpid():  # of a process that was forked others wait for it
            reader.end()
    return _Reader()


@atexit.register
def _end_all():
    while _IDLE:
        reader = _IDLE.pop()
        if reader.apart.pid == os.getpid():
            reader.end()


__all__ = ["opened_aedat4"]
