"""Conversion to sigma-delta neurons: what it comes to, what decides thresholds, what is refused."""

import dataclasses

import numpy as np
import pytest

import nengo_tactile
from nengo_tactile import stack
from nengo_tactile.ann.layers import layer
from nengo_tactile.ann.residual import resnet
from nengo_tactile.ann.training import predict
from nengo_tactile.conversion import thresholds
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.neurons import IF, SigmaDelta
from nengo_tactile.conversion.reading import plain
from nengo_tactile.engines.loihi import chip_settings
from nengo_tactile.errors import ConversionError, DataError, EngineError
from nengo_tactile.events.coding import CurrentCoding, DelayCoding
from nengo_tactile.saved import load
from tests.support import layer_cases, random_models
from tests.support.layer_cases import GROUPS, samples
from tests.support.passes import (
    Accumulator,
    percentile_thresholds,
    prepare,
    search_thresholds,
    use_sigma_delta,
)
from tests.support.random_models import keras

#: Cases with activations that sigma-delta neurons have not.
REFUSED = ("relu_clipped", "relu_leaky", "leaky_relu", "activation_relu6", "conv_fused")


def to_changes(model, x=None, **options):
    shared = {name: options.pop(name) for name in ("labels", "n_steps") if name in options}
    return convert(model, x, SigmaDelta(**options), **shared)


@pytest.fixture(scope="module")
def model():
    """Two convolutions, max pooling, a residual Add, batch normalisation and dense layers."""
    layers = keras().layers
    inputs = keras().Input((6, 6, 1))
    x = layers.Conv2D(3, 3, padding="same", name="conv1")(inputs)
    x = pooled = layers.MaxPooling2D(2, name="pool")(layers.ReLU(name="relu1")(x))
    x = layers.BatchNormalization(name="norm")(layers.Conv2D(3, 2, padding="same", name="conv2")(x))
    x = layers.ReLU(name="relu2")(layers.Add(name="add")([x, pooled]))
    x = layers.Dropout(0.5)(layers.AveragePooling2D(2, padding="same", name="average")(x))
    x = layers.Dense(5, activation="relu", name="dense")(layers.Flatten()(x))
    x = layers.Dense(3, activation="softmax", name="logits")(x)
    return random_models.randomised(keras().Model(inputs, x, name="small"), 4)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(5).random((24, 6, 6, 1), np.float32)


def apart(network, x):
    """Thresholds whose multiples no potential meets, so that rounding decides about no spike.

    With an eighth of the percentile the most active neuron would rise to eight thresholds exactly;
    with the same share everywhere, a layer that passes values on, to multiples of its threshold.
    """
    tops = percentile_thresholds(prepare(network), x)
    return {name: (0.11 + 0.0031 * i) * top for i, (name, top) in enumerate(tops.items())}


def bound_of(ann):
    """How far outputs can be from the Keras model's when each neuron misses less than a threshold.

    A layer passes errors on by its weights' absolute values, a rectifier and a maximum no larger.
    """

    def replace(each, inputs):
        if each.kind == "SigmaDelta":
            offset = each.config["threshold"]
            return layer("Rescaling", each.name, inputs, scale=1.0, offset=offset)
        return each.changed(inputs, [np.abs(w) if w.ndim > 1 else 0 * w for w in each.weights])

    largest = plain(ann).rebuilt(replace)
    return largest.outputs(np.zeros((1, *largest.input_shape)))[0]


@pytest.mark.parametrize("coding", [CurrentCoding(8), DelayCoding(8)])
def test_finer_thresholds_come_nearer_to_keras_within_their_bound(model, images, coding):
    wanted = predict(prepare(model), coding.total(images))
    errors = []
    for threshold in (1.0, 0.25, 0.0625):
        ann = to_changes(model, threshold=threshold, coding=coding, n_steps=1).ann
        rest = Accumulator(ann).rest(images, coding)
        off, bound = np.abs(rest.logits - wanted), bound_of(ann)
        assert (off <= bound * 1.0001).all()
        errors.append((off.max(), bound.max()))
    assert errors[1][1] == pytest.approx(errors[0][1] / 4, rel=1e-5)
    assert errors[2][0] < errors[0][0] / 6


