"""The table of neurons' options in docs/command_line.md, written there from the neurons' fields.

``python tools/neuron_options.py``; a test compares the two.
"""

import dataclasses
from pathlib import Path

from nengo_tactile.cli_options import flag
from nengo_tactile.conversion.neurons import NEURONS
from nengo_tactile.options import choices

PAGE = Path(__file__).parents[1] / "docs" / "command_line.md"
BEGIN, END = "<!-- neuron_options -->\n", "<!-- end -->\n"


def table():
    """All options as Markdown, those that mean the same in one row."""
    rows = {}
    for name, kind in NEURONS.items():
        for field in dataclasses.fields(kind):
            row = (field.name, choices(field), repr(field.default), field.metadata["text"])
            rows.setdefault(row, []).append(f"`{name}`")
    lines = ["| option | neuron | may be | default | meaning |", "| --- | --- | --- | --- | --- |"]
    for (name, values, default, text), kinds in rows.items():
        negative = name if default != "True" else f"no_{name}"
        cells = (f"`{flag(negative)}`", ", ".join(kinds), values, f"`{default}`", text)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main():
    """Write it between its marks."""
    before, rest = PAGE.read_text("utf-8").split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}{table()}{END}{rest.split(END)[1]}", "utf-8")


if __name__ == "__main__":
    main()
