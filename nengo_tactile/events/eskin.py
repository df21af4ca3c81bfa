"""The e-skin simulator: pen trajectories to FA events of a 10 x 10 taxel array.

The sensor is the one of ST-MNIST (See et al., arXiv:2005.04319, section 2): 100 piezoresistive
taxels per square centimetre, written on with a pen of 0.5 mm tip diameter for 2 s, read out by
ACES. Where taxels lie: the one original recording at hand shows the digit upright when the
taxel address x runs downwards and y to the right, and Table 1 agrees (7 and 9, heavy at the
top, have the lowest X means, 2 the highest).
"""

import dataclasses
from typing import Any, Literal

import numpy as np

from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import EVENT_DTYPE
from nengo_tactile.events.crossing import LevelCrossing
from nengo_tactile.events.crossing_kernel import at_rest
from nengo_tactile.events.eskin_kernel import pressures
from nengo_tactile.events.trajectories import Trajectory, extent, resample
from nengo_tactile.lazy import compiled

N_TAXELS = 10  # rows and columns: "100-taxel ... array", ST-MNIST section 1
PITCH_MM = 1.0  # 100 taxels per cm^2, ST-MNIST section 2.1
TIP_DIAMETER_MM = 0.5  # ST-MNIST section 2.2
WINDOW_US = 2_000_000  # 2 s, ST-MNIST section 2.2
SENSOR_SIZE = (N_TAXELS, N_TAXELS, 2)
# Physiological tremor of the hand lies at 8 to 12 Hz (Elble & Randall, J. Neurophysiology 39,
# 1976).
TREMOR_HZ = (8.0, 12.0)


