import dataclasses

import numpy as np
import pytest

from nengo_tactile.analysis import cost_until, layer_activity
from nengo_tactile.errors import DataError

FAN_OUT = {"conv": 7, "dense": 3}


def test_layer_activity_equals_loops_over_the_spike_trains(recording, spikes):
    for activity in layer_activity(recording, step=9):
        trains = spikes[activity.layer]
        n_samples, n_steps, n_neurons = trains.shape
        rates, silent, saturated, early = [], 0, 0, 0
        for sample in range(n_samples):
            for neuron in range(n_neurons):
                train = trains[sample, :, neuron]
                rates.append(sum(train) / (n_steps * 0.002))
                silent += not any(train)
                saturated += all(train)
                early += sum(train[:9])
        pairs = n_samples * n_neurons
        assert activity.n_neurons == n_neurons
        assert activity.mean_hz == pytest.approx(sum(rates) / pairs)
        assert activity.max_hz == pytest.approx(max(rates))
        assert activity.silent_share == pytest.approx(silent / pairs)
        assert activity.saturated_share == pytest.approx(saturated / pairs)
        assert activity.spikes == pytest.approx(early / n_samples)
        assert activity.unit_spikes == pytest.approx(3 * early / n_samples)
        assert activity.synops == pytest.approx(FAN_OUT[activity.layer] * early / n_samples)
        assert activity.step == 9
    conv = layer_activity(recording)[0]
    assert conv.unused_share == pytest.approx(1 / 12)
    assert conv.saturated_share >= 1 / 72
    assert conv.row()["layer"] == "conv"


def test_percentile_is_interpolated_between_order_statistics(recording):
    # rates 0, 1, ..., 1000 Hz: the 99.9th percentile is 999 Hz exactly
    counts = np.arange(1001)[None]
    ramp = dataclasses.replace(
        recording,
        outputs=np.zeros((1, 1000, 2), np.float32),
        spike_counts={"ramp": counts},
        spikes_over_time={"ramp": np.zeros((1, 1000), int)},
        synops_over_time={"ramp": np.zeros((1, 1000), int)},
        units_over_time={"ramp": np.zeros((1, 1000), int)},
        dt=0.001,
    )
    (activity,) = layer_activity(ramp)
    assert activity.percentile_hz == pytest.approx(999)
    assert layer_activity(ramp, percentile=50)[0].percentile_hz == pytest.approx(500)
    assert activity.saturated_share == pytest.approx(1 / 1001)
    # a refractory time of 2 ms halves the ceiling: 500, 501, ..., 1000 spikes
    assert layer_activity(ramp, max_rate_hz=500)[0].saturated_share == pytest.approx(501 / 1001)


def test_max_rate_per_layer(recording, spikes):
    by_layer = layer_activity(recording, max_rate_hz={"conv": 500, "dense": 25})
    assert by_layer[1].saturated_share == pytest.approx(
        np.mean(spikes["dense"].sum(axis=1) >= 1)  # 25 Hz for 40 ms is one spike
    )
    with pytest.raises(DataError, match=r"no layer 'dense', only \['conv'\]"):
        layer_activity(recording, max_rate_hz={"conv": 500})


@pytest.mark.parametrize("step", [None, 1, 13, 20])
def test_cost_counts_every_spike_up_to_the_step(recording, spikes, step):
    cost = cost_until(recording, step)
    end = step or 20
    n_spikes = {name: trains[:, :end].sum() for name, trains in spikes.items()}
    assert cost.step == end
    assert cost.seconds == pytest.approx(end * 0.002)
    assert cost.spikes == pytest.approx(sum(n_spikes.values()) / 6)
    assert cost.unit_spikes == pytest.approx(sum(n_spikes.values()) / 2)
    assert cost.synops == pytest.approx(sum(n * FAN_OUT[k] for k, n in n_spikes.items()) / 6)
    assert cost.neuron_updates == 17 * end
    assert cost.row()["step"] == end


def test_cost_includes_input_spikes(recording):
    series = np.full((6, 20), 2)
    with_input = dataclasses.replace(
        recording,
        spikes_over_time={"input": series, **recording.spikes_over_time},
        synops_over_time={"input": series * 9, **recording.synops_over_time},
    )
    more, less = cost_until(with_input), cost_until(recording)
    assert more.spikes - less.spikes == pytest.approx(40)
    assert more.synops - less.synops == pytest.approx(360)
    assert more.neuron_updates == less.neuron_updates
    assert [a.layer for a in layer_activity(with_input)] == ["conv", "dense"]


@pytest.mark.parametrize("step", [0, 21, -1])
def test_steps_outside_the_recording_are_refused(recording, step):
    for measure in (layer_activity, cost_until):
        with pytest.raises(DataError, match=f"step is {step}.*from 1 to 20"):
            measure(recording, step=step)


def test_other_refusals(recording):
    nothing = dataclasses.replace(recording, outputs=np.zeros((0, 20, 4)))
    for measure in (layer_activity, cost_until):
        with pytest.raises(DataError, match="no samples"):
            measure(nothing)
    with pytest.raises(DataError, match="percentile is 101"):
        layer_activity(recording, percentile=101)
    with pytest.raises(DataError, match=r"max_rate_hz is 10 .* 0.04 s: not one spike fits"):
        layer_activity(recording, max_rate_hz=10)
    incomplete = dataclasses.replace(recording, synops_over_time={"conv": np.zeros((6, 20))})
    with pytest.raises(DataError, match=r"synops_over_time has no layer 'dense'"):
        layer_activity(incomplete)
