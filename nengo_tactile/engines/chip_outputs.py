"""The read-out on the host of what the chip sends, step by step, as nengo-loihi has it.

What a probe of the chip sums at step k is a value on the host at step k + 1. Where the host runs
after the chip (it sends nothing that waits for it), the first value is there at step 1 already, so
it counts twice.
"""

import numpy as np
import scipy.sparse
from scipy.signal import lfilter

from nengo_tactile.engines.chip_samples import bring


class HostReadOut:
    """The last stage of a network, a sum on the host.

    Parameters
    ----------
    graph : Graph
    layout : Layout
    precomputed : bool
        Whether the host runs after the chip.
    """

    def __init__(self, graph, layout, precomputed):
        stage = graph.stages[-1]
        self.graph, self.precomputed, self.links = graph, precomputed, []
        self._alone = self._arrived(np.zeros((1, *graph.input_shape)))
        for link in stage.links:
            if link.source in graph.constant:
                continue
            where = {**layout.chip, **layout.host}[link.source]
            weights = link.map.matrix().astype(float).tocoo()
            rows = weights.row if link.target is None else link.target[weights.row]
            entries = weights.data, (where.start + weights.col, rows)
            matrix = scipy.sparse.csr_matrix(entries, (layout.n_senders, stage.n_inputs))
            self.links.append((link, matrix, link.source in layout.chip))

    def constant(self, x):
        """What arrives at every step with each image, with the bias, (n_samples, n_outputs)."""
        values = self._alone
        if self.graph.stages[-1].name in self.graph.driven:
            values = self._arrived(x)
        return np.broadcast_to(values, (len(x), values.shape[1]))

    def _arrived(self, x):
        return self.graph.silent(x)[self.graph.stages[-1].name].astype(float)

    def at_rest(self):
        """Of each link what its last step brought, None before the first, and its filter."""
        return [[None, np.zeros((1, matrix.shape[1]))] for _, matrix, _ in self.links]

    def values(self, fired, n_steps, arrived, state=None):
        """The read-out after each step.

        Parameters
        ----------
        fired : Spikes
        n_steps : int
        arrived : (n_outputs,) float array
            Its row of `constant`.
        state : list, optional
            Of steps before, changed in place; by default `at_rest`.

        Returns
        -------
        (n_steps, n_outputs) float64 array
        """
        result = np.tile(arrived, (n_steps, 1))
        for (link, matrix, from_chip), held in zip(self.links, state or self.at_rest()):
            values = bring(fired, n_steps, matrix)
            if from_chip:
                first = held[0]
                if first is None:
                    first = values[:1] if self.precomputed else np.zeros_like(values[:1])
                held[0] = values[-1:]
                values = np.concatenate([first, values[:-1]])
            if link.low_pass is not None:
                kept = np.exp(-1 / link.low_pass) if link.low_pass else 0.0
                about = [0, 1 - kept], [1, -kept]
                values, held[1] = lfilter(*about, values, axis=0, zi=held[1])
            result += values
        return result
