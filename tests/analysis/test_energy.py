import dataclasses

import numpy as np
import pytest

from nengo_tactile.analysis import (
    DEVICES,
    Device,
    energies_of_ann,
    energy_of_recording,
    energy_per_inference,
    joules_text,
)
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


@pytest.fixture
def on_chip(recording):
    """Its layer "dense" on the chip, where one of three synapses of "conv" ends."""
    conv = recording.spikes_over_time["conv"]
    series = {"conv": conv, "dense": np.zeros_like(conv)}
    return dataclasses.replace(recording, chip_synops_over_time=series, chip_neurons=5)


def test_energy_is_of_what_lies_on_the_chip(on_chip, spikes):
    estimate = energy_of_recording(on_chip, step=5)
    synops = spikes["conv"][:, :5].sum() / 6
    assert estimate.joules == pytest.approx(synops * 27.1e-12 + 5 * 5 * 81e-12)
    assert energy_of_recording(on_chip).joules > estimate.joules


def test_the_ann_multiplies_once():
    """On a GPU 0.3 nJ each, as arithmetic of 45 nm 3.7 and 0.9 pJ."""
    joules = {each.device.name: each.joules for each in energies_of_ann(1000)}
    assert joules == pytest.approx({"gpu": 0.3e-6, "arithmetic": 4.6e-9})


@pytest.mark.parametrize(
    ("joules", "text"),
    [
        (2.5, "2.50 J"),
        (0.0123, "12.3 mJ"),
        (1.131e-5, "11.3 \N{MICRO SIGN}J"),
        (9.999e-7, "1.00 \N{MICRO SIGN}J"),
        (9.99e-7, "999 nJ"),
        (4.3e-9, "4.30 nJ"),
        (9.996e-9, "10.0 nJ"),
        (27.1e-12, "27.1 pJ"),
        (0, "0 J"),
    ],
)
def test_energies_in_units_that_one_reads(joules, text):
    assert joules_text(joules) == text


def test_refusals(recording, on_chip):
    with pytest.raises(DataError, match=r"device 'brain'.*loihi, cpu, gpu, arm, arithmetic"):
        energy_per_inference(1, 1, "brain")
    for bad in (-1, float("nan"), float("inf")):
        with pytest.raises(DataError, match="synops is"):
            energy_per_inference(bad, 1)
        with pytest.raises(DataError, match="neuron_updates is"):
            energy_per_inference(1, bad)
    with pytest.raises(DataError, match="'cpu' does not spike"):
        energy_of_recording(on_chip, device="cpu")
    with pytest.raises(DataError, match="engine 'test', where nothing runs on a chip"):
        energy_of_recording(recording)
    with pytest.raises(DataError, match="step is 21"):
        energy_of_recording(on_chip, step=21)
