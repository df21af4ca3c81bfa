"""What a run says of a network, as plain numbers: one set for cards, reports, tables, sweeps."""

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from nengo_tactile.analysis.accuracy import latency_step
from nengo_tactile.analysis.activity import cost_until, layer_activity, passed_on_synops
from nengo_tactile.analysis.energy import energies_of_ann, energy_of_recording
from nengo_tactile.analysis.neurobench import beside_quantised, neurobench
from nengo_tactile.networks.targets import Targets, targets_of

if TYPE_CHECKING:
    from nengo_tactile.engines.recording import Recording
    from nengo_tactile.networks.protocol import Network


@dataclasses.dataclass(frozen=True)
class Measured:
    """A network's run on labelled samples.

    Attributes
    ----------
    recording : Recording
    labels : (n_samples, ...) array
        Or values, of a regression: see `nengo_tactile.networks.targets`.
    x : samples, optional
        What the network was shown; what NeuroBench counts depends on it.
    """

    recording: "Recording"
    labels: np.ndarray
    x: Any = None

    @property
    def targets(self) -> Targets:
        """What the network should answer."""
        return targets_of(self.recording.read_out, self.labels)

    @functools.cached_property
    def curve(self) -> np.ndarray:
        """Accuracy, or error of values, after each step, (n_steps,)."""
        return self.targets.curve(self.recording)

    @property
    def accuracy(self) -> float:
        """Accuracy after the last step."""
        return float(self.recording.accuracy(self.labels)[-1])

    @functools.cached_property
    def latency_step(self) -> int:
        """See `nengo_tactile.analysis.latency_step`."""
        targets = self.targets
        return latency_step(targets.score(self.curve), n_samples=targets.n_counted)

    def numbers(self, network: "Network") -> dict[str, Any]:
        """Plain numbers for JSON: of accuracy, or for values of the error.

        Energies on the chip are there only where something ran on it: see
        `nengo_tactile.analysis.energy_of_recording`; NeuroBench's metrics and the arithmetic
        beside a quantised network's only with ``x``, of networks that are a graph: see
        `nengo_tactile.analysis.neurobench`.

        Parameters
        ----------
        network : Network
            That ran.
        """
        what, step = self.targets.what, self.latency_step
        cost, whole = cost_until(self.recording, step), cost_until(self.recording)
        return {
            "engine": self.recording.engine,
            "n_test": len(self.labels),
            "n_steps": self.recording.n_steps,
            what: float(self.curve[-1]),
            f"{what}_over_time": [float(value) for value in self.curve],
            "latency_step": step,
            "spikes_to_latency": cost.spikes,
            "unit_spikes_to_latency": cost.unit_spikes,
            "synops_to_latency": cost.synops,
            "spikes": whole.spikes,
            "unit_spikes": whole.unit_spikes,
            "synops": whole.synops,
            "passed_on_synops": passed_on_synops(self.recording),
            "relays": list(network.relays),
            "ann_multiplications": network.ann_multiplications,
            **self._energy(network),
            **self._neurobench(network),
            "layers": [activity.row() for activity in layer_activity(self.recording)],
        }

    def _energy(self, network):
        if not self.recording.chip_neurons:
            return {}
        chip, multiplications = energy_of_recording(self.recording), network.ann_multiplications
        ann = [] if multiplications is None else energies_of_ann(multiplications)
        return {
            "chip_synops": chip.synops,
            "chip_neuron_updates": chip.neuron_updates,
            "chip_joules_rough": chip.joules,
            "ann_joules_rough": {each.device.name: each.joules for each in ann},
        }

    def _neurobench(self, network):
        if self.x is None or getattr(network, "graph", None) is None:
            return {}
        metrics = neurobench(network, self.recording, self.x)
        beside = beside_quantised(
            1 - metrics["activation_sparsity"],
            self.recording.n_steps,
            network.ann_multiplications,
            metrics["synaptic_operations"],
        )
        return {"neurobench": metrics, "beside_quantised": beside}
