"""Tables in words and how their numbers are written."""

import io

from rich.console import Console

from nengo_tactile.reproduce.parts import Part, p_text, percent, points_text, rich_tables


def test_numbers_in_words():
    assert [p_text(p) for p in (None, 1e-9, 0.0912, 0.9991)] == ["-", "< 0.001", "0.091", "0.999"]
    assert [percent(share) for share in (None, 0.81234, 1)] == ["-", "81.23", "100.00"]
    assert [points_text(d) for d in (0.0123, -0.5, -1e-9)] == ["+1.23", "-50.00", "+0.00"]


def test_the_terminal_shows_short_tables_and_keeps_numbers_to_the_right():
    parts = [
        Part("First", ("name", "share"), [["a", "10.00"], ["b", "-"]]),
        Part("Second", ("name",), [["c"]], short=False),
    ]
    (table,) = rich_tables(parts)
    assert [column.justify for column in table.columns] == ["left", "right"]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table)
    text = console.export_text()
    assert text.startswith("First") and "10.00" in text
