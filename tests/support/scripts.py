"""Scripts beside the package (benchmarks, examples, tools) as modules."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def load(path):
    """Run a script, named from the checkout's root, without its ``__main__``; returns its module.

    Where it is not beside the tests, the test (or the file that asks for it) is skipped.
    """
    path = ROOT / path
    if not path.is_file():
        pytest.skip(f"{path} is not beside the tests", allow_module_level=True)
    if str(path.parent) not in sys.path:  # as Python has it when it runs a script
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
