"""The command line refuses before it serves."""

import builtins
import socket

import pytest

from nengo_tactile.cli import main
from nengo_tactile.errors import StackError
from nengo_tactile.play.command import play


def test_where_the_extra_is_missing(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name.split(".")[0] == "uvicorn" or "play.server" in name:
            raise ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn")
        if arguments[2:3] and "server" in (arguments[2] or ()):
            raise ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn")
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(StackError, match=r"uvicorn is not installed.*nengo-tactile\[play\]"):
        play("eskin-cnn")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["no-such-network"], "no-such-network"),
        (["eskin-cnn", "--engine", "event"], "its neurons are LIF"),
        (["eskin-slayer", "--engine", "nengo"], "keeps no state"),
        (["mnist-resnet8"], "reads no recordings: choose"),
        (["eskin-slayer", "--taxels", "no-such.csv"], "no-such.csv"),
        (["eskin-slayer", "--steps", "9"], "steps are 9"),
        (["eskin-slayer", "--steps", "0"], "--steps is 0: give a whole number from 1 to 500"),
        (["eskin-slayer", "--neuron", "lif"], "choose one of if, sigma-delta"),
        (["eskin-slayer", "--neuron", "if"], "leave neuron out"),
        (["eskin-slayer", "--dead", "2"], "--dead is 2.0: give a number from 0 to 1"),
        (["eskin-slayer", "--noise", "nan"], "--noise is nan"),
    ],
)
def test_what_cannot_be_played(arguments, told, capsys):
    pytest.importorskip("uvicorn", reason="the extra [play] is not installed")
    assert main(["play", *arguments, "--port", "0", "--no-browser"]) == 2
    assert told in " ".join(capsys.readouterr().err.split())


def test_a_port_in_use(capsys):
    pytest.importorskip("uvicorn", reason="the extra [play] is not installed")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = str(taken.getsockname()[1])
        assert main(["play", "eskin-slayer", "--port", number, "--no-browser"]) == 2
    assert f"port {number} of 127.0.0.1: Address already in use" in capsys.readouterr().err