@dataclasses.dataclass(frozen=True)
class ESkinParameters:
    """All parameters of pen, skin and read-out.

    "recording" below means the one original ST-MNIST recording that was at hand; "fitted" means
    by tools/eskin_fit.py to Table 1 of the paper.

    Parameters
    ----------
    film_spread_mm : float
        SD by which the film blurs pressure; the tip's own disc adds to it. From the recording
        (taxels stay active for about 80 ms a visit).
    activation_kpa : float
        Under this pressure film and electrode do not touch and the signal is 0. It gives
        touched areas their sharp edge: no taxel of the recording has under 11 messages.
    floor_kpa : float
        The signal is log(1 + p / floor), or p / floor.
    response : {"log", "linear"}
    threshold : float
        Change of the signal that makes a message.
    threshold_mismatch, gain_mismatch : float
        Lognormal SD over taxels of threshold and sensitivity.
    gain_slope : tuple of 2 float
        Relative growth of the sensitivity per mm (down, right), because film and electrodes are
        not pressed together evenly. Fitted: Table 1's X and Y means lie below and to the right
        of the array's centre, more so for wide digits than for the narrow 1.
    device_seed : int
        Which array: all recordings of the paper come from one.
    vibration : float
        SD of a taxel's pressure relative to itself, from the tip's stick and slip; white at the
        simulation step. From the recording's alternating ON and OFF.
    refractory_us : float
        Least time between two messages of a taxel; 3,272 in the recording.
    delay_us : float
        Messages are late by up to this; the recording shows 0 to 6.
    on_repeats, off_repeats : float
        Mean number of events the decoder makes of one message. ON: 4 or 5 in the recording
        (mean 4.46); OFF: 2 or 3 there (2.43), here fitted to the ON:OFF ratio of Table 1.
    repeats_spread : float
        Lognormal SD over samples of ``off_repeats``.
    onset_polarity : {-1, 1}
        Sign of the events when the pen arrives. The paper calls an increase of pressure ON, but
        in the recording all 31 active taxels start with OFF, so -1 is the default;
        1 gives the paper's wording.
    noise_rate_hz : float
        Messages per second and taxel from nothing (stray decodings), fitted to the ranges.
    step_us : float
        Simulation step.
    force_n : float
        Mean pen force; handwriting takes about 1 N.
    force_writer_sd, force_sample_sd : float
        Lognormal SD of the force over writers and over samples.
    force_ramp_s : float
        Time for the force to build up at pen-down and to fade before pen-up.
    tremor : float
        Amplitude of the force's 8 to 12 Hz tremor relative to the force.
    seconds_per_unit : float
        Writing time per recorded point, or per digit height of a parametric stroke; fitted.
    pace : tuple of 10 float
        Factor on the writing time of each digit; fitted, because the event counts of Table 1 do
        not follow the length of the strokes (0: 1,738 ON events, 6: 739). It lets a classifier
        read the label from the number of events: `without_pace` sets it to 1.
    pace_writer_sd, pace_sample_sd : float
        Lognormal SD of the writing time over writers and over samples.
    slowing : float
        The pen slows while it writes a digit: time per length grows linearly from 1 - slowing
        at its start to 1 + slowing at its end. Fitted.
    lift_s : float
        Time in the air between strokes.
    height_mm, height_sd : float
        Mean and lognormal SD over samples of a digit's height.
    aspect : float
        Factor on a digit's width.
    aspect_power : float
        Width over height is raised to this power: under 1, narrow digits spread out to use the
        square array.
    centre_mm : tuple of 2 float
        Mean displacement (down, right) of the digit's centre from the array's centre.
    centre_writer_sd_mm, centre_sample_sd_mm : float
        SD of that displacement over writers and over samples. Writers see the array and keep
        the digit on it.
    """

    film_spread_mm: float = 0.33
    activation_kpa: float = 40.0
    floor_kpa: float = 15.0
    response: Literal["log", "linear"] = "log"
    threshold: float = 0.2
    threshold_mismatch: float = 0.1
    gain_mismatch: float = 0.2
    gain_slope: tuple[float, float] = (0.0, 0.0)
    device_seed: int = 2005
    vibration: float = 0.15
    refractory_us: float = 3272.0
    delay_us: float = 6.0
    on_repeats: float = 4.46
    off_repeats: float = 3.2
    repeats_spread: float = 0.15
    onset_polarity: int = -1
    noise_rate_hz: float = 0.03
    step_us: float = 500.0
    force_n: float = 1.0
    force_writer_sd: float = 0.3
    force_sample_sd: float = 0.15
    force_ramp_s: float = 0.015
    tremor: float = 0.1
    seconds_per_unit: float = 0.02
    pace: tuple[float, ...] = (1.0,) * 10
    pace_writer_sd: float = 0.4
    pace_sample_sd: float = 0.25
    slowing: float = 0.0
    lift_s: float = 0.08
    height_mm: float = 8.6
    height_sd: float = 0.06
    aspect: float = 1.0
    aspect_power: float = 0.6
    centre_mm: tuple[float, float] = (0.2, 0.6)
    centre_writer_sd_mm: float = 0.4
    centre_sample_sd_mm: float = 0.3

    def __post_init__(self):
        for name in ("pace", "centre_mm", "gain_slope"):
            object.__setattr__(self, name, tuple(float(v) for v in getattr(self, name)))
        if self.response not in ("log", "linear"):
            raise DataError(f"e-skin: response is {self.response!r}; choose 'log' or 'linear'")
        if self.onset_polarity not in (-1, 1):
            raise DataError(f"e-skin: onset_polarity is {self.onset_polarity!r}; choose -1 or 1")
        for name, length, what in (
            ("pace", 10, "one per digit"),
            ("centre_mm", 2, "down, right"),
            ("gain_slope", 2, "down, right"),
        ):
            values = getattr(self, name)
            if len(values) != length or not np.isfinite(values).all():
                raise DataError(f"e-skin: {name} is {values}; give {length} finite values ({what})")
        if not -1 < self.slowing < 1:
            raise DataError(f"e-skin: slowing is {self.slowing}; give a number between -1 and 1")
        zero_allowed = {
            "film_spread_mm", "threshold_mismatch", "gain_mismatch", "vibration", "delay_us",
            "refractory_us", "repeats_spread", "noise_rate_hz", "force_writer_sd",
            "force_sample_sd", "force_ramp_s", "tremor", "pace_writer_sd", "pace_sample_sd",
            "height_sd", "aspect_power", "centre_writer_sd_mm", "centre_sample_sd_mm",
            "device_seed",
        }  # fmt: skip
        for field in dataclasses.fields(self):
            if field.name in (
                "response",
                "onset_polarity",
                "centre_mm",
                "gain_slope",
                "slowing",
            ):
                continue
            values = np.atleast_1d(getattr(self, field.name)).astype(float)
            fine = values >= 0 if field.name in zero_allowed else values > 0
            if not (fine & np.isfinite(values)).all():
                least = "at least 0" if field.name in zero_allowed else "over 0"
                raise DataError(
                    f"e-skin: {field.name} is {getattr(self, field.name)}; give {least}"
                )

    def without_pace(self) -> "ESkinParameters":
        """Return these parameters with the same mean pace for all digits."""
        return dataclasses.replace(self, pace=(1.0,) * 10)

    def to_dict(self) -> dict[str, Any]:
        """Return the parameters as plain JSON values."""
        values = dataclasses.asdict(self)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ESkinParameters":
        """Rebuild from `to_dict`'s values; unknown keys raise DataError."""
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise DataError(f"e-skin: unknown parameters {unknown}; known are {sorted(known)}")
        return cls(**values)


