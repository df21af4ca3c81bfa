"""From Keras to Nengo: the same function, whichever simulator computes it."""

import dataclasses
import warnings

import nengo
import numpy as np
import pytest

import nengo_tactile
from nengo_tactile import engines, stack
from nengo_tactile.ann.training import predict
from nengo_tactile.conversion.check import check
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.mapping import linear_map
from nengo_tactile.conversion.network import SpikingNetwork
from nengo_tactile.conversion.neurons import IF, LIF
from nengo_tactile.conversion.neurons.lif import START_RATE
from nengo_tactile.conversion.tuning import tune
from nengo_tactile.engines.recording import Recording
from nengo_tactile.errors import ConversionError, DataError
from nengo_tactile.events.images import TactileImage
from nengo_tactile.networks.neurons import Sum
from nengo_tactile.saved import load
from tests.support.passes import graph_of, plain_layer, simplify, spiking_layers, use_lif
from tests.support.random_models import keras


@pytest.fixture(params=["functional", "sequential", "linear neurons"])
def any_network(request, lif_model, x):
    """Strides, both paddings, with and without biases."""
    if request.param == "functional":
        return SpikingNetwork(lif_model)
    layers = keras().layers
    model = keras().Sequential(
        [
            layers.Conv2D(3, (2, 3), (2, 1), "same", use_bias=False, input_shape=(6, 5, 1)),
            layers.ReLU(),
            layers.Conv2D(2, 2, strides=2, activation="relu"),
            layers.AveragePooling2D((1, 2)),
            layers.Flatten(),
            layers.Dense(4, use_bias=False, activation="relu"),
            layers.Dense(3),
        ]
    )
    rng = np.random.default_rng(3)
    model.set_weights([rng.normal(0.2, 0.6, w.shape) for w in model.get_weights()])
    rate = 50.0 if request.param == "linear neurons" else 200.0
    neuron = LIF(max_rate=rate, synapse=0.005)
    if request.param != "linear neurons":
        neuron = dataclasses.replace(neuron, tau_rc=0.02, tau_ref=0.002, offset=0)
    return convert(model, x, neuron)


def test_rate_network_equals_keras_in_both_simulators(any_network, x):
    wanted = predict(any_network.ann, x)
    # each layer of Nengo's own rate neurons takes one step to pass its value on
    n_steps = len(any_network.graph.stages) + 1
    for i in range(2):
        built = any_network.build(spiking=False, present=x[i].ravel())
        with stack.quiet_build(), nengo.Simulator(built.net, progress_bar=False) as sim:
            sim.run_steps(n_steps)
        assert np.allclose(sim.data[built.output_probe][-1], wanted[i], atol=1e-4)
    built = any_network.build(spiking=False)
    nengo_dl = stack.nengo_dl()
    shown = np.repeat(x.reshape(len(x), 1, -1), n_steps, axis=1)
    with (
        stack.quiet_build(),
        nengo_dl.Simulator(built.net, minibatch_size=len(x), progress_bar=False) as sim,
    ):
        result = sim.predict_on_batch({built.input: shown})[built.output_probe][:, -1]
    assert np.allclose(result, wanted, atol=1e-4)


def test_spiking_network_approaches_its_rates(network, x):
    built = network.build(present=x[0].ravel())
    with stack.quiet_build(), nengo.Simulator(built.net, progress_bar=False) as sim:
        sim.run_steps(2000)
    mean = sim.data[built.output_probe][500:].mean(axis=0)
    wanted = predict(network.ann, x[:1])[0]
    assert np.abs(mean - wanted).max() < 0.15 * np.abs(wanted).max()
    assert set(built.spike_probes) == set(network.spiking_layers) == set(built.neurons)


