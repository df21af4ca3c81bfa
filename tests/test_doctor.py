"""``nengo-tactile doctor PATH``: whole, or damaged by name."""

import numpy as np
import pytest

from nengo_tactile import cli
from tests.support.readers import readers

#: What is made, what `doctor` is told, and what it says.
PLACES = {
    "skim": ("network", "SkimNetwork, whole by its digest"),
    "run": ("run", "a run, whole by its digest"),
    "study": ("study", "a study of 1 cells"),
    "checkpoint": ("checkpoint.npz", "a checkpoint after 1 epochs"),
    "keras3.keras": ("model.keras", "a Keras model"),
    "samples.npy": ("samples.npy", "an array of shape (4, 3, 2)"),
    "samples.npz": ("samples.npz", "2 arrays"),
    "nir": ("net.nir", "a NIR graph of 6 nodes"),
    "own.csv": (".", "all of 4 (all)"),
    "stemnist": ("stemnist_spikes_aer.npz", "STEMNIST"),
}
#: Those with a digest of their own, and the file that is damaged.
DIGESTS = {
    "skim": "network/weights.npz",
    "run": "run/results.json",
    "study": "study/cells/one.json",
    "checkpoint": "checkpoint.npz",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PLACES)
def test_doctor_says_what_is_whole(name, tmp_path, capsys, rng, monkeypatch):
    place, words = PLACES[name]
    readers()[name].make(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["doctor", place]) == 0
    assert words in capsys.readouterr().out
    if name not in DIGESTS:
        return
    path = tmp_path / DIGESTS[name]
    whole = path.read_bytes()
    found = 0
    for start in rng.integers(len(whole), size=30):
        content = bytearray(whole)
        content[start] = (content[start] + 1) % 256
        path.write_bytes(content)
        code = cli.main(["doctor", place])
        said = capsys.readouterr()
        assert code in (0, 2) and (code == 0 or place in said.err)
        found += code == 2
    assert found > 20  # the rest are fields of the archive that say nothing of its arrays


def test_both_sides_of_recordings_are_read(tmp_path, capsys):
    readers()["own.csv"].make(tmp_path)
    for number in range(4):
        path = tmp_path / f"{number}.csv"
        sound = path.read_text()
        path.write_text(sound + "a,b\n")
        assert cli.main(["doctor", str(tmp_path)]) == 2
        assert path.name in capsys.readouterr().err
        path.write_text(sound)


def test_doctor_of_what_is_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("a text")
    (tmp_path / "folder").mkdir()
    np.savez(tmp_path / "cut.npz", np.zeros(3))
    content = (tmp_path / "cut.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(content[:-30])
    for place in ("nothing", "text.txt", "folder", "cut.npz", "n[/x]"):
        assert cli.main(["doctor", place]) == 2
        assert place in capsys.readouterr().err
