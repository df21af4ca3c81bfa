"""The command line: exit codes, messages, files; every command once, small."""

import errno
import json
import signal

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import cli, files
from nengo_tactile.errors import StackError
from nengo_tactile.stack import distributions
from tests.support.fresh_process import done, loaded


def run(*arguments):
    """Run the command line in this process; returns its exit code."""
    return cli.main([str(argument) for argument in arguments])


def test_version_is_quick_and_needs_no_tensorflow():
    code = "import nengo_tactile.cli as cli; cli.main(['--version'])"
    assert loaded(code, ("tensorflow", "nengo", "matplotlib", "scipy", "tonic")) == []
    process = done(code)
    assert process.stdout.startswith("nengo-tactile ")
    assert process.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], ["nonsense"]),
        (["run"], ["Missing argument"]),
        (["data", "no-such-set"], ["no-such-set", "stemnist"]),
        (["check", "missing.keras"], ["missing.keras", "no such file"]),
        (["run", "no-such-model"], ["no-such-model", "shipped"]),
        (["train", "10x10-6q4-10o", "--out", "m.keras"], ["6q4"]),
        (["train", "10x10-6c4-10o", "--out", "m.txt"], [".keras"]),
        (["train", "9x9-6c4-10o", "--out", "m.keras"], ["9x9", "10x10"]),
        (["train", "10x10-10o", "--out", "m.keras", "--recipe", "x"], ["'x'", "paper"]),
        (["demo", "--task", "nothing"], ["nothing", "eskin"]),
        (["report", "missing-folder"], ["missing-folder", "nengo-tactile run"]),
        (["reproduce", "st-mnist", "--dataset", "nothing"], ["nothing", "stemnist"]),
        (["reproduce", "st-mnist", "--data-dir", "nowhere"], ["nowhere", "does not exist"]),
        (["reproduce", "skim", "--data-dir", "."], ["MNIST", "not found"]),
        (["reproduce", "sigma-delta", "--data-dir", "."], ["MNIST", "not found"]),
        (["model", "cifar10-resnet20", "--data-dir", "."], ["CIFAR-10", "not found"]),
    ],
)
def test_bad_input_gets_one_message_and_exit_code_2(
    arguments, words, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    message = capsys.readouterr().err
    assert "Traceback" not in message
    for word in words:
        assert word in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 2, ["No space left", "free space"]),
        (KeyboardInterrupt(), 130, ["interrupted"]),
        (signal.SIGTERM, 143, ["ended by SIGTERM"]),
    ],
)
def test_what_stops_a_command_leaves_nothing_behind(
    error, code, words, capsys, tmp_path, monkeypatch
):
    out = tmp_path / "table.json"

    def fail(*_):
        if isinstance(error, signal.Signals):
            signal.raise_signal(error)
        raise error

    monkeypatch.setattr(files.os, "fsync", fail)
    assert run("data", "eskin", "--split", "test", "--out", out) == code
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    message = capsys.readouterr().err
    for word in words:
        assert word in message
    assert list(tmp_path.iterdir()) == []


def test_data_prints_the_paper_beside_ours(capsys, tmp_path):
    out = tmp_path / "table.json"
    assert run("data", "eskin", "--split", "test", "--paper", "--out", out) == 0
    table = capsys.readouterr().out
    assert "ON events" in table
    written = json.loads(out.read_text())
    assert written["data"] == "eskin"


@pytest.fixture(scope="module")
def small_model(tmp_path_factory):
    """A network trained for one epoch through the command line."""
    folder = tmp_path_factory.mktemp("model")
    path = folder / "m.keras"
    assert run("train", "10x10-6c4-8c3-10o", "--out", path, "--epochs", 1) == 0
    return path


@pytest.fixture(scope="module")
def network(small_model):
    """The model, converted."""
    folder = small_model.with_name("network")
    options = ["--task", "eskin", "--max-rate", 400, "--steps", 20]
    assert run("convert", small_model, "--out", folder, *options) == 0
    return folder


