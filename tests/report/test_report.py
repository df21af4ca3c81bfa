import base64
import hashlib
import html.parser
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from nengo_tactile.analysis import plots
from nengo_tactile.errors import DataError
from nengo_tactile.report import (
    Explorer,
    KeyNumber,
    Note,
    Picture,
    Readings,
    Report,
    Sample,
    Section,
    Table,
    render_report,
    write_report,
)

EVIL = "<script>alert('taxel')</script> & \"quotes\""
VOID = {"meta", "link", "img", "br"}


class Page(html.parser.HTMLParser):
    """Collects tags with their texts, and checks that they nest."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else None, data))

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    def texts_of(self, tag):
        return [data for name, data in self.texts if name == tag and data.strip()]


def tiny_png():
    buffer = io.BytesIO()
    Image.new("RGB", (4, 3), "white").save(buffer, "png")
    return buffer.getvalue()


@pytest.fixture
def report():
    figure = plots.accuracy_over_time({"NengoDL": np.linspace(0.1, 0.9, 64)}, 0.95)
    return Report(
        title="ST-MNIST on the emulator",
        lead="It settles after 38 steps.\n\nSee below.",
        metadata={"command": "nengo-tactile demo --seed 7", "seed": 20200512},
        key_numbers=[KeyNumber("accuracy", "96.8 %", "paper 89 %"), KeyNumber("spikes", 12345)],
        notes=[Note("Simulated recordings.", warning=True)],
        sections=[
            Section(
                "Results",
                "Ten splits.",
                [
                    Table(("name", "mean"), [("CNN", 0.953), ("SNN", None)], "Table 2"),
                    Picture(figure, "Accuracy over time", "A rising curve."),
                    Picture(tiny_png(), "A taxel", "One white taxel."),
                    Note("Mean over splits."),
                ],
            ),
            Section("Chip", items=[Table(["core"], [[0], [1]])]),
            Section("Energy"),
        ],
    )


def test_the_page_holds_everything_in_order(report):
    page = Page(render_report(report))
    assert page.texts_of("h1") == [report.title]
    assert page.texts_of("title") == [report.title]
    assert page.texts_of("h2") == ["Results", "Chip", "Energy", "How this was made"]
    assert page.texts_of("dd") == ["nengo-tactile demo --seed 7", "20200512"]
    assert page.texts_of("figcaption") == ["Accuracy over time", "A taxel"]
    assert page.texts_of("td") == ["0.953", "\N{EN DASH}"]
    assert len(page.all("table")) == 2
    text = "".join(data for _, data in page.texts)
    order = ["settles after", "See below", "96.8 %", "12,345", "Simulated", "Ten splits"]
    places = [text.index(part) for part in [*order, "Table 2", "A taxel", "Mean over", "seed 7"]]
    assert places == sorted(places)
    assert [a["href"] for a in page.all("a")] == [f"#section-{i}" for i in (1, 2, 3)]
    assert {a["id"] for a in page.all("section") if "id" in a} >= {"section-1", "section-3"}


def test_pictures_are_inline_with_alt_text_and_size(report):
    images = Page(render_report(report)).all("img")
    assert [image["alt"] for image in images] == ["A rising curve.", "One white taxel."]
    for image in images:
        head, _, data = image["src"].partition(",")
        assert head == "data:image/png;base64"
        size = Image.open(io.BytesIO(base64.b64decode(data, validate=True))).size
        assert size == (int(image["width"]), int(image["height"]))
    assert base64.b64decode(images[1]["src"].partition(",")[2]) == tiny_png()


def test_the_page_refers_to_nothing_outside(report):
    text = render_report(report)
    assert not re.search(r"https?://|@import|url\(", text)
    page = Page(text)
    for tag, attrs in page.tags:
        assert tag not in {"iframe", "object", "embed", "base", "form"}
        for name in ("src", "href", "srcset", "data"):
            assert attrs.get(name, "#").startswith(("#", "data:")), (tag, attrs)
        assert not any(name.startswith("on") for name in attrs)
    (policy,) = (a["content"] for a in page.all("meta") if "http-equiv" in a)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy.partition("script-src")[2]
    # scripts are the package's own, by its digest, or data
    (own,) = (data for name, data in page.texts if name == "script" and "use strict" in data)
    assert base64.b64encode(hashlib.sha256(own.encode()).digest()).decode() in policy
    kinds = [attrs.get("type") for attrs in page.all("script")]
    assert kinds == ["application/json"] * (len(kinds) - 1) + [None]


def test_every_text_is_escaped():
    readings = Readings(0.1, 0.9, 0.1, 0.9, {EVIL: [0.5], "[/x]": [0.25]}, unit=EVIL)
    sample = Sample(0, 0, np.zeros(1, int), np.zeros((1, 2)), {EVIL: np.ones(1)})
    evil = Report(
        title=EVIL,
        lead=EVIL,
        metadata={EVIL: EVIL},
        key_numbers=[KeyNumber(EVIL, EVIL, EVIL)],
        notes=[Note(EVIL), Note(EVIL, warning=True)],
        sections=[
            Section(
                EVIL,
                EVIL,
                [
                    Table([EVIL, "b"], [[EVIL, EVIL]], EVIL),
                    Picture(tiny_png(), EVIL, EVIL, readings),
                    Note(EVIL),
                    Explorer([EVIL, "[/x]"], [sample], 0.001),
                ],
            )
        ]
        * 3,
    )
    text = render_report(evil)
    assert text.count("<script") == text.count("</script") == 7  # two of each section, and its own
    page = Page(text)
    told = [json.loads(data) for name, data in page.texts if name == "script" and data[0] == "{"]
    assert told[0]["unit"] == EVIL and list(told[0]["curves"]) == [EVIL, "[/x]"]
    assert told[1]["classes"] == [EVIL, "[/x]"] and list(told[1]["samples"][0]["spikes"]) == [EVIL]
    assert all(image["alt"] == EVIL for image in page.all("img"))
    assert sum(EVIL in data for _, data in page.texts) >= 20


def test_it_is_written_whole_or_not_at_all(report, tmp_path):
    path = tmp_path / "out" / "report.html"
    write_report(path, report)
    assert path.read_text(encoding="utf-8") == render_report(report)
    bad = Report("bad", sections=[Section("s", items=[Picture(tiny_png(), "no alt", " ")])])
    with pytest.raises(DataError):
        write_report(path, bad)
    assert "ST-MNIST" in path.read_text(encoding="utf-8")
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_twelve_figures_stay_below_three_megabytes(rng):
    labels, predictions = rng.integers(0, 35, (2, 2000))
    matrix = np.histogram2d(labels, predictions, bins=35)[0].astype(int)
    events = np.zeros(4000, [("x", "i2"), ("y", "i2"), ("t", "i8"), ("p", "i2")])
    events["x"], events["y"] = rng.integers(0, 10, (2, 4000))
    events["t"], events["p"] = (
        np.sort(rng.integers(0, 2_000_000, 4000)),
        rng.integers(0, 2, 4000),
    )
    figures = [plots.confusion(matrix), plots.event_raster(events)]
    pictures = [Picture(f, f"figure {i}", "alt") for i, f in enumerate(figures)] * 6
    text = render_report(Report("large", sections=[Section("all", items=pictures)]))
    assert len(Page(text).all("img")) == 12
    assert len(text.encode()) < 3e6


def cells(column):
    rows = Page(render_report(Report("t", sections=[Section("s", items=[column])])))
    return rows.texts_of("th")[1:]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([1, 2000, None], ["1", "2,000", "\N{EN DASH}"]),
        ([0.89, 0.8, None, float("nan")], ["0.89", "0.80", "\N{EN DASH}", "\N{EN DASH}"]),
        ([0.9531, 0.951], ["0.9531", "0.9510"]),
        ([718.8312, 1000.0, 0.0], ["719", "1,000", "0"]),
        ([44.591, 9.0, 0.3], ["44.59", "9.00", "0.30"]),
        ([181219.25, 12.0], ["181,219", "12"]),
        ([4.33e-8, 1.0], ["4.33e-08", "1"]),
        ([np.float32(0.5), np.int64(3)], ["0.5", "3.0"]),
        ([float("inf"), 0.5], ["inf", "0.5"]),
        (["0.890", True, "<b>"], ["0.890", "True", "<b>"]),
    ],
)
def test_cells_of_a_column_line_up(values, texts):
    assert cells(Table(["v"], [[value] for value in values])) == texts


def test_rows_may_be_dicts():
    table = Table(["b"], [{"a": 1, "b": 2}, {"b": 3}])
    assert cells(table) == ["2", "3"]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (Table(["a", "b"], [[1, 2], [1]], "T"), "table 'T': row 1 has 1 cells, wanted 2"),
        (Table(["a", "b"], [{"a": 1}], "T"), "table 'T': row 0 has no 'b', only"),
        (Table([], [], "T"), "table 'T' has no columns"),
        (Picture(tiny_png(), "P", ""), "picture 'P' has no alt text"),
        (Picture(b"GIF89a", "P", "alt"), "picture 'P' is not a PNG"),
        (Picture(b"\x89PNG\r\n\x1a\n", "P", "alt"), "picture 'P' is not a PNG"),
        ("text", "cannot show str 'text'.*Table, a Picture, a Note or an Explorer"),
    ],
)
def test_refusals(item, message):
    with pytest.raises(DataError, match=message):
        render_report(Report("r", sections=[Section("s", items=[item])]))


def test_the_smallest_report():
    page = Page(render_report(Report("nothing yet")))
    assert page.texts_of("h1") == ["nothing yet"]
    assert not page.texts_of("h2")
