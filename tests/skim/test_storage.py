"""Saved SKIM networks come back equal or not at all; a drawn hidden layer takes no room."""

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nengo_tactile as nt
from nengo_tactile import files
from nengo_tactile import saved as saved_networks
from nengo_tactile.doors.archives import read_npz
from nengo_tactile.errors import ModelFileError
from nengo_tactile.networks.folders import digest
from nengo_tactile.skim import SkimNetwork, Supervision, draw_layer, training_pattern
from tests.support.damage import damaged
from tests.support.skim_networks import Recordings, small_layer, small_network

CARD = {"summary": "Left or right.", "seed": 0, "accuracies": {"test": 0.9}}


@pytest.fixture
def saved(tmp_path):
    network = small_network(card=CARD)
    network.save(tmp_path / "net")
    return network, tmp_path / "net"


def same(one, other):
    return (
        one.layer.fingerprint() == other.layer.fingerprint()
        and (one.weights == other.weights).all()
        and (one.supervision.pattern == other.supervision.pattern).all()
        and one.supervision.onset == other.supervision.onset
        and (one.method, one.layout, one.classes) == (other.method, other.layout, other.classes)
        and one.input_shape == other.input_shape
    )


def test_round_trip(saved):
    network, folder = saved
    assert sorted(os.listdir(folder)) == ["card.json", "card.md", "network.json", "weights.npz"]
    loaded = nt.load(folder)
    assert isinstance(loaded, SkimNetwork) and same(loaded, network)
    assert loaded.card == CARD
    patterns, _ = network.encode(Recordings(4, seed=1), progress=False)
    np.testing.assert_array_equal(loaded.window_outputs(patterns), network.window_outputs(patterns))
    page = (folder / "card.md").read_text()
    for words in (
        "Left or right.",
        "| hidden neurons | 30 tanh, alpha kernels |",
        "| test | 0.9 |",
    ):
        assert words in page
    loaded.save(folder)  # replacing a saved network is fine
    assert same(nt.load(str(folder)), network)


def test_a_drawn_layer_takes_no_room(tmp_path):
    layer = draw_layer(2000, 34 * 34, 0)
    supervision = Supervision(training_pattern("flat", 10))
    SkimNetwork(layer, np.ones((10, 2000)), supervision).save(tmp_path / "net")
    assert sum(path.stat().st_size for path in (tmp_path / "net").iterdir()) < 200_000
    loaded = nt.load(tmp_path / "net")
    np.testing.assert_array_equal(loaded.layer.input_weights, layer.input_weights)
    np.testing.assert_array_equal(loaded.layer.kernels.tau, layer.kernels.tau)


@pytest.mark.parametrize("kind", ["alpha", "resonance", "delay-gaussian"])
def test_other_layers_keep_their_arrays(kind, tmp_path):
    drawn = small_layer("lif", kind)
    by_hand = dataclasses.replace(drawn, drawn=None)
    # drawn, and changed since: what draw_layer would make is another layer
    changed = dataclasses.replace(drawn, tau_rc=30.0, bias=drawn.bias + 0.1)
    for layer in (by_hand, changed):
        network = small_network(layer=layer)
        network.save(tmp_path / "net")
        loaded = nt.load(tmp_path / "net")
        assert same(loaded, network) and loaded.layer.drawn is None
        assert loaded.layer.tau_rc == layer.tau_rc
    stored = read_npz(tmp_path / "net" / "weights.npz")
    assert ("delay" in stored, "period" in stored) == ("delay" in kind, kind == "resonance")


def test_other_folders_are_not_overwritten(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ModelFileError, match="thesis"):
        small_network().save(tmp_path)


def change(folder, edit):
    """Edit network.json and renew its digest, as an attacker would."""
    path = folder / "network.json"
    description = json.loads(path.read_text())
    edit(description)
    arrays = read_npz(folder / "weights.npz")
    files.write_json(path, {**description, "sha256": digest(description, arrays)})


def set_layer(**values):
    return lambda d: d["layer"].update(values)


def set_drawn(**values):
    return lambda d: d["layer"]["drawn"].update(values)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: d.update(format=99), "format 99, this version reads 1"),
        (
            lambda d: d.update(kind="other"),
            "kind 'other', this version reads converted, skim, slayer",
        ),
        (lambda d: d.update(kind="converted"), "wanted finite float32"),
        (set_layer(fingerprint="0" * 64), r"trained with has 00000000.*numpy .* train anew"),
        (set_layer(fingerprint="0" * 64, numpy="3.5"), r"drawn with numpy 3\.5, here is"),
        (set_drawn(seed=1), "fingerprint"),
        (set_drawn(n_hidden=10**12), "30 and 12"),
        (set_drawn(colour="red"), "damaged .*colour"),
        (set_drawn(scale="wide"), "damaged"),
        (lambda d: d["layer"].pop("drawn"), "damaged .*kernels"),
        (lambda d: d["layout"].update(step_us=0), "step_us is 0"),
        (lambda d: d["layout"].update(tail_steps=11), "51 steps, the supervision 50"),
        (lambda d: d["supervision"].update(window=4), "does not fit into a window of 4"),
        (lambda d: d.update(method="median"), "'median'"),
        (lambda d: d.update(classes=["a"]), "1 class names"),
        (lambda d: d["arrays"].append("bias"), "wants .*'bias'.: the two files"),
        (lambda d: d.pop("layer"), "damaged"),
    ],
)
def test_changed_descriptions_are_refused(saved, edit, message):
    change(saved[1], edit)
    with pytest.raises(ModelFileError, match=message):
        nt.load(saved[1])


@given(
    st.sampled_from(["network.json", "weights.npz"]),
    st.data(),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_load_equal_or_are_refused(saved, tmp_path_factory, name, data):
    network, folder = saved
    copy = tmp_path_factory.mktemp("damaged") / "net"
    shutil.copytree(folder, copy)
    (copy / name).write_bytes(damaged(data, (folder / name).read_bytes()))
    try:
        loaded = nt.load(copy)
    except ModelFileError as error:
        assert str(copy) in str(error)
    else:
        assert same(loaded, network)


def test_by_shipped_name(saved, monkeypatch):
    network, folder = saved
    monkeypatch.setattr(saved_networks, "shipped_models", lambda: {"sides": folder})
    assert same(nt.load("sides"), network)
    with pytest.raises(ModelFileError, match="choose one of sides"):
        nt.load("fronts")
    assert saved_networks.kind_of(folder) == "skim"
