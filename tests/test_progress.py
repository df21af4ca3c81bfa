"""What shows as a table, and bars where there is no terminal."""

import sys

import pytest
import rich.console
import rich.table

from nengo_tactile import progress


class Two(progress.Tabular):
    def table(self):
        table = rich.table.Table()
        table.add_column("a & b")
        table.add_row("<one>")
        table.add_row("[/two]")
        return table


def test_a_table_shows_once_everywhere():
    text = str(Two())
    assert repr(Two()) == text and "<one>" in text and "[/two]" in text
    page = Two()._repr_html_()
    assert page.startswith("<pre>") and "a &amp; b" in page and page.count("&lt;one&gt;") == 1


def test_a_table_is_plain_where_colours_are_forced(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # as the kernels of notebooks do
    assert "\x1b" not in str(Two())


@pytest.mark.parametrize("widgets", [None, sys])
def test_bars_in_notebooks_without_widgets(widgets, monkeypatch, capfd):
    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    find = progress.importlib.util.find_spec
    monkeypatch.setattr(
        progress.importlib.util, "find_spec", lambda n: widgets if n == "ipywidgets" else find(n)
    )
    console = progress._place()["console"]
    assert console.is_jupyter == (widgets is not None)
    assert "\x1b" not in str(Two())  # is text there too
    if widgets is None:
        with progress.open_bar(True) as bar:
            bar.add_task("doing something")
        shown = capfd.readouterr().err
        assert "ipywidgets" not in shown and "doing something" in shown
