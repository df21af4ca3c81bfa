"""What is installed: every package, every data file."""

import configparser
import importlib.metadata
import re
import runpy
import zipfile
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
    newest = re.search(r"^\d[\d.]*", (ROOT / "CHANGES.rst").read_text("utf-8"), re.M)
    assert newest[0] == nengo_tactile.__version__
    cited = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {nengo_tactile.__version__}\n" in cited


def test_commits_are_checked_as_in_ci():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    commands = re.findall(r"^ +entry: (.*)$", hooks, re.M)
    lines = re.split("\n| && ", (ROOT / ".ci" / "run").read_text("utf-8"))
    assert commands
    assert set(commands) <= {line.strip() for line in lines}


def test_doctor_knows_every_requirement(config):
    lines = config["options"]["install_requires"].strip().splitlines()
    required = {re.split(r"[<>=!]", line)[0].strip() for line in lines}
    assert required <= {row.name for row in distributions.DISTRIBUTIONS}


def data_files():
    """Files beside the code that the package reads."""
    inside = [
        path.relative_to(ROOT)
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix in (".json", ".html", ".css", ".mjs", ".pyi", ".typed")
    ]
    models = [
        Path("nengo_tactile") / path.relative_to(ROOT)
        for path in (ROOT / "models").glob("*/*")
        if path.is_file()
    ]
    return inside + models


def test_everything_is_installed():
    # building leaves the description of a distribution in the checkout, which is not installed
    found = [
        each
        for each in importlib.metadata.distributions(name="nengo-tactile")
        if Path(str(each.locate_file(""))).resolve() != ROOT
    ]
    if not found:
        pytest.skip("nengo-tactile is not installed here: it runs from its sources")
    names = {Path(str(file)) for file in found[0].files}
    if not any(name.parts[0] == "nengo_tactile" for name in names):
        pytest.skip("nengo-tactile is installed as a link to its sources")
    code = [path.relative_to(ROOT) for path in PACKAGE.rglob("*.py")]
    assert set(code) | set(data_files()) <= names
    # the installed code is what these tests import
    assert not Path(nengo_tactile.__file__).is_relative_to(PACKAGE)


def test_there_are_data_files():
    names = {path.name for path in data_files()}
    assert {"eskin_parameters.json", "template.html"} <= names


def test_a_wheel_without_a_file_is_found(tmp_path):
    wheel = runpy.run_path(str(ROOT / "tools" / "wheel.py"))
    with zipfile.ZipFile(tmp_path / "empty.whl", "w") as file:
        file.writestr("nengo_tactile/cli.py", "")
    missing = wheel["missing"](tmp_path / "empty.whl")
    assert {"nengo_tactile/py.typed", "nengo_tactile/models/eskin-cnn/card.json"} <= set(missing)
    assert "nengo_tactile/cli.py" not in missing