def test_a_network_runs_until_nothing_fires(model, images):
    snn = to_changes(model, images, threshold=0.5, coding="current")
    rest = Accumulator(snn.ann).rest(images, snn.coding)
    recording = nengo_tactile.run(snn, images, engine="nengo-dl")
    assert recording.n_steps == snn.n_steps == rest.n_steps > snn.coding.n_steps
    top = np.abs(rest.logits).max()
    np.testing.assert_allclose(recording.outputs[:, -1], rest.logits, atol=1e-5 * top)
    fired = {name: steps.sum() for name, steps in recording.spikes_over_time.items()}
    assert fired.pop("pool") > 0
    assert list(fired) == ["conv1", "relu2", "dense"]  # of branches, the sum spikes
    assert list(fired.values()) == [spikes.sum() for spikes in rest.spikes.values()]
    assert any(steps[:, -1].any() for steps in recording.spikes_over_time.values())


@pytest.mark.parametrize("group", GROUPS)
def test_every_layer_of_the_table_sends_changes(group):
    """The engine, through stages, comes to what Keras makes of the sums."""
    cases = {name: case for name, case in GROUPS[group].items() if name not in REFUSED}
    x = samples(2)
    network = layer_cases.model_of(cases)
    snn = to_changes(network, x, threshold=apart(network, x), coding=CurrentCoding(4))
    outputs = nengo_tactile.run(snn, x, engine="nengo-dl").outputs[:, -1]
    rest = Accumulator(snn.ann).rest(x, snn.coding)
    wanted, bound = predict(layer_cases.model_of(cases), x), bound_of(snn.ann)
    for number, name in enumerate(cases):
        which = slice(number * layer_cases.N_OUTPUTS, (number + 1) * layer_cases.N_OUTPUTS)
        top = np.abs(wanted[:, which]).max()
        assert np.abs(outputs[:, which] - rest.logits[:, which]).max() <= 1e-4 * top, name
        off = np.abs(outputs[:, which] - wanted[:, which])
        assert off.any() and (off <= bound[which] * 1.0001).all(), name


def test_a_residual_network_is_its_accumulated_sums():
    x = np.random.default_rng(0).random((3, 8, 8, 3), np.float32)
    network = random_models.randomised(resnet(8, (8, 8, 3), widths=(3, 4, 5)))
    snn = to_changes(network, x, threshold=apart(network, x), coding=CurrentCoding(4))
    rest = Accumulator(snn.ann).rest(x, snn.coding)
    outputs = nengo_tactile.run(snn, x, engine="nengo-dl").outputs[:, -1]
    np.testing.assert_allclose(outputs, rest.logits, atol=1e-4 * np.abs(rest.logits).max())
    assert len(rest.spikes) == 7 and all(spikes.any() for spikes in rest.spikes.values())


def test_the_quantised_ann_by_hand(rng):
    """Direct quantisation, and an image of one bit."""
    layers = keras().layers
    network = random_models.chain(
        layers.Dense(5, activation="relu"), layers.Dense(2, name="logits"), shape=(7,)
    )
    x = rng.random((6, 7)).astype(np.float32)
    snn = to_changes(network, threshold=0.5)
    (w1, b1), (w2, b2) = (network.get_layer(index=i).get_weights() for i in (1, 2))
    hidden = np.floor(np.maximum((x > 0.2) @ w1 + b1, 0) / 0.5) * 0.5
    np.testing.assert_allclose(predict(snn.ann, snn.ann_input(x)), hidden @ w2 + b2, rtol=1e-5)
    assert (snn.n_steps, snn.coding, snn.input_range) == (60, DelayCoding(), None)


def test_images_of_bytes_have_intensities_up_to_255(model, images):
    layers = keras().layers
    inputs = keras().Input((6, 6, 1))
    whole = keras().Model(inputs, model(layers.Rescaling(1 / 255)(inputs)))
    x = np.round(images * 255).astype(np.uint8)
    snn = to_changes(whole, x, threshold=0.5)
    assert snn.coding == DelayCoding(largest=255.0)
    one = to_changes(model, x / np.float32(255), threshold=0.5)
    rests = [Accumulator(s.ann).rest(v, s.coding) for s, v in ((snn, x), (one, x / 255))]
    np.testing.assert_allclose(rests[0].logits, rests[1].logits, rtol=1e-3, atol=1e-3)


