import io

import matplotlib
import pytest
from PIL import Image

from nengo_tactile.analysis import style
from tests.support.fresh_process import loaded


def test_plots_leave_matplotlib_as_it_was():
    before = dict(matplotlib.rcParams)

    @style.styled
    def plot():
        figure = style.new_figure(2.0)
        figure.add_subplot().plot([1, 2])
        return figure

    picture = style.png(plot())
    assert dict(matplotlib.rcParams) == before
    image = Image.open(io.BytesIO(picture))
    assert image.size == (round(style.WIDTH * 160), 320)
    assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert style.png(plot()) == picture


def test_a_dark_matplotlibrc_does_not_reach_the_figures():
    with matplotlib.rc_context({"axes.facecolor": "black", "font.size": 4}):
        figure = style.styled(style.new_figure)(1.0)
        assert figure.get_facecolor() == (1, 1, 1, 1)


def test_eighteen_lines_can_be_told_apart():
    assert len({tuple(style.line_style(index).items()) for index in range(18)}) == 18


def test_the_room_loads_without_matplotlib_or_a_deep_learning_library():
    code = "import nengo_tactile.analysis.plots, nengo_tactile.report"
    assert loaded(code, ("matplotlib", "tensorflow", "nengo", "scipy", "jinja2")) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.25, "0.25"),
        (17.23, "17.2"),
        (950, "950"),
        (999.7, "1k"),
        (12_345, "12.3k"),
        (999_600, "1M"),
        (4_560_000, "4.56M"),
        (2_500_000_000, "2.5G"),
    ],
)
def test_compact_numbers(value, text):
    assert style.compact(value) == text
