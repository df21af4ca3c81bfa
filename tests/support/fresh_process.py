"""Python code in processes of its own: what is imported first matters there."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path


def run(code, **environment):
    """Run Python code in a fresh process without the variables of TensorFlow and Keras.

    Not in the checkout, whose package would come before the one that is installed.
    """
    folder = Path.cwd()
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("TF_", "KERAS"))}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**clean, **environment},
        cwd=tempfile.gettempdir() if (folder / "nengo_tactile").is_dir() else folder,
        capture_output=True,
        text=True,
        timeout=240,
    )


def loaded(code, names):
    """Which of some modules a process has loaded when the code is through."""
    process = done(f"{code}\nimport sys\nprint(*sorted(set({names!r}) & set(sys.modules)))")
    return process.stdout.splitlines()[-2].split()


def done(code, **environment):
    """The same, and it has to come to its end."""
    process = run(f"{code}\nprint('done')", **environment)
    assert process.stdout.endswith("done\n"), process.stdout + process.stderr
    return process
