"""What every row of the benchmark shares: engines as processes, agreement before timing, rounds in alternation.

An engine is a process that sets a workload up, writes its results to a file, says `@{...}` and waits. Each line `run S` on
its stdin makes it time the workload for S seconds and answer with one line of JSON; `quit` ends it. Engines in Python
are functions of rows/*.py, served by `serve` below; native ones use native/worker.hpp.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import targets

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = ROOT / "build" / "bench"
VENV = ROOT / ".venv-bench"
ADBENCH = next((p for p in (Path(os.environ.get("CAMBER_ADBENCH", "/")) / ".", ROOT / "shared/data/adbench", ROOT.parent / "shared/data/adbench") if (p / "gmm").is_dir()), ROOT / "shared/data/adbench")
SAMPLE = 2e-3  # seconds of a sample: calls shorter than that are timed in groups
PATIENCE = 300  # seconds that an engine may take to answer, beyond the turn it was asked for

Inputs = dict[str, np.ndarray]
Step = Callable[[], Any]


# ---- What a row says ---------------------------------------------------------------------------------------------------


@dataclass
class Engine:
    """A competitor. `function(inputs)` gives a step; or `source` names a file of native/."""

    name: str
    function: Callable[[Inputs], Step] | None = None
    modules: tuple[str, ...] = ()  # imported before the clock of the set-up starts
    source: str = ""
    flags: tuple[str, ...] = ()
    generate: Callable[[Inputs, Path], None] | None = None  # writes <folder>/generated.c, compiled with the source
    enzyme: bool = False  # `source` is compiled by native/enzyme.py
    environment: dict[str, str] = field(default_factory=dict)
    threads: tuple[int, ...] = (1, 2)

    @property
    def camber(self) -> bool:
        return self.name.startswith("Camber")


@dataclass
class Row:
    """A workload: inputs drawn with a fixed seed, engines that compute the same numbers from them."""

    name: str
    title: str
    inputs: Callable[[], Inputs]
    engines: list[Engine]
    tolerance: float = 1e-8  # largest difference of two engines' results: see `difference`
    threads: tuple[int, ...] = (1, 2)
    note: str = ""


# ---- An engine's process, in Python -------------------------------------------------------------------------------------


def flat(results: Any) -> np.ndarray:
    """All numbers of nested results, in order, as f64."""
    if isinstance(results, dict):
        results = list(results.values())
    if isinstance(results, (list, tuple)):
        return np.concatenate([flat(r) for r in results])
    if hasattr(results, "detach"):
        results = results.detach().numpy()
    return np.asarray(results, np.float64).ravel()


def peak_mb() -> float:
    """The largest resident size of this process (getrusage would count what forked it)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def sample(step: Step, seconds: float) -> list[float]:
    """Seconds a call, one number a sample."""
    clock = time.perf_counter
    begin = clock()
    step()
    count = max(1, int(SAMPLE / max(clock() - begin, 1e-9)))
    times, end = [], clock() + seconds
    calls = range(count)
    while True:
        begin = clock()
        for _ in calls:
            step()
        now = clock()
        times.append((now - begin) / count)
        if now >= end and len(times) >= 3:
            return times


def serve(row: Row, engine: Engine, folder: Path) -> None:
    """The process of an engine in Python."""
    for module in engine.modules:
        importlib.import_module(module)
    inputs = load(folder)
    base = peak_mb()
    begin = time.perf_counter()
    assert engine.function is not None
    step = engine.function(inputs)
    first = flat(step())
    setup = time.perf_counter() - begin
    first.tofile(folder / f"{file_name(engine)}.out")
    say(setup=setup, base_mb=base)
    gc.disable()
    for line in sys.stdin:
        if line.startswith("run"):
            times = sample(step, float(line.split()[1]))
            say(times=times, peak_mb=peak_mb())
        else:
            return


def say(**values: Any) -> None:
    print("@" + json.dumps(values), flush=True)


# ---- Inputs in files ---------------------------------------------------------------------------------------------------


