"""``nengo-tactile doctor``: is this installation sound?

What loads libraries is imported where it is used: the tables are shown where none can be loaded.
"""

import dataclasses
import platform
import time
import warnings

import numpy as np

from nengo_tactile import __version__, stack
from nengo_tactile.errors import DataError, StackWarning
from nengo_tactile.files import path_of
from nengo_tactile.networks.protocol import ENGINES
from nengo_tactile.stack import distributions
from nengo_tactile.stack.imports import IMPORTS
from nengo_tactile.stack.patches import PATCHES

#: Presented steps of the self-test; a few hundred take about a second on any engine.
_STEPS = 200


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """What `diagnose` found.

    Attributes
    ----------
    versions : list of dict
        See `nengo_tactile.stack.distributions.versions`.
    untried : list of str
        What was not tried of them: see `nengo_tactile.stack.distributions.untried`.
    engines : list of dict
        ``engine``, ``ok``, ``seconds``, ``detail``.
    convolutions : dict or None
        ``wrong_corners`` and ``wrong_common``: what is wrong with TensorFlow's sums, in corners
        (conversion refuses such layers) and in common shapes; ``seconds``. None if not tried.
    fusion : dict or None
        ``difference`` of ``model.predict`` from the model's layers one by one, in units of the
        largest output (see `nengo_tactile.conversion.fusions`); ``seconds``. None if not tried.
    """

    versions: list
    untried: list
    engines: list
    convolutions: dict | None = None
    fusion: dict | None = None

    @property
    def ok(self):
        """Whether everything is there and every engine passed."""
        return not self.problem

    @property
    def problem(self):
        """What is wrong, in one line; empty when nothing is."""
        missing = [row["name"] for row in self.versions if row["version"] is None]
        failed = [row["engine"] for row in self.engines if not row["ok"]]
        parts = []
        if missing:
            parts.append(f"missing: {', '.join(missing)}: {distributions.INSTALL}")
        if failed:
            told = f"self-test failed: {', '.join(failed)}; see the table"
            if self.untried:
                told += f", and install what was tried: {distributions.INSTALL_TRIED}"
            parts.append(told)
        if self.convolutions and self.convolutions["wrong_common"]:
            from nengo_tactile.ann.convolutions import REMEDY

            parts.append(f"TensorFlow's convolutions are wrong: {REMEDY}")
        return "; ".join(parts)


def diagnose(quick=False):
    """Collect versions and test the engines.

    Parameters
    ----------
    quick : bool
        Skip engines and convolutions.

    Returns
    -------
    Diagnosis
    """
    found = distributions.versions(), distributions.untried()
    if quick:
        return Diagnosis(*found, [])
    try:
        # loads every library: their import is no part of the tests' time
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", StackWarning)  # the tables say it
            stack.nengo_loihi()
    except Exception as error:  # libraries that do not fit raise anything while they load
        detail = str(error) if isinstance(error, ImportError) else _told(error)
        row = {"ok": False, "seconds": 0.0, "detail": detail}
        return Diagnosis(*found, [{"engine": name, **row} for name in ENGINES])
    engines = [_test_engine(name) for name in ENGINES]
    return Diagnosis(*found, engines, _test_convolutions(), _test_fusion())


