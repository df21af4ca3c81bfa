"""Losses over spikes against loops over the papers' formulas and finite differences."""

import math

import numpy as np
import pytest

from nengo_tactile.errors import DataError
from nengo_tactile.slayer import losses
from nengo_tactile.slayer.neurons import alpha

tf = losses.tf

N_SAMPLES, N_STEPS, N_CLASSES = 3, 17, 4
LABELS = np.array([2, 0, 3])
LOSSES = {
    "rate": lambda: losses.SpikeRate(0.35, 0.07),
    "spikemax": lambda: losses.Spikemax(5),
    "global": lambda: losses.SpikemaxGlobal(),
    "softmax": lambda: losses.SpikemaxSoftmax(),
    "count": lambda: losses.SpikeCount(6, 1.5, tau_s=2.5, region=(3, 12)),
    "count-all": lambda: losses.SpikeCount(6, 1, tau_s=1),
}
every_loss = pytest.mark.parametrize("make", LOSSES.values(), ids=LOSSES)


@pytest.fixture
def spikes(rng):
    """float64, so that differences are exact enough; sample 1's label neuron is silent."""
    spikes = (rng.random((N_SAMPLES, N_STEPS, N_CLASSES)) < 0.3).astype(float)
    spikes[1, :, LABELS[1]] = 0
    return spikes


def gradient_of(loss, labels, spikes):
    """Loss and gradient of a batch, as arrays."""
    spikes = tf.convert_to_tensor(spikes)
    with tf.GradientTape() as tape:
        tape.watch(spikes)
        value = loss(labels, spikes)
    return value.numpy(), tape.gradient(value, spikes).numpy()


def whole(make):
    """The loss with one value a sample; gradients are then the equations'."""
    loss = make()
    return type(loss).from_config({**loss.get_config(), "reduction": "none"})


def differences(loss, labels, spikes, step=1e-5):
    """Central finite differences: each number of each sample moved in a copy of the sample."""
    moves = step * np.eye(spikes[0].size).reshape(-1, *spikes[0].shape)
    found = []
    for label, sample in zip(labels, spikes):
        repeated = np.full(len(moves), label)
        ahead, behind = (loss(repeated, sample + sign * moves).numpy() for sign in (1, -1))
        found.append((ahead - behind).reshape(sample.shape) / (2 * step))
    return np.array(found)


# The formulas again, one sample after another, one number after another.


def counts_in(s, i, t, window):
    return sum(s[k, i] for k in range(max(0, t - window + 1), t + 1))


def loop_rate(s, label, true_rate=0.35, false_rate=0.07):
    n_steps, n_classes = s.shape
    value, gradient = 0.0, np.zeros(s.shape)
    for i in range(n_classes):
        error = sum(s[:, i]) / n_steps - (true_rate if i == label else false_rate)
        value += error**2
        gradient[:, i] = 2 * error / n_steps
    return value, gradient


def loop_spikemax(s, label, window=5, extra=0.2):
    n_steps, n_classes = s.shape
    value, gradient = 0.0, np.zeros(s.shape)
    for t in range(n_steps):
        c = [counts_in(s, i, t, window) + extra for i in range(n_classes)]
        for i in range(n_classes):
            p, y = c[i] / sum(c), float(i == label)
            value -= y * math.log(p) / n_steps
            gradient[t, i] = (p - y) / (c[i] / window)
    return value, gradient


def loop_global(s, label, extra=0.2):
    n_steps, n_classes = s.shape
    value, gradient = 0.0, np.zeros(s.shape)
    c = [sum(s[:, i]) + extra for i in range(n_classes)]
    for i in range(n_classes):
        p, y = c[i] / sum(c), float(i == label)
        value -= y * math.log(p)
        gradient[:, i] = (p - y) / (c[i] / n_steps)
    return value, gradient


def loop_softmax(s, label):
    value, gradient = 0.0, np.zeros(s.shape)
    c = [sum(s[:, i]) for i in range(s.shape[1])]
    for i in range(s.shape[1]):
        p, y = math.exp(c[i]) / sum(math.exp(k) for k in c), float(i == label)
        value -= y * math.log(p)
        gradient[:, i] = p - y
    return value, gradient