def test_thresholds_by_layer(model, images):
    ann = to_changes(model, images, threshold={"conv1": 1.0, "relu2": 0.5, "dense": 0.25}).ann
    found = {name: ann.get_layer(name).parameters for name in ("relu1", "relu2", "dense_relu")}
    assert [p.threshold for p in found.values()] == [1.0, 0.5, 0.25]
    assert all(p.rectify for p in found.values())
    share = to_changes(model, images, threshold_factor=0.5, coding="current").ann
    tops = percentile_thresholds(prepare(model), images)
    assert {n: share.get_layer(n).parameters.threshold for n in found} == {
        n: 0.5 * top for n, top in tops.items()
    }


def test_outputs_can_spike_without_rectifier(model, images):
    snn = to_changes(model, images, threshold=0.5, output_threshold=0.25, coding="current")
    recording = nengo_tactile.run(snn, images[:6], engine="nengo-dl")
    assert snn.spiking_layers[-1] == "logits"
    assert (recording.outputs < 0).any() and not (recording.outputs % 0.25).any()
    counts = recording.spike_counts["logits"]
    assert (np.abs(recording.outputs[:, -1]) / 0.25 <= counts).all()


@pytest.mark.parametrize("with_labels", [True, False])
def test_the_coarsest_thresholds_within_a_loss(model, images, with_labels, rng):
    linear, coding = prepare(model), CurrentCoding(4)
    winners = predict(linear, images).argmax(axis=1)
    labels = np.where(rng.random(len(images)) < 0.7, winners, (winners + 1) % 3)
    labels = labels if with_labels else None
    chosen, trials = search_thresholds(linear, images, coding, 10.0, labels=labels)
    assert chosen == {
        stage.layer: stage.neuron.threshold
        for stage in to_changes(model, images, coding=coding, max_loss=10.0, labels=labels).graph
        if stage.fires
    }
    # run anew, not by the search's own accumulator
    rest = Accumulator(use_sigma_delta(linear, chosen)).rest(images, coding)
    right = winners if labels is None else labels
    reached = (rest.logits.argmax(axis=1) == right).mean()
    before = (winners == right).mean()
    assert 100 * (before - reached) <= 10
    best = max(trial.factor for trial in trials if trial.loss <= 10)
    assert chosen["relu1"] == pytest.approx(best * percentile_thresholds(linear, images)["relu1"])
    coarser = min(trial.factor for trial in trials if trial.factor > best)
    assert coarser / best < 1.05


def test_the_finest_thresholds_within_a_budget_of_spikes(model, images):
    linear, coding = prepare(model), DelayCoding(4)
    chosen, trials = search_thresholds(linear, images, coding, spike_budget=0.5)
    snn = to_changes(model, images, spike_budget=0.5, coding=coding)
    assert [s.neuron.threshold for s in snn.graph if s.fires] == list(chosen.values())
    recording = nengo_tactile.run(snn, images, engine="nengo-dl")
    neurons = sum(s.n_neurons for s in snn.graph if s.fires)
    counts = [recording.spike_counts[s.name].sum() for s in snn.graph if s.fires]
    assert 0.4 < sum(counts) / neurons / len(images) <= 0.5
    assert any(trial.spikes > 0.5 for trial in trials)


def test_a_budget_that_even_the_coarsest_thresholds_exceed(model, images):
    linear = prepare(model)
    ratios = dict.fromkeys(["relu1", "relu2", "dense_relu"], 0.05)
    with pytest.raises(ConversionError, match=r"0\.1, but with the coarsest .* are left"):
        search_thresholds(linear, images, CurrentCoding(4), spike_budget=0.1, ratios=ratios)


def test_without_a_wish_a_point_may_be_lost(model, images):
    snn = to_changes(model, images, coding="current")
    rest = Accumulator(snn.ann).rest(images, snn.coding)
    winners = predict(model, images).argmax(axis=1)
    assert (rest.logits.argmax(axis=1) == winners).mean() >= 0.99


