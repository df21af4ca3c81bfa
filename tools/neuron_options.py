"""The table of neurons' options in docs/command_line.md, written there from the neurons' fields.

``python tools/neuron_options.py``; a test compares the two.
"""

import dataclasses
from pathlib import Path

from nengo_tactile.conversion.neurons import NEURONS
from nengo_tactile.options import alternatives, flag

PAGE = Path(__file__).parents[1] / "docs" / "command_line.md"
BEGIN, END = "<!-- neuron_options -->\n", "<!-- end -->\n"


def table():
    """All options as Markdown, those that mean the same in one row."""
    rows = {}
    for name, kind in NEURONS.items():
        for field in dataclasses.fields(kind):
            off = field.default is True
            option = f"--no-{flag(field)[2:]}" if off else flag(field)
            row = (option, alternatives(field), repr(field.default), field.metadata["text"])
            rows.setdefault(row, []).append(f"`{name}`")
    lines = ["| option | neuron | may be | default | meaning |", "| --- | --- | --- | --- | --- |"]
    for (option, values, default, text), kinds in rows.items():
        cells = (f"`{option}`", ", ".join(kinds), values, f"`{default}`", text)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main():
    """Write it between its marks."""
    before, rest = PAGE.read_text("utf-8").split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}{table()}{END}{rest.split(END)[1]}", "utf-8")


if __name__ == "__main__":
    main()