def test_train_check_convert_run_report(small_model, network, tmp_path, capsys):
    assert run("check", small_model) == 0
    assert "neurons if or lif" in capsys.readouterr().out
    for engine, steps in (("nengo-dl", 20), ("loihi", 20)):
        out = tmp_path / engine
        code = run(
            "run", network, "--engine", engine, "--samples", 6, "--steps", steps, "--out", out
        )
        assert code == 0
        numbers = json.loads((out / "results.json").read_text())
        assert numbers["n_test"] == 6
        assert len(numbers["accuracy_over_time"]) == steps
        with np.load(out / "recording.npz", allow_pickle=False) as stored:
            assert stored["outputs"].shape == (6, steps, 10)
        assert run("report", out) == 0
        page = (out / "report.html").read_text()
        assert "Accuracy over time" in page
        assert ("On the chip" in page) == (engine == "loihi")
        for word in ("chip_joules_rough", "ann_joules_rough"):
            assert (word in numbers) == (engine == "loihi")
        assert ("Davies" in page) == (engine == "loihi") and "Horowitz" in page
        bits = numbers["beside_quantised"]["bits"]
        assert bits == 5 and "a quantised network of equal bits (5), arithmetic" in page
        assert "effective ACs" in page and 0 < numbers["neurobench"]["activation_sparsity"] < 1
        assert f"takes {numbers['ann_multiplications']:,} multiplications" in page
    # all layers on the chip: the input is a layer of spikes of its own
    out = tmp_path / "chip"
    chip = ["--engine", "loihi", "--samples", 2, "--steps", 20, "--on-host", "none"]
    assert run("run", network, *chip, "--out", out) == 0
    layers = [row["layer"] for row in json.loads((out / "results.json").read_text())["layers"]]
    assert sorted(layers) == ["conv1", "conv2", "input"]
    capsys.readouterr()
    assert run("run", network, "--samples", 2, "--target", "sim", "--out", out) == 2
    assert "takes no target" in capsys.readouterr().err
    assert run("run", network, *chip, "--target", "loihi", "--out", out) == 2
    assert "NxSDK" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--neuron", "if", "--max-rate", 300], "--max-rate is 300.0, which only --neuron lif has"),
        (["--reset", "zero"], "--reset is zero, which only --neuron if has"),
        (["--neuron", "sigma-delta", "--percentile", 99], "only --neuron lif or if has"),
        (
            ["--neuron", "izhikevich"],
            "--neuron is 'izhikevich': choose one of lif, if",
        ),
        (["--neuron", "if", "--reset", "soft"], "IF reset is 'soft': give 'subtract' or 'zero'"),
    ],
)
def test_options_of_other_neurons_are_refused(arguments, words, tmp_path, capsys):
    """Before anything is read: there is no such model."""
    assert run("convert", "no.keras", "--out", tmp_path / "n", *arguments) == 2
    assert words in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_neurons_on_the_command_line_are_those_in_python(monkeypatch, tmp_path):
    """Options that are not given have the neuron's defaults; none is None, of no options none."""
    found = []
    monkeypatch.setattr(
        "nengo_tactile.commands.converting.convert_model",
        lambda *arguments, neuron, **options: found.append(neuron),
    )
    for arguments in (
        [],
        ["--max-rate", 300],
        ["--synapse", "none", "--nonzero"],
        ["--neuron", "if", "--no-shortcut-normalisation", "--discard", "tune", "--start", 0],
        ["--neuron", "if", "--discard", 0.25, "--correction", "bias"],
        ["--neuron", "sigma-delta", "--coding", "current", "--threshold", 0.5],
    ):
        assert run("convert", "m.keras", "--out", tmp_path / "n", *arguments) == 0
    assert found == [
        None,
        nt.LIF(max_rate=300.0),
        nt.LIF(synapse=None, nonzero=True),
        nt.IF(shortcut_normalisation=False, discard="tune", start=0.0),
        nt.IF(discard=0.25, correction="bias"),
        nt.SigmaDelta(coding="current", threshold=0.5),
    ]


def test_a_loss_is_the_neurons_own_or_one_to_choose_by(monkeypatch, tmp_path):
    found = []
    monkeypatch.setattr(
        "nengo_tactile.commands.converting.convert_model",
        lambda *arguments, neuron, max_loss, minimise, **options: found.append(
            (neuron, max_loss, minimise)
        ),
    )
    for arguments in (
        ["--max-loss", 0.5, "--minimise", "steps"],
        ["--neuron", "if", "--signed", "--max-loss", 0],
        ["--neuron", "sigma-delta", "--max-loss", 2],
    ):
        assert run("convert", "m.keras", "--out", tmp_path / "n", *arguments) == 0
    assert found == [
        (None, 0.5, "steps"),
        (nt.IF(signed=True), 0.0, "packets"),
        (nt.SigmaDelta(max_loss=2.0), None, "packets"),
    ]


def test_run_keeps_what_is_in_its_folder(small_model, network, tmp_path, capsys):
    out = tmp_path / "results"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    common = ["--samples", 2, "--steps", 5]
    assert run("run", network, *common, "--out", out) == 0
    assert sorted(p.name for p in out.iterdir()) == [
        "recording.npz",
        "results.json",
        "thesis.txt",
    ]
    numbers = json.loads((out / "results.json").read_text())
    assert numbers["task"] == "eskin"
    assert numbers["command"].startswith("nengo-tactile run ")
    capsys.readouterr()
    # neither a file nor a folder of something else is replaced
    assert run("run", network, *common, "--out", out / "thesis.txt") == 2
    assert run("convert", small_model, "--out", out, "--task", "eskin", "--steps", 5) == 2
    assert "choose another folder" in capsys.readouterr().err
    assert (out / "thesis.txt").read_text() == "years of work"
    # a damaged run
    (out / "recording.npz").write_bytes(b"PK\x03\x04 and then nothing")
    assert run("report", out) == 2
    assert "nengo-tactile run" in capsys.readouterr().err
    (out / "results.json").write_text("{}")
    assert run("report", out) == 2


def test_run_refuses_the_sensor_of_another_task(network, tmp_path, data_dir, capsys):
    task = ["--task", "stemnist", "--data-dir", data_dir]
    assert run("run", network, "--steps", 5, *task, "--out", tmp_path / "out") == 2
    assert "16 x 16" in capsys.readouterr().err


