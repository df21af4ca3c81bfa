import pytest

from nengo_tactile.analysis import DEVICES, Device, energy_of_recording, energy_per_inference
from nengo_tactile.errors import DataError


def test_loihi_by_hand():
    # 1000 x (23.6 + 3.5) pJ + 200 x 81 pJ = 27.1 nJ + 16.2 nJ
    estimate = energy_per_inference(1000, 200)
    assert estimate.synop_joules == pytest.approx(27.1e-9)
    assert estimate.neuron_joules == pytest.approx(16.2e-9)
    assert estimate.joules == pytest.approx(43.3e-9)
    assert "rough" in estimate.note
    assert "static power" in estimate.note


@pytest.mark.parametrize(("device", "joules"), [("cpu", 8.6e-9), ("gpu", 0.3e-9), ("arm", 0.9e-9)])
def test_ordinary_devices_pay_the_same_for_every_operation(device, joules):
    assert energy_per_inference(7, 3, device).joules == pytest.approx(10 * joules)


def test_every_device_says_where_its_figures_come_from():
    for name, device in DEVICES.items():
        assert device.name == name
        assert "20" in device.source
        row = energy_per_inference(1, 1, name).row()
        assert row["joules"] == pytest.approx(row["synop_joules"] + row["neuron_joules"])
        assert row["source"] == device.source


def test_a_device_of_ones_own():
    device = Device("mine", 1.0, 10.0, True, "measured")
    assert energy_per_inference(2, 3, device).joules == 32


def test_energy_of_a_recording(recording, spikes):
    fan_out = {"conv": 7, "dense": 3}
    synops = sum(train[:, :5].sum() * fan_out[k] for k, train in spikes.items()) / 6
    estimate = energy_of_recording(recording, step=5)
    assert estimate.joules == pytest.approx(synops * 27.1e-12 + 17 * 5 * 81e-12)
    assert energy_of_recording(recording).joules > estimate.joules


def test_refusals(recording):
    with pytest.raises(DataError, match=r"device 'brain'.*loihi, cpu, gpu, arm"):
        energy_per_inference(1, 1, "brain")
    for bad in (-1, float("nan"), float("inf")):
        with pytest.raises(DataError, match="synops is"):
            energy_per_inference(bad, 1)
        with pytest.raises(DataError, match="neuron_updates is"):
            energy_per_inference(1, bad)
    with pytest.raises(DataError, match="'cpu' does not spike"):
        energy_of_recording(recording, device="cpu")
