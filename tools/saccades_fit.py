"""Fit of the saccade simulator to recordings of N-MNIST.

Run as ``python tools/nmnist_comparison.py --fit``: this module has the functions.
"""

import dataclasses

import numpy as np

from nengo_tactile.events.compare import ks_distance
from nengo_tactile.events.saccades import (
    N_PIXELS,
    SACCADE_STARTS_MS,
    SaccadeParameters,
    simulate,
)
from nengo_tactile.events.saccades_compare import (
    event_image,
    paired_scores,
    quantities,
    rate_over_time,
)
from nengo_tactile.events.saccades_path import REST_MS, SPACE, peak, register_path

# Pixels from an image at the sensor's centre that its light does not reach: it moves by 4
_REACH = 7
_HOT = 3.0  # a pixel is hot when it has so many times the events of its neighbours
_MEDIAN_OF_SQUARE = 0.4549  # of a standard normal number: hot pixels do not move a median
# What the search changes: least, most, and first step as a share of the value
_SEARCHED = {
    "scale": (0.9, 1.1, 0.02),
    "blur": (0.3, 1.5, 0.15),
    "black": (0.01, 0.8, 0.2),
    "threshold": (0.05, 0.8, 0.15),
    "threshold_noise": (0.01, 0.6, 0.3),
    "refractory_us": (10.0, 2500.0, 0.3),
}


