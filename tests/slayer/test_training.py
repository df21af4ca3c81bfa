"""Training on spikes: it learns, repeats, goes on, and stops at a loss that is no number."""

import dataclasses
import json

import numpy as np
import pytest

from nengo_tactile import progress
from nengo_tactile.doors.archives import read_npz
from nengo_tactile.errors import DataError, ModelFileError, SilenceError, SilenceWarning
from nengo_tactile.events.sparse import SpikeSamples
from nengo_tactile.slayer import training
from nengo_tactile.slayer.losses import SpikeCount, Spikemax, SpikemaxSoftmax, SpikeRate
from nengo_tactile.slayer.models import build, stages_of
from nengo_tactile.slayer.neurons import SpikeResponseModel
from nengo_tactile.slayer.training import Recipe, evaluate, train
from tests.support import slayer_reference as reference

RECIPE = Recipe(epochs=4, batch_size=8, learning_rate=0.2)
LONGER = Recipe(epochs=10, batch_size=8, learning_rate=0.2)


def samples(n=48, n_steps=30, seed=0):
    """Three classes: which third of twelve channels is active."""
    rng = np.random.default_rng(seed)
    dense = np.zeros((n, n_steps, 12))
    labels = np.arange(n) % 3
    for sample, label in zip(dense, labels):
        sample[:] = rng.random((n_steps, 12)) < 0.02
        sample[:, 4 * label : 4 * label + 4] = rng.random((n_steps, 4)) < 0.25
    number, step, channel = np.nonzero(dense)
    offsets = np.searchsorted(number, np.arange(n + 1))
    return SpikeSamples(
        (12,), 1000.0, n_steps, offsets, step.astype(np.uint16), channel.astype(np.uint16),
        np.full(n, n_steps), labels=labels,
    )  # fmt: skip


def network(seed=0, **options):
    options = {"neuron": SpikeResponseModel(2.0, 2.0), "max_delay": 4, **options}
    return build("12-10-3", seed=seed, **options)


small_network = network
LIVELY = {"dense": 60.0, "output": 60.0}


def test_it_learns_and_repeats():
    data, test = samples(), samples(seed=1)
    histories = []
    for _ in range(2):
        model = network()
        with pytest.warns(SilenceWarning, match="'output' fired"):
            before = evaluate(model, test)["accuracy"]
        histories.append(train(model, data, SpikeRate(0.4, 0.05), LONGER, 3, validation=test))
        after = evaluate(model, test)
    first, second = histories
    assert after["accuracy"] >= 0.9 > before
    assert first.validation_accuracy[-1] == after["accuracy"]
    assert first.loss == second.loss
    assert first.spikes == second.spikes
    assert first.loss[-1] < first.loss[0]
    assert len(first.seconds) == 10
    assert set(first.spikes[0]) == {"dense1", "output"}
    other = train(network(), data, SpikeRate(0.4, 0.05), LONGER, 4)
    assert other.loss != first.loss


def test_convolutions_learn_too():
    """Keras tells layers no shapes of minibatches that come one by one."""
    data = dataclasses.replace(samples(24), shape=(2, 3, 2))
    model = build("2x3x2-4c2-1a-3o", SpikeResponseModel(2.0, 2.0), dropout=0.1)
    history = train(model, data, SpikeRate(0.4, 0.05), Recipe(epochs=2, batch_size=8))
    assert history.spikes[-1]["conv1"] > 0
    assert evaluate(model, data)["spikes"].keys() == {"conv1", "pool1", "output"}


def test_evaluation_is_that_of_the_spikes():
    model, data = network(gains=LIVELY), samples(20)
    found = evaluate(model, data, batch_size=7)
    outputs = model(data.dense(np.arange(20)), training=False).numpy()
    winners = outputs.cumsum(1).argmax(2)
    hits = (winners == data.labels[:, None]).sum(0)
    np.testing.assert_array_equal(found["hits_over_time"], hits)
    assert found["accuracy"] == hits[-1] / 20
    assert found["spikes"]["output"] == pytest.approx(outputs.sum() / 20)
    assert found["spikes"]["dense1"] > 0


