"""Sick and healthy training runs: does the flow name the sickness, the layer, and does its remedy cure?

    python Benchmarks/health/runs.py [--sick 480] [--healthy 480] [--json FILE] [--dump FILE]

Every sick run has a twin without the fault: same data, seed, steps. A fault that does no harm (the sick run's final loss within 1.2 of the twin's) is
drawn again with another seed, after five draws with another architecture: it is no sickness. A run is judged from what `findings()` says after its last
step; the cure is the remedy of the first finding, applied by one call to fresh parameters of the same fault, then trained as long. --dump appends each run as a
line of JSON when it is done; what is in the file already is not run again, so that a run that was broken off goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
import camber as cb  # noqa: E402
from models import ARCHITECTURES, BATCH, TUNED, Architecture, digits, loss_of  # noqa: E402

KINDS = ("large", "small", "rate", "saturated", "dead", "f16 underflow", "f16 overflow", "bf16 stall", "inputs")
# What the first finding may be called.
NAMES = {"large": {"explode", "saturated"}, "small": {"vanish"}, "rate": {"learning rate"}, "saturated": {"saturated"}, "dead": {"dead"},
         "f16 underflow": {"f16 underflow"}, "f16 overflow": {"f16 overflow"}, "bf16 stall": {"bf16 stall"}, "inputs": {"inputs"}}  # fmt: skip
STEPS = 100
X, Y = digits()


def applies(kind: str, a: Architecture) -> bool:
    if kind == "saturated":
        return a.kind == "tanh"
    if kind == "dead":
        return a.kind == "relu"
    if kind in ("large", "small"):
        return "normalised" not in a.traits
    return True


def stored(w: Any, dtype: Any) -> Any:
    return cb.to_bf16(w) if dtype == cb.bfloat16 else w.astype(dtype)


class Case:
    """One training: an architecture, a seed, and what is wrong with it."""

    def __init__(self, a: Architecture, seed: int, kind: str = "") -> None:
        self.a, self.kind, self.seed = a, kind, seed
        rng = np.random.default_rng([seed, 77])
        self.rng = rng
        p = a.make(seed)
        self.names, arrays = p.names, p.arrays
        self.rate, self.factor, self.scale, self.compute, self.compensate = a.rate, 1.0, 1.0, None, 0
        self.storage: Any = np.float32
        self.steps = STEPS
        self.x, self.place = X, ""
        self.momentum = 0.9 if rng.random() < 0.5 else 0.0
        if self.momentum:
            self.rate /= 5
        if not kind:
            self._vary(rng)
        where = {n: i for i, n in enumerate(self.names)}
        if kind == "large":
            if a.recurrent:
                arrays[where["w_h"]] *= rng.uniform(4, 8)
            else:
                self._scale(arrays, where, rng, lambda: rng.uniform(40, 100), rng.uniform(4, 7))
        elif kind == "small":
            if a.recurrent:
                arrays[where["w_h"]] *= rng.uniform(0.005, 0.02)
                arrays[where["w_in"]] *= rng.uniform(0.005, 0.02)
            else:
                self._scale(arrays, where, rng, lambda: rng.uniform(0.0005, 0.004), rng.uniform(0.02, 0.1))
        elif kind == "rate":
            self.rate *= rng.uniform(40, 200)
        elif kind in ("saturated", "dead"):
            k = int(rng.integers(len(a.hidden)))
            struck = a.hidden if a.traits and kind == "dead" else a.hidden[k : k + 1]
            self.place = struck[0][0]
            for _, _, b in struck:
                n = arrays[where[b]].size
                arrays[where[b]][:] = rng.choice([-1, 1], n) * rng.uniform(6, 12, n) if kind == "saturated" else -rng.uniform(10, 30)
        elif kind == "f16 underflow":
            self.compute, self.factor = np.float16, 2.0 ** -rng.integers(19, 23)
        elif kind == "f16 overflow":
            self.compute = np.float16
            if rng.random() < 0.5:
                self.scale = 2.0 ** rng.integers(20, 24)
            else:
                self.x = X * np.float32(2.0 ** rng.integers(17, 20))
        elif kind == "bf16 stall":
            self.storage = cb.bfloat16
            self.rate *= 0.15
            self.steps = 200
        elif kind == "inputs":
            if rng.random() < 0.5:
                self.x = (X * 10 ** rng.uniform(-2, 2, 64)).astype(np.float32)
            else:
                self.x = (X + rng.uniform(20, 60) * rng.choice([-1, 1], 64)).astype(np.float32)
        self.params = [stored(w, self.storage) for w in arrays]

    def _scale(self, arrays: list[Any], where: dict[str, int], rng: Any, one: Any, every: float) -> None:
        hidden = self.a.hidden
        if rng.random() < 0.5:
            self.place, w, _ = hidden[rng.integers(len(hidden))]
            arrays[where[w]] *= one()
        else:
            for _, w, _ in hidden:
                arrays[where[w]] *= every

    def _vary(self, rng: Any) -> None:
        way = rng.integers(5)
        if way == 0:
            self.compute, self.scale = np.float16, 1024.0
        elif way == 1:
            self.storage, self.compensate = cb.bfloat16, 1
        self.rate *= rng.uniform(0.5, 1)

    def twin(self) -> "Case":
        """Without the fault."""
        t = Case(self.a, self.seed, self.kind)
        fresh = self.a.make(self.seed)
        t.params = [w.astype(np.float32) for w in fresh.arrays]
        t.storage, t.compute, t.scale, t.x = np.float32, None, 1.0, X
        if self.kind == "rate":
            t.rate = self.a.rate / (5 if self.momentum else 1)
        t.kind = "twin"
        return t

    def optimizer(self, params: list[Any]) -> Any:
        return cb.optim.SGD(params, learning_rate=self.rate / self.factor, momentum=self.momentum, compensate=self.compensate)

    def batch(self, step: int, x: Any = None) -> tuple[Any, Any, Any]:
        order = np.random.default_rng([self.seed, step]).integers(0, len(X), BATCH)
        return self.x[order], Y[order], np.float32(self.factor)

    def flow(self) -> Any:
        f = cb.flow(loss_of(self.a))
        if self.scale != 1 or self.compute is not None:
            f.set("loss_scale", self.scale)
        if self.compute is not None:
            f.set("compute", self.compute)
        if self.compensate:
            f.set("compensated", 1)
        return f

    def train(self, flow: Any = None, params: Any = None, optimizer: Any = None, scale: float | None = None) -> tuple[Any, float]:
        """Trains in place; the flow and the mean of the last fifteen losses (the worst there is where they are not finite)."""
        params = [p.copy() for p in self.params] if params is None else params
        flow = flow or self.flow()
        optimizer = optimizer or self.optimizer(params)
        scale = self.scale if scale is None else scale
        losses = []
        with np.errstate(all="ignore"):
            for step in range(self.steps):
                value, slopes = flow(params, *self.batch(step))
                losses.append(float(value) / self.factor)
                if scale != 1:
                    slopes = [(g / g.dtype.type(scale)) for g in slopes]
                optimizer.step(slopes)
        last = np.array(losses[-15:])
        return flow, float(np.mean(last)) if np.all(np.isfinite(last)) else float("inf")


    def cure(self, finding: Any) -> float:
        """The final loss of a training from the same start after one call for the finding's remedy."""
        params, flow = [p.copy() for p in self.params], self.flow()
        optimizer = self.optimizer(params)
        first = (params, *self.batch(0))
        with np.errstate(all="ignore"):
            for step in range(8):
                flow(params, *self.batch(step))
            try:
                self.said = flow.prescribe(finding, *first, optimizer=optimizer)
            except cb.Error as problem:
                self.said = str(problem)
                return float("inf")
        return self.train(flow, params, optimizer, flow.loss_scale)[1]


