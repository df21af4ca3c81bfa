"""Files of cells: read whole, or refused by name."""

import json

import pytest

from nengo_tactile.errors import ModelFileError
from nengo_tactile.experiments.ledgers import Ledger, add, content_of, text_of
from nengo_tactile.experiments.studies import Study

STATE = {"n_done": 2, "hits": [1, 2], "share": 0.1, "layers": {"b": {"spikes": 3}, "a": {}}}


@pytest.fixture
def ledger(tmp_path):
    found = Ledger(Study(tmp_path, "toys"), "first")
    found.begin({"steps": 8}, {"data toys": "d1"})
    found.write(STATE)
    return found


def again(folder, name="toys", key="first", settings=None, data="d1"):
    ledger = Ledger(Study(folder, name), key)
    return ledger.begin(settings or {"steps": 8}, {"data toys": data}, {"fresh": True})


def test_what_was_written_comes_back_in_its_order(ledger, tmp_path):
    found = again(tmp_path)
    assert found == STATE and list(found["layers"]) == ["b", "a"]
    assert again(tmp_path, key="second") == {"fresh": True}


def test_another_byte_is_refused_by_name(ledger, tmp_path):
    """Every byte of the file in turn: another one, left out, or twice."""
    whole = ledger.path.read_bytes()
    for place in range(len(whole)):
        byte = whole[place : place + 1]
        other = b"7" if byte != b"7" else b"3"
        for damaged in (other, b"", 2 * byte, bytes([byte[0] ^ 0x80])):
            ledger.path.write_bytes(whole[:place] + damaged + whole[place + 1 :])
            with pytest.raises(ModelFileError, match=r"first.json.*delete it"):
                again(tmp_path)
    for cut in (b"", whole[: len(whole) // 2], b"[]", b"null", b"{}", b"[" * 100_000):
        ledger.path.write_bytes(cut)
        with pytest.raises(ModelFileError, match=r"first.json.*delete it"):
            again(tmp_path)


def fields(value, path=()):
    """Every place in a structure."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from fields(value[key], (*path, key))


def test_another_value_of_a_field_is_refused_by_name(ledger, tmp_path):
    whole = json.loads(ledger.path.read_text())
    places = [path for path in fields(whole) if path]
    assert len(places) > 12
    for *path, last in places:
        for value in (None, -1, 3, [], "3", {"n_done": 3}, 2.5):
            content = (
                json.loads(ledger.path.read_text()) if False else json.loads(json.dumps(whole))
            )
            target = content
            for key in path:
                target = target[key]
            if target[last] == value:
                continue
            target[last] = value
            ledger.path.write_text(json.dumps(content, indent=1) + "\n")
            with pytest.raises(ModelFileError, match=r"first.json"):
                again(tmp_path)


def test_a_file_with_its_digest_but_of_another_origin_is_refused(ledger, tmp_path):
    for options, words in (
        ({"settings": {"steps": 9}}, "first.json: comes from other settings"),
        ({"data": "d2"}, "began with other data toys .d1, here d2"),
        ({"name": "tools"}, "holds the study 'toys', wanted 'tools': choose another --out"),
    ):
        with pytest.raises(ModelFileError, match=words):
            again(tmp_path, **options)
    ledger.path.rename(ledger.path.with_name("second.json"))
    with pytest.raises(ModelFileError, match=r"second.json.*cell first, wanted second"):
        again(tmp_path, key="second")


def test_cells_of_the_format_before_are_refused(tmp_path):
    study = Study(tmp_path, "toys")
    (tmp_path / "cells").mkdir()
    old = {"fingerprint": "0123456789abcdef", "n_done": 40, "hits": [12]}
    (tmp_path / "cells" / "first.json").write_text(json.dumps(old, indent=2) + "\n")
    with pytest.raises(ModelFileError, match=r"first.json: no result of this command"):
        Ledger(study, "first").begin(None, {})
    changed = {"format": 1, "study": "toys", "cell": "first", "origin": "x", "state": {}}
    (tmp_path / "cells" / "first.json").write_text(text_of(changed))
    with pytest.raises(ModelFileError, match=r"delete it"):
        content_of(tmp_path / "cells" / "first.json")


def test_a_study_file_that_is_damaged_is_refused(ledger, tmp_path):
    for text in ("", "[]", "{}", '{"format": 1, "study": "toys", "digests": {"a": 1}}', "\xff"):
        (tmp_path / "study.json").write_text(text)
        with pytest.raises(ModelFileError, match=r"study.json: .*delete it"):
            again(tmp_path)


@pytest.mark.parametrize("there", [False, True])
def test_a_study_without_results_leaves_nothing(tmp_path, there):
    place = tmp_path / "a" / "b"
    if there:
        place.mkdir(parents=True)
    with pytest.raises(RuntimeError), Study(place, "toys") as study, study.turn("first"):
        study.agree("data", "here")
        raise RuntimeError
    assert [path.name for path in tmp_path.rglob("*")] == (["a", "b"] if there else [])
    with Study(place, "toys") as study:
        study.agree("data", "here")
        with study.turn("first"), Study(place, "toys"):  # another process, which gives up
            pass
        assert (place / "study.json").exists()
        Ledger(study, "first").write({"sum": 1})
    assert {path.name for path in place.iterdir()} == {"study.json", "cells", "locks"}


def test_sums_of_numbers_and_lists():
    state = {"n": 1, "hits": [1, 2]}
    add(state, n=2, hits=[10, 20])
    assert state == {"n": 3, "hits": [11, 22]}
