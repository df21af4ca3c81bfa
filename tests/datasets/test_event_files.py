"""Files of events in all formats: the same events, part by part; bad columns named."""

import io

import h5py
import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_tactile.datasets import event_tables, read_events, stream_events
from nengo_tactile.errors import DataError
from tests.support.fake_formats import random_events

SAID = {"sensor_size": (10, 10), "time_unit": "us", "repeats": "keep"}
NAMES = ("t", "x", "y", "p")


def columns(events):
    return {name: events[name].astype(np.int64) for name in NAMES}


def text(events, delimiter=",", names="t,x,y,p", ending="\n"):
    rows = [delimiter.join(str(int(e[name])) for name in NAMES) for e in events]
    return ending.join([*([names.replace(",", delimiter)] if names else []), *rows, ""])


def write(path, events):
    """Write events in the format of the ending, as people do."""
    table = columns(events)
    if path.suffix in (".csv", ".txt", ".tsv"):
        path.write_text(text(events, {".csv": ",", ".txt": " ", ".tsv": "\t"}[path.suffix]))
    elif path.suffix == ".npy":
        np.save(path, events)
    elif path.suffix == ".npz":
        np.savez_compressed(path, **table)
    elif path.suffix == ".mat":
        scipy.io.savemat(path, table)
    else:
        with h5py.File(path, "w") as file:
            for name, values in table.items():
                file.create_dataset(
                    f"events/{name}",
                    data=values,
                    chunks=(min(64, len(values)),),
                    compression="gzip",
                )


ENDINGS = (".csv", ".txt", ".tsv", ".npy", ".npz", ".mat", ".h5", ".hdf5")


@pytest.mark.parametrize("ending", ENDINGS)
def test_formats_hold_the_same(ending, rng, tmp_path):
    events = random_events(rng, 300)
    write(tmp_path / f"one{ending}", events)
    np.testing.assert_array_equal(read_events(tmp_path / f"one{ending}", **SAID), events)


@pytest.mark.parametrize("ending", [".csv", ".npy", ".npz", ".h5"])
def test_parts_are_the_whole(ending, rng, tmp_path, monkeypatch):
    events = random_events(rng, 500)
    write(tmp_path / f"one{ending}", events)
    monkeypatch.setattr(event_tables, "ROWS", 64)
    monkeypatch.setattr(event_tables, "_BLOCK", 700)
    monkeypatch.setattr(event_tables, "_WORTH", 0)
    parts = list(stream_events(tmp_path / f"one{ending}", **SAID))
    assert len(parts) > 5
    np.testing.assert_array_equal(np.concatenate(parts), events)