def test_min_and_initial_voltage_reach_the_neurons(network):
    built = dataclasses.replace(network, min_voltage=-2.0, initial_voltage=0.25).build()
    for neurons in built.neurons.values():
        assert neurons.ensemble.neuron_type.min_voltage == -2
        assert neurons.ensemble.neuron_type.initial_state["voltage"].options == [0.25]
    assert isinstance(network.net, nengo.Network)


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_with_rates_keeps_the_function(network, x, factor):
    other = network.with_rates(factor)
    assert np.allclose(predict(other.ann, x), predict(network.ann, x), atol=1e-5)
    for old, new in zip(network.graph, other.graph):
        same = 1 if old is network.graph.stages[0] else factor  # spikes are worth so much less
        kernel = same * new.links[0].map.kernel
        assert np.allclose(kernel, old.links[0].map.kernel, rtol=1e-6)
        assert (old.bias == new.bias).all()
        if old.spikes:
            old, new = (each.ann.get_layer(old.layer).parameters for each in (network, other))
            drive = np.linspace(0, 3 / old.gain, 20)
            assert np.allclose(new.rates(drive), factor * old.rates(drive))
    assert other.card == network.card and other.classes == network.classes


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("kernel", [(1, 1), (2, 3), (5, 4)])
@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
def test_fan_out_counts_edges(padding, kernel, strides):
    """Every nonzero output of an all-ones convolution of one pixel is a synapse."""
    shape, filters = (6, 7, 2), 3
    layer = keras().layers.Conv2D(
        filters, kernel, strides, padding, kernel_initializer="ones", use_bias=False
    )
    reached = layer(np.eye(84, dtype=np.float32).reshape(84, *shape)).numpy()
    linear = linear_map(plain_layer(layer, shape))
    counts = linear.fan_out(np.ones(reached[0].size, np.int64))
    assert (counts == (reached != 0).sum(axis=(1, 2, 3))).all()


def test_fan_out_of_a_network(network):
    first, second, last = network.graph
    assert network.fan_out()[second.name].tolist() == [3] * 4
    reached = np.full((6, 5, 3), 4)
    reached[:, 4] = 0  # 2 x 2 windows leave the fifth column out
    assert network.fan_out()[first.name].tolist() == reached.ravel().tolist()
    assert last.n_neurons == 3


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["Dense", "Sigmoid", "Dense"], "'d1' .*no linear layer and no layer of neurons"),
    ],
)
def test_graphs_that_cannot_spike(layers, message):
    x = inputs = keras().Input((4,))
    for i, kind in enumerate(layers):
        name = f"d{i}"
        x = {
            "Dense": lambda n: keras().layers.Dense(4, name=n),
            "Activation": lambda n: keras().layers.Activation("relu", name=n),
            "Sigmoid": lambda n: keras().layers.Activation("sigmoid", name=n),
        }[kind](name)(x)
    model = keras().Model(inputs, x)
    model = use_lif(
        model, {name: LIF(max_rate=100).parameters(1) for name in spiking_layers(model)}
    )
    with pytest.raises(ConversionError, match=message):
        graph_of(model)


def test_a_convolution_can_be_the_output():
    x = inputs = keras().Input((4, 4, 1))
    model = keras().Model(inputs, keras().layers.Conv2D(2, 2, name="last")(x))
    (stage,) = graph_of(model)
    assert (stage.name, stage.neuron, stage.shape) == ("last", Sum(), (3, 3, 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": ("a",)}, "1 class names for a network with 3"),
        ({"n_steps": 0}, "n_steps is 0"),
        ({"n_steps": 2.5}, "n_steps is 2.5"),
        ({"dt": 0.0}, "dt is 0.0"),
        ({"synapse": -0.1}, "synapse is -0.1"),
        ({"min_voltage": 0.5}, "min_voltage is 0.5"),
        ({"initial_voltage": 1.0}, "initial_voltage 1.0"),
        ({"chip_rate": 0}, "chip_rate is 0"),
        ({"chip_offset": (1.0,)}, "chip_offset has 1 values for 3 outputs"),
        ({"image": TactileImage()}, r"images have shape \(10, 10, 1\)"),
    ],
)
def test_settings_that_cannot_be(network, change, message):
    with pytest.raises(ConversionError, match=message):
        dataclasses.replace(network, **change)