def half_or_more():
    """Two outputs, 0 and the input minus a half, of one ReLU."""
    layers = keras().layers
    network = random_models.chain(
        layers.Dense(1, activation="relu", name="hidden"), layers.Dense(2, name="out"), shape=(1,)
    )
    network.set_weights([np.ones((1, 1)), np.zeros(1), np.array([[0.0, 1.0]]), np.array([0, -0.5])])
    return network


def test_the_search_goes_on_to_thresholds_as_fine_as_are_needed():
    """The coarse ones that are halvings of the largest input, 1, divide a half and tell nothing."""
    x = np.array([[0.497], [0.503], [1.0]], np.float32)
    linear = prepare(half_or_more())
    chosen, trials = search_thresholds(linear, x, CurrentCoding(2), max_loss=0.0)
    multiples = np.floor(x[:2, 0] / chosen["hidden_relu"]) * chosen["hidden_relu"]
    assert multiples[0] < 0.5 < multiples[1] and chosen["hidden_relu"] < 2**thresholds.OCTAVES_FROM
    assert min(trial.loss for trial in trials if trial.factor > 2**thresholds.OCTAVES_FROM) > 0
    snn = to_changes(half_or_more(), x, coding="current")
    assert (
        nengo_tactile.run(snn, x, engine="nengo-dl").outputs[:, -1].argmax(1) == [0, 1, 1]
    ).all()


def test_a_refused_loss_names_the_coding_given_and_a_remedy_that_works(monkeypatch):
    """Below a fifth the delay coding loses everything; what it loses itself nothing wins back."""
    x = np.array([[0.1], [0.6], [1.0], [0.45]], np.float32)
    model = half_or_more()
    message = r"DelayCoding\(.*the input as it arrives loses 25 .*coding='current', or max_loss"
    with pytest.raises(ConversionError, match=message):
        to_changes(model, x)
    assert to_changes(model, x, coding="current") and to_changes(model, x, max_loss=25)
    monkeypatch.setattr(thresholds, "LONGEST_REST", 300)
    x = np.array([[0.4999], [0.5001], [1.0]], np.float32)
    message = r"CurrentCoding\(n_steps=16\); .*take more than 300 steps .*give max_loss=(33.34|66)"
    with pytest.raises(ConversionError, match=message):
        to_changes(model, x, coding="current")
    assert to_changes(model, x, coding="current", max_loss=33.34)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"threshold": 0.0}, ConversionError, r"threshold is 0\.0: give a number above 0"),
        ({"threshold": float("nan")}, ConversionError, "threshold is nan"),
        ({"threshold": {"conv1": 1.0, "add": -1.0, "dense": 1.0}}, ConversionError, "'add'"),
        ({"threshold": {"conv1": 1.0}}, ConversionError, "layer 'relu2': threshold has no entry"),
        ({"threshold": {"pool": 1.0}}, ConversionError, "'pool' is no layer of neurons; those"),
        ({"threshold_factor": 0.0}, ConversionError, r"threshold_factor is 0\.0"),
        ({"threshold": 1.0, "max_loss": 1.0}, ConversionError, "threshold and max_loss are given"),
        ({"spike_budget": 0.0}, ConversionError, r"spike_budget is 0\.0"),
        ({"max_loss": float("nan")}, ConversionError, "max_loss is nan: give a number"),
        ({"threshold": 1.0, "output_threshold": 0.0}, ConversionError, "output_threshold is 0"),
        (
            {"labels": [1, 2], "max_loss": 1.0},
            DataError,
            r"shape \(2,\), .* 24 samples takes \(24,\)",
        ),
        ({"threshold": 1.0, "coding": "rate"}, ConversionError, "coding is 'rate'"),
    ],
)
def test_wishes_that_cannot_be_fulfilled(model, images, options, error, message):
    with pytest.raises(error, match=message):
        to_changes(model, images, **options)


def test_samples_are_needed_for_all_but_a_threshold(model):
    with pytest.raises(ConversionError, match=r"is SigmaDelta\(spike_budget=0.1\), which needs"):
        to_changes(model, spike_budget=0.1)