def test_spikes_count_when_neurons_fire():
    """Those too that are on an axon at the end; as the slow reference has them."""
    model, data = network(gains=LIVELY, max_delay=20), samples(8)
    model.get_layer("dense1").delays.assign(np.full(10, 15.0))
    fired, sent = reference.run(stages_of(model), data.dense(np.arange(8)))
    assert fired.sent.sum() < 0.8 * fired.spikes.sum()
    spikes = evaluate(model, data)["spikes"]
    assert spikes["dense1"] == pytest.approx(fired.spikes.sum() / 8)
    assert spikes["output"] == pytest.approx(sent.spikes.sum() / 8)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_an_interrupted_training_goes_on(tmp_path, monkeypatch, dropout):
    data, path = samples(), tmp_path / "state.npz"

    def network(seed=0):
        return small_network(seed, dropout=dropout)

    whole = train(network(), data, SpikemaxSoftmax(), RECIPE, 1)
    saved, stops = training.save_checkpoint, []

    def stop(*args):
        saved(*args)
        stops.append(args[-1])
        if len(stops) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(training, "save_checkpoint", stop)
    with pytest.raises(KeyboardInterrupt):
        train(network(), data, SpikemaxSoftmax(), RECIPE, 1, checkpoint=path)
    model = network(seed=9)  # other weights: those of the checkpoint are taken
    with pytest.raises(ModelFileError, match="another network"):
        train(model, data, SpikemaxSoftmax(), RECIPE, 2, checkpoint=path)
    again = network()
    history = train(again, data, SpikemaxSoftmax(), RECIPE, 1, checkpoint=path)
    assert stops == [1, 2, 3, 4]
    np.testing.assert_allclose(history.loss, whole.loss, rtol=1e-5)
    assert history.spikes == whole.spikes
    other = SpikeRate(0.4, 0.05)
    with pytest.raises(ModelFileError, match="another network"):
        train(network(), data, other, RECIPE, 1, checkpoint=path)
    with pytest.raises(ModelFileError, match="another network"):
        train(network(), samples(seed=5), SpikemaxSoftmax(), RECIPE, 1, checkpoint=path)


def test_padding_is_no_part_of_loss_and_accuracy():
    """Samples of different lengths train as those cut to their length, one by one."""
    tf = training.tf
    data = samples(6)
    lengths = np.array([30, 17, 22, 30, 9, 25])
    mixed = dataclasses.replace(data, lengths=lengths)
    model = network(gains=LIVELY)
    loss = SpikeRate(0.4, 0.05)
    start = model.get_weights()
    gradients, losses, hits = [0] * len(start), [], 0
    for index, length in enumerate(lengths):
        x = tf.constant(data.dense([index])[:, :length])
        with tf.GradientTape() as tape:
            spikes = model(x)
            losses.append(loss([index % 3], spikes))
        found = tape.gradient(losses[-1], model.trainable_variables)
        gradients = [so_far + each / 6 for so_far, each in zip(gradients, found)]
        hits += int(tf.argmax(tf.reduce_sum(spikes, 1), 1)[0]) == index % 3
        losses[-1] = float(losses[-1])
    # events of the neighbouring sample's place stand in the padding
    history = train(model, mixed, loss, Recipe(1, 6, 0.1, "constant"))
    assert history.loss[0] == pytest.approx(np.mean(losses), rel=1e-5)
    assert history.accuracy[0] == pytest.approx(hits / 6)
    # Adam's first step is the rate times the sign of the gradient
    for before, variable, gradient in zip(start, model.trainable_variables, gradients):
        moved = variable.numpy() - before
        clear = np.abs(gradient) > 1e-3 * np.abs(gradient).max()
        signs = -np.sign(np.asarray(gradient))[clear]
        if before.ndim > 1:  # delays are kept in their range
            np.testing.assert_array_equal(np.sign(moved[clear]), signs)
            assert clear.any()
    model.set_weights(start)
    assert evaluate(model, mixed)["accuracy"] == pytest.approx(hits / 6)


class Quiet(training.tf.keras.losses.Loss):
    """Wants no spikes at all."""

    def call(self, y_true, y_pred):
        return training.tf.reduce_sum(y_pred, (1, 2))


def test_outputs_that_die_are_an_error_and_keep_the_last_checkpoint(tmp_path):
    """It has the history; the checkpoint is that of the last epoch in which they fired."""
    path, data, model = tmp_path / "state.npz", samples(24), network()
    recipe = Recipe(6, 8, 0.3, "constant")
    with pytest.warns(SilenceWarning) as told, pytest.raises(SilenceError) as found:
        train(model, data, Quiet(), recipe, checkpoint=path)
    history = found.value.history
    fired = [spikes["output"] > 0 for spikes in history.spikes]
    alive = fired.index(False)
    assert len(fired) == 6
    assert alive > 0
    assert not any(fired[alive:])
    state = json.loads(str(read_npz(path)["state"]))
    assert state["epoch"] == alive
    assert state["history"]["spikes"] == history.spikes[:alive]
    # one warning for the outputs, in the first epoch without their spikes
    words = [str(warning.message) for warning in told if "'output'" in str(warning.message)]
    assert len(words) == 1
    n_events = len(data.steps) / 24
    assert f"epoch {alive + 1} of 6: no neuron of layer" in words[0]
    assert f"under {n_events:.3g} events a sample" in words[0]
    last = str(found.value)
    assert "outputs (layer 'output') fire under none of the 24 training samples" in last
    assert "lower the learning rate (now 0.3)" in last
    # again from the checkpoint, to the same end
    with pytest.warns(SilenceWarning), pytest.raises(SilenceError) as again:
        train(network(), data, Quiet(), recipe, checkpoint=path)
    assert again.value.history.spikes == history.spikes