def test_columns_that_end_early_and_damage_later_on(tmp_path, monkeypatch):
    monkeypatch.setattr(event_tables, "ROWS", 64)
    columns = {name: np.zeros(500, np.int64) for name in "xytp"}
    np.savez_compressed(tmp_path / "short.npz", **columns | {"y": np.zeros(128, int)})
    with pytest.raises(DataError, match=r"short\.npz: 'y' is shorter than other columns"):
        read_events(tmp_path / "short.npz", **SAID)
    np.savez(tmp_path / "late.npz", **columns)
    content = bytearray((tmp_path / "late.npz").read_bytes())
    content[content.index(b"\x93NUMPY") + 128 + 8 * 300] = 7  # of "x": a number as good as others
    (tmp_path / "late.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"late\.npz: array 'x':? is damaged"):
        read_events(tmp_path / "late.npz", **SAID)


def test_chunks_are_unpacked_once(tmp_path, monkeypatch):
    """Parts are whole chunks, of whatever size."""
    monkeypatch.setattr(event_tables, "ROWS", 64)
    for chunk, wanted in ((10, [60] * 5), (64, [64] * 4 + [44]), (150, [150] * 2)):
        with h5py.File(tmp_path / "one.h5", "w") as file:
            for name in "xytp":
                file.create_dataset(name, data=np.zeros(300, int), chunks=(chunk,), compression=1)
        assert [len(part) for part in stream_events(tmp_path / "one.h5", **SAID)] == wanted


TEXTS = st.lists(
    st.lists(
        st.integers(-(10**6), 10**17).map(str)
        | st.floats(-1e6, 1e6).map(repr)
        | st.floats(-1e30, 1e30).map(lambda v: f"{v:.5e}")
        | st.sampled_from(["+1", "1.", ".5", "-0", "1E3", "1e-25", "00012", "nan", "x", "", "1 2"]),
        min_size=3,
        max_size=3,
    ),
    min_size=1,
    max_size=4,
)


@given(
    TEXTS, st.sampled_from([",", " ", "\t", " , ", ";"]), st.sampled_from(["\n", "\r\n", " # a\n"])
)
@settings(max_examples=300, deadline=None)
def test_compiled_text_is_numpys(rows, between, ending):
    """What the kernel takes, it reads to the last bit as NumPy; what it leaves, NumPy judges."""
    content = "".join(between.join(row) + ending for row in rows).encode()
    delimiter = between.strip(" ") or None
    values = event_tables._plain(content, delimiter, [2, 0], 3)
    if values is None:
        return
    found = np.loadtxt(content.decode().splitlines(), delimiter=delimiter, ndmin=2)
    np.testing.assert_array_equal(values, found[:, [2, 0]])


def test_plain_text_is_taken(rng):
    events = random_events(rng, 50)
    for content in (text(events, names=""), text(events, " ", ""), text(events, ", ", "", "\r\n")):
        delimiter = "," if "," in content else None
        assert event_tables._plain(content.encode(), delimiter, [0], 4) is not None
    assert event_tables._plain(b"0.125,-2e3,1\n", ",", [0, 1, 2], 3).tolist() == [[0.125, -2000, 1]]


def test_a_fall_between_parts_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(event_tables, "ROWS", 3)
    t = [0, 1, 2, 1, 5, 6]
    np.save(tmp_path / "a.npy", np.c_[t, np.zeros((6, 3), int)])
    with pytest.raises(DataError, match=r"a.npy: event 3 has t = 1 us after 2"):
        read_events(tmp_path / "a.npy", columns=NAMES, **SAID)


@pytest.mark.parametrize("value", [";", " ", "\t", "   "])
def test_delimiters(value, rng, tmp_path):
    events = random_events(rng, 40)
    (tmp_path / "a.txt").write_text("# made by hand\n\n" + text(events, value))
    np.testing.assert_array_equal(read_events(tmp_path / "a.txt", **SAID), events)


def test_text_as_people_write_it(rng, tmp_path):
    events, path = random_events(rng, 40), tmp_path / "a.csv"
    for content in (
        text(events, ", "),
        text(events, ending="\r\n"),
        "\ufeff" + text(events),
        text(events).rstrip("\n"),
        text(events).replace("t,x", '"t","x"', 1),
        text(events) + "# the end\n\n",
    ):
        path.write_text(content, newline="")
        np.testing.assert_array_equal(read_events(path, **SAID), events)
    path.write_text(text(events, names=""))
    np.testing.assert_array_equal(read_events(path, columns=NAMES, **SAID), events)
    path.write_text("# nothing yet\n")
    assert len(read_events(path, **SAID)) == 0
    path.write_text("t,x,y,p\n")
    assert len(read_events(path, **SAID)) == 0


def test_other_names_other_units(rng, tmp_path):
    events = random_events(rng, 60)
    table = columns(events)
    rows = np.c_[table["t"] / 1e6, table["y"], table["x"], np.where(table["p"], 1, -1), table["t"]]
    for name, header in (("a.csv", "sec,row,col,sign,more"),):
        np.savetxt(tmp_path / name, rows, delimiter=",", header=header, comments="")
    theirs = {"t": "sec", "y": "row", "x": "col", "p": "sign"}
    options = {"time_unit": "s", "polarity": "-1/1", "repeats": "keep", "sensor_size": (10, 10)}
    np.testing.assert_array_equal(
        read_events(tmp_path / "a.csv", columns=theirs, **options), events
    )
    np.savetxt(tmp_path / "b.csv", rows, delimiter=",")
    order = ("t", "y", "x", "p", None)
    np.testing.assert_array_equal(read_events(tmp_path / "b.csv", columns=order, **options), events)


def test_one_polarity_needs_no_column(tmp_path):
    (tmp_path / "a.csv").write_text("t,x,y\n0,1,2\n3,4,5\n")
    events = read_events(tmp_path / "a.csv", sensor_size=(10, 10, 1), time_unit="us")
    assert events["p"].all()
    with pytest.raises(DataError, match=r"no column 'p' for p.*or sensor_size=\(width, height, 1"):
        read_events(tmp_path / "a.csv", **SAID)


def test_times_from_the_first(tmp_path):
    start = 1_700_000_000_000_000_000  # nanoseconds since 1970
    t = start + np.array([0, 2000, 7000])
    np.savez(tmp_path / "a.npz", t=t, x=[0, 1, 2], y=[0, 0, 0], p=[1, 1, 0])
    options = {"sensor_size": (10, 10), "time_unit": "ns"}
    events = read_events(tmp_path / "a.npz", from_first=True, **options)
    assert events["t"].tolist() == [0, 2, 7]
    with pytest.raises(DataError, match="since 1970"):
        read_events(tmp_path / "a.npz", **options)


@pytest.mark.parametrize("parts", [1000, 2])
def test_two_events_at_one_place_and_time(parts, tmp_path, monkeypatch):
    monkeypatch.setattr(event_tables, "ROWS", parts)
    rows = np.array([[0, 1, 1, 1], [5, 2, 2, 1], [5, 3, 2, 1], [5, 2, 2, 0], [9, 2, 2, 0]])
    np.save(tmp_path / "a.npy", rows)
    options = {"columns": NAMES, **SAID}
    with pytest.raises(DataError, match=r"is the second at x = 2, y = 2 and t = 5 us.*'drop'"):
        read_events(tmp_path / "a.npy", **options | {"repeats": "error"})
    kept = read_events(tmp_path / "a.npy", **options)
    assert kept["t"].tolist() == [0, 5, 5, 5, 9]
    dropped = read_events(tmp_path / "a.npy", **options | {"repeats": "drop"})
    assert dropped["x"].tolist() == [1, 2, 3, 2]
    assert dropped["p"].tolist() == [True, True, True, False]
    with pytest.raises(DataError, match="repeats is 'merge'"):
        read_events(tmp_path / "a.npy", **options | {"repeats": "merge"})


def test_taxels(tmp_path):
    (tmp_path / "a.csv").write_text("t,taxel,p\n0,7,1\n4,3,0\n")
    said = {"time_unit": "ms", "taxels": {3: (0, 0), 7: (2, 1)}}
    events = read_events(tmp_path / "a.csv", **said)
    assert [(e["x"], e["y"]) for e in events] == [(2, 1), (0, 0)]
    with pytest.raises(DataError, match=r"event 0 is of taxel 7\.0, which the map does not have"):
        read_events(tmp_path / "a.csv", **said | {"taxels": {3: (0, 0), 4: (2, 1)}})
    with pytest.raises(DataError, match="or give taxels=, where each taxel lies"):
        read_events(tmp_path / "a.csv", **SAID)
    with pytest.raises(DataError, match="the taxel map's grid is 3 x 2"):
        read_events(tmp_path / "a.csv", sensor_size=(3, 3), **said)


BAD = {
    "word": ("t,x,y,p\n0,1,1,1\n1,one,1,1\n", "could not convert string 'one'.*numbers"),
    "true": ("t,x,y,p\n0,1,1,True\n", "polarities as two whole numbers"),
    "comma": ("t;x;y;p\n0,5;1;1;1\n", "with a point"),
    "ragged": ("t,x,y,p\n0,1,1,1\n1,1,1\n", "columns"),
    "wider": ("t,x,y,p\n0,1,1,1,5\n1,1,1,1,5\n", "have 5 columns, the first has 4"),
    "names": ("time,x,y,p\n0,1,1,1\n", "no column 't' for t, but time, x, y, p"),
    "twice": ("t,x,x,y,p\n0,1,1,1,1\n", "two columns are called 'x'"),
    "nameless": ("0,1,1,1\n", r"4 columns have no names.*columns=\('x', 'y', 't', 'p'\)"),
    "fraction": ("t,x,y,p\n0,1.5,1,1\n", "x = 1.5"),
    "outside": ("t,x,y,p\n0,1,10,1\n", "y = 10.0: this sensor has y from 0 to 9"),
    "polarity": ("t,x,y,p\n0,1,1,-1\n0,1,2,1\n", "found -1 and 1"),
    "nan": ("t,x,y,p\nnan,1,1,1\n", "without a time"),
    "binary": ("\x00\x01\x02", "columns have no names|no column|is no text"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_text_is_named(name, tmp_path):
    content, message = BAD[name]
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(DataError, match=f"(?s)a.csv.*({message})"):
        read_events(tmp_path / "a.csv", **SAID)


def test_bad_arrays_are_named(tmp_path):
    four = np.zeros((2, 4), int)
    for name, array, options, message in (
        ("a.npy", four, {}, "4 columns have no names"),
        ("a.npy", four, {"columns": ("t", "x", "y")}, r"has 4 columns, columns=.* says 3"),
        ("a.npy", four.astype("U3"), {"columns": NAMES}, "is of type <U3"),
        ("a.npy", np.zeros(3), {"columns": NAMES}, r"shape \(3,\): give one with fields"),
    ):
        np.save(tmp_path / name, array)
        with pytest.raises(DataError, match=f"a.npy: .*{message}"):
            read_events(tmp_path / name, **SAID | options)
    np.savez(tmp_path / "a.npz", t=[0, 1], x=[0, 1, 2], y=[0, 1], p=[0, 1])
    with pytest.raises(DataError, match=r"columns have shapes .*'x': \(3,\)"):
        read_events(tmp_path / "a.npz", **SAID)
    content = io.BytesIO()
    scipy.io.savemat(content, {"t": [0, 1], "x": {"a": 1}, "y": [0, 1], "p": [0, 1]})
    (tmp_path / "a.mat").write_bytes(content.getvalue())
    with pytest.raises(DataError, match="'x' is of class struct"):
        read_events(tmp_path / "a.mat", **SAID)
    with pytest.raises(DataError, match="files of events end in"):
        read_events(tmp_path / "a.bin", **SAID)
    with pytest.raises(DataError, match=r"columns is \('t', 'z'\)"):
        read_events(tmp_path / "a.npy", columns=("t", "z"), **SAID)
    with pytest.raises(DataError, match=r"sensor_size is \(3,\)"):
        read_events(tmp_path / "a.npy", sensor_size=(3,))
    with pytest.raises(DataError, match="1 or 2 polarities"):
        read_events(tmp_path / "a.npy", sensor_size=(3, 3, 3))


def test_hdf5_places(rng, tmp_path):
    events, path = random_events(rng, 50), tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["CD/events"] = events
        file["CD/indexes"] = np.zeros(4)
    np.testing.assert_array_equal(read_events(path, **SAID), events)
    theirs = {name: f"CD/events/{name}" for name in NAMES}
    np.testing.assert_array_equal(read_events(path, columns=theirs, **SAID), events)
    with pytest.raises(DataError, match=r"no array 'CD/events/q' for x.*columns=\{'x'"):
        read_events(path, columns={**theirs, "x": "CD/events/q"}, **SAID)
    with h5py.File(path, "a") as file:
        file["left/events"] = events
    with pytest.raises(DataError, match="'CD/events/' and 'left/events/' has the columns"):
        read_events(path, **SAID)


def test_hdf5_that_points_elsewhere_is_refused(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["t"] = np.arange(3)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["t"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/t")
        for name in "xyp":
            file[name] = np.zeros(3, int)
    with pytest.raises(DataError, match="a link to another place or file, which is never followed"):
        read_events(tmp_path / "a.h5", **SAID)


def test_metavisions_codec_is_named(tmp_path):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((10,))
    plist.set_filter(36559, h5py.h5z.FLAG_OPTIONAL, (1,))
    kind = h5py.h5t.py_create(np.dtype([("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")]))
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        place = file.create_group("CD").id
        h5py.h5d.create(place, b"events", kind, h5py.h5s.create_simple((10,)), plist)
    with pytest.raises(DataError, match=r"Metavision's own codec .* convert it to RAW"):
        read_events(tmp_path / "a.hdf5", **SAID)


def test_gzipped_chunks_are_unpacked_as_hdf5_does(rng, tmp_path):
    """Whatever the type, the filters, the length, and chunks that were never written."""
    from nengo_tactile.doors import hdf5
    from nengo_tactile.doors.plain import DATA

    values = rng.integers(-(10**6), 10**6, 1000)
    with h5py.File(tmp_path / "all.h5", "w") as file:
        for kind in ("<i8", ">i4", "<u2", "<f4", ">f8"):
            for name, options in (
                ("plain", {}),
                ("shuffled", {"shuffle": True}),
                ("summed", {"fletcher32": True}),
            ):
                data = values.astype(kind)
                file.create_dataset(
                    f"{kind}{name}", data=data, chunks=(64,), compression="gzip", **options
                )
        holes = file.create_dataset("holes", (1000,), "i8", chunks=(64,), compression="gzip")
        holes[:100] = values[:100]
        names = list(file)
    with h5py.File(tmp_path / "all.h5") as theirs, hdf5.opened(tmp_path / "all.h5", DATA) as ours:
        for name in names:
            for n_rows in (64, 640, 100):
                parts = list(ours.rows(name, n_rows))
                np.testing.assert_array_equal(np.concatenate(parts), theirs[name][()], name)
                assert len(parts) == -(-1000 // n_rows)
