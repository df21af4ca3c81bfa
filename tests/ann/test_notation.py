"""The papers' notation, token by token, and the shapes it makes."""

import math
import time

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import nengo_tactile.ann.notation as notation_module
from nengo_tactile.ann.notation import LayerSpec, build, notation_for, parse
from nengo_tactile.errors import NotationError
from nengo_tactile.memory import told


@pytest.mark.parametrize(
    ("token", "spec"),
    [
        ("6c4", LayerSpec("conv", 6, 4, 1)),
        ("16C5", LayerSpec("conv", 16, 5, 1)),
        ("32c3s2", LayerSpec("conv", 32, 3, 2)),
        ("2a", LayerSpec("average pool", 0, 2, 2)),
        ("2MP2", LayerSpec("max pool", 0, 2, 2)),
        ("3MP2", LayerSpec("max pool", 0, 3, 2)),
        ("3MP", LayerSpec("max pool", 0, 3, 3)),
        ("128", LayerSpec("dense", 128)),
        ("256FC", LayerSpec("dense", 256)),
    ],
)
def test_each_token(token, spec):
    shape, layers = parse(f"10x10-{token}-10o")
    assert shape == (10, 10, 1) and layers == [spec, LayerSpec("output", 10)]


@pytest.mark.parametrize(
    ("head", "shape"),
    [
        ("64", (64,)),
        ("10x12", (10, 12, 1)),
        ("10\u00d712\u00d72", (10, 12, 2)),
        (" 8 x 8 ", (8, 8, 1)),
    ],
)
def test_each_input(head, shape):
    assert parse(f"{head}-5")[0] == shape


def test_a_plain_last_number_is_the_output():
    assert parse("9-4-3")[1] == [LayerSpec("dense", 4), LayerSpec("output", 3)]


@pytest.mark.parametrize(
    ("notation", "message"),
    [
        ("", "input ''"),
        ("10y10-3o", "10y10"),
        ("1x2x3x4-3o", "1x2x3x4"),
        ("10x10", "no layers"),
        ("10x10--3o", "cannot read ''"),
        ("10x10-6q4-3o", "cannot read '6q4'"),
        ("10x10-3o-3o", "output '3o' must be the last"),
        ("10x10-6c4", "last layer '6c4'"),
        ("10x10-2a", "last layer '2a'"),
        ("0x10-3o", "1 or more"),
        ("10x10-0c3-3o", "1 or more"),
        ("10x10-6c0-3o", "1 or more"),
        ("10x10-6c3s0-3o", "1 or more"),
        ("10x10-0a-3o", "1 or more"),
        ("10x10-0o", "1 or more"),
        (None, "input 'None'"),
    ],
)
def test_errors_name_the_part(notation, message):
    with pytest.raises(NotationError) as caught:
        parse(notation)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("notation", "message"),
    [
        ("64-6c3-3o", "needs an image"),
        ("8x8-5-2a-3o", "needs an image"),
        ("4x9-6c5-3o", "larger than its input of 4 x 9"),
        ("3x3-2a-2MP2-3o", "larger than its input of 1 x 1"),
    ],
)
def test_networks_that_do_not_fit(notation, message):
    with pytest.raises(NotationError, match=message):
        build(notation)


@pytest.mark.parametrize(
    ("notation", "needs"),
    [
        # a sample of 9e9 numbers, twice 3 (9e9 + 1) weights
        ("999999999x9-3o", 4 * (999999999 * 9 + 2 * 3 * (999999999 * 9 + 1) + 3)),
        ("1000-900000000-3o", 4 * (1000 + 2 * 9e8 * 1001 + 9e8 + 2 * 3 * (9e8 + 1) + 3)),
        ("40000x40000-90000c40000-3o", 4 * (1.6e9 * (1 + 2 * 9e4) + 2 * 9e4 + 9e4 + 6 * 90001 + 3)),
        (f"{'9' * 400}-3o", 4e30),
    ],
)
def test_networks_larger_than_memory_are_refused_before_they_are_built(notation, needs):
    start = time.monotonic()
    with pytest.raises(NotationError, match="give smaller layers") as caught:
        build(notation)
    assert time.monotonic() - start < 5
    assert told(needs) in str(caught.value) or needs == 4e30


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("notation", ["9x8x2-6c4s2-2a-7-3o", "12x11-5c3-3MP2-4c2-3o", "5-3o"])
def test_the_memory_of_a_network_is_that_of_what_is_built(notation, padding, monkeypatch):
    needed = []
    monkeypatch.setattr(notation_module, "check_fits", lambda what, n, *rest: needed.append(n))
    model = build(notation, padding=padding)
    outputs = [layer.output for layer in model.layers if "flatten" not in layer.name]
    numbers = sum(math.prod(output.shape[1:]) for output in outputs)
    assert needed == [4 * (numbers + 2 * model.count_params())]


