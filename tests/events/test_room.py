"""The events room offers its names without loading anything heavy."""

import subprocess
import sys

import pytest

from nengo_tactile import events


@pytest.mark.parametrize("name", events.__all__)
def test_names_are_there(name):
    assert getattr(events, name) is not None
    assert name in dir(events)


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = events.nothing


def test_heavy_libraries_stay_out():
    code = (
        "import sys; from nengo_tactile.events import ESkinParameters, TactileImage, table1; "
        "from nengo_tactile.events import compare, handwriting, fit; "
        "print([m for m in ('numba', 'scipy', 'matplotlib', 'tonic', 'tensorflow', 'sklearn') "
        "if m in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "[]"
