"""The events room offers its names without loading anything heavy."""

import pytest

from nengo_tactile import events
from tests.support.fresh_process import loaded


@pytest.mark.parametrize("name", events.__all__)
def test_names_are_there(name):
    assert getattr(events, name) is not None
    assert name in dir(events)


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = events.nothing


def test_heavy_libraries_stay_out():
    code = (
        "from nengo_tactile.events import ESkinParameters, TactileImage, table1; "
        "from nengo_tactile.events import compare, handwriting"
    )
    assert loaded(code, ("numba", "scipy", "matplotlib", "tonic", "tensorflow", "sklearn")) == []
