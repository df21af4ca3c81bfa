"""Scales for a number of steps: against a search by brute force, and networks made with them."""

import dataclasses

import numpy as np
import pytest

from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.diagnosis import diagnose
from nengo_tactile.conversion.layerwise import Network
from nengo_tactile.conversion.neurons import IF
from nengo_tactile.conversion.reading import functional
from nengo_tactile.conversion.step_scales import Activations
from nengo_tactile.conversion.storage import described, restore
from nengo_tactile.engines import run
from nengo_tactile.errors import ConversionError, ModelFileError
from nengo_tactile.saved import load
from tests.support.passes import activations, layers_to_spike, prepare
from tests.support.random_models import keras

SHARES = np.linspace(0.02, 1, 300)
STEPS = IF(signed=True, thresholds="steps", channelwise=True)


def quantised(values, scale, n_spikes):
    step = scale / n_spikes
    return step * np.clip(np.floor(values / step + 0.5), 0, n_spikes)


def error(values, scale, n_spikes):
    return np.mean((quantised(values, scale, n_spikes) - values) ** 2)


@pytest.mark.parametrize("n_spikes", [1, 2, 3, 8, 32, 500])
def test_no_other_scale_has_a_smaller_squared_error(n_spikes, rng):
    samples = np.stack([rng.exponential(1.0, 20_000), np.abs(rng.normal(2, 1, 20_000))])
    tops = samples.max(axis=1)
    counts = [np.histogram(v, 1024, (0, top))[0] / v.size for v, top in zip(samples, tops)]
    found = Activations(tops, np.array(counts), np.zeros(2)).scales(n_spikes)
    for values, scale, top in zip(samples, found, tops):
        least = min(error(values, one, n_spikes) for one in np.linspace(0.02, 1, 400) * top)
        assert error(values, scale, n_spikes) < 1.01 * least + 1e-6 * top
        assert 0 < scale <= top
    assert found[0] < 0.8 * tops[0] or n_spikes > 8  # the tail is cut off


@pytest.mark.parametrize("coarseness", [0.1, 0.5])
@pytest.mark.parametrize("n_spikes", [2, 8])
def test_coarser_scales_cost_no_more_than_they_may(n_spikes, coarseness, rng):
    values = np.abs(rng.normal(0, 1, 20_000))
    top, counts = values.max(), np.histogram(values, 1024, (0, values.max()))[0] / values.size
    told = Activations(np.array([top]), counts[None], np.zeros(1))
    (finest,), (coarse,) = told.scales(n_spikes), told.scales(n_spikes, coarseness)
    most = (1 + coarseness) * error(values, finest, n_spikes)
    assert 1.05 * finest < coarse and error(values, coarse, n_spikes) < 1.02 * most
    # none of those above costs as little
    above = [error(values, factor * coarse, n_spikes) for factor in np.geomspace(1.03, 3, 50)]
    assert min(above) > 0.98 * most
    # and fewer spikes are sent
    sent = [(quantised(values, one, n_spikes) > 0).mean() for one in (finest, coarse)]
    assert sent[1] < sent[0]


def small_model(relu="relu"):
    """Channels of quite different sizes, a shortcut, and one that is never active."""
    la = keras().layers
    inputs = keras().Input((8, 8, 2))
    first = la.Conv2D(6, 3, padding="same", activation=relu, name="first")(inputs)
    second = la.Conv2D(6, 3, padding="same", activation=relu, name="second")(first)
    both = la.Activation("relu", name="both")(la.Add()([first, second]))
    outputs = la.Dense(4)(la.GlobalAveragePooling2D()(both))
    model = keras().Model(inputs, outputs)
    rng = np.random.default_rng(1)
    for layer in model.layers:
        weights = [rng.normal(0, 0.3, w.shape) for w in layer.get_weights()]
        if len(weights) and layer.name != "dense":
            weights[0] *= 2.0 ** np.arange(-2, weights[0].shape[-1] - 2)
            weights[1][-1] = -100
        layer.set_weights(weights)
    return model


def images(n=40, seed=0):
    return np.random.default_rng(seed).random((n, 8, 8, 2), np.float32)