def test_encode(lif_model, x):
    network = SpikingNetwork(lif_model, image=TactileImage((5, 6, 2), normalise="none"))
    same, nothing = network.encode(x)
    assert (same == x).all() and nothing is None and same.dtype == np.float32
    events = np.array([(4, 5, 10, True), (4, 5, 20, False), (0, 0, 30, True)], "u2,u2,u4,?")
    events.dtype.names = ("x", "y", "t", "p")
    images, y = network.encode([(events, 2), (events[:1], 0)])
    assert images.shape == (2, 6, 5, 1) and y.tolist() == [2, 0]
    assert images[0, 5, 4, 0] == 2 and images[0, 0, 0, 0] == 1 and images[1].sum() == 1
    with pytest.raises(DataError, match="shape"):
        network.encode(x[:, :3])
    with pytest.raises(DataError, match="set `image`"):
        dataclasses.replace(network, image=None).encode([(events, 2)])


def test_convert_and_run_are_silent(model, x, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        snn = nengo_tactile.convert(model, x, LIF(), n_steps=12)
        recording = nengo_tactile.run(snn, x[:3])
        print(check(model).ok)
    assert recording.outputs.shape == (3, 12, 3)
    captured = capfd.readouterr()
    assert captured.out == "True\n" and captured.err == ""


def test_convert_scales_by_the_percentile(model, x):
    snn = convert(model, x, LIF(max_rate=100.0, synapse=None, percentile=100))
    plain = simplify(model)
    for name in spiking_layers(plain):
        values = keras().Model(plain.inputs, plain.get_layer(name).output)(x).numpy()
        lif = snn.ann.get_layer(name).parameters
        assert lif.rates(values.max()) == pytest.approx(100, rel=1e-3)
    assert snn.synapse is None and START_RATE > 0


def test_convert_keeps_trained_lif_rates(model, x):
    from nengo_tactile.conversion.lif_training import lif_network

    soft = lif_network(model, x, LIF(max_rate=150.0), sigma=0.2)
    snn = convert(soft, x, LIF(max_rate=1.0, synapse=0.002))
    assert all(layer.sigma == 0 for layer in snn.ann.layers if hasattr(layer, "sigma"))
    exact = lif_network(model, x, LIF(max_rate=150.0))
    assert np.allclose(predict(snn.ann, x), predict(exact, x), atol=1e-5)


def test_convert_takes_files_and_keras_3(model, x, tmp_path):
    model.save(tmp_path / "model.keras")
    wanted = predict(convert(model, x, LIF(max_rate=100.0, synapse=None)).ann, x)
    for source in (tmp_path / "model.keras", str(tmp_path / "model.keras")):
        snn = convert(source, x, LIF(max_rate=100.0, synapse=None))
        assert np.allclose(predict(snn.ann, x), wanted, atol=1e-5)
        assert check(source).ok
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import keras as keras3
    layers = keras3.layers
    new = keras3.Sequential(
        [
            keras3.Input((6, 5, 1)),
            layers.Flatten(),
            layers.Dense(4, activation="relu"),
            layers.Dense(3),
        ]
    )
    assert check(new).ok
    snn = convert(new, x, LIF(max_rate=100.0, synapse=None, tau_rc=0.02, tau_ref=0.002, offset=0))
    assert snn.ann.output_shape == (None, 3)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x": np.full((2, 6, 5, 1), np.nan)}, DataError, "nan at index"),
        ({"x": np.zeros((0, 6, 5, 1))}, DataError, "no samples"),
        ({"x": np.zeros((2, 5, 6, 1))}, DataError, r"takes \(n_samples, 6, 5, 1\)"),
        ({"x": np.zeros((2, 6, 5, 1), "U1")}, DataError, "real numbers"),
        ({"neuron": "if"}, ConversionError, r"neuron is 'if': give an object, .*neuron=nt.IF\(\)"),
        ({"neuron": IF}, ConversionError, r"give an object, such as neuron=nt.IF\(\)"),
        ({"neuron": nengo.LIF()}, ConversionError, r"nt.LIF\(tau_rc=0.02, tau_ref=0.002, offset=0"),
        ({"neuron": 7}, ConversionError, r"nt.LIF\(\), nt.IF\(\) or nt.SigmaDelta\(\)"),
        ({"x": None}, ConversionError, r"neuron is IF\(\), which needs calibration samples"),
        ({"labels": np.zeros(3, int)}, DataError, r"labels have shape \(3,\)"),
    ],
)
def test_convert_refuses(model, x, change, error, message):
    with pytest.raises(error, match=message):
        convert(model, **{"x": x, "n_steps": 2, **change})


