"""The saccade simulator: still images to the events of a camera that moves in three saccades.

The recordings are those of N-MNIST [1]_: digits on a screen (dark on white, as the polarity of
the recorded events says), seen by an ATIS camera on a pan and tilt mount. The pixel is the one of
event cameras: it sends an event when log intensity has changed by a threshold since its last
event [2]_; thresholds differ from pixel to pixel [3]_.

References
----------
.. [1] G. Orchard, A. Jayawant, G. Cohen, N. Thakor, "Converting static image datasets to spiking
   neuromorphic datasets using saccades", Front. Neurosci. 9:437, 2015.
.. [2] P. Lichtsteiner, C. Posch, T. Delbruck, "A 128 x 128 120 dB 15 us latency asynchronous
   temporal contrast vision sensor", IEEE J. Solid-State Circuits 43(2), 2008.
.. [3] Y. Hu, S.-C. Liu, T. Delbruck, "v2e: from video frames to realistic DVS events", CVPR
   workshops, 2021.
"""

import dataclasses
import functools
import json
from importlib import resources
from typing import Any

import numpy as np

from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import EVENT_DTYPE
from nengo_tactile.events.saccades_kernel import pixel_events
from nengo_tactile.lazy import compiled

N_PIXELS = 34  # rows and columns, N-MNIST [1]_
SENSOR_SIZE = (N_PIXELS, N_PIXELS, 2)
FILE_NAME = "saccade_parameters.json"
# The authors' stabilize.m takes 0, 105 and 210 ms for the starts of the saccades. These are the
# times of the recordings with the fewest events, where saccades can come early or late.
SACCADE_STARTS_MS = (0.0, 100.0, 218.0)
_OVERSAMPLING = 4  # samples of the blurred picture per pixel


@dataclasses.dataclass(frozen=True)
class SaccadeParameters:
    """All parameters of screen, motion and camera.

    "Fitted" means by tools/saccades_fit.py, to the 500 recordings of even index
    among the first 1,000 of N-MNIST; "measured" means read off the same recordings.

    Parameters
    ----------
    path_ms : tuple of float
        Times of the path's points in milliseconds; before and after them the picture rests.
    path_x, path_y : tuple of float
        Where the image's centre lies at these times, in sensor pixels from the sensor's centre.
        Between points the path is a monotone cubic. Measured by registering the images'
        gradients with the recorded events.
    scale : float
        Sensor pixels per image pixel. Fitted.
    blur : float
        SD of the optics and of the photodiode's area, in sensor pixels. Fitted.
    black : float
        Intensity of a black pixel relative to white: glare, and the screen's black. Fitted.
    threshold : float
        Mean of ON and OFF thresholds in units of log intensity. Fitted.
    on_share : float
        The ON threshold is 2 ``on_share`` times the mean, the OFF threshold
        2 (1 - ``on_share``) times. Fitted to the share of ON events.
    threshold_mismatch : float
        Lognormal SD over pixels of both thresholds. Measured as how uneven the mean number of
        events is from pixel to pixel.
    threshold_noise : float
        SD of a threshold from event to event, relative to it. Fitted.
    refractory_us : float
        Time after an event in which a pixel ignores light, in microseconds. Fitted.
    contrast_sd : float
        Lognormal SD over recordings of all thresholds. Measured as what event counts spread
        around those of the simulation.
    noise_rate_hz : float
        Events per second and pixel without any change of light. Measured far from the digits.
    noise_mismatch : float
        Lognormal SD over pixels of that rate. Measured far from the digits.
    noise_on_share : float
        Share of ON among them: event cameras leak towards ON [3]_. Measured far from the
        digits.
    hot_pixels : tuple of (x, y, rate_hz)
        Pixels that send by themselves. Measured.
    start_sd_ms : float
        SD over recordings and saccades by which a saccade comes early or late. Measured.
    position_sd : float
        SD over recordings of the picture's place, in sensor pixels. Measured.
    duration_ms, duration_sd_ms : float
        Mean and SD of the length of a recording. Measured.
    device_seed : int
        Which sensor: all recordings come from the same pixels.
    step_us : float
        Simulation step in microseconds; events lie between steps.
    """

    path_ms: tuple[float, ...] = (0.0, 105.0, 210.0, 315.0)
    path_x: tuple[float, ...] = (-2.5, -1.0, 2.5, -2.1)
    path_y: tuple[float, ...] = (-2.0, 3.5, -1.6, -1.7)
    scale: float = 1.01
    blur: float = 0.5
    black: float = 0.2
    threshold: float = 0.23
    on_share: float = 0.5
    threshold_mismatch: float = 0.1
    threshold_noise: float = 0.2
    refractory_us: float = 500.0
    contrast_sd: float = 0.0
    noise_rate_hz: float = 0.3
    noise_mismatch: float = 0.5
    noise_on_share: float = 0.5
    hot_pixels: tuple[tuple[float, float, float], ...] = ()
    start_sd_ms: float = 0.0
    position_sd: float = 0.0
    duration_ms: float = 310.0
    duration_sd_ms: float = 0.0
    device_seed: int = 2015
    step_us: float = 1000.0

    def __post_init__(self):
        for name in ("path_ms", "path_x", "path_y"):
            object.__setattr__(self, name, tuple(float(v) for v in getattr(self, name)))
        hot = tuple((int(x), int(y), float(rate)) for x, y, rate in self.hot_pixels)
        object.__setattr__(self, "hot_pixels", hot)
        self._check_path()
        for x, y, rate in hot:
            if not (0 <= x < N_PIXELS and 0 <= y < N_PIXELS and 0 <= rate < np.inf):
                raise DataError(
                    f"saccades: hot pixel {(x, y, rate)}; give x and y from 0 to {N_PIXELS - 1} "
                    "and a rate of at least 0 Hz"
                )
        over_zero = {
            "scale",
            "blur",
            "black",
            "threshold",
            "on_share",
            "duration_ms",
            "step_us",
        }
        most = {
            "on_share": 1,
            "noise_on_share": 1.001,
            "black": 1,
            "scale": 2,
            "position_sd": 3,
        }
        for field in dataclasses.fields(self):
            if field.name in ("path_ms", "path_x", "path_y", "hot_pixels"):
                continue
            value, limit = getattr(self, field.name), most.get(field.name, np.inf)
            fine = value > 0 if field.name in over_zero else value >= 0
            if not (np.isfinite(value) and fine and value < limit):
                least = "over 0" if field.name in over_zero else "at least 0"
                least += f" and under {limit}" if limit < np.inf else ""
                raise DataError(f"saccades: {field.name} is {value}; give {least}")

    def _check_path(self):
        lengths = [len(getattr(self, name)) for name in ("path_ms", "path_x", "path_y")]
        if len(set(lengths)) != 1 or lengths[0] < 2:
            raise DataError(
                f"saccades: path_ms, path_x, path_y have {lengths} values; give as many of each, "
                "at least 2"
            )
        if not (np.diff(self.path_ms) > 0).all():
            raise DataError(f"saccades: path_ms is {self.path_ms}; give times that increase")
        for name in ("path_x", "path_y"):
            values = getattr(self, name)
            if not (np.abs(values) <= N_PIXELS).all():
                raise DataError(
                    f"saccades: {name} is {values}; give finite places, at most {N_PIXELS} pixels "
                    "from the sensor's corner"
                )

    def to_dict(self) -> dict[str, Any]:
        """Return the parameters as plain JSON values."""
        values = dataclasses.asdict(self)
        values["hot_pixels"] = [list(pixel) for pixel in self.hot_pixels]
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "SaccadeParameters":
        """Rebuild from `to_dict`'s values; unknown keys raise DataError."""
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise DataError(f"saccades: unknown parameters {unknown}; known are {sorted(known)}")
        return cls(**values)