def test_activations_are_those_of_the_model():
    model, x = small_model(), images()
    tf = keras()
    values = tf.Model(model.inputs, model.get_layer("second").output).predict(x, verbose=0)
    by_channel = values.reshape(-1, 6)
    linear = prepare(functional(model))
    name = layers_to_spike(linear)[1]
    found = activations(linear, x, channelwise=True)[name]
    np.testing.assert_allclose(found.tops, by_channel.max(axis=0), rtol=1e-5)
    for channel, (top, shares) in enumerate(zip(found.tops, found.shares)):
        positive = by_channel[:, channel][by_channel[:, channel] > 0]
        if not positive.size:
            assert not shares.any()
            continue
        wanted = np.histogram(positive, 1024, (0, top))[0] / positive.size
        # values on an edge may fall to either side
        assert np.abs(np.cumsum(shares) - np.cumsum(wanted)).max() < 2.5 / positive.size
    whole = activations(linear, x)[name]
    assert whole.tops.shape == (1,) and whole.tops[0] == found.tops.max()


@pytest.mark.parametrize(("spikes_per_step", "n_steps"), [(1, 8), (4, 2)])
def test_the_first_layer_sends_its_clipped_and_rounded_activation(spikes_per_step, n_steps):
    model, x = small_model(), images()
    neuron = IF(thresholds="steps", channelwise=True, spikes_per_step=spikes_per_step)
    network = convert(model, x, neuron, n_steps=n_steps)
    recording = run(network, x, engine="event", progress=False)
    values = keras().Model(model.inputs, model.get_layer("first").output).predict(x, verbose=0)
    stage = network.graph.stages[0]
    scales = values.reshape(-1, 6).max(axis=0) / np.where(
        (tops := network.activations[stage.layer].tops) > 0, tops, 1
    )
    wanted = quantised(values, np.where(scales > 0, scales, 1), 8) / np.where(scales, scales, 1)
    units = recording.units_over_time[stage.name].sum(axis=1)
    np.testing.assert_allclose(units, 8 * wanted.sum(axis=(1, 2, 3)), atol=2)  # ties
    assert (values > scales).any() and units.min() > 100


def separable_model():
    """Depthwise layers between pointwise ones, all under a ceiling, which some channels reach."""
    la = keras().layers
    inputs = keras().Input((8, 8, 2))
    x = la.Conv2D(6, 3, padding="same", name="first")(inputs)
    x = la.DepthwiseConv2D(3, padding="same", name="depthwise")(la.ReLU(6.0)(x))
    x = la.ReLU(6.0, name="ends")(x)
    x = la.ReLU(6.0)(la.Conv2D(5, 1, name="pointwise")(x))
    model = keras().Model(inputs, la.Dense(4)(la.GlobalAveragePooling2D()(x)))
    rng = np.random.default_rng(3)
    for layer in model.layers:
        weights = [rng.normal(0.1, 0.4, w.shape) for w in layer.get_weights()]
        if layer.name == "depthwise":
            weights[0] *= (2.0 ** np.linspace(-2, 3, 6))[:, None]
        layer.set_weights(weights)
    return model


def test_each_channel_of_a_depthwise_layer_has_its_own_scale_under_the_ceiling():
    model, x = separable_model(), images()
    values = keras().Model(model.inputs, model.get_layer("ends").output).predict(x, verbose=0)
    values = values.reshape(-1, 6)
    tops = values.max(axis=0)
    assert (tops == 6).any() and tops.min() < 1
    for n_steps in (4, 400):
        network = convert(model, x, STEPS, n_steps=n_steps)
        scales = tops / np.where((found := network.activations["ends"].tops) > 0, found, 1)
        for channel, scale in enumerate(scales):
            least = min(error(values[:, channel], one, n_steps) for one in tops[channel] * SHARES)
            assert error(values[:, channel], scale, n_steps) < 1.02 * least + 1e-7
        assert (scales < 6.001).all()
        reached = (scales > 5.999).any()
        assert network.ann.get_layer("ends").parameters.clips == reached == (n_steps == 400)
        if n_steps == 400:
            wanted = model(x).numpy()
            error_of = np.abs(network.ann(x).numpy() - wanted).max()
            assert error_of < 0.02 * np.abs(wanted).max()


def test_neurons_that_come_to_the_ceiling_with_more_steps_keep_their_rates():
    network = convert(separable_model(), images(), STEPS, n_steps=2)
    assert network.with_rates(0.5).rate_factor == 0.5
    with pytest.raises(ConversionError, match="keep the rates"):
        network.with_steps(400).with_rates(0.5)


def test_corrected_rates_are_those_of_the_model_below_its_ceiling():
    """What the ceiling cuts off is not made up for, what a lower scale cuts off is."""
    model, x = separable_model(), images()
    network = convert(model, x, dataclasses.replace(STEPS, correction="bias"), n_steps=4)
    values = keras().Model(model.inputs, model.get_layer("ends").output).predict(x, verbose=0)
    scales = values.reshape(-1, 6).max(axis=0) / network.activations["ends"].tops
    wanted, lacking = 4 * (values / scales).mean(axis=(0, 1, 2)), []
    for one in (network, convert(model, x, STEPS, n_steps=4)):
        layers = Network(one.layers)
        state = layers.start(x)
        layers.advance(state, 4, [layers.output])
        lacking.append(wanted - layers.sent("ends", state).mean(axis=(0, 1, 2)))
    assert np.abs(lacking[0]).mean() < 0.4 * np.abs(lacking[1]).mean()


