"""The .mat reader: exact round trips, and DataError for everything else."""

import io

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_tactile.datasets.spiketrain import DEFAULT_TAXELS, read_lut, read_spiketrain
from nengo_tactile.errors import DataError
from nengo_tactile.events import TaxelMap
from tests.support.damage import damaged
from tests.support.fake_formats import default_table, mat_bytes, random_events, spiketrain_of


def brute_force(matrix, places=DEFAULT_TAXELS.cells):
    """Collect events with two loops."""
    found = []
    for column in range(matrix.shape[1]):
        for taxel in range(100):
            if matrix[taxel, column] != 0:
                x, y = places[taxel]
                t = round(matrix[100, column] * 1e6)
                found.append((int(x), int(y), t, matrix[taxel, column] > 0))
    return found


@given(st.integers(0, 2**32 - 1), st.integers(0, 60), st.booleans())
@settings(max_examples=40)
def test_valid_recordings_round_trip_exactly(seed, n_events, compress):
    events = random_events(np.random.default_rng(seed), n_events)
    content = mat_bytes(compress, spiketrain=spiketrain_of(events))
    np.testing.assert_array_equal(read_spiketrain(content), events)


@given(st.integers(0, 2**32 - 1), st.integers(0, 12))
@settings(max_examples=30)
def test_several_taxels_in_a_column_equal_two_loops(seed, n_columns):
    rng = np.random.default_rng(seed)
    matrix = rng.choice([-1.0, 0, 0, 0, 1], (101, n_columns))
    matrix[100] = np.sort(rng.uniform(0, 2, n_columns))
    places = DEFAULT_TAXELS.cells[rng.permutation(100)]
    events = read_spiketrain(mat_bytes(spiketrain=matrix), TaxelMap.of(places))
    assert events.tolist() == brute_force(matrix, places)


VALID = mat_bytes(spiketrain=spiketrain_of(random_events(np.random.default_rng(1), 25)))
PLAIN = mat_bytes(False, spiketrain=spiketrain_of(random_events(np.random.default_rng(2), 25)))


def events_or_data_error(content):
    try:
        events = read_spiketrain(content)
    except DataError as error:
        assert "bytes" in str(error)  # what errors call content without a name
    else:
        assert events.dtype.names == ("x", "y", "t", "p")


@given(st.binary(max_size=400))
@settings(max_examples=150)
def test_arbitrary_bytes_give_events_or_data_error(content):
    events_or_data_error(content)
    events_or_data_error(VALID[:128] + content)  # behind a valid file header


@given(st.sampled_from([VALID, PLAIN]), st.data())
@settings(max_examples=200)
def test_mutated_files_give_events_or_data_error(content, data):
    content = bytearray(content)
    # mostly where headers, tags, dimensions and the name lie
    places = st.one_of(st.integers(0, 200), st.integers(0, len(content) - 1))
    for place, value in data.draw(
        st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=4)
    ):
        content[min(place, len(content) - 1)] = value
    events_or_data_error(bytes(content[: data.draw(st.integers(0, len(content)))]))
    events_or_data_error(bytes(content))


def spoiled(row, column, value):
    matrix = spiketrain_of(random_events(np.random.default_rng(3), 6))
    matrix[row, column] = value
    return mat_bytes(spiketrain=matrix)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"", ["empty"]),
        (b"not a mat file at all", ["no MATLAB file", "21 bytes"]),
        (VALID[: len(VALID) // 2], ["damaged MATLAB", "truncated"]),
        (b"MATLAB 7.3 MAT-file, Platform", ["7.3", "-v7"]),
        (b"\x89HDF\r\n\x1a\n", ["7.3", "-v7"]),
        (mat_bytes(other=np.eye(3)), ["'spiketrain'"]),
        (mat_bytes(spiketrain=np.zeros((100, 4))), ["(100, 4)", "(101, n)"]),
        (mat_bytes(spiketrain=np.zeros((2, 101, 4))), ["(2, 101, 4)"]),
        (mat_bytes(spiketrain="text"), ["numeric"]),
        (mat_bytes(spiketrain={"a": 1}), ["numeric"]),
        (mat_bytes(spiketrain=np.zeros((101, 2), complex)), ["numeric"]),
        (mat_bytes(spiketrain=scipy.sparse.eye(101, format="csc")), ["numeric"]),
        (spoiled(42, 3, 2.0), ["row 42", "column 3", "2.0"]),
        (spoiled(42, 3, np.nan), ["row 42", "column 3", "nan"]),
        (spoiled(100, 2, np.nan), ["row 100", "column 2", "nan"]),
        (spoiled(100, 5, np.inf), ["row 100", "column 5", "inf"]),
        (spoiled(100, 0, -0.5), ["-0.5", "seconds"]),
        (spoiled(100, 5, 1e6), ["1000000.0", "seconds"]),
        (spoiled(100, 3, 0.0), ["column 3", "before", "sort"]),
    ],
    # not by the bytes, in which the time of writing stands
    ids=lambda value: " ".join(value) if isinstance(value, list) else "file",
)
def test_bad_recordings_are_refused_with_place_and_value(content, parts):
    with pytest.raises(DataError) as caught:
        read_spiketrain(content, source="7/a.mat")
    assert "7/a.mat" in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


