"""Report: what observers found, as text for a terminal, JSON, or one HTML file; and TensorBoard's event files.

>>> import numpy as np, camber as cb
>>> r = cb.Report("Two bowls")
>>> _ = r.add(cb.curvature(lambda x: np.sum(x**2))(np.ones(2)))
>>> print(r.text().splitlines()[0])
Two bowls
"""

from __future__ import annotations

import ctypes
import json
import os
import time as clock
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ._errors import InvalidError, ShapeError, error
from ._library import lib
from .curvature import Curvature
from .health import Finding, Flow
from .nonfinite import Nonfinite
from .program import Program
from .rounding import Check, Rounding
from .solve import Solver
from .stabilize import Stabilized

KINDS = {"line": 0, "dots": 1, "histogram": 2}
SEVERITIES = {"note": 1, "warning": 2, "error": 3}


def _texts(names: Sequence[str]) -> Any:
    return (ctypes.c_char_p * max(len(names), 1))(*[_bytes(str(name)) for name in names])


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape").replace(b"\0", b"\xef\xbf\xbd")


def _numbers(values: Any) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(np.asarray(values, np.float64).ravel())


class Report:
    """A diagnosis: findings, and sections of sentences, tables, charts and graphs. See camber_report_new in camber_health.h."""

    def __init__(self, title: str = "Report") -> None:
        self.handle = lib.report_new(_bytes(title))

    def __del__(self, free: Any = lib.report_free) -> None:
        if getattr(self, "handle", None):
            free(self.handle)

    def _check(self, status: int) -> Report:
        if status < 0:
            raise error(status, lib.report_message(self.handle).decode())
        return self

    # ---- what observers found ------------------------------------------------------------------------------------------------

    def add(self, found: Any) -> Report:
        """What an observer found: a Curvature, Solver, Program, Flow, Rounding (of several elements the worst), Check, Nonfinite, Stabilized, Finding or list of findings."""
        if isinstance(found, Finding):
            return self.finding(found.kind, found.evidence, severity=found.severity, place=found.place, action=found.advice)
        if isinstance(found, list) and all(isinstance(one, Finding) for one in found):
            for one in found:
                self.add(one)
            return self
        if isinstance(found, Rounding):
            source, where = found.source
            if where is not None:
                source.check(lib.rounding_at(source.handle, *where))
            return self._check(lib.report_add_rounding(self.handle, source.handle))
        if isinstance(found, Check):
            return self._check(lib.report_add_check(self.handle, found.source.handle))
        for kind, entry in _SOURCES:
            if isinstance(found, kind):
                return self._check(getattr(lib, entry)(self.handle, found.handle))
        raise InvalidError(f"report: a {type(found).__name__} is nothing that a report knows; there are {', '.join(kind.__name__ for kind, _ in _SOURCES)}")

    def compare(self, other: Report, mine: str = "this run", theirs: str = "the other") -> Report:
        """A section that compares this report with another."""
        return self._check(lib.report_compare(self.handle, other.handle, _bytes(mine), _bytes(theirs)))

    # ---- a host's own --------------------------------------------------------------------------------------------------------

    def finding(self, kind: str, evidence: str, *, severity: str | int = "warning", place: str = "", action: str = "") -> Report:
        """A finding: `severity` is "note", "warning" or "error"."""
        level = SEVERITIES.get(severity, 0) if isinstance(severity, str) else severity
        return self._check(lib.report_add_finding(self.handle, _bytes(kind), level, _bytes(place), _bytes(evidence), _bytes(action)))

    def section(self, title: str, note: str = "") -> Report:
        """Begins a section."""
        return self._check(lib.report_add_section(self.handle, _bytes(title), _bytes(note)))

    def paragraph(self, text: str) -> Report:
        """A sentence or more."""
        return self._check(lib.report_add_text(self.handle, _bytes(text)))

    def table(self, caption: str, headings: Sequence[str], values: Any, names: Sequence[str] | None = None) -> Report:
        """Numbers, row by row; `names` stand before the rows and have the first heading."""
        array = np.ascontiguousarray(np.asarray(values, np.float64))
        if array.ndim != 2 or len(headings) != array.shape[1] + (names is not None) or (names is not None and len(names) != len(array)):
            raise ShapeError(f"report: a table of {array.shape} with {len(headings)} headings and {'no' if names is None else len(names)} names")
        return self._check(lib.report_add_table(self.handle, _bytes(caption), _texts(headings), array.shape[1], None if names is None else _texts(names), len(array), array.ctypes.data))

    def series(self, chart: str, y: Any, x: Any = None, *, name: str = "", low: Any = None, high: Any = None) -> Report:
        """A curve of a chart."""
        arrays = [None if a is None else _numbers(a) for a in (x, y, low, high)]
        for a in arrays:
            if a is not None and len(a) != len(arrays[1]):  # type: ignore[arg-type]
                raise ShapeError(f"report: {chart}: arrays of {len(a)} and {len(arrays[1])} numbers")  # type: ignore[arg-type]
        pointers = [None if a is None else a.ctypes.data for a in arrays]
        return self._check(lib.report_add_series(self.handle, _bytes(chart), _bytes(name), len(arrays[1]), *pointers))  # type: ignore[arg-type]

    def axes(self, chart: str, x: str = "", y: str = "", *, log_x: bool = False, log_y: bool = False, kind: str = "line") -> Report:
        """A chart's axes, and how it is drawn: "line", "dots", "histogram"."""
        if kind not in KINDS:
            raise InvalidError(f"report: a chart of kind {kind!r}; there are {', '.join(KINDS)}")
        return self._check(lib.report_set_axes(self.handle, _bytes(chart), _bytes(x), _bytes(y), log_x, log_y, KINDS[kind]))

    def bars(self, chart: str, values: Mapping[str, float], name: str = "") -> Report:
        """Values by name."""
        v = _numbers(list(values.values()))
        return self._check(lib.report_add_bars(self.handle, _bytes(chart), _bytes(name), len(v), _texts(list(values)), v.ctypes.data))

    def histogram(self, title: str, values: Any) -> Report:
        """Magnitudes of values over the ranges of the formats."""
        v = _numbers(values)
        return self._check(lib.report_add_histogram(self.handle, _bytes(title), len(v), v.ctypes.data))

    def graph(self, title: str, labels: Sequence[str], edges: Sequence[tuple[int, int]], details: Sequence[str] | None = None, origin: int = -1) -> Report:
        """A small graph; `origin` is the node at fault."""
        pairs = np.ascontiguousarray(np.asarray(edges, np.int64).reshape(-1, 2))
        if details is not None and len(details) != len(labels):
            raise ShapeError(f"report: {len(labels)} labels and {len(details)} details")
        return self._check(lib.report_add_graph(self.handle, _bytes(title), len(labels), _texts(labels), None if details is None else _texts(details), len(pairs), pairs.ctypes.data, origin))

    def pattern(self, title: str, shape: tuple[int, int], rows: Any, columns: Any) -> Report:
        """The places of a sparse matrix' entries."""
        i, j = (np.ascontiguousarray(np.asarray(a, np.int64).ravel()) for a in (rows, columns))
        if len(i) != len(j):
            raise ShapeError(f"report: {len(i)} rows and {len(j)} columns")
        return self._check(lib.report_add_pattern(self.handle, _bytes(title), shape[0], shape[1], len(i), i.ctypes.data, j.ctypes.data))

    # ---- written -------------------------------------------------------------------------------------------------------------

    def _render(self, form: str) -> str:
        found = lib.report_render(self.handle, form.encode())
        if found is None:
            raise InvalidError(lib.report_message(self.handle).decode())
        return str(found.decode())

    def text(self) -> str:
        """For a terminal."""
        return self._render("text")

    def json(self) -> str:
        """As JSON, every digit."""
        return self._render("json")

    def data(self) -> Any:
        """The JSON as Python's own: "NaN", "Infinity" and "-Infinity" are strings."""
        return json.loads(self.json())

    def html(self) -> str:
        """One HTML file."""
        return self._render("html")

    def _repr_html_(self) -> str:
        return f'<iframe srcdoc="{self.html().replace("&", "&amp;").replace(chr(34), "&quot;")}" style="width:100%;height:720px;border:0"></iframe>'

    def __str__(self) -> str:
        return self.text()

    def save(self, path: str | os.PathLike[str], format: str | None = None) -> Report:
        """Into a file: "text", "json", "html" or "tensorboard"; by default as the path's ending says."""
        form = format or {".json": "json", ".html": "html", ".htm": "html", ".txt": "text"}.get(os.path.splitext(os.fspath(path))[1].lower())
        if form is None:
            form = "tensorboard" if "tfevents" in os.path.basename(os.fspath(path)) else "text"
        return self._check(lib.report_save(self.handle, form.encode(), os.fsencode(path)))


