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
from nengo_tactile.commands import robustness
from nengo_tactile.commands.tasks import any_task_named, open_task
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
    robust_on : int or None
        Test recordings, at most, that its card's robustness is measured on, in some minutes; None
        for networks of images.
    """

    maker: str
    work: str
    settings: dict = dataclasses.field(default_factory=dict)
    robust_on: int | None = None


def _residual(**settings):
    return Shipped("spiking_resnet.model", "spiking-resnet", settings)


def _slayer(data, loss, robust_on):
    return Shipped("spikemax.model", "spikemax", {"data": data, "loss": loss}, robust_on)


def _tactile(maker, robust_on):
    return Shipped(maker, "models", robust_on=robust_on)


def _few_steps(network, setting, n_steps):
    settings = {"network": network, "setting": setting, "n_steps": n_steps}
    return Shipped("few_steps.model", "few-steps", settings)


_CORRECTED = {"setting": "potential-32", "n_steps": 32, "late": True}
MODELS = {
    "eskin-cnn": _tactile("tactile_cnn", 500),
    "eskin-cnn-large": _tactile("tactile_cnn", 500),
    "stemnist-cnn": _tactile("tactile_cnn", 300),
    "ev-objects-dense": _tactile("touch", 144),
    "ev-containers-dense": _tactile("touch", 60),
    "mnist-resnet8": _residual(setting="potential", n_steps=64, emulator_rate=0.25),
    "cifar10-resnet20": _residual(**_CORRECTED),
    "cifar10-plain20": _residual(**_CORRECTED),
    "cifar10-resnet20-4-steps": _few_steps("cifar10-resnet20", "graded-4", 4),
    "cifar10-resnet20-8-steps": _few_steps("cifar10-resnet20", "learned", 8),
    "mnist-sigma-delta": Shipped("sigma_delta.model", "sigma-delta"),
    "nmnist-skim-2000": Shipped("skim.model", "skim", robust_on=100),
    "eskin-slayer": _slayer("eskin", "spike-count", 150),
    "eskin-slayer-large": _slayer("eskin-large", "spikemax_s", 150),
    "nmnist-slayer": _slayer("nmnist-simulated", "spikemax_s", 100),
    "ev-objects-spikemax": _slayer("ev-objects", "spikemax_s", 144),
    "ev-objects-loihi": _slayer("ev-objects-loihi", "spikemax_s", 144),
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
    card = _before_limits(card, _robustness(model, network, card["task"], order))
    card = {
        "summary": card.pop("summary"),
        "command": command(name, order),
        **card,
        "made with": _versions(),
    }
    return _written(network, card, out, order)


def measure(name, out=None, data_dir=None, only_robustness=False, **options):
    """Measure a shipped model anew, and write its numbers into its card; nothing is trained.

    Parameters
    ----------
    name : str
        Of `MODELS`.
    out : path, optional
        The model's folder; by default models/NAME.
    data_dir : path, optional
    only_robustness : bool
        Leave the rest of the card's numbers as they are.
    **options
        See `Order`.

    Returns
    -------
    Network

    Raises
    ------
    DataError
        For other names, for models whose numbers are those of the run that makes them, for the
        robustness of networks of images, and if recordings are missing.
    """
    model, out = _named(name), path_of(out or f"models/{name}")
    if only_robustness and model.robust_on is None:
        raise DataError(
            f"{name} reads images, not recordings, of which taxels and events could go wrong: "
            "leave --robustness-only out"
        )
    network = load(out)
    order = Order(None, data_dir=data_dir, **options)
    found = {}
    if not only_robustness:  # whose section tells its version itself
        maker = importlib.import_module(f"nengo_tactile.papers.{model.maker}")
        measures = getattr(maker, "measure", lambda *about, **settings: {})
        found = measures(name, network, order, **model.settings)
        if not found:
            raise DataError(
                f"the numbers of {name}'s card are those of the run that makes it: leave "
                "--measure-only out"
            )
        found = {**found, "measured with": _versions()}
    section = _robustness(model, network, network.card["task"], order)
    card = _before_limits({**network.card, **found}, section)
    return _written(network, card, out, order)


def _robustness(model, network, task, order):
    """The card's section on skins that go wrong; none for networks of images."""
    if model.robust_on is None:
        return {}
    data = open_task(any_task_named(task), "test", order.data_dir)
    n_samples = min(model.robust_on, order.n_samples or model.robust_on)
    section = robustness.card_section(
        network, data, n_samples, seed=order.seed, progress=order.progress
    )
    return {"robustness, accuracy": section}


def _before_limits(card, section):
    """A card with a section before its limits and versions, or in the place that it has."""
    if section.keys() <= card.keys():
        return {**card, **section}
    ends = {"limits", "training", "made with", "measured with"}
    before = {key: value for key, value in card.items() if key not in ends}
    return {**before, **section, **card}


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