@functools.cache
def fitted_saccades() -> SaccadeParameters:
    """Return the parameters fitted to the recordings of N-MNIST, a `SaccadeParameters`."""
    stored = json.loads((resources.files(__package__) / FILE_NAME).read_text("utf-8"))
    return SaccadeParameters.from_dict(stored["parameters"])


@functools.lru_cache(8)
def sensor(parameters):
    """Return what all recordings of one sensor share.

    Parameters
    ----------
    parameters : SaccadeParameters

    Returns
    -------
    on, off : (34, 34) float arrays
        Thresholds in units of log intensity, by row and column.
    noise_hz : (34, 34) float array
        Rate of events from nothing.
    """
    rng = np.random.default_rng(parameters.device_seed)
    shape = (N_PIXELS, N_PIXELS)
    spread = np.exp(parameters.threshold_mismatch * rng.standard_normal((2, *shape)))
    shares = np.array([parameters.on_share, 1 - parameters.on_share]).reshape(2, 1, 1)
    on, off = 2 * shares * parameters.threshold * spread
    sigma = parameters.noise_mismatch
    noise_hz = parameters.noise_rate_hz * np.exp(
        sigma * rng.standard_normal(shape) - sigma**2 / 2  # of this mean
    )
    for x, y, rate in parameters.hot_pixels:
        noise_hz[y, x] = rate
    for array in (on, off, noise_hz):
        array.flags.writeable = False
    return on, off, noise_hz


def log_intensity(image, parameters, margin):
    """Blur an image as the optics do and take the logarithm.

    The image's pixels are squares on a white screen, dark where the image is bright.

    Parameters
    ----------
    image : (height, width) uint8 array
    parameters : SaccadeParameters
    margin : int
        Sensor pixels of screen around the sensor's size.

    Returns
    -------
    float32 array
        4 values per sensor pixel; when the image lies at the sensor's centre, the sensor's first
        pixel sees value [4 * margin, 4 * margin].
    """
    down, right = (_blur(size, parameters.scale, parameters.blur, margin) for size in image.shape)
    ink = down @ (image.astype(np.float64) / 255) @ right.T
    return np.log(1 - (1 - parameters.black) * ink).astype(np.float32)


