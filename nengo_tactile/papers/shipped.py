"""The models that come with the package: ``nengo-tactile model NAME``.

Each is made by a function ``make(name, order, **settings) -> network, card``; where the card tells
of runs that take little beside the training, ``measure(name, network, order, **settings)`` gives
these parts of it. Its runs are those of
its paper's command: with that command's ``--out`` as ``--work`` nothing runs twice, and an
interrupted command goes on.
"""

import dataclasses
import importlib
from collections.abc import Callable

from nengo_tactile import files
from nengo_tactile.arguments import nearest
from nengo_tactile.errors import DataError
from nengo_tactile.files import path_of
from nengo_tactile.networks.folders import check_folder
from nengo_tactile.saved import load
from nengo_tactile.stack.distributions import made_with


@dataclasses.dataclass(frozen=True)
class Order:
    """What a model is made with.

    Attributes
    ----------
    work : path
        Where an interrupted command goes on.
    n_samples : int or None
        So many samples alone, for a try: test images of converted networks, training and test
        samples of those that are trained.
    weights : path or None
        Folder of trained weights; None for that of the package.
    data_dir : str or None
    seed : int
    progress : bool or None
    say : callable
    """

    work: object
    n_samples: int | None = None
    weights: object = None
    data_dir: str | None = None
    seed: int = 0
    progress: bool | None = None
    say: Callable = print


@dataclasses.dataclass(frozen=True)
class Shipped:
    """How a shipped model is made.

    Attributes
    ----------
    maker : str
        A module below `nengo_tactile.papers`.
    work : str
        Its paper's command.
    settings : dict
        For its ``make``.
    """

    maker: str
    work: str
    settings: dict = dataclasses.field(default_factory=dict)


def _residual(**settings):
    return Shipped("spiking_resnet.model", "spiking-resnet", settings)


def _slayer(data, loss):
    return Shipped("spikemax.model", "spikemax", {"data": data, "loss": loss})


def _few_steps(network, setting, n_steps):
    settings = {"network": network, "setting": setting, "n_steps": n_steps}
    return Shipped("few_steps.model", "few-steps", settings)


_CORRECTED = {"setting": "potential-32", "n_steps": 32, "late": True}
MODELS = {
    "eskin-cnn": Shipped("tactile_cnn", "models"),
    "stemnist-cnn": Shipped("tactile_cnn", "models"),
    "ev-objects-dense": Shipped("touch", "models"),
    "ev-containers-dense": Shipped("touch", "models"),
    "mnist-resnet8": _residual(setting="potential", n_steps=64, emulator_rate=0.25),
    "cifar10-resnet20": _residual(**_CORRECTED),
    "cifar10-plain20": _residual(**_CORRECTED),
    "cifar10-resnet20-4-steps": _few_steps("cifar10-resnet20", "graded-4", 4),
    "cifar10-resnet20-8-steps": _few_steps("cifar10-resnet20", "learned", 8),
    "mnist-sigma-delta": Shipped("sigma_delta.model", "sigma-delta"),
    "nmnist-skim-2000": Shipped("skim.model", "skim"),
    "eskin-slayer": _slayer("eskin", "spike-count"),
    "nmnist-slayer": _slayer("nmnist-simulated", "spikemax_s"),
    "ev-objects-spikemax": _slayer("ev-objects", "spikemax_s"),
    "ev-objects-loihi": _slayer("ev-objects-loihi", "spikemax_s"),
}


def make(name, out=None, work=None, data_dir=None, **options):
    """Make a shipped model: train or convert it, measure it, save it with its card.

    Parameters
    ----------
    name : str
        Of `MODELS`.
    out : path, optional
        The model's folder; by default models/NAME.
    work : path, optional
        By default the --out of its paper's command.
    data_dir : path, optional
    **options
        See `Order`.

    Returns
    -------
    Network

    Raises
    ------
    DataError
        For other names, and if recordings or weights are missing.
    ModelFileError
        If the folder holds something else than a saved network.
    """
    model, out = _named(name), path_of(out or f"models/{name}")
    work = path_of(work or f"nengo-tactile-out/{model.work}")
    check_folder(out)
    files.check_writable(work)
    data_dir = None if data_dir is None else str(path_of(data_dir).absolute())
    order = Order(work, data_dir=data_dir, **options)
    maker = importlib.import_module(f"nengo_tactile.papers.{model.maker}")
    network, card = maker.make(name, order, **model.settings)
    card = {
        "summary": card.pop("summary"),
        "command": command(name, order),
        **card,
        "made with": _versions(),
    }
    return _written(network, card, out, order)


def measure(name, out=None, data_dir=None, **options):
    """Measure a shipped model anew, and write its numbers into its card; nothing is trained.

    Parameters
    ----------
    name : str
        Of `MODELS`.
    out : path, optional
        The model's folder; by default models/NAME.
    data_dir : path, optional
    **options
        See `Order`.

    Returns
    -------
    Network

    Raises
    ------
    DataError
        For other names, for models whose numbers are those of the run that makes them, and if
        recordings are missing.
    """
    model, out = _named(name), path_of(out or f"models/{name}")
    network = load(out)
    maker = importlib.import_module(f"nengo_tactile.papers.{model.maker}")
    order = Order(None, data_dir=data_dir, **options)
    measures = getattr(maker, "measure", lambda *about, **settings: {})
    found = measures(name, network, order, **model.settings)
    if not found:
        raise DataError(
            f"the numbers of {name}'s card are those of the run that makes it: leave "
            "--measure-only out"
        )
    card = {**network.card, **found, "measured with": _versions()}
    return _written(network, card, out, order)


def _written(network, card, out, order):
    network = dataclasses.replace(network, card=card)
    network.save(out)
    order.say(f"wrote {out}")
    return network


def _named(name):
    if name not in MODELS:
        near = nearest(name, MODELS)
        raise DataError(f"model {name!r} is unknown{near}: choose one of {', '.join(MODELS)}")
    return MODELS[name]


def _versions():
    return made_with("tensorflow", "nengo", "nengo-dl", "nengo-loihi", "numpy")


def command(name, order):
    """The command line that makes a model."""
    given = {"--samples": order.n_samples, "--weights": order.weights}
    options = [f" {flag} {value}" for flag, value in given.items() if value is not None]
    return f"nengo-tactile model {name}{''.join(options)} --seed {order.seed} --data-dir DATA"