def test_gains_that_leave_a_network_silent_are_named():
    model = network(gains={"dense": 0.1, "output": 0.2})
    with (
        pytest.warns(SilenceWarning, match=r"layers 'dense1', 'output' fired.*without gains \(now"),
        pytest.raises(SilenceError, match=r"first silent layer is 'dense1'.*output 0\.2\)"),
    ):
        train(model, samples(12), SpikemaxSoftmax(), Recipe(2, 8, 1e-4))


def test_samples_without_events():
    data, model = samples(9), network(gains=LIVELY)
    number = np.repeat(np.arange(9), np.diff(data.offsets))
    keep = ~np.isin(number, [4, 7])
    some = dataclasses.replace(
        data, steps=data.steps[keep], addresses=data.addresses[keep],
        offsets=np.searchsorted(number[keep], np.arange(10)),
    )  # fmt: skip
    words = r"2 of 9 samples have no events \(the first is sample 4\)"
    with pytest.warns(SilenceWarning, match=f"training: {words}"):
        train(model, some, SpikeRate(0.4, 0.05), Recipe(1, 8))
    with pytest.warns(SilenceWarning, match=f"test data: {words}"):
        evaluate(model, some)
    nothing = dataclasses.replace(
        data, steps=data.steps[:0], addresses=data.addresses[:0], offsets=np.zeros(10, int)
    )
    with pytest.raises(DataError, match="none of the 9 samples has an event"):
        train(model, nothing, SpikeRate(0.4, 0.05), Recipe(1, 8))


def test_a_loss_that_is_no_number_keeps_the_last_checkpoint(tmp_path):
    tf, path = training.tf, tmp_path / "state.npz"
    calls = tf.Variable(0)

    class TurnsBad(tf.keras.losses.Loss):
        def call(self, y_true, y_pred):
            bad = tf.where(calls.assign_add(1) > 2 * 6 + 3, np.nan, 1.0)
            return (1 - tf.reduce_mean(y_pred, (1, 2))) * bad

    with pytest.raises(DataError, match=r"epoch 3 of 4: the loss became nan.*lower the learning"):
        train(network(), samples(), TurnsBad(), RECIPE, 0, checkpoint=path)
    state = json.loads(str(read_npz(path)["state"]))
    assert state["epoch"] == 2
    assert np.isfinite(state["history"]["loss"]).all()


def test_weights_that_are_no_numbers_keep_the_last_checkpoint(tmp_path):
    """A network of such weights may be silent, its loss a number."""
    path, data = tmp_path / "state.npz", samples(8)
    train(network(), data, SpikemaxSoftmax(), Recipe(epochs=1, batch_size=8), checkpoint=path)
    before = path.read_bytes()
    model = network()

    class Fatal(SpikemaxSoftmax):
        def value_and_gradient(self, target, spikes, valid):
            value, slope = super().value_and_gradient(target, spikes, valid)
            return value, slope * np.nan

    with pytest.raises(DataError, match=r"epoch 1 of 2: dense1/.* is no longer finite: lower"):
        train(model, data, Fatal(), Recipe(epochs=2, batch_size=8), checkpoint=tmp_path / "b.npz")
    assert not (tmp_path / "b.npz").exists()
    assert path.read_bytes() == before


def test_windows_and_regions_that_do_not_fit_are_refused():
    """Also by networks for any number of steps, and for samples shorter than others."""
    data, recipe = samples(8), Recipe(epochs=1, batch_size=8)
    with pytest.raises(DataError, match="window has 31 steps, sample 0 has 30"):
        train(network(), data, Spikemax(31), recipe)
    lengths = np.where(np.arange(8) == 5, 11, 30)
    with pytest.raises(DataError, match="window has 12 steps, sample 5 has 11"):
        train(network(), dataclasses.replace(data, lengths=lengths), Spikemax(12), recipe)
    train(network(), dataclasses.replace(data, lengths=lengths), Spikemax(11), recipe)
    with pytest.raises(DataError, match=r"region \(20, 40\) ends after the sequences' 30 steps"):
        train(network(), data, SpikeCount(4, 1, 2.0, region=(20, 40)), recipe)
    with pytest.raises(DataError, match="true_count 31 is more than one spike"):
        train(network(), data, SpikeCount(31, 1, 2.0), recipe)


