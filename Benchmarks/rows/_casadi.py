"""CasADi in two forms: the C that it generates, compiled and called natively; its virtual machine on bound buffers."""

from pathlib import Path

from harness import Engine, Inputs


def row_major(x):
    """CasADi stores column after column; the transpose, densified, has row-major order."""
    import casadi

    return casadi.densify(x.T if x.shape[1] > 1 else x)


def c_engine(build, arguments: dict[str, int], name: str = "CasADi, generated C") -> Engine:
    """`build(inputs)` gives a casadi.Function; `arguments`: its inputs with the numbers that each point takes (0: all)."""

    def generate(inputs: Inputs, folder: Path) -> None:
        import os

        f = build(inputs)
        here = os.getcwd()
        os.chdir(folder)   # casadi writes beside where it runs
        try:
            f.generate("generated.c", {"with_header": False})
        finally:
            os.chdir(here)
        (folder / "arguments.txt").write_text("".join(f"{name} {n}\n" for name, n in arguments.items()))

    return Engine(name, source="casadi_c.cpp", flags=("-fopenmp",), generate=generate)


def vm_engine(build, arguments: list[str], name: str = "CasADi VM") -> Engine:
    """The function interpreted, through casadi's buffer interface: arrays bound once, no conversion a call."""

    def prepare(inputs: Inputs):
        import numpy as np

        f = build(inputs)
        buffer, evaluate = f.buffer()
        held = [np.ascontiguousarray(inputs[a]) for a in arguments]
        outputs = [np.zeros(f.numel_out(i)) for i in range(f.n_out())]
        for i, array in enumerate(held):
            buffer.set_arg(i, memoryview(array.reshape(-1)))
        for i, array in enumerate(outputs):
            buffer.set_res(i, memoryview(array))

        def step():
            evaluate()
            return outputs

        step.held = held
        return step

    return Engine(name, prepare, ("casadi",), threads=(1,))