def save(inputs: Inputs, folder: Path) -> None:
    """name.f64 holds an array's numbers, shapes.txt the name, rank and dimensions of each."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, array in inputs.items():
        np.ascontiguousarray(array, np.float64).tofile(folder / f"{name}.f64")
        lines.append(" ".join(map(str, [name, array.ndim, *array.shape])))
    (folder / "shapes.txt").write_text("\n".join(lines) + "\n")


def load(folder: Path) -> Inputs:
    inputs = {}
    for line in (folder / "shapes.txt").read_text().splitlines():
        name, _, *shape = line.split()
        inputs[name] = np.fromfile(folder / f"{name}.f64").reshape([int(n) for n in shape])
    return inputs


def file_name(engine: Engine) -> str:
    return re.sub(r"\W+", "_", engine.name)


# ---- The parent ------------------------------------------------------------------------------------------------------------


def library() -> Path:
    """A copy of libcamber.so.0, so that a rebuild does not change it under a run; CAMBER_LIBRARY names another."""
    BUILD.mkdir(parents=True, exist_ok=True)
    source = Path(os.environ.get("CAMBER_LIBRARY", ROOT / "build" / "libcamber.so.0"))
    copy = BUILD / "libcamber.so.0"
    if source.resolve() != copy:
        shutil.copyfile(source, BUILD / "libcamber.so.0.tmp")
        os.replace(BUILD / "libcamber.so.0.tmp", copy)
    (BUILD / "libcamber.so").unlink(missing_ok=True)
    (BUILD / "libcamber.so").symlink_to("libcamber.so.0")
    return copy


def native_name(engine: Engine) -> str:
    return re.sub(r"\W+", "_", "-".join([Path(engine.source).stem, *engine.flags]))


def compile_native(engine: Engine, folder: Path, inputs: Inputs) -> Path:
    """Builds a native engine, once for all its rows; a generated one in the row's folder, with its compile time beside."""
    site = next((VENV / "lib").glob("python*/site-packages"))
    out = folder / file_name(engine) if engine.generate else BUILD / native_name(engine)
    sources = [str(HERE / "native" / engine.source)]
    begin = time.perf_counter()
    if engine.generate:
        engine.generate(inputs, folder)
        if (folder / "generated.c").exists():
            subprocess.run(["gcc", "-O3", "-march=native", "-c", "-w", folder / "generated.c", "-o", folder / "generated.o"], check=True)
            (folder / "generated.c").unlink()
            sources.append(str(folder / "generated.o"))
        out.with_suffix(".seconds").write_text(str(time.perf_counter() - begin))
    elif out.exists() and out.stat().st_mtime > max(p.stat().st_mtime for p in [*(HERE / "native").iterdir(), BUILD / "libcamber.so.0"]):
        return out
    made = subprocess.run(
        ["g++", "-std=c++17", "-O3", "-march=native", "-DNDEBUG", "-w", *sources, "-o", out,
         f"-I{ROOT}/include", f"-I{ROOT}/bindings/cpp", f"-I{ROOT}/Tests/cpp", f"-I{HERE}/native", f"-I{site}/cmeel.prefix/include", "-isystem/usr/include/trilinos",
         f"-L{BUILD}", f"-Wl,-rpath,{BUILD}", *engine.flags], stderr=subprocess.PIPE, text=True)  # fmt: skip
    if made.returncode:
        raise RuntimeError("; ".join(line for line in made.stderr.splitlines() if "error" in line)[:400])
    return out


