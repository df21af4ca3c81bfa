"""A picture of the chip: which layer fills which core, and how full it is."""

import math

from nengo_tactile.analysis.style import (
    BLUE,
    GREEN,
    GRID,
    INK,
    ORANGE,
    PAPER_BAR,
    PURPLE,
    SKY,
    VERMILION,
    key_below,
    new_axes,
    styled,
    wrapped,
)
from nengo_tactile.errors import DataError

# vermilion is kept for what is over its limit
_LAYER_COLOURS = (BLUE, GREEN, ORANGE, PURPLE, SKY, "#7B8794")

# limits of one Loihi core, nengo_loihi/block.py: MAX_COMPARTMENTS, MAX_IN_AXONS,
# MAX_OUT_AXONS, MAX_SYNAPSE_BITS
CORE_LIMITS = {
    "compartments": 1024,
    "in_axons": 4096,
    "out_axons": 4096,
    "synapse_bits": 1_048_576,
}
_SHORT = {
    "compartments": "compartments",
    "in_axons": "input axons",
    "out_axons": "output axons",
    "synapse_bits": "synapse bits",
}


@styled
def core_map(cores, title=None):
    """Draw each core as a tile with four bars: how much of each limit is used.

    Parameters
    ----------
    cores : list of dict
        One per core: ``layer`` (str), ``core`` (its number), ``compartments``,
        ``in_axons``, ``out_axons``, ``synapse_bits`` (counts used).
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Tiles in the given order, coloured by layer; a bar beyond its limit is
        vermilion and hatched.

    Raises
    ------
    DataError
        If there is no core, or one lacks a count or has a negative one.
    """
    if not cores:
        raise DataError("no cores were given: is the whole network on the host?")
    for index, core in enumerate(cores):
        for key in ("layer", "core", *CORE_LIMITS):
            if key not in core:
                raise DataError(f"core {index} has no {key!r}, only {sorted(core)}")
        for key in CORE_LIMITS:
            if not core[key] >= 0:
                raise DataError(f"core {index}: {key} is {core[key]}, wanted zero or more")
    layers = list(dict.fromkeys(core["layer"] for core in cores))
    colours = {layer: _layer_colour(index) for index, layer in enumerate(layers)}
    n_columns = min(4 if len(cores) <= 16 else 6 if len(cores) <= 48 else 8, len(cores))
    n_rows = math.ceil(len(cores) / n_columns)
    tile_height = {4: 1.05, 6: 0.85, 8: 0.7}.get(n_columns, 1.05)
    longest = max(len(_key(layer, cores)) for layer in layers)
    key_rows = math.ceil(len(layers) / (2 if longest <= 24 else 1))
    axes = new_axes(n_rows * tile_height + 0.75 + 0.26 * key_rows + (0.35 if title else 0))
    for index, core in enumerate(cores):
        _tile(axes, index % n_columns, index // n_columns, core, colours, n_columns)
    axes.set_xlim(-0.03, max(n_columns, 3) + 0.03)
    axes.set_ylim(n_rows + 0.03, -0.03)
    axes.set_axis_off()
    from matplotlib.patches import Patch

    handles = [Patch(color=colours[layer]) for layer in layers]
    labels = [_key(layer, cores) for layer in layers]
    key_below(axes.figure, handles, labels, 2)
    lines = [wrapped(title, 50)] if title else []
    lines.append("bars from top: " + ", ".join(_SHORT.values()))
    axes.set_title("\n".join(lines), fontsize=11)
    return axes.figure


def _layer_colour(index):
    """Those of the palette, then each lighter, then each darker: as many as thrice differ."""
    from matplotlib.colors import to_rgb

    share, other = ((0.0, 1.0), (0.5, 1.0), (0.45, 0.0))[index // len(_LAYER_COLOURS) % 3]
    own = to_rgb(_LAYER_COLOURS[index % len(_LAYER_COLOURS)])
    return tuple((1 - share) * part + share * other for part in own)


def _key(layer, cores):
    """Name a layer with the cores it takes."""
    numbers = [core["core"] for core in cores if core["layer"] == layer]
    if len(numbers) == 1:
        return f"{layer}: core {numbers[0]}"
    if numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        return f"{layer}: cores {numbers[0]} to {numbers[-1]}"
    return f"{layer}: {len(numbers)} cores"


def _tile(axes, column, row, core, colours, n_columns):
    """Draw one core in the unit square at (column, row)."""
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle((column + 0.04, row + 0.04), 0.92, 0.92, facecolor="#F5F7FA", edgecolor=GRID)
    )
    small = n_columns > 4
    axes.text(
        column + 0.09,
        row + 0.19,
        f"{core['core']}" if small else f"core {core['core']}",
        fontsize=9 if small else 10.5,
        va="center",
        color=INK,
    )
    for place, (key, limit) in enumerate(CORE_LIMITS.items()):
        share = core[key] / limit
        top = row + 0.34 + 0.15 * place
        numbers = not small
        room = 0.5 if numbers else 0.82
        axes.add_patch(
            Rectangle(
                (column + 0.09, top), room, 0.1, facecolor="white", edgecolor=PAPER_BAR, lw=0.5
            )
        )
        over = share > 1
        axes.add_patch(
            Rectangle(
                (column + 0.09, top),
                room * min(share, 1),
                0.1,
                facecolor=VERMILION if over else colours[core["layer"]],
                hatch="///" if over else None,
                edgecolor="white" if over else "none",
                lw=0,
            )
        )
        if numbers:
            axes.text(
                column + 0.93,
                top + 0.05,
                f"{share:.0%}" if share >= 0.01 or share == 0 else "<1%",
                fontsize=9.5,
                ha="right",
                va="center",
                color=VERMILION if over else INK,
            )
