"""What tools/kills.py does, with work of a moment: kills that harm are found, and only those."""

import os

import numpy as np
import pytest

from nengo_tactile import files
from tests.support import killed

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no processes")


def careful(folder, out):
    for number in range(2):
        files.write_json(out / f"{number}.json", {"n": number, "seconds": os.getpid()})
        with files.atomic_folder(out / "folder") as place:
            files.write_npz(place / "a.npz", {"n": np.arange(number)})


def careless(folder, out):
    files.write_json(out / "done.json", {})
    (out / f"{os.getpid()}.partial").write_text("{}")
    os.replace(out / f"{os.getpid()}.partial", out / "a.json")


def forgetful(folder, out):
    if not out.exists():
        files.write_json(out / "n.json", 1)
        files.write_json(out / "n.json", 2)


def outcomes(run, tmp_path, number=0):
    return list(killed.trials(killed.Subject(lambda folder: None, run), tmp_path, number))


def test_kills_that_harm_nothing(tmp_path):
    found = outcomes(careful, tmp_path, 4)
    assert len(found) == 4 + 2 * 7 and not any(wrong for _, wrong in found)


def test_kills_that_harm_are_found(tmp_path):
    found = dict(outcomes(careless, tmp_path / "careless"))
    assert found["rename 2, after False"].startswith("left: ")
    assert not found["rename 2, after True"]
    found = dict(outcomes(forgetful, tmp_path / "forgetful"))
    assert found["rename 1, after False"].endswith("lost: n.json")
    assert found["rename 1, after True"] == "other results: n.json"