def test_files_are_read_from_paths_and_open_files(tmp_path):
    path = tmp_path / "a.mat"
    path.write_bytes(VALID)
    np.testing.assert_array_equal(read_spiketrain(path), read_spiketrain(VALID))
    with open(path, "rb") as file:
        np.testing.assert_array_equal(read_spiketrain(file), read_spiketrain(VALID))
    with pytest.raises(DataError, match=r"missing\.mat cannot be read"):
        read_spiketrain(tmp_path / "missing.mat")


def test_integer_spiketrains_are_read_too():
    matrix = np.zeros((101, 3), np.int8)
    matrix[5], matrix[100] = [1, -1, 1], [0, 1, 1]
    events = read_spiketrain(mat_bytes(spiketrain=matrix))
    assert events.tolist() == [(5, 0, 0, True), (5, 0, 10**6, False), (5, 0, 10**6, True)]


def test_the_real_sample_equals_two_loops(data_dir):
    path = data_dir / "stmnist_sample" / "sample_stmnist.mat"
    events = read_spiketrain(path)
    assert events.tolist() == brute_force(scipy.io.loadmat(path)["spiketrain"])
    # the counts its README states
    assert (len(events), int(events["p"].sum())) == (2346, 1601)


@pytest.mark.parametrize("base", [0, 1])
@pytest.mark.parametrize("form", ["three", "two", "transposed", "named", "grid"])
def test_lookup_tables_in_every_accepted_form(form, base, rng):
    shuffled = rng.permutation(100)  # place of each address
    table = np.stack([np.arange(100), shuffled % 10, shuffled // 10], axis=1) + base
    grid = np.empty((10, 10))
    grid[shuffled // 10, shuffled % 10] = np.arange(100) + base
    contents = {
        "three": {"LUT": table[rng.permutation(100)]},  # rows in any order
        "two": {"lookup": table[:, 1:]},
        "transposed": {"LUT": table.T},
        "named": {"X": table[:, 1], "y": table[:, 2:]},
        "grid": {"address": grid},
    }
    taxels = read_lut(mat_bytes(**contents[form]))
    np.testing.assert_array_equal(taxels.cells, np.stack([shuffled % 10, shuffled // 10], axis=1))


def changed_table(row, column, value):
    table = default_table()
    table[row, column] = value
    return {"LUT": table}


@pytest.mark.parametrize(
    ("variables", "part"),
    [
        ({"LUT": np.zeros((100, 4))}, "shape"),
        ({"LUT": np.zeros((50, 2))}, "shape"),
        ({"LUT": np.zeros((3, 2))}, "wanted one table"),
        ({"LUT": "text"}, "wanted one table"),
        ({"a": default_table(), "b": default_table()}, "wanted one table"),
        (changed_table(3, 0, 5), "taxel addresses"),
        (changed_table(3, 1, 11), "X addresses"),
        (changed_table(3, 2, 0), "Y addresses"),
        (changed_table(3, 2, 1.5), "whole numbers"),
        (changed_table(3, 2, np.nan), "whole numbers"),
        (changed_table(3, 1, 5), r"taxels \[3, 4\] share the place x = 4, y = 0"),
        ({"LUT": np.zeros((10, 10))}, "taxel addresses"),
    ],
)
def test_contradicting_lookup_tables_are_refused(variables, part):
    with pytest.raises(DataError, match=rf"LUT\.mat.*{part}"):
        read_lut(io.BytesIO(mat_bytes(**variables)), "LUT.mat")


@given(st.data())
@settings(max_examples=60)
def test_mutated_lookup_tables_give_a_permutation_or_data_error(data):
    try:
        taxels = read_lut(damaged(data, mat_bytes(False, LUT=default_table()), 3, cut=False))
    except DataError:
        return
    assert len({tuple(place) for place in taxels.cells.tolist()}) == 100
    assert taxels.cells.min() == 0
    assert taxels.cells.max() == 9
