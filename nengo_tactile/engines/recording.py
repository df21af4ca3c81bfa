"""What an engine measured: the read-out over time, spikes and synaptic operations."""

import dataclasses
import numbers
from collections.abc import Iterable
from typing import Any

import numpy as np

from nengo_tactile.errors import DataError
from nengo_tactile.networks.read_out import ReadOut


def units_of(values: np.ndarray) -> np.ndarray:
    """What spikes are worth, whatever their sign, in whole spikes; each that is sent at least one.

    Those of leaky neurons, and maxima of such, are worth parts of one.

    Parameters
    ----------
    values : array
        0 for no spike.

    Returns
    -------
    int array
    """
    size = np.abs(values)
    return np.maximum(np.floor(size + 0.5), size > 0).astype(np.int64)


@dataclasses.dataclass(frozen=True)
class Recording:
    """The result of running a spiking network on a set of samples.

    Attributes
    ----------
    outputs : (n_samples, n_steps, n_outputs) float32 array
        The read-out after each time step: what a reader who stops there would see.
    spike_counts : dict of str to (n_samples, n_neurons) int array
        Spikes of each neuron over the whole presentation, per spiking layer. One that stands for
        several is one. They are many: engines may give them in two bytes, where these suffice.
    spikes_over_time : dict of str to (n_samples, n_steps) int array
        Spikes of each layer in each time step, as packets: however much one is worth.
    synops_over_time : dict of str to (n_samples, n_steps) int array
        Synaptic operations that the spikes of each layer cause in each time step: every
        spike counts once per outgoing synapse (edges of padded convolutions counted exactly). And
        those of stages without neurons, which send what they have added up on, one value a step:
        see `nengo_tactile.networks.stages.Graph.fan_out`.
    dt : float
        Length of a time step in seconds.
    engine : str
        Which engine ran the network.
    units_over_time : dict of str to (n_samples, n_steps) int array
        What these spikes are worth, of either sign, in spikes of one: see `units_of`. By default
        ``spikes_over_time``, of networks whose spikes are all worth one.
    decisions : (n_samples, n_steps) int array or None
        The class chosen after each time step, of networks that do not choose the largest output.
    decision_margins : (n_samples, n_steps) float array or None
        How far these decisions are from another one, where they have such a measure.
    read_out : ReadOut or None
        What the outputs mean (see `nengo_tactile.networks.read_out`); None for outputs as they
        are.
    notes : tuple of str
        What the engine changed of the network, in words.
    chip_synops_over_time : dict of str to (n_samples, n_steps) int array
        Of the synaptic operations those at synapses that lie on a chip, by the layer that sends;
        empty where nothing ran on one (or on its emulator).
    chip_neurons : int
        Neurons that lie on it.
    rasters : dict of str to (n, n_steps, n_neurons) int array
        Spikes of each neuron at each step, of the first n samples, as many as were asked for; empty
        if none were.
    exit_steps : (n_samples,) int array or None
        After which step each sample was stopped, of runs with a ``margin``: its outputs stay as
        they were then, and nothing fires any more.
    """

    outputs: np.ndarray
    spike_counts: dict[str, np.ndarray]
    spikes_over_time: dict[str, np.ndarray]
    synops_over_time: dict[str, np.ndarray]
    dt: float
    engine: str
    # never None once it is made
    units_over_time: dict[str, np.ndarray] = dataclasses.field(
        default=None,  # type: ignore[arg-type]
        kw_only=True,
    )
    decisions: np.ndarray | None = dataclasses.field(default=None, kw_only=True)
    decision_margins: np.ndarray | None = dataclasses.field(default=None, kw_only=True)
    # never None once it is made
    read_out: ReadOut = dataclasses.field(default=None, kw_only=True)  # type: ignore[assignment]
    notes: tuple[str, ...] = dataclasses.field(default=(), kw_only=True)
    chip_synops_over_time: dict[str, np.ndarray] = dataclasses.field(
        default_factory=dict, kw_only=True
    )
    chip_neurons: int = dataclasses.field(default=0, kw_only=True)
    rasters: dict[str, np.ndarray] = dataclasses.field(default_factory=dict, kw_only=True)
    exit_steps: np.ndarray | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self):
        if self.read_out is None:
            object.__setattr__(self, "read_out", ReadOut.linear(self.outputs.shape[2:]))
        if self.units_over_time is None:
            object.__setattr__(self, "units_over_time", self.spikes_over_time)

    def __repr__(self):
        per_sample = max(self.n_samples, 1)
        spikes = sum(counts.sum() for counts in self.spikes_over_time.values()) / per_sample
        synops = sum(counts.sum() for counts in self.synops_over_time.values()) / per_sample
        return (
            f"Recording({self.n_samples:,} samples, {self.n_steps} steps of "
            f"{self.dt * 1000:g} ms on {self.engine}: {spikes:,.0f} spikes and {synops:,.0f} "
            f"synaptic operations a sample in {', '.join(self.spikes_over_time) or 'no layer'})"
        )

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return self.outputs.shape[0]

    @property
    def n_steps(self) -> int:
        """Number of time steps each sample was shown for."""
        return self.outputs.shape[1]

    @property
    def synops(self) -> dict[str, np.ndarray]:
        """Synaptic operations per sample, {layer: (n_samples,) int array}."""
        return {name: steps.sum(axis=1) for name, steps in self.synops_over_time.items()}

    def predictions(self) -> np.ndarray:
        """Decision after each step: see `ReadOut.decide`.

        Returns
        -------
        (n_samples, n_steps, *places) int array
            The winning class, (n_samples, n_steps), where there is one for a sample; of one
            output 0 or 1; of several sigmoids 0 or 1 for each; of a map the winner at each place.

        Raises
        ------
        DataError
            If the outputs tell no classes.
        """
        return self.read_out.decide(self.outputs) if self.decisions is None else self.decisions

    def margins(self) -> np.ndarray:
        """How far the decision after each step is from another one.

        Returns
        -------
        (n_samples, n_steps) float array
            Of outputs of which the largest wins, how much larger it is than the second: see
            `nengo_tactile.networks.read_out.ReadOut.margin`.

        Raises
        ------
        DataError
            For decisions without such a measure, and outputs that tell no classes.
        """
        if self.decisions is None:
            return self.read_out.margin(self.outputs)
        if self.decision_margins is None:
            raise DataError(
                "the recording's decisions are no largest outputs, which have a margin: only "
                "networks that are read by their outputs can be stopped early"
            )
        return self.decision_margins

    def predict(self, step: int = -1) -> np.ndarray:
        """What the Keras model's ``predict`` gives, as the spiking network reads it.

        Parameters
        ----------
        step : int
            After which step, from 0; by default the last.

        Returns
        -------
        (n_samples, *output_shape) float array
            Probabilities behind a softmax or sigmoid, else values.

        Raises
        ------
        DataError
            If there is no such step.
        """
        if isinstance(step, bool) or not isinstance(step, numbers.Integral):
            raise DataError(f"step is {step!r}: give a whole number")
        if not -self.n_steps <= step < self.n_steps:
            raise DataError(
                f"step is {step}, the recording has {self.n_steps} steps: give one from "
                f"{-self.n_steps} to {self.n_steps - 1}"
            )
        return self.read_out.apply(self.outputs[:, step])

    def accuracy(self, labels: np.ndarray) -> np.ndarray:
        """Accuracy if one stopped reading after each step.

        Parameters
        ----------
        labels : (n_samples,) int array
            The classes. Of one output 0 or 1 (a potential above 0, a probability above a half,
            is class 1); of several sigmoids (n_samples, n_outputs) of 0 and 1, each of which
            counts, as in Keras's binary accuracy; of a map (n_samples, height, width), each place
            of which counts.

        Returns
        -------
        (n_steps,) float array

        Raises
        ------
        DataError
            For labels that do not fit the outputs.
        """
        if self.decisions is None:
            return self.read_out.accuracy(self.outputs, labels)
        labels, _ = self.read_out.check_labels(labels, self.n_samples)
        return (self.decisions == labels[:, None]).mean(axis=0)

    def error(self, values: np.ndarray) -> np.ndarray:
        """Root mean square error if one stopped reading after each step, in the output's units.

        Parameters
        ----------
        values : (n_samples, *output_shape) array
            What `predict` should give; of one output (n_samples,) too.

        Returns
        -------
        (n_steps,) float array

        Raises
        ------
        DataError
            For values of another shape, or that are not finite.
        """
        values, shape = np.asarray(values, float), (self.n_samples, *self.read_out.output_shape)
        if self.read_out.is_single and values.shape == shape[:-1]:
            values = values.reshape(shape)
        if values.shape != shape:
            raise DataError(
                f"values have shape {values.shape}, the network gives {shape}: give one for each "
                "output and sample (accuracy(labels) takes class numbers)"
            )
        if not np.isfinite(values).all():
            index = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
            raise DataError(
                f"value {values[index]} at index {index}: errors need finite values; leave that "
                "sample out"
            )
        off = (self.predict(step) - values for step in range(self.n_steps))
        return np.array([np.sqrt(np.mean(each**2)) for each in off])

    def firing_rates(self) -> dict[str, np.ndarray]:
        """Mean firing rate of each neuron in hertz, {layer: (n_samples, n_neurons) array}."""
        seconds = self.n_steps * self.dt
        return {name: counts / seconds for name, counts in self.spike_counts.items()}

    @staticmethod
    def of_spikes(
        outputs: np.ndarray,
        fired: dict[str, np.ndarray],
        fan_out: dict[str, np.ndarray],
        rasters: int = 0,
        **settings: Any,
    ) -> "Recording":
        """A recording of what fired, {layer: (n_samples, n_steps, n_neurons) bool array}.

        ``rasters`` is how many samples keep all of that.
        """
        kept = {name: each[:rasters].astype(np.uint16) for name, each in fired.items()}
        return Recording(
            outputs,
            {name: spikes.sum(axis=1, dtype=np.int32) for name, spikes in fired.items()},
            {name: spikes.sum(axis=2, dtype=np.int64) for name, spikes in fired.items()},
            operations(fired, fan_out),
            rasters=kept if rasters else {},
            **settings,
        )

    def with_input(self, signal: np.ndarray, fan_out: np.ndarray) -> "Recording":
        """Also record what arrived as spikes of a layer "input".

        Parameters
        ----------
        signal : (n_samples, n_steps, n_inputs) array
            A spike wherever it is not zero.
        fan_out : (n_inputs,) int array
            Synapses that leave each input.
        """
        rasters = max(map(len, self.rasters.values()), default=0)
        told = {"dt": self.dt, "engine": self.engine}
        fired, leaving = {"input": signal != 0}, {"input": fan_out}
        new = Recording.of_spikes(self.outputs, fired, leaving, rasters, **told)
        names = (
            *("spike_counts", "spikes_over_time", "synops_over_time", "units_over_time"),
            "rasters",
        )
        layers: dict[str, Any] = {
            name: {**getattr(new, name), **getattr(self, name)} for name in names
        }
        return dataclasses.replace(self, **layers)

    @staticmethod
    def concatenate(recordings: "Iterable[Recording]") -> "Recording":
        """Join the recordings of consecutive minibatches into one."""
        recordings = list(recordings)
        if not recordings:
            raise DataError("no samples were run: give at least one sample")
        if len(recordings) == 1:
            return recordings[0]

        def join(name):
            parts = [getattr(recording, name) for recording in recordings]
            parts = [part for part in parts if part]  # of rasters only the first ones have some
            return {key: np.concatenate([part[key] for part in parts]) for key in dict(*parts[:1])}

        def optional(name):
            parts = [getattr(recording, name) for recording in recordings]
            return None if parts[0] is None else np.concatenate(parts)

        return Recording(
            outputs=np.concatenate([recording.outputs for recording in recordings]),
            spike_counts=join("spike_counts"),
            spikes_over_time=join("spikes_over_time"),
            synops_over_time=join("synops_over_time"),
            units_over_time=join("units_over_time"),
            chip_synops_over_time=join("chip_synops_over_time"),
            rasters=join("rasters"),
            chip_neurons=recordings[0].chip_neurons,
            dt=recordings[0].dt,
            engine=recordings[0].engine,
            notes=recordings[0].notes,
            decisions=optional("decisions"),
            decision_margins=optional("decision_margins"),
            read_out=recordings[0].read_out,
            exit_steps=optional("exit_steps"),
        )


