"""SLAYER networks on the command line: run on recordings, reported, refused."""

import json

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import cli
from nengo_tactile.commands.running import run_network, write_run_report
from nengo_tactile.errors import DataError
from nengo_tactile.events.labelled import Labelled
from nengo_tactile.slayer import SlayerNetwork, SpikeLayout
from nengo_tactile.slayer.models import build, stages_of
from nengo_tactile.slayer.neurons import CurrentBasedLIF, SpikeResponseModel


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Untrained networks for the e-skin, in steps of 50 ms."""
    made = {}
    for name, neuron, delay in (
        ("srm", SpikeResponseModel(2.0, 2.0), 3),
        ("cuba", CurrentBasedLIF(0.25, 0.0625), 0),
    ):
        model = build("10x10x2-3c4s2-10o", neuron, max_delay=delay, seed=1)
        layout = SpikeLayout((10, 10, 2), 50_000, 40)
        network = SlayerNetwork(stages_of(model), layout, card={"task": "eskin"})
        made[name] = tmp_path_factory.mktemp("networks") / name
        network.save(made[name])
    return made


@pytest.mark.parametrize(("name", "engine"), [("srm", "event"), ("cuba", "loihi")])
def test_a_run_and_its_report(folders, tmp_path, name, engine):
    out = tmp_path / "run"
    run_network(folders[name], out, engine=engine, n_samples=8, progress=False, say=str)
    numbers = json.loads((out / "results.json").read_text())
    assert (numbers["task"], numbers["n_test"], numbers["n_steps"]) == ("eskin", 8, 40)
    network = nt.load(folders[name])
    dataset = nt.datasets.ESkin(split="test")
    chosen = np.sort(np.random.default_rng(0).permutation(len(dataset))[:8])
    samples = network.layout.batch(Labelled(dataset, chosen, progress=False))
    outputs = network.keras_model()(samples[:]).numpy().sum(1)
    assert outputs.any()
    accuracy = (outputs.argmax(1) == samples.labels).mean()
    assert numbers["layers_accuracy"] == accuracy
    page = write_run_report(out).read_text()
    assert "Keras layers" in page
    assert "most spikes so far" in page
    assert ("chip" in numbers) == ("chip_joules_rough" in numbers) == (engine == "loihi")
    assert numbers["ann_multiplications"] is None and "The ANN" not in page
    if engine == "event":
        assert numbers["accuracy"] == accuracy


def test_a_run_in_python_is_written_as_one_of_the_command_line(folders, tmp_path):
    run_network(folders["srm"], tmp_path / "run", engine="event", progress=False, say=str)
    network = nt.load(folders["srm"])
    x, y = network.encode(nt.datasets.ESkin(split="test"), progress=False)
    recording = nt.run(network, x, engine="event", progress=False)
    page = nt.write_report(network, recording, x, y, tmp_path / "own", progress=False)
    found, wanted = (
        json.loads((tmp_path / name / "results.json").read_text()) for name in ("own", "run")
    )
    own = {"network", "data", "split", "seed", "command", "task", "sha256"}
    assert {k: v for k, v in found.items() if k not in own} == {
        k: v for k, v in wanted.items() if k not in own
    }
    told = page.read_text()
    assert "SlayerNetwork on event" in told and "None" not in told.split("<script")[0]
    with pytest.raises(DataError, match="7 samples, 8 labels and a recording of"):
        nt.write_report(network, recording, x[:7], y[:8], tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_fewer_steps(folders, tmp_path):
    run_network(
        folders["srm"], tmp_path, engine="event", n_steps=25, n_samples=4, progress=False, say=str
    )
    numbers = json.loads((tmp_path / "results.json").read_text())
    assert numbers["n_steps"] == 25
    assert numbers["accuracy"] == numbers["layers_accuracy"]


def test_spikes_in_files_run_as_recordings_do(folders, tmp_path):
    """What `encode` gives, kept as arrays."""
    network, data = nt.load(folders["srm"]), nt.datasets.ESkin(split="test")
    chosen = np.sort(np.random.default_rng(0).permutation(len(data))[:6])
    samples, labels = network.encode(data, chosen, progress=False)
    np.savez(tmp_path / "some.npz", x=samples[:], y=labels)
    options = {"engine": "event", "progress": False, "say": str}
    some = str(tmp_path / "some.npz")
    run_network(folders["srm"], tmp_path / "a", x=some, y=some, **options)
    run_network(folders["srm"], tmp_path / "b", n_samples=6, **options)
    ours, theirs = (
        json.loads((tmp_path / name / "results.json").read_text()) for name in ("a", "b")
    )
    for key in ("accuracy_over_time", "layers_accuracy", "spikes", "synops"):
        assert ours[key] == theirs[key]


def test_what_does_not_fit(folders, tmp_path, capsys):
    other = SlayerNetwork(stages_of(build("8x8x2-10o")), SpikeLayout((8, 8, 2), 50_000, 40))
    other.save(tmp_path / "other")
    with pytest.raises(DataError, match=r"8 x 8 pixels.*10 x 10"):
        run_network(tmp_path / "other", tmp_path / "a", "eskin")
    arguments = ["run", str(folders["srm"]), "--engine", "loihi", "--out", str(tmp_path / "b")]
    assert cli.main([*arguments, "--samples", "2"]) == 2
    assert "current-based neurons" in capsys.readouterr().err
    assert cli.main([*arguments, "--on-host", "conv1", "--target", "sim"]) == 2
    assert "SlayerNetwork on engine 'loihi' takes no on_host, target" in capsys.readouterr().err
    assert cli.main(["check", str(folders["srm"])]) == 2
    assert "SLAYER network" in capsys.readouterr().err
