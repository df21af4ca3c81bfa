"""Odd arguments are refused by name; tools/odd_arguments.py tries a long list of them."""

import sys

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import arguments, cli, files
from nengo_tactile.errors import DataError
from tests.support.odd_arguments import COMMANDS, calls
from tests.support.scripts import load


@pytest.mark.parametrize("value", [0, -1, 2.5, np.nan, np.inf, "3", None, True, [3], 1e300, 3j])
def test_what_is_no_number_of_things(value):
    with pytest.raises(DataError, match=r"n is .*: give a whole number of at least 1"):
        arguments.whole("n", value)


def test_numbers_are_told_plainly():
    for value in (2.5, np.float64(2.5), np.float32(2.5)):
        with pytest.raises(DataError, match=r"n is 2\.5: give a whole"):
            arguments.whole("n", value)


def test_whole_numbers_of_any_type():
    for value in (3, 3.0, np.int8(3), np.float32(3), np.uint64(3)):
        assert arguments.whole("n", value) == 3 and type(arguments.whole("n", value)) is int


@pytest.mark.parametrize("seed", [-1, 2.5, "a", [1, -1]])
def test_what_is_no_seed(seed):
    with pytest.raises(DataError, match=r"seed is .*: give a whole number from 0, several, or"):
        arguments.generator("seed", seed)


def test_generators_of_seeds():
    draws = [arguments.generator("seed", seed).random() for seed in (3, np.random.default_rng(3))]
    assert draws == [np.random.default_rng(3).random()] * 2


@pytest.mark.parametrize("path", [None, 3, b"a", ["a"]])
def test_what_is_no_path(path):
    with pytest.raises(DataError, match="is no path: give the name of a file or folder"):
        files.path_of(path)


@pytest.mark.parametrize("values", ["abc", 3, None, ("a", "b", "a")])
def test_names_are_several_and_differ(values):
    with pytest.raises(DataError, match="classes"):
        arguments.names("classes", values)


def test_odd_arguments(tmp_path, monkeypatch):
    """Every seventh of the list; the tool tries all."""
    tool = load("tools/odd_arguments.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tool, "SECONDS", 20)  # a busy machine
    model, snn, x, y = tool.made(nt, tmp_path)
    names = list(calls(nt, model, snn, x, y)) + list(COMMANDS)
    assert len(names) > 250 and sys.modules[cli.__name__]
    chosen = set(names[::7])
    found = {name: what for name, what in tool.judged(tmp_path, chosen.__contains__) if what}
    assert not found
