"""Training of spiking networks with Keras: seeded, checkpointed after every epoch, resumable."""

import contextlib
import dataclasses
import functools
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nengo_tactile import files, stack
from nengo_tactile.ann.training import learning_rate_at, resume, save_checkpoint
from nengo_tactile.errors import DataError
from nengo_tactile.progress import track
from nengo_tactile.slayer import loops, silence
from nengo_tactile.slayer.losses import SpikeLoss, Spikemax
from nengo_tactile.slayer.metrics import SpikeAccuracy
from nengo_tactile.slayer.models import spiking_layers
from nengo_tactile.slayer.start import fires, look_at, scale_weights

if TYPE_CHECKING:
    from nengo_tactile.events.sparse import SpikeSamples

tf = stack.tensorflow()


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a spiking network is trained, with Adam.

    Attributes
    ----------
    epochs, batch_size : int
    learning_rate : float
    schedule : {"constant", "cosine"}
        "cosine" warms up over the first 5 % of the steps, then falls to zero.
    """

    epochs: int = 30
    batch_size: int = 32
    learning_rate: float = 3e-3
    schedule: str = "cosine"


@dataclasses.dataclass
class History:
    """What each epoch had: means over its samples.

    Attributes
    ----------
    loss, accuracy, validation_accuracy, seconds : list of float
    spikes : list of dict
        Spikes per sample by layer.
    """

    loss: list = dataclasses.field(default_factory=list)
    accuracy: list = dataclasses.field(default_factory=list)
    validation_accuracy: list = dataclasses.field(default_factory=list)
    seconds: list = dataclasses.field(default_factory=list)
    spikes: list = dataclasses.field(default_factory=list)


class _Minibatches(tf.keras.utils.Sequence):
    """Samples in an order, made dense when their minibatch comes.

    The targets are label and length, which `_masked` makes a mask of. TensorFlow asks for them, and
    would tell an error of loading as one of its own: it is kept, for `fit_to` to raise.
    """

    def __init__(self, load, labels, order, batch_size, seed):
        self.load, self.labels, self.order = load, np.asarray(labels, np.int32), order
        self.batch_size, self.seed, self.error = batch_size, seed, None

    def __len__(self):
        return math.ceil(len(self.order) / self.batch_size)

    def __getitem__(self, number):
        chosen = self.order[number * self.batch_size : (number + 1) * self.batch_size]
        rng = np.random.default_rng((*self.seed, number))
        try:
            x, lengths = self.load(chosen, rng)
        except Exception as error:
            self.error = error
            raise
        return x.astype(np.float32), np.stack([self.labels[chosen], lengths], 1).astype(np.int32)

    def fit_to(self, model, **options):
        """Fit a model to them, once each."""
        try:
            stack.interruptible(functools.partial(model.fit, self, **options))
        except tf.errors.OpError:
            if self.error is None:
                raise
            raise self.error from None


def _masked(function):
    """A loss's call or a metric's update, of which steps behind the end of samples are no part.

    Parameters
    ----------
    function : callable
        ``(labels, spikes, sample_weight)``; honours the Keras mask of the spikes.
    """

    def call(y_true, y_pred, sample_weight=None):
        y_pred = tf.identity(y_pred)
        y_pred._keras_mask = tf.sequence_mask(y_true[:, 1], tf.shape(y_pred)[1])
        return function(y_true[:, 0], y_pred, sample_weight)

    return call


@stack.quiet()
def train(
    model: Any,
    samples: "SpikeSamples",
    loss: Any,
    recipe: Recipe = Recipe(),
    seed: int = 0,
    load: Callable | None = None,
    validation: "SpikeSamples | None" = None,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
    description: str = "training",
    each_epoch: Callable[[Any, History], Any] | None = None,
) -> History:
    """Train a spiking network with Keras's ``fit``, in place.

    Weights that were drawn without a gain are first scaled on some of the samples until each
    layer fires: see `nengo_tactile.slayer.start`.

    Parameters
    ----------
    model : tf.keras.Model
        From `nengo_tactile.slayer.build`.
    samples : SpikeSamples
        With labels.
    loss : tf.keras.losses.Loss
        Of `nengo_tactile.slayer.losses`, or another over labels and spikes; to those others no
        neuron fires behind a sample's end.
    recipe : Recipe
    seed : int
        Seed of the order of the samples and of ``load``.
    load : callable, optional
        ``(indices, rng) -> (x, lengths)``, for augmentation or random stretches: (n, n_steps, ...)
        array, and the steps of each that are no padding. By default ``samples.dense(indices)`` and
        ``samples.lengths[indices]``. What padded steps hold is no part of loss and accuracy.
    validation : SpikeSamples, optional
        Scored after each epoch.
    checkpoint : path, optional
        An .npz file rewritten after each epoch in which the outputs fire; when it exists training
        goes on from it.
    progress : bool, optional
        Show accuracy and spikes per layer while it runs (default: on a terminal).
    description : str
    each_epoch : callable, optional
        ``(model, history)``, after each epoch: to keep its weights, or to measure more.

    Returns
    -------
    History

    Raises
    ------
    ModelFileError
        If the checkpoint belongs to another network, loss, recipe, seed or data.
    DataError
        For labels that are no classes, a window longer than a sample, networks without weights to
        learn, and when the loss or a weight is no longer finite; the checkpoint is then that of
        the epoch before.
    SilenceError
        If the outputs of the trained network never fire. It has the history.

    Warns
    -----
    SilenceWarning
        Of samples without events, and once of each layer that does not fire in an epoch.
    """
    labels = check_samples(model, samples, description)
    if not model.trainable_variables:
        raise DataError(
            f"network {model.name!r} has no weights to learn: set trainable=True of its layers, or "
            "give it one that has weights"
        )
    if validation is not None:
        check_samples(model, validation, "validation data")
    load = load or (lambda indices, rng: (samples.dense(indices), samples.lengths[indices]))
    optimizer = tf.keras.optimizers.Adam(recipe.learning_rate)
    n_steps = _check_steps(samples, load, loss, description)
    model.compile(optimizer, _MaskedLoss(loss, n_steps), metrics=[_MaskedAccuracy(name="accuracy")])
    optimizer.build(model.trainable_variables)
    history = History()
    mark = _fingerprint(model, loss, recipe, seed, samples, labels) if checkpoint else None
    first = resume(checkpoint, model, optimizer, history, mark) if checkpoint else 0
    layers, told = spiking_layers(model), frozenset[str]()
    if not first:
        scale_weights(model, look_at(samples, seed, load, recipe.batch_size))
    for epoch in range(first, recipe.epochs):
        # the order depends on seed and epoch alone, so that a resumed run repeats it
        order = np.random.default_rng((seed, epoch)).permutation(len(samples))
        batches = _Minibatches(load, labels, order, recipe.batch_size, (seed, epoch, 1))
        began = time.monotonic()
        what = f"{description}, epoch {epoch + 1} of {recipe.epochs}"
        with _bar(len(batches), what, progress) as bar:
            watch = _Watch(recipe, epoch, len(batches), spiking_names(model), what, bar)
            batches.fit_to(model, callbacks=[watch], verbose=0, shuffle=False)
        _check_weights(model, what, recipe)
        _note(history, watch.logs, time.monotonic() - began, spiking_names(model))
        told = silence.tell(layers, history.spikes[-1], told, samples, what)
        if validation is not None:
            found = _measured(model, validation, recipe.batch_size, progress=False)
            history.validation_accuracy.append(found["accuracy"])
        # a silent network is not worth the one before it: training goes on from that one
        if checkpoint and history.spikes[-1][layers[-1].name]:
            save_checkpoint(checkpoint, model, optimizer, history, mark, epoch + 1)
        if each_epoch is not None:
            each_epoch(model, history)
    loops.forget()
    if not fires(model, look_at(samples, seed, load, recipe.batch_size)):
        spikes = _measured(model, samples, recipe.batch_size, progress=False)["spikes"]
        if not spikes[layers[-1].name]:
            silence.refuse(layers, spikes, samples, history, recipe, description)
    return history


def spiking_names(model):
    """Names of the layers whose spikes are counted."""
    return [layer.name for layer in spiking_layers(model)]


def evaluate(
    model: Any, samples: "SpikeSamples", batch_size: int = 32, progress: bool | None = None
) -> dict[str, Any]:
    """Accuracy by spike counts, and spikes per sample by layer.

    Parameters
    ----------
    model : tf.keras.Model
    samples : SpikeSamples
    batch_size : int
    progress : bool, optional

    Returns
    -------
    dict
        ``accuracy``, ``spikes`` (by layer, when neurons fire), ``hits_over_time`` (n_steps,):
        samples that are right if one stops reading after each step, or at their end.

    Warns
    -----
    SilenceWarning
        Of samples without events, and if the outputs never fire, so that all count as class 0.
    """
    check_samples(model, samples, "test data")
    found = _measured(model, samples, batch_size, progress)
    silence.tell(spiking_layers(model)[-1:], found["spikes"], frozenset(), samples, "test data")
    return found


def _measured(model, samples, batch_size, progress):
    """What `evaluate` returns."""
    told = samples.dense, samples.labels, samples.lengths, samples.n_steps
    return measured(model, *told, batch_size, progress, "testing")


def measured(
    model: Any,
    dense: Callable[[np.ndarray], np.ndarray],
    labels: np.ndarray,
    lengths: np.ndarray,
    n_steps: int,
    batch_size: int = 32,
    progress: bool | None = None,
    description: str = "running the Keras layers",
) -> dict[str, Any]:
    """What `evaluate` says, of samples in any form.

    Parameters
    ----------
    model : tf.keras.Model
    dense : callable
        ``dense(indices)`` gives samples, (n_samples, n_steps, ...) float32.
    labels, lengths : (n_samples,) int array
        Classes, and steps of each sample.
    n_steps : int
    batch_size : int
    progress : bool, optional
    description : str

    Returns
    -------
    dict
    """
    labels, layers = np.asarray(labels), spiking_layers(model)
    spikes: dict[str, float] = {}
    hits: Any = 0

    @tf.function(reduce_retracing=True)
    def predict(x):
        fired = {}
        for layer in layers:
            answer = layer.fire(x)
            fired[layer.name] = tf.reduce_sum(answer)
            x = layer.send(answer)
        return fired, x

    starts = range(0, len(labels), batch_size)
    for start in track(starts, description, progress=progress):
        chosen = np.arange(start, min(start + batch_size, len(labels)))
        fired, outputs = predict(tf.constant(dense(chosen)))
        for name, count in fired.items():
            spikes[name] = spikes.get(name, 0) + float(count)
        there = np.arange(n_steps) < lengths[chosen][:, None]
        counts = (outputs.numpy() * there[..., None]).cumsum(1)
        hits = hits + (counts.argmax(2) == labels[chosen][:, None]).sum(0)
    return {
        "accuracy": float(hits[-1] / len(labels)),
        "spikes": {name: count / len(labels) for name, count in spikes.items()},
        "hits_over_time": hits,
    }


def check_samples(model, samples, description):
    """Labels of samples that fit a network.

    Raises
    ------
    DataError
        If there are none, they have no labels or other shapes, or a label is no class.
    """
    n_classes, shape = model.output_shape[-1], tuple(model.input_shape[2:])
    if not len(samples):
        raise DataError(f"{description}: no samples: give at least one")
    if samples.labels is None:
        raise DataError(f"{description}: the samples have no labels: make them with labels")
    if tuple(samples.shape) != shape:
        raise DataError(
            f"{description}: samples have the shape {tuple(samples.shape)}, the network takes "
            f"{shape}: begin it with such an input"
        )
    if model.input_shape[1] not in (None, samples.n_steps):
        raise DataError(
            f"{description}: samples have {samples.n_steps} steps, the network takes "
            f"{model.input_shape[1]}: build it with n_steps=None"
        )
    labels = np.asarray(samples.labels)
    if labels.min() < 0 or labels.max() >= n_classes:
        raise DataError(
            f"{description}: labels go from {labels.min()} to {labels.max()}, the network has "
            f"{n_classes} outputs: labels must be from 0 to {n_classes - 1}"
        )
    silence.check_events(samples, description)
    return labels


class _MaskedLoss(tf.keras.losses.Loss):
    def __init__(self, loss, n_steps):
        super().__init__(name=loss.name)
        self.loss, self.n_steps = loss, n_steps

    def __call__(self, y_true, y_pred, sample_weight=None):
        # losses hold their windows and regions against a number that is known
        y_pred = tf.ensure_shape(y_pred, (None, self.n_steps, None))
        if isinstance(self.loss, SpikeLoss):
            return _masked(self.loss)(y_true, y_pred, sample_weight)
        # other losses know no mask of steps: to them no neuron fires behind a sample's end
        valid = tf.sequence_mask(y_true[:, 1], tf.shape(y_pred)[1], y_pred.dtype)
        return self.loss(y_true[:, 0], y_pred * valid[..., None], sample_weight)


class _MaskedAccuracy(SpikeAccuracy):
    def update_state(self, y_true, y_pred, sample_weight=None):
        return _masked(super().update_state)(y_true, y_pred, sample_weight)


class _Watch(tf.keras.callbacks.Callback):
    """Learning rate, what is shown, and the end when the loss is no number."""

    def __init__(self, recipe, epoch, n_batches, names, what, bar):
        super().__init__()
        self.recipe, self.epoch, self.n_batches = recipe, epoch, n_batches
        self.names, self.what, self.bar, self.logs = names, what, bar, {}

    def on_train_batch_begin(self, batch, logs=None):
        """Set the learning rate."""
        total = self.recipe.epochs * self.n_batches
        rate = learning_rate_at(self.recipe, self.epoch * self.n_batches + batch, total)
        self.model.optimizer.learning_rate.assign(rate)

    def on_train_batch_end(self, batch, logs=None):
        """Stop at a loss that is no number; show the means of the epoch so far."""
        self.logs = dict(logs)
        if not math.isfinite(self.logs["loss"]):
            raise DataError(
                f"{self.what}: the loss became {self.logs['loss']} in minibatch {batch + 1}: lower "
                f"the learning rate (now {self.recipe.learning_rate}); an earlier checkpoint stays"
            )
        if self.bar is not None:
            counts = ", ".join(f"{name} {self.logs[f'{name}_spikes']:,.0f}" for name in self.names)
            self.bar(f"{self.what}: accuracy {self.logs['accuracy']:.3f}; spikes {counts}")


def _check_steps(samples, load, loss, description):
    """Steps of training samples; raises a DataError where a loss's window is longer than one."""
    x, _ = load(np.zeros(1, np.int64), np.random.default_rng(0))
    shortest = int(np.minimum(samples.lengths, x.shape[1]).min())
    if isinstance(loss, Spikemax) and loss.window > shortest:
        raise DataError(
            f"{description}: the loss's window has {loss.window} steps, sample "
            f"{int(np.argmin(samples.lengths))} has {shortest}: shorten the window, or leave "
            "such samples out"
        )
    return x.shape[1]


