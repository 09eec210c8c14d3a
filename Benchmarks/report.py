"""What the measurements say: lines for the terminal, a table in Markdown, JSON, a plot."""

from __future__ import annotations

import datetime
import json
import math
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import targets

HERE = Path(__file__).resolve().parent
Measured = dict[str, Any]


def time_text(seconds: float) -> str:
    for unit, scale in (("ns", 1e-9), ("us", 1e-6), ("ms", 1e-3), ("s", 1.0)):
        if seconds < 999.5 * scale or unit == "s":
            return f"{seconds / scale:.3g} {unit}"
    raise AssertionError


def ratio_text(m: Measured) -> str:
    return "" if m["ratio"] is None else f"{m['ratio']:.2f} ({m['ratio_fastest']:.2f})"


def difference_text(e: Measured) -> str:
    """Empty for the primal, which computes something else."""
    return "" if e["engine"].startswith("primal") else f"{e['difference']:.0e}"


def target_text(t: Measured) -> str:
    return f"{t['words']}: {t['value']:.3g}{t['unit'] and ' '}{t['unit']}, target {t['limit']:.3g}: {'met' if t['met'] else 'missed'}"


def threads_text(m: Measured) -> str:
    return f"{m['threads']} thread{'s' * (m['threads'] > 1)}"


def text(m: Measured) -> str:
    """One row for the terminal."""
    lines = [f"{m['row']}, {threads_text(m)}: Camber / best peer = {ratio_text(m) or 'none'}"]
    for e in sorted(m["engines"], key=lambda e: e["seconds"]):
        low, high = e["quartiles"]
        lines.append(f"  {e['engine']:24} {time_text(e['seconds']):>9}  [{time_text(low)}, {time_text(high)}]  set-up {time_text(e['setup_seconds'])}, "
                     f"{e['peak_mb']:.0f} MB, differs by {difference_text(e) or '-'}")  # fmt: skip
    lines += [f"  {name}: NOT TIMED, {why}" for name, why in m["failed"].items()]
    return "\n".join(lines + [f"  {target_text(t)}" for t in m["targets"]])


def machine() -> dict[str, Any]:
    cpu = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    flags = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")), "").split()
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=HERE, capture_output=True, text=True).stdout.strip()
    return {"cpu": cpu, "simd": [f for f in ("sse2", "avx2", "fma", "avx512f") if f in flags], "cores": len(os.sched_getaffinity(0)),
            "kernel": platform.release(), "load": os.getloadavg()[0], "commit": commit, "versions": versions()}  # fmt: skip


def versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    out = {}
    for name in ("jax", "torch", "casadi", "cmeel-cppad", "enzyme-ad", "numpy"):
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            pass
    for name in ("libadolc-dev", "libtrilinos-sacado-dev"):
        found = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True)
        if found.returncode == 0:
            out[name] = found.stdout
    return out


def ratios(measured: list[Measured], threads: int = 0) -> list[float]:
    return [m["ratio"] for m in measured if m["ratio"] and threads in (0, m["threads"])]


def geometric_mean(of: list[float]) -> float:
    return math.exp(sum(map(math.log, of)) / len(of)) if of else float("nan")


def demands(measured: list[Measured]) -> list[Measured]:
    """What is asked of all rows together."""
    out = []
    for words, threads in (("all rows", 0), ("one thread", 1), ("two threads", 2)):
        if of := ratios(measured, threads):
            out.append(targets.verdict(f"geometric mean of {len(of)} ratios, {words}", targets.MEAN, geometric_mean(of)))
    if of := ratios(measured):
        worst = max((m for m in measured if m["ratio"]), key=lambda m: m["ratio"])
        out.append(targets.verdict(f"largest ratio ({worst['row']}, {threads_text(worst)})", targets.WORST, max(of)))
    return out + targets.beyond_rows(measured)