def test_biases_alone_can_excite_a_network(model):
    assert convert(model, np.zeros((2, 6, 5, 1)), LIF(max_rate=100.0, synapse=None), n_steps=2)


def test_models_in_which_nothing_spikes(x):
    layers = keras().layers
    model = keras().Sequential([keras().Input((6, 5, 1)), layers.Flatten(), layers.Dense(3)])
    with pytest.raises(ConversionError, match="nothing in it would spike"):
        convert(model, x)
    silent = keras().Sequential(
        [
            keras().Input((6, 5, 1)),
            layers.Flatten(),
            layers.Dense(3, activation="relu", kernel_initializer="zeros"),
            layers.Dense(3),
        ]
    )
    with pytest.raises(ConversionError, match="never active on the calibration samples"):
        convert(silent, x)


def test_tune_takes_the_fewest_spikes_among_the_good(network, rng):
    """A stand-in engine with a known number of wrong samples and a known read-out error."""
    settings = {  # (rate, synapse): wrong samples of 400, push towards the winner, spikes
        (0.5, None): (40, 0.1, 1.0),  # too far: a tenth of the samples is wrong
        (0.5, 0.01): (0, 0.5, 2.0),  # too far from the model
        (1.0, None): (0, 0.2, 4.0),
        (1.0, 0.01): (0, 0.205, 3.0),
    }
    base = network.graph.stages[0].neuron.tau_rc
    x = rng.random((400, 6, 5, 1), dtype=np.float32)
    logits = predict(network.ann, x)
    winner = np.eye(3)[logits.argmax(1)]

    def outputs(wrong, push):
        result = 2 * (logits + push * logits.std(axis=1, keepdims=True) * winner) + 5
        result[:wrong] = np.roll(result[:wrong], 1, axis=1)
        return result

    def run(candidate, samples, n_steps, progress=None):
        rate = base / candidate.graph.stages[0].neuron.tau_rc
        wrong, push, spikes = settings[rate, candidate.synapse]
        shown = np.repeat(outputs(wrong, push)[:, None], n_steps, axis=1)
        return Recording(
            shown, {}, {"a": np.full((400, n_steps), spikes)}, {}, candidate.dt, "stand-in"
        )

    chosen, trials = tune(network, x, (0.5, 1.0), (None, 0.01), max_samples=400, run=run)
    assert chosen.synapse == 0.01 and chosen.graph.stages[0].neuron.tau_rc == base
    assert [(t.rate_factor, t.synapse) for t in trials] == list(settings)
    for trial, (wrong, push, spikes) in zip(trials, settings.values()):
        assert trial.score == pytest.approx(1 - wrong / 400)
        assert trial.spikes == pytest.approx(spikes * network.n_steps)
        z = [
            (row - row.mean()) / row.std()
            for values in (outputs(wrong, push), logits)
            for row in values.astype(np.float64)
        ]
        error = np.sqrt(np.mean((np.array(z[:400]) - np.array(z[400:])) ** 2))
        assert trial.error == pytest.approx(error, rel=1e-3)


def test_a_layer_named_like_the_input(x):
    layers = keras().layers
    inputs = keras().Input((6, 5, 1), name="image")
    hidden = layers.Conv2D(2, 3, activation="relu", name="input")(inputs)
    model = keras().Model(inputs, layers.Dense(3)(layers.Flatten()(hidden)))
    network = convert(model, x, IF())
    assert "input" not in [stage.name for stage in network.graph]
    assert network.fan_out()[network.spiking_layers[0]].tolist() == [3] * 24
    sequential = keras().Sequential([*model.layers])
    assert convert(sequential, x, IF()).spiking_layers == network.spiking_layers