def measure_noise(recordings, images, duration_ms):
    """Read noise and hot pixels off recordings, far from what they show.

    Parameters
    ----------
    recordings : list of structured arrays
    images : (n, height, width) uint8 array
        What they show.
    duration_ms : float
        Mean length of a recording.

    Returns
    -------
    dict
        ``noise_rate_hz``, ``noise_mismatch``, ``noise_on_share`` and ``hot_pixels`` of
        `SaccadeParameters`.
    """
    from scipy.ndimage import maximum_filter, median_filter

    size = (N_PIXELS, N_PIXELS)
    first = [(N_PIXELS - n) // 2 for n in images.shape[1:]]
    shown = np.zeros((len(images), *size), bool)
    shown[:, first[0] : first[0] + images.shape[1], first[1] : first[1] + images.shape[2]] = images
    dark = ~maximum_filter(shown, (1, 2 * _REACH + 1, 2 * _REACH + 1))
    events_there, on_there, total = np.zeros(size), np.zeros(size), np.zeros(size)
    for events, free in zip(recordings, dark):
        image = event_image(events, size)
        total += image
        events_there += image * free
        on_there += event_image(events[events["p"]], size) * free
    seconds = duration_ms / 1e3
    rate_hz = total / len(recordings) / seconds
    around = median_filter(rate_hz, 3, mode="nearest")
    hot = (rate_hz > _HOT * around) & (rate_hz - around > 2.0)
    free_s = dark.sum(axis=0) * seconds
    quiet = (free_s > 0.25 * len(recordings) * seconds) & ~hot
    rates = events_there[quiet] / free_s[quiet]
    # what the counting of events adds to the variance
    counting = (rates.mean() / free_s[quiet]).mean()
    variance = max(rates.var() - counting, 0.0)
    return {
        "noise_rate_hz": float(rates.mean()),
        # of a lognormal with this mean and variance
        "noise_mismatch": float(np.sqrt(np.log1p(variance / rates.mean() ** 2))),
        "noise_on_share": float(on_there[quiet].sum() / events_there[quiet].sum()),
        "hot_pixels": tuple(
            (int(x), int(y), float(rate_hz[y, x] - around[y, x])) for y, x in np.argwhere(hot)
        ),
    }


def measure_mismatch(recordings):
    """Read off recordings how thresholds differ from pixel to pixel.

    The number of events of a pixel goes about as one over its threshold, and on average over
    many digits it should not differ from that of its neighbours. What does differ is taken from
    two halves of the recordings: only the pixels' share is in both.

    Parameters
    ----------
    recordings : list of structured arrays

    Returns
    -------
    float
        ``threshold_mismatch`` of `SaccadeParameters`.
    """
    from scipy.ndimage import convolve

    ring = np.full((3, 3), 1 / 8)
    ring[1, 1] = 0
    halves = [
        sum(event_image(events, (N_PIXELS, N_PIXELS)) for events in recordings[k::2]).astype(float)
        for k in (0, 1)
    ]
    around = [convolve(half, ring, mode="nearest") for half in halves]
    busy = np.minimum(*around) > 0.5 * np.minimum(*around).max()
    uneven = [np.log(half[busy] / ring_mean[busy]) for half, ring_mean in zip(halves, around)]
    shared = np.median(uneven[0] * uneven[1]) / _MEDIAN_OF_SQUARE
    # the ring of 8 adds an eighth of the variance
    return float(np.sqrt(max(shared, 0.0) * 8 / 9))


def corrected_path(parameters, images, seed):
    """Take from a registered path what registration does to the path of simulated recordings.

    Parameters
    ----------
    parameters : SaccadeParameters
        With the path of `register_path`.
    images : (n, 28, 28) uint8 array
    seed : int

    Returns
    -------
    SaccadeParameters
    """
    found = register_path(_simulate_all(images, parameters, seed), images)
    moved = {
        name: tuple(2 * np.array(getattr(parameters, name)) - np.array(found[name]))
        for name in ("path_x", "path_y")
    }
    return dataclasses.replace(parameters, **moved)


def distance(parameters, images, recordings, seed):
    """Say how far simulated recordings are from real ones.

    Parameters
    ----------
    parameters : SaccadeParameters
    images : (n, 28, 28) uint8 array
    recordings : list of structured arrays
        Of these images.
    seed : int

    Returns
    -------
    float
        Sum of the Kolmogorov-Smirnov distances of events per pixel, intervals and run lengths;
        of mean and SD of the logarithm of simulated over recorded event counts; of the total
        variation distance of events over time; and 5 times what event images lack to a
        correlation of 1 with the recorded ones, because they are alike from the start.
    """
    simulated = _simulate_all(images, parameters, seed)
    ours, recorded = quantities(simulated), quantities(recordings)
    names = ("events_per_pixel", "interval_ms", "run_length")
    total = sum(ks_distance(ours[name], recorded[name]) for name in names)
    ratio = np.log(ours["events"] / recorded["events"])
    total += abs(ratio.mean()) + ratio.std()
    rates = [rate_over_time(side["time_ms"], 1)[1] for side in (ours, recorded)]
    total += 0.5 * np.abs(rates[0] / rates[0].sum() - rates[1] / rates[1].sum()).sum()
    scores = paired_scores(simulated, recordings, (N_PIXELS, N_PIXELS))
    return total + 5 * (1 - scores["image_correlation"])


def _simulate_all(images, parameters, *seed):
    return [
        simulate(image, parameters, np.random.default_rng([*seed, index]))
        for index, image in enumerate(images)
    ]


def search(start, images, recordings, evaluations, seed, progress=None):
    """Fit screen, optics and pixels by the simplex method (Nelder and Mead).

    Parameters
    ----------
    start : SaccadeParameters
    images, recordings, seed
        As for `distance`.
    evaluations : int
        How many times the images are simulated.
    progress : callable, optional
        Called with no argument after each evaluation.

    Returns
    -------
    SaccadeParameters
    """
    from scipy.optimize import minimize

    bounds = np.array(list(_SEARCHED.values()))
    low, high, steps = np.log(bounds[:, 0]), np.log(bounds[:, 1]), bounds[:, 2]

    def with_values(logs):
        values = np.exp(np.clip(logs, low, high)).tolist()
        return dataclasses.replace(start, **dict(zip(_SEARCHED, values)))

    def goal(logs):
        result = distance(with_values(logs), images, recordings, seed)
        if progress is not None:
            progress()
        return result

    first = np.log([getattr(start, name) for name in _SEARCHED])
    simplex = np.clip(np.vstack([first, first + np.diag(steps)]), low, high)
    found = minimize(
        goal, first, method="Nelder-Mead",
        options={"maxfev": evaluations, "initial_simplex": simplex, "xatol": 1e-3, "fatol": 1e-4},
    )  # fmt: skip
    return with_values(found.x)


def balance(parameters, images, recordings, seed):
    """Set the ON share of the thresholds so that the share of ON events is the recordings'.

    Parameters
    ----------
    parameters, images, recordings, seed
        As for `distance`.

    Returns
    -------
    SaccadeParameters
    """
    shares, values = [], np.array([-0.05, 0.0, 0.05]) + parameters.on_share
    for value in values:
        tried = dataclasses.replace(parameters, on_share=value)
        shares.append(_share_on(_simulate_all(images, tried, seed)))
    slope, level = np.polyfit(values - parameters.on_share, shares, 1)
    change = np.clip((_share_on(recordings) - level) / slope, -0.1, 0.1)
    return dataclasses.replace(parameters, on_share=float(parameters.on_share + change))


def _share_on(recordings):
    return np.concatenate([events["p"] for events in recordings]).mean()


def start_parameters(recordings, images):
    """Everything that is measured rather than searched.

    Parameters
    ----------
    recordings : list of structured arrays
    images : (n, 28, 28) uint8 array

    Returns
    -------
    SaccadeParameters
    """
    ends_ms = np.array([events["t"][-1] for events in recordings]) / 1e3
    return SaccadeParameters(
        **register_path(recordings, images),
        **measure_noise(recordings, images, ends_ms.mean()),
        threshold_mismatch=measure_mismatch(recordings),
        duration_ms=float(ends_ms.mean()),
        duration_sd_ms=float(ends_ms.std(ddof=1)),
    )


def with_spread(parameters, images, recordings, seed):
    """Measure how recordings vary: saccades early or late, places, contrast.

    Parameters
    ----------
    parameters : SaccadeParameters
    images : (n, 28, 28) uint8 array
    recordings : list of structured arrays
        Of these images.
    seed : int

    Returns
    -------
    SaccadeParameters
        With ``start_sd_ms``, ``position_sd`` and ``contrast_sd`` of what is left when the same
        images are simulated without such variation.
    """
    plain = dataclasses.replace(parameters, start_sd_ms=0.0, position_sd=0.0, contrast_sd=0.0)
    runs = [_simulate_all(images, plain, seed, run) for run in (1, 2)]
    times = _medians(recordings) - _medians(runs[0])
    noise = _medians(runs[1]) - _medians(runs[0])
    shifts = _shifts(runs[0], recordings)
    counts = [np.log([len(events) for events in side]) for side in (recordings, *runs)]
    return dataclasses.replace(
        parameters,
        start_sd_ms=_excess(times, noise),
        position_sd=_excess(shifts, _shifts(*runs)),
        contrast_sd=_excess(counts[0] - counts[1], counts[2] - counts[1]),
    )


def _excess(differences, noise):
    """SD of differences over recordings beyond what two simulations differ by."""
    return float(np.sqrt(max(differences.var(axis=0).mean() - noise.var(axis=0).mean(), 0.0)))


def _medians(recordings):
    """Median time of the events of each saccade in milliseconds, (n, 3) array."""
    edges = np.array([*SACCADE_STARTS_MS, REST_MS]) * 1e3
    return (
        np.array(
            [
                [np.median(part) if len(part) else np.nan for part in parts]
                for parts in (
                    np.split(events["t"], np.searchsorted(events["t"], edges))[1:-1]
                    for events in recordings
                )
            ]
        )
        / 1e3
    )


def _shifts(one, other):
    """Shift (y, x) from event images to others of the same digits, (n, 2) array."""
    shifts = []
    for pair in zip(one, other):
        images = (event_image(events, (N_PIXELS, N_PIXELS)) for events in pair)
        spectra = [np.fft.rfft2(image, (SPACE, SPACE)) for image in images]
        overlap = np.fft.irfft2(np.conj(spectra[0]) * spectra[1], (SPACE, SPACE))
        row, column = np.unravel_index(overlap.argmax(), overlap.shape)
        shifts.append([peak(overlap[:, column], row), peak(overlap[row], column)])
    return np.array(shifts)
