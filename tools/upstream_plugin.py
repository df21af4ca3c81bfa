"""Pytest plugin of upstream_tests.py.

The stack comes before the tests, what they need and newer packages dropped is given back to them
(as they cannot say anything about the set without it), and outcomes go to a file.
"""

import importlib
import itertools
import json
import os
import pickle
import sys
import types

import numpy as np
import pytest

from nengo_tactile.stack import imports

#: Upstream's conftest.py, which is no module of its package, but written for Keras 2 too.
CONFTEST = "upstream_conftest"
imports.KERAS_2_PACKAGES += (CONFTEST,)
imports.PATCHED_PACKAGES += (CONFTEST,)


def _give_what_nengo_4_dropped():
    """Names without which whole test modules of the time of Nengo 3 cannot be read."""
    import nengo

    class Oscillator(nengo.Network):
        def __init__(self, recurrent_tau, frequency, n_neurons):
            super().__init__()
            turn = frequency * recurrent_tau
            with self:
                self.input = nengo.Node(size_in=2)
                self.ensemble = nengo.Ensemble(n_neurons, 2)
                nengo.Connection(
                    self.ensemble,
                    self.ensemble,
                    synapse=recurrent_tau,
                    transform=[[1, -turn], [turn, 1]],
                )
                nengo.Connection(self.input, self.ensemble, synapse=None)

    if not hasattr(nengo.networks, "Oscillator"):
        nengo.networks.Oscillator = Oscillator
    if importlib.util.find_spec("nengo._vendor.npconv2d") is None:
        # the same functions, moved
        nengo._vendor.npconv2d = types.ModuleType("nengo._vendor.npconv2d")
        nengo._vendor.npconv2d.conv2d = importlib.import_module("nengo.builder.transforms")
        sys.modules[nengo._vendor.npconv2d.__name__] = nengo._vendor.npconv2d
        sys.modules["nengo._vendor.npconv2d.conv2d"] = nengo._vendor.npconv2d.conv2d


def _give_what_pytest_8_dropped():
    """``pytest.warns(None)``, which records warnings and asks for none."""
    warns = pytest.warns

    def with_none(expected=Warning, *args, **kwargs):
        if expected is None:
            return pytest.WarningsRecorder(_ispytest=True)
        return warns(expected, *args, **kwargs)

    pytest.warns = with_none


def _begin_with_an_empty_cache(folder):
    import nengo

    nengo.rc.set("decoder_cache", "path", str(folder))


def _draw_a_seven(folder):
    """In place of the digits of MNIST that upstream's repository has, but its releases have not."""
    corners = np.array([(8.5, 7), (8.5, 20), (26, 11)])
    ways = np.linspace(0, 1, 50)[:, None]
    points = np.concatenate([a + ways * (b - a) for a, b in itertools.pairwise(corners)])
    pixels = np.stack(np.mgrid[:28, :28], axis=-1).reshape(-1, 1, 2)
    seven = np.clip(2 - np.linalg.norm(pixels - points, axis=-1).min(axis=1), 0, 1)
    folder.mkdir()
    (folder / "mnist10.pkl").write_bytes(pickle.dumps(([seven.astype(np.float32)],)))


def _give_the_stack_to_children(folder):
    """Tests that start Python get it there too."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("import nengo_tactile.stack\n")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), os.environ["PYTHONPATH"]])


def pytest_addoption(parser):
    parser.addoption("--outcomes", help="File that gets a line of JSON for each report")


def pytest_configure(config):
    _give_what_nengo_4_dropped()
    _give_what_pytest_8_dropped()
    _give_the_stack_to_children(config.invocation_params.dir / "for_children")
    _begin_with_an_empty_cache(config.invocation_params.dir / "decoders")
    _draw_a_seven(config.invocation_params.dir / "data")
    config.pluginmanager.register(Outcomes(config.getoption("outcomes")))


def pytest_collection_modifyitems(config):
    convolutions = sys.modules.get("nengo_loihi.tests.test_conv")
    if convolutions is not None:
        convolutions.test_dir = str(config.invocation_params.dir / "data")


def _text_of(report):
    skipped = report.skipped and isinstance(report.longrepr, tuple)
    return report.longrepr[2] if skipped else report.longreprtext


class Outcomes:
    """Writes what became of each test, at once: a crash later loses nothing."""

    def __init__(self, path):
        self._file = open(path, "w", encoding="utf-8", buffering=1)  # noqa: SIM115

    def _write(self, report, text):
        line = {"test": report.nodeid, "outcome": report.outcome, "text": text}
        self._file.write(json.dumps(line) + "\n")

    def pytest_runtest_logstart(self, nodeid):
        self._file.write(json.dumps({"test": nodeid, "outcome": "started", "text": ""}) + "\n")

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or not report.passed:
            text = _text_of(report)
            if report.skipped and hasattr(report, "wasxfail"):
                text = f"fails, and upstream expects it to: {report.wasxfail or 'no reason given'}"
            self._write(report, text)

    def pytest_collectreport(self, report):
        if not report.passed:
            self._write(report, _text_of(report))

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self):
        self._file.close()
