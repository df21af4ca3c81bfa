"""A network that several files of engines run, and what their dependencies warn of."""

from pathlib import Path

import pytest

from tests.support.engine_networks import make_network


def pytest_collection_modifyitems(items):
    """Deprecations inside finished releases, which no change here could mend."""
    upstream = pytest.mark.filterwarnings(
        r"ignore::DeprecationWarning:(nengo|nengo_dl|nengo_loihi)\b"
    )
    # few steps of random networks: the emulator rightly warns
    random = pytest.mark.filterwarnings("ignore::nengo_tactile.errors.EngineWarning")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(upstream)
            item.add_marker(random)


@pytest.fixture(scope="session")
def small():
    """A network of two convolutions and a dense layer, and its samples."""
    return make_network()
