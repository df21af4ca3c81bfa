"""Build the wheel, install it away from the checkout, and run a shipped network from there.

    python tools/wheel.py [FOLDER]

FOLDER takes the wheel (by default a temporary one does). Needs what the package needs, and
setuptools below 80. Ends with an error if a file is missing in the wheel or the run fails.
"""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: The network that is run, on invented data: nothing is needed beside the wheel.
RUN = ("run", "eskin-cnn", "--task", "eskin", "--samples", "10")


def build(folder, work):
    """Build the wheel into a folder, leaving nothing in the checkout; returns its path."""
    config = work / "dist.cfg"
    config.write_text(f"[build]\nbuild_base={work}/build\n[egg_info]\negg_base={work}\n")
    _pip(
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        folder,
        ROOT,
        DIST_EXTRA_CONFIG=config,
    )
    return max(Path(folder).glob("nengo_tactile-*.whl"), key=os.path.getmtime)


def missing(wheel):
    """Files of the package and of the shipped models that a wheel lacks, sorted."""
    files = {
        path.relative_to(ROOT)
        for folder in ("nengo_tactile", "models")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }
    names = {path.as_posix() for path in files}
    names = {f"nengo_tactile/{name}" if name.startswith("models/") else name for name in names}
    return sorted(names - set(zipfile.ZipFile(wheel).namelist()))


def try_out(wheel, work):
    """Install a wheel into a folder and run a network there, with nothing of the checkout."""
    _pip("install", "-q", "--no-deps", "--target", work / "site", wheel)
    environment = {**os.environ, "PYTHONPATH": str(work / "site")}
    where = "import nengo_tactile; print(nengo_tactile.__file__)"
    command = [sys.executable, "-c", where]
    found = subprocess.run(
        command, cwd=work, env=environment, check=True, capture_output=True, text=True
    ).stdout
    if not Path(found.strip()).is_relative_to(work):
        raise SystemExit(f"tried {found.strip()}, not what lies in {work}")
    command = [sys.executable, "-m", "nengo_tactile.cli", *RUN, "--out", work / "out"]
    subprocess.run(command, cwd=work, env=environment, check=True)


def _pip(*arguments, **variables):
    environment = {**os.environ, **{name: str(value) for name, value in variables.items()}}
    subprocess.run([sys.executable, "-m", "pip", *map(str, arguments)], env=environment, check=True)


def main():
    """Build, compare, try."""
    with tempfile.TemporaryDirectory() as work:
        work = Path(work).resolve()
        wheel = build(Path(sys.argv[1]).resolve() if sys.argv[1:] else work, work)
        lacking = missing(wheel)
        if lacking:
            raise SystemExit(f"{wheel.name} lacks {', '.join(lacking)}: see setup.cfg")
        try_out(wheel, work)
        print(f"{wheel.name}: {wheel.stat().st_size / 2**20:.1f} MiB, complete, runs")


if __name__ == "__main__":
    main()