def test_long_text_is_refused():
    with pytest.raises(NotationError, match="has 50,002 characters: give at most 2,000"):
        parse("9" * 50_000 + "-3")


@given(st.one_of(st.text(), st.text("0123456789xcCaMPosFC-\u00d7")))
@settings(max_examples=300)
def test_any_text_is_read_or_refused(text):
    try:
        shape, layers = parse(text)
    except NotationError:
        return
    assert 1 <= len(shape) <= 3 and layers[-1].kind == "output"
    assert min(shape) >= 1


_NUMBER = st.integers(1, 300)
_LAYER = st.one_of(
    st.builds(lambda n, k, s: LayerSpec("conv", n, k, s), _NUMBER, _NUMBER, _NUMBER),
    st.builds(lambda k: LayerSpec("average pool", 0, k, k), _NUMBER),
    st.builds(lambda k, s: LayerSpec("max pool", 0, k, s), _NUMBER, _NUMBER),
    st.builds(lambda n: LayerSpec("dense", n), _NUMBER),
)


def _token(spec):
    return {
        "conv": f"{spec.units}c{spec.size}s{spec.step}",
        "average pool": f"{spec.size}a",
        "max pool": f"{spec.size}MP{spec.step}",
        "dense": f"{spec.units}",
        "output": f"{spec.units}o",
    }[spec.kind]


@given(
    st.one_of(st.tuples(_NUMBER), st.tuples(_NUMBER, _NUMBER, _NUMBER)),
    st.lists(_LAYER, max_size=5),
    _NUMBER,
)
def test_written_notation_is_read_back(shape, layers, n_outputs):
    layers = [*layers, LayerSpec("output", n_outputs)]
    body = "-".join(map(_token, layers))
    assert parse(notation_for(shape, body)) == (shape, layers)


@pytest.mark.parametrize(
    ("notation", "padding", "shapes"),
    [
        # by hand: 10 - 4 + 1 = 7, 7 - 3 + 1 = 5, 5 * 5 * 24 = 600
        ("10x10-6c4-24c3-10o", "valid", [(7, 7, 6), (5, 5, 24), (600,), (10,)]),
        # ceil(9 / 2) = 5, 5 // 2 = 2, 2 * 3 * 4 = 24 with columns ceil(12 / 2) = 6, 6 // 2 = 3
        ("9x12x2-4c3s2-2a-7-3o", "same", [(5, 6, 4), (2, 3, 4), (24,), (7,), (3,)]),
        # (8 - 3) // 2 + 1 = 3
        ("8x8-3MP2-2o", "valid", [(3, 3, 1), (9,), (2,)]),
        ("5-4FC-3", "valid", [(4,), (3,)]),
    ],
)
def test_built_shapes(notation, padding, shapes):
    model = build(notation, padding=padding)
    assert [layer.output_shape[1:] for layer in model.layers[1:]] == shapes
    assert model.layers[-1].activation.__name__ == "linear"
    assert all(
        getattr(la, "padding", "valid") == "valid" or "conv" in la.name for la in model.layers
    )


def test_seeds_decide_the_weights():
    one, same, other = (build("6x6-2c3-2c3-3o", seed=s).get_weights() for s in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(one, same))
    assert not (one[0] == other[0]).any()
    # layers of one network differ too: the same seed would repeat numbers
    assert not np.isin(one[0].ravel(), one[2].ravel()).any()


def test_notation_for():
    assert notation_for((10, 10, 1), "6c4-10o") == "10x10-6c4-10o"
    assert notation_for((10, 10, 2), "6c4-10o") == "10x10x2-6c4-10o"
    assert notation_for((64,), "10o") == "64-10o"
    with pytest.raises(NotationError, match="empty"):
        notation_for((10, 0, 1), "10o")
