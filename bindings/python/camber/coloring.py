"""Colourings of patterns, and pictures of them."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from ._errors import DtypeError, InvalidError, ShapeError, error
from ._library import constants, lib

_ORDERS = {
    "portfolio": constants["CAMBER_ORDER_PORTFOLIO"], "natural": constants["CAMBER_ORDER_NATURAL"],
    "largest_first": constants["CAMBER_ORDER_LARGEST_FIRST"], "smallest_last": constants["CAMBER_ORDER_SMALLEST_LAST"],
    "incidence_degree": constants["CAMBER_ORDER_INCIDENCE_DEGREE"], "dynamic_largest_first": constants["CAMBER_ORDER_DYNAMIC_LARGEST_FIRST"],
}  # fmt: skip
KINDS = ("column", "row", "star", "acyclic", "star_bicoloring", "acyclic_bicoloring")
_PALETTE = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf", "#005f73", "#ae2012")


def _pick(table: dict[str, int], value: str, what: str) -> int:
    if value not in table:
        raise InvalidError(f"{what}: '{value}' is none of {', '.join(table)}")
    return table[value]


def _entries(pattern: Any, what: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], tuple[int, ...] | None]:
    """Rows and columns of a pattern: (rows, columns), a SciPy matrix, a dense array of what is not zero, or a SparseMatrix."""
    if hasattr(pattern, "to_scipy"):
        pattern = pattern.to_scipy()
    if hasattr(pattern, "tocoo"):
        coo = pattern.tocoo()
        return np.ascontiguousarray(coo.row, np.int64), np.ascontiguousarray(coo.col, np.int64), coo.shape
    if isinstance(pattern, (tuple, list)) and len(pattern) == 2 and not np.isscalar(pattern[0]):
        rows, columns = (np.ascontiguousarray(p) for p in pattern)
        if rows.ndim != 1 or rows.shape != columns.shape:
            raise ShapeError(f"{what}: rows and columns are two lists of the same length")
        if rows.size and (rows.dtype.kind not in "iu" or columns.dtype.kind not in "iu"):
            raise DtypeError(f"{what}: rows and columns are whole numbers")
        return rows.astype(np.int64), columns.astype(np.int64), None
    dense = np.asarray(pattern)
    if dense.ndim != 2:
        raise ShapeError(f"{what}: a pattern is (rows, columns), a sparse matrix or a dense one")
    rows, columns = np.nonzero(dense)
    return rows.astype(np.int64), columns.astype(np.int64), dense.shape


def spy(rows: Any, columns: Any, shape: tuple[int, int], row_colors: Any = None, column_colors: Any = None, size: int = 320) -> str:
    """A picture of a pattern as SVG text: entries in the colour of their column's group (its row's, where columns have none)."""
    m, n = max(int(shape[0]), 1), max(int(shape[1]), 1)
    scale = size / max(m, n)
    width, height = max(n * scale, 1), max(m * scale, 1)
    # No more cells than pixels.
    cell = max(scale, 1.0)
    rows, columns = np.asarray(rows), np.asarray(columns)
    group = np.zeros(rows.shape, np.int64)
    if column_colors is not None and np.size(column_colors):
        group = np.asarray(column_colors)[columns].astype(np.int64)
    if row_colors is not None and np.size(row_colors):
        group = np.where(group == 0, np.asarray(row_colors)[rows], group)
    y, x = np.floor(rows * scale / cell).astype(np.int64), np.floor(columns * scale / cell).astype(np.int64)
    keys, first = np.unique((y * (size + 2) + x) * len(_PALETTE) + (group - 1) % len(_PALETTE), return_index=True)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + 2:.0f}" height="{height + 2:.0f}" viewBox="-1 -1 {width + 2:.6g} {height + 2:.6g}">',
        f'<title>{shape[0]} x {shape[1]}, {rows.size} entries</title>',
        f'<rect x="0" y="0" width="{width:.6g}" height="{height:.6g}" fill="white" stroke="#888" stroke-width="0.5"/>',
    ]
    by_color: dict[int, list[str]] = {}
    for i in first:
        by_color.setdefault(int((group[i] - 1) % len(_PALETTE)), []).append(f"M{x[i] * cell:.4g} {y[i] * cell:.4g}h{cell:.4g}v{cell:.4g}h-{cell:.4g}z")
    parts += [f'<path fill="{_PALETTE[c]}" d="{"".join(by_color[c])}"/>' for c in sorted(by_color)]
    return "".join([*parts, "</svg>"])


def color(rows: Any, cols: Any, shape: tuple[int, int], kind: str = "column", order: str = "portfolio") -> Any:
    """Colors of a pattern with entries (rows[k], cols[k]), from 1; 0 where no product is needed.

    Parameters
    ----------
    kind
        "column", "row", "star", "acyclic", "star_bicoloring" or "acyclic_bicoloring".

    Returns
    -------
    An array: of the rows for "row", of the columns else; for bicolorings the pair (rows, columns).

    >>> import numpy as np, camber as cb
    >>> cb.color([0, 0, 1, 1], [0, 1, 1, 2], (2, 3), "column")
    array([1, 2, 1], dtype=int32)
    """
    if kind not in KINDS:
        raise InvalidError(f"color: kind '{kind}' is none of {', '.join(KINDS)}")
    number = _pick(_ORDERS, order, "color: order")
    i, j, _ = _entries((rows, cols), "color")
    m, n = (int(k) for k in shape)
    if m < 0 or n < 0:
        raise ShapeError(f"color: shape {m} x {n}")
    row_colors, column_colors = np.zeros(m, np.int32), np.zeros(n, np.int32)
    text = ctypes.create_string_buffer(512)
    status = lib.color(kind.encode(), number, m, n, i.ctypes.data, j.ctypes.data, i.size, row_colors.ctypes.data, column_colors.ctypes.data, None, text, 512)
    if status < 0:
        raise error(status, text.value.decode())
    return (row_colors, column_colors) if kind.endswith("bicoloring") else row_colors if kind == "row" else column_colors
