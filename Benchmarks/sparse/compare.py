"""Sparse Jacobians and Hessians beside the peers: set-up, values, memory; colours beside ColPack.

    python compare.py [--sizes 32 128 256] [--hessian 1000000] [--seconds 1] [--engines camber asdex casadi cppad colpack]

Each engine is a process of its own. Camber runs in .venv (or the python that runs this), asdex and CasADi in .venv-bench, which `Benchmarks/run` makes (asdex is
fetched into it where it is missing, by pip, without what it needs, which is there), CppAD and ColPack are compiled (headers of PyPI's cmeel-cppad; Debian's libcolpack-dev). What
cannot run is said.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BENCH = ROOT / ".venv-bench"
ASDEX = ("asdex==0.5.1", "numba", "llvmlite")


def median(call, seconds):
    """Median time of a call, in ms, over so many seconds and three calls at least."""
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        t = time.perf_counter()
        call()
        times.append(time.perf_counter() - t)
    return 1e3 * statistics.median(times)


def report(setup, values, base, **more):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"setup_s": setup, "values_ms": values, "MB": (peak - base) / 1024, **more}))


def camber(problem, n, seconds):
    import numpy as np

    sys.path.insert(0, str(ROOT / "bindings/python"))
    import camber as cb
    import problems

    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rng = np.random.default_rng(0)
    if problem == "jacobian":
        f, x = problems.brusselator(np, n), rng.random(2 * n * n)
        made = cb.sparse_jacobian(f)
    else:
        f, x = problems.rosenbrock(np), rng.random(n)
        made = cb.sparse_hessian(f)
    t = time.perf_counter()
    out = made(x).data
    setup = time.perf_counter() - t
    values = median(lambda: made(x, out=out), seconds)
    g = cb.function(f)
    g(x)
    report(setup, values, base, entries=out.size, primal_ms=median(lambda: g(x), seconds / 2), sum=float(out.sum()))


def fetch_asdex():
    """asdex into a folder of .venv-bench, where its python does not find it."""
    python, folder = str(BENCH / "bin/python"), BENCH / "asdex"
    found = subprocess.run([python, "-c", "import importlib.util as u, sys; sys.exit(not u.find_spec('asdex'))"], capture_output=True)
    if found.returncode and not (folder / "asdex").is_dir() and BENCH.exists():
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target", str(folder), *ASDEX], check=False)


def asdex(problem, n, seconds):
    sys.path.append(str(BENCH / "asdex"))
    import jax

    jax.config.update("jax_enable_x64", True)
    import asdex as ad
    import jax.numpy as np
    import numpy
    import problems

    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rng = numpy.random.default_rng(0)
    f, x = (problems.brusselator(np, n), rng.random(2 * n * n)) if problem == "jacobian" else (problems.rosenbrock(np), rng.random(n))
    x = np.asarray(x)
    t = time.perf_counter()
    colored = (ad.jacobian_coloring if problem == "jacobian" else ad.hessian_coloring)(f, x)
    made = jax.jit((ad.jacobian_from_coloring if problem == "jacobian" else ad.hessian_from_coloring)(f, colored))
    y = jax.block_until_ready(made(x))
    setup = time.perf_counter() - t
    values = median(lambda: jax.block_until_ready(made(x)), seconds)
    report(setup, values, base, sum=float(np.sum(y.data)))


def casadi(problem, n, seconds):
    import casadi as ca
    import numpy as np
    import problems

    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rng = np.random.default_rng(0)
    t = time.perf_counter()
    if problem == "jacobian":
        x = ca.SX.sym("x", 2 * n * n)
        f = problems.brusselator(np, n)
        y = ca.vertcat(*f(np.array(ca.vertsplit(x), dtype=object).ravel()))
        j, point = ca.jacobian(y, x), rng.random(2 * n * n)
    else:
        x = ca.MX.sym("x", n)
        y = ca.sum1(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
        j, point = ca.hessian(y, x)[0], rng.random(n)
    f = ca.Function("j", [x], [j])
    buffer, call = f.buffer()
    data, out = np.array(point), np.zeros(f.sparsity_out(0).nnz())
    buffer.set_arg(0, memoryview(data))
    buffer.set_res(0, memoryview(out))
    call()
    setup = time.perf_counter() - t
    report(setup, median(call, seconds), base, entries=out.size, sum=float(out.sum()))


def compiled(source, flags, args, scratch):
    """Compiles a program of this folder and gives what it prints, as JSON."""
    path = Path(scratch) / Path(source).stem
    if not path.exists():
        subprocess.run(["g++", "-std=c++17", "-O2", "-DNDEBUG", "-w", str(HERE / source), "-o", str(path), *flags], check=True)
    return json.loads(subprocess.run([str(path), *args], capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}).stdout)


def engine(name, problem, n, seconds, scratch):
    if name == "cppad":
        include = next(BENCH.glob("lib/python3*/site-packages/cmeel.prefix/include"))
        lib = include.parent / "lib"
        return compiled("cppad.cpp", [f"-I{include}", f"-L{lib}", "-lcppad_lib", f"-Wl,-rpath,{lib}"], [problem, str(n), str(seconds)], scratch)
    python = sys.executable if name == "camber" else str(BENCH / "bin/python")
    done = subprocess.run([python, __file__, "--one", name, problem, str(n), str(seconds)], capture_output=True, text=True, cwd=HERE, timeout=900)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no output"])[-1])
    return json.loads(done.stdout.splitlines()[-1])


def colours(sizes, scratch):
    """Column colours of the Brusselator's pattern beside ColPack's, natural / largest first / smallest last / incidence degree."""
    import numpy as np

    sys.path.insert(0, str(ROOT / "bindings/python"))
    import camber as cb
    import problems

    names = ("natural", "largest_first", "smallest_last", "incidence_degree")
    for n in sizes:
        rows, cols = (np.array(v) for v in problems.entries(n))
        shape = (2 * n * n, 2 * n * n)
        own, times = [], []
        for o in (*names, "portfolio"):
            t = time.perf_counter()
            own.append(int(cb.color(rows, cols, shape, "column", o).max()))
            times.append(time.perf_counter() - t)
        line = f"colors      n={n:<5} Camber {'/'.join(map(str, own[:4]))} (best of all, iterated: {own[4]}) in {1e3 * sum(times[:4]):.1f} ms ({1e3 * times[4]:.0f})"
        try:
            their = compiled("colpack.cpp", ["-I/usr/include/ColPack", "-lColPack", "-fopenmp"], [str(n)], scratch)
            line += f"; ColPack {'/'.join(str(c) for c in their['colors'])} in {their['ms']:.1f} ms"
        except (subprocess.CalledProcessError, FileNotFoundError, OSError, json.JSONDecodeError) as e:
            line += f"; ColPack: {e}"
        print(line, flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="*", default=[32, 128, 256])
    parser.add_argument("--hessian", type=int, nargs="*", default=[1000, 1_000_000])
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--engines", nargs="*", default=["camber", "asdex", "casadi", "cppad", "colpack"])
    parser.add_argument("--one", nargs=4)
    args = parser.parse_args()
    if args.one:
        name, problem, n, seconds = args.one
        return {"camber": camber, "asdex": asdex, "casadi": casadi}[name](problem, int(n), float(seconds))
    if "asdex" in args.engines:
        fetch_asdex()
    with tempfile.TemporaryDirectory() as scratch:
        for problem, sizes in (("jacobian", args.sizes), ("hessian", args.hessian)):
            for n in sizes:
                for name in args.engines:
                    if name == "colpack":
                        continue
                    try:
                        r = engine(name, problem, n, args.seconds, scratch)
                        more = f", primal {r['primal_ms']:.4f} ms" if "primal_ms" in r else ""
                        print(f"{problem:<9} n={n:<8} {name:<8} set up {r['setup_s']:8.3f} s, values {r['values_ms']:9.4f} ms, {r['MB']:7.0f} MB{more}", flush=True)
                    except Exception as e:  # a peer that is not there is said, and the rest goes on
                        print(f"{problem:<9} n={n:<8} {name:<8} {type(e).__name__}: {str(e)[:160]}", flush=True)
        if "colpack" in args.engines:
            colours([n for n in args.sizes if n <= 64], scratch)


if __name__ == "__main__":
    main()