_SOURCES: list[tuple[type, str]] = [(Curvature, "report_add_curvature"), (Solver, "report_add_solver"), (Program, "report_add_program"), (Flow, "report_add_flow"),
                                    (Nonfinite, "report_add_nonfinite"), (Stabilized, "report_add_stabilizer")]  # fmt: skip


class Events:
    """TensorBoard's event file: scalars and histograms by tag and step. ``save`` writes all so far; a path that is a folder gets a file of TensorBoard's naming."""

    def __init__(self, time: float | None = None) -> None:
        self.time = clock.time() if time is None else time
        self.fixed = time
        self.handle = lib.events_new(self.time)

    def __del__(self, free: Any = lib.events_free) -> None:
        if getattr(self, "handle", None):
            free(self.handle)

    def _check(self, status: int) -> Events:
        if status < 0:
            raise error(status, lib.events_message(self.handle).decode())
        return self

    def _now(self) -> float:
        return clock.time() if self.fixed is None else self.fixed

    def scalar(self, tag: str, step: int, value: float) -> Events:
        """A number at a step (kept as f32, as TensorBoard does)."""
        return self._check(lib.events_scalar(self.handle, _bytes(tag), step, float(value), self._now()))

    def histogram(self, tag: str, step: int, values: Any) -> Events:
        """The distribution of an array's finite elements."""
        v = _numbers(values)
        return self._check(lib.events_histogram(self.handle, _bytes(tag), step, len(v), v.ctypes.data, self._now()))

    def save(self, path: str | os.PathLike[str]) -> Events:
        """Writes the file, aside and renamed."""
        where = os.fspath(path)
        if os.path.isdir(where):
            where = os.path.join(where, f"events.out.tfevents.{int(self.time)}.camber")
        return self._check(lib.events_save(self.handle, os.fsencode(where)))
