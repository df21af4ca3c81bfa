"""Weights in files of plain arrays as whole numbers of two bytes, with a scale for each filter."""

import math

import numpy as np

from nengo_tactile.errors import ModelFileError

#: Before the name of an array, that of its scales.
SCALE = "scale/"
#: Of two bytes, of either sign.
_MOST = 2**15 - 1


def packed(arrays: dict) -> dict:
    """Kernels as whole numbers and scales; vectors (biases, statistics) stay.

    Parameters
    ----------
    arrays : dict of str to array
        ``layer/weight``, filters on the last axis.

    Returns
    -------
    dict of str to array
        Kernels as int16, their scales (n_filters,) float32 as ``scale/layer/weight``. A weight is
        half its filter's largest one by 32,767 away from what it was at most.
    """
    found = {}
    for name, array in arrays.items():
        if array.ndim < 2 or array.dtype.kind != "f":
            found[name] = array
            continue
        largest = np.abs(array).max(tuple(range(array.ndim - 1)))
        scale = np.where(largest > 0, largest / _MOST, 1).astype(np.float32)
        whole = np.clip(np.round(array / scale), -_MOST, _MOST)
        found |= {name: whole.astype(np.int16), SCALE + name: scale}
    return found


def unpacked(arrays: dict) -> dict:
    """The weights of `packed` as float32; arrays without scales stay.

    Raises
    ------
    ModelFileError
        For scales of no array, of another number than there are filters, or that are not finite
        and above zero; kernels that are no whole numbers of two bytes.
    """
    scales = {k.removeprefix(SCALE): v for k, v in arrays.items() if k.startswith(SCALE)}
    found = {name: array for name, array in arrays.items() if not name.startswith(SCALE)}
    for name, scale in scales.items():
        array = found.get(name)
        shape = None if array is None else array.shape[-1:]
        if array is None or array.dtype != np.int16 or scale.shape != shape or not shape:
            told = "is not there" if array is None else f"is {array.dtype} of {array.shape}"
            raise ModelFileError(
                f"array '{SCALE}{name}' has shape {scale.shape}, and '{name}' {told}: wanted int16 "
                "and a scale for each filter, its last axis"
            )
        if scale.dtype.kind != "f" or not all(0 < s < math.inf for s in scale.tolist()):
            raise ModelFileError(f"array '{SCALE}{name}' holds {scale.min()}: wanted above zero")
        found[name] = array * scale.astype(np.float32)
    return found