def operations(fired, fan_out):
    """Synaptic operations in each step, {layer: (n_samples, n_steps) int array}.

    Parameters
    ----------
    fired : dict of str to (n_samples, n_steps, n_neurons) bool array
    fan_out : dict of str to (n_neurons,) int array
    """
    return {name: np.einsum("nti,i->nt", spikes, fan_out[name]) for name, spikes in fired.items()}


class ReadOutMean:
    """What a reader who stops after step t holds: the mean over the last of the steps 1 to t.

    Leaving out the first half drops the transient in which filtered spikes have not yet reached
    the last layer; averaging over the second smooths the spikes. Networks without filters have
    no such transient and need every spike.

    Parameters
    ----------
    discard : float
        Share of the steps that is left out at the beginning.
    """

    def __init__(self, discard=0.5):
        self.discard, self.n_steps = discard, 0
        # sums up to the steps from `first` on, of which means are still to be made
        self.first, self.sums = 0, np.zeros((1, 1, 1))

    def __call__(self, potentials):
        """The means after each of the next steps.

        Parameters
        ----------
        potentials : (n_samples, n_steps, n_outputs) array
            Of steps that follow those before.

        Returns
        -------
        (n_samples, n_steps, n_outputs) float32 array
        """
        n, n_steps, n_outputs = potentials.shape
        before = np.broadcast_to(self.sums, (n, self.sums.shape[1], n_outputs))
        sums = np.concatenate([before, potentials], axis=1, dtype=float)
        last = before.shape[1] - 1
        np.cumsum(sums[:, last:], axis=1, out=sums[:, last:])
        stop = self.n_steps + np.arange(1, n_steps + 1)
        start = np.floor(stop * self.discard).astype(int)
        early = sums[:, start - self.first] if self.discard else 0.0
        means = (sums[:, last + 1 :] - early) / (stop - start)[None, :, None]
        self.n_steps += n_steps
        kept = int(self.n_steps * self.discard) if self.discard else self.n_steps
        self.first, self.sums = kept, sums[:, kept - self.first :].copy()
        return means.astype(np.float32)


def read_out(potentials, discard=0.5):
    """The means of a whole run: see `ReadOutMean`."""
    return ReadOutMean(discard)(potentials)


def exit_levels(margin, n_steps):
    """Levels that the margin of a decision has to pass after each step.

    Parameters
    ----------
    margin : float or (n_steps,) array
    n_steps : int

    Returns
    -------
    (n_steps,) float array

    Raises
    ------
    DataError
        For what is no number from 0, or one for each step.
    """
    try:
        levels = np.asarray(margin, float)
    except (TypeError, ValueError):
        levels = np.array(np.nan)
    if isinstance(margin, bool) or levels.shape not in ((), (n_steps,)) or not (levels >= 0).all():
        raise DataError(
            f"margin is {margin!r}: give a number from 0, or one for each of {n_steps} steps"
        )
    return np.broadcast_to(levels, n_steps).copy()
