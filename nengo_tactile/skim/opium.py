"""OPIUM: output weights in closed form, one observation after another.

van Schaik and Tapson 2015, "Online and adaptive pseudoinverse solutions for ELM weights",
Neurocomputing 149:233-238. With the hidden activity ``x``, the target ``y``, the output weights
``M`` and ``P``, the inverse of the activities' correlation matrix, the error ``e = y - M x`` is
that before the update. All three functions change their arrays in place, because copies of ``P``
would cost more than the update.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.linalg import blas

from nengo_tactile.doors.archives import read_npz
from nengo_tactile.doors.plain import Door
from nengo_tactile.errors import DataError, ModelFileError
from nengo_tactile.files import write_npz
from nengo_tactile.skim.memory import check_fits


@dataclass(frozen=True, eq=False)
class OpiumState:
    """What OPIUM has learnt; training goes on from it.

    Attributes
    ----------
    weights : (n_outputs, n_hidden) float array
        ``M``.
    inverse : (n_hidden, n_hidden) float array or None
        ``P``; OPIUM-light has none.
    """

    weights: np.ndarray
    inverse: np.ndarray | None = None

    def __post_init__(self):
        check_state(self.weights, self.inverse)


def check_state(weights, inverse):
    """Refuse weights and inverse that do not fit each other.

    Raises
    ------
    DataError
        If a shape is wrong or a value is not finite.
    """
    if weights.ndim != 2:
        raise DataError(f"OPIUM's weights have shape {weights.shape}: give (n_outputs, n_hidden)")
    n_hidden = weights.shape[1]
    if inverse is not None and inverse.shape != (n_hidden, n_hidden):
        raise DataError(
            f"OPIUM's inverse correlation has shape {inverse.shape}, but the weights are for "
            f"{n_hidden} hidden neurons: give shape {(n_hidden, n_hidden)}"
        )
    for name, values in (("weights", weights), ("inverse correlation", inverse)):
        if values is not None and not np.isfinite(values).all():
            raise DataError(
                f"OPIUM's {name} has {np.count_nonzero(~np.isfinite(values))} values that are not "
                "finite: start training anew, with smaller activities or a larger ridge"
            )


def start(n_outputs, n_hidden, ridge=1.0):
    """State before the first observation: no weights, and ``P`` the identity over ``ridge``.

    Parameters
    ----------
    n_outputs, n_hidden : int
    ridge : float
        What the squared weights cost. The authors start from the identity, a ridge of one.

    Raises
    ------
    DataError
        If the ridge is not above zero, or memory does not suffice.
    """
    check_ridge(ridge)
    # the inverse, and what an update takes away from it
    check_fits("OPIUM with", n_hidden, 2 * 8 * n_hidden**2)
    return OpiumState(np.zeros((n_outputs, n_hidden)), np.eye(n_hidden) / ridge)


def check_ridge(ridge):
    """Refuse a ridge that is not finite and above zero."""
    if not (math.isfinite(ridge) and ridge > 0):
        raise DataError(f"OPIUM's ridge is {ridge}: it must be finite and above zero")


def opium(weights, inverse, x, y, forgetting=1.0):
    """Learn one observation by recursive least squares.

    With ``forgetting=1`` and a start of ``P = I / ridge``, ``M = 0`` the weights are, after each
    observation, those that minimise the squared errors of all observations so far and ``ridge``
    times the squared weights. With ``forgetting`` below one, both count that many times less after
    each further observation.

    Parameters
    ----------
    weights : (n_outputs, n_hidden) float array
    inverse : (n_hidden, n_hidden) float array
    x : (n_hidden,) float array
    y : (n_outputs,) float array
    forgetting : float
        Above 0, at most 1.

    Returns
    -------
    (n_outputs,) float array
        The error before the update.
    """
    error = y - weights @ x
    psi = inverse @ x
    norm = forgetting + x @ psi
    _take_away(inverse, psi, norm)
    if forgetting != 1:
        inverse /= forgetting
    weights += np.outer(error, psi / norm)
    return error


def _take_away(inverse, psi, norm):
    """Subtract ``psi psi^T / norm`` in place, without another matrix."""
    changed = blas.dger(-1 / norm, psi, psi, a=inverse.T, overwrite_a=1)
    if not np.may_share_memory(changed, inverse):  # its order was another
        inverse[...] = changed.T


def opium_light(weights, x, y, gain):
    """Learn one observation without the correlations: normalised least mean squares.

    The weights depend on the order of the observations, and are not those of least squares.

    Parameters
    ----------
    weights : (n_outputs, n_hidden) float array
    x : (n_hidden,) float array
    y : (n_outputs,) float array
    gain : float
        Stands for the mean of the inverse correlation; the larger, the more is learnt of one
        observation.

    Returns
    -------
    (n_outputs,) float array
        The error before the update.
    """
    error = y - weights @ x
    weights += np.outer(error, x / (1 / gain + x @ x))
    return error


def opium_dynamic(weights, inverse, x, y, alpha):
    """Learn one observation, the more readily the larger the error: for changing problems.

    After `opium`'s update ``P`` becomes ``(P + r I) / (1 + r)`` with
    ``r = alpha (1 - exp(-|e| / n_outputs))``.

    Parameters
    ----------
    weights, inverse, x, y
        As for `opium`.
    alpha : float
        From 0, where it is `opium`.

    Returns
    -------
    (n_outputs,) float array
        The error before the update.
    """
    error = opium(weights, inverse, x, y)
    share = -alpha * math.expm1(-np.linalg.norm(error) / len(error))
    inverse[np.diag_indices_from(inverse)] += share
    inverse /= 1 + share
    return error


def save_state(path: str | Path, state: OpiumState) -> None:
    """Write what was learnt into a .npz file, whole or not at all."""
    arrays = {} if state.inverse is None else {"inverse": state.inverse}
    write_npz(path, {"weights": state.weights, **arrays}, compress=False)


def load_state(path: str | Path) -> OpiumState:
    """Read what was learnt.

    Returns
    -------
    OpiumState

    Raises
    ------
    ModelFileError
        If the file is missing or damaged, or its arrays do not fit.
    """
    door = Door(ModelFileError, "save it again with skim.opium.save_state")
    with door.guarded(path, "cannot be read as a state of OPIUM"):
        arrays = read_npz(path, door)
        weights, inverse = arrays["weights"], arrays.get("inverse")
        return OpiumState(np.asarray(weights, float), inverse)
