"""Rough energy per inference from published energies per operation.

References
----------
.. [1] M. Davies et al., "Loihi: A Neuromorphic Manycore Processor with On-Chip Learning",
   IEEE Micro 38(1), 2018, Table 2 (simulated figures): synaptic spike operation 23.6 pJ
   (minimum), neuron update 81 pJ active and 52 pJ inactive, spike within a tile 1.7 pJ,
   tile hop 3.0 pJ east-west and 4.0 pJ north-south.
.. [2] B. Degnan, B. Marr, J. Hasler, "Assessing Trends in Performance per Watt for Signal
   Processing Applications", IEEE Trans. VLSI Systems 24(1), 2016: energy per
   multiply-accumulate of a CPU (Intel i7-4960X), a GPU (Nvidia GTX Titan Black) and an
   ARM Cortex-A, as used by keras-spiking's ModelEnergy.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

from nengo_tactile.analysis.activity import cost_until
from nengo_tactile.errors import DataError

if TYPE_CHECKING:
    from nengo_tactile.engines.recording import Recording

# Joules, all from [1] Table 2
LOIHI_SYNOP = 23.6e-12
LOIHI_TILE_HOP = (3.0e-12 + 4.0e-12) / 2  # mean of east-west and north-south
LOIHI_NEURON_UPDATE = 81e-12  # active; an inactive one takes 52e-12

ENERGY_NOTE = (
    "A rough estimate: published energies per operation times counted operations, not a "
    "measurement. It leaves out static power, input and output, the host computer, "
    "synchronisation between cores and off-chip traffic. On Loihi every synaptic operation "
    "is charged one tile hop and every neuron update the active price, which is too much; "
    "the minimum energy per synaptic operation is used, which is too little. Spikes that are worth "
    "several, which Loihi has not, are charged as one each. The CPU, GPU "
    "and ARM figures take every multiply-accumulate at its peak efficiency in large batches."
)


@dataclasses.dataclass(frozen=True)
class Device:
    """Energy per operation of a device.

    Attributes
    ----------
    name : str
    joules_per_synop : float
        Energy of a synaptic operation, or of a multiply-accumulate where nothing spikes.
    joules_per_neuron_update : float
    spiking : bool
        True if only spikes cost synaptic operations. On the other devices the network runs
        as an ordinary one: every connection once per inference.
    source : str
    """

    name: str
    joules_per_synop: float
    joules_per_neuron_update: float
    spiking: bool
    source: str


_DEGNAN = "Degnan, Marr and Hasler 2016, IEEE Trans. VLSI Systems 24(1):58-66"

DEVICES = {
    device.name: device
    for device in (
        Device(
            "loihi",
            LOIHI_SYNOP + LOIHI_TILE_HOP,
            LOIHI_NEURON_UPDATE,
            True,
            "Davies et al. 2018, IEEE Micro 38(1):82-99, Table 2 (23.6 pJ per synaptic "
            "operation plus 3.5 pJ for one tile hop; 81 pJ per active neuron update)",
        ),
        Device("cpu", 8.6e-9, 8.6e-9, False, f"{_DEGNAN} (Intel i7-4960X)"),
        Device("gpu", 0.3e-9, 0.3e-9, False, f"{_DEGNAN} (Nvidia GTX Titan Black)"),
        Device("arm", 0.9e-9, 0.9e-9, False, f"{_DEGNAN} (ARM Cortex-A)"),
    )
}


@dataclasses.dataclass(frozen=True)
class EnergyEstimate:
    """Energy per inference on one device.

    Attributes
    ----------
    device : Device
    synops, neuron_updates : float
        Operations per inference.
    """

    device: Device
    synops: float
    neuron_updates: float

    @property
    def synop_joules(self) -> float:
        """Energy of the synaptic operations, in joules."""
        return self.synops * self.device.joules_per_synop

    @property
    def neuron_joules(self) -> float:
        """Energy of the neuron updates, in joules."""
        return self.neuron_updates * self.device.joules_per_neuron_update

    @property
    def joules(self) -> float:
        """Energy of both, in joules per inference."""
        return self.synop_joules + self.neuron_joules

    @property
    def note(self) -> str:
        """What the estimate leaves out; print it wherever the number is shown."""
        return ENERGY_NOTE

    def row(self) -> dict[str, Any]:
        """One row of a table, energies in joules."""
        return {
            "device": self.device.name,
            "synops": self.synops,
            "neuron_updates": self.neuron_updates,
            "synop_joules": self.synop_joules,
            "neuron_joules": self.neuron_joules,
            "joules": self.joules,
            "source": self.device.source,
        }


def energy_per_inference(
    synops: float, neuron_updates: float, device: str | Device = "loihi"
) -> EnergyEstimate:
    """Estimate the energy of one inference; rough, see :data:`ENERGY_NOTE`.

    Parameters
    ----------
    synops : float
        Synaptic operations per inference; on a device that does not spike, the number of
        multiply-accumulates of one forward pass.
    neuron_updates : float
        Neuron updates per inference: neurons times steps, or neurons once where nothing
        spikes.
    device : str or Device
        A name from :data:`DEVICES`, or one of your own.

    Returns
    -------
    EnergyEstimate

    Raises
    ------
    DataError
        If the device is unknown or a count is negative or NaN.
    """
    if not isinstance(device, Device):
        if device not in DEVICES:
            raise DataError(
                f"no energy figures for the device {device!r}: take one of "
                f"{', '.join(DEVICES)}, or give an analysis.energy.Device"
            )
        device = DEVICES[device]
    for name, value in (("synops", synops), ("neuron_updates", neuron_updates)):
        if not 0 <= value < float("inf"):
            raise DataError(f"{name} is {value}, wanted a finite count of zero or more")
    return EnergyEstimate(device, float(synops), float(neuron_updates))


def energy_of_recording(
    recording: "Recording", step: int | None = None, device: str | Device = "loihi"
) -> EnergyEstimate:
    """Estimate the energy of a recorded presentation on a spiking device.

    Parameters
    ----------
    recording : Recording
    step : int, optional
        Count up to this step (from 1); by default the whole presentation.
    device : str or Device
        A device that spikes.

    Returns
    -------
    EnergyEstimate
        Mean over the samples.

    Raises
    ------
    DataError
        If the step is out of range, or the device is unknown or does not spike.
    """
    cost = cost_until(recording, step)
    estimate = energy_per_inference(cost.synops, cost.neuron_updates, device)
    if not estimate.device.spiking:
        raise DataError(
            f"the device {estimate.device.name!r} does not spike: give the "
            "multiply-accumulates of one forward pass to energy_per_inference instead"
        )
    return estimate
