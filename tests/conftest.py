"""Fixtures every test folder shares."""

import os
import random
import re
import sys
import warnings
from pathlib import Path

import hypothesis
import nengo
import numpy as np
import pytest

from nengo_tactile.errors import TactileError

# a busy machine is no failure, and the same commit gives the same examples
hypothesis.settings.register_profile("steady", deadline=None, derandomize=True)
hypothesis.settings.load_profile("steady")

# two processes of tests would wait for each other's lock on Nengo's cache of decoders, and Nengo
# leaves the lock's file open when it gives up
nengo.rc.set("decoder_cache", "enabled", "False")


def pytest_addoption(parser):
    """``--order SEED``: the files of tests in a random order, which must not matter."""
    parser.addoption("--order", type=int, metavar="SEED", help="shuffle the files of tests")


def pytest_collection_modifyitems(config, items):
    seed = config.getoption("order")
    if seed is not None:
        files = sorted({item.path for item in items})
        random.Random(seed).shuffle(files)
        items.sort(key=lambda item: files.index(item.path))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Weights that a test leaves to Keras are the same in each run, in whatever order tests run.

    Before any fixture: models of a whole file are built in fixtures.
    """
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002, the generator that libraries without one of their own use
    for keras in filter(None, (sys.modules.get("tf_keras"), sys.modules.get("keras"))):
        keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True, scope="session")
def plain_numbers():
    """No error says ``np.int64(3)``, as NumPy 2 writes its numbers in lists, or with ``!r``."""

    def init(self, *args, **options):
        said = " ".join(map(str, args))
        assert not re.search(r"\bnp\.(u?int|float|bool|str|bytes)\w*\(", said), said
        super(TactileError, self).__init__(*args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TactileError, "__init__", init, raising=False)
        yield


@pytest.fixture
def rng():
    """A generator with a fixed seed, fresh for each test."""
    return np.random.default_rng(20200512)  # date of the ST-MNIST preprint


@pytest.fixture(scope="session")
def data_dir():
    """The folder of real recordings; tests that need it are skipped without it."""
    folder = os.environ.get("NENGO_TACTILE_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs real recordings: set NENGO_TACTILE_DATA to their folder")
    return Path(folder)


@pytest.fixture(scope="session")
def keras3():
    """Keras 3, the other Keras beside the one that NengoDL works with."""
    from nengo_tactile import stack

    stack.tensorflow()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import keras
    assert keras.__version__.startswith("3.")
    return keras