def loop_count(s, label, true=6, false=1.5, tau_s=2.5, region=(3, 12)):
    n_steps, n_classes = s.shape
    value, gradient = 0.0, np.zeros(s.shape)
    eps = [k / tau_s * math.exp(1 - k / tau_s) for k in range(n_steps)]
    for i in range(n_classes):
        error = np.zeros(n_steps)
        wanted = true if i == label else false
        for t in range(n_steps):
            if region[0] <= t < region[1]:
                error[t] += (sum(s[slice(*region), i]) - wanted) / (region[1] - region[0])
            for k in range(t + 1):
                if not region[0] <= t - k < region[1]:
                    error[t] += eps[k] * s[t - k, i]
        value += sum(error**2) / 2
        for t in range(n_steps):
            gradient[t, i] = sum(eps[k] * error[t + k] for k in range(n_steps - t))
    return value, gradient


LOOPS = {
    "rate": loop_rate,
    "spikemax": loop_spikemax,
    "global": loop_global,
    "softmax": loop_softmax,
    "count": loop_count,
    "count-all": lambda s, label: loop_count(s, label, 6, 1, 1, (0, N_STEPS)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_value_and_gradient_are_the_formulas(name, spikes):
    values, gradients = gradient_of(whole(LOSSES[name]), LABELS, spikes)
    for value, gradient, sample, label in zip(values, gradients, spikes, LABELS):
        wanted_value, wanted_gradient = LOOPS[name](sample, label)
        assert value == pytest.approx(wanted_value, rel=1e-9)
        np.testing.assert_allclose(gradient, wanted_gradient, rtol=1e-9, atol=1e-12)


@every_loss
def test_graded_outputs_and_single_precision(make, rng, spikes):
    graded = spikes * rng.random(spikes.shape) * 3
    value, gradient = gradient_of(whole(make), LABELS, graded)
    single_value, single_gradient = gradient_of(whole(make), LABELS, graded.astype(np.float32))
    assert single_value.dtype == single_gradient.dtype == np.float32
    np.testing.assert_allclose(single_value, value, rtol=1e-4)
    np.testing.assert_allclose(single_gradient, gradient, rtol=1e-3, atol=1e-4)
    half = tf.cast(graded, tf.float16)
    np.testing.assert_allclose(whole(make)(LABELS, half), value, rtol=2e-2)


@pytest.mark.parametrize(
    ("name", "factor"), [("rate", 1), ("softmax", 1), ("global", N_STEPS)], ids=str
)
def test_gradient_is_the_exact_derivative_times(name, factor, spikes):
    loss = whole(LOSSES[name])
    _, gradient = gradient_of(loss, LABELS, spikes)
    wanted = factor * differences(loss, LABELS, spikes)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-6, atol=1e-8)


def test_spikemax_gradient_is_the_derivative_by_the_windowed_counts():
    """Eq. 11 is W dl/dc; with a window of one step counts are spikes, and L = mean of l."""
    rng = np.random.default_rng(3)
    loss = losses.Spikemax(1, reduction="none")
    counts = rng.random((2, 6, 3)) * 2
    _, gradient = gradient_of(loss, [0, 2], counts)
    by_counts = 6 * differences(loss, [0, 2], counts)
    np.testing.assert_allclose(gradient, by_counts, rtol=1e-6, atol=1e-8)
    # spikes of which these are the windowed counts, W = 3
    window = 3
    spikes = np.zeros_like(counts)
    for t in range(6):
        spikes[:, t] = counts[:, t] - spikes[:, max(0, t - window + 1) : t].sum(1)
    value, wide = gradient_of(losses.Spikemax(window, reduction="none"), [0, 2], spikes)
    np.testing.assert_allclose(value, loss([0, 2], counts), rtol=1e-9)
    np.testing.assert_allclose(wide, window * by_counts, rtol=1e-6, atol=1e-8)


def test_spikemax_gradient_and_the_exact_derivative(spikes):
    window = 5
    loss = losses.Spikemax(window, reduction="none")
    _, gradient = gradient_of(loss, LABELS, spikes)
    exact = differences(loss, LABELS, spikes)
    # the mean over the windows to come of what eq. 11 has of one, times W / T
    padded = np.pad(gradient, [(0, 0), (0, window), (0, 0)])
    ahead = sum(padded[:, k : k + N_STEPS] for k in range(window)) / window
    np.testing.assert_allclose(exact, ahead / N_STEPS, rtol=1e-6, atol=1e-8)
    last = window * N_STEPS * exact[:, -1]
    np.testing.assert_allclose(gradient[:, -1], last, rtol=1e-6, atol=1e-8)

    steady = np.repeat(spikes.mean(axis=1, keepdims=True), N_STEPS, axis=1)
    _, gradient = gradient_of(loss, LABELS, steady)
    exact = differences(loss, LABELS, steady)
    full = slice(window - 1, N_STEPS - window + 1)
    np.testing.assert_allclose(gradient[:, full], N_STEPS * exact[:, full], rtol=1e-6, atol=1e-8)


def test_count_gradient_outside_of_the_region_is_exact(spikes):
    """There, with the counts held fixed, which spikes outside do not change."""
    loss = whole(LOSSES["count"])
    _, gradient = gradient_of(loss, LABELS, spikes)
    exact = differences(loss, LABELS, spikes)
    outside = [t for t in range(N_STEPS) if not 3 <= t < 12]
    np.testing.assert_allclose(gradient[:, outside], exact[:, outside], rtol=1e-6, atol=1e-8)
    # inside the derivative by way of the counts is the error itself, and the kernel's sum scales it
    long = losses.SpikeCount(20, 10, tau_s=2, reduction="none")
    silent = np.zeros((1, 100, 2))
    _, gradient = gradient_of(long, [0], silent)
    np.testing.assert_allclose(differences(long, [0], silent)[0, :, 0], -0.2, rtol=1e-6)
    assert gradient[0, 0, 0] == pytest.approx(-0.2 * alpha(2, 100).sum(), rel=1e-6)
    assert alpha(2, 100).sum() == pytest.approx(2.7 * 2, rel=0.02)
    np.testing.assert_allclose(gradient[:, -1], 0, atol=1e-12)


@pytest.mark.parametrize("window", [1, 2, 7, N_STEPS])
def test_windowed_counts(window, spikes):
    found = losses.windowed_counts(tf.constant(spikes), window).numpy()
    for n, t, i in np.ndindex(found.shape):
        assert found[n, t, i] == pytest.approx(counts_in(spikes[n], i, t, window))


@pytest.mark.parametrize("tau_s", [0.5, 5, 200])
def test_response_is_a_convolution(tau_s, spikes):
    found = losses.response(tf.constant(spikes), tau_s).numpy()
    for n, i in np.ndindex(N_SAMPLES, N_CLASSES):
        wanted = np.convolve(spikes[n, :, i], alpha(tau_s, N_STEPS))[:N_STEPS]
        np.testing.assert_allclose(found[n, :, i], wanted, rtol=1e-9, atol=1e-12)


@every_loss
def test_silence_is_finite_and_asks_for_spikes(make):
    silent = np.zeros((1, N_STEPS, N_CLASSES), np.float32)
    value, gradient = gradient_of(make(), [1], silent)
    assert np.isfinite(value) and np.isfinite(gradient).all()
    assert (gradient[0, :2, 1] < 0).all()


@pytest.mark.parametrize("others", [0.0, 1.0])
def test_what_silent_label_neurons_are_asked(others):
    """All silent: evenly unsure. Only the label's: at most the stated bound."""
    spikes = np.full((1, N_STEPS, N_CLASSES), others)
    spikes[..., 1] = 0
    for loss, steps in ((losses.Spikemax(5), 5), (losses.SpikemaxGlobal(), N_STEPS)):
        value, gradient = gradient_of(loss, [1], spikes)
        if not others:
            assert value == pytest.approx(math.log(N_CLASSES))
            # p is 1 / n_classes for all, and the count of each a fifth
            wanted = np.full(N_CLASSES, 5 * steps / N_CLASSES)
            wanted[1] = -5 * steps * (1 - 1 / N_CLASSES)
            np.testing.assert_allclose(gradient[0], np.tile(wanted, (N_STEPS, 1)))
        bound = steps / losses.EXTRA_COUNT
        assert bound / 2 < np.abs(gradient).max() <= bound


@every_loss
def test_graphs_and_xla_give_the_same(make, spikes):
    spikes = tf.constant(spikes, tf.float32)

    def both(labels, spikes):
        loss = make()
        with tf.GradientTape() as tape:
            tape.watch(spikes)
            value = loss(labels, spikes)
        return value, tape.gradient(value, spikes)

    wanted = both(LABELS, spikes)
    signature = [tf.TensorSpec([None], tf.int64), tf.TensorSpec([None, None, None])]
    for found in (
        tf.function(both, input_signature=signature)(LABELS, spikes),
        tf.function(both, jit_compile=True)(LABELS, spikes),
    ):
        for one, other in zip(found, wanted):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@every_loss
@pytest.mark.parametrize("jit_compile", [False, True])
def test_keras_fit_with_masks_and_sample_weights(make, jit_compile, rng):
    """fit's loss is that of the sequences cut to their lengths, weighted."""
    tf.keras.utils.set_random_seed(1)
    n_steps = 24
    model = tf.keras.Sequential(
        [
            tf.keras.layers.Input((n_steps, 6)),
            tf.keras.layers.Masking(),
            tf.keras.layers.Dense(N_CLASSES, activation="relu", bias_initializer="ones"),
        ]
    )
    lengths, labels = [24, 13, 18], LABELS[:, None]
    weights = np.array([1.0, 2.0, 0.5])
    x = rng.random((3, n_steps, 6)).astype(np.float32)
    for sequence, length in zip(x, lengths):
        sequence[length:] = 0
    outputs = model(x).numpy()
    assert outputs[1, 13:].any(), "the padding must hold something to be left out"
    cut = [make()([y], o[None, :n]) for y, o, n in zip(LABELS, outputs, lengths)]
    model.compile("adam", loss=make(), jit_compile=jit_compile)
    history = model.fit(x, labels, sample_weight=weights, batch_size=3, verbose=0).history
    assert history["loss"][0] == pytest.approx(np.mean(weights * cut), rel=1e-5)


@every_loss
def test_masked_gradient_is_that_of_cut_sequences(make, spikes):
    lengths = [17, 13, 15]
    mask = np.arange(N_STEPS) < np.array(lengths)[:, None]
    masked = tf.constant(spikes)
    masked._keras_mask = tf.constant(mask)
    with tf.GradientTape() as tape:
        tape.watch(masked)
        value = whole(make)(LABELS, masked)
    gradient = tape.gradient(value, masked).numpy()
    for n, length in enumerate(lengths):
        wanted = gradient_of(whole(make), LABELS[n : n + 1], spikes[n : n + 1, :length])
        assert value[n].numpy() == pytest.approx(wanted[0][0])
        np.testing.assert_allclose(gradient[n, :length], wanted[1][0], rtol=1e-9, atol=1e-12)
        assert not gradient[n, length:].any()


def test_padding_without_spikes_leaves_two_values(spikes):
    """What the module's docstring says of padding without a mask."""
    padded = np.pad(spikes, [(0, 0), (0, 8), (0, 0)])
    for name, same in (("rate", False), ("spikemax", False), ("global", True), ("softmax", True)):
        loss = LOSSES[name]()
        assert np.allclose(loss(LABELS, spikes), loss(LABELS, padded)) == same, name


@every_loss
def test_settings_survive_saving(make, tmp_path, spikes):
    model = tf.keras.Sequential([tf.keras.layers.Input((N_STEPS, N_CLASSES))])
    model.add(tf.keras.layers.ReLU())
    model.compile("adam", loss=make())
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = tf.keras.models.load_model(path).loss
    assert type(loaded) is type(make()) and loaded.get_config() == make().get_config()
    assert float(loaded(LABELS, spikes)) == float(make()(LABELS, spikes))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: losses.SpikeRate(1.2, 0.1), "SpikeRate: true_rate is 1.2"),
        (lambda: losses.SpikeRate(0.2, 0), "SpikeRate: false_rate is 0"),
        (lambda: losses.SpikeRate(math.nan, 0.1), "true_rate is nan"),
        (lambda: losses.SpikeRate(0.1, 0.1), "true_rate 0.1 is not above false_rate 0.1"),
        (lambda: losses.Spikemax(0), "Spikemax: window is 0"),
        (lambda: losses.Spikemax(2.5), "window is 2.5"),
        (lambda: losses.Spikemax(True), "window is True"),
        (lambda: losses.Spikemax(5, extra_count=0), "Spikemax: extra_count is 0"),
        (lambda: losses.SpikemaxGlobal(math.inf), "SpikemaxGlobal: extra_count is inf"),
        (lambda: losses.SpikeCount(5, 5, 1), "true_count is 5 and false_count 5"),
        (lambda: losses.SpikeCount(5, -1, 1), "false_count -1"),
        (lambda: losses.SpikeCount(5, 1, 0), "tau_s is 0"),
        (lambda: losses.SpikeCount(5, 1, 1, (4, 4)), r"region is \(4, 4\)"),
        (lambda: losses.SpikeCount(5, 1, 1, (0.5, 4)), r"region is \(0.5, 4\)"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(DataError, match=message):
        make()


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (losses.Spikemax(18), "window 18 is longer than the sequences: shorten it to their 17"),
        (losses.SpikeCount(5, 1, 1, (3, 18)), r"region \(3, 18\) ends after the sequences' 17"),
        (losses.SpikeCount(18, 1, 1), "true_count 18 is more than .* region's 17 steps"),
        (losses.SpikeCount(5, 1, 1, (3, 7)), "true_count 5 is more than .* region's 4 steps"),
    ],
)
def test_sequences_too_short_are_refused(loss, message, spikes):
    with pytest.raises(DataError, match=message):
        loss(LABELS, spikes)
    with pytest.raises(DataError, match=message):  # while the graph is built
        tf.function(loss)(LABELS, spikes)


