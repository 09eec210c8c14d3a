"""What each row has to reach, as issue 3's table has it, and engines that are quoted rather than run.

A target names what Camber's time is compared with: an expression of engines' names (the fastest that matches counts), or a multiple of
the plain C++ primal of the same row, for a peer that may not run here. Times are ratios: at most `limit`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Measured = dict[str, Any]
EVERY = "."


@dataclass
class Target:
    limit: float
    words: str
    peers: str = EVERY
    primal: float = 0  # compare with this multiple of the primal instead
    threads: tuple[int, ...] = (1,)


def quoted(limit: float, multiple: float) -> Target:
    return Target(limit, f"Enzyme as quoted, {multiple:g} x primal", primal=multiple)


BEST = "best peer"
TRAINING = (1, 2)
ROWS: dict[str, list[Target]] = {
    "gmm-d10-k25-n1000": [Target(0.6, BEST)],
    "gmm-d20-k50-n1000": [Target(0.6, BEST)],
    "gmm-d10-k25-n10000": [Target(0.2, BEST)],
    "ba1": [Target(0.4, "CasADi's C", "CasADi, generated C")],
    "ba2": [Target(0.4, "CasADi's C", "CasADi, generated C")],
    "ba1-x10": [Target(0.4, "CasADi's C", "CasADi, generated C")],
    "lstm-l2-c1024": [Target(0.7, BEST), quoted(0.7, 2.3)],
    "hand-simple": [Target(0.5, BEST)],
    "hand-big": [Target(0.5, BEST)],
    "mlp-step": [Target(0.9, BEST, threads=TRAINING)],
    "lstm-step": [Target(0.7, BEST, threads=TRAINING)],
    "transformer-step": [Target(0.75, BEST, threads=TRAINING)],
    "lorenz-gradient": [Target(0.6, "Enzyme", "^Enzyme"), quoted(0.6, 1.8), Target(0.1, "JAX and tapes", "JAX|CppAD|CasADi|ADOL-C")],
    "lorenz-hvp": [Target(0.6, "Enzyme", "^Enzyme"), quoted(0.6, 3.5), Target(0.1, "JAX and tapes", "JAX|CppAD|CasADi|ADOL-C")],
    "mlp-hvp": [Target(0.8, "JAX", "JAX")],
    "rnea": [Target(0.5, "CasADi's C", "CasADi, generated C")],
    "quadrotor": [Target(0.7, "CasADi's C", "CasADi, generated C")],
    "quadrotor-sparse": [Target(0.7, "CasADi's C", "CasADi, generated C")],
    "quadrotor-sparse-batch": [Target(0.3, "CasADi's C", "CasADi, generated C")],
    "rnea-batch": [Target(0.3, "CasADi's C", "CasADi, generated C")],
    "quadrotor-batch": [Target(0.3, "CasADi's C", "CasADi, generated C")],
    # Adept is not to be had here; PEERS has it at 60 ns where CasADi's virtual machine takes 104.
    "small-c++": [Target(0.4, "best tape", "CasADi VM|CppAD|ADOL-C"), Target(0.4 * 60 / 104, "Adept as quoted, 60/104 of CasADi's VM", "CasADi VM")],
    "small-python": [Target(0.6, "JAX", "JAX")],
    "lorenz-long": [Target(0.8, "Enzyme", "^Enzyme"), quoted(0.8, 8)],
}
COMPUTE = ("gmm-d20-k50-n1000", "gmm-d10-k25-n10000", "mlp-step", "lstm-step", "transformer-step", "mlp-hvp", "rnea-batch")  # bound by arithmetic
MEAN, WORST = 0.55, 1.0  # of the ratios to the best peer: their geometric mean, the largest


def is_peer(name: str) -> bool:
    return not name.startswith(("Camber", "primal", "by hand"))


def fastest(m: Measured, peers: Callable[[str], Any]) -> Measured | None:
    return min((e for e in m["engines"] if peers(e["engine"])), key=lambda e: e["seconds"], default=None)


def camber(m: Measured) -> Measured | None:
    return fastest(m, lambda name: name.startswith("Camber"))


def verdict(words: str, limit: float, value: float, unit: str = "") -> dict[str, Any]:
    return {"words": words, "limit": limit, "value": value, "unit": unit, "met": value <= limit}


def of_row(m: Measured) -> list[dict[str, Any]]:
    """A row's targets with what was measured; those whose engines did not run are left out."""
    out, mine = [], camber(m)
    for t in ROWS.get(m["row"], []):
        if mine is None or m["threads"] not in t.threads:
            continue
        other = fastest(m, lambda name: name.startswith("primal") if t.primal else is_peer(name) and re.search(t.peers, name))
        if other:
            seconds = other["seconds"] * (t.primal or 1)
            out.append(verdict(t.words, t.limit, mine["seconds"] / seconds) | {"seconds": seconds})
    return out


def beyond_rows(measured: list[Measured]) -> list[dict[str, Any]]:
    """Demands on more than one row, and on other things than time."""
    rows = {(m["row"], m["threads"]): m for m in measured}
    out = []

    def mine(row: str, threads: int = 1, name: str = "^Camber") -> Measured | None:
        return fastest(rows[row, threads], lambda engine: re.search(name, engine)) if (row, threads) in rows else None

    def ratio(words: str, limit: float, a: Measured | None, b: Measured | None, scale: float = 1) -> None:
        if a and b:
            out.append(verdict(words, limit, a["seconds"] / b["seconds"] * scale))

    ratio("Lorenz-96: HVP / gradient", 2.2, mine("lorenz-hvp"), mine("lorenz-gradient"))
    ratio("BA: 10 x the observations / 10 x the time", 1.1, mine("ba1-x10"), mine("ba1"), 0.1)
    for row in ("gmm-d10-k25-n1000", "gmm-d20-k50-n1000", "gmm-d10-k25-n10000"):
        if e := mine(row):
            out.append(verdict(f"{row}: resident", 50, e["peak_mb"], "MB"))
    for row in COMPUTE:  # of a millisecond and more
        if (e := mine(row)) and e["seconds"] >= 1e-3:
            ratio(f"{row}: two threads / one", 1 / 1.7, mine(row, 2), e)
    for row in ("rnea", "quadrotor"):
        if e := mine(row):
            out.append(verdict(f"{row}: ready", 10, 1e3 * e["setup_seconds"], "ms"))
    if e := mine("small-c++", name="^Camber.*kernels"):
        out.append(verdict("small-c++: kernels alone", 110, 1e9 * e["seconds"], "ns"))
    for row in ("mlp-step", "lstm-step", "transformer-step"):
        for threads in (1, 2):
            if e := mine(row, threads):
                theirs = [p["peak_mb"] for p in rows[row, threads]["engines"] if is_peer(p["engine"])]
                if theirs:
                    words = f"{row}, {threads} thread{'s' * (threads > 1)}: peak memory / least of the peers'"
                    out.append(verdict(words, 0.5, e["peak_mb"] / min(theirs)))
    return out
