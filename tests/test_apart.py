"""Processes apart: what they take is limited, and how they end is said."""

import pytest

from nengo_tactile.doors.apart import Apart
from nengo_tactile.doors.plain import DATA
from nengo_tactile.errors import DataError

CODE = """
while (descriptor := received()) is not None:
    allow(1 << 30, 1)
    with open(descriptor) as file:
        exec(file.read())
    say("read %d" % os.getpid())
"""


@pytest.fixture
def told(tmp_path):
    """What is said of a file that holds a program."""
    aparts = []

    def read(program):
        if not aparts or not aparts[-1].waits:
            aparts.append(Apart(CODE, DATA, more="seconds= allows more"))
        path = tmp_path / "program"
        path.write_text(program)
        with path.open("rb") as file:
            file.read()  # it is handed over from its beginning
            aparts[-1].hand(file)
            return int(aparts[-1].line(path, rb"read (\d+)\n", 1 << 30, 1)[1])

    yield read
    for apart in aparts:
        apart.end()


def test_one_process_reads_many_files(told):
    first = told("pass")
    assert told("x = bytearray(100 << 20)") == first
    with pytest.raises(DataError, match=r"program: cannot be read \(ValueError: what it said\)"):
        told("raise ValueError('what it said')")
    assert told("pass") != first


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("while True: pass", r"takes more than 1 s of a processor \(seconds= allows more\): get"),
        ("x = bytearray(2 << 30)", r"takes more than 1\.1 GB of memory: get it afresh"),
        ("os._exit(3)", r"cannot be read \(nothing\)"),
        ("say('something else')", r"cannot be read \(nothing\)"),
    ],
)
def test_what_takes_too_much_is_ended(program, message, told):
    with pytest.raises(DataError, match=message):
        told(program)


def test_time_counts_for_each_file(told):
    """Half of what it may take, three times."""
    code = "import time; end = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
    assert len({told(code) for _ in range(3)}) == 1


def test_silence_has_an_end(told, monkeypatch):
    monkeypatch.setattr("nengo_tactile.doors.apart._PATIENCE", 0.3)
    told("pass")
    with pytest.raises(DataError, match=r"could not be read in 0\.3 s"):
        told("import time; time.sleep(100)")
