r"""The tests that NengoDL, NengoLoihi and keras-spiking bring along, on the set at hand.

Each suite runs in a pytest process of its own, with this project's stack imported first::

    pip install --no-deps --no-build-isolation keras-spiking click tensorboard \
        pytest-rng pytest-allclose pytest-plt
    python tools/upstream_tests.py --json results.json

The tests are those of the installed packages. Their conftest.py and pytest's settings are
published with the sources only, and are fetched from there (``pip download``). Failures with a
known cause are listed in `KNOWN`; the exit code is 1 if anything else failed.
"""

import argparse
import collections
import fnmatch
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from rich.console import Console
from rich.markup import escape
from rich.table import Table

TOOLS = Path(__file__).parent
CONFTEST = "upstream_conftest.py"
#: Distributions with tests, and their packages.
SUITES = {
    "nengo-dl": "nengo_dl",
    "nengo-loihi": "nengo_loihi",
    "keras-spiking": "keras_spiking",
}
#: Of which the results depend.
SET = ("tensorflow", "tf_keras", "keras", "nengo", "numpy", "scipy", "pytest")
#: Modules that the tests want, and where they come from.
WANTED = {
    "click": "click",
    "pytest_allclose": "pytest-allclose",
    "pytest_plt": "pytest-plt",
    "pytest_rng": "pytest-rng",
    "tensorboard": "tensorboard",
}


class Known(NamedTuple):
    """Failures with one cause.

    Attributes
    ----------
    reason : str
    suite : str
    tests : tuple of str
        Patterns of test ids, in which brackets mean themselves.
    error : str
        Regular expression found in the failure's text.
    where : tuple of str
        Requirements of the set, all of which hold where the failure is to be expected.
    always : bool
        Whether it fails each time there: then it is worth saying that it passes.
    """

    reason: str
    suite: str
    tests: tuple
    error: str
    where: tuple = ()
    always: bool = True

    def is_here(self):
        """Whether the failure is to be expected on this set."""
        wanted = [Requirement(text) for text in self.where]
        return all(one.specifier.contains(version(one.name), prereleases=True) for one in wanted)

    def names(self, suite, test):
        """Whether a test is one of these."""
        patterns = [pattern.replace("[", "[[]") for pattern in self.tests]
        return suite == self.suite and any(fnmatch.fnmatchcase(test, one) for one in patterns)


KNOWN = (
    Known(
        "looks for setup.py beside the package; it is in the sources only",
        "nengo-dl",
        ("nengo_dl/tests/test_setup.py::test_setup_compat*",),
        r"setup_py_path\.exists",
    ),
    Known(
        "NengoDL 3.6 knows no Nengo newer than 3.2, and warns",
        "nengo-dl",
        ("nengo_dl/tests/test_version.py::test_nengo_version_check",),
        "latest_nengo_version",
        ("nengo>3.2",),
    ),
    Known(
        "wants float32 sums equal to 1e-8, and their last bit differs at times",
        "nengo-dl",
        ("nengo_dl/tests/test_converter.py::*",),
        r"\(max difference=\d\.\d+E-0[789]",
        always=False,
    ),
    Known(
        "says np.percentile(interpolation=...), which NumPy dropped",
        "keras-spiking",
        ("keras_spiking/tests/test_regularizers.py::test_percentile_regularizer",),
        "unexpected keyword argument 'interpolation'",
        ("numpy>=2.4",),
    ),
)


def version(distribution):
    """Version of an installed distribution, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def fetch(suite, sources, folder):
    """Put upstream's conftest.py and setup.cfg into a folder."""
    name = f"{suite}-{version(suite)}"
    archive = sources / f"{name}.tar.gz"
    if not archive.is_file():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--no-binary", ":all:", "--no-build-isolation", "--dest", sources]
        subprocess.run([*command, f"{suite}=={version(suite)}"], check=True)
    with tarfile.open(archive) as found:
        for file, here in (("conftest.py", CONFTEST), ("setup.cfg", "setup.cfg")):
            (folder / here).write_bytes(found.extractfile(f"{name}/{file}").read())


