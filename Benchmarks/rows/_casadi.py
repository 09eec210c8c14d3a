"""CasADi in two forms: the C that it generates, compiled; and its virtual machine. Both are called from native/casadi_c.cpp."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import VENV, Engine, Inputs


def row_major(x: Any, sparse: bool = False) -> Any:
    """CasADi stores column after column: the transpose, densified unless `sparse`, lies row after row."""
    import casadi

    x = x.T if x.shape[1] > 1 else x
    return x if sparse else casadi.densify(x)


def engine(build: Callable[[Inputs], Any], arguments: dict[str, int], vm: bool = False) -> Engine:
    """`build(inputs)` gives a casadi.Function named f; `arguments`: the row's inputs that it takes, with the numbers that a
    point takes of each (0: all, for every point)."""

    def generate(inputs: Inputs, folder: Path) -> None:
        f, here = build(inputs), os.getcwd()
        os.chdir(folder)  # casadi writes where it runs
        try:
            f.save("f.casadi") if vm else f.generate("generated.c", {"with_header": False})
        finally:
            os.chdir(here)
        (folder / "arguments.txt").write_text("".join(f"{name} {n}\n" for name, n in arguments.items()))

    if not vm:
        return Engine("CasADi, generated C", source="casadi_c.cpp", flags=("-fopenmp",), generate=generate)
    site = next((VENV / "lib").glob("python*/site-packages/casadi"), Path())
    flags = ("-DVM", "-fopenmp", f"-I{site}/include", f"-L{site}", f"-Wl,-rpath,{site}", "-l:libcasadi.so.3.7")
    return Engine("CasADi VM", source="casadi_c.cpp", flags=flags, generate=generate, threads=(1,))
