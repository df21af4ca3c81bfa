"""Settings of a study: one declaration makes checks, the command's text and its options."""

import dataclasses

import pytest
import typer
from typer.testing import CliRunner

from nengo_tactile.cli_reproduce import command_of
from nengo_tactile.errors import DataError
from nengo_tactile.experiments.plans import Plan
from nengo_tactile.options import option


@dataclasses.dataclass(frozen=True)
class Toys(Plan):
    """Toys."""

    kinds: tuple = option(
        ("car", "ball"), "Which.", flag="--toys", choices={"car": 1, "ball": 2, "kite": 3}
    )
    colour: str = option("red", "Of all.", flag="--colour", choices=("red", "blue"))
    n_wheels: int | None = option(None, "How many.", flag="--wheels", least=1)
    fast: bool = option(False, "Or slow.", flag="--fast")
    seed: int = option(0, "Of all.", always=True)


def test_defaults_and_text():
    assert Toys().command("play") == "nengo-tactile play --seed 0 --data-dir DATA"
    plan = Toys("kite, car", "blue", 4, True, 3)
    assert plan.kinds == ("kite", "car")
    text = "nengo-tactile play --toys kite,car --colour blue --wheels 4 --fast --seed 3"
    assert plan.command("play") == f"{text} --data-dir DATA"
    assert Toys(plan.kinds, "blue", 4, True, 3) == plan


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kinds": "car,boat"}, r"--toys: 'boat' is unknown: choose from car, ball, kite"),
        ({"colour": "green"}, r"--colour: 'green' is unknown: choose from red, blue"),
        ({"n_wheels": 0}, r"n_wheels is 0: give a whole number from 1 or None"),
    ],
)
def test_what_no_plan_is(options, words):
    with pytest.raises(DataError, match=words):
        Toys(**options)


class Shop:
    """Stands for a paper: keeps what the command line asks for."""

    name, about, plan = "play", "Play with toys.", Toys

    def __init__(self, **results):
        self.results = results

    def run(self, plan, out, data_dir, crew, say):
        self.asked = plan, out, data_dir, crew
        return self.results

    def terminal_tables(self, results):
        return []


def line(shop, *words):
    app = typer.Typer()
    app.command()(command_of(shop))
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_command_line_makes_the_plan_whose_text_it_is(tmp_path):
    shop, plan = Shop(), Toys("kite", "blue", 4, True, 3)
    words = plan.command("play").split()[2:-2]
    found = line(shop, *words, "--out", tmp_path, "--jobs", 2, "--threads", 3)
    assert found.exit_code == 0, found.output
    assert shop.asked[0] == plan
    assert shop.asked[1] == tmp_path and shop.asked[2] is None
    assert dataclasses.astuple(shop.asked[3]) == (2, None, 3)
    assert line(shop).exit_code == 0
    assert shop.asked[0] == Toys() and dataclasses.astuple(shop.asked[3]) == (None, None, 1)
    help_text = line(shop, "--help").output
    for words in ("Play with toys.", "How many.", "Dask"):
        assert words in help_text


def test_failed_cells_end_with_exit_code_1():
    assert line(Shop(failed=[{"cell": "a", "error": "b"}])).exit_code == 1
    assert line(Shop(), "--wheels", 0).exit_code == 2
