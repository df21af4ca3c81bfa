"""Training: seeded, resumable, and loud about data it cannot learn from."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.ann import training
from nengo_tactile.ann.augment import shifted_epochs
from nengo_tactile.ann.notation import build
from nengo_tactile.ann.training import MODERN, PAPER, Recipe, train
from nengo_tactile.errors import DataError, ModelFileError
from tests.support.measures import peak_bytes

SHORT = Recipe(epochs=4, batch_size=8)


def test_any_changed_byte_of_a_checkpoint_is_found(samples, tmp_path, rng):
    path = tmp_path / "checkpoint.npz"
    train(network(), samples, SHORT, checkpoint=path)
    state, arrays = training.read_checkpoint(path)
    whole = path.read_bytes()
    for place in rng.integers(len(whole), size=60):
        content = bytearray(whole)
        content[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(content)
        try:
            found, changed = training.read_checkpoint(path)
        except ModelFileError:
            continue
        assert found == state and all((changed[name] == arrays[name]).all() for name in arrays)


@pytest.fixture
def samples(rng):
    y = rng.integers(0, 3, 30)
    x = rng.random((30, 4, 4, 1), dtype=np.float32) * 0.2
    x[np.arange(30), y, 1] += 1
    return x, y


def network(seed=0):
    return build("4x4-2c2-3o", seed=seed)


def drawing_network():
    """One whose layers draw at random while they are trained."""
    layers = stack.tensorflow().keras.layers
    made = network()
    x = layers.GaussianNoise(0.3, name="noise")(made.layers[-2].output)
    x = layers.Dropout(0.5, name="dropout")(x)
    return stack.tensorflow().keras.Model(made.input, made.layers[-1](x), name="drawing")


def equal(one, other):
    return all((a == b).all() for a, b in zip(one.get_weights(), other.get_weights()))


class Interrupted(Exception):
    pass


def test_learns_and_repeats_itself(samples):
    one, other, third = network(), network(), network()
    history = train(one, samples, MODERN, seed=1, validation=samples)
    assert training.accuracy(one, *samples) >= 0.95
    assert history.loss[-1] < history.loss[0] and len(history.accuracy) == MODERN.epochs
    assert history.validation_accuracy[-1] == training.accuracy(one, *samples)
    train(other, samples, MODERN, seed=1)
    train(third, samples, MODERN, seed=2)
    assert equal(one, other) and not equal(one, third)


@pytest.mark.parametrize("recipe", [SHORT, dataclasses.replace(PAPER, epochs=4, batch_size=8)])
@pytest.mark.parametrize("fresh", [False, True])
def test_resumed_training_equals_an_uninterrupted_one(samples, tmp_path, recipe, fresh):
    data = shifted_epochs(samples[0][None], samples[1][None], seed=3) if fresh else samples

    def until(epoch):
        def some(number):
            if number == epoch:
                raise Interrupted
            return data(number) if fresh else data

        return some

    whole, half = network(), network()
    wanted = train(whole, data, recipe, seed=5, validation=samples)
    path = tmp_path / "checkpoint.npz"
    with pytest.raises(Interrupted):
        train(half, until(2), recipe, seed=5, validation=samples, checkpoint=path)
    again = network()
    history = train(again, data, recipe, seed=5, validation=samples, checkpoint=path)
    assert equal(again, whole) and history == wanted
    # a finished training is only read back
    done = network()
    assert train(done, data, recipe, seed=5, checkpoint=path) == wanted
    assert equal(done, whole)


def test_what_layers_draw_goes_on_where_it_was(samples, tmp_path):
    path, whole, again = tmp_path / "checkpoint.npz", drawing_network(), drawing_network()
    wanted = train(whole, samples, SHORT, seed=5)

    def until(epoch):
        if epoch == 1:
            raise Interrupted
        return samples

    with pytest.raises(Interrupted):
        train(drawing_network(), until, SHORT, seed=5, checkpoint=path)
    stack.tensorflow().random.uniform((3,))  # what others draw meanwhile
    assert train(again, samples, SHORT, seed=5, checkpoint=path) == wanted
    assert equal(whole, again)
    other = drawing_network()
    assert train(other, samples, SHORT, seed=6) != wanted  # they do draw


def test_checkpoints_of_other_trainings_are_refused(samples, tmp_path):
    path = tmp_path / "checkpoint.npz"
    x, y = samples
    train(network(), samples, SHORT, seed=0, checkpoint=path)
    kept = path.read_bytes()
    others = [
        (network(), samples, dataclasses.replace(SHORT, epochs=5), 0),
        (network(), samples, SHORT, 1),
        (network(), (x[::-1], y), SHORT, 0),
        (build("4x4-3c2-3o"), samples, SHORT, 0),
    ]
    for model, data, recipe, seed in others:
        with pytest.raises(ModelFileError, match="belongs to another"):
            train(model, data, recipe, seed=seed, checkpoint=path)
    assert path.read_bytes() == kept


@pytest.mark.parametrize("content", [b"", b"no zip", "cut", "other"])
def test_damaged_checkpoints_are_refused(samples, tmp_path, content):
    path = tmp_path / "checkpoint.npz"
    train(network(), samples, SHORT, checkpoint=path)
    if content == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif content == "other":
        np.savez(path, state=np.array(json.dumps([1])))
    else:
        path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"no readable zip|no checkpoint"):
        train(network(), samples, SHORT, checkpoint=path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x[:0], y[:0]), "no samples"),
        (lambda x, y: (x, y[:-1]), "30 inputs but 29 labels"),
        (lambda x, y: (np.where(np.arange(30)[:, None, None, None] == 7, np.nan, x), y), r"\(7, 0"),
        (lambda x, y: (x * np.inf, y), "must be finite"),
        (lambda x, y: (x, y + 1), "from 1 to 3"),
        (lambda x, y: (x, y - 1), "from -1 to 1"),
        (lambda x, y: (x, y.astype(float)), "float64"),
    ],
)
def test_bad_samples_are_refused(samples, change, message):
    with pytest.raises(DataError, match=message):
        train(network(), change(*samples), SHORT)


def test_bad_samples_of_a_later_epoch_are_refused(samples):
    x, y = samples
    with pytest.raises(DataError, match="epoch 3"):
        train(network(), lambda epoch: (x, y + 5 * (epoch == 2)), SHORT)


def test_a_model_without_weights_to_learn_is_refused(samples):
    model = network()
    model.trainable = False
    with pytest.raises(DataError, match=f"model '{model.name}' has no weights to learn"):
        train(model, samples, SHORT)


def test_exploding_loss_is_an_error(samples):
    recipe = Recipe("rmsprop", 3, 8, 1e30, "constant", 0.0, 0.0)
    with pytest.raises(DataError, match="loss became"):
        train(network(), samples, recipe)


@pytest.mark.parametrize(
    "change", [{"optimizer": "lion"}, {"schedule": "step"}, {"precision": "float16"}]
)
def test_unknown_settings_are_refused(samples, change):
    with pytest.raises(DataError, match="unknown"):
        train(network(), samples, dataclasses.replace(SHORT, **change))


def test_first_loss_is_the_smoothed_cross_entropy(samples):
    x, y = samples
    model = network()
    z = training.predict(model, x).astype(np.float64)
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    for smoothing in (0.0, 0.1):
        recipe = Recipe("adam", 1, 30, 0.0, "constant", smoothing, 1e-2)
        history = train(model, samples, recipe)
        wanted = (1 - smoothing) * -log_p[np.arange(30), y] - smoothing * log_p.mean(1)
        assert history.loss[0] == pytest.approx(wanted.mean(), rel=1e-5)


def test_one_rmsprop_step_by_hand(samples):
    """Gradients of a linear network are known in closed form."""
    x, y = samples[0].reshape(30, 16), samples[1]
    model = build("16-3o")
    kernel, bias = model.get_weights()
    z = x @ kernel + bias
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    gradient = x.T @ (p - np.eye(3)[y]) / 30 + 0.1 * kernel  # weight decay 0.1
    # Keras: mean square <- 0.9 * 0 + 0.1 g**2, step = rate * g / sqrt(mean square + 1e-7)
    wanted = kernel - 0.01 * gradient / np.sqrt(0.1 * gradient**2 + 1e-7)
    train(model, (x, y), Recipe("rmsprop", 1, 30, 0.01, "constant", 0.0, 0.1))
    assert np.allclose(model.get_weights()[0], wanted, atol=1e-5)


def test_two_sgd_steps_by_hand(samples):
    """Nesterov momentum 0.9: the step is g + 0.9 v, where v sums 0.9 v + g."""
    x, y = samples[0].reshape(30, 16), samples[1]
    model = build("16-3o")
    kernel, bias = (w.astype(float) for w in model.get_weights())
    velocity = np.zeros_like(kernel), np.zeros_like(bias)
    for _ in range(2):
        z = x @ kernel + bias
        p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
        error = (p - np.eye(3)[y]) / 30
        gradients = x.T @ error + 0.1 * kernel, error.sum(0)  # biases do not decay
        velocity = tuple(0.9 * v + g for v, g in zip(velocity, gradients))
        kernel, bias = (
            w - 0.2 * (g + 0.9 * v) for w, g, v in zip((kernel, bias), gradients, velocity)
        )
    train(model, (x, y), Recipe("sgd", 2, 30, 0.2, "constant", 0.0, 0.1))
    for found, wanted in zip(model.get_weights(), (kernel, bias)):
        assert np.allclose(found, wanted, atol=1e-5)


def batch_norm_network():
    tf = stack.tensorflow()
    layers = tf.keras.layers
    he = tf.keras.initializers.HeNormal(1)
    return tf.keras.Sequential(
        [
            layers.InputLayer((4, 4, 1), name="input"),
            layers.Rescaling(2.0, -0.1, name="standardise"),
            layers.Conv2D(3, 3, use_bias=False, kernel_initializer=he, name="conv"),
            layers.BatchNormalization(momentum=0.5, name="norm"),
            layers.ReLU(name="relu"),
            layers.Flatten(name="flat"),
            layers.Dense(3, kernel_initializer="zeros", name="logits"),
        ],
        name="small",
    )


def test_mixed_precision_changes_the_result_a_little_and_the_model_not(samples):
    """bfloat16 keeps 8 binary digits: one step differs by a share of 2**-8 or so."""
    recipe = Recipe("sgd", 1, 30, 0.1, "constant", 0.0, 0.0)
    exact, mixed = batch_norm_network(), batch_norm_network()
    before = mixed.get_weights()
    config = mixed.to_json()
    wanted = train(exact, samples, recipe)
    found = train(mixed, samples, dataclasses.replace(recipe, precision="mixed_bfloat16"))
    # the first loss is log 3 in both, since the read-out begins at zero
    assert wanted.loss[0] == pytest.approx(np.log(3), rel=1e-6)
    assert found.loss[0] == pytest.approx(np.log(3), rel=1e-6)
    assert mixed.to_json() == config
    assert {v.dtype.name for v in mixed.variables} == {"float32"}
    changed = 0
    for old, one, other in zip(before, exact.get_weights(), mixed.get_weights()):
        size = np.abs(one - old).max()
        assert np.abs(one - other).max() <= 0.05 * size + 1e-7
        changed += bool(size) and not (one == other).all()
    assert changed >= 3  # so it was not float32 after all


def test_mixed_precision_learns_and_resumes(samples, tmp_path):
    recipe = dataclasses.replace(SHORT, precision="mixed_bfloat16")
    whole, half, again = (batch_norm_network() for _ in range(3))
    wanted = train(whole, samples, recipe, validation=samples)
    assert wanted.validation_accuracy[-1] == training.accuracy(whole, *samples)
    assert wanted.loss[-1] < wanted.loss[0]

    def broken(epoch):
        if epoch == 2:
            raise Interrupted
        return samples

    path = tmp_path / "checkpoint.npz"
    with pytest.raises(Interrupted):
        train(half, broken, recipe, validation=samples, checkpoint=path)
    assert train(again, samples, recipe, validation=samples, checkpoint=path) == wanted
    assert equal(again, whole)
    with pytest.raises(ModelFileError, match="belongs to another"):
        train(batch_norm_network(), samples, SHORT, checkpoint=path)


def test_checkpoints_from_before_precision_was_a_choice_stay_valid(samples):
    model = network()
    settings = dataclasses.asdict(training.MODERN_RESNET)
    assert settings.pop("precision") == "float32"
    digest = hashlib.sha256(json.dumps([model.to_json(), settings, 3]).encode())
    for array in samples:
        digest.update(array.tobytes())
    assert training.fingerprint(model, training.MODERN_RESNET, 3, *samples) == digest.hexdigest()


def test_only_minibatches_become_float(rng):
    images = rng.integers(0, 256, (1500, 64, 64, 1), dtype=np.uint8)  # 6 MB, 25 MB as float32
    labels = rng.integers(0, 3, 1500)
    tf = stack.tensorflow()
    layers = tf.keras.layers
    inputs = layers.Input((64, 64, 1))
    model = tf.keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(inputs)))
    recipe = Recipe("sgd", 2, 50, 1e-6, "constant", 0.0, 0.0)
    train(model, (images[:50], labels[:50]), recipe)  # what is loaded on first use
    data = images, labels
    peak = peak_bytes(train, model, lambda epoch: data, recipe, validation=data)
    # float32 minibatches of 512 in `predict` are 8 MB
    assert peak < 2 * images.nbytes < 4 * images.nbytes


def test_learning_rates():
    recipe = Recipe(learning_rate=0.4)
    rates = [training.learning_rate_at(recipe, step, 100) for step in range(100)]
    assert rates[:5] == pytest.approx([0.08, 0.16, 0.24, 0.32, 0.4])
    assert rates[5] == pytest.approx(0.4) and rates[-1] < 0.4 * 1e-3
    assert rates[52] == pytest.approx(0.4 * (1 + np.cos(np.pi * 47 / 95)) / 2)
    assert training.learning_rate_at(PAPER, 99, 100) == 1e-3


def test_learning_rates_fall_twice():
    """The first 60 % are a cosine schedule; the rest falls from half the rate without warm-up."""
    once = training.Recipe(learning_rate=0.4, schedule="cosine")
    twice = training.Recipe(learning_rate=0.4, schedule="restart")
    rates = [training.learning_rate_at(twice, step, 100) for step in range(100)]
    assert rates[:60] == [training.learning_rate_at(once, step, 60) for step in range(60)]
    wanted = 0.2 * (1 + np.cos(np.pi * np.arange(40) / 40)) / 2
    assert rates[60:] == pytest.approx(wanted)


def test_learning_rates_of_the_spiking_resnet_paper():
    """Section 4: 0.01 for 3 epochs, then 0.1, a tenth after epochs 83 and 93, 113 epochs."""
    recipe, steps = training.PAPER_RESNET, 391  # of 128 of 50,000 images
    assert recipe.epochs == 113
    total = 113 * steps
    rates = [training.learning_rate_at(recipe, step, total) for step in range(total)]
    wanted = [0.01] * 3 + [0.1] * 80 + [0.01] * 10 + [0.001] * 20
    assert rates == pytest.approx(np.repeat(wanted, steps), rel=1e-12)


def test_predict_in_minibatches(samples):
    model = network()
    tf = stack.tensorflow()
    wanted = model(tf.constant(samples[0])).numpy()
    assert np.allclose(training.predict(model, samples[0], batch_size=7), wanted, atol=1e-6)
    assert training.predict(model, samples[0][:0]).shape == (0, 3)
