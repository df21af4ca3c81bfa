"""Options as fields of dataclasses: refused where they cannot be, shown as one would type them."""

import dataclasses
from typing import ClassVar, Literal

import pytest

from nengo_tactile.errors import DataError, TactileError
from nengo_tactile.options import Options, alternatives, documented, members, option


@documented
@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Kettle(Options):
    """Boils water.

    As it should.
    """

    heat: float | Literal["full"] | None = option("full", "of the plate", above=0, most=2)
    whistles: bool = option(True, "whether it tells")
    owner: str | dict | None = option(None, "whose it is")

    error: ClassVar[type] = DataError


@pytest.mark.parametrize("heat", [0.1, 2, "full", None])
def test_what_an_option_may_be(heat):
    kettle = Kettle(heat=heat, owner={})
    assert kettle.heat == heat and not isinstance(kettle.heat, int)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"heat": 0}, "Kettle heat is 0: give a number above 0 and at most 2, 'full' or None"),
        ({"heat": 2.1}, "Kettle heat is 2.1: give"),
        ({"heat": float("nan")}, "Kettle heat is nan: give"),
        ({"heat": float("inf")}, "Kettle heat is inf: give"),
        ({"heat": "half"}, "Kettle heat is 'half': give"),
        ({"heat": True}, "Kettle heat is True: give"),
        ({"whistles": 1}, "Kettle whistles is 1: give True or False"),
        ({"owner": 7}, "Kettle owner is 7: give a str, a dict or None"),
    ],
)
def test_what_it_may_not_be(given, words):
    with pytest.raises(DataError) as raised:
        Kettle(**given)
    assert str(raised.value).startswith(words)


def test_an_option_that_there_is_not_is_a_type_error():
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        Kettle(colour="red")


def test_it_shows_itself_as_one_would_type_it():
    for kettle in (Kettle(), Kettle(heat=1.5, owner="me")):
        assert eval(repr(kettle)) == kettle
    assert repr(Kettle()) == "Kettle()" and repr(Kettle(heat=None)) == "Kettle(heat=None)"


def test_the_docstring_lists_the_options():
    assert Kettle.__doc__.startswith("Boils water.\n\nAs it should.\n\nParameters\n----------\n")
    assert "\nwhistles : True or False\n    Whether it tells.\n" in Kettle.__doc__


def test_types_are_taken_apart():
    assert members(float | Literal["a", "b"] | None) == (float, "a", "b", type(None))
    assert members(dict) == (dict,) and members(Literal["a"]) == ("a",)
    heat = dataclasses.fields(Kettle)[0]
    assert alternatives(heat) == "a number above 0 and at most 2, 'full' or None"
    assert issubclass(Options.error, TactileError)