def _check_weights(model, what, recipe):
    """Raise unless all weights are finite; those that are not may leave a network silent."""
    for variable in model.trainable_variables:
        if not np.isfinite(variable.numpy()).all():
            raise DataError(
                f"{what}: {variable.name} is no longer finite: lower the learning rate (now "
                f"{recipe.learning_rate}); an earlier checkpoint stays"
            )


def _note(history, logs, seconds, names):
    history.loss.append(float(logs["loss"]))
    history.accuracy.append(float(logs["accuracy"]))
    history.spikes.append({name: float(logs[f"{name}_spikes"]) for name in names})
    history.seconds.append(seconds)


@contextlib.contextmanager
def _bar(total, description, progress):
    """A function that moves a bar by one and says what is going on, None without a bar."""
    from nengo_tactile.progress import open_bar, shown

    if not shown(progress):
        yield None
        return
    with open_bar(progress) as bar:
        task = bar.add_task(description, total=total)
        yield lambda text: bar.update(task, advance=1, description=text)
        bar.remove_task(task)


def _fingerprint(model, loss, recipe, seed, samples, labels):
    """What a checkpoint must agree with: network, loss, recipe, seed and data, as a digest."""
    about = [model.to_json(), type(loss).__name__, loss.get_config(), dataclasses.asdict(recipe)]
    return files.fingerprint([*about, seed, samples.digest], labels)
