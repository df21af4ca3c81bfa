"""The other Keras, beside the one that NengoDL works with."""

import warnings

import pytest

from nengo_tactile import stack


@pytest.fixture(scope="session")
def keras3():
    """Keras 3."""
    stack.tensorflow()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import keras
    assert keras.__version__.startswith("3.")
    return keras
