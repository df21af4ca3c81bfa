"""Damaged and malicious files end in a result or in an error of ours.

A few of the cases of tools/mutations.py, of readers that need no TensorFlow.
"""

import contextlib
import shutil

import numpy as np
import pytest

from nengo_tactile.doors.plain import Door
from nengo_tactile.errors import ConversionError, ModelFileError, TactileError
from tests.support.mutants import make_bait, mutated
from tests.support.readers import readers

#: Cases of each.
N = 25
#: Readers that need no TensorFlow, or libraries that not everybody has.
LIGHT = (
    ["samples.npz", "samples.npy", "grid", "stmnist.zip", "stmnist-cache", "stemnist", "nmnist.zip",
     "nmnist", "ev-objects", "ntidigits", "dvs-gesture", "mnist", "pendigits", "skim", "study",
     "own.csv", "own.npy", "own.mat", "own.hdf5", "own-taxels", "braille.pkl",
     "nir", "lava", "evt3", "dat", "aedat4", "ros1", "ros2"]
)  # fmt: skip


@pytest.fixture(scope="module")
def bait(tmp_path_factory):
    place = tmp_path_factory.mktemp("files")
    make_bait(place / "bait")
    (place / "bombs").mkdir()  # the tool's are of 3 GB
    (place / "bombs" / "deflate").write_bytes(b"\x03\x00")
    (place / "bombs" / "bz2").write_bytes(b"")
    return place / "bait"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LIGHT)
def test_damaged_files_are_read_or_refused(name, bait, tmp_path):
    reader = readers().get(name)
    if reader is None:
        pytest.skip(f"the library that reads {name} is not here: pip install '.[sensors]'")
    (tmp_path / "sound").mkdir()
    reader.make(tmp_path / "sound")
    refused = 0
    for number in range(N):
        rng = np.random.default_rng((len(name), number))
        folder = tmp_path / "case"
        shutil.copytree(tmp_path / "sound", folder)
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        paths = [path for path in paths if path.suffix not in (".lock", ".md")]
        mutated(rng, paths[rng.integers(len(paths))], bait)
        try:
            reader.read(folder)
        except TactileError as error:
            refused += 1
            str(error).encode()
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)
    assert refused


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(readers().keys() - set(LIGHT)))
def test_what_the_tool_damages_is_sound_before(name, tmp_path):
    reader = readers()[name]
    reader.make(tmp_path)
    reader.read(tmp_path)


def test_half_characters_of_a_library_can_be_printed():
    found = Door(ModelFileError).refusal("cha\udccenels", "is damaged")
    told = ConversionError("layer 'c': Received: cha\udccenels_last")
    assert "cha\\udccenels_last" in str(told) and "cha\\udccenels" in str(found)
    str(told).encode(), str(found).encode()