def test_check_of_a_model_that_cannot_be_converted(tmp_path, capsys):
    from nengo_tactile import stack

    tf = stack.tensorflow()
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [layers.Input((8, 8, 1)), layers.Conv2D(2, 3, activation="elu"), layers.Flatten()]
    )
    path = tmp_path / "elu.keras"
    model.save(path)
    assert run("check", path) == 2
    shown = capsys.readouterr()
    assert "elu" in shown.out
    assert "cannot be converted" in shown.err


def test_check_of_a_file_with_an_unsupported_layer(tmp_path, capsys):
    from nengo_tactile import stack
    from nengo_tactile.conversion.support import TABLE

    layers = stack.tensorflow().keras.layers
    model = stack.tensorflow().keras.Sequential([layers.Input((8,)), layers.PReLU(name="slope")])
    path = tmp_path / "model.keras"
    model.save(path)
    assert run("check", path) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith(f"nengo-tactile: {path}: cannot be converted")
    (row,) = [line for line in shown.out.splitlines() if "slope" in line]
    assert "PReLU" in row and TABLE["PReLU"].remedy.split(",")[0] in shown.out


def test_doctor_passes_here(capsys):
    assert run("doctor") == 0
    shown = capsys.readouterr()
    for word in ("nengo-dl", "event", "non-commercial", "tf_keras", "closed form"):
        assert word in shown.out
    assert shown.err == ""


def test_doctor_reports_a_missing_package(capsys, monkeypatch):
    extra = distributions.Distribution("no-such-package", "nothing", "none")
    monkeypatch.setattr(distributions, "DISTRIBUTIONS", (*distributions.DISTRIBUTIONS, extra))
    assert run("doctor", "--quick") == 2
    shown = capsys.readouterr()
    assert "no-such-package" in shown.err and distributions.INSTALL in shown.err


def test_doctor_under_versions_that_were_not_tried(capsys, monkeypatch):
    """Says so and what to type; whether they work is for the self-test to say."""
    old = distributions.Distribution("numpy", "arrays", "BSD", ("0.1", "0.2"))
    monkeypatch.setattr(distributions, "DISTRIBUTIONS", (old,))
    assert run("doctor", "--quick") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "(newer)" in shown and "Not tried: numpy" in shown and "-c constraints.txt" in shown


def test_doctor_where_the_stack_does_not_load(capsys, monkeypatch):
    def broken():
        raise StackError("tensorflow 1 and tf_keras 2 do not belong together")

    monkeypatch.setattr("nengo_tactile.stack.nengo_loihi", broken)
    assert run("doctor") == 2
    shown = capsys.readouterr()
    assert "do not belong together" in " ".join(shown.out.split())
    assert "self-test failed: nengo-dl, event, loihi" in shown.err


def test_commands_are_grouped_by_what_one_wants(capsys):
    assert run() == 2
    lines = capsys.readouterr().out.splitlines()
    titles = [line.strip("╭─╮ ") for line in lines if line.startswith("╭─")]
    assert titles[-5:] == [
        *("Begin", "Bring or train a network", "Run and look", "Other simulators", "Papers")
    ]


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [
        (["chek", "m.keras"], "check"),
        (["check", "mnist-resnet9"], "mnist-resnet8"),
        (["run", "eskin-cn"], "eskin-cnn"),
        (["run", "eskin-cnn", "--engine", "lohi"], "loihi"),
        (["data", "stemnst"], "stemnist"),
        (["demo", "--task", "eskn"], "eskin"),
        (["model", "eskin-cn"], "eskin-cnn"),
    ],
)
def test_a_word_that_is_unknown_is_answered_with_the_nearest(arguments, nearest, capsys):
    assert run(*arguments) == 2
    assert f"id you mean '{nearest}'?" in capsys.readouterr().err


def test_json_on_stdout_is_what_the_tables_are_made_of(capsys, tmp_path):
    model = nt.ann.build("6x6-3c3-4o", seed=0)
    model.save(tmp_path / "m.keras")
    assert run("check", tmp_path / "m.keras", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert "conv1" in [layer["name"] for layer in found["layers"]]
    assert run("data", "eskin", "--split", "test", "--json", "--out", tmp_path / "a.json") == 0
    written = capsys.readouterr()
    assert json.loads(written.out) == json.loads((tmp_path / "a.json").read_text())
    assert "wrote" in written.err
    assert run("doctor", "--quick", "--json") == 0
    assert {row["name"] for row in json.loads(capsys.readouterr().out)["versions"]} > {"nengo"}
    assert run("doctor", tmp_path / "m.keras", "--json") == 0
    assert json.loads(capsys.readouterr().out)["path"] == str(tmp_path / "m.keras")


def test_json_of_a_run(capsys, tmp_path):
    options = ["--samples", "4", "--steps", "4", "--task", "eskin", "--out", tmp_path / "run"]
    assert run("run", "eskin-cnn", *options, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads((tmp_path / "run" / "results.json").read_text())
