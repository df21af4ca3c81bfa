"""docs/layers.md: what each Keras layer becomes, of the table that conversion uses.

    python tools/layers_page.py

Writes the page. A test says when it is to be made again.
"""

from pathlib import Path

from nengo_tactile.conversion.support import ACTIVATIONS, INSTEAD, TABLE
from nengo_tactile.files import atomic_write

PAGE = Path(__file__).parents[1] / "docs" / "layers.md"


def page():
    """The page's text."""
    lines = [
        "# What each Keras layer becomes",
        "",
        "Made by `python tools/layers_page.py` from the table",
        "that `nengo_tactile.check` and all errors use. Every row was converted in the tests: with",
        "rates for neurons the network equals Keras within 1e-5 of its largest output, and the",
        "spiking one [converges to it](convergence.md); what sigma-delta neurons have sent at rest",
        "is as near as their thresholds.",
        "",
        "| layer | becomes | neurons | engines | limits |",
        "| --- | --- | --- | --- | --- |",
    ]
    for names, row in _alike(lambda row: bool(row.becomes)):
        cells = (names, row.becomes, _neurons(row), _engines(row), _limits(row))
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "Layers stand between neurons: an activation in a layer (`Conv2D(activation='relu')`) is "
        "an Activation behind it. The last one may be a "
        "softmax, sigmoid, tanh or softplus, which becomes the read-out. Channels are the last "
        "axis (`data_format='channels_last'`) everywhere.",
        "",
        "| activation | becomes |",
        "| --- | --- |",
    ]
    lines += [f"| `{name}` | {becomes} |" for name, becomes in ACTIVATIONS.items()]
    lines += [
        "",
        "## What cannot be converted",
        "",
        "Nor can layers that are not named on this page: build them from those above.",
        "",
        "| layer | instead |",
        "| --- | --- |",
    ]
    lines += [f"| {names} | {row.remedy} |" for names, row in _alike(lambda row: bool(row.remedy))]
    lines += ["", "| activation | instead |", "| --- | --- |"]
    for text in dict.fromkeys(INSTEAD.values()):
        names = ", ".join(f"`{name}`" for name, remedy in INSTEAD.items() if remedy == text)
        lines.append(f"| {names} | {text} |")
    lines += [
        "",
        "Models come from `tf.keras` (Keras 2) or Keras 3, as objects or as .keras and .h5 files,",
        "with one input of a fixed shape and one output of any. Models inside models are taken",
        "apart; a layer that is used twice becomes two. Functions that a layer computes are read",
        "as that layer: `x + y`, `x - y`, `x / 255`, `x * 2 - 1`, `x[..., ::-1]`, `tf.nn.relu(x)`,",
        "means over height and width, concatenation, reshaping and the like. Weights that are not",
        "finite, layers called with `training=True` and classes or activation functions of one's",
        "own are refused by name, whatever they are called. (Keras's files name activation",
        "functions, and .h5 files classes, by their name alone: one's own `relu` comes back from a",
        "file as Keras's, in Keras too. Convert the object, or give it a name of its own.)",
        "",
    ]
    return "\n".join(lines)


def _alike(wanted):
    """Rows with their layers' names, those that say the same together."""
    rows = []
    for row in TABLE.values():
        if wanted(row) and row not in rows:
            rows.append(row)
    for row in rows:
        yield ", ".join(f"`{name}`" for name, other in TABLE.items() if other == row), row


def _neurons(row):
    if row.plain:
        return "if; lif and sigma-delta when plain"
    return ", ".join(row.neurons)


def _engines(row):
    text = ", ".join(row.engines)
    if "loihi" in row.engines:
        return text + (f" ({row.chip})" if row.chip else "")
    return f"{text} (for loihi: {row.chip})"


def _limits(row):
    limits = (
        f"`{attribute}` {' or '.join(repr(value) for value in allowed)}: else {remedy}"
        for attribute, (allowed, remedy) in row.limits.items()
        if attribute != "data_format"
    )
    return "; ".join(limits) or "-"


if __name__ == "__main__":
    with atomic_write(PAGE) as file:
        file.write(page())