def told_whole(path):
    """What lies at a path, all of which was read and is whole.

    Parameters
    ----------
    path : path or str
        A saved network (or a shipped one's name), a run, a study, a cell, a checkpoint, a model, a
        NIR graph, an .npz or .npy of arrays, or a data set.

    Returns
    -------
    str

    Raises
    ------
    TactileError
        Saying what is damaged.
    """
    from nengo_tactile import saved
    from nengo_tactile.ann.training import read_checkpoint
    from nengo_tactile.commands.running import read_run
    from nengo_tactile.conversion.reading import convertible
    from nengo_tactile.doors.archives import npz_names, read_npy, read_npz
    from nengo_tactile.doors.plain import DATA
    from nengo_tactile.exchange import nir_files
    from nengo_tactile.experiments.ledgers import content_of

    path = path_of(path)
    if (path / "network.json").is_file() or not path.exists():
        network = saved.load(path)
        return f"a {type(network).__name__}, whole by its digest"
    if (path / "results.json").is_file() and (path / "recording.npz").is_file():
        read_run(path)
        return "a run, whole by its digest"
    if (path / "study.json").is_file():
        cells = sorted((path / "cells").glob("*.json"))
        networks = [place.parent for place in sorted((path / "networks").glob("*/network.json"))]
        checkpoints = sorted((path / "checkpoints").glob("*.npz"))
        DATA.json(path / "study.json")
        parts = ((cells, content_of), (networks, saved.load), (checkpoints, read_checkpoint))
        for places, read in parts:
            for place in places:
                read(place)
        return (
            f"a study of {len(cells)} cells, {len(networks)} networks and {len(checkpoints)} "
            "checkpoints, whole by their digests"
        )
    if path.suffix == ".json":
        content_of(path)
        return "a cell of a study, whole by its digest"
    if path.suffix in (".keras", ".h5"):
        convertible(path)
        return "a Keras model, which has no digest: it could be read"
    if path.suffix == ".nir":
        return f"a NIR graph of {len(nir_files.read(path).nodes)} nodes, which has no digest"
    if path.suffix == ".npy":
        return f"an array of shape {read_npy(path, DATA).shape}, which has no digest"
    if path.suffix == ".npz" and "state" in npz_names(path, DATA):
        state, _ = read_checkpoint(path)
        return f"a checkpoint after {state['epoch']} epochs, whole by its digest"
    try:
        sides = _sides(path)
    except DataError:
        if path.suffix != ".npz":
            raise
        return f"{len(read_npz(path))} arrays, whole by their checksums"
    for data in sides.values():
        for _ in data.recordings(progress=False):
            pass
    told = ", ".join(f"{len(data):,} ({side})" for side, data in sides.items())
    return f"{data!r}: could be read, all of {told}"


def _sides(path):
    """The sides of a data set that are there: all in one, or those of training and test."""
    from nengo_tactile.datasets.registry import open_dataset

    sides, errors = {}, {}
    for side in ("all", "train", "test"):
        try:
            sides[side] = open_dataset(path, split=side)
        except DataError as error:
            errors[side] = error
        if "all" in sides:
            return sides
    if not sides:
        raise errors["train"]
    return sides


def _test_fusion():
    """Compare ``model.predict`` with a model's layers one by one."""
    from nengo_tactile.conversion import fusions

    start = time.perf_counter()
    difference = fusions.fused_difference()
    return {"difference": difference, "seconds": time.perf_counter() - start}


def _test_convolutions():
    """Compare TensorFlow's convolutions with plain sums, in corners and common shapes."""
    from nengo_tactile.ann.convolutions import self_test

    start = time.perf_counter()
    corners, common = self_test()
    seconds = time.perf_counter() - start
    return {"wrong_corners": corners, "wrong_common": common, "seconds": seconds}


def _test_engine(name):
    """Compare firing rates of a small network with the closed form of its neurons."""
    start = time.perf_counter()
    try:
        ok, detail = _rates_agree(name)
    except Exception as error:  # libraries that do not fit raise anything
        ok, detail = False, _told(error)
    seconds = time.perf_counter() - start
    return {"engine": name, "ok": ok, "seconds": seconds, "detail": detail}


def _told(error):
    return f"{type(error).__name__}: {error}"


def _rates_agree(name):
    from nengo_tactile.conversion.network import SpikingNetwork
    from nengo_tactile.engines import run

    kind = "if" if name == "event" else "lif"  # which that engine does not take
    synapse = 0.005 if kind == "lif" else None
    network = SpikingNetwork(_test_model(kind), synapse=synapse, chip_rate=1.0)
    x = np.full((1, 4), 0.8, np.float32)
    recording = run(network, x, _STEPS, engine=name, progress=False)
    worst = 0.0
    for stage in network.graph.stages[:-1]:
        neuron = network.ann.get_layer(stage.layer).parameters
        expected = neuron.rates(x.mean()) if kind == "lif" else x.mean() / network.dt
        measured = recording.spike_counts[stage.name].mean() / (_STEPS * network.dt)
        worst = max(worst, abs(measured - expected) / expected)
    # a spike more or less in 0.2 s, and the chip rounds intervals up to whole steps
    return worst < 0.15, f"firing rates within {worst:.1%} of the closed form"


