"""How far a number is to be trusted: the rounding error of a value, the origin of a NaN, an expression rewritten so that it keeps its digits, and a report of
all three. main.c, main.cpp and main.swift are the same program.
"""

import sys

import numpy as np

import camber as cb

report = cb.Report("health")


# Nearly 1/2 at a small x; as it stands, most of its digits are lost.
def f(x):
    return cb.label(1 - np.cos(x), "drop") / x**2


at = 1e-7
r = cb.rounding(f)(at)
print(f"value {r.value:.6f}, at most {r.bound:.3g} off, {r.bits_lost:.0f} bits lost; without rounding {r.corrected:.6f}")
print(f"lost by: {r.ranking[0].op}")
report.add(r)

# The same expression, rewritten where this point says that it pays.
stable = cb.stabilize(f, at)
rule = stable.log[0]
print(f"rule {rule.rule} {'made' if rule.made else 'left'}: {rule.before:.0f} bits lost before, {rule.after:.0f} after")
print(f"rewritten: {stable(at):.6f}")
report.add(stable)

# Entropy of (1, 0): 0 log 0 is a NaN. Where was it born?
born = cb.nonfinite(lambda p: np.sum(p * cb.label(np.log(p), "entropy")), np.array([1.0, 0.0]))
behind = born[0].behind
print(f"{len(born)} found: {born[0].kind} in {born[0].op}, behind it {behind.kind} at element {behind.element} of {behind.label}")
report.add(born)

print(f"report: {report.html().count('<section')} sections")
if len(sys.argv) > 1:
    report.save(sys.argv[1], "html")
