import ast
import importlib.util
from pathlib import Path

import pytest

from nengo_tactile.analysis.plots import CORE_LIMITS, core_map, png
from nengo_tactile.errors import DataError


def make_cores(rng, count):
    return [
        {
            "layer": "conv" if number < count // 2 else "dense",
            "core": number,
            **{key: int(rng.integers(1, limit + 1)) for key, limit in CORE_LIMITS.items()},
        }
        for number in range(count)
    ]


def test_limits_are_those_of_the_emulator():
    spec = importlib.util.find_spec("nengo_loihi")
    if spec is None:
        pytest.skip("needs nengo-loihi")
    # read, not imported: importing it loads TensorFlow, which is stack.py's business
    tree = ast.parse((Path(spec.origin).parent / "block.py").read_text())
    found = {
        node.targets[0].id: eval(compile(ast.Expression(node.value), "block.py", "eval"))
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id.startswith("MAX_")
    }
    for key, limit in CORE_LIMITS.items():
        assert limit == found[f"MAX_{key.upper()}"]


@pytest.mark.parametrize("count", [1, 2, 16, 17, 60])
def test_one_tile_per_core_with_bars_as_long_as_the_use(rng, count):
    cores = make_cores(rng, count)
    figure = core_map(cores, title="chip")
    patches = figure.axes[0].patches
    assert len(patches) == 9 * count  # a tile, four frames, four bars
    for place, core in enumerate(cores):
        frames_and_bars = patches[9 * place + 1 : 9 * place + 9]
        for key, frame, bar in zip(CORE_LIMITS, frames_and_bars[::2], frames_and_bars[1::2]):
            share = bar.get_width() / frame.get_width()
            assert share == pytest.approx(core[key] / CORE_LIMITS[key])
    png(figure, dpi=40)


def test_a_full_core_is_not_marked_and_an_overfull_one_is(rng):
    (core,) = make_cores(rng, 1)
    core["synapse_bits"] = CORE_LIMITS["synapse_bits"]
    assert not any(patch.get_hatch() for patch in core_map([core]).axes[0].patches)
    core["synapse_bits"] += 1
    marked = [patch for patch in core_map([core]).axes[0].patches if patch.get_hatch()]
    assert len(marked) == 1


def test_the_key_names_each_layer_once(rng):
    cores = make_cores(rng, 5)
    cores[4]["layer"] = "conv"
    (legend,) = core_map(cores).legends
    assert [text.get_text() for text in legend.texts] == [
        "conv: 3 cores",
        "dense: cores 2 to 3",
    ]


def test_refusals(rng):
    with pytest.raises(DataError, match="no cores"):
        core_map([])
    (core,) = make_cores(rng, 1)
    with pytest.raises(DataError, match="core 0: in_axons is -1"):
        core_map([{**core, "in_axons": -1}])
    del core["out_axons"]
    with pytest.raises(DataError, match="core 0 has no 'out_axons'"):
        core_map([core])
