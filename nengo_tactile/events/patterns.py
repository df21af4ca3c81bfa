"""Event patterns of the SKIM paper: signed counts of events per channel and time step.

The equations are those of [1]_, section 2. The paper writes a pattern as I(channel, step); here
time comes first, as in all arrays of this package.

References
----------
.. [1] G. Cohen, G. Orchard, S.-H. Leng, J. Tapson, R. Benosman, A. van Schaik, "Skimming digits:
   neuromorphic classification of spike-encoded images", Front. Neurosci. 10:184, 2016.
"""

import dataclasses
import numbers
from collections.abc import Iterable

import numpy as np

from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import check_events
from nengo_tactile.events.clocks import late_event
from nengo_tactile.events.labelled import named, recordings_of
from nengo_tactile.events.sparse import SpikeSamples
from nengo_tactile.events.sparse_build import collected

STEP_US = 1000  # alpha of equation 3
RECORDING_STEPS = 315  # "a pattern length of 315 ms is sufficient", section 2
TAIL_STEPS = 45  # "appending an additional 45 ms", section 2
SENSOR_SIZE = (34, 34, 2)  # N-MNIST


@dataclasses.dataclass(frozen=True)
class PatternLayout:
    """How events become a pattern. The defaults are the paper's.

    Parameters
    ----------
    sensor_size : tuple of int
        (width, height, ...) as in tonic.
    down_sampling : int
        Beta of equation 2: so many pixels along x and along y share a channel. Where it does
        not divide the sensor, the last channels of a row or column cover fewer pixels.
    step_us : int
        Alpha of equation 3: width of a time step in microseconds.
    recording_steps : int
        Steps for the events.
    tail_steps : int
        Steps after them, in which a network is trained and read. An event may still fall into
        them: some of N-MNIST's recordings last 0.1 ms longer than 315 ms.
    separate_polarities : bool
        Give OFF events channels of their own, behind those of ON events, where they count 1 like
        these. By default both share a channel and take each other away (equation 4).

    Raises
    ------
    DataError
        For values that are no whole numbers over 0 (``tail_steps`` may be 0).
    """

    sensor_size: tuple[int, ...] = SENSOR_SIZE
    down_sampling: int = 1
    step_us: int = STEP_US
    recording_steps: int = RECORDING_STEPS
    tail_steps: int = TAIL_STEPS
    separate_polarities: bool = False

    def __post_init__(self):
        object.__setattr__(self, "sensor_size", tuple(self.sensor_size))
        if len(self.sensor_size) < 2:
            raise DataError(f"pattern: sensor_size is {self.sensor_size}; give (width, height, 2)")
        values = {"width": self.sensor_size[0], "height": self.sensor_size[1]}
        for name in ("down_sampling", "step_us", "recording_steps", "tail_steps"):
            values[name] = getattr(self, name)
        for name, value in values.items():
            least = 0 if name == "tail_steps" else 1
            if not isinstance(value, numbers.Integral) or value < least:
                raise DataError(
                    f"pattern: {name} is {value!r}; give a whole number of at least {least}"
                )

    @property
    def columns(self) -> int:
        """Channels along x."""
        return -(-self.sensor_size[0] // self.down_sampling)

    @property
    def rows(self) -> int:
        """Channels along y."""
        return -(-self.sensor_size[1] // self.down_sampling)

    @property
    def n_channels(self) -> int:
        """Number of channels: rows times columns, twice that with separate polarities."""
        return self.rows * self.columns * (1 + self.separate_polarities)

    @property
    def duration_us(self) -> float:
        """Length of a recording in microseconds, without the tail."""
        return self.recording_steps * self.step_us

    @property
    def n_steps(self) -> int:
        """Length of a pattern in steps: 360 by default."""
        return self.recording_steps + self.tail_steps

    def batch(self, recordings: Iterable, progress: bool | None = None) -> SpikeSamples:
        """Turn recordings into patterns, sparse ones.

        Parameters
        ----------
        recordings : data set, list, or iterable of event arrays
            See `nengo_tactile.events.labelled.recordings_of`.
        progress : bool, optional
            Show a bar; by default on a terminal.

        Returns
        -------
        SpikeSamples
            Of shape (n_channels,), with signed counts; with labels, where the recordings have them.

        Raises
        ------
        DataError
            As `pattern_entries`.
        """
        recordings = recordings_of(recordings, progress, self.sensor_size[:2])
        entries = (self._entries(events, name) for name, events in named(recordings))
        step = (self.n_channels,), self.step_us, self.n_steps
        samples = collected(entries, *step, counts=np.int16)
        return dataclasses.replace(samples, labels=getattr(recordings, "labels", None))

    def _entries(self, events, name):
        steps, channels, values = pattern_entries(events, self, name)
        most = int(np.abs(values).max(initial=0))
        if most > np.iinfo(np.int16).max:
            raise DataError(
                f"{name}: {most} events on a channel in one step, {np.iinfo(np.int16).max} are "
                "kept: give a smaller step_us"
            )
        return steps, channels, values, self.n_steps


def channels_of(x, y, layout):
    """Map addresses to channels (equation 2): column + columns * row, after down-sampling.

    Parameters
    ----------
    x, y : int arrays
        Addresses from 0, inside the sensor.
    layout : PatternLayout

    Returns
    -------
    int64 array
        0 to ``layout.n_channels`` - 1.
    """
    column = np.asarray(x, np.int64) // layout.down_sampling
    row = np.asarray(y, np.int64) // layout.down_sampling
    return column + layout.columns * row


def steps_of(t_us, layout):
    """Map times to steps (equation 3): division and floor.

    Parameters
    ----------
    t_us : int array
        Microseconds from the start of the recording.
    layout : PatternLayout

    Returns
    -------
    int64 array
    """
    return np.asarray(t_us, np.int64) // layout.step_us


def pattern_entries(
    events: np.ndarray, layout: PatternLayout | None = None, source: str = "events"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Accumulate the polarity of events per step and channel (equation 4), as a sparse pattern.

    Parameters
    ----------
    events : (n_events,) structured array
        Fields x, y, t (microseconds), p; an ON event counts 1, an OFF event -1 (see the layout).
    layout : PatternLayout, optional
        By default the paper's for N-MNIST.
    source : str
        What errors call the recording.

    Returns
    -------
    steps, channels : (n_entries,) int64 arrays
        In order of steps, then of channels; each pair comes once.
    values : (n_entries,) int64 array
        Sums of polarities, none of them 0.

    Raises
    ------
    DataError
        For an empty recording, events outside the sensor, negative times, times that decrease,
        or events after the end of the pattern.
    """
    layout = layout or PatternLayout()
    events = check_events(events, layout.sensor_size, source)
    if len(events) == 0:
        raise DataError(
            f"{source}: the recording holds 0 events, wanted at least 1: leave it out, because "
            "a network can learn nothing from it"
        )
    steps = steps_of(events["t"], layout)
    if steps[-1] >= layout.n_steps:
        late = int(np.argmax(steps >= layout.n_steps))
        end = f"the pattern of {layout.n_steps} steps of {layout.step_us} us"
        remedy = "raise recording_steps, or cut the recording first"
        raise late_event(events, late, source, end, remedy)
    place = steps * layout.n_channels + channels_of(events["x"], events["y"], layout)
    off = ~events["p"]
    if layout.separate_polarities:
        place += off * (layout.rows * layout.columns)
        polarity = np.ones(len(events), np.int64)
    else:
        polarity = np.where(off, -1, 1)
    places, inverse = np.unique(place, return_inverse=True)
    values = np.zeros(len(places), np.int64)
    np.add.at(values, inverse, polarity)
    kept = values != 0
    steps, channels = np.divmod(places[kept], layout.n_channels)
    return steps, channels, values[kept]


def event_pattern(
    events: np.ndarray, layout: PatternLayout | None = None, source: str = "events"
) -> np.ndarray:
    """Accumulate the polarity of events per step and channel (equation 4).

    Parameters
    ----------
    events : (n_events,) structured array
    layout : PatternLayout, optional
    source : str
        As for `pattern_entries`.

    Returns
    -------
    (n_steps, n_channels) float32 array
        Whole numbers.

    Raises
    ------
    DataError
        As `pattern_entries`.
    """
    layout = layout or PatternLayout()
    steps, channels, values = pattern_entries(events, layout, source)
    pattern = np.zeros((layout.n_steps, layout.n_channels), np.float32)
    pattern[steps, channels] = values
    return pattern