def test_thresholds_too_fine_to_come_to_rest_name_the_layer(model, images):
    accumulator = Accumulator(
        use_sigma_delta(prepare(model), {"conv1": 1, "add": 1e-4, "dense": 1})
    )
    with pytest.raises(ConversionError, match=r"layer 'relu2': still fires 50 steps .* of 0\.0001"):
        accumulator.rest(images, CurrentCoding(2), longest=50)


@pytest.mark.parametrize("name", ["relu_clipped", "leaky_relu", "activation_relu6"])
def test_other_rectifiers_are_refused(name):
    network = layer_cases.model_of({name: GROUPS["graphs and scales"][name]})
    with pytest.raises(ConversionError, match="send the value of a plain ReLU"):
        to_changes(network, threshold=1.0)


def test_a_model_without_rectifier_is_refused():
    network = random_models.chain(keras().layers.Dense(3), shape=(4,))
    with pytest.raises(ConversionError, match="has no ReLU, so nothing in it would spike"):
        to_changes(network, threshold=1.0)


def test_neurons_that_are_there_stay(model, images):
    first = to_changes(model, images, threshold=0.5)
    again = convert(first.ann, images)
    assert again.n_steps == first.n_steps and again.coding == first.coding
    assert [s.neuron for s in again.graph] == [s.neuron for s in first.graph]
    with pytest.raises(ConversionError, match="SigmaDelta layers, which settle threshold"):
        to_changes(first.ann, images, threshold=1.0)
    with pytest.raises(ConversionError, match=r"SigmaDelta layers, neuron is IF\(\)"):
        convert(first.ann, images, IF())


def test_quantised_activations_can_be_trained_with(model, images):
    tf = stack.tensorflow()
    quantised = use_sigma_delta(prepare(model), 0.5)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(quantised(images) ** 2)
    gradients = tape.gradient(loss, quantised.trainable_weights)
    assert all(np.abs(gradient).max() > 0 for gradient in gradients)


@pytest.mark.parametrize("coding", [DelayCoding(5, 0.1), CurrentCoding(3)])
def test_round_trip(model, images, coding, tmp_path):
    snn = to_changes(model, images, threshold=0.5, output_threshold=1.0, coding=coding)
    snn.save(tmp_path / "net")
    loaded = load(tmp_path / "net")
    assert loaded.coding == coding and loaded.n_steps == snn.n_steps and loaded.accumulates
    assert [s.neuron for s in loaded.graph] == [s.neuron for s in snn.graph]
    assert (predict(loaded.ann, images) == predict(snn.ann, images)).all()
    card = (tmp_path / "net" / "card.md").read_text()
    assert "| thresholds | conv1 0.5, relu2 0.5, dense 0.5, logits 1 |" in card
    assert ("one spike per pixel above 0.1" in card) == coding.spikes


def test_what_sigma_delta_networks_have_not(model, images):
    snn = to_changes(model, images, threshold=0.5)
    with pytest.raises(ConversionError, match="have no firing rates"):
        snn.with_rates(2)
    with pytest.raises(ConversionError, match=r"layer 'relu1' \(SigmaDelta\): .* no rates"):
        snn.build(spiking=False)
    for refused in (chip_settings, lambda s: nengo_tactile.run(s, images[:1], engine="loihi")):
        with pytest.raises(EngineError, match=r"'conv1' \(sigma-delta\).*engine='nengo-dl'"):
            refused(snn)
    with pytest.raises(ConversionError, match=r"synapse is 0\.005"):
        dataclasses.replace(snn, synapse=0.005)
    with pytest.raises(ConversionError, match="has sigma-delta neurons and its input coding is"):
        dataclasses.replace(snn, coding=None)
    with pytest.raises(ConversionError, match="has no sigma-delta neurons and its input coding"):
        dataclasses.replace(convert(model, images, IF()), coding=DelayCoding())


@pytest.mark.parametrize("bad", [-0.25, 1.25, np.nan])
def test_what_is_no_intensity_is_refused(model, images, bad):
    snn = to_changes(model, images, threshold=0.5)
    x = images[:2].copy()
    x[1, 2, 3, 0] = bad
    with pytest.raises(DataError, match=rf"value {bad} at index \(1, 2, 3, 0\)"):
        nengo_tactile.run(snn, x, engine="nengo-dl")