def test_a_window_too_long_for_sequences_of_unknown_length(spikes):
    signature = [tf.TensorSpec([None], tf.int64), tf.TensorSpec([None, None, 4], tf.float64)]
    loss = tf.function(losses.Spikemax(18), input_signature=signature)
    with pytest.raises(tf.errors.InvalidArgumentError, match="window 18 is longer"):
        loss(LABELS, spikes)


@pytest.mark.parametrize(
    ("labels", "shape", "message"),
    [
        ([0, 1], (2, 5), r"y_pred has the shape \(2, 5\)"),
        (np.eye(3)[[0, 1]], (2, 5, 3), r"y_true has the shape \(2, 3\).*np.argmax"),
        ([0, 1, 2], (2, 5, 3), "y_true has 3 labels, y_pred 2 samples"),
        ([0, 3], (2, 5, 3), "label 3 of sample 1 is none of the 3 classes"),
        ([-1, 2], (2, 5, 3), "label -1 of sample 0"),
        ([0.5, 2], (2, 5, 3), "label 0.5 of sample 0"),
    ],
)
def test_labels_and_spikes_that_do_not_fit_are_refused(labels, shape, message):
    with pytest.raises(DataError, match=message):
        losses.SpikemaxSoftmax()(np.array(labels), np.zeros(shape, np.float32))


def test_errors_reach_the_caller_of_fit(spikes):
    model = tf.keras.Sequential([tf.keras.layers.Input((N_STEPS, N_CLASSES))])
    model.add(tf.keras.layers.ReLU())
    model.compile("adam", loss=losses.Spikemax(30))
    with pytest.raises(DataError, match="window 30 is longer than the sequences"):
        model.fit(spikes, LABELS, verbose=0)
    model.compile("adam", loss=losses.SpikemaxSoftmax())
    with pytest.raises(DataError, match="one weight a sample"):
        model.fit(spikes, LABELS, sample_weight=np.ones((3, N_STEPS)), verbose=0)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_unknown_labels_in_a_graph_make_the_loss_nan(jit_compile, spikes):
    loss = tf.function(losses.SpikemaxSoftmax(reduction="none"), jit_compile=jit_compile)
    found = loss(np.array([2, 4, -1]), spikes).numpy()
    assert np.isnan(found).tolist() == [False, True, True]
