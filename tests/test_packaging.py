"""What is installed: every package, every data file; and the code's format."""

import configparser
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

import nengo_tactile
from nengo_tactile.stack import distributions

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "nengo_tactile"

if not (ROOT / "setup.cfg").is_file():
    pytest.skip("the sources are not beside the tests", allow_module_level=True)


@pytest.fixture(scope="module")
def config():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_package_is_listed(config):
    listed = set(config["options"]["packages"].split())
    folders = {path.parent.relative_to(ROOT) for path in PACKAGE.rglob("__init__.py")}
    assert listed == {".".join(folder.parts) for folder in folders} | {"nengo_tactile.models"}


def test_version_is_told_once(config):
    assert config["metadata"]["version"] == nengo_tactile.__version__
    assert f"\n{nengo_tactile.__version__} " in (ROOT / "CHANGES.rst").read_text("utf-8")


def test_doctor_knows_every_requirement(config):
    lines = config["options"]["install_requires"].strip().splitlines()
    required = {re.split(r"[<>=!]", line)[0].strip() for line in lines}
    assert required <= {row.name for row in distributions.DISTRIBUTIONS}


def data_files():
    """Files beside the code that the package reads."""
    inside = [
        path.relative_to(ROOT)
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix in (".json", ".html", ".css")
    ]
    models = [
        Path("nengo_tactile") / path.relative_to(ROOT)
        for path in (ROOT / "models").glob("*/*")
        if path.is_file()
    ]
    return inside + models


def test_everything_is_installed():
    try:
        installed = importlib.metadata.files("nengo-tactile")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("nengo-tactile is not installed here: it runs from its sources")
    names = {Path(str(file)) for file in installed}
    if not any(name.parts[0] == "nengo_tactile" for name in names):
        pytest.skip("nengo-tactile is installed as a link to its sources")
    code = [path.relative_to(ROOT) for path in PACKAGE.rglob("*.py")]
    assert set(code) | set(data_files()) <= names
    # the installed code is what these tests import
    assert not Path(nengo_tactile.__file__).is_relative_to(ROOT)


def test_there_are_data_files():
    names = {path.name for path in data_files()}
    assert {"eskin_parameters.json", "template.html"} <= names


@pytest.mark.parametrize("command", [["format", "--check"], ["check"]], ids=" ".join)
def test_ruff(command):
    pytest.importorskip("ruff", reason="needs the tests extra: pip install '.[tests]'")
    found = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "--no-cache", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout + found.stderr
