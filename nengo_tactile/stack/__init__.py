"""NengoDL 3.6, NengoLoihi 1.1 and keras-spiking 0.3 on today's TensorFlow.

Importing this package, or `nengo_tactile`, is enough: from then on ``import nengo_dl``,
``import nengo_loihi`` and ``import keras_spiking`` give modules that work, whatever was imported
before. Nothing of TensorFlow, Keras 3 or the environment is changed. How: see `imports`; what is
patched: see `patches`; what the process does not notice: see `host`; versions and licences: see
`distributions`.
"""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

from nengo_tactile.stack.host import guest, interruptible, quiet
from nengo_tactile.stack.imports import install, legacy_tensorflow, need

__all__ = [
    "guest",
    "install",
    "interruptible",
    "nengo_dl",
    "nengo_loihi",
    "quiet",
    "quiet_build",
    "tensorflow",
]

install()

#: Starts of warning messages, and why they say nothing to a user.
_UPSTREAM_WARNINGS = (
    # NengoDL: this toolkit runs on CPUs as well
    "No GPU support detected",
    # Nengo derives intercepts from gains and biases, which nothing here uses
    "Non-finite values detected in `(max_rates|intercepts)`",
    "invalid value encountered in (log1p|divide)",
    "divide by zero encountered in (log1p|divide|true_divide)",
    # NengoLoihi 1.1 with NumPy 1.26 and Nengo 3.2
    "tau_s is (already|currently) set to",
    "invalid value encountered in cast",
    # of which layer it does not say; `engines.loihi` does
    "Lost \\d+ extra bits in weight rounding",
    # Nengo 3.2 carries a copy of an old scipy, which numpy 1.25 and later warn about
    "Conversion of an array with ndim > 0 to a scalar is deprecated",
    "`product` is deprecated",
    # Nengo 4.1 and NengoLoihi 1.1 with NumPy 2.5
    "Setting the (shape|dtype) on a NumPy array has been deprecated",
)


def tensorflow() -> Any:
    """TensorFlow with tf_keras as its ``keras``: see `imports.legacy_tensorflow`.

    Returns
    -------
    module
        Everything else is that of ``tensorflow``, which keeps the Keras that it has.
    """
    return legacy_tensorflow()


def nengo_dl() -> Any:
    """Import NengoDL.

    Returns
    -------
    module
        ``nengo_dl``.
    """
    return need("nengo_dl")


def nengo_loihi() -> Any:
    """Import NengoLoihi, and NengoDL with it, so that NengoDL knows the chip's neurons.

    Returns
    -------
    module
        ``nengo_loihi``.
    """
    need("nengo_dl")
    return need("nengo_loihi")


@contextlib.contextmanager
def quiet_build() -> Iterator[None]:
    """Hold back warnings of finished releases that no user can act on, each by its text."""
    with warnings.catch_warnings():
        for text in _UPSTREAM_WARNINGS:
            warnings.filterwarnings("ignore", message=text)
        yield