def one_hidden_layer():
    layers = keras().layers
    return keras().Sequential(
        [
            keras().Input((6, 5, 1)),
            layers.Flatten(),
            layers.Dense(4, activation="relu", bias_initializer="ones"),
            layers.Dense(3),
        ]
    )


def test_with_rates_scales_what_calibration_added(x):
    network = convert(one_hidden_layer(), x, IF(), n_steps=4)
    (stage, _) = network.graph
    layer = network.ann.get_layer(stage.layer)
    layer.shift.assign([0.1, -0.2, 0.3, 0.0])
    (slow, _) = network.with_rates(0.5).graph
    added = slow.bias - stage.bias / 2  # which was read before
    np.testing.assert_allclose(added, [0.05, -0.1, 0.15, 0.0], atol=1e-6)
    np.testing.assert_array_equal(slow.start, stage.start)
    with pytest.raises(ConversionError, match="above zero"):
        network.with_rates(0)


def test_rates_of_integrate_and_fire_neurons_end_at_those_of_the_conversion(x, tmp_path):
    """At most one spike a step: a current of half the largest would be clipped at three times."""
    network = convert(one_hidden_layer(), x, IF(), n_steps=4)
    with pytest.raises(ConversionError, match=r"'\w+' \(RateIF\): factor .* is 3, .* above 0\.333"):
        network.with_rates(3)
    slow = network.with_rates(0.1)
    slow.save(tmp_path / "slow")
    for again in (slow, load(tmp_path / "slow")):
        assert again.rate_factor == 0.1
        back = again.with_rates(10)
        assert back.rate_factor == 1
        np.testing.assert_allclose(predict(back.ann, x), predict(network.ann, x), rtol=1e-5)
        with pytest.raises(ConversionError, match="factor on the firing rates is 11"):
            again.with_rates(11)


@pytest.mark.parametrize(("ceiling", "clips"), [(0.5, True), (1e6, False)])
def test_neurons_that_end_where_the_model_does_keep_their_rates(x, ceiling, clips):
    """Slower ones would pass on what a clipped ReLU does not."""
    layers = keras().layers
    inputs = keras().Input(x.shape[1:])
    hidden = layers.Dense(4, name="hidden")(layers.Flatten()(inputs))
    outputs = layers.Dense(3)(layers.ReLU(ceiling, name="ends")(hidden))
    network = convert(keras().Model(inputs, outputs), 50 * x, IF(), n_steps=4)
    if clips:
        with pytest.raises(ConversionError, match=r"layer 'ends' .*is 0\.5, .*keep the rates"):
            network.with_rates(0.5)
    else:
        assert network.with_rates(0.5).rate_factor == 0.5


def test_the_read_out_leaves_out_a_share_of_the_steps(model, x):
    """Of 40 steps the mean of the last 10, from the means over all 40 and over the first 30."""
    whole = convert(model, x, IF(), n_steps=40)
    late = convert(model, x, IF(discard=0.75), n_steps=40)
    means = engines.run(whole, x, 40, progress=False).outputs
    wanted = (40 * means[:, 39] - 30 * means[:, 29]) / 10
    found = engines.run(late, x, 40, progress=False).outputs[:, -1]
    np.testing.assert_allclose(found, wanted, atol=1e-4 * np.abs(wanted).max())
    assert whole.discard == 0
    assert convert(model, x, LIF(max_rate=200.0, synapse=0.005, discard=0.25)).discard == 0.25


def test_a_read_out_that_leaves_out_everything_is_refused(model, x):
    with pytest.raises(ConversionError, match="discard is 1: choose a share from 0 to below 1"):
        dataclasses.replace(convert(model, x, IF(), n_steps=2), discard=1)
