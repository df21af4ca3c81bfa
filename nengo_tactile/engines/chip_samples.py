"""Samples on the chip's integers: run side by side, and what is recorded of them."""

import dataclasses

import numpy as np
import scipy.sparse

from nengo_tactile.engines.batches import side_by_side
from nengo_tactile.engines.chip_kernel import (
    Q_BITS,
    U_BITS,
    Spikes,
    State,
    advance,
    gather,
    tally,
)
from nengo_tactile.engines.recording import Recording
from nengo_tactile.errors import EngineError
from nengo_tactile.lazy import compiled, compiled_inner
from nengo_tactile.progress import track

#: Spikes that a thread has room for at first, in steps in which every neuron fires.
_ROOM = 8
#: What nengo-loihi calls the registers that can overflow, in the order in which it looks at them.
_REGISTERS = (("q0", Q_BITS), ("current", U_BITS), ("u2", U_BITS))


class Memory:
    """What a thread needs for itself: a sample's state, and room for its spikes.

    Parameters
    ----------
    layout : nengo_tactile.engines.chip_program.Layout
    """

    def __init__(self, layout):
        n, self.layout = layout.n_compartments, layout
        spiked = np.zeros(n, np.uint8)
        self.state = State(
            *(np.zeros(n, np.int32) for _ in range(4)),
            spiked,
            spiked.view(np.uint64),
            np.zeros(layout.n_senders, np.int32),
            *(np.zeros(1, np.int64) for _ in range(2)),
            np.zeros(1, np.uint8),
        )
        self._room = _ROOM * max(layout.n_senders, 1)
        self._senders = np.zeros(0, np.int32)

    @property
    def stop(self):
        """Set its first number to end the run."""
        return self.state.stop

    def rest(self):
        """Put everything to time zero."""
        for values in (*self.state[:5], self.state.n_sent, self.state.steps):
            values[...] = 0

    def run(self, shown, n_steps, what="", remedy=""):
        """Go on for some steps.

        Parameters
        ----------
        shown : Spikes
            What the host sends at each.
        n_steps : int
        what, remedy : str
            Which sample it is and what to do, told where a register overflows.

        Returns
        -------
        Spikes
            Valid until the next call.

        Raises
        ------
        EngineError
            If a register overflows.
        """
        parts, done = [], 0
        while not self.stop[0]:
            if len(self._senders) < self._room:
                self._senders = np.zeros(self._room, np.int32)
            fired = Spikes(self._senders, np.zeros(n_steps - done + 1, np.int64))
            program, state = self.layout.program, self.state
            n, over = compiled_inner(advance)(program, state, shown, done, n_steps - done, fired)
            done += n
            if over:
                found = _overflow(self.layout, state, done)
                raise EngineError(overflow_told(f"{what}{found}", remedy))
            if done == n_steps and not parts:
                return fired
            parts.append((self._senders[: fired.ends[n]].copy(), np.diff(fired.ends[: n + 1])))
            if done == n_steps:
                break
            self._room *= 2
        senders, counts = zip(*parts) if parts else ([np.zeros(0, np.int32)], [[]])
        counts = np.concatenate([np.zeros(1, np.int64), *counts]).astype(np.int64)
        ends = np.full(n_steps + 1, counts.sum())
        ends[: len(counts)] = np.cumsum(counts)
        return Spikes(np.concatenate(senders), ends)


def spikes_of(raster, first):
    """The spikes of numbers that are not zero, (n_steps, n_neurons), of senders from ``first``."""
    steps, senders = np.nonzero(raster)
    ends = np.searchsorted(steps, np.arange(len(raster) + 1))
    return Spikes((senders + first).astype(np.int32), ends.astype(np.int64))


def joined(parts, n_steps):
    """The spikes of several, step by step.

    Parameters
    ----------
    parts : list of Spikes
    n_steps : int
    """
    steps = [np.repeat(np.arange(n_steps), np.diff(part.ends)) for part in parts]
    steps = np.concatenate([np.zeros(0, int), *steps])
    senders = [part.senders[: part.ends[-1]] for part in parts]
    senders = np.concatenate([np.zeros(0, np.int32), *senders])
    order = np.argsort(steps, kind="stable")
    return Spikes(senders[order], np.searchsorted(steps[order], np.arange(n_steps + 1)))


def raster_of(fired, n_steps, where):
    """(n_steps, n_neurons) bool array of the senders of a slice."""
    steps = np.repeat(np.arange(n_steps), np.diff(fired.ends[: n_steps + 1]))
    senders = fired.senders[: len(steps)]
    mine = (senders >= where.start) & (senders < where.stop)
    result = np.zeros((n_steps, where.stop - where.start), bool)
    result[steps[mine], senders[mine] - where.start] = True
    return result


