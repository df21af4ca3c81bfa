"""How busy the layers are: firing rates, silence, saturation, spikes, synaptic operations."""

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from nengo_tactile.errors import DataError

if TYPE_CHECKING:
    from nengo_tactile.engines.recording import Recording


@dataclasses.dataclass(frozen=True)
class LayerActivity:
    """Activity of one spiking layer over a recording.

    Rates and the two shares are taken over all pairs of sample and neuron, and over the
    whole presentation; spikes and synaptic operations are means per sample up to ``step``.

    Attributes
    ----------
    layer : str
    n_neurons : int
    mean_hz, percentile_hz, max_hz : float
        Mean, ``percentile``-th percentile and maximum of the firing rates, in hertz.
    percentile : float
        Which percentile, 99.9 unless asked otherwise.
    silent_share : float
        Fraction of pairs without a single spike.
    unused_share : float
        Fraction of neurons that stay silent on every sample.
    saturated_share : float
        Fraction of pairs that fire as fast as they can.
    spikes, unit_spikes, synops : float
        Spikes of the layer, what they are worth in spikes of one, and the synaptic operations
        they cause, per sample. Of graded spikes an operation is a multiplication too.
    step : int
        The step up to which these are counted.
    """

    layer: str
    n_neurons: int
    mean_hz: float
    percentile_hz: float
    max_hz: float
    percentile: float
    silent_share: float
    unused_share: float
    saturated_share: float
    spikes: float
    unit_spikes: float
    synops: float
    step: int

    def row(self) -> dict[str, Any]:
        """The attributes as a dict, one row of a table."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one presentation costs up to a step, over all layers.

    Attributes
    ----------
    step : int
        Number of steps counted.
    seconds : float
        The same in (simulated) seconds.
    spikes, unit_spikes, synops : float
        Mean spikes, what they are worth in spikes of one, and synaptic operations per sample.
    neuron_updates : int
        Neurons of the spiking layers times steps: on a clocked chip every neuron is
        updated in every step.
    """

    step: int
    seconds: float
    spikes: float
    unit_spikes: float
    synops: float
    neuron_updates: int

    def row(self) -> dict[str, Any]:
        """The attributes as a dict, one row of a table."""
        return dataclasses.asdict(self)


def checked_step(recording, step):
    """Number of steps to count, all of them by default."""
    if recording.n_samples == 0:
        raise DataError("the recording holds no samples: run the network on at least one")
    if step is None:
        return recording.n_steps
    if not 1 <= step <= recording.n_steps:
        raise DataError(
            f"step is {step}, the recording has {recording.n_steps} steps: "
            f"give a step from 1 to {recording.n_steps}"
        )
    return int(step)


def _saturation_count(recording, max_rate_hz):
    """Spikes over the presentation of a neuron that fires as fast as it can."""
    max_rate_hz = 1 / recording.dt if max_rate_hz is None else max_rate_hz
    seconds = recording.n_steps * recording.dt
    # the slack keeps 64 steps of 1 ms at 500 Hz at 32 spikes whatever the rounding
    count = math.floor(max_rate_hz * seconds + 1e-6)
    if count < 1:
        raise DataError(
            f"max_rate_hz is {max_rate_hz} and the presentation lasts {seconds} s: not one "
            "spike fits, so saturation cannot be seen; give a higher rate or more steps"
        )
    return count


def _per_layer(recording, name, layer):
    values = getattr(recording, name)
    if layer not in values:
        raise DataError(
            f"recording.{name} has no layer {layer!r}, only {sorted(values)}: "
            "the engine must record the same layers in spike_counts and over time"
        )
    return values[layer]


def layer_activity(
    recording: "Recording",
    max_rate_hz: float | dict[str, float] | None = None,
    percentile: float = 99.9,
    step: int | None = None,
) -> list[LayerActivity]:
    """Firing rates, silence, saturation and cost of each spiking layer.

    Parameters
    ----------
    recording : Recording
    max_rate_hz : float or dict of str to float, optional
        The rate at which a neuron counts as saturated, in hertz, for all layers or per
        layer; by default one spike per step, ``1 / recording.dt``. For a LIF neuron with a
        refractory time give ``1 / tau_ref``.
    percentile : float
        Percentile of the firing rates to report, in percent.
    step : int, optional
        Count spikes and synaptic operations up to this step (:func:`latency_step`);
        by default over the whole presentation.

    Returns
    -------
    list of LayerActivity
        In the order of the recording's layers.

    Raises
    ------
    DataError
        If there are no samples, the step or the percentile is out of range, a layer lacks
        its series over time or its rate, or the presentation is too short to tell saturation.
    """
    step = checked_step(recording, step)
    if not 0 <= percentile <= 100:
        raise DataError(f"percentile is {percentile}, wanted a number from 0 to 100")
    activities = []
    for layer, rates in recording.firing_rates().items():
        limit = max_rate_hz
        if isinstance(max_rate_hz, dict):
            if layer not in max_rate_hz:
                raise DataError(
                    f"max_rate_hz has no layer {layer!r}, only {sorted(max_rate_hz)}: "
                    "give a rate for every spiking layer, or one number for all"
                )
            limit = max_rate_hz[layer]
        counts = recording.spike_counts[layer]
        spikes, units, synops = (
            float(_per_layer(recording, f"{name}_over_time", layer)[:, :step].sum(axis=1).mean())
            for name in ("spikes", "units", "synops")
        )
        activities.append(
            LayerActivity(
                layer=layer,
                n_neurons=counts.shape[1],
                mean_hz=float(rates.mean()),
                percentile_hz=float(np.percentile(rates, percentile)),
                max_hz=float(rates.max()),
                percentile=float(percentile),
                silent_share=float((counts == 0).mean()),
                unused_share=float((counts == 0).all(axis=0).mean()),
                saturated_share=float((counts >= _saturation_count(recording, limit)).mean()),
                spikes=spikes,
                unit_spikes=units,
                synops=synops,
                step=step,
            )
        )
    return activities


def passed_on_synops(recording: "Recording") -> float:
    """Synaptic operations of a sample, on average, of what has no neurons and adds up."""
    sums = (n for name, n in recording.synops.items() if name not in recording.spike_counts)
    return float(sum(each.mean() for each in sums))


def cost_until(recording: "Recording", step: int | None = None) -> Cost:
    """Spikes, synaptic operations and neuron updates per sample up to a step.

    Sums over every series the recording holds, also over input spikes that belong to no
    spiking layer.

    Parameters
    ----------
    recording : Recording
    step : int, optional
        The last step counted (from 1); by default the whole presentation.

    Returns
    -------
    Cost

    Raises
    ------
    DataError
        If there are no samples or the step is out of range.
    """
    step = checked_step(recording, step)

    def mean_sum(series):
        return float(sum(a[:, :step].sum(axis=1).mean() for a in series.values()))

    n_neurons = sum(counts.shape[1] for counts in recording.spike_counts.values())
    return Cost(
        step=step,
        seconds=step * recording.dt,
        spikes=mean_sum(recording.spikes_over_time),
        unit_spikes=mean_sum(recording.units_over_time),
        synops=mean_sum(recording.synops_over_time),
        neuron_updates=n_neurons * step,
    )
