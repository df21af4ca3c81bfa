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
.. [3] M. Horowitz, "Computing's Energy Problem (and what we can do about it)", ISSCC 2014,
   pp. 10-14, Figure 1.1.9: at 45 nm and 0.9 V a 32-bit floating-point multiplication takes
   3.7 pJ, an addition 0.9 pJ.
"""

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from nengo_tactile.analysis.activity import checked_step
from nengo_tactile.errors import DataError

if TYPE_CHECKING:
    from nengo_tactile.engines.recording import Recording

# Joules, all from [1] Table 2
LOIHI_SYNOP = 23.6e-12
LOIHI_TILE_HOP = (3.0e-12 + 4.0e-12) / 2  # mean of east-west and north-south
LOIHI_NEURON_UPDATE = 81e-12  # active; an inactive one takes 52e-12
MULTIPLY_ADD = 3.7e-12 + 0.9e-12  # from [3]
#: What runs the ANN beside a chip: see `energies_of_ann`.
BESIDE = ("gpu", "arithmetic")

ENERGY_NOTE = (
    "A rough estimate: published energies per operation times counted operations, not a "
    "measurement. Of Loihi it counts neurons and synapses on the chip alone: layers on the host "
    "and the read-out there are left out, as are static power, input and output, "
    "synchronisation between cores and off-chip traffic. Every synaptic operation "
    "is charged one tile hop and every neuron update the active price, which is too much; "
    "the minimum energy per synaptic operation is used, which is too little."
)
ANN_NOTE = (
    "Where nothing spikes every weight that is not zero is multiplied once a sample: on a GPU at "
    "its peak efficiency in large batches; as arithmetic alone, without any memory."
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

#: Name -> published energies per operation, each with its source.
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
        Device(
            "arithmetic",
            MULTIPLY_ADD,
            MULTIPLY_ADD,
            False,
            "Horowitz 2014, ISSCC, Figure 1.1.9 (45 nm, 32-bit floating point: 3.7 pJ a "
            "multiplication, 0.9 pJ an addition; no memory)",
        ),
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
    """Estimate the energy on the chip of a presentation that ran there.

    Parameters
    ----------
    recording : Recording
        Of an engine with a chip, or its emulator: only that knows what lies on it.
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
        If nothing of it ran on a chip, the step is out of range, or the device is unknown or does
        not spike.
    """
    if not recording.chip_neurons:
        raise DataError(
            f"the recording is of the engine {recording.engine!r}, where nothing runs on a chip: "
            "take one of engine='loihi'"
        )
    step = checked_step(recording, step)
    synops = sum(
        float(series[:, :step].sum(axis=1).mean())
        for series in recording.chip_synops_over_time.values()
    )
    estimate = energy_per_inference(synops, recording.chip_neurons * step, device)
    if not estimate.device.spiking:
        raise DataError(
            f"the device {estimate.device.name!r} does not spike: give the "
            "multiplications of one forward pass to energy_per_inference instead"
        )
    return estimate


def energies_of_ann(multiplications: float) -> list[EnergyEstimate]:
    """The energy of a network of rates for one sample, where every weight is multiplied once.

    Parameters
    ----------
    multiplications : float
        Of one forward pass.

    Returns
    -------
    list of EnergyEstimate
        On each device of `BESIDE`.
    """
    return [energy_per_inference(multiplications, 0, device) for device in BESIDE]


def joules_text(joules: float) -> str:
    """An energy in the unit in which it has one to three digits before the point.

    Examples
    --------
    >>> joules_text(1.1308e-5), joules_text(0)
    ('11.3 \N{MICRO SIGN}J', '0 J')
    """
    units = ((1.0, "J"), (1e-3, "mJ"), (1e-6, "\N{MICRO SIGN}J"), (1e-9, "nJ"), (1e-12, "pJ"))
    for unit, name in units:
        if joules >= 0.9995 * unit or (joules and name == "pJ"):  # what rounds to 1 of it, too
            digits = max(0, 2 - math.floor(math.log10(joules / unit * 1.0005)))
            return f"{joules / unit:.{digits}f} {name}"
    return "0 J"
