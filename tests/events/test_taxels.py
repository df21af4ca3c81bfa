"""Maps of taxels: cells of their own on a grid, and what is no map."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_tactile.errors import DataError
from nengo_tactile.events import TaxelMap


@given(
    st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=1, max_size=40), st.data()
)
@settings(max_examples=60, deadline=None)
def test_every_taxel_has_a_cell_of_its_own_near_its_place(positions, data):
    positions = np.array(positions)
    try:
        skin = TaxelMap.of(positions)
    except DataError as error:  # two nearer than a thousandth of the skin, or at one place
        assert "share a cell" in str(error)
        gaps = np.linalg.norm(positions[:, None] - positions[None], axis=2)
        gaps[np.diag_indices(len(gaps))] = np.inf
        extent = np.ptp(positions, axis=0).max()
        assert gaps.min() <= 2 * extent / 1000
        return
    x, y = skin.places(np.arange(len(positions)))
    assert len(set(zip(x.tolist(), y.tolist()))) == len(positions)
    assert (x.max() + 1, y.max() + 1) == skin.grid
    # what lies to the right or below by more than a cell has a larger x or y
    one = data.draw(st.integers(0, len(positions) - 1))
    pitch = np.ptp(positions[:, 0]) / max(skin.grid[0] - 1, 1) or 1
    right = positions[:, 0] > positions[one, 0] + 1.5 * pitch
    assert (x[right] > x[one]).all()


def test_whole_numbers_are_cells():
    skin = TaxelMap.of({4: (3, 1), 9: (5, 1), 2: (4, 4)})
    assert skin.grid == (3, 4)
    x, y = skin.places([9, 2, 4])
    assert (x.tolist(), y.tolist()) == ([2, 1, 0], [0, 3, 0])
    assert repr(skin) == "TaxelMap(3 taxels on 3 x 4 cells)"


def test_tables():
    rows = np.array([[7, 0.0, 0.0], [8, 1.0, 0.0]])
    np.testing.assert_array_equal(TaxelMap.of(rows).addresses, [7, 8])
    np.testing.assert_array_equal(TaxelMap.of(rows[:, 1:]).addresses, [0, 1])


def test_a_grid_of_ones_own():
    skin = TaxelMap.of([(0, 0), (10, 4), (5, 2)], grid=(5, 3))
    assert skin.cells.tolist() == [[0, 0], [4, 2], [2, 1]]
    with pytest.raises(DataError, match=r"taxels 0 and 1, .* share a cell of the grid of 2 x 1"):
        TaxelMap.of([(0, 0), (4, 0), (10, 0)], grid=(2, 1))


def test_values_are_those_of_the_cells():
    skin = TaxelMap.of({1: (0, 0), 5: (2, 1)})
    images = np.arange(2 * 2 * 3).reshape(2, 2, 3, 1)
    assert skin.values(images)[..., 0].tolist() == [[0, 5], [6, 11]]
    with pytest.raises(DataError, match="grid is 3 wide and 2 high"):
        skin.values(images.transpose(0, 2, 1, 3))


@pytest.mark.parametrize(
    "table, message",
    [
        ({1: (0, 0), 2: (0, 0)}, "taxels 1 and 2, .* share a cell .*: give each a place"),
        ({1: (0, 0), 2: (0, np.nan)}, "taxel 2 lies at"),
        ({-1: (0, 0)}, "row 0 has address -1"),
        (np.array([[1, 0, 0], [1, 2, 0]]), "address 1 is there twice"),
        (np.zeros((0, 2)), "at least one"),
        (np.zeros(4), r"the table has shape \(4,\)"),
        (np.array([["a", "b"]]), "positions are of <U1"),
    ],
)
def test_no_map(table, message):
    with pytest.raises(DataError, match=message):
        TaxelMap.of(table)


def test_unknown_taxels_are_named():
    skin = TaxelMap.of({3: (0, 0), 4: (1, 0), 5: (2, 0)})
    with pytest.raises(DataError, match=r"a.csv: event 1 is of taxel 6, .* are 3 to 5"):
        skin.places([3, 6], "a.csv")
    for wrong in ([-1], [3.5], [np.nan], [10**9]):
        with pytest.raises(DataError, match="the map does not have"):
            skin.places(wrong)
