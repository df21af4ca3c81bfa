"""A folder of recordings of one's own as a task of the command line."""

import json

import pytest

from nengo_tactile import cli
from nengo_tactile.commands.tasks import task_named
from nengo_tactile.errors import DataError
from tests.support.own_recordings import OPTIONS, write_touches


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("own") / "touch"
    place.mkdir()
    write_touches(place, 80)
    said = {key: list(v) if isinstance(v, tuple) else v for key, v in OPTIONS.items()}
    said |= {"pattern": "{label}/{subject}_{number}.csv", "split": {"by": "subject"}}
    (place / "recordings.json").write_text(json.dumps({**said, "image": {"n_bins": 4}}))
    return place


def test_the_image_is_the_folders(folder):
    task = task_named(str(folder))
    assert task.shape == (8, 8, 4)
    assert task.image.duration_us > 390_000  # the longest recording ends just before 0.4 s
    with pytest.raises(DataError, match="or give a folder of recordings"):
        task_named(str(folder / "press"))


def test_from_files_to_a_report(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    touch = str(folder)
    for line in (
        ["data", touch],
        ["train", "8x8x4-4c3-4o", "--task", touch, "--epochs", "40", "--out", "m.keras"],
        ["convert", "m.keras", "--task", touch, "--neuron", "if", "--steps", "16", "--out", "snn"],
        ["run", "snn", "--engine", "event", "--out", "run"],
        ["report", "run"],
    ):
        assert cli.main(line) == 0, capsys.readouterr().err
    assert "press" in capsys.readouterr().out
    numbers = json.loads((tmp_path / "run" / "results.json").read_text())
    assert numbers["n_test"] == 16  # a fifth of the subjects
    assert numbers["data"] == "recordings of touch"
    assert numbers["accuracy"] >= 0.75
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000


def test_the_demo_is_of_known_tasks(folder, capsys):
    assert cli.main(["demo", "--task", str(folder)]) == 2
    assert "is of your own recordings" in capsys.readouterr().err
