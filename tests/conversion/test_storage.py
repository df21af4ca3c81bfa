"""Saved networks come back equal or not at all, and nothing in them is run."""

import dataclasses
import errno
import json
import os
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nengo_tactile
from nengo_tactile import files
from nengo_tactile import saved as saved_networks
from nengo_tactile.ann.training import predict
from nengo_tactile.doors.archives import read_npz
from nengo_tactile.errors import ModelFileError
from nengo_tactile.events.images import TactileImage
from nengo_tactile.networks.folders import digest
from nengo_tactile.saved import load, shipped_models
from tests.support.damage import damaged


@pytest.fixture
def saved(network, tmp_path):
    image = TactileImage((5, 6, 2), normalise="log")
    full = dataclasses.replace(
        network, image=image, synapse=None, n_steps=np.int64(7), min_voltage=-0.5
    )
    full.save(tmp_path / "net")
    return full, tmp_path / "net"


def same(one, other):
    """Everything but the model, whose weights and output are compared."""
    names = [f.name for f in dataclasses.fields(one) if f.name not in ("ann", "classes")]
    return (
        all(getattr(one, n) == getattr(other, n) for n in names)
        and one.classes == tuple(other.classes)
        and all((a == b).all() for a, b in zip(one.ann.get_weights(), other.ann.get_weights()))
        and [s.neuron for s in one.graph] == [s.neuron for s in other.graph]
    )


def test_round_trip(saved, x):
    network, folder = saved
    loaded = nengo_tactile.load(folder)
    assert same(network, loaded) and isinstance(loaded.classes, tuple)
    assert (predict(loaded.ann, x) == predict(network.ann, x)).all()
    assert sorted(os.listdir(folder)) == ["card.json", "card.md", "network.json", "weights.npz"]
    assert "| classes | 3 (a, b, c) |" in (folder / "card.md").read_text()
    loaded.save(folder)  # replacing a saved network is fine
    assert same(load(str(folder)), network)


def test_other_folders_are_not_overwritten(network, tmp_path):
    (tmp_path / "mine").mkdir()
    network.save(tmp_path / "mine")  # empty: nothing is lost
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("years of work")
    (tmp_path / "file").write_text("text")
    for name in ("other", "file"):
        with pytest.raises(ModelFileError, match="choose another folder"):
            network.save(tmp_path / name)
    assert (tmp_path / "other" / "thesis.tex").exists()


@pytest.mark.parametrize("what", ["write_npz", "write_json", "atomic_write"])
@pytest.mark.parametrize("kind", [OSError, KeyboardInterrupt])
def test_interrupted_saving_keeps_the_old_network(saved, monkeypatch, what, kind):
    network, folder = saved

    def stop(path, *arguments, **options):
        path.write_bytes(b"half")
        raise kind(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, what, stop)
    with pytest.raises(kind):
        dataclasses.replace(network, n_steps=99).save(folder)
    assert os.listdir(folder.parent) == ["net"]
    assert same(load(folder), network)


@pytest.mark.parametrize("name", ["network.json", "weights.npz", "card.json"])
def test_missing_and_foreign_files(saved, name):
    folder = saved[1]
    (folder / name).unlink()
    with pytest.raises(ModelFileError, match=name.replace(".", r"\.")):
        load(folder)
    for content in (b"", b"\xff\xfe", b"[1]", b"{}"):
        (folder / name).write_bytes(content)
        if (name, content) == ("card.json", b"{}"):
            assert load(folder).card == {}
            continue
        with pytest.raises(ModelFileError, match=name.replace(".", r"\.")):
            load(folder)


@given(
    st.sampled_from(["network.json", "weights.npz"]),
    st.data(),
)
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_damaged_files_load_equal_or_are_refused(saved, tmp_path_factory, name, data):
    network, folder = saved
    copy = tmp_path_factory.mktemp("damaged") / "net"
    shutil.copytree(folder, copy)
    (copy / name).write_bytes(damaged(data, (folder / name).read_bytes()))
    try:
        loaded = load(copy)
    except ModelFileError as error:
        assert str(copy) in str(error)
    else:
        assert same(loaded, network)


def change(folder, edit):
    """Edit network.json and renew its digest, as an attacker would."""
    path = folder / "network.json"
    description = json.loads(path.read_text())
    edit(description)
    description["sha256"] = digest(description, read_npz(folder / "weights.npz"))
    files.write_json(path, description)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: d.update(format=99), "format 99, this version reads 1"),
        (
            lambda d: d["architecture"]["config"]["layers"][1].update(class_name="Lambda"),
            r"\(Lambda\): is never built",
        ),
        (lambda d: d["settings"].update(n_steps="many"), "n_steps is .many.: give a whole"),
        (lambda d: d["settings"].update(n_steps=-1), "n_steps is -1"),
        (lambda d: d["settings"].update(colour="red"), "damaged"),
        (lambda d: d.pop("settings"), "damaged"),
        (lambda d: d.pop("architecture"), "damaged"),
        (lambda d: d.update(architecture=[]), "thing without layers"),
        (lambda d: d.update(image={"n_bins": 0}), "n_bins is 0"),
        (lambda d: d["architecture"]["config"]["layers"][1]["config"].update(filters=9), "shapes"),
    ],
)
def test_changed_descriptions_are_refused(saved, edit, message):
    folder = saved[1]
    change(folder, edit)
    with pytest.raises(ModelFileError, match=message):
        load(folder)


def test_weights_that_are_not_numbers(saved):
    folder = saved[1]
    arrays = read_npz(folder / "weights.npz")
    first = sorted(arrays)[0]
    for bad in (arrays[first] * np.nan, arrays[first].astype(np.float64), np.array("x")):
        files.write_npz(folder / "weights.npz", {**arrays, first: bad})
        with pytest.raises(ModelFileError, match=r"weights\.npz: array 000 holds"):
            load(folder)


def test_unknown_names_list_the_shipped_ones(saved, tmp_path, monkeypatch):
    network, folder = saved
    monkeypatch.setattr(saved_networks, "shipped_models", lambda: {"one": folder, "two": folder})
    with pytest.raises(ModelFileError, match=r"'three'.*choose one of one, two"):
        load("three")
    assert same(load("one"), network)
    monkeypatch.setattr(saved_networks, "shipped_models", dict)
    with pytest.raises(ModelFileError, match="none installed"):
        load("three")


@pytest.mark.parametrize("name", sorted(shipped_models()) or ["none"])
def test_shipped_models_load(name):
    if name == "none":
        pytest.skip("no model is shipped")
    network = load(name)
    assert network.card and len(network.classes) > 1
