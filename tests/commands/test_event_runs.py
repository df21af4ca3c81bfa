"""SLAYER networks on the command line: run on recordings, reported, refused."""

import json

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import cli
from nengo_tactile.analysis import since_first_event
from nengo_tactile.commands import deciding
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


def test_a_run_says_how_soon_it_decides(folders, tmp_path, monkeypatch):
    """Levels are those of training recordings; the numbers those of the analysis."""
    monkeypatch.setattr(deciding, "N_LEVELS", 12)
    out, options = tmp_path / "run", {"engine": "event", "progress": False, "say": str}
    _, (table,) = run_network(folders["srm"], out, n_samples=10, max_loss=20.0, **options)
    numbers = json.loads((out / "results.json").read_text())
    since, network = numbers["since_first_event"], nt.load(folders["srm"])
    parts = []
    for split, n in (("train", 12), ("test", 10)):
        data = nt.datasets.ESkin(split=split)
        chosen = np.sort(np.random.default_rng(0).permutation(len(data))[:n])
        x, y = network.encode(data, chosen, progress=False)
        parts.append(since_first_event(network, nt.run(network, x, progress=False), x, y))
    train, test = parts
    assert since["accuracy_over_time"] == test.accuracy.tolist()
    wanted = test.decisions(train.levels(20.0)).numbers()
    assert {key: since["decisions"][key] for key in wanted} == wanted
    assert since["decisions"]["n_train"] == 12 and since["n_empty"] == 0
    assert "--max-loss 20" in numbers["command"]
    told = [str(cell) for column in table.columns for cell in column.cells]
    assert "decided" in told and any("lose" in cell and "of 20 points" in cell for cell in told)
    page = write_run_report(out).read_text()
    assert "Since the first event" in page and "recordings decided" in page
    # without a loss the curve alone
    numbers, _ = run_network(folders["srm"], tmp_path / "b", n_samples=4, **options)
    assert "decisions" not in numbers["since_first_event"]
    assert "Since the first event" in write_run_report(tmp_path / "b").read_text()


def test_images_of_recordings_are_shown_as_events_come(tmp_path, monkeypatch):
    monkeypatch.setattr(deciding, "N_LEVELS", 6)
    image = nt.events.TactileImage(upright=True)
    model = nt.ann.build("10x10-4c3-10o", seed=0)
    x = image.batch(nt.datasets.ESkin(n_samples=8))
    snn = nt.convert(model, x, nt.IF(), n_steps=8, image=image)
    snn.save(tmp_path / "snn")
    options = {"n_samples": 5, "max_loss": 50.0, "progress": False, "say": str}
    numbers, _ = run_network(tmp_path / "snn", tmp_path / "run", "eskin", **options)
    since = numbers["since_first_event"]
    assert len(since["accuracy_over_time"]) == 20 and since["step_ms"] == 100
    assert since["answer_ms"] == pytest.approx(8 * 1e3 * snn.dt)
    assert since["accuracy_over_time"][-1] == numbers["accuracy"]
    assert "of images so far" in write_run_report(tmp_path / "run").read_text()


def test_what_has_no_time_to_decision(folders, tmp_path):
    network = folders["srm"]
    refused = {
        "--max-loss 1 and --margin 2": {"margin": 2},
        "--max-loss 1 with --split train": {"split": "train"},
        "--max-loss 1 with --x": {"x": "a.npy", "y": "b.npy"},
    }
    for message, options in refused.items():
        with pytest.raises(DataError, match=message):
            run_network(network, tmp_path / "a", max_loss=1.0, say=str, **options)
    model = nt.ann.build("6x6-4c3-3o", seed=0)
    x = np.random.default_rng(0).random((16, 6, 6, 1), np.float32)
    nt.convert(model, x, nt.IF(), n_steps=4).save(tmp_path / "images")
    with pytest.raises(DataError, match=r"--max-loss 1: the network is shown images.*first event"):
        run_network(tmp_path / "images", tmp_path / "a", "mnist", max_loss=1.0, say=str)
    # recordings without events are counted, or named where there are no others
    spikes = np.zeros((3, 40, 10, 10, 2), np.float32)
    np.savez(tmp_path / "none.npz", x=spikes, y=np.zeros(3, int))
    spikes[0, 4, 5, 5, 1] = 1
    np.savez(tmp_path / "some.npz", x=spikes, y=np.zeros(3, int))
    told = []
    for name in ("none", "some"):
        file = str(tmp_path / f"{name}.npz")
        options = {"x": file, "y": file, "progress": False, "say": str}
        numbers, (table,) = run_network(network, tmp_path / name, **options)
        told += [str(cell) for column in table.columns for cell in column.cells]
        assert numbers["since_first_event"]["n_empty"] == {"none": 3, "some": 2}[name]
    assert "3 recordings have no event: there is none" in told
    assert any("2 recordings have no event, left out" in cell for cell in told)
    assert "Since the first event" not in write_run_report(tmp_path / "none").read_text()