def run(suite, folder, options):
    """Run a suite in a process of its own, with its output as it comes.

    Returns
    -------
    list of dict
        Of each report its ``test``, ``outcome`` and ``text``.
    """
    outcomes = folder / "outcomes"
    command = [sys.executable, "-m", "pytest", "--pyargs", SUITES[suite]]
    # as a plugin, because a conftest.py counts for what lies in its folder only
    command += ["-p", "upstream_plugin", "-p", Path(CONFTEST).stem]
    # pytest-rng takes its seeds from the tests' names: they have to be upstream's
    installed = Path(importlib.util.find_spec(SUITES[suite]).origin).parents[1]
    # keras_spiking's tests are no package, but have to be known as modules of keras_spiking
    command += ["-c", "setup.cfg", "--rootdir", installed, "-o", "consider_namespace_packages=true"]
    command += ["-p", "no:cacheprovider", "--disable-warnings", "--tb=short", "--durations=10"]
    command += ["--slow"]  # an option of Nengo's plugin
    command += ["--continue-on-collection-errors", "--outcomes", outcomes, *options]
    paths = [TOOLS, TOOLS.parent, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    code = subprocess.run(command, cwd=folder, env=environment).returncode
    lines = outcomes.read_text("utf-8").splitlines() if outcomes.exists() else []
    reports = [json.loads(line) for line in lines]
    if code not in (0, 1) or not reports:
        running = [report["test"] for report in reports if report["outcome"] == "started"]
        where = f"in {running[-1]}" if running else "before the first test"
        text = f"pytest ended with exit code {code} {where}"
        reports.append({"test": "(pytest)", "outcome": "failed", "text": text})
    return [report for report in reports if report["outcome"] != "started"]


def judge(suite, reports):
    """Sort a suite's reports.

    Returns
    -------
    dict
        ``passed`` (number), ``known``, ``unexpected``, ``skipped`` (lists of dict: ``test`` and
        ``reason`` or ``error``) and ``mended`` (known failures that passed: ``test``, ``reason``).
    """
    expected = [known for known in KNOWN if known.is_here()]
    found = {"passed": 0, "known": [], "unexpected": [], "skipped": [], "mended": []}
    failed = {report["test"] for report in reports if report["outcome"] == "failed"}
    for report in reports:
        test, text = report["test"], report["text"]
        causes = [known for known in expected if known.names(suite, test)]
        if report["outcome"] == "skipped":
            found["skipped"].append({"test": test, "reason": text.removeprefix("Skipped: ")})
        elif report["outcome"] == "passed" and test not in failed:
            found["passed"] += 1
            mended = [known.reason for known in causes if known.always]
            found["mended"] += [{"test": test, "reason": reason} for reason in mended]
        elif report["outcome"] == "failed":
            reasons = [known.reason for known in causes if re.search(known.error, text)]
            if reasons:
                found["known"].append({"test": test, "reason": reasons[0]})
            else:
                found["unexpected"].append({"test": test, "error": text})
    return found


def table_of(suite, result):
    """What became of a suite, with the reasons of what did not pass."""
    title = f"{suite} {result['version']}, {result['seconds'] / 60:.0f} min"
    table = Table("outcome", "tests", title=title, title_justify="left")
    table.add_column("reason", overflow="fold")
    table.add_row("passed", str(result["passed"]), "")
    for outcome in ("known", "skipped"):
        reasons = collections.Counter(entry["reason"] for entry in result[outcome])
        for reason, number in reasons.most_common():
            table.add_row(
                {"known": "failed as known"}.get(outcome, outcome), str(number), escape(reason)
            )
    for entry in result["unexpected"]:
        error = next(
            (line for line in entry["error"].splitlines() if line.startswith("E ")),
            entry["error"][-200:],
        )
        told = escape(f"{entry['test']}\n{error[:200]}")
        table.add_row("[red]failed unexpectedly", "1", told)
    for entry in result["mended"]:
        told = escape(f"{entry['test']}: {entry['reason']}")
        table.add_row("known, passes now", "1", told)
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("suites", nargs="*", metavar="suite", help=f"of {', '.join(SUITES)}")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    parser.add_argument(
        "--sources", type=Path, help="folder of upstream's .tar.gz, in place of fetching them"
    )
    parser.add_argument("-k", metavar="EXPRESSION", help="only these tests, as pytest has it")
    arguments = parser.parse_args()
    unknown = set(arguments.suites) - set(SUITES)
    if unknown:
        parser.error(f"no such suite: {', '.join(sorted(unknown))}; there are {', '.join(SUITES)}")
    suites = arguments.suites or list(SUITES)
    missing = [
        *(suite for suite in suites if version(suite) is None),
        *(name for module, name in WANTED.items() if importlib.util.find_spec(module) is None),
    ]
    if missing:
        install = "pip install --no-deps --no-build-isolation"
        parser.error(f"missing here: {install} {' '.join(missing)}")

    console = Console()
    versions = {"python": platform.python_version()} | {name: version(name) for name in SET}
    told = {"set": versions, "suites": {}}
    options = ["-k", arguments.k] if arguments.k else []
    with tempfile.TemporaryDirectory() as temporary:
        sources = (arguments.sources or Path(temporary)).resolve()
        for suite in suites:
            console.rule(suite)
            folder = Path(temporary) / suite
            folder.mkdir()
            fetch(suite, sources, folder)
            start = time.monotonic()
            reports = run(suite, folder, options)
            seconds = round(time.monotonic() - start, 1)
            told["suites"][suite] = {
                "version": version(suite),
                "seconds": seconds,
                **judge(suite, reports),
            }
            if arguments.json:  # after each suite: they take long
                arguments.json.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    console.print(", ".join(f"{name} {number}" for name, number in versions.items()))
    for suite, result in told["suites"].items():
        console.print(table_of(suite, result))
    minutes = sum(result["seconds"] for result in told["suites"].values()) / 60
    failed = sum(len(result["unexpected"]) for result in told["suites"].values())
    console.print(f"{minutes:.0f} minutes, {failed} failed unexpectedly")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
