"""Linear discriminants as a network of one hidden layer: weights in closed form.

Where recordings are few and inputs many, the covariance within classes, shrunk towards that of
independent inputs (Friedman 1989, "Regularized Discriminant Analysis"), says which differences
count. Each discriminant becomes two ReLU neurons, one for either sign, so that the network computes
what the analysis does and converts like any other.
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh, solve

from nengo_tactile.ann.notation import build, notation_for
from nengo_tactile.errors import DataError

#: What tells classes apart at most by this share of the best direction is rounding.
_NOTHING = 1e-9


def discriminants(
    x: ArrayLike, y: ArrayLike, shrinkage: float = 0.1, dead: float = 0.0, n_taxels: int = 1
) -> tuple:
    """Directions in which classes differ most beside what differs within them.

    Parameters
    ----------
    x : (n_samples, n_inputs) array
    y : (n_samples,) int array
        Classes 0 to n - 1, two samples of each at least.
    shrinkage : float
        Share of the covariance within classes that is replaced by the same variance for all
        inputs, above 0, at most 1.
    dead : float
        Share of the taxels that may be dead, any of them, from 0, below 1: what their silence adds
        to the covariance is its expectation, as if each sample were there with all such skins.
    n_taxels : int
        Whose inputs lie side by side, of each as many.

    Returns
    -------
    directions : (n_inputs, n_directions) float64 array
        Along each the variance within classes is 1, and there is no covariance between two.
    means : (n_classes, n_directions) float64 array
        Of the classes, along these; beside the mean of all of them.
    middle : (n_inputs,) float64 array
        That mean.

    Raises
    ------
    DataError
        For one class alone, a class with fewer than two samples, samples that do not differ
        within classes or whose classes do not differ, another shrinkage or share, and inputs that
        are no whole number for each taxel.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y)
    if not 0 < shrinkage <= 1:
        raise DataError(f"shrinkage is {shrinkage}, wanted a number above 0, at most 1")
    if not 0 <= dead < 1:
        raise DataError(f"dead is {dead}, wanted a share of the taxels from 0, below 1")
    if x.shape[1] % n_taxels:
        raise DataError(f"{x.shape[1]} inputs of {n_taxels} taxels: give of each as many")
    counts = np.bincount(y)
    if len(counts) < 2:
        raise DataError("discriminants of one class: give samples of two at least")
    if counts.min() < 2:
        raise DataError(
            f"class {counts.argmin()} has {counts.min()} of the {len(y)} samples, wanted 2 at "
            "least: give more, or leave the class out"
        )
    centres = np.stack([x[y == label].mean(0) for label in range(len(counts))])
    within = x - centres[y]
    middle = centres.mean(0)
    covariance = within.T @ within / len(x)
    variance = float(np.trace(covariance)) / len(covariance)
    if not variance > 0:
        raise DataError(f"the {len(x)} samples do not differ within classes: give others")
    covariance *= 1 - shrinkage
    covariance.flat[:: len(covariance) + 1] += shrinkage * variance
    if dead:
        for inputs in np.arange(x.shape[1]).reshape(n_taxels, -1):
            block = np.ix_(inputs, inputs)
            covariance[block] += dead / (1 - dead) / len(x) * (x[:, inputs].T @ x[:, inputs])
    between = centres - middle
    solved = solve(covariance, between.T, assume_a="pos")
    strength, turns = eigh(between @ solved)
    if not strength[-1] > 0:
        raise DataError(f"the {len(counts)} classes have the same means: give other inputs")
    kept = strength > _NOTHING * strength[-1]
    directions = solved @ turns[:, kept] / np.sqrt(strength[kept])
    return directions, between @ directions, middle


def discriminant_network(x: np.ndarray, y: np.ndarray, shrinkage: float = 0.1, dead: float = 0.0):
    """The network whose largest output is the class with the nearest mean along discriminants.

    Parameters
    ----------
    x : (n_samples, height, width, channels) array
    y : (n_samples,) int array
    shrinkage, dead : float
        See `discriminants`, which says what is refused; a taxel is a pixel.

    Returns
    -------
    tf.keras.Model
        Two neurons a discriminant; outputs are minus half the squared distances, but for what all
        classes share, divided by their spread over the samples.
    """
    flat, n_taxels = np.asarray(x).reshape(len(x), -1), math.prod(np.shape(x)[1:3])
    directions, means, middle = discriminants(flat, y, shrinkage, dead, n_taxels)
    at = (flat - middle) @ directions
    bias = -0.5 * (means**2).sum(1)
    spread = (at @ means.T + bias).std()
    model = build(notation_for(np.shape(x)[1:], f"{2 * len(means.T)}-{len(means)}o"))
    hidden, output = model.get_layer("dense1"), model.get_layer("output")
    signs = np.concatenate([directions, -directions], 1)
    hidden.set_weights([signs, -middle @ signs])
    output.set_weights([np.concatenate([means, -means], 1).T / spread, bias / spread])
    return model
