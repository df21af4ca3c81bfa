"""The command that tries other frameworks beside ours, on tonic, which is always there."""

import copy

import pytest

from tests.support import scripts


@pytest.fixture(scope="module")
def tool():
    return scripts.load("tools/beside_others.py")


@pytest.fixture(scope="module")
def row(tool):
    return tool.run("tonic", "last, after TensorFlow")


def test_a_framework_beside_ours(tool, row):
    assert tool.judge(row, row) is None
    assert set(row["models"]) == {"tf_keras", "keras"}
    assert all(set(engines) == set(tool.ALLOWED) for engines in row["models"].values())


def test_what_differs_is_named(tool, row):
    other = copy.deepcopy(row)
    other["models"]["keras"]["event"]["outputs"][0][0] += 0.01
    assert "keras model on event: outputs differ by 0.01 from those of" in tool.judge(other, row)
    other["models"]["tf_keras"]["loihi"]["difference"] = float("nan")
    assert "tf_keras model on loihi: outputs differ by nan from the" in tool.judge(other, row)


def test_what_ends_a_process_is_named(tool):
    row = tool.run("", "no such order")
    assert tool.judge(row, row) == row["problem"] == "KeyError: 'no such order'"


def test_every_framework_has_a_use(tool):
    for name, other in tool.OTHERS.items():
        assert other.modules and other.uses and other.distributions, name
    assert set(tool.OTHERS["all of them"].uses) == {
        use for name in tool.OTHERS for use in tool.OTHERS[name].uses
    }
