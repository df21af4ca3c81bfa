"""Test every set of versions in full, each in a fresh virtual environment.

    python tools/all_sets.py FOLDER [--sets "NAME;..."] [--marked]

Writes FOLDER/results.json after each set, and takes up where an interrupted run stopped; a set is
tested again when the commit is another one. Takes about ten minutes a set on two cores that do
nothing else. Interpreters come from the system or pyenv; a set whose Python is not there says so.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]


class Set(NamedTuple):
    """A Python, and what pip is told beside ``".[tests]"``, and pytest."""

    python: str
    options: tuple
    pytest: tuple = ()


SETS = {
    "oldest": Set("3.10", ("-c", "constraints-oldest.txt")),
    "3.10": Set("3.10", ("-c", "constraints.txt")),
    "3.11": Set("3.11", ("-c", "constraints.txt")),
    "3.12": Set("3.12", ("-c", "constraints.txt")),
    "newest": Set("3.13", ("-c", "constraints.txt")),
    "nengo 3.2, numpy 2": Set(
        "3.11",
        ("nengo==3.2.0", "numpy==2.4.6"),
        # before Nengo's own plugin, which imports Nengo: it cannot be imported there unpatched
        ("-p", "nengo_tactile.stack"),
    ),
    "nengo 4.1, numpy 1": Set("3.11", ("nengo==4.1.0", "numpy==1.26.4")),
}
#: Versions that the table shows.
SHOWN = ("numpy", "scipy", "nengo", "tensorflow", "keras")


def interpreter(version):
    """The path of a Python, or None."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for found in (shutil.which(f"python{version}"), *sorted(pyenv.glob(f"{version}.*/bin/python"))):
        if found and not subprocess.run([found, "-c", ""], capture_output=True).returncode:
            return str(found)
    return None


def tested(name, folder, marked):
    """Install a set and run the tests on it; returns what the table shows."""
    python = interpreter(SETS[name].python)
    if python is None:
        return {"problem": f"Python {SETS[name].python} is not here"}
    environment = folder / re.sub(r"\W+", "-", name)
    shutil.rmtree(environment, ignore_errors=True)
    subprocess.run([python, "-m", "venv", environment], check=True)
    python = str(environment / "bin" / "python")
    # setuptools would leave build/ and *.egg-info in the checkout
    config = environment / "dist.cfg"
    config.write_text(
        f"[build]\nbuild_base={environment}/build\n[egg_info]\negg_base={environment}\n"
    )
    variables = {**os.environ, "DIST_EXTRA_CONFIG": str(config)}
    pip = [python, "-m", "pip", "install", "-q"]
    log = environment / "log.txt"
    with log.open("w") as output:

        def run(*command):
            done = subprocess.run(
                command, cwd=ROOT, env=variables, stdout=output, stderr=subprocess.STDOUT
            )
            return done.returncode

        start = time.perf_counter()
        code = run(*pip, "setuptools==79.0.1")
        code = code or run(*pip, "--no-build-isolation", ".[tests]", *SETS[name].options)
        if code:
            return {"problem": f"could not be installed, see {log}"}
        installed = time.perf_counter()
        tests = ["-m", "stack"] if marked else []
        # not python -m pytest, which would import the package from the checkout
        run(str(environment / "bin" / "pytest"), *SETS[name].pytest, "-n", "2", *tests)
        end = time.perf_counter()
    found = json.loads(
        subprocess.run(
            [
                python,
                "-c",
                "import importlib.metadata as m, json, platform; print(json.dumps({'python': "
                f"platform.python_version(), **{{n: m.version(n) for n in {SHOWN}}}}}))",
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    )
    text = log.read_text()
    counts = {what: int(n) for n, what in re.findall(r"(\d+) (passed|failed|skipped|error)", text)}
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", text, re.MULTILINE)
    return {
        "versions": found,
        "passed": counts.get("passed", 0),
        "skipped": counts.get("skipped", 0),
        "failed": failed,
        "install_seconds": round(installed - start),
        "test_seconds": round(end - installed),
    }


def table(results):
    """All that is known so far."""
    shown = Table("set", "Python", *SHOWN, "passed", "skipped", "failed", "minutes")
    for name, row in results.items():
        if "problem" in row:
            shown.add_row(name, row["problem"])
            continue
        cells = [str(row[what]) for what in ("passed", "skipped")]
        minutes = (row["install_seconds"] + row["test_seconds"]) / 60
        failed = ", ".join(row["failed"]) or "0"
        shown.add_row(name, *row["versions"].values(), *cells, failed, f"{minutes:.1f}")
    return shown


def main():
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", help=f"of {', '.join(map(repr, SETS))}; separated by ;")
    parser.add_argument("--marked", action="store_true", help="the tests marked 'stack' alone")
    given = parser.parse_args()
    names = list(SETS) if given.sets is None else given.sets.split(";")
    unknown = set(names) - set(SETS)
    if unknown:
        parser.error(f"no set is called {', '.join(unknown)}")
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    kept = folder / "results.json"
    before = json.loads(kept.read_text()) if kept.exists() else {}
    key = {"commit": commit, "marked": given.marked}
    results = before.get("sets", {}) if {name: before.get(name) for name in key} == key else {}
    for name in names:
        if "versions" not in results.get(name, {}):
            print(f"{name}: Python {SETS[name].python} {' '.join(SETS[name].options)}", flush=True)
            results[name] = tested(name, folder, given.marked)
            kept.write_text(json.dumps({**key, "sets": results}, indent=1))
    Console(width=160).print(table(results))
    if any(row.get("failed") or "problem" in row for row in results.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
