"""Braille: files in the published form, split by repetition, nothing unpickled."""

import pickle

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile.ann.notation import parse
from nengo_tactile.datasets import Braille
from nengo_tactile.errors import DataError
from nengo_tactile.papers.spikemax.plan import SETTINGS
from tests.support.fake_formats import DOTS, braille_samples, write_zip
from tests.support.scripts import load


@pytest.fixture(scope="module")
def samples():
    return braille_samples(np.random.default_rng(0), repetitions=20, threshold=5)


def write(folder, samples, name="data_braille_letters_th_5.pkl", protocol=4):
    (folder / name).write_bytes(pickle.dumps(samples, protocol))
    return folder


def events_of(sample):
    """By the form's words: for each taxel ON times, then OFF times."""
    return sorted(
        (round(time * 1e6), taxel, on)
        for taxel, (rises, falls) in enumerate(sample["events"])
        for on, times in ((True, rises), (False, falls))
        for time in times
    )


def test_each_sample_once_in_fixed_tenths(samples, tmp_path):
    write(tmp_path, samples)
    seen = []
    for split, tenths in (("train", range(7)), ("validation", [7]), ("test", [8, 9])):
        data = Braille(tmp_path, threshold=5, split=split)
        assert set(data.repetitions % 10) == set(tenths)
        assert len(data) == len(DOTS) * 2 * len(tenths)
        for index, row in enumerate(data._rows):
            events, label = data[index]
            assert data.classes[label] == samples[row]["letter"]
            found = sorted((int(e["t"]), int(e["x"]), bool(e["p"])) for e in events)
            assert found == events_of(samples[row])
        seen += data._rows.tolist()
    assert sorted(seen) == list(range(len(samples)))
    assert len(Braille(tmp_path, threshold=5, split="all")) == len(samples)


def test_forms_of_the_file_are_the_same(samples, tmp_path):
    wanted = [data for data, _ in Braille(write(tmp_path, samples), 5)]
    places = {name: tmp_path / name for name in ("old", "columns", "zip", "arrays")}
    for place in places.values():
        place.mkdir()
    write(places["old"], samples, "data_braille_letters_th5", protocol=2)
    columns = {name: [s[name] for s in samples] for name in ("letter", "events")}
    write(places["columns"], columns)
    write_zip(
        places["zip"] / "reading_braille_data.zip",
        {f"data/data_braille_letters_th_{t}.pkl": pickle.dumps(samples) for t in (1, 5)},
    )
    write(places["arrays"], samples)
    load("tools/braille_arrays.py").main([str(places["arrays"] / "data_braille_letters_th_5.pkl")])
    (places["arrays"] / "data_braille_letters_th_5.pkl").unlink()
    for place in places.values():
        found = [events for events, _ in Braille(place, 5)]
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted):
            assert sorted(one.tolist()) == sorted(other.tolist())
            np.testing.assert_array_equal(one["t"], other["t"])


def test_a_table_of_pandas_is_refused_and_converted(samples, tmp_path):
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    path = tmp_path / "data_braille_letters_th_5.pkl"
    pandas.DataFrame(samples).to_pickle(path)
    with pytest.raises(DataError, match=r"running code.*tools/braille_arrays.py"):
        Braille(tmp_path, 5)
    load("tools/braille_arrays.py").main([str(path)])
    assert len(Braille(tmp_path, 5)) == 0.7 * len(samples)


def test_the_slayer_setting_fits(samples, tmp_path):
    data, setting = Braille(write(tmp_path, samples), 5), SETTINGS["braille"]
    x = setting.layout.batch(data)
    assert x.shape == (24,)
    shape, layers = parse(setting.network)
    assert tuple(shape) == setting.layout.shape
    assert layers[-1].units == len(data.classes)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda s: s[3].update(letter="Ä"), "sample 3 is of letter 'Ä'"),
        (lambda s: s[3].update(letter=4), "sample 3 is of letter a int"),
        (lambda s: s[3]["events"].pop(), "sample 3: has 11 taxels"),
        (lambda s: s[3]["events"][2].pop(), "taxel 2 has no two lists"),
        (lambda s: s[3]["events"][2][0].append("x"), "taxel 2 has no two lists"),
        (lambda s: s[3]["events"][2][0].append(float("nan")), "is at nan s"),
        (lambda s: s[3]["events"][2][0].append(1.3), r"is at 1.3 s, wanted 0 to 1.275 s"),
        (lambda s: s[3]["events"][2][0].append(10**400), "no number of seconds"),
        (lambda s: s[3].pop("letter"), "holds no list of samples"),
        (lambda s: s.clear(), "has 0 samples, none of them for all"),
    ],
)
def test_damage_is_named(samples, change, message, tmp_path):
    changed = pickle.loads(pickle.dumps(samples[:5]))
    change(changed)
    write(tmp_path, changed)
    with pytest.raises(DataError, match=f"(?s)data_braille_letters_th_5.pkl.*{message}"):
        list(Braille(tmp_path, 5, "all").recordings())


def test_what_is_not_there(samples, tmp_path):
    write(tmp_path, samples[:5])
    with pytest.raises(DataError, match=r"none of them for validation"):
        Braille(tmp_path, 5, "validation")
    with pytest.raises(DataError, match=r"threshold is 3, wanted one of \(1, 2, 5, 10\)"):
        Braille(tmp_path, 3)
    with pytest.raises(DataError, match=r"put reading_braille_data.zip of Zenodo"):
        Braille(tmp_path, 10)
    with pytest.raises(DataError, match="split is 'dev'"):
        Braille(tmp_path, 5, "dev")


def test_events_tell_the_letters(samples, tmp_path):
    """Counts by taxel and the nearest mean."""
    write(tmp_path, samples)
    image = nt.events.TactileImage((12, 1, 2), duration_us=Braille.duration_us, normalise="none")
    train, test = (Braille(tmp_path, 5, split) for split in ("train", "test"))
    x, x_test = image.batch(train), image.batch(test)
    labels = np.unique(train.targets)
    means = np.stack([x[train.targets == label].mean(axis=0) for label in labels])
    nearest = ((x_test[:, None] - means) ** 2).sum(axis=(2, 3, 4)).argmin(axis=1)
    assert (labels[nearest] == test.targets).mean() > 0.9
