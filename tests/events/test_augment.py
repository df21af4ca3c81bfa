"""Augmentation: what happens to events, by hand and beside tonic; seeds, and what is refused."""

import numpy as np
import pytest
import tonic

import nengo_tactile as nt
from nengo_tactile.errors import DataError
from nengo_tactile.events import (
    Augmentation,
    Disturbance,
    Seeded,
    TaxelMap,
    augmented_epochs,
    disturb,
    make_events,
)

SIZE = (6, 5, 2)


def recording(n=400, seed=0):
    rng = np.random.default_rng(seed)
    return make_events(
        rng.integers(0, 6, n), rng.integers(0, 5, n), np.sort(rng.integers(0, 10_000, n)),
        rng.integers(0, 2, n), sensor_size=SIZE,
    )  # fmt: skip


def rows(events):
    return sorted(events.tolist())


def test_dropped_events_are_as_many_as_tonics():
    events, rng = recording(), np.random.default_rng(1)
    for share in (0.0, 0.3, 1.0):
        found = disturb.dropped(events, share, rng)
        assert len(found) == len(tonic.functional.drop_event_numpy(events, share))
        assert set(found.tolist()) <= set(events.tolist())
        assert (np.diff(found["t"]) >= 0).all()


def test_dead_taxels_send_nothing_and_others_all():
    events = recording()
    cells, _ = disturb.cells_of(SIZE)
    found = disturb.dead(events, 0.2, np.random.default_rng(1), cells)
    silent = {(x, y) for x, y, *_ in events.tolist()} - {(x, y) for x, y, *_ in found.tolist()}
    assert len(silent) == 6  # of 30
    kept = [e for e in events.tolist() if e[:2] not in silent]
    assert found.tolist() == kept


def test_noise_comes_on_top_everywhere():
    events, rng = recording(), np.random.default_rng(1)
    cells, _ = disturb.cells_of(SIZE)
    found = disturb.noise(events, cells[rng.integers(0, 30, 3000)], rng, 10_000)
    left = rows(found)
    for each in events.tolist():
        left.remove(each)
    added = np.array(left)
    assert len(added) == 3000 and (np.diff(found["t"]) >= 0).all()
    counts = np.bincount(added[:, 0] + 6 * added[:, 1], minlength=30)
    assert counts.min() > 60 and counts.max() < 150  # 100 each, SD 10
    assert abs(added[:, 3].mean() - 0.5) < 0.05 and abs(added[:, 2].mean() - 5000) < 250


def test_times():
    events, rng = recording(), np.random.default_rng(1)
    np.testing.assert_array_equal(
        disturb.stretched(events, 1.5)["t"], np.rint(events["t"] * 1.5).astype(int)
    )
    skewed = tonic.functional.time_skew_numpy(events.copy(), 2.0)
    np.testing.assert_array_equal(disturb.stretched(events, 2.0), skewed)
    late = disturb.late(events, 300.0, rng)
    assert (np.diff(late["t"]) >= 0).all() and late["t"].min() >= 0
    # which event is which does not show; sums of squares do
    spread = (late["t"] - events["t"].mean()).var() - events["t"].var()
    assert abs(spread) < 0.1 * events["t"].var()
    assert rows(late[["x", "y", "p"]]) == rows(events[["x", "y", "p"]])


def test_places_are_moved_by_hand():
    events = make_events([0, 2, 5], [1, 2, 4], [0, 1, 2], [1, 0, 1], sensor_size=SIZE)
    cells, places = disturb.cells_of(SIZE)
    found = disturb.moved(events, cells, places, np.array([1, -1]))
    assert found.tolist() == [(1, 0, 0, True), (3, 1, 1, False)]  # the last one left the skin
    # a half turn about the middle (2.5, 2)
    turned = disturb.moved(events, cells, places, degrees=180)
    assert turned.tolist() == [(5, 3, 0, True), (3, 2, 1, False), (0, 0, 2, True)]
    larger = disturb.moved(events, cells, places, scale=3.0)
    assert larger.tolist() == [(1, 2, 1, False)]


def test_places_move_through_the_taxel_map():
    """Taxels on a line, in an order of their own, become cells of a grid: the line counts."""
    cells = {0: (0, 0), 7: (1, 0), 3: (2, 0), 9: (3, 0)}
    skin = TaxelMap.of(cells)
    assert skin.grid == (4, 1)
    events = make_events([0, 1, 2], [0, 0, 0], [0, 1, 2], [1, 1, 1], sensor_size=(4, 1, 2))
    where = disturb.cells_of((4, 1, 2), skin)
    assert disturb.moved(events, *where, np.array([2.0, 0]))["x"].tolist() == [2, 3]
    with pytest.raises(DataError, match=r"grid is 4 x 1, the sensor 6 x 5"):
        Augmentation(Disturbance(), SIZE, taxels=skin)
    holes = TaxelMap.of({0: (0, 0), 1: (3, 0)}, grid=(4, 1))
    with pytest.raises(
        DataError, match=r"event 1 is at \(1, 0\), where the taxel map has no taxel"
    ):
        disturb.moved(events, *disturb.cells_of((4, 1, 2), holes), np.array([1.0, 0]))


