"""In which range a model takes images: as it says itself, or as labelled samples tell."""

import numpy as np

from nengo_tactile.ann.training import predict
from nengo_tactile.conversion.input_range import check_first_layer
from nengo_tactile.conversion.reading import plain
from nengo_tactile.errors import DataError
from nengo_tactile.networks.image_scale import ImageScale

#: Layers at a model's beginning that bring images into its range themselves.
_OWN = ("Rescaling", "Normalization")
#: What images of bytes, and of 0 to 1, are usually made into.
_OF_BYTES = (ImageScale(), ImageScale(1 / 255), ImageScale(1 / 127.5, -1.0))
_OF_UNITS = (ImageScale(), ImageScale(255.0), ImageScale(2.0, -1.0))
#: Samples that scales are tried on at most.
MOST_SAMPLES = 512


def candidates(x):
    """Scales that images of this range may want, the first as they are.

    Parameters
    ----------
    x : (n_samples, ...) array

    Returns
    -------
    tuple of ImageScale
    """
    least, largest = float(np.min(x)), float(np.max(x))
    if least < 0 or largest > 255:
        return _OF_BYTES[:1]
    if largest > 1 or np.asarray(x).dtype.kind in "iu":
        return _OF_BYTES
    return _OF_UNITS


def find_scale(model, x, targets=None):
    """The scale that a model was most likely trained with, and how that was found.

    A model that begins with Rescaling or Normalization takes images as they are. Otherwise usual
    scales are tried on labelled samples: the best accuracy wins, and where several have it, but
    for chance, the least loss. ReLU networks are nearly as often right on images that are too
    bright, but too sure of themselves.

    Parameters
    ----------
    model : tf.keras.Model
    x : (n_samples, ...) array
    targets : Targets, optional
        Without them nothing is tried.

    Returns
    -------
    scale : ImageScale
    told : str or None
        A sentence for the user; None where there is nothing to say.
    """
    layers = plain(model)
    if layers.first and all(layer.kind in _OWN for layer in layers.first):
        return ImageScale(), None
    tried = candidates(x)
    least, largest = np.min(x), np.max(x)
    given = f"values from {least:g} to {largest:g}"
    if len(tried) == 1:
        return ImageScale(), None
    if targets is None:
        return ImageScale(), (
            f"warning: {given} are taken as they are, for there are no labels to find the model's "
            "range by: give --y, or --scale (such as 1/255)"
        )
    some = slice(MOST_SAMPLES)
    targets = targets.part(some)
    found = {}
    for scale in tried:
        scaled = scale.apply(np.asarray(x[some]))
        try:
            check_first_layer(layers, scaled)
        except DataError:
            continue
        outputs = predict(model, scaled)
        if np.isfinite(outputs).all():
            found[scale] = targets.loss(outputs), targets.measure_model(outputs)
    if not found:
        return ImageScale(), None  # convert says what its first layer wants
    best = _best(found, targets)
    rows = "; ".join(f"{scale}: {loss:.3g}, {value:.4g}" for scale, (loss, value) in found.items())
    made = "as they are" if best.is_none else f"times {best}"
    return best, (
        f"{given} go to the model {made}: loss and {targets.what} of the Keras model on "
        f"{len(targets.y)} labelled training samples, by scale, are {rows} (--scale gives another)"
    )


def _best(found, targets):
    """Of the scales whose accuracy may be the best, but for chance, the one with the least loss.

    ``found`` has loss and measure of each scale.
    """
    scores = {scale: targets.score(measured) for scale, (_, measured) in found.items()}
    most = max(scores.values())
    # two standard errors of a share of so many samples; errors of values are not of chance
    noise = 0.0 if targets.are_values else 2 * np.sqrt(most * (1 - most) / len(targets.y))
    good = [scale for scale in found if scores[scale] >= most - noise]
    return min(good, key=lambda scale: found[scale][0])  # the first of equals