def markdown(measured: list[Measured], about: dict[str, Any]) -> str:
    asked = demands(measured)
    each = [t for m in measured for t in m["targets"]]
    lines = [
        "# Camber beside its peers", "",
        f"{about['cpu']}, {about['cores']} cores, {' '.join(about['simd'])}; load {about['load']:.1f} at the end; Camber {about['commit']}; "
        + ", ".join(f"{name} {v}" for name, v in about["versions"].items()) + ".", "",
        "Ratio: Camber's time over the best peer's, medians of alternating rounds; below 1, Camber is faster; in brackets that of the fastest samples, which a busy machine moves less. "
        f"Geometric mean over {len(ratios(measured))} rows: **{geometric_mean(ratios(measured)):.2f}**. Of {len(each)} targets of single rows {sum(t['met'] for t in each)} are met, "
        f"of {len(asked)} others {sum(t['met'] for t in asked)}.", "",
        "| workload | threads | ratio | Camber | best peer | targets | Camber set-up, peak | peer set-up, peak |", "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for m in measured:
        engines = {e["engine"]: e for e in m["engines"]}
        ours, peer = engines.get(m.get("camber", "")), engines.get(m.get("best_peer", ""))
        cell = [f"{time_text(e['seconds'])} ({e['engine']})" if e else "" for e in (ours, peer)]
        cost = [f"{time_text(e['setup_seconds'])}, {e['peak_mb']:.0f} MB" if e else "" for e in (ours, peer)]
        wanted = "<br>".join(map(target_text, m["targets"]))
        lines.append(f"| {m['title']} | {m['threads']} | {ratio_text(m)} | {cell[0]} | {cell[1]} | {wanted} | {cost[0]} | {cost[1]} |")
    lines += ["", "## Other targets", "", "| what | measured | at most | |", "|---|---|---|---|"]
    lines += [f"| {t['words']} | {t['value']:.3g} {t['unit']} | {t['limit']:.3g} {t['unit']} | {'met' if t['met'] else 'missed'} |" for t in asked]
    lines += ["", "## Every engine", "", "Quartiles are of all samples. The difference is to the row's first peer, relative to each number plus the root mean square of all.", ""]
    for m in measured:
        lines += [f"### {m['title']}, {threads_text(m)}", "", m["note"], "" if m["note"] else "",
                  "| engine | median | quartiles | fastest | set-up | peak MB | difference |", "|---|---|---|---|---|---|---|"]  # fmt: skip
        for e in sorted(m["engines"], key=lambda e: e["seconds"]):
            low, high = map(time_text, e["quartiles"])
            lines.append(f"| {e['engine']} | {time_text(e['seconds'])} | {low} .. {high} | {time_text(e['best'])} | "
                         f"{time_text(e['setup_seconds'])} | {e['peak_mb']:.0f} | {difference_text(e)} |")  # fmt: skip
        lines += ["", *(f"- not timed: {name}: {why}" for name, why in m["failed"].items()), ""]
    return "\n".join(lines)


def plot(measured: list[Measured], path: Path) -> None:
    """A bar a row and thread count; a diamond stands where the row's first target lies on the same scale."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = [m for m in measured if m["ratio"]]
    titles = list(dict.fromkeys(m["title"] for m in rows))
    figure, axes = plt.subplots(figsize=(10, 1.2 + 0.42 * len(titles)))
    for threads, offset, colour in ((1, -0.18, "#3b6fb6"), (2, 0.18, "#e08a3c")):
        chosen = [m for m in rows if m["threads"] == threads]
        if not chosen:
            continue
        places = [titles.index(m["title"]) + offset for m in chosen]
        axes.barh(places, [m["ratio"] for m in chosen], height=0.34, color=colour, label=f"{threads} thread{'s' * (threads > 1)}")
        for place, m in zip(places, chosen):
            peer = next(e["seconds"] for e in m["engines"] if e["engine"] == m["best_peer"])
            marks = [t["limit"] * t["seconds"] / peer for t in m["targets"][:1]]
            axes.plot(marks, [place] * len(marks), "D", color="black", markersize=4, label="target" if m is rows[0] else None)
            axes.text(max([m["ratio"], *marks]) * 1.12, place, f"{m['ratio']:.2f}  {m['best_peer']}", va="center", fontsize=7, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xlim(low, high * (high / low) ** 0.35)
    axes.set_yticks(range(len(titles)), titles, fontsize=8)
    axes.set_ylim(len(titles) - 0.4, -0.6)
    axes.set_xlabel("Camber's time / best peer's time (log; left of 1: Camber is faster)")
    axes.legend(fontsize=8, loc="lower right")
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    plt.close(figure)


def write(measured: list[Measured], complete: bool) -> str:
    """results/<date>.md, .json and .png; a run of some rows adds -part to the name."""
    stem = HERE / "results" / (datetime.date.today().isoformat() + ("" if complete else "-part"))
    stem.parent.mkdir(exist_ok=True)
    about, asked = machine(), demands(measured)
    stem.with_suffix(".json").write_text(json.dumps({"machine": about, "targets": asked, "rows": measured}, indent=1))
    stem.with_suffix(".md").write_text(markdown(measured, about))
    said = "\n".join(map(target_text, asked))
    try:
        if any(m["ratio"] for m in measured):
            plot(measured, stem.with_suffix(".png"))
    except Exception as problem:  # the tables are written without it
        said += f"\nno plot: {type(problem).__name__}: {problem}"
    return f"{said}\n{stem}.md, .json, .png"