MUCH = Disturbance(
    drop=0.5, dead=0.3, noise=0.5, noisy=0.1, jitter_us=200, jitter=0.3, shift=1, rotate=10,
    scale=0.1, stretch=0.2,
)  # fmt: skip


def test_the_seed_and_the_events_say_what_happens():
    one, two = recording(), recording(seed=1)
    change = Augmentation(MUCH, SIZE, seed=3, duration_us=12_000)
    first = [change(one), change(two)]
    again = [change(two), change(one)][::-1]
    for found, same in zip(first, again):
        np.testing.assert_array_equal(found, same)
    other = Augmentation(MUCH, SIZE, seed=4, duration_us=12_000)
    others = [change.of_round(1)(one), other(one), first[1]]
    assert all(len(o) != len(first[0]) or (o != first[0]).any() for o in others)
    for found in (*first, *others):
        assert found["t"].max() < 12_000 and (np.diff(found["t"]) >= 0).all()
        assert found["x"].max() < 6 and found["y"].max() < 5
    np.testing.assert_array_equal(one, recording())  # left as it was
    np.testing.assert_array_equal(Augmentation(Disturbance(), SIZE)(one), one)


def test_shares_are_drawn_evenly_up_to_the_most():
    change = Augmentation(Disturbance(drop=0.4), SIZE)
    lost = [1 - len(change.of_round(n)(recording())) / 400 for n in range(300)]
    assert abs(np.mean(lost) - 0.2) < 0.03 and max(lost) <= 0.4 and max(lost) > 0.38


def test_noisy_taxels_send_as_much_as_the_busiest():
    events = recording()
    found = Augmentation(Disturbance(noisy=1.0), SIZE)(events)
    before = np.bincount(events["x"] + 6 * events["y"].astype(int), minlength=30)
    after = np.bincount(found["x"] + 6 * found["y"].astype(int), minlength=30)
    assert set(after - before) <= {0, before.max()} and (after > before).any()


def test_data_sets_layouts_and_training_take_them():
    change = Augmentation(Disturbance(drop=0.5), (10, 10, 2), seed=1)
    plain = nt.datasets.ESkin(split="test", n_samples=3)
    data = nt.datasets.ESkin(split="test", n_samples=3, transform=change)
    for number in range(3):
        np.testing.assert_array_equal(data[number][0], change(plain[number][0]))
    image = nt.events.TactileImage((10, 10, 2), normalise="none")
    kept = [plain[n][0] for n in range(3)]
    epochs = augmented_epochs(kept, plain.targets, image, change)
    first, labels = epochs(0)
    np.testing.assert_array_equal(labels, plain.targets)
    assert first.sum() == sum(len(change(events)) for events in kept)
    assert first.sum() != epochs(1)[0].sum()
    np.testing.assert_array_equal(first, epochs(0)[0])


def test_slayer_trains_on_them_and_is_the_same_from_the_same_seed():
    data = nt.datasets.ESkin(n_samples=12)
    recipe = nt.slayer.Recipe(epochs=2, batch_size=6, learning_rate=0.02)
    fits = [
        nt.slayer.fit(
            "10x10x2-10o", data, recipe=recipe, augmentation=change, seed=1, progress=False
        )
        for change in (Disturbance(drop=0.5, shift=1), Disturbance(drop=0.5, shift=1), None)
    ]
    weights = [fit.graph.stages[0].links[0].map.kernel for fit in fits]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert (weights[0] != weights[2]).any()
    assert fits[0].card["augmentation"] == "Disturbance(drop=0.5, shift=1.0)"


def test_tonics_transforms_are_seeded():
    events = recording()
    change = Seeded(tonic.transforms.DropEvent(0.3), seed=1)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    found = change(events)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert len(found) == 280
    np.testing.assert_array_equal(found, change(events))
    assert (found != Seeded(tonic.transforms.DropEvent(0.3), seed=2)(events)).any()


def test_what_cannot_be():
    with pytest.raises(DataError, match=r"recording 1: .* left none of its 2 events .*drop=1.0"):
        few = make_events([0, 1], [0, 0], [0, 1], [1, 1], sensor_size=SIZE)
        nothing = make_events([], [], [], [], sensor_size=SIZE)
        change = Augmentation(Disturbance(drop=1.0, shift=9), SIZE, seed=2, duration_us=1)
        list(change.of_all([nothing, few]))
    for text, words in (
        ("drop", "'drop' is none"),
        ("drip=1", "'drip=1' is none: .*drop, dead"),
        ("drop=much", "'much' is no number"),
        ("drop=2", "drop is 2.0: give a number from 0 to at most 1"),
    ):
        with pytest.raises(DataError, match=words):
            Disturbance.parsed(text)
    assert Disturbance.parsed(" drop=0.2, shift=1,") == Disturbance(drop=0.2, shift=1.0)
