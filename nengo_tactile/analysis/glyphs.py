"""Names in any script: fonts for the letters that the pictures' own font lacks."""

import contextlib
import functools
import unicodedata
import warnings
from pathlib import Path

from nengo_tactile.errors import PictureWarning

#: Stands behind letters that are as wide as two, for whoever counts them.
_FILLER = "\N{WORD JOINER}"
#: matplotlib's font of boxes, which stand for all letters.
_BOXES = "LastResort"
#: Letters that no font has and that a warning has named.
_named: set[str] = set()


def as_wide_as_drawn(text):
    """A text in which letters count twice that are twice as wide: see `as_it_was`."""
    wide = (unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return "".join(letter + _FILLER * is_wide for letter, is_wide in zip(text, wide))


def as_it_was(text):
    """The text of `as_wide_as_drawn` again, or of a part of it."""
    return text.replace(_FILLER, "")


def width_of(text):
    """Letters of a text, twice those that are twice as wide."""
    return len(as_wide_as_drawn(text))


@contextlib.contextmanager
def letters_of(figure):
    """Draw a figure with a font for each letter, as far as fonts are installed.

    Letters that no font has become boxes, of which one `PictureWarning` tells, in place of
    matplotlib's own for each letter and picture.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    """
    give_fonts(figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        yield


def give_fonts(figure):
    """Give texts of a figure the fonts that have what theirs lacks: see `letters_of`."""
    from matplotlib import font_manager
    from matplotlib.text import Text

    letters, texts = {}, {}
    for text in figure.findobj(Text):
        if not text.get_text().isascii():
            own = font_manager.findfont(text.get_fontproperties())
            letters.setdefault(own, set()).update(filter(_is_drawn, text.get_text()))
            texts.setdefault(own, []).append(text)
    for own, needed in letters.items():
        more = _fallbacks(own, frozenset(needed))
        for text in texts[own]:
            families = text.get_fontfamily()
            text.set_fontfamily([*families, *(name for name in more if name not in families)])


def _is_drawn(letter):
    """Whether there is something to see of it."""
    return not letter.isspace() and unicodedata.category(letter) not in ("Cc", "Cf")


@functools.lru_cache(maxsize=256)
def _fallbacks(own, letters):
    """Names of as few fonts as have those letters that one lacks."""
    from matplotlib import font_manager

    missing, names = letters - _known(own, letters), []
    candidates = sorted(font_manager.findSystemFonts(), key=_plainness) if missing else []
    known = {path: _known(path, missing) for path in candidates}
    while missing and known:
        best = max(known, key=lambda path: len(known[path] & missing))  # the first of the best
        if not known[best] & missing:
            break
        missing -= known[best]
        names.append(_name(best))
    new = missing - _named
    if new:
        _named.update(new)
        warnings.warn(
            f"no font that is installed has {''.join(sorted(new)[:12])!r}: pictures show boxes in "
            "their place; install one that has, such as Noto Sans CJK for Chinese, Japanese and "
            "Korean",
            PictureWarning,
            stacklevel=3,
        )
    return tuple(names)


def _plainness(path):
    """Plain fonts come first."""
    name = Path(path).stem.lower()
    return any(word in name for word in ("bold", "italic", "oblique", "serif", "mono")), name


@functools.lru_cache(maxsize=4096)
def _known(path, letters):
    """Those of some letters that a font has."""
    from matplotlib.ft2font import FT2Font

    if _BOXES in Path(path).stem.replace("-", ""):
        return frozenset()
    try:
        font = FT2Font(str(path))
        return frozenset(letter for letter in letters if font.get_char_index(ord(letter)))
    except (OSError, RuntimeError, ValueError):  # a damaged one
        return frozenset()


def _name(path):
    """A font's name, by which matplotlib finds it from then on."""
    from matplotlib import font_manager

    manager, name = font_manager.fontManager, font_manager.FontProperties(fname=path).get_name()
    if all(font.name != name for font in manager.ttflist):  # installed since its list was made
        manager.addfont(path)
    return name