@dataclasses.dataclass(frozen=True)
class Hand:
    """What one writer keeps from sample to sample.

    Attributes
    ----------
    force, pace : float
        Factors on pen force and writing time.
    centre_mm : tuple of 2 float
        Where the writer puts digits, relative to other writers (down, right).
    """

    force: float
    pace: float
    centre_mm: tuple[float, float]

    @classmethod
    def draw(cls, rng: np.random.Generator, parameters: ESkinParameters) -> "Hand":
        """Draw a writer's hand."""
        return cls(
            force=np.exp(rng.normal(0, parameters.force_writer_sd)),
            pace=np.exp(rng.normal(0, parameters.pace_writer_sd)),
            centre_mm=tuple(rng.normal(0, parameters.centre_writer_sd_mm, 2)),
        )


def taxel_mismatch(parameters, side=N_TAXELS):
    """Return (gain, threshold factor), two (side, side) arrays: the array's fixed imperfections."""
    rng = np.random.default_rng(parameters.device_seed)
    shape = (side, side)
    gain = np.exp(rng.normal(0, parameters.gain_mismatch, shape))
    off_centre_mm = (np.arange(side) - (side - 1) / 2) * PITCH_MM
    down, right = parameters.gain_slope
    gain *= np.exp(np.add.outer(down * off_centre_mm, right * off_centre_mm))
    threshold = np.exp(rng.normal(0, parameters.threshold_mismatch, shape))
    return gain, threshold


def place(trajectory, parameters, hand, rng):
    """Put a trajectory on the array.

    Parameters
    ----------
    trajectory : Trajectory
        In any unit of length.
    parameters : ESkinParameters
    hand : Hand
    rng : numpy Generator

    Returns
    -------
    Trajectory
        x and y in taxel pitches, x to the right and y *down*, 0 at the centre of the first
        taxel.
    """
    width, height, x_centre, y_centre = extent(trajectory)
    height = max(height, 1e-9)
    size = parameters.height_mm * np.exp(rng.normal(0, parameters.height_sd)) / PITCH_MM
    across = size * parameters.aspect * max(width / height, 0.02) ** parameters.aspect_power
    limit = N_TAXELS - TIP_DIAMETER_MM / PITCH_MM
    size, across = min(size, limit), min(across, limit)
    shift = np.array(parameters.centre_mm) + hand.centre_mm
    shift = (shift + rng.normal(0, parameters.centre_sample_sd_mm, 2)) / PITCH_MM
    middle = (N_TAXELS - 1) / 2
    free = (limit - np.array([size, across])) / 2
    down, right = middle + np.clip(shift, -free, free)
    return dataclasses.replace(
        trajectory,
        x=right + (trajectory.x - x_centre) * (across / max(width, 1e-9)),
        y=down - (trajectory.y - y_centre) * (size / height),
    )


def simulate(trajectory, digit, parameters, hand, rng):
    """Write a trajectory on the skin.

    Parameters
    ----------
    trajectory : Trajectory
        In any unit of length, with x to the right, y up, times at the mean pace.
    digit : int
        Which digit it is: selects ``parameters.pace``.
    parameters : ESkinParameters
    hand : Hand
        The writer.
    rng : numpy Generator
        Every draw comes from it.

    Returns
    -------
    (n_events,) structured array
        tonic's events, sorted, with t in microseconds from 0 to 2 s; x runs down the digit and
        y to the right.
    """
    placed = place(trajectory, parameters, hand, rng)
    pace = parameters.pace[digit] * hand.pace * np.exp(rng.normal(0, parameters.pace_sample_sd))
    longest_s = 0.95 * WINDOW_US * 1e-6  # who writes slower hurries up to stay in the window
    pace = min(pace, longest_s / placed.duration_s)
    placed = dataclasses.replace(placed, t_s=_slowed(placed.t_s, parameters.slowing))
    duration_s = placed.duration_s * pace
    step_s = parameters.step_us * 1e-6
    t_s = np.arange(int(duration_s / step_s) + 2) * step_s
    column, row, force = resample(dataclasses.replace(placed, t_s=placed.t_s * pace), t_s)
    level = parameters.force_n * hand.force * np.exp(rng.normal(0, parameters.force_sample_sd))
    tremor = np.sin(2 * np.pi * (rng.uniform(*TREMOR_HZ) * t_s + rng.random()))
    force = force * level * (1 + parameters.tremor * tremor)
    force *= _ramp(force > 0, step_s, parameters.force_ramp_s)
    first_s = rng.uniform(0.02, 0.99) * (WINDOW_US * 1e-6 - duration_s - 0.02)
    messages = _messages(parameters, row, column, force, first_s, rng)
    return _decode(*messages, parameters, rng)


def _slowed(t_s, slowing):
    """Stretch times so that each moment lasts 1 - slowing to 1 + slowing times as long."""
    total = t_s[-1]
    return t_s * (1 - slowing + slowing * t_s / total)


