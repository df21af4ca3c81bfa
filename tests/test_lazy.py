"""Names load on first use; loops compile on first use, also where nothing can be kept on disk."""

import importlib
import os
import subprocess
import sys

import numpy as np
import pytest

from nengo_tactile.errors import StackError
from nengo_tactile.lazy import compiled


def test_a_module_loads_with_the_first_of_its_names(tmp_path, monkeypatch):
    folder = tmp_path / "lazy_room"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from nengo_tactile.lazy import attributes\n"
        "__all__, __getattr__, __dir__ = attributes(__name__)\n"
    )
    (folder / "__init__.pyi").write_text(
        "from lazy_room import numbers as numbers\n"
        "from lazy_room.numbers import one as one\n"
        "from lazy_room.numbers import two as two\n"
    )
    (folder / "numbers.py").write_text("one, two = 1, 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    import lazy_room

    assert "lazy_room.numbers" not in sys.modules
    assert lazy_room.__all__ == ["numbers", "one", "two"]
    assert (lazy_room.one, lazy_room.two) == (1, 2)
    assert "lazy_room.numbers" in sys.modules
    assert lazy_room.numbers is sys.modules["lazy_room.numbers"]
    assert {"numbers", "one", "two", "__doc__"} <= set(dir(lazy_room))
    with pytest.raises(AttributeError, match="module 'lazy_room' has no attribute 'three'"):
        _ = lazy_room.three


def test_compiles_where_no_cache_can_be_written(monkeypatch):
    from numba.core import caching

    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])

    def doubled(x):
        return 2 * x

    assert compiled(doubled)(3) == 6


def _overwrite(path):
    path.write_bytes(b"no cache")


def _cut(path):
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", [_overwrite, _cut], ids=["other", "cut"])
def test_a_damaged_cache_is_made_anew(ending, damage, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    name = f"doubling_{ending}{damage.__name__}"
    (tmp_path / f"{name}.py").write_text("def doubled(x):\n    return 2 * x\n")
    module = importlib.import_module(name)
    for _ in range(2):
        compiled.cache_clear()
        assert compiled(module.doubled)(4) == 8
        (path,) = (tmp_path / "__pycache__").glob(f"*.{ending}")
        size = path.stat().st_size
        damage(path)
    compiled.cache_clear()
    assert compiled(module.doubled)(5) == 10 and path.stat().st_size == size


def test_without_compiling_it_is_refused_by_name(monkeypatch):
    import numba

    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    with pytest.raises(StackError, match=r"NUMBA_DISABLE_JIT.*unset that variable"):
        compiled(lambda x: x)


def test_compiles_once():
    def doubled(x):
        return 2 * x

    fast = compiled(doubled)
    assert compiled(doubled) is fast
    np.testing.assert_array_equal(fast(np.arange(3.0)), [0, 2, 4])


KERNEL = """
from {package}.parts import SCALE, shifted

def kernel(x):
    return SCALE * shifted(x)
"""
PARTS = """
from numba.extending import register_jitable

SCALE = {scale}

@register_jitable
def shifted(x):
    return x + {shift}
"""


def test_what_is_kept_is_compiled_anew_when_a_part_from_another_file_changed(tmp_path):
    """In processes of their own, as when a package is updated between two runs."""
    package = tmp_path / "parted"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "kernels.py").write_text(KERNEL.format(package="parted"))
    told = []
    for scale, shift in ((2, 1), (2, 1), (3, 1), (3, 5)):
        (package / "parts.py").write_text(PARTS.format(scale=scale, shift=shift))
        code = (
            "from parted.kernels import kernel\n"
            "from nengo_tactile.lazy import compiled\n"
            "fast = compiled(kernel)\n"
            "print(fast(10), sum(fast.stats.cache_hits.values()))"
        )
        told.append(subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path, text=True))
    # values by hand, and whether they came from the disk
    assert [text.split() for text in told] == [["22", "0"], ["22", "1"], ["33", "0"], ["45", "0"]]
