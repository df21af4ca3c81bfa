"""What an engine measured: the read-out over time, spikes and synaptic operations."""

import dataclasses

import numpy as np

from nengo_tactile.errors import DataError


@dataclasses.dataclass(frozen=True)
class Recording:
    """The result of running a spiking network on a set of samples.

    Attributes
    ----------
    outputs : (n_samples, n_steps, n_outputs) float32 array
        The read-out after each time step: what a reader who stops there would see.
    spike_counts : dict of str to (n_samples, n_neurons) int array
        Spikes of each neuron over the whole presentation, per spiking layer.
    spikes_over_time : dict of str to (n_samples, n_steps) int array
        Spikes of each layer in each time step.
    synops_over_time : dict of str to (n_samples, n_steps) int array
        Synaptic operations that the spikes of each layer cause in each time step: every
        spike counts once per outgoing synapse (edges of padded convolutions counted exactly).
    dt : float
        Length of a time step in seconds.
    engine : str
        Which engine ran the network.
    decisions : (n_samples, n_steps) int array or None
        The class chosen after each time step, of networks that do not choose the largest output.
    """

    outputs: np.ndarray
    spike_counts: dict
    spikes_over_time: dict
    synops_over_time: dict
    dt: float
    engine: str
    decisions: np.ndarray | None = dataclasses.field(default=None, kw_only=True)

    @property
    def n_samples(self):
        """Number of samples."""
        return self.outputs.shape[0]

    @property
    def n_steps(self):
        """Number of time steps each sample was shown for."""
        return self.outputs.shape[1]

    @property
    def synops(self):
        """Synaptic operations per sample, {layer: (n_samples,) int array}."""
        return {name: steps.sum(axis=1) for name, steps in self.synops_over_time.items()}

    def predictions(self):
        """Winning class after each step, (n_samples, n_steps) int array."""
        return self.outputs.argmax(axis=2) if self.decisions is None else self.decisions

    def accuracy(self, labels):
        """Accuracy if one stopped reading after each step, (n_steps,) float array."""
        labels = np.asarray(labels)
        if labels.shape != (self.n_samples,):
            raise DataError(
                f"labels have shape {labels.shape}, the recording holds {self.n_samples} samples: "
                "give one integer label per sample"
            )
        return (self.predictions() == labels[:, None]).mean(axis=0)

    def firing_rates(self):
        """Mean firing rate of each neuron in hertz, {layer: (n_samples, n_neurons) array}."""
        seconds = self.n_steps * self.dt
        return {name: counts / seconds for name, counts in self.spike_counts.items()}

    @staticmethod
    def concatenate(recordings):
        """Join the recordings of consecutive minibatches into one."""
        recordings = list(recordings)
        if not recordings:
            raise DataError("no samples were run: give at least one sample")

        def join(name):
            parts = [getattr(recording, name) for recording in recordings]
            return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

        return Recording(
            outputs=np.concatenate([recording.outputs for recording in recordings]),
            spike_counts=join("spike_counts"),
            spikes_over_time=join("spikes_over_time"),
            synops_over_time=join("synops_over_time"),
            dt=recordings[0].dt,
            engine=recordings[0].engine,
            decisions=None
            if recordings[0].decisions is None
            else np.concatenate([recording.decisions for recording in recordings]),
        )