def _ramp(down, step_s, ramp_s):
    """Return a factor that rises from 0 at each pen-down and falls to 0 at each pen-up."""
    steps = ramp_s / step_s
    if steps < 1:
        return down.astype(np.float64)
    index = np.arange(len(down))
    since = index - np.maximum.accumulate(np.where(down, -1, index))
    until = np.minimum.accumulate(np.where(down, len(down), index)[::-1])[::-1] - index
    return np.clip(np.minimum(since, until) / steps, 0, 1)


def felt(
    parameters: ESkinParameters,
    row: np.ndarray,
    column: np.ndarray,
    force: np.ndarray,
    gain: np.ndarray,
) -> np.ndarray:
    """Pressure that each taxel feels of a pen on its way.

    Parameters
    ----------
    parameters : ESkinParameters
    row, column : (n_steps,) float arrays
        In taxel pitches, 0 at the centre of the first taxel.
    force : (n_steps,) float array
        Newton; 0 while the pen is up.
    gain : (n_rows, n_columns) float array
        Sensitivity of the taxels.

    Returns
    -------
    (n_steps, n_rows * n_columns) float array
        Kilopascal, times the gain.
    """
    # a disc of radius a has SD a / 2 along each axis
    sigma_mm = np.hypot(parameters.film_spread_mm, TIP_DIAMETER_MM / 4)
    peak_kpa = 1e3 / (2 * np.pi * sigma_mm**2)  # of 1 N; N per mm^2 is 1,000 kPa
    sigma, activation = sigma_mm / PITCH_MM, parameters.activation_kpa
    return compiled(pressures)(row, column, force, sigma, peak_kpa, activation, gain)


def electronics(parameters: ESkinParameters) -> LevelCrossing:
    """How the taxels turn what they feel into messages."""
    return LevelCrossing(
        threshold=parameters.threshold,
        refractory_us=parameters.refractory_us,
        vibration=parameters.vibration,
        delay_us=parameters.delay_us,
        reset="signal",
        response=parameters.response,
        floor=parameters.floor_kpa,
        activation=parameters.activation_kpa,
    )


def repeats(
    parameters: ESkinParameters, on: np.ndarray, spread: float, rng: np.random.Generator
) -> np.ndarray:
    """How many events the decoder makes of each message.

    Parameters
    ----------
    parameters : ESkinParameters
    on : (n_messages,) bool array
    spread : float
        Factor of this recording on the repeats of OFF.
    rng : numpy Generator

    Returns
    -------
    (n_messages,) int64 array
        At least 1.
    """
    mean = np.where(on, parameters.on_repeats, parameters.off_repeats * spread)
    return np.maximum((mean + rng.random(len(mean))).astype(np.int64), 1)


def _messages(parameters, row, column, force, first_s, rng):
    """What the electronics send of the pen's way: (time_s, row, column, rises)."""
    gain, factors = taxel_mismatch(parameters)
    field = felt(parameters, row, column, force, gain)
    memory = at_rest(np.zeros(factors.size), first_s)
    step_s = parameters.step_us * 1e-6
    time_s, taxel, rises = electronics(parameters).messages(
        field, rng, step_s, memory, factors.ravel()
    )
    return time_s, *np.divmod(taxel, N_TAXELS), rises


def _decode(time_s, row, column, rises, parameters, rng):
    """Add stray messages, repeat each message as the decoder does, and sort by time."""
    strays = rng.poisson(parameters.noise_rate_hz * N_TAXELS**2 * WINDOW_US * 1e-6)
    time_us = np.r_[time_s * 1e6, rng.uniform(0, WINDOW_US, strays)]
    row = np.r_[row, rng.integers(0, N_TAXELS, strays)]
    column = np.r_[column, rng.integers(0, N_TAXELS, strays)]
    on = np.r_[rises == (parameters.onset_polarity > 0), rng.random(strays) < 0.5]
    spread = np.exp(rng.normal(0, parameters.repeats_spread))
    times = repeats(parameters, on, spread, rng)
    order = np.argsort(time_us, kind="stable")
    order = order[time_us[order] < WINDOW_US]
    order = np.repeat(order, times[order])
    # the repeats of a message lie 16 ns apart (the oscilloscope's 62.5 MHz), which vanishes in
    # tonic's whole microseconds
    events = np.empty(len(order), EVENT_DTYPE)
    events["x"], events["y"] = row[order], column[order]
    events["t"] = time_us[order]
    events["p"] = on[order]
    return events


__all__ = [
    "SENSOR_SIZE",
    "WINDOW_US",
    "ESkinParameters",
    "Hand",
    "Trajectory",
    "electronics",
    "felt",
    "place",
    "repeats",
    "simulate",
    "taxel_mismatch",
]
