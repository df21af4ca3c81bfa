"""Where the picture lies over time in recordings of a moving camera, by registration."""

import numpy as np

from nengo_tactile.events.saccades import N_PIXELS

_WINDOW_US = 7_500  # of the registration
REST_MS = 310.0  # after it there are too few events to see where the picture is
# Registration: blur (pixels) and black of a rough model; the place found hardly depends on them
_ROUGH_BLUR, _ROUGH_BLACK = 0.8, 0.23
SPACE = 48  # size of the registration's images: 34 and room for shifts


def register_path(recordings, images):
    """Find where the picture lies over time.

    A pixel's signed events of a short time are proportional to the product of the picture's
    velocity and the gradient of its log intensity at the pixel. In each window the images'
    gradients, shifted to every place, are regressed on the events of all recordings: the best
    shift is the place, the coefficients are the velocity up to a factor. The velocities are
    added up and brought to the places by least squares.

    Parameters
    ----------
    recordings : list of structured arrays
    images : (n, 28, 28) uint8 array
        What they show.

    Returns
    -------
    dict
        ``path_ms``, ``path_x``, ``path_y`` of `SaccadeParameters`.
    """
    from scipy.ndimage import gaussian_filter

    n_windows = int(REST_MS * 1e3 / _WINDOW_US)
    padded = np.zeros((len(images), SPACE, SPACE))
    first = (SPACE - images.shape[1]) // 2
    padded[:, first : first + images.shape[1], first : first + images.shape[2]] = images / 255
    ink = gaussian_filter(padded, (0, _ROUGH_BLUR, _ROUGH_BLUR))
    gradients = np.gradient(np.log(1 - (1 - _ROUGH_BLACK) * ink), axis=(2, 1))  # x, y
    products = np.array([[(a * b).sum() for a in gradients] for b in gradients])
    inverse = np.linalg.inv(products)
    spectra = [np.conj(np.fft.rfft2(gradient)) for gradient in gradients]
    places, velocities, weights = [], [], []
    for window in range(n_windows):
        spectrum = np.fft.rfft2(_signed(recordings, window * _WINDOW_US))
        overlap = np.stack(
            [np.fft.irfft2((s * spectrum).sum(axis=0), (SPACE, SPACE)) for s in spectra]
        )
        explained = np.einsum("aij,ab,bij->ij", overlap, inverse, overlap)
        row, column = np.unravel_index(explained.argmax(), explained.shape)
        # an event at a place that shrinks the log intensity is OFF: the sign
        velocities.append(-inverse @ overlap[:, row, column])
        weights.append(explained.max())
        places.append(
            [first + peak(explained[row], column), first + peak(explained[:, column], row)]
        )
    centre = (np.array(images.shape[:0:-1]) - N_PIXELS) / 2  # of the image less the sensor's
    return _joined(np.array(places) + centre, np.array(velocities), np.array(weights))


def _signed(recordings, start_us):
    """Sum of polarities per pixel in one window, (n, 48, 48) array."""
    result = np.zeros((len(recordings), SPACE, SPACE))
    for image, events in zip(result, recordings):
        low, high = np.searchsorted(events["t"], [start_us, start_us + _WINDOW_US])
        part = events[low:high]
        np.add.at(image, (part["y"], part["x"]), np.where(part["p"], 1, -1))
    return result


def peak(values, index):
    """Refine the place of a maximum by a parabola; places over half the size are negative."""
    size = len(values)
    before, at, after = values[index - 1], values[index], values[(index + 1) % size]
    place = index + 0.5 * (before - after) / (before - 2 * at + after)
    return (place + size / 2) % size - size / 2


def _joined(places, velocities, weights):
    """Fit place = start + factor * sum of velocities, with one factor for x and y."""
    ends = np.concatenate([np.zeros((1, 2)), np.cumsum(velocities, axis=0)])
    middles = (ends[1:] + ends[:-1]) / 2
    weights = weights / weights.sum()
    centred = [array - weights @ array for array in (middles, places)]
    factor = (weights @ (centred[0] * centred[1])).sum() / (weights @ centred[0] ** 2).sum()
    start = weights @ (places - factor * middles)
    path = start + factor * ends
    t_ms = np.arange(len(path)) * _WINDOW_US / 1e3
    return {
        "path_ms": tuple(t_ms.tolist()),
        "path_x": tuple(path[:, 0].tolist()),
        "path_y": tuple(path[:, 1].tolist()),
    }