def _test_model(kind):
    """Two layers of "lif" or "if" neurons that pass on the mean of their input."""
    from nengo_tactile.ann.integrate_fire import rate_if_layer
    from nengo_tactile.ann.lif import parameters_for, rate_lif_layer

    tf = stack.tensorflow()
    average = tf.keras.initializers.Constant(0.25)
    lif = vars(parameters_for(1.0, 100.0))
    x = inputs = tf.keras.Input((4,))
    for name in ("first", "second"):
        x = tf.keras.layers.Dense(4, kernel_initializer=average, name=name)(x)
        neurons = rate_lif_layer()(**lif) if kind == "lif" else rate_if_layer()()
        x = neurons(x)
    outputs = tf.keras.layers.Dense(2, kernel_initializer=average, name="read_out")(x)
    return tf.keras.Model(inputs, outputs, name="self_test")


def tables(diagnosis):
    """The diagnosis as rich tables."""
    from rich.table import Table

    versions = Table(
        title=f"nengo-tactile {__version__}, Python {platform.python_version()}",
        title_justify="left",
    )
    for column in ("package", "version", "tried", "for", "licence"):
        versions.add_column(column, overflow="fold")
    for row in diagnosis.versions:
        tried = "" if row["tried"] is None else " to ".join(dict.fromkeys(row["tried"]))
        version = row["version"] or "MISSING"
        if row["problem"] in ("older", "newer"):
            version = f"{version} ({row['problem']})"
        versions.add_row(row["name"], version, tried, row["purpose"], row["licence"])
    if diagnosis.untried:
        versions.caption = (
            f"Not tried: {'; '.join(diagnosis.untried)}. The self-test decides; what was tried: "
            f"{distributions.INSTALL_TRIED}"
        )
        versions.caption_justify = "left"
    patches = Table(title="What is patched, and why", title_justify="left")
    for column in ("patch", "reason", "here"):
        patches.add_column(column, overflow="fold")
    patches.add_row(*IMPORTS, "in use")
    for patch in PATCHES:
        here = "in use" if patch.is_needed() else "not needed"
        patches.add_row(patch.what, patch.why, here)
    found = [versions, patches]
    if diagnosis.engines or diagnosis.convolutions:
        engines = Table(title="Self-test", title_justify="left")
        for column in ("engine", "result", "seconds", "detail"):
            engines.add_column(column, overflow="fold")
        for row in diagnosis.engines:
            engines.add_row(
                row["engine"],
                "ok" if row["ok"] else "FAILED",
                f"{row['seconds']:.1f}",
                row["detail"],
            )
        if diagnosis.convolutions:
            engines.add_row(*_row_of(diagnosis.convolutions))
        if diagnosis.fusion:
            engines.add_row(*_row_of_fusion(diagnosis.fusion))
        found.append(engines)
    return found


def _row_of(convolutions):
    """The table's row about TensorFlow's convolutions."""
    from nengo_tactile.ann.convolutions import REMEDY

    corners, common = convolutions["wrong_corners"], convolutions["wrong_common"]
    result, detail = "ok", "as plain sums"
    if corners or common:
        result = "FAILED" if common else "beware"
        detail = (
            f"{len(corners)} sums of one channel and one column are wrong"
            f"{f' and {len(common)} common ones' if common else ', which conversion refuses'}, as "
            f"{(common or corners)[0]}; where a network has such layers, {REMEDY}"
        )
    return "(TensorFlow's convolutions)", result, f"{convolutions['seconds']:.1f}", detail


def _row_of_fusion(fusion):
    """The table's row about layers that TensorFlow fuses."""
    from nengo_tactile.conversion import fusions

    result, detail = "ok", "predict as the layers one by one"
    if not fusion["difference"] <= fusions.TOLERANCE:
        result = "beware"
        detail = (
            f"model.predict of residual networks of LeakyReLU is off by {fusion['difference']:.0%} "
            "of the largest output, which conversion is not; for accuracies by predict set the "
            "environment variable TF_ENABLE_ONEDNN_OPTS=0 before Python starts (docs/stack.md)"
        )
    return "(TensorFlow's fused layers)", result, f"{fusion['seconds']:.1f}", detail