def overflow_told(where, remedy):
    """What to say of a register that overflowed somewhere."""
    return (
        f"{where}: more current arrives at a neuron than Loihi's registers hold ({Q_BITS} bits of "
        f"input, {U_BITS} bits of current), and it would wrap around; {remedy}"
    )


def _overflow(layout, state, n_done):
    """In words where a register overflows in the step after so many."""
    held = state.arriving, state.current, state.current.astype(np.int64) + layout.program.bias
    for (name, bits), values in zip(_REGISTERS, held):
        over = np.flatnonzero((values < -(1 << bits)) | (values >= 1 << bits))
        if len(over):
            first = over[layout.numbers[over].argmin()]
            return f"step {n_done + 1}: Overflow in {name}, {layout.place(first)}"
    raise EngineError(f"step {n_done + 1}: Overflow in no register: please report the network")


@dataclasses.dataclass(frozen=True)
class Readings:
    """What is recorded of a network on the chip.

    Attributes
    ----------
    layout : Layout
    lags : dict of str to int
        Steps by which each recorded layer's spikes are late.
    fan_out, chip_fan_out : dict of str to (n_neurons,) int array
        Synapses that leave each, and those onto the chip.
    settings : dict
        More for `Recording`.
    """

    layout: object
    lags: dict
    fan_out: dict
    chip_fan_out: dict
    settings: dict

    def record(self, n_samples, n_steps, memories, sample, rasters=0):
        """Run samples side by side.

        Parameters
        ----------
        n_samples, n_steps : int
            Steps that are recorded.
        memories : list of Memory
        sample : callable
            ``sample(index, memory)`` runs one; returns its spikes, how many steps they are, and
            its (n_steps, n_outputs) outputs.
        rasters : int
            Samples of which all spikes are kept.

        Returns
        -------
        Recording
        """
        where = {**self.layout.chip, **self.layout.host}
        n, names = self.layout.n_senders, list(self.lags)
        layers = np.full(n, len(names), np.int32)
        fans = np.zeros((2, n), np.int64)
        for row, name in enumerate(names):
            layers[where[name]] = row
            fans[:, where[name]] = self.fan_out[name], self.chip_fan_out[name]
        # a layer that is not recorded comes too late for any step
        lags = np.array([*self.lags.values(), np.iinfo(np.int32).max], np.int64)
        counts = np.zeros((n_samples, n), np.int32)
        sums = np.zeros((3, n_samples, len(names) + 1, n_steps), np.int64)
        outputs = [None] * n_samples
        kept = {
            name: np.zeros((min(rasters, n_samples), n_steps, len(self.fan_out[name])), np.uint16)
            for name in names
        }

        def some(first, last, memory):
            for index in range(first, last):
                fired, length, outputs[index] = sample(index, memory)
                if memory.stop[0]:
                    return
                about = layers, lags, *fans, counts[index], *sums[:, index]
                compiled(tally)(fired, length, *about)
                if index < rasters:
                    for name, lag in self.lags.items():
                        late = raster_of(fired, length, where[name])[lag:][:n_steps]
                        kept[name][index, : len(late)] = late

        side_by_side(n_samples, memories, some)
        of_layers = [{name: values[:, row] for row, name in enumerate(names)} for values in sums]
        spikes, synops, chip_synops = of_layers
        return Recording(
            np.stack(outputs),
            {name: counts[:, where[name]] for name in names},
            spikes,
            synops,
            chip_synops_over_time=chip_synops,
            engine="loihi",
            rasters=kept if rasters else {},
            **self.settings,
        )


def bring(fired, n_steps, matrix):
    """What senders bring to a population on the host at each step.

    Parameters
    ----------
    fired : Spikes
    n_steps : int
    matrix : (n_senders, n_targets) scipy.sparse.csr_matrix
        float64.

    Returns
    -------
    (n_steps, n_targets) float64 array
    """
    sums = np.zeros((n_steps, matrix.shape[1]))
    compiled(gather)(fired, n_steps, matrix.indptr, matrix.indices, matrix.data, sums)
    return sums


def compile_loops(layout, progress=None):
    """Compile what samples run, where it is not yet."""
    nothing = Spikes(np.zeros(0, np.int32), np.zeros(1, np.int64))
    ids, one = np.zeros(0, np.int64), np.zeros((0, 0), np.int64)
    for _ in track(range(1), "compiling the chip's steps, once", progress=progress):
        fired = Memory(layout).run(nothing, 0)
        compiled(tally)(
            fired, 0, ids.astype(np.int32), *[ids] * 3, ids.astype(np.int32), *[one] * 3
        )
        bring(fired, 0, scipy.sparse.csr_matrix((0, 0)))


__all__ = [
    "Memory",
    "Readings",
    "bring",
    "compile_loops",
    "joined",
    "raster_of",
    "spikes_of",
]
