"""Work that is killed at any moment and begun again, cut down: saving, exchange, training, studies.

`killed` forks a process, which does the work until it kills itself at a rename or is killed from
outside; `finished` lets another one go on; `found` is what is there in the end. Python, TensorFlow
and this package are loaded once, before the first fork; TensorFlow computes in the forked ones.
"""

import contextlib
import dataclasses
import json
import os
import random
import re
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np

#: Renames happen in these.
_RENAMES = ("replace", "rename")


#: Keys of what differs from run to run: times, memory, dates, digests of these.
_PASSING = re.compile("second|sha256|digest|peak_bytes|^date$|^training$|^testing$")


class Subject(NamedTuple):
    """Work.

    Attributes
    ----------
    make : callable
        ``make(folder)`` writes what it needs.
    run : callable
        ``run(folder, out)`` does it, and goes on with what an earlier one left in ``out``.
    """

    make: Callable
    run: Callable


def child(work):
    """Do something in a forked process; returns its number."""
    sys.stdout.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        number = os.fork()
    if number:
        return number
    code = 1
    try:
        with contextlib.redirect_stdout(None):
            work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def ended(number):
    """The exit code of a forked process, less than zero where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def finished(subject, folder, out):
    """Let a process do the work to its end; returns its seconds and its renames."""
    reading, writing = os.pipe()

    def work():
        with _counted(lambda n: None) as renames:
            subject.run(folder, out)
        os.write(writing, str(renames[0]).encode())

    start = time.monotonic()
    number = child(work)
    os.close(writing)
    with os.fdopen(reading) as told:
        n_renames = told.read()
    assert ended(number) == 0, f"the work in {out} does not come to its end"
    return time.monotonic() - start, int(n_renames)


def killed(subject, folder, out, rename=None, after=False, seconds=None):
    """Let a process do the work until it is killed: before or after a rename, or by then."""

    def die(n):
        if n == rename:
            os.kill(os.getpid(), signal.SIGKILL)

    def work():
        with _counted(die, after):
            subject.run(folder, out)

    number = child(work)
    if seconds is None:
        return ended(number)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(number, os.WNOHANG)
        if done:  # before its moment came
            return os.waitstatus_to_exitcode(status)
        time.sleep(min(0.05, max(0.0, until - time.monotonic())))
    os.kill(number, signal.SIGKILL)
    return ended(number)


@contextlib.contextmanager
def _counted(seen, after=False):
    """Count renames, from 1; ``seen(n)`` is called before the n-th, or after it."""
    from nengo_tactile import files

    count = [0]

    def counting(rename):
        def counted(*arguments, **options):
            count[0] += 1
            if not after:
                seen(count[0])
            done = rename(*arguments, **options)
            if after:
                seen(count[0])
            return done

        return counted

    with contextlib.ExitStack() as stack:
        for owner, name in (*((os, name) for name in _RENAMES), (files, "_exchange")):
            stack.enter_context(mock.patch.object(owner, name, counting(getattr(owner, name))))
        yield count


def found(out):
    """All files below a folder by their names, those with results with what counts of them."""
    return {
        path.relative_to(out).as_posix(): _content(path)
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def _content(path):
    if path.suffix == ".json":
        return json.dumps(_lasting(json.loads(path.read_text())), sort_keys=True)
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return {k: _lasting_array(arrays[k]) for k in arrays.files}
    if path.suffix == ".nir":
        return path.read_bytes()
    return None  # pages and pictures have dates, locks have nothing


def _lasting(data):
    """Without what differs from run to run: times, and the digests of what has them."""
    if isinstance(data, dict):
        kept = {k: v for k, v in data.items() if not _PASSING.search(k)}
        return {k: _lasting(v) for k, v in kept.items()}
    return [_lasting(each) for each in data] if isinstance(data, list) else data


def _lasting_array(array):
    if array.dtype.kind == "U" and array.ndim == 0 and str(array).startswith("{"):
        return json.dumps(_lasting(json.loads(str(array))), sort_keys=True)
    return f"{array.dtype}{array.shape}", array.tobytes()


def trial(subject, folder, out, whole, **how):
    """Kill work once and let it go on; returns what is wrong in the end, or None."""
    code = killed(subject, folder, out, **how)
    if code == 1:
        return "the work fails"
    try:
        finished(subject, folder, out)
    except AssertionError as error:
        return str(error)
    again = found(out)
    if again.keys() != whole.keys():
        left, lost = again.keys() - whole.keys(), whole.keys() - again.keys()
        return f"left: {', '.join(left) or 'nothing'}; lost: {', '.join(lost) or 'nothing'}"
    others = [name for name in whole if again[name] != whole[name]]
    return f"other results: {', '.join(others)}" if others else None


def trials(subject, work, number, seed=0, renames=True):
    """Kill work at so many random moments and at its renames.

    Yields
    ------
    how : str
    wrong : str or None
    """
    folder = work / "needs"
    folder.mkdir(parents=True)
    assert ended(child(lambda: subject.make(folder))) == 0, "what it needs cannot be made"
    seconds, n_renames = finished(subject, folder, work / "again")
    # the quicker of two: where other work slows one down most moments would come after the end
    seconds = min(seconds, finished(subject, folder, work / "whole")[0])
    whole, rng = found(work / "whole"), random.Random(seed)
    finished(subject, folder, work / "whole")
    assert found(work / "whole") == whole, "what is finished changes when it is run again"
    hows = [{"seconds": rng.uniform(0, 1.1 * seconds)} for _ in range(number)]
    if renames:
        hows += [{"rename": n + 1, "after": a} for n in range(n_renames) for a in (False, True)]
    for n, how in enumerate(hows):
        told = ", ".join(f"{k} {v:.2f}" if k == "seconds" else f"{k} {v}" for k, v in how.items())
        yield told, trial(subject, folder, work / str(n), whole, **how)


# what is killed


def _make_network(folder):
    import nengo_tactile as nt

    model = nt.ann.build("8x8-4c3-20-3o")
    x = np.random.default_rng(0).random((8, 8, 8, 1), np.float32)
    nt.convert(model, x, nt.IF()).save(folder / "network")


def _save(folder, out):
    import nengo_tactile as nt

    network = nt.load(folder / "network")
    for _ in range(3):
        network.save(out / "network")


def _make_skim(folder):
    from tests.support.skim_networks import small_network

    small_network().save(folder / "network")


def _small_residual(stack):
    from nengo_tactile.ann import residual, training
    from nengo_tactile.commands import networks, train

    quick = training.Recipe("sgd", 3, 16, 0.05, "cosine", 0.0, 1e-4)
    stack.enter_context(mock.patch.object(residual, "WIDTHS", (2, 3, 4)))
    defaults = (0, (2, 3, 4))
    stack.enter_context(mock.patch.object(networks.network_named, "__defaults__", defaults))
    stack.enter_context(mock.patch.dict(train.RECIPES, {"mnist-resnet": quick}))


def _make_images(folder):
    from tests.support.image_sets import write_mnist

    write_mnist(folder, 64, 32)


def _train(folder, out):
    from nengo_tactile.commands import train

    with contextlib.ExitStack() as stack:
        _small_residual(stack)
        train.train_model(
            "resnet8", out / "mnist-resnet8.npz", "mnist", checkpoint=out / "checkpoint.npz",
            data_dir=folder, progress=False, say=str,
        )  # fmt: skip


def _make_delta(folder):
    from nengo_tactile.ann import digits
    from nengo_tactile.commands import networks
    from nengo_tactile.papers.sigma_delta import plan
    from tests.support.image_sets import write_mnist

    write_mnist(folder, 64, 12)
    networks.write_weights(digits.digits_cnn(0), folder / f"{plan.WEIGHTS}.npz")


def _delta(folder, out):
    from nengo_tactile.papers.sigma_delta import PAPER, runs
    from nengo_tactile.papers.sigma_delta.plan import DeltaPlan

    with (
        mock.patch.object(runs, "MINIBATCH", 2),
        mock.patch.object(runs, "TURNS", 1),
        mock.patch("nengo_tactile.commands.paths.CALIBRATION_SAMPLES", 6),
    ):
        plan = DeltaPlan("threshold-1,rate-15", n_samples=6, weights=folder)
        PAPER.run(plan, out, folder, progress=False, say=str)


def _make_resnet(folder):
    from nengo_tactile.commands import networks
    from tests.support.image_sets import small_network, write_mnist

    write_mnist(folder, 64, 40)
    for name in ("resnet6", "plain6"):
        networks.write_weights(small_network(name, folder, (2, 3)), folder / f"cifar10-{name}.npz")


def _resnet(folder, out):
    from nengo_tactile.commands.tasks import TASKS
    from nengo_tactile.papers.spiking_resnet import PAPER, ResnetPlan, plan, runs

    cifar = dataclasses.replace(TASKS["mnist"], about="made images")
    networks = {name: plan.Network(name) for name in ("cifar10-resnet6", "cifar10-plain6")}
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.dict(TASKS, {"cifar10": cifar}))
        stack.enter_context(mock.patch.dict(plan.NETWORKS, networks))
        for name in ("AT_A_TIME", "MINIBATCH"):
            stack.enter_context(mock.patch.object(runs, name, 10))
        stack.enter_context(mock.patch("nengo_tactile.commands.paths.CALIBRATION_SAMPLES", 16))
        chosen = ResnetPlan(n_steps=8, n_samples=25, weights=str(folder))
        for name in networks:
            PAPER.state(runs.cell(chosen, name, "beta", str(folder)), out, False)


def _make_few(folder):
    from nengo_tactile.commands import networks
    from tests.support.image_sets import small_network, write_mnist

    write_mnist(folder, 64, 40)
    networks.write_weights(small_network("resnet6", folder, (2, 3)), folder / "mnist-resnet6.npz")


def _few(folder, out):
    from nengo_tactile.papers import few_steps

    with (
        mock.patch.dict(few_steps.plan.NETWORKS, {"mnist-resnet6": "ResNet-6, made images"}),
        mock.patch.object(few_steps.runs, "MINIBATCH", 10),
    ):
        plan = few_steps.FewStepsPlan(
            ("mnist-resnet6",), ("plain", "signed"), ("1", "4"), 32, 25, weights=str(folder)
        )
        few_steps.PAPER.run(plan, out, folder, progress=False, say=str)


def _sweep(folder, out):
    import nengo_tactile as nt

    x = np.random.default_rng(1).random((12, 8, 8, 1), np.float32)
    network = nt.load(folder / "network")
    nt.sweep(network, x, np.arange(12) % 3, out, progress=False, say=str, n_steps=[4, 8, 12])


def _exchange(folder, out):
    """Out to another simulator and in again, as the commands export and import do."""
    import nengo_tactile as nt

    network = nt.load(folder / "network")
    x = np.random.default_rng(1).random((3, 8, 8, 1), np.float32)
    nt.to_nir(network, out / "net.nir", accept=("start", "reset"), x=x, n_steps=8)
    nt.from_nir(out / "net.nir", n_steps=8).save(out / "read")
    network.export_weights(out / "weights.npz")


def _make_bars(folder):
    from tests.support.image_sets import write_bars, write_recordings

    write_bars(folder)
    write_recordings(folder)


def _skim(folder, out):
    from nengo_tactile.papers.skim import PAPER, SkimPlan, runs

    with mock.patch.object(runs, "EVERY", 20), mock.patch.object(runs, "UP_TO", 40):
        chosen = SkimPlan(
            "growth,trials", "12", n_trials=5, trial_hidden=12, trial_samples=40, n_test=20
        )
        PAPER.run(chosen, out, folder, progress=False, say=str)


def _columns(split):
    """Three classes: which column of a 3 x 2 sensor is active."""
    from nengo_tactile.events.arrays import make_events
    from tests.support.recordings import Recordings

    rng = np.random.default_rng(split == "train")
    labels, events = np.arange(36 if split == "train" else 21) % 3, []
    for label in labels:
        x = np.where(rng.random(50) < 0.8, label, rng.integers(0, 3, 50))
        both = rng.integers(0, 2, (2, 50))
        events.append(make_events(x, both[0], np.sort(rng.integers(0, 30_000, 50)), both[1]))
    return Recordings(events, labels)


def _spikemax(folder, out):
    from nengo_tactile.events.spikes import SpikeLayout
    from nengo_tactile.papers.spikemax import PAPER, SpikemaxPlan, runs
    from nengo_tactile.papers.spikemax.plan import SETTINGS
    from nengo_tactile.slayer.neurons import SpikeResponseModel
    from nengo_tactile.slayer.training import Recipe

    small = dataclasses.replace(
        SETTINGS["eskin"], layout=SpikeLayout((3, 2, 2), 1000, 30), network="2x3x2-8-3o",
        neuron=SpikeResponseModel(5.0, 5.0, threshold=2.0), window=8, counts=(10, 1),
        recipe=Recipe(epochs=3, batch_size=6, learning_rate=0.2), pixels=1,
    )  # fmt: skip
    with (
        mock.patch.dict(SETTINGS, {"eskin": small}),
        mock.patch.object(runs, "open_dataset", lambda name, split, place: _columns(split)),
    ):
        plan = SpikemaxPlan("eskin", "spike-rate,spikemax_g", 1, epochs=3)
        PAPER.run(plan, out, None, progress=False, say=str)


def _make_tactile(folder):
    from tests.support.fake_formats import write_stmnist

    write_stmnist(folder)


def _st_mnist(folder, out):
    from nengo_tactile.ann import training
    from nengo_tactile.conversion.lif_training import LIFRecipe
    from nengo_tactile.papers import st_mnist

    quick = training.Recipe("adam", 2, 32, 3e-3, "constant", 0.0, 0.0)
    small = {"RECIPE": quick, "MODERN": quick, "LIF": LIFRecipe(epochs=1), "N_STEPS": 20}
    with mock.patch.multiple(st_mnist, **small):
        plan = st_mnist.StMnistPlan("stmnist", n_splits=1)
        st_mnist.PAPER.run(plan, out, folder, progress=False, say=str)


SUBJECTS = {
    "save": Subject(_make_network, _save),
    "save skim": Subject(_make_skim, _save),
    "exchange": Subject(_make_network, _exchange),
    "train": Subject(_make_images, _train),
    "sweep": Subject(_make_network, _sweep),
    "few-steps": Subject(_make_few, _few),
    "sigma-delta": Subject(_make_delta, _delta),
    "spiking-resnet": Subject(_make_resnet, _resnet),
    "skim": Subject(_make_bars, _skim),
    "spikemax": Subject(Path, _spikemax),
    "st-mnist": Subject(_make_tactile, _st_mnist),
}


def load():
    """Import what subjects use, so that forked processes need not."""
    import nengo_tactile.commands.train
    import nengo_tactile.conversion.network
    import nengo_tactile.engines.event
    import nengo_tactile.papers.shipped  # all papers  # noqa: F401
    from nengo_tactile import stack

    stack.nengo_loihi()
