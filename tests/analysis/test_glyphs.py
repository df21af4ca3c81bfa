"""Letters that the pictures' own font lacks."""

import io
import unicodedata
import warnings

import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font
from PIL import Image

from nengo_tactile.analysis import glyphs, plots, style
from nengo_tactile.errors import PictureWarning
from tests.support.pictures import out_of_sight, unreadable

#: Letters that none of matplotlib's fonts has.
NOWHERE = "指按"


@pytest.fixture
def fonts(monkeypatch):
    """The fonts that matplotlib brings along, and nothing of what was found before."""
    folder = font_manager.cbook._get_data_path("fonts", "ttf")
    paths = [str(path) for path in folder.glob("*.ttf")]
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: paths)
    monkeypatch.setattr(glyphs, "_named", set())
    glyphs._fallbacks.cache_clear()
    yield {FT2Font(path).family_name: FT2Font(path) for path in paths}
    glyphs._fallbacks.cache_clear()


def drawn(text, family="sans-serif"):
    figure = style.styled(style.new_figure)(1.0)
    figure.text(0.1, 0.3, text, fontsize=30, fontfamily=family)
    return np.array(Image.open(io.BytesIO(style.png(figure))).convert("L"))


def other_letters(fonts):
    """Two letters that one of matplotlib's fonts has alone."""
    more = set(fonts["STIXGeneral"].get_charmap()) - set(fonts["DejaVu Sans"].get_charmap())
    letters = [chr(code) for code in sorted(more)]
    return "".join(letter for letter in letters if unicodedata.category(letter) == "Sm")[:2]


def test_a_letter_comes_from_a_font_that_has_it(fonts):
    letters = other_letters(fonts)
    assert len(letters) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(drawn(letters), drawn(letters, "STIXGeneral"))


def test_one_warning_names_letters_that_no_font_has(fonts):
    with pytest.warns(PictureWarning, match=f"no font that is installed has '{NOWHERE}'") as told:
        boxes = drawn(NOWHERE)
        drawn(NOWHERE[::-1] + "a")
    assert len(told) == 1 and (boxes != drawn(other_letters(fonts))).any()
    with pytest.warns(PictureWarning) as told:
        figure = plots.confusion(np.eye(2, dtype=int), ("手", "b"))
        style.png(figure)
    assert len(told) == 1


def test_wide_letters_count_twice():
    name = "按压食指轻轻地滑动"  # nine
    assert glyphs.width_of(name + "ab") == 20
    assert style.wrapped(name, 6) == "按压食\n指轻轻\n地滑动"
    assert style.fitted(name, 18) == name and style.fitted(name, 7, 9) == style.wrapped(name, 7)
    # a line may end in half a letter
    assert glyphs.width_of(style.fitted(name, 10)) <= 11 and "…" in style.fitted(name, 10)
    assert glyphs.as_it_was(glyphs.as_wide_as_drawn(name)) == name


@pytest.mark.filterwarnings("ignore:no font that is installed", "ignore:Glyph")  # boxes are as wide
def test_names_of_wide_letters_do_not_overlap():
    names = ("左手食指用力按压桌子边缘", "右手拇指", "没有任何接触", "Левая рука и палец")
    names += ("指で軽く押す", "아무것도 없음")
    for figure in (
        plots.confusion(np.eye(6, dtype=int) * 40, names),
        plots.accuracy_over_time({name: np.linspace(0, 1, 20) for name in names}),
    ):
        assert not unreadable(figure) and not out_of_sight(figure.axes[0])