def test_any_loss_over_spikes_trains_and_sees_no_padding():
    tf, data = training.tf, samples(6)
    lengths = np.array([30, 17, 22, 30, 9, 25])

    class MeanSpikes(tf.keras.losses.Loss):
        def call(self, y_true, y_pred):
            return tf.reduce_sum(y_pred, (1, 2)) + tf.cast(y_true, y_pred.dtype)

    model = network(gains=LIVELY)
    spikes = [
        float(tf.reduce_sum(model(data.dense([index])[:, :length])))
        for index, length in enumerate(lengths)
    ]
    assert sum(spikes) > 0
    padded = dataclasses.replace(data, lengths=lengths)
    history = train(model, padded, MeanSpikes(), Recipe(1, 6, 0.1, "constant"))
    assert history.loss[0] == pytest.approx(np.mean(spikes) + np.mean(data.labels), rel=1e-6)


def test_augmented_samples_depend_on_seed_and_epoch_alone():
    data, seen = samples(), []

    def load(indices, rng):
        seen.append((tuple(indices), int(rng.integers(1 << 30))))
        x = data.dense(indices, starts=rng.integers(-2, 3, len(indices)))
        return x, data.lengths[indices]

    short = Recipe(epochs=2, batch_size=16)
    train(network(), data, SpikeRate(0.4, 0.05), short, 5, load=load)
    first, seen = sorted(seen), []
    train(network(), data, SpikeRate(0.4, 0.05), short, 5, load=load)
    assert sorted(seen) == first
    # three minibatches in each epoch, and two to find the rates of the layers on; one sample is
    # looked at for its steps
    assert len({number for indices, number in first if len(indices) > 1}) == 8


def test_an_error_of_loading_in_a_later_epoch_is_told_as_it_is():
    """TensorFlow asks for the minibatches, and makes errors of them its own."""
    data, loaded = samples(), []

    def load(indices, rng):
        loaded.append(len(indices))
        # a sample for its steps, two minibatches for the rates, three of the first epoch; Keras
        # looks at the first of each itself
        if len(loaded) == 9:
            raise DataError("recording 7: augmentation left none of its events")
        return data.dense(indices), data.lengths[indices]

    with pytest.raises(DataError, match=r"^recording 7: augmentation left none"):
        train(network(), data, SpikeRate(0.4, 0.05), Recipe(2, 16), load=load)
    assert len(loaded) >= 9


class Bar:
    """What a bar was told."""

    told = ()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def add_task(self, description, total):
        self.told = [(total, description)]

    def remove_task(self, task):
        pass

    def update(self, task, advance, description):
        self.told.append((advance, description))


def test_progress_shows_accuracy_and_spikes(monkeypatch):
    bar = Bar()
    monkeypatch.setattr(progress, "open_bar", lambda shown: bar)
    history = train(network(), samples(), SpikeRate(0.4, 0.05), Recipe(epochs=1), progress=True)
    first, *others = bar.told
    assert first == (2, "training, epoch 1 of 1")
    assert [advance for advance, _ in others] == [1, 1]
    spikes = [f"{name} {count:,.0f}" for name, count in history.spikes[0].items()]
    accuracy = f"accuracy {history.accuracy[0]:.3f}"
    assert others[-1][1] == f"training, epoch 1 of 1: {accuracy}; spikes {', '.join(spikes)}"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": None}, "no labels"),
        ({"labels": np.arange(48) % 4}, "from 0 to 3, the network has 3 outputs"),
        ({"shape": (3, 4)}, r"shape \(3, 4\), the network takes \(12,\)"),
    ],
)
def test_samples_that_do_not_fit(change, words):
    data = dataclasses.replace(samples(), **change)
    with pytest.raises(DataError, match=words):
        train(network(), data, SpikeRate(0.4, 0.05), RECIPE)


def test_no_samples_and_other_steps():
    data = samples()
    frozen = network()
    frozen.trainable = False
    with pytest.raises(DataError, match="network 'slayer' has no weights to learn: set trainable"):
        train(frozen, data, SpikeRate(0.4, 0.05), RECIPE)
    with pytest.raises(DataError, match="no samples"):
        train(network(), data.take(np.arange(0)), SpikeRate(0.4, 0.05), RECIPE)
    with pytest.raises(DataError, match="30 steps, the network takes 20"):
        train(network(n_steps=20), data, SpikeRate(0.4, 0.05), RECIPE)