class Process:
    """An engine at work."""

    def __init__(self, row: Row, engine: Engine, folder: Path, threads: int, inputs: Inputs) -> None:
        self.engine, self.times, self.medians, self.peak = engine, [], [], 0.0
        count = str(threads)
        environment = os.environ | {name: count for name in
            ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "CAMBER_NUM_THREADS")} | {
            "CAMBER_LIBRARY": str(BUILD / "libcamber.so.0"), "LD_LIBRARY_PATH": str(BUILD), "CAMBER_ADBENCH": str(ADBENCH),
            "PYTHONPATH": f"{HERE}:{ROOT}/bindings/python", "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1",
            "PYTHONDONTWRITEBYTECODE": "1", "TORCHINDUCTOR_CACHE_DIR": str(BUILD / "inductor")} | engine.environment  # fmt: skip
        if engine.enzyme:
            command = [sys.executable, "-P", str(HERE / "native/enzyme.py"), str(folder), str(folder / f"{file_name(engine)}.out"), *engine.flags]
        elif engine.source:
            command = [str(compile_native(engine, folder, inputs)), str(folder), str(folder / f"{file_name(engine)}.out")]
        else:
            command = [sys.executable, str(HERE / "run"), "--engine", row.name, engine.name, str(folder)]
        cpus = sorted(os.sched_getaffinity(0))[-threads:]
        self.log = open(folder / f"{file_name(engine)}.log", "w")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment,
                                        cwd=folder, preexec_fn=lambda: os.sched_setaffinity(0, cpus))  # fmt: skip
        try:
            self.setup = self.answer(PATIENCE)["setup"]
            if engine.generate:
                self.setup += float((folder / f"{file_name(engine)}.seconds").read_text())
            self.result = np.fromfile(folder / f"{file_name(engine)}.out")
        except Exception:
            self.quit()
            raise

    def answer(self, limit: float) -> dict[str, Any]:
        """The engine's next line; one that ends or says nothing for `limit` seconds is given up."""
        assert self.process.stdout is not None
        watch = threading.Timer(limit, self.process.kill)
        watch.start()
        try:
            setup = 0.0
            for line in self.process.stdout:
                if line.startswith("@"):
                    answer = json.loads(line[1:])
                    if "compiled" not in answer:
                        return answer | ({"setup": answer["setup"] + setup} if "setup" in answer else {})
                    setup = answer["compiled"]
        finally:
            late = not watch.is_alive()
            watch.cancel()
        log = Path(self.log.name).read_text()[-800:]
        raise RuntimeError(f"no answer within {limit:.0f} s" if late else f"ended with status {self.process.wait()}: {log}")

    def run(self, seconds: float) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"run {seconds}\n")
        self.process.stdin.flush()
        answer = self.answer(PATIENCE + seconds)
        self.times += answer["times"]
        self.medians.append(statistics.median(answer["times"]))
        self.peak = answer["peak_mb"]

    def quit(self) -> None:
        try:
            self.process.communicate("quit\n", timeout=10)
        except Exception:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def summary(self) -> dict[str, Any]:
        """Of the rounds' medians: their median; and quartiles of all samples, which show the spread."""
        low, _, high = statistics.quantiles(self.times, n=4)
        return {"engine": self.engine.name, "seconds": statistics.median(self.medians), "quartiles": [low, high],
                "best": min(self.times), "samples": len(self.times), "setup_seconds": self.setup, "peak_mb": self.peak}  # fmt: skip


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference, relative to the number plus the root mean square of all; infinite where counts differ or a
    number is not finite."""
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf")
    return float((np.abs(a - b) / (np.abs(b) + np.sqrt(np.mean(b * b)) + 1e-300)).max())


def measure(row: Row, threads: int, rounds: int, seconds: float, only: str = "") -> dict[str, Any]:
    """One row at one thread count: agreement first, then rounds A B C A B C ..."""
    folder = BUILD / "rows" / row.name
    inputs = row.inputs()
    save(inputs, folder)
    running, failed = [], {}
    engines = [e for e in row.engines if threads in e.threads and re.search(only, e.name, re.I)]
    for engine in engines:
        try:
            running.append(Process(row, engine, folder, threads, inputs))
        except Exception as problem:
            failed[engine.name] = str(problem).strip()[-400:]
    peers = [p for p in running if not p.engine.camber]
    reference = (peers or running)[0].result if running else None
    differences = {}
    for p in list(running):
        differences[p.engine.name] = difference(p.result, reference)
        if not differences[p.engine.name] <= row.tolerance and not p.engine.name.startswith("primal"):
            failed[p.engine.name] = f"disagrees with {(peers or running)[0].engine.name} by {differences[p.engine.name]:.1e}"
            running.remove(p)
            p.quit()
    for _ in range(rounds):
        for p in list(running):
            try:
                p.run(seconds)
            except Exception as problem:  # the others go on
                failed[p.engine.name] = str(problem).strip()[-400:]
                running.remove(p)
                p.quit()
    results = [p.summary() | {"difference": differences[p.engine.name]} for p in running]
    for p in running:
        p.quit()
    measured = {"row": row.name, "title": row.title, "threads": threads, "engines": results, "failed": failed, "note": row.note} | compare(results)
    return measured | {"targets": targets.of_row(measured)}


def unmeasured(row: Row, threads: int, why: str) -> dict[str, Any]:
    return {"row": row.name, "title": row.title, "threads": threads, "engines": [], "failed": {"all": why}, "note": row.note, "targets": []} | compare([])


def compare(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Camber's best form and the best peer, and their ratio."""
    ours = [r for r in results if r["engine"].startswith("Camber")]
    peers = [r for r in results if targets.is_peer(r["engine"])]
    if not ours or not peers:
        return {"ratio": None, "ratio_fastest": None}
    mine, best = (min(group, key=lambda r: r["seconds"]) for group in (ours, peers))
    return {"camber": mine["engine"], "best_peer": best["engine"], "ratio": mine["seconds"] / best["seconds"],
            "ratio_fastest": min(r["best"] for r in ours) / min(r["best"] for r in peers)}  # fmt: skip