@pytest.mark.parametrize("relu", ["relu", "relu6", "leaky_relu"])
def test_other_steps_make_the_network_that_conversion_makes(relu, tmp_path):
    """Also of a network that was saved and loaded, and there and back again."""
    model, x = small_model(relu), images()
    network, wanted = (convert(model, x, STEPS, n_steps=n) for n in (4, 32))
    network.save(tmp_path / "net")
    for found in (network.with_steps(32), load(tmp_path / "net").with_steps(9).with_steps(32)):
        assert found.n_steps == 32
        assert [la.name for la in found.ann.layers] == [la.name for la in wanted.ann.layers]
        for name, one in wanted.activations.items():
            used = one.shares.any(axis=1)
            np.testing.assert_allclose(found.activations[name].tops[used], one.tops[used], 1e-4)
        mine, theirs = (
            run(n, images(8, 1), engine="event", progress=False) for n in (found, wanted)
        )
        np.testing.assert_allclose(mine.outputs[:, -1], theirs.outputs[:, -1], atol=0.05)
    assert network.with_steps(4).ann is network.ann


def test_percentiles_do_not_depend_on_the_steps():
    network = convert(small_model(), images(), IF(signed=True), n_steps=4)
    assert network.with_steps(16).ann is network.ann and network.with_steps(16).n_steps == 16


def test_what_was_corrected_for_its_steps_takes_samples(tmp_path):
    """And keeps in its folder nothing that other steps would be chosen on."""
    neuron = IF(signed=True, thresholds="steps", correction="bias")
    network = convert(small_model(), images(), neuron, n_steps=4)
    network.save(tmp_path / "net")
    for one in (network, load(tmp_path / "net")):
        with pytest.raises(
            ConversionError, match=r"'\w+' was corrected for 4: convert .* n_steps=8"
        ):
            one.with_steps(8)
        with pytest.raises(ConversionError, match="n_steps is 0"):
            one.with_steps(0)
    diagnoses = [diagnose(n, images(8, 1), progress=False) for n in (network, one)]
    assert diagnoses[0].to_dict() == diagnoses[1].to_dict()
    with np.load(tmp_path / "net" / "weights.npz") as arrays:
        kept = [name.split("/")[1] for name in arrays.files if name.startswith("activations/")]
    assert set(kept) == {"tops", "ends"}


def test_only_corrected_networks_go_without_shares(tmp_path):
    network = convert(small_model(), images(), STEPS, n_steps=4)
    description, arrays = described(network)
    bare = {name: array for name, array in arrays.items() if "/shares/" not in name}
    assert len(bare) < len(arrays)
    with pytest.raises(ModelFileError, match=r"activations of layer '\w+' have shapes"):
        restore(tmp_path, description, bare, {})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spikes_per_step": 0}, "spikes_per_step is 0: give a whole number from 1"),
        ({"spikes_per_step": 2.5}, "spikes_per_step is 2.5: give a whole number"),
        ({"signed": True, "reset": "zero"}, "reset goes neither with neurons that are signed"),
        ({"spikes_per_step": 2, "compensation": "layer"}, "compensation goes neither"),
        ({"thresholds": "steps", "percentile": 99.0}, "percentile goes neither"),
        ({"coarseness": 0.5, "correction": "bias"}, "coarseness is of thresholds='steps' with"),
        ({"coarseness": 0.5, "thresholds": "steps"}, "coarseness is of thresholds='steps' with"),
        ({"coarseness": -1.0}, "coarseness is -1"),
        ({"thresholds": "time"}, "thresholds is 'time': give 'percentile' or 'steps'"),
    ],
)
def test_options_that_do_not_go_together(options, message):
    with pytest.raises(ConversionError, match=message):
        IF(**options)


@pytest.mark.parametrize("key", ["activations/shares/nowhere", "activations/tops/{name}"])
def test_activations_of_other_shapes_are_refused(key, tmp_path):
    network = convert(small_model(), images(), STEPS, n_steps=4)
    description, arrays = described(network)
    arrays[key.format(name=next(iter(network.activations)))] = np.zeros((3, 2), np.float32)
    with pytest.raises(ModelFileError, match=r"activations of layer '\w+' have shapes"):
        restore(tmp_path, description, arrays, {})
