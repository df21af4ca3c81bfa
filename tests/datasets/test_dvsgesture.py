"""AEDAT 3.1 files and DVS128 Gesture, written as the formats say."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_tactile.datasets import DVSGesture, open_dataset
from nengo_tactile.datasets.aedat import read_aedat
from nengo_tactile.errors import DataError
from nengo_tactile.events import check_events, make_events, spike_samples_of
from tests.support.damage import damaged
from tests.support.fake_formats import (
    AEDAT_HEADER,
    aedat_bytes,
    aedat_packet,
    aedat_word,
    gesture_members,
    random_events,
    write_folder,
    write_zip,
)


@pytest.mark.parametrize("n_events", [0, 1, 499])
def test_aedat_gives_back_what_was_written(n_events, rng):
    events = random_events(rng, n_events, 128, 128, 2**33)  # the clock goes round four times
    np.testing.assert_array_equal(read_aedat(aedat_bytes(events)), events)


def test_aedat_equals_tonic_s_reader_and_the_readme(rng, tmp_path):
    import tonic.io

    events = random_events(rng, 300, 128, 128)
    path = tmp_path / "a.aedat"
    path.write_bytes(aedat_bytes(events))
    # tonic.io.read_dvs_ibm of tonic 1.7 fails where it takes the header's parts
    version, start, _ = tonic.io.read_aedat_header_from_file(str(path))
    assert start == len(AEDAT_HEADER)
    theirs = tonic.io.get_aer_events_from_file(str(path), version, start)
    ours = read_aedat(path.read_bytes())
    data = theirs["address"]  # as the set's README takes it apart
    assert ours["x"].tolist() == (data >> 17 & 0x1FFF).tolist()
    assert ours["y"].tolist() == (data >> 2 & 0x1FFF).tolist()
    assert ours["p"].tolist() == (data >> 1 & 1).tolist()
    assert ours["t"].tolist() == theirs["timeStamp"].tolist()


def test_aedat_skips_other_packets_and_invalid_events(rng):
    events = random_events(rng, 20, 128, 128)
    words = [aedat_word(event, valid=index % 3 != 0) for index, event in enumerate(events)]
    content = (
        AEDAT_HEADER
        + aedat_packet([(7, -3)] * 4, kind=0)
        + aedat_packet(words[:9])
        + aedat_packet([], kind=2, size=36)
        + aedat_packet([])
        + aedat_packet(words[9:])
    )
    np.testing.assert_array_equal(read_aedat(content), events[np.arange(20) % 3 != 0])


def test_aedat_is_sorted_by_time(rng):
    events = random_events(rng, 20, 128, 128)
    events["t"] = np.arange(20) * 5
    later = [aedat_word(event) for event in events[10:]]
    earlier = [aedat_word(event) for event in events[:10]]
    content = AEDAT_HEADER + aedat_packet(later) + aedat_packet(earlier)
    np.testing.assert_array_equal(read_aedat(content), events)


EVENT = make_events([5], [6], [7], [1])[0]
START = len(AEDAT_HEADER)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "begins with '', wanted '#!AER-DAT3.1'"),
        (b"#!AER-DAT2.0\r\n" + AEDAT_HEADER[14:], "begins with '#!AER-DAT2.0"),
        (AEDAT_HEADER[:60], "no line '#!END-HEADER'.*truncated"),
        (AEDAT_HEADER[:-16], "no line '#!END-HEADER'"),
        (AEDAT_HEADER[:14] + aedat_packet([aedat_word(EVENT)]), "no line '#!END-HEADER'"),
        (
            aedat_bytes([EVENT])[:-1],
            f"within the packet at byte {START}, which goes to {START + 36}: .*trunc",
        ),
        (aedat_bytes([EVENT])[:-9], f"within the packet header at byte {START}: .*trunc"),
        (AEDAT_HEADER + aedat_packet([aedat_word(EVENT)], size=9), "1 of 1 events of 9 bytes"),
        (AEDAT_HEADER + aedat_packet([], kind=2, size=0), "events of 0 bytes"),
        (AEDAT_HEADER + aedat_packet([], kind=-1), "type -1"),
        (AEDAT_HEADER + aedat_packet([], overflow=-1), "overflow -1"),
        (AEDAT_HEADER + aedat_packet([(1, -7)]), f"packet at byte {START} has negative times"),
        (AEDAT_HEADER + aedat_packet([(128 << 17 | 1, 3)]), "event 0 has x = 128"),
        (AEDAT_HEADER + aedat_packet([(200 << 2 | 1, 3)]), "event 0 has y = 200"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_damaged_aedat_is_refused(content, part):
    with pytest.raises(DataError, match=rf"(?s)a\.aedat.*{part}"):
        read_aedat(content, source="a.aedat")


@given(st.data())
@settings(max_examples=150)
def test_mutated_aedat_is_read_or_refused(data):
    whole = aedat_bytes(random_events(np.random.default_rng(0), 30, 128, 128), 10)
    content = damaged(data, whole, cut=False)[: data.draw(st.integers(0, len(whole)))]
    try:
        events = read_aedat(content, source="a.aedat")
    except DataError as error:
        assert "a.aedat" in str(error)
        return
    check_events(events, DVSGesture.sensor_size)


@pytest.fixture
def gestures(rng, tmp_path):
    members, trials = gesture_members(rng)
    return write_folder(tmp_path / "DvsGesture", members), trials


@pytest.mark.parametrize("form", ["folder", "above", "zip"])
@pytest.mark.parametrize(("split", "subjects"), [("train", {1, 23}), ("test", {24, 29})])
def test_samples_are_the_labelled_intervals(form, split, subjects, rng, tmp_path):
    members, trials = gesture_members(rng)
    if form == "zip":
        members = {f"DvsGesture/{name}": content for name, content in members.items()}
        path = write_zip(tmp_path / "any.zip", members)
    else:
        path = write_folder(tmp_path / "DvsGesture", members)
    dataset = DVSGesture(tmp_path if form == "above" else path, split=split)
    assert len(dataset) == 4 * 12
    assert set(dataset.writers) == subjects
    wanted = []
    listing = next(name for name in members if name.endswith(f"trials_to_{split}.txt"))
    for name in members[listing].decode().split():
        events, rows = trials[name]
        wanted += [(name, events, *row) for row in rows]
    for index, (name, recorded, number, start, end) in enumerate(wanted):
        events, label = dataset[index]
        assert label == number - 1
        assert dataset.trials[index].endswith(name)
        assert f"user{dataset.writers[index]:02}_" in name
        assert dataset.durations_us[index] == end - start
        inside = [e for e in recorded.tolist() if start <= e[2] < end]
        assert events.tolist() == [(x, y, t - start, p) for x, y, t, p in inside]
        check_events(events, dataset.sensor_size)


def test_samples_may_be_read_in_any_order_and_changed(gestures):
    folder, _ = gestures
    dataset = DVSGesture(folder)
    in_order = [events.copy() for events, _ in dataset]
    for index in (40, 3, 41, 3):
        events, _ = dataset[index]
        np.testing.assert_array_equal(events, in_order[index])
        events["t"] = 0  # of the caller alone
    again = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(again[3][0], in_order[3])


def test_a_trial_is_decoded_once_for_its_samples(gestures, monkeypatch):
    folder, _ = gestures
    reads = []

    def read(content, sensor_size, source):
        reads.append(source)
        return read_aedat(content, sensor_size, source)

    monkeypatch.setattr("nengo_tactile.datasets.dvsgesture.read_aedat", read)
    dataset = DVSGesture(folder)
    samples = spike_samples_of(dataset, 1000, durations_us=dataset.durations_us)
    assert len(reads) == len(set(reads)) == 4
    assert samples.lengths.tolist() == [-(-d // 1000) for d in dataset.durations_us.tolist()]


def test_random_stretches_train_and_the_beginning_tests(gestures, rng):
    folder, _ = gestures
    dataset = open_dataset("dvs-gesture", data_dir=folder)
    samples = spike_samples_of(dataset, 1000, durations_us=dataset.durations_us)
    starts = samples.random_starts([7], 100, rng)
    stretch = samples.dense([7], starts, 100)[0]
    wanted = np.zeros((100, 128, 128, 2))
    for x, y, t, p in dataset[7][0].tolist():
        if 0 <= t // 1000 - starts[0] < 100:
            wanted[t // 1000 - starts[0], y, x, int(p)] = 1
    np.testing.assert_array_equal(stretch, wanted)
    first = spike_samples_of(dataset, 1000, 150, late="drop")
    assert first.dense([7]).shape[1] == 150
    np.testing.assert_array_equal(first.dense([7]), samples.dense([7], n_steps=150))


def edit(name, change):
    def apply(folder):
        path = folder / name
        path.write_bytes(change(path.read_bytes()))

    return apply


CSV, AEDAT, LIST = "user01_led_labels.csv", "user01_led.aedat", "trials_to_train.txt"


def row(number, text):
    """Replace a row of a csv, the header being row 0."""

    def change(content):
        lines = content.decode().splitlines()
        return "\n".join([*lines[:number], text, *lines[number + 1 :]]).encode()

    return change


@pytest.mark.parametrize(
    ("apply", "part"),
    [
        (edit(CSV, row(0, "label,start,end")), rf"{CSV} begins with .*wanted class,startTime"),
        (edit(CSV, lambda content: b""), rf"{CSV} begins with \[\]"),
        (edit(CSV, lambda content: content.splitlines()[0]), f"{CSV} holds no gestures"),
        (edit(CSV, lambda content: b"\xff" + content), f"{CSV} is no plain text"),
        (edit(CSV, row(3, "12,1,2")), f"{CSV}, row 3 has class 12, wanted 1 to 11"),
        (edit(CSV, row(3, "0,1,2")), f"{CSV}, row 3 has class 0"),
        (edit(CSV, row(2, "1,2")), rf"{CSV}, row 2 is \['1', '2'\], wanted three whole"),
        (edit(CSV, row(2, "1,2,3.5")), f"{CSV}, row 2 is"),
        (edit(CSV, row(2, "1,-2,3")), f"{CSV}, row 2 is"),
        (edit(CSV, row(5, "1,7,7")), f"{CSV}, row 5 goes from 7 to 7"),
        (lambda folder: (folder / CSV).unlink(), f"{CSV} is missing, though {LIST} lists"),
        (lambda folder: (folder / AEDAT).unlink(), f"{AEDAT} is missing"),
        (edit(LIST, lambda c: c + b"user24_led.aedat"), f"{LIST} .*of train are 1 to 23"),
        (edit(LIST, lambda c: c + b"user1.aedat"), f"{LIST} lists 'user1.aedat', wanted"),
        (edit(LIST, lambda c: c + b"../user01_led.aedat"), f"{LIST} lists '../user01"),
        (edit(LIST, lambda c: c + c), f"{LIST} lists 8 trials, 4 of them different"),
        (edit(LIST, lambda c: b""), f"{LIST} lists 0 trials"),
    ],
)
def test_contradicting_sets_are_refused(apply, part, gestures):
    folder, _ = gestures
    apply(folder)
    with pytest.raises(DataError, match=f"(?s){part}"):
        DVSGesture(folder)
    assert len(DVSGesture(folder, split="test")) == 48


@pytest.mark.parametrize(
    ("apply", "index", "part"),
    [
        (edit(AEDAT, lambda c: c[:-1]), 0, f"{AEDAT} ends at byte .* truncated"),
        (edit(AEDAT, lambda c: b"#!AER-DAT2.0" + c[12:]), 0, f"{AEDAT} begins with"),
        (
            edit(CSV, row(12, "5,82750000,90000000")),
            11,
            f"{AEDAT} ends at 8.* but {CSV} has a gesture from 82750000 to 90000000 us",
        ),
        (edit(CSV, row(1, "5,100,200")), 0, f"{AEDAT} has no events from 100 to 200 us"),
        (edit(AEDAT, lambda c: AEDAT_HEADER), 0, f"{AEDAT} ends at 0 us"),
    ],
)
def test_recordings_that_do_not_fit_are_refused_when_read(apply, index, part, gestures):
    folder, _ = gestures
    apply(folder)
    dataset = DVSGesture(folder)
    with pytest.raises(DataError, match=f"(?s){part}"):
        _ = dataset[index]
    assert len(dataset[12][0])  # of the next trial


def test_missing_sets_name_the_archive(tmp_path):
    with pytest.raises(DataError, match=r"(?s)DVS128 Gesture \(train\) .*DvsGesture\.tar\.gz"):
        DVSGesture(tmp_path)
    with pytest.raises(DataError, match="'all'"):
        DVSGesture(tmp_path, split="all")
    with pytest.raises(DataError, match=r"holds 0 files trials_to_train\.txt"):
        DVSGesture(write_zip(tmp_path / "a.zip", {"a.aedat": b""}))


def test_it_is_recognised_by_path(rng, tmp_path):
    members, _ = gesture_members(rng, per_trial=3, n_events=60)
    folder = write_folder(tmp_path / "anything", members)
    assert isinstance(open_dataset(folder), DVSGesture)
    assert isinstance(open_dataset(write_zip(tmp_path / "b.zip", members), "test"), DVSGesture)
