"""One quiet look for every figure: light, colour-blind safe, legible on a phone.

Figures are plain ``matplotlib.figure.Figure`` objects: no pyplot, no display, no state
left behind in matplotlib. They are about 5.6 inches wide with 12 point text, so that a
360 pixel screen still shows the text at about 9 pixels.
"""

import functools
import io
import textwrap

from nengo_tactile.analysis.glyphs import (
    as_it_was,
    as_wide_as_drawn,
    give_fonts,
    letters_of,
    width_of,
)

# Okabe and Ito's palette (jfly.uni-koeln.de/color), ordered by contrast on white
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#AA4499"
ORANGE, SKY, RED = "#E69F00", "#56B4E9", "#CC3311"
PALETTE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
INK, QUIET, GRID, PAPER_BAR = "#1F2933", "#52606D", "#E4E7EB", "#9AA5B1"

WIDTH = 5.6  # inches
#: Characters of a title's and a key's line in a figure of that width, those that a swatch takes,
#: and inches between lines.
_TITLE, _KEY, _SWATCH, _LINE = 54, 67, 10, 0.19

_RC = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.facecolor": "white",
    "text.color": INK,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.titleweight": "normal",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelsize": 12,
    "axes.labelcolor": QUIET,
    "axes.edgecolor": PAPER_BAR,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "xtick.color": PAPER_BAR,
    "ytick.color": PAPER_BAR,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 11,
    "lines.linewidth": 2,
}


def styled(plot):
    """Run a plot function under this look, whatever the user's matplotlibrc says."""

    @functools.wraps(plot)
    def wrapper(*args, **kwargs):
        import matplotlib

        with matplotlib.rc_context(_RC):
            drawn = plot(*args, **kwargs)
            give_fonts(drawn.figure)
            return drawn

    return wrapper


def new_figure(height, width=WIDTH):
    """Make an empty figure, sizes in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    return figure


def new_axes(height, grid=None):
    """Make axes that fill a figure of their own.

    Parameters
    ----------
    height : float
        Of the figure, in inches.
    grid : {None, "x", "y"}
        The axis whose values get grid lines.
    """
    axes = new_figure(height).add_subplot()
    if grid:
        axes.grid(axis=grid)
    return axes


def finished(axes, xlabel, ylabel="", title=None, key_columns=1):
    """Name the axes, put the key of all that has a label below them, and return the figure."""
    axes.set(xlabel=xlabel, ylabel=ylabel)
    key_below(axes.figure, *axes.get_legend_handles_labels(), key_columns)
    if title:
        axes.set_title(wrapped(title, _TITLE))
    return axes.figure


def key_below(figure, handles, labels, columns=1):
    """Put a key below all axes: in one column where a label is too long for several, wrapped.

    The figure grows by the lines that are wrapped, so that axes keep their height.
    """
    if not labels:
        return
    columns = columns if max(map(width_of, labels)) <= _KEY // columns - _SWATCH else 1
    texts = [wrapped(label, _KEY) for label in labels]
    more = sum(text.count("\n") for text in texts)
    figure.set_figheight(figure.get_figheight() + _LINE * more)
    figure.legend(handles, texts, loc="outside lower left", ncols=columns)


def wrapped(text, width):
    """A text in lines of so many characters, of which wide ones count twice."""
    lines = textwrap.wrap(as_wide_as_drawn(str(text)), width, break_on_hyphens=False)
    return as_it_was("\n".join(lines)) or str(text)


def fitted(name, width, lines=1):
    """A name in so many lines of so many characters; one that is longer loses its middle.

    Parameters
    ----------
    name : str
    width, lines : int

    Returns
    -------
    str
    """
    name = as_wide_as_drawn(name)
    parts = textwrap.wrap(name, width, break_on_hyphens=False) or [name]
    if len(parts) > lines:
        most = width * lines - 1
        name = f"{name[: (most + 1) // 2]}\N{HORIZONTAL ELLIPSIS}{name[len(name) - most // 2 :]}"
        parts = [name[k : k + width] for k in range(0, len(name), width)]
    return as_it_was("\n".join(parts))


def told_apart(names, width, lines=1):
    """Names as `fitted` writes them; with their numbers where that makes two of them the same."""
    texts = [fitted(name, width, lines) for name in names]
    if len(set(texts)) < len(set(names)):
        texts = [fitted(f"{index} {name}", width, lines) for index, name in enumerate(names)]
    return texts


def figure_title(figure, title):
    """Write a title above all axes of a figure, where there is one."""
    if title:
        figure.suptitle(wrapped(title, _TITLE), x=0.01, ha="left", fontsize=12)


def line_style(index):
    """Colour and dashes of line ``index``: as many as thrice the palette differ."""
    return {
        "color": PALETTE[index % len(PALETTE)],
        "linestyle": ("-", "-.", ":")[index // len(PALETTE) % 3],
    }


def accuracy_axis(axes, ann_accuracy=None, digits=1, reference="ANN"):
    """Write accuracies in percent, and draw the one of the reference as a dashed line."""
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g}%")
    if ann_accuracy is not None:
        label = f"{reference} {ann_accuracy:.{digits}%}"
        axes.axhline(ann_accuracy, color=QUIET, linestyle="--", linewidth=1.5, label=label)


def png(figure, dpi=160):
    """Render a figure as PNG bytes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    dpi : float
        Pixels per inch.

    Returns
    -------
    bytes
        The same bytes for the same figure: no dates, no version strings.
    """
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context(_RC), letters_of(figure):
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def compact(value):
    """Write a count in at most four digits: 950, 12.3k, 4.56M."""
    if abs(value) < 10 and value != int(value):
        return f"{value:.2g}"
    for limit, unit in ((1e3, ""), (1e6, "k"), (1e9, "M"), (1e12, "G")):
        if abs(value) < 0.9995 * limit:
            scaled = value / (limit / 1e3)
            return f"{scaled:.3g}{unit}"
    return f"{value / 1e12:.3g}T"
