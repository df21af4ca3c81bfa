"""Settings that hold on the emulator, what is said when they do not, and which layer loses it."""

import dataclasses
import json

import numpy as np
import pytest

from nengo_tactile import saved, stack
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.neurons import IF
from nengo_tactile.engines import chip_build, loihi, run
from nengo_tactile.engines.chip_agreement import chip_agreement
from nengo_tactile.engines.chip_settings import _holds
from nengo_tactile.errors import EngineError, EngineWarning


def network_with(biases, inhibition=1.0, n_steps=60):
    """An integrate-and-fire network with hidden biases of a size; outputs without their mean.

    A hidden neuron gets nothing but inhibition, as many times the weights of the others.
    """
    keras = stack.tensorflow().keras
    keras.utils.set_random_seed(2)
    hidden = keras.layers.Dense(20, "relu", name="d1")
    out = keras.layers.Dense(4, name="out")
    model = keras.Sequential(
        [keras.layers.Input((12,)), keras.layers.Dense(16, "relu", name="d0"), hidden, out]
    )
    rng = np.random.default_rng(2)
    kernel, bias = hidden.get_weights()
    kernel[:, 0] = -inhibition * np.abs(kernel[:, 0])
    hidden.set_weights([kernel, rng.normal(0, biases, bias.shape)])
    x = rng.random((40, 12), np.float32)
    out.set_weights([out.get_weights()[0], -model(x).numpy().mean(axis=0)])
    return convert(model, x, IF(), n_steps=n_steps), x


def run_freely(network, x):
    return run(network, x, engine="loihi", least_agreement=0)


def test_a_run_takes_the_chips_settings_and_says_so():
    network, x = network_with(0.1)
    recording = run(network, x[:3], engine="loihi")
    wanted = run(loihi.chip_settings(network), x[:3], engine="loihi")
    assert recording.n_steps == 2 * network.n_steps
    np.testing.assert_array_equal(recording.outputs, wanted.outputs)
    assert wanted.notes == ()  # shown as it was given
    (note,) = recording.notes
    assert "rates times 0.5, 120 steps instead of 60, a synapse of 5 ms" in note
    kept = run(dataclasses.replace(network, chip_rate=0.25), x[:1], engine="loihi")
    assert kept.n_steps == 4 * network.n_steps


def test_settings_from_calibration_samples_make_up_for_the_mean(tmp_path):
    network, x = network_with(0.3)
    chip = loihi.chip_settings(network, x=x[:32])
    plain = dataclasses.replace(chip, chip_offset=None)
    with_offset, without = (run_freely(n, x[32:]).outputs[:, -1] for n in (chip, plain))
    np.testing.assert_allclose(with_offset - without, [chip.chip_offset] * 8, rtol=1e-4, atol=1e-6)
    wanted = network.ann(x[32:]).numpy()
    errors = [np.abs((found - wanted).mean(axis=0)).max() for found in (with_offset, without)]
    assert errors[0] < 0.5 * errors[1]
    chip.save(tmp_path / "chip")
    again = saved.load(tmp_path / "chip")
    assert again.chip_offset == chip.chip_offset and again.chip_rate == 1


def test_a_network_that_the_chip_loses_is_refused():
    network, x = network_with(30.0)
    wanted = r"too few of 16 .*layer 'd1' loses most: .*whole steps.*n_steps above"
    with pytest.raises(EngineError, match=wanted):
        loihi.chip_settings(network, rate=0.5, x=x[:16])
    with pytest.raises(EngineError, match=r"16 samples agree .* by 0\..*, wanted 0\.9: choose"):
        run(network, x[:16], engine="loihi")
    recording = run_freely(network, x[:16])
    agreed = recording.predictions()[:, -1] == network.ann(x[:16]).numpy().argmax(1)
    assert 0 < agreed.mean() < 0.9
    run(network, x[:16], engine="loihi", least_agreement=agreed.mean())
    lost = x[:16][~agreed]
    assert run(network, lost[:4], engine="loihi").n_samples == 4  # too few to say anything


def test_a_long_run_is_refused_early_or_warned_of(monkeypatch):
    """By loops over its samples: those after the first are wrong in one case, all in another."""
    network, x = network_with(30.0)
    recording = run_freely(network, x[:20])
    agreed = recording.predictions()[:, -1] == network.ann(x[:20]).numpy().argmax(1)
    monkeypatch.setattr(loihi, "REFUSED_AFTER", 5)
    good, bad = x[:20][agreed], x[:20][~agreed]
    assert len(good) >= 3 and len(bad) >= 5
    begins_well = np.concatenate([good[[0, 1, 2, 0, 1]], bad[:5]])
    with pytest.warns(EngineWarning, match=r"10 samples agree .* by 0\.50"):
        assert run(network, begins_well, engine="loihi").n_samples == 10
    with pytest.raises(EngineError, match=r"5 samples agree .* by 0\.00"):
        run(network, begins_well[::-1], engine="loihi")


def test_agreement_names_the_layer_that_loses_and_why():
    network, x = network_with(0.3)
    found = chip_agreement(network, x, n_samples=8)
    shown = loihi.chip_settings(network)
    ours, dl = run_freely(shown, x[:8]), run(shown, x[:8], engine="nengo-dl")
    assert found.agreement == np.mean(ours.predictions()[:, -1] == dl.predictions()[:, -1])
    assert [row["where"] for row in found.layers] == ["host", "chip"]
    assert found.layers[0]["rate_error"] == 0
    assert (found.loses, found.cause) == ("d1", "whole steps")
    assert json.loads(json.dumps(found.to_dict()))["loses"] == "d1"
    assert "lost most in 'd1', to whole steps" in " ".join(str(found).split())


def test_integers_are_named_where_a_layer_has_one_scale(monkeypatch):
    network, x = network_with(0.3, inhibition=1000.0)
    kept = chip_agreement(network, x, n_samples=4)
    assert kept.cause == "whole steps" and kept.layers[1]["worst"] < 0.1
    monkeypatch.setattr(chip_build, "balanced", lambda stages, *_: (stages, {}))
    lost = chip_agreement(network, x, n_samples=4)
    assert (lost.loses, lost.cause) == ("d1", "integers")
    assert lost.layers[1]["worst"] > 0.9
    with pytest.warns(EngineWarning, match="layer 'd1': the chip's integers"):
        run(network, x[:1], engine="loihi")


def test_agreement_has_to_hold_for_other_samples():
    """By a standard error of the binomial distribution, which large shares hardly have."""
    assert _holds(1.0, 5) and _holds(0.95, 64) and _holds(0.91, 10_000)
    assert not _holds(0.9, 10_000) and not _holds(0.92, 64) and not _holds(0.95, 10)
