"""What sigma-delta networks tell beyond a `Recording`: who sent what, and the read-out by cost."""

import dataclasses

import numpy as np

from nengo_tactile.engines.recording import Recording
from nengo_tactile.errors import DataError
from nengo_tactile.networks.read_out import ReadOut


@dataclasses.dataclass(frozen=True)
class Trace:
    """The read-out after each spike that changed it, with what had been spent until then.

    A sample's first row is its beginning. Rows of a sample follow one another.

    Attributes
    ----------
    sample : (n_rows,) int array
    time : (n_rows,) float array
        When the input arrived that led to it: in `DelayCoding`'s unit of time, or in steps.
    outputs : (n_rows, n_outputs) float array
    spikes, synops : dict of str to (n_rows,) int array
        Spikes of each layer handled so far, and their synaptic operations.
    read_out : ReadOut
        How outputs decide.
    """

    sample: np.ndarray
    time: np.ndarray
    outputs: np.ndarray
    spikes: dict
    synops: dict
    read_out: ReadOut

    def of(self, sample):
        """The rows of one sample."""
        return self._rows(self.sample == sample)

    def _rows(self, rows):
        return Trace(
            self.sample[rows],
            self.time[rows],
            self.outputs[rows],
            {name: values[rows] for name, values in self.spikes.items()},
            {name: values[rows] for name, values in self.synops.items()},
            self.read_out,
        )

    def accuracy(self, labels, spent, grid):
        """Accuracy if every sample was read when it had spent so much (paper, Figures 3 and 4).

        Parameters
        ----------
        labels : (n_samples,) int array
            Or as `Recording.accuracy` takes them.
        spent : (n_rows,) array
            What each row had spent, growing within a sample: ``trace.time``, or spikes or synaptic
            operations of some layers, or of all.
        grid : (n,) array
            Where accuracy is wanted.

        Returns
        -------
        (n,) float array

        Raises
        ------
        DataError
            If there is not one label for each sample, or not one number for each row.
        """
        labels, spent = np.atleast_1d(labels), np.asarray(spent)
        firsts = np.flatnonzero(np.diff(self.sample, prepend=-1))
        if len(labels) != len(firsts) or spent.shape != self.sample.shape:
            raise DataError(
                f"labels have shape {labels.shape} and spent {spent.shape}, the trace has "
                f"{len(firsts)} samples and {len(self.sample)} rows: give one label for each "
                "sample and one number for each row"
            )
        right = self.read_out.right(self.outputs, labels[self.sample])
        gained = np.diff(right, prepend=0)
        gained[firsts] = 0
        order = np.argsort(spent, kind="stable")
        sums = np.concatenate([[0], np.cumsum(gained[order])])
        reached = np.searchsorted(spent[order], grid, side="right")
        return (right[firsts].sum() + sums[reached]) / len(firsts)

    @staticmethod
    def concatenate(traces):
        """Join the traces of consecutive minibatches into one."""
        firsts = np.cumsum([0, *(int(one.sample[-1]) + 1 for one in traces)])
        shifted = [one.sample + first for one, first in zip(traces, firsts)]
        return Trace(
            np.concatenate(shifted),
            np.concatenate([one.time for one in traces]),
            np.concatenate([one.outputs for one in traces]),
            _joined([one.spikes for one in traces]),
            _joined([one.synops for one in traces]),
            traces[0].read_out,
        )


@dataclasses.dataclass(frozen=True)
class SpikeRecording(Recording):
    """A `Recording` of a sigma-delta network that ran spike by spike.

    Attributes
    ----------
    sent : dict of str to (n_samples, n_neurons) int array
        Positive less negative spikes of each neuron of each layer of neurons, in all: the quantised
        potential, in thresholds.
    trace : Trace or None
    """

    sent: dict
    trace: Trace | None = None

    @staticmethod
    def concatenate(recordings):
        """Join the recordings of consecutive minibatches into one."""
        recordings = list(recordings)
        joined = Recording.concatenate(recordings)
        if len(recordings) == 1:
            return recordings[0]
        traces = [recording.trace for recording in recordings if recording.trace is not None]
        return SpikeRecording(
            **vars(joined),
            sent=_joined([recording.sent for recording in recordings]),
            trace=Trace.concatenate(traces) if traces else None,
        )


def _joined(parts):
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