@functools.lru_cache(32)
def _blur(size, scale, blur, margin):
    """Integrals of the blur over each image pixel: (n_samples, size) array."""
    from scipy.special import ndtr

    places = np.arange((N_PIXELS + 2 * margin) * _OVERSAMPLING) / _OVERSAMPLING - margin
    edges = (N_PIXELS - 1) / 2 + (np.arange(size + 1) - size / 2) * scale
    matrix = np.diff(ndtr((edges - places[:, None]) / blur), axis=1)
    matrix.flags.writeable = False
    return matrix


def path(parameters, t_ms):
    """Place of the picture over time.

    Parameters
    ----------
    parameters : SaccadeParameters
    t_ms : (n,) float array

    Returns
    -------
    x, y : (n,) float arrays
        Sensor pixels.
    """
    from scipy.interpolate import PchipInterpolator

    curve = PchipInterpolator(
        parameters.path_ms, np.transpose([parameters.path_x, parameters.path_y])
    )
    return curve(np.clip(t_ms, parameters.path_ms[0], parameters.path_ms[-1])).T


def simulate(image, parameters, rng):
    """Record an image with the simulated camera.

    Parameters
    ----------
    image : (height, width) or (height, width, 1) uint8 array
        Bright on black, as MNIST; at most 34 x 34.
    parameters : SaccadeParameters
    rng : numpy Generator
        Every draw comes from it.

    Returns
    -------
    (n_events,) structured array
        tonic's events, sorted, with t in microseconds.

    Raises
    ------
    DataError
        For an image of another type or size.
    """
    image = _checked(image)
    on, off, noise_hz = sensor(parameters)
    length_ms = parameters.duration_ms + parameters.duration_sd_ms * rng.standard_normal()
    length_ms = max(length_ms, parameters.step_us / 1e3)
    n_steps = int(np.ceil(length_ms * 1e3 / parameters.step_us))
    t_ms = np.arange(n_steps + 1) * parameters.step_us / 1e3
    x, y = path(parameters, _jittered(t_ms, parameters.start_sd_ms, rng))
    offset = np.clip(parameters.position_sd * rng.standard_normal(2), -3, 3)
    x, y = x + offset[0], y + offset[1]
    # the picture reaches so far that every pixel sees screen at all times
    margin = int(np.ceil(max(np.abs(x).max(), np.abs(y).max()))) + 1
    contrast = np.exp(parameters.contrast_sd * rng.standard_normal())
    t_us, rows, columns, rises = compiled(pixel_events)(
        rng, log_intensity(image, parameters, margin), _OVERSAMPLING, y, x, float(margin),
        parameters.step_us, on * contrast, off * contrast, parameters.threshold_noise,
        parameters.refractory_us,
    )  # fmt: skip
    strays = rng.poisson(noise_hz * length_ms / 1e3)
    stray = np.repeat(np.arange(strays.size), strays.ravel())
    t_us = np.r_[t_us, rng.uniform(0, length_ms * 1e3, len(stray))]
    rows, columns = np.r_[rows, stray // N_PIXELS], np.r_[columns, stray % N_PIXELS]
    rises = np.r_[rises, rng.random(len(stray)) < parameters.noise_on_share]
    order = np.argsort(t_us, kind="stable")
    order = order[t_us[order] < length_ms * 1e3]
    events = np.empty(len(order), EVENT_DTYPE)
    events["x"], events["y"] = columns[order], rows[order]
    events["t"], events["p"] = t_us[order], rises[order]
    return events


def _checked(image):
    """Return the image as (height, width)."""
    image = np.asarray(image)
    if image.ndim == 3 and image.shape[-1] == 1:
        image = image[..., 0]
    if (
        image.dtype != np.uint8
        or image.ndim != 2
        or not all(0 < n <= N_PIXELS for n in image.shape)
    ):
        raise DataError(
            f"saccades: the image has type {image.dtype} and shape {image.shape}, wanted uint8 "
            f"(height, width) or (height, width, 1), at most {N_PIXELS} pixels high and wide: "
            "resize it, and turn colours to grey"
        )
    return image


def _jittered(t_ms, sd_ms, rng):
    """Let each saccade come early or late, all of it."""
    late = sd_ms * rng.standard_normal(len(SACCADE_STARTS_MS))
    saccade = np.searchsorted(SACCADE_STARTS_MS, t_ms, side="right") - 1
    jittered = t_ms - late[saccade]
    # what is late does not go back before the end of the saccade before
    return np.maximum.accumulate(np.maximum(jittered, 0))