def judge(job: tuple[str, int, str]) -> dict[str, Any]:
    name, seed, kind = job
    case = Case(ARCHITECTURES[name], seed, kind)
    flow, loss = case.train()
    found = flow.findings()
    row = {"architecture": name, "seed": seed, "kind": kind, "loss": loss, "place": case.place, "found": [(f.kind, f.place, f.evidence) for f in found]}
    if kind:
        row["twin"] = case.twin().train()[1]
        row["sick"] = not loss <= 1.2 * row["twin"]
        if row["sick"] and found:
            row["cured"] = case.cure(found[0])
            row["remedy"], row["said"] = found[0].remedy, case.said
    return row


def figures(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Precision: of the runs with a finding, those that are sick and whose first finding names the sickness. Recall: of the sick, those named."""
    sick, healthy = [r for r in rows if r["kind"]], [r for r in rows if not r["kind"]]
    right = [r for r in sick if r["found"] and r["found"][0][0] in NAMES[r["kind"]]]
    alarms = [r for r in healthy if r["found"]]
    flagged = sum(bool(r["found"]) for r in sick) + len(alarms)
    placed = [r for r in right if r["place"]]
    cured = [r for r in sick if r.get("cured", float("inf")) <= 1.2 * r["twin"]]
    share = lambda a, b: len(a) / b if b else float("nan")  # noqa: E731
    return {"sick": len(sick), "healthy": len(healthy), "precision": share(right, flagged), "recall": share(right, len(sick)), "false_alarms": len(alarms),
            "right_layer": share([r for r in placed if r["found"][0][1] == r["place"]], len(placed)), "layers_asked": len(placed), "cured": share(cured, len(sick))}  # fmt: skip


def after(pairs: list[tuple[str, str]], r: dict[str, Any]) -> str:
    """Where a fault keeps doing no harm: the next architecture that it applies to."""
    names = [a for a, k in pairs if k == r["kind"]]
    return names[(names.index(r["architecture"]) + 1) % len(names)]


def main() -> int:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--sick", type=int, default=480)
    ask.add_argument("--healthy", type=int, default=480)
    ask.add_argument("--workers", type=int, default=2)
    ask.add_argument("--first-seed", type=int, default=1000)
    ask.add_argument("--json", type=Path)
    ask.add_argument("--dump", type=Path)
    o = ask.parse_args()
    begin = time.time()
    pairs = [(a.name, k) for k in KINDS for a in ARCHITECTURES.values() if applies(k, a)]
    rows: list[dict[str, Any]] = []
    jobs = [(pairs[i % len(pairs)][0], o.first_seed + i // len(pairs), pairs[i % len(pairs)][1]) for i in range(o.sick)]
    names = list(ARCHITECTURES)
    jobs += [(names[i % len(names)], o.first_seed + i // len(names), "") for i in range(o.healthy)]
    harmless = 0
    known = {}
    if o.dump and o.dump.exists():
        known = {(r["architecture"], r["seed"], r["kind"]): r for r in map(json.loads, o.dump.read_text().splitlines())}
    with Pool(o.workers) as pool:
        for draw in range(16):
            done = [known[j] for j in jobs if j in known]
            for r in pool.imap(judge, [j for j in jobs if j not in known]):
                done.append(r)
                if o.dump:
                    with open(o.dump, "a") as file:
                        file.write(json.dumps(r) + "\n")
            rows += [r for r in done if not r["kind"] or r["sick"]]
            again = [r for r in done if r["kind"] and not r["sick"]]
            harmless += len(again)
            # Elsewhere a seed of its own: the architecture's own draws go on beside it.
            elsewhere = draw >= 4
            jobs = [(after(pairs, r) if elsewhere else r["architecture"], r["seed"] + 100_000 + elsewhere, r["kind"]) for r in again]
            if not jobs:
                break
    groups = {"all": rows, "tuned": [r for r in rows if r["architecture"] in TUNED], "held_out": [r for r in rows if r["architecture"] not in TUNED]}
    out = {name: figures(group) for name, group in groups.items()}
    for name, f in out.items():
        print(name, json.dumps({k: round(v, 4) for k, v in f.items()}))
    print("faults that did no harm, drawn again:", harmless, " seconds:", round(time.time() - begin))
    for kind in KINDS:
        print(f"{kind:14}", json.dumps({k: round(v, 3) for k, v in figures([r for r in rows if r["kind"] == kind]).items() if k in ("sick", "recall", "right_layer", "cured")}))
    for r in rows:
        wrong = r["kind"] and not (r["found"] and r["found"][0][0] in NAMES[r["kind"]])
        if wrong or not r["kind"] and r["found"]:
            print("  missed:" if r["kind"] else "  alarm:", r["architecture"], r["seed"], r["kind"], r["place"], f"loss {r['loss']:.3g}", [f[:2] for f in r["found"]])
        elif r["kind"] and r["place"] and r["found"][0][1] != r["place"]:
            print("  other layer:", r["architecture"], r["seed"], r["kind"], r["place"], r["found"][0][1])
        if r["kind"] and not wrong and not r.get("cured", float("inf")) <= 1.2 * r["twin"]:
            print("  not cured:", r["architecture"], r["seed"], r["kind"], r["place"], f"sick {r['loss']:.3g} twin {r['twin']:.3g} cured {r.get('cured', float('nan')):.3g}", r.get("said", ""))
    if o.json:
        o.json.write_text(json.dumps({"figures": out, "harmless": harmless}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
