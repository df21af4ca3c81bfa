"""Versions that were tried, and what is said of others."""

import re
import sys
import warnings
from pathlib import Path

import pytest

from nengo_tactile.errors import StackError, StackWarning
from nengo_tactile.stack import distributions
from nengo_tactile.stack.distributions import Distribution
from tests.support.fresh_process import run

pytestmark = pytest.mark.stack


def others(monkeypatch, **versions):
    """Pretend that other versions are installed; None for what is not."""
    real = distributions._version

    def version(name):
        return versions.get(name.replace("-", "_"), real(name))

    monkeypatch.setattr(distributions, "_version", version)


def test_this_installation_was_tried():
    assert distributions.untried() == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        distributions.check()


@pytest.mark.parametrize(
    ("name", "version"),
    [("numpy", "1.25.0"), ("numpy", "9.0"), ("nengo", "5.0.1"), ("tensorflow", "2.99.0")],
)
def test_versions_outside_are_one_warning(monkeypatch, name, version):
    others(monkeypatch, tf_keras="2.99.0" if name == "tensorflow" else None, **{name: version})
    if name != "tensorflow":
        monkeypatch.setattr(distributions, "_outside", outside_of(name))
    with pytest.warns(StackWarning, match=rf"{name} {version}.*nengo-tactile doctor.*pip") as told:
        distributions.check()
    assert len(told) == 1


def outside_of(name):
    real = distributions._outside
    return lambda version, tried: None if version is None else real(version, tried)


def test_other_pythons_are_told(monkeypatch):
    monkeypatch.setattr("platform.python_version", lambda: "3.99.1")
    with pytest.warns(StackWarning, match=r"Python 3\.99\.1 \(tried: 3\.10 to 3\.13\)"):
        distributions.check()


def test_tensorflow_and_tf_keras_of_two_versions_are_refused(monkeypatch):
    others(monkeypatch, tensorflow="2.22.0", tf_keras="2.21.1")
    with pytest.raises(StackError, match=r"tensorflow 2\.22\.0 and tf_keras 2\.21\.1.*2\.22\.\*"):
        distributions.check()


def test_two_tensorflows_are_told(monkeypatch):
    others(monkeypatch, tf_nightly="2.22.0")
    with pytest.warns(StackWarning, match="tensorflow and tf-nightly together"):
        distributions.check()


def test_the_warning_comes_once_and_at_the_first_use():
    process = run("""
import warnings
from nengo_tactile.stack import distributions
distributions.PYTHON = ("2.6", "2.7")
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    import nengo_dl
    from nengo_tactile import stack
    stack.tensorflow()
    stack.nengo_loihi()
print([str(warning.message)[:34] for warning in told])
""")
    assert process.stdout == "['nengo-tactile was not tried with P']\n", process.stderr


def test_versions_name_every_licence():
    rows = distributions.versions()
    assert all(row["version"] for row in rows)
    licences = {row["name"]: row["licence"] for row in rows}
    assert "academic" in licences["nengo-dl"] and "non-commercial" in licences["nengo-extras"]
    assert "GPL" in licences["nengo"]


def test_missing_distributions_are_named(monkeypatch):
    rows = (Distribution("no-such-package", "nothing", "none"),)
    monkeypatch.setattr(distributions, "DISTRIBUTIONS", rows)
    (row,) = distributions.versions()
    assert row["version"] is None and row["problem"] == "missing"


def test_the_constraints_are_what_was_tried():
    """One line for each distribution of a tried range, its newest version in it."""
    root = Path(__file__).parents[2]
    lines = (root / "constraints.txt").read_text().splitlines()
    found = re.findall(r"^([\w-]+)==([\d.]+)", "\n".join(lines), re.MULTILINE)
    pinned = {name.lower(): version for name, version in found}
    for name, _, _, tried in distributions.DISTRIBUTIONS:
        assert name in pinned, name
        if tried is not None:
            assert distributions._outside(pinned[name], tried) is None


def test_in_a_notebook_the_kernel_has_to_start_anew(monkeypatch):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    assert distributions.then() == ""
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    assert distributions.then() == ", and restart the kernel"
