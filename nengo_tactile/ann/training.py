"""Training of Keras classifiers: seeded, checkpointed after every epoch, resumable."""

import dataclasses
import functools
import hashlib
import json
import math

import numpy as np

from nengo_tactile import files, stack
from nengo_tactile.doors.archives import read_npz
from nengo_tactile.doors.plain import Door
from nengo_tactile.errors import DataError, ModelFileError
from nengo_tactile.files import path_of
from nengo_tactile.progress import track


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes
    ----------
    optimizer : {"rmsprop", "adam", "sgd"}
        "sgd" has Nesterov momentum 0.9.
    epochs, batch_size : int
    learning_rate : float
    schedule : {"constant", "cosine", "restart", "steps"}
        "cosine" warms up over the first 5 % of the steps, then falls to zero. "restart" does so
        in the first 60 % of the steps, and falls once more from half the rate in the others
        (Loshchilov and Hutter 2017, SGDR). "steps" is that of the Spiking ResNet paper, see
        `learning_rate_at`.
    label_smoothing : float
        Share of the target spread evenly over all classes.
    weight_decay : float
        L2 penalty on kernels, ``weight_decay / 2 * sum(kernel**2)``, added to the loss.
    precision : {"float32", "mixed_bfloat16"}
        "mixed_bfloat16" computes in bfloat16 with float32 weights, which is faster where the
        processor has units for it (AMX, GPUs) and far slower where it has none. The network
        that is trained, its validation and the checkpoints are float32 either way.
    """

    optimizer: str = "adam"
    epochs: int = 60
    batch_size: int = 64
    learning_rate: float = 3e-3
    schedule: str = "cosine"
    label_smoothing: float = 0.05
    weight_decay: float = 1e-5
    precision: str = "float32"


#: ST-MNIST paper, section 3.2.1: 20 epochs, RMSProp, sparse categorical cross-entropy. The
#: learning rate (0.001) and batch size (32) are Keras's defaults; the paper gives none.
PAPER = Recipe("rmsprop", 20, 32, 1e-3, "constant", 0.0, 0.0)
MODERN = Recipe()
#: Spiking ResNet paper, section 4 (SGD, momentum 0.9, 113 epochs); batch size and weight decay,
#: which it does not give, are those of He et al. 2016, section 4.2.
PAPER_RESNET = Recipe("sgd", 113, 128, 0.1, "steps", 0.0, 1e-4)
#: A shorter schedule for residual and plain networks on CIFAR-10.
MODERN_RESNET = Recipe("sgd", 60, 128, 0.1, "restart", 0.0, 5e-4)
#: For ResNet-8 on MNIST, with images shifted by up to 2 pixels: see `augment.cropped_epochs`.
MNIST_RESNET = Recipe("sgd", 14, 128, 0.1, "cosine", 0.0, 5e-4)
#: For the sigma-delta paper's network on MNIST: see `digits`.
DIGITS = Recipe("adam", 30, 100, 2e-3, "cosine", 0.0, 1e-5)
#: For a U-Net on scenes of digits: see `unet`.
UNET = Recipe("adam", 12, 32, 3e-3, "cosine", 0.0, 1e-5)
#: For a trained network whose activations were quantised: see `conversion.quantise.fine_tune`.
FINE_TUNE = Recipe("sgd", 8, 128, 0.02, "cosine", 0.0, 5e-4)
#: For a deeper network that begins as a trained one: see `deepen`.
DEEPEN = Recipe("sgd", 8, 128, 0.05, "cosine", 0.0, 5e-4)
RECIPES = {
    "paper": PAPER,
    "modern": MODERN,
    "paper-resnet": PAPER_RESNET,
    "modern-resnet": MODERN_RESNET,
    "mnist-resnet": MNIST_RESNET,
    "digits": DIGITS,
    "unet": UNET,
    "deepen": DEEPEN,
}

#: Spiking ResNet paper, section 4: 3 of 113 epochs at a tenth of the learning rate, divided by 10
#: after epochs 83 and 93.
_STEPS = ((3 / 113, 0.1), (83 / 113, 1.0), (93 / 113, 0.1), (1.0, 0.01))


#: How the names of TensorFlow's operations begin that draw from a state of their own.
_DRAWING = ("Random", "TruncatedNormal", "Multinomial", "ParameterizedTruncatedNormal")
#: Samples whose values are checked at a time.
_CHECKED = 1024


@dataclasses.dataclass
class History:
    """Loss and accuracy after each epoch."""

    loss: list = dataclasses.field(default_factory=list)
    accuracy: list = dataclasses.field(default_factory=list)
    validation_accuracy: list = dataclasses.field(default_factory=list)


def check_samples(x, y, n_classes, name="training data", places=()):
    """Refuse arrays that cannot be trained on.

    Raises
    ------
    DataError
        For NaN or infinite inputs, labels that are no class of the network, or arrays of
        different lengths, or of another shape than the network's decisions, ``places``.
    """
    if len(x) == 0:
        raise DataError(f"{name}: no samples: give at least one")
    if len(x) != len(y):
        raise DataError(f"{name}: {len(x)} inputs but {len(y)} labels: give one label per input")
    if np.shape(y)[1:] != tuple(places):
        wanted = f"a map of {tuple(places)}" if places else "one number"
        raise DataError(
            f"{name}: labels have shape {np.shape(y)}, the network's decisions on a sample are "
            f"{wanted}: give labels of that shape"
        )
    if np.asarray(x).dtype.kind not in "iub":
        for start in range(0, len(x), _CHECKED):  # in parts: a mask of all is as large as bytes
            wrong = ~np.isfinite(x[start : start + _CHECKED])
            if wrong.any():
                first = np.argwhere(wrong)[0]
                first[0] += start
                raise DataError(
                    f"{name}: value {x[tuple(first)]} at index {tuple(int(i) for i in first)}: "
                    "inputs must be finite; remove or repair that sample"
                )
    y = np.asarray(y)
    if y.dtype.kind not in "iu" or y.min() < 0 or y.max() >= n_classes:
        raise DataError(
            f"{name}: labels are {y.dtype} from {y.min()} to {y.max()}, the network has "
            f"{n_classes} outputs: labels must be integers from 0 to {n_classes - 1}"
        )


@stack.quiet()
def train(
    model,
    data,
    recipe=MODERN,
    seed=0,
    validation=None,
    checkpoint=None,
    progress=None,
    description="training",
):
    """Train a classifier of samples, or of their pixels, that ends in logits, in place.

    Parameters
    ----------
    model : tf.keras.Model
        Penalties of its layers, such as ActivityRegularization, are added to the loss.
    data : (x, y) or callable
        Arrays, or a function ``epoch -> (x, y)`` that returns each epoch's samples (for
        augmentation or fresh simulations); it must depend on the epoch alone. ``y`` has a label
        for each sample, or for each place of a network whose outputs are maps. Only minibatches
        become float32, so that images may stay uint8.
    recipe : Recipe
    seed : int
        Seed of the order of the samples, and of what dropout and noise layers draw.
    validation : (x, y), optional
        Scored after each epoch.
    checkpoint : path, optional
        An .npz file rewritten after each epoch; when it exists training goes on from it.
    progress : bool, optional
        Show a progress bar (default: on a terminal).

    Returns
    -------
    History

    Raises
    ------
    ModelFileError
        If the checkpoint belongs to another network, recipe, seed or data.
    DataError
        For samples that cannot be trained on, for models without weights to learn, and when the
        loss is no longer finite.
    """
    tf = stack.tensorflow()
    samples = data if callable(data) else (lambda epoch: data)
    *places, n_classes = model.output_shape[1:]
    x, y = samples(0)
    check_samples(x, y, n_classes, places=places)

    optimizer = _optimizer(tf, recipe)
    worker = _worker(tf, model, recipe)
    if not worker.trainable_variables:
        raise DataError(
            f"model {model.name!r} has no weights to learn: set trainable=True of its layers, or "
            "give it some that have weights"
        )
    optimizer.build(worker.trainable_variables)
    history = History()
    mark = fingerprint(model, recipe, seed, x, y) if checkpoint else None
    first = resume(checkpoint, model, optimizer, history, mark) if checkpoint else 0
    _copy_weights(model, worker)

    step, draws = None, []
    for epoch in track(range(first, recipe.epochs), description, progress=progress):
        if step is None or draws[-1]:
            # draws depend on seed and epoch alone, so that a resumed run repeats them
            drawn = int(np.random.default_rng((seed, epoch, 1)).integers(2**31))
            step = _train_step(tf, worker, optimizer, recipe, n_classes, drawn, draws)
        if epoch and callable(data):
            x, y = samples(epoch)
            check_samples(x, y, n_classes, f"training data of epoch {epoch + 1}", places)
        steps = math.ceil(len(x) / recipe.batch_size)
        # the order depends on seed and epoch alone, so that a resumed run repeats it
        order = np.random.default_rng((seed, epoch)).permutation(len(x))
        losses, hits = [], 0
        for index, start in enumerate(range(0, len(x), recipe.batch_size)):
            chosen = order[start : start + recipe.batch_size]
            optimizer.learning_rate.assign(
                learning_rate_at(recipe, epoch * steps + index, recipe.epochs * steps)
            )
            loss, correct = step(
                tf.constant(x[chosen], tf.float32), tf.constant(y[chosen], tf.int32)
            )
            losses.append(float(loss) * len(chosen))
            hits += int(correct)
        _copy_weights(worker, model)
        history.loss.append(sum(losses) / len(x))
        history.accuracy.append(hits / np.size(y))
        if not math.isfinite(history.loss[-1]):
            raise DataError(
                f"{description}: the loss became {history.loss[-1]} in epoch {epoch + 1}: lower "
                f"the learning rate (now {recipe.learning_rate}) or look for outliers in the inputs"
            )
        if validation is not None:
            history.validation_accuracy.append(accuracy(model, *validation))
        if checkpoint:
            save_checkpoint(checkpoint, model, optimizer, history, mark, epoch + 1)
    return history


def predict(model, x, batch_size=512):
    """Logits for ``x``, computed in minibatches: ``(n_samples, *places, n_classes)`` float32."""
    tf = stack.tensorflow()
    parts = [
        model(tf.constant(x[start : start + batch_size], tf.float32), training=False).numpy()
        for start in range(0, len(x), batch_size)
    ]
    if not parts:
        return np.zeros((0, *model.output_shape[1:]), np.float32)
    return np.concatenate(parts)


def accuracy(model, x, y):
    """Share of samples whose largest logit is the label.

    Raises
    ------
    DataError
        For models of one output, or of maps, for which that says nothing.
    """
    shape = tuple(model.output_shape[1:])
    if len(shape) != 1 or shape[0] < 2:
        raise DataError(
            f"model '{model.name}' gives {shape}, no logits of several classes: use "
            "nengo_tactile.networks.read_out.ReadOut.accuracy"
        )
    return float((predict(model, x).argmax(1) == y).mean())


def _optimizer(tf, recipe):
    kinds = {
        "rmsprop": tf.keras.optimizers.RMSprop,
        "adam": tf.keras.optimizers.Adam,
        "sgd": functools.partial(tf.keras.optimizers.SGD, momentum=0.9, nesterov=True),
    }
    if recipe.optimizer not in kinds:
        raise DataError(f"recipe: optimizer {recipe.optimizer!r} is unknown: {sorted(kinds)}")
    return kinds[recipe.optimizer](recipe.learning_rate)


def learning_rate_at(recipe, step, total):
    """Learning rate of a recipe at step ``step`` of ``total`` (steps or epochs)."""
    if recipe.schedule == "constant":
        return recipe.learning_rate
    if recipe.schedule == "steps":
        done = step / total
        return recipe.learning_rate * next(f for end, f in _STEPS if done < end)
    if recipe.schedule not in ("cosine", "restart"):
        raise DataError(
            f"recipe: schedule {recipe.schedule!r} is unknown: constant, cosine, restart or steps"
        )
    highest = recipe.learning_rate
    if recipe.schedule == "restart":
        first = max(1, round(0.6 * total))
        if step >= first:
            return 0.5 * highest * _cosine((step - first) / (total - first))
        total = first
    warm_up = max(1, total // 20)
    if step < warm_up:
        return highest * (step + 1) / warm_up
    return highest * _cosine((step - warm_up) / max(1, total - warm_up))


def _cosine(done):
    """Fall from 1 to 0 as ``done`` goes from 0 to 1."""
    return 0.5 * (1 + math.cos(math.pi * done))


def _worker(tf, model, recipe):
    """The network whose weights a step changes: the model, or its twin in mixed precision."""
    if recipe.precision == "float32":
        return model
    if recipe.precision != "mixed_bfloat16":
        raise DataError(
            f"recipe: precision {recipe.precision!r} is unknown: float32 or mixed_bfloat16"
        )

    def twin(layer):
        config = layer.get_config()
        # raw inputs are scaled and logits compared in float32
        if layer.name not in model.output_names and type(layer).__name__ != "Rescaling":
            config["dtype"] = recipe.precision
        return layer.__class__.from_config(config)

    return tf.keras.models.clone_model(model, clone_function=twin)


def _copy_weights(source, target):
    if source is not target:
        for layer in target.layers:
            layer.set_weights(source.get_layer(layer.name).get_weights())


def _train_step(tf, model, optimizer, recipe, n_classes, drawn, draws):
    """A step's function; it notes in ``draws`` whether layers draw at random in it."""
    kernels = [v for v in model.trainable_variables if v.shape.rank > 1]

    @tf.function(reduce_retracing=True)
    def step(x, y):
        graph = tf.compat.v1.get_default_graph()
        graph.seed = drawn
        targets = tf.one_hot(y, n_classes)
        if recipe.label_smoothing:
            targets = targets * (1 - recipe.label_smoothing) + recipe.label_smoothing / n_classes
        with tf.GradientTape() as tape:
            logits = model(x, training=True)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))
            penalised = loss
            if recipe.weight_decay:
                penalised += recipe.weight_decay * tf.add_n([tf.nn.l2_loss(k) for k in kernels])
            if model.losses:
                penalised += tf.add_n(model.losses)
        gradients = tape.gradient(penalised, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        hits = tf.reduce_sum(tf.cast(tf.argmax(logits, -1, tf.int32) == y, tf.int32))
        kinds = {operation.type for operation in graph.get_operations()}
        draws.append(any(kind.startswith(_DRAWING) for kind in kinds))
        return loss, hits

    return step


def fingerprint(model, recipe, seed, x, y):
    """What a checkpoint must agree with: network, recipe, seed and data, as a digest."""
    settings = dataclasses.asdict(recipe)
    # checkpoints of trainings from before there was a choice stay valid
    if settings.get("precision") == "float32":
        del settings["precision"]
    digest = hashlib.sha256(json.dumps([model.to_json(), settings, seed]).encode())
    for array in (x, y):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _optimizer_variables(optimizer):
    variables = optimizer.variables
    return list(variables() if callable(variables) else variables)


def save_checkpoint(path, model, optimizer, history, mark, epoch):
    """Write the state of a training after ``epoch`` epochs, atomically.

    Parameters
    ----------
    path : path
        An .npz file.
    model : tf.keras.Model
    optimizer : tf.keras.optimizers.Optimizer
    history : History
    mark : str
        From `fingerprint`.
    epoch : int
        Epochs done.
    """
    arrays = {f"model_{i}": v.numpy() for i, v in enumerate(model.variables)}
    arrays |= {f"optimizer_{i}": v.numpy() for i, v in enumerate(_optimizer_variables(optimizer))}
    state = {"fingerprint": mark, "epoch": epoch, "history": dataclasses.asdict(history)}
    state["sha256"] = _digest(state, arrays)
    files.write_npz(path, {"state": np.array(json.dumps(state)), **arrays})


def _digest(state, arrays):
    about = {key: value for key, value in state.items() if key != "sha256"}
    return files.digest(about, *(array for _, array in sorted(arrays.items())))


def read_checkpoint(path):
    """Read what `save_checkpoint` wrote.

    Returns
    -------
    state : dict
    arrays : dict of str to array

    Raises
    ------
    ModelFileError
        If it is damaged.
    """
    door = Door(ModelFileError, "delete it to start again")
    arrays = read_npz(path, door)
    with door.guarded(path, "is no checkpoint"):
        state = json.loads(str(arrays.pop("state")))
        if state["sha256"] != _digest(state, arrays):
            raise door.refusal(path, "is damaged: it does not have the digest written with it")
    return state, arrays


def resume(path, model, optimizer, history, mark):
    """Put the state of `save_checkpoint` back, if there is one.

    Returns
    -------
    int
        Epochs done; 0 without a checkpoint.

    Raises
    ------
    ModelFileError
        If the checkpoint is damaged or ``mark`` is another.
    """
    path = path_of(path)
    if not path.exists():
        return 0
    state, arrays = read_checkpoint(path)
    door = Door(ModelFileError, "delete it to start again")
    with door.guarded(path, "not a readable checkpoint"):
        if state["fingerprint"] != mark:
            raise ModelFileError(
                f"{path}: this checkpoint belongs to another network, recipe, seed or data: "
                "move it away, or repeat the arguments it was made with"
            )
        for i, variable in enumerate(model.variables):
            variable.assign(arrays[f"model_{i}"])
        for i, variable in enumerate(_optimizer_variables(optimizer)):
            variable.assign(arrays[f"optimizer_{i}"])
        for name, values in state["history"].items():
            getattr(history, name)[:] = values
        return int(state["epoch"])
