"""TensorFlow's own failures, said as ours."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from nengo_tactile import stack
from nengo_tactile.errors import ConversionError

F = TypeVar("F", bound=Callable[..., Any])


def tensorflow_errors_named(function: F) -> F:
    """Decorate a function so that what TensorFlow raises while computing becomes our error.

    TensorFlow 2.21's oneDNN kernels give up on some small convolutions, in graphs alone and not at
    every call ("could not create a primitive descriptor").

    Parameters
    ----------
    function : callable
        Raises `ConversionError` for `tf.errors.OpError`, with what it says and a remedy.
    """

    @functools.wraps(function)
    def wrapped(*arguments, **options):
        tf = stack.tensorflow()
        try:
            return function(*arguments, **options)
        except tf.errors.ResourceExhaustedError as error:
            raise ConversionError(
                f"TensorFlow has no memory left ({_told(error)}): give fewer calibration samples, "
                "or a smaller model"
            ) from error
        except tf.errors.OpError as error:
            raise ConversionError(
                f"TensorFlow could not compute the model ({type(error).__name__}: {_told(error)}): "
                "if it speaks of a primitive or of oneDNN, set the environment variable "
                "TF_ENABLE_ONEDNN_OPTS=0 before Python starts (docs/stack.md)"
            ) from error

    return cast(F, wrapped)


def _told(error):
    """The line of an error that says what happened, not where."""
    lines = [line.strip() for line in str(error.message or "").splitlines() if line.strip()]
    said = [line for line in lines if "message:" in line or "[[" in line] or lines[:1]
    return " ".join(said)[:300]
