"""Compensation factors, chosen by how near the read-out comes to the network without spikes."""

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.ann.integrate_fire import rate_if_layer
from nengo_tactile.errors import ConversionError, DataError
from nengo_tactile.networks.read_out import standardised
from tests.support.passes import max_rates, search_compensation, simulate, with_compensation


def deep(start=0.0, depth=4, seed=0):
    """Dense layers of neurons that round their rates down, which adds up over depth."""
    keras = stack.tensorflow().keras
    x = inputs = keras.Input((12,))
    for index in range(depth):
        x = keras.layers.Dense(16, name=f"dense{index}")(x)
        x = rate_if_layer()(name=f"n{index}", start=start)(x)
    model = keras.Model(inputs, keras.layers.Dense(3, name="read")(x))
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if layer.name.startswith(("dense", "read")):
            fan_in = layer.kernel.shape[0]
            kernel = rng.normal(1.2 / fan_in, 0.7 / np.sqrt(fan_in), layer.kernel.shape)
            layer.set_weights([kernel, np.zeros(layer.bias.shape)])
    return model


def images(seed=1, n=40):
    return np.random.default_rng(seed).random((n, 12)).astype(np.float32)


def error_of(model, x, n_steps):
    off = standardised(simulate(model, x, n_steps).logits[:, -1]) - standardised(model(x).numpy())
    return np.sqrt(np.mean(off**2))


def test_maximum_rates_are_those_of_the_spike_counts():
    model, x = deep(), images()
    counts = simulate(model, x, 16, record=("n0", "n3")).counts
    for percentile in (50, 99.9, 100):
        rates = max_rates(model, x, 16, percentile)
        assert list(rates) == ["n0", "n1", "n2", "n3"]
        for name, count in counts.items():
            wanted = np.percentile(count, percentile, method="inverted_cdf") / 16
            assert rates[name] == wanted


def test_rates_fall_behind_with_depth_when_rounded_down():
    """Figure 3."""
    model, x = deep(), images()
    rates, lost = max_rates(model, x, 8, 100), {}
    for name in rates:
        static = stack.tensorflow().keras.Model(model.inputs, model.get_layer(name).output)(x)
        lost[name] = static.numpy().max() - rates[name]
    assert lost["n3"] > max(lost["n0"], 0.1)


def test_factors_are_set_by_name_or_for_all():
    model, x = deep(), images()
    model.get_layer("n1").set_weights([np.full(16, 0.25), np.full(16, 0.125)])
    new = with_compensation(model, {"n1": 1.5})
    found = {la.name: la.parameters.compensation for la in new.layers if la.name[0] == "n"}
    assert found == {"n0": 1, "n1": 1.5, "n2": 1, "n3": 1}
    assert all((a == b).all() for a, b in zip(new.get_weights(), model.get_weights()))
    assert np.array_equal(new(x), model(x))
    both = with_compensation(new, 1.25)
    assert {la.parameters.compensation for la in both.layers if la.name[0] == "n"} == {1.25}
    assert {la.parameters.compensation for la in model.layers if la.name[0] == "n"} == {1.0}


@pytest.mark.parametrize("per_layer", [False, True])
def test_the_factor_nearest_to_the_static_network_wins(per_layer):
    model, x = deep(), images()
    labels = model(x).numpy().argmax(1)
    new, trials = search_compensation(model, x, 16, per_layer, n_candidates=3, labels=labels)
    first, *rest = trials
    assert (first.layer, first.factor) == (None, 1.0)
    highest = 1 / max_rates(model, x, 16)["n3"]
    wanted = [trial.factor for trial in rest[:3]]
    # the least makes up for the last layer's rate over the three layers that it multiplies in
    assert wanted[0] ** 3 == pytest.approx(highest) and 1 < wanted[0] < wanted[1] < wanted[2]
    exponents = np.log(np.log(wanted) / np.log(highest))
    assert exponents == pytest.approx(np.log(1 / 3) * np.array([1, 2 / 3, 1 / 3]))
    layers = ["n1", "n2", "n3"] if per_layer else [None]  # nothing but the image reaches n0
    assert [trial.layer for trial in rest] == [name for name in layers for _ in range(3)]
    assert [trial.factor for trial in rest] == pytest.approx([*wanted] * len(layers))
    least = min(trials, key=lambda trial: trial.error)
    assert error_of(new, x, 16) == pytest.approx(least.error)
    assert least.error < 0.9 * first.error == pytest.approx(0.9 * error_of(model, x, 16))
    held_out = images(2)
    assert error_of(new, held_out, 16) < error_of(model, held_out, 16)
    single = with_compensation(model, {rest[0].layer: wanted[0]} if per_layer else wanted[0])
    assert error_of(single, x, 16) == pytest.approx(rest[0].error)
    accuracy = (simulate(single, x, 16).logits[:, -1].argmax(1) == labels).mean()
    assert rest[0].accuracy == pytest.approx(accuracy)
    if per_layer:  # the factors found are all in the network
        chosen = {}
        error = first.error
        for trial in rest:
            if trial.error < error:
                chosen[trial.layer], error = trial.factor, trial.error
        found = {la.name: la.parameters.compensation for la in new.layers if la.name in layers}
        assert found == pytest.approx({**dict.fromkeys(layers, 1.0), **chosen})


def test_nothing_is_searched_where_the_last_layer_fires_at_every_step():
    model = deep(start=0.5, depth=2)
    model.get_layer("n1").set_weights([np.full(16, 0.5), np.full(16, 2.0)])
    new, trials = search_compensation(model, images(), 16)
    assert [trial.factor for trial in trials] == [1.0]
    assert np.array_equal(simulate(new, images(), 16).logits, simulate(model, images(), 16).logits)


def test_bad_calls_are_refused():
    model, x = deep(), images()
    with pytest.raises(DataError, match="39 labels for 40 samples"):
        search_compensation(model, x, 8, labels=np.zeros(39, int))
    with pytest.raises(DataError, match="n_candidates is 0"):
        search_compensation(model, x, 8, n_candidates=0)
    with pytest.raises(ConversionError, match=r"layer 'n3' \(RateIF\): fires at rate 0"):
        search_compensation(model, x, 1)
