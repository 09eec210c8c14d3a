"""Reports: what is written is what was given; event files are read back; the page is looked at by a real browser (test_report_page.py)."""

import json
import re
import struct
from html.parser import HTMLParser

import numpy as np
import pytest

import camber as cb


def example(evil=False):
    r = cb.Report("<script>alert('x')</script> & \"quotes\"" if evil else "Training of a small network")
    r.finding("vanish", "The gradient falls by 2.1 decades a layer.", severity="warning", place="layer <7>" if evil else "dense/7", action="Initialise by He's rule.")
    r.finding("nan", "0/0 in div.", severity="error", place="loss")
    r.section("Runs", "What was measured.")
    steps = np.arange(300)
    loss = np.exp(-steps / 60) + 0.02
    r.series("Loss", loss, steps, name="loss", low=loss * 0.9, high=loss * 1.1).axes("Loss", "step", "loss", log_y=True)
    r.bars("Gradient by layer", {f"dense/{i}": 10.0**-i for i in range(6)}, "gradient")
    r.histogram("Gradients", np.random.default_rng(0).normal(size=4000) * 1e-6)
    r.graph("Origin of the first NaN", ["x", "sum", "div", "log"], [(0, 1), (1, 2), (0, 2), (2, 3)], ["input 0", "0.0", "0/0", "NaN"], origin=2)
    r.pattern("Jacobian", (40, 40), np.r_[np.arange(40), np.arange(39)], np.r_[np.arange(40), np.arange(1, 40)])
    r.table("Numbers", ["name", "a", "b"], [[1 / 3, np.nan], [np.inf, -1e-300]], ["one", "two\x01\x7f"])
    return r


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.counts, self.attributes, self.words = [], {}, [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.attributes.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.counts[tag] = self.counts.get(tag, 0) + 1

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_page_is_well_formed_and_escaped():
    page = example(evil=True).html()
    tags = Tags(page)
    assert not tags.open
    assert "script" not in tags.counts and not any(name.startswith("on") for _, a in tags.attributes for name in a)
    assert "alert('x')" in "".join(tags.words) and "layer <7>" in "".join(tags.words)
    assert "\x01" not in page and "\x7f" not in page
    assert not re.search(r"(src|href)=\"(?!#|data:)", page) and "http" not in page and "url(" not in page
    assert "prefers-color-scheme" in page and "@media print" in page
    assert tags.counts["figure"] == 5 and tags.counts["details"] == 5
    assert len(page.encode()) <= 1_000_000


def test_numbers_are_those_given():
    r = example()
    data = r.data()
    chart = data["sections"][0]["items"][0]
    steps = np.arange(300)
    assert chart["series"][0]["y"] == list(np.exp(-steps / 60) + 0.02)
    assert [f["kind"] for f in data["findings"]] == ["nan", "vanish"]
    table = data["sections"][0]["items"][-1]
    assert table["rows"] == [["one", 1 / 3, "NaN"], ["two\x01\x7f", "Infinity", -1e-300]]
    page = r.html()
    assert f'<data value="{1 / 3!r}">0.333333</data>' in page
    text = r.text()
    assert text.index("[error] nan") < text.index("[warning] vanish in dense/7") and "-> Initialise" in text


def test_long_reports_stay_small_and_any_bytes_are_taken():
    r = cb.Report("big")
    rng = np.random.default_rng(1)
    for i in range(6):
        r.series(f"curve {i}", rng.normal(size=100_000))
    r.table("t", ["a"] * 8, rng.normal(size=(5000, 8)))
    page = r.html()
    assert len(page.encode()) <= 1_000_000
    assert len(r.data()["sections"][0]["items"][0]["series"][0]["y"]) == 100_000
    odd = cb.Report("a\udcff\udcfe \u202e b")
    odd.bars("", {"\x00": np.nan, "": np.inf}, "")
    odd.series("empty", []).series("one", [1.0]).series("same", [2.0, 2.0]).series("nothing", [np.nan])
    odd.histogram("zeros", np.zeros(3)).histogram("none", [])
    odd.pattern("empty", (0, 0), [], [])
    odd.series("wide", [-1e308, 1e308]).series("tiny", [5e-324, 1e-323]).axes("tiny", log_y=True)
    assert not Tags(odd.html()).open
    json.loads(odd.json()), odd.text()


def test_solver_curvature_and_program():
    f = lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    s = cb.Solver("minimize", f, np.zeros(4), method="lbfgs")
    found = s.run(np.zeros(4))
    c = cb.curvature(f)(found.x)
    c.add_diagonal("diagonal")
    c.add_differences("differences")
    p = cb.function(f).program(found.x)
    r = cb.Report("Rosenbrock").add(s).add(c).add(p)
    data = r.data()
    journal = next(i for i in data["sections"][0]["items"] if i["type"] == "table")
    assert [row[1] for row in journal["rows"]] == [step.value for step in found.journal]
    figures = {row[0]: row[1:] for row in data["sections"][1]["items"][0]["rows"]}
    assert figures["trace"][0] == c.trace().value and figures["largest"][0] == c.largest().value
    errors = {(row[0], row[1]): row[2] for row in data["sections"][1]["items"][-1]["rows"]}
    assert errors["diagonal", "operator"] == c.error("diagonal", "operator").value
    live = data["sections"][2]["items"][0]["series"][0]["y"]
    assert max(live) <= p.memory + 8 * 4 * 10
    assert not Tags(r.html()).open
    two = cb.Report("two").add(s)
    r.compare(two, "first", "second")
    last = r.data()["sections"][-1]
    assert last["title"] == "Comparison" and {x["name"] for x in next(i for i in last["items"] if i["type"] == "chart")["series"]} == {"first", "second"}
    short = cb.Solver("minimize", f, np.zeros(4), method="lbfgs", steps=2)
    short.run(np.zeros(4))
    assert cb.Report("short").add(short).data()["findings"][0]["kind"] == "out of steps"


def test_bad_input(tmp_path):
    r = cb.Report()
    with pytest.raises(cb.ShapeError):
        r.table("t", ["a"], [[1, 2]])
    with pytest.raises(cb.InvalidError):
        r.graph("g", ["a"], [(0, 1)])
    with pytest.raises(cb.InvalidError):
        r.graph("g", [], [])
    with pytest.raises(cb.InvalidError):
        r.pattern("p", (2, 2), [2], [0])
    with pytest.raises(cb.InvalidError):
        r.finding("x", "y", severity=9)
    with pytest.raises(cb.InvalidError):
        r.add("text")
    with pytest.raises(cb.InvalidError):
        r._render("pdf")
    with pytest.raises(cb.FileError):
        r.save(tmp_path / "none" / "x.html")
    for name in ("r.html", "r.json", "r.txt"):
        r.save(tmp_path / name)
        assert (tmp_path / name).read_text() == {"html": r.html, "json": r.json, "txt": r.text}[name.split(".")[1]]()


# ---- event files ---------------------------------------------------------------------------------------------------------------


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def message(data):
    fields, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 1:
            value, at = struct.unpack_from("<d", data, at)[0], at + 8
        elif kind == 5:
            value, at = struct.unpack_from("<f", data, at)[0], at + 4
        else:
            size, at = varint(data, at)
            value, at = data[at : at + size], at + size
        fields.setdefault(key >> 3, []).append(value)
    return fields


def records(data):
    at, found = 0, []
    while at < len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        assert struct.unpack_from("<I", data, at + 8)[0] == crc32c(data[at : at + 8])
        body = data[at + 12 : at + 12 + size]
        assert struct.unpack_from("<I", data, at + 12 + size)[0] == crc32c(body)
        found.append(message(body))
        at += 16 + size
    return found


def test_crc_is_castagnolis():
    assert crc32c(b"123456789") == (((0xE3069283 >> 15 | 0xE3069283 << 17) & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF


def test_event_files_read_back(tmp_path):
    values = np.random.default_rng(2).normal(size=1000) * 3
    e = cb.Events(time=1234.5)
    for step in range(20):
        e.scalar("loss/é", step, 1 / (step + 1))
    e.histogram("weights", 7, values)
    e.save(tmp_path)
    (path,) = tmp_path.iterdir()
    assert "tfevents" in path.name
    found = records(path.read_bytes())
    assert found[0][3] == [b"brain.Event:2"] and found[0][1] == [1234.5]
    for step, event in enumerate(found[1:21]):
        value = message(message(event[5][0])[1][0])
        assert event[2] == [step] and value[1][0].decode() == "loss/é" and value[2] == [np.float32(1 / (step + 1))]
    event = found[21]
    histogram = message(message(message(event[5][0])[1][0])[5][0])
    assert histogram[1][0] == values.min() and histogram[2][0] == values.max() and histogram[3][0] == 1000
    assert histogram[4][0] == pytest.approx(values.sum()) and histogram[5][0] == pytest.approx((values**2).sum())
    limits, counts = (np.frombuffer(histogram[k][0], "<f8") for k in (6, 7))
    assert counts.sum() == 1000 and np.all(np.diff(limits) > 0)
    for k in np.flatnonzero(counts)[1:]:
        assert counts[k] == np.sum((values < limits[k]) & (values >= limits[k - 1]))
    r = cb.Report("r")
    r.section("s").series("c", [3.0, 2.0], [10, 20])
    r.save(tmp_path / "events.out.tfevents.1.x")
    scalars = [message(message(x[5][0])[1][0]) for x in records((tmp_path / "events.out.tfevents.1.x").read_bytes())[1:]]
    assert [s[1][0] for s in scalars] == [b"s/c", b"s/c"] and [s[2][0] for s in scalars] == [3.0, 2.0]


def test_rounding_check_births_and_rewritings():
    f = lambda x: np.sum((1 - cb.label(np.cos(x), "drop")) / x**2)  # noqa: E731
    x = np.array([1e-6, 0.5])
    rounded, checked = cb.rounding(f)(x), cb.check_derivatives(f)(np.array([0.3, 0.5]))
    stable = cb.stabilize(f, x)
    born = cb.nonfinite(lambda x: np.sum(cb.label(np.log(x), "logs") * 2), np.array([0.0, 1.0]))
    r = cb.Report("all").add(rounded).add(checked).add(stable).add(born).add(cb.function(f).program(x))
    data = r.data()
    titles = [s["title"] for s in data["sections"]]
    assert titles == ["Rounding error", "Derivative check", "Stable rewritings", "Births of NaN and infinity", "Program"]
    items = {s["title"]: s["items"] for s in data["sections"]}
    figures = {row[0]: row[1] for row in items["Rounding error"][0]["rows"]}
    assert figures["bound"] == rounded.bound and figures["bits_lost"] == rounded.bits_lost and figures["corrected"] == rounded.corrected
    worst = next(i for i in items["Rounding error"] if i["type"] == "chart")
    assert worst["title"] == "Digits lost by operator" and len(worst["names"]) == len(worst["series"][0]["y"]) and any("drop" in n for n in worst["names"])
    rows = items["Derivative check"][0]["rows"]
    assert [row[2] for row in rows] == [e.derivative for e in checked.entries] and all(row[1] == "right" for row in rows)
    taylor = next(i for i in items["Derivative check"] if i["type"] == "chart")
    assert taylor["series"][0]["y"] == list(checked.entries[0].remainders) and "slope 2" in taylor["series"][0]["name"]
    assert len(items["Stable rewritings"][0]["rows"]) == len(stable.log)
    graph = next(i for i in items["Births of NaN and infinity"] if i["type"] == "graph")
    assert graph["origin"] == len(graph["nodes"]) - 2 if "nodes" in graph else True
    kinds = [n["kind"] for n in data["findings"]]
    assert "rounding" in kinds and "log of zero" in kinds
    assert "drop" in r.text() and "logs" in r.text() and not Tags(r.html()).open and len(r.html()) < 1_000_000
    # Findings by themselves.
    flow = cb.flow(lambda p, x: np.mean(cb.layer(np.tanh(x @ p), "h") ** 2))
    flow(60.0 * np.eye(4), np.ones((8, 4)))
    assert cb.Report("f").add(flow.findings()).data()["findings"][0]["kind"] == flow.findings()[0].kind
    loss = next(i for s in cb.Report("f").add(flow).data()["sections"] for i in s["items"] if i.get("title") == "Loss")
    assert loss["series"][0]["x"] == [0.0]
    with pytest.raises(cb.InvalidError):
        r.add([1, 2])
