"""A native engine in Enzyme: enzyme.py FOLDER OUT FLAG... compiles enzyme.cpp with the clang of the package enzyme-ad, whose one face is
a JAX primitive, and calls its engine_main: timing and protocol are those of every native engine, JAX takes no part in them."""

import ctypes
import subprocess
import sys
import time
from pathlib import Path

ctypes.CDLL("libstdc++.so.6", mode=ctypes.RTLD_GLOBAL)  # where compiled code finds its symbols

import jax  # noqa: E402
import numpy as np  # noqa: E402
from enzyme_ad.jax import cpp_call  # noqa: E402

# The function that the primitive calls hands out the address of engine_main.
SOURCE = """
#include "enzyme.cpp"
template <std::size_t N>
void f(enzyme::tensor<double, 1> &out, const enzyme::tensor<double, N> &in) {
  int (*address)(const char *, const char *) = engine_main;
  double bits;
  __builtin_memcpy(&bits, &address, sizeof bits);
  out[0] = bits;
}
"""


def main() -> int:
    folder, out, *flags = sys.argv[1:]

    def gcc(*arguments: str) -> str:
        return subprocess.check_output(["gcc", *arguments], text=True)

    headers = gcc("-print-file-name=include").strip()  # the wheel's clang comes without its own
    cpu = next(line.split()[-1] for line in gcc("-march=native", "-Q", "--help=target").splitlines() if line.strip().startswith("-march="))
    arguments = ("-O3", "-std=c++17", "-target-cpu", cpu, "-w", "-isystem", headers, f"-I{Path(__file__).parent}", *flags)
    begin = time.perf_counter()
    shape = jax.core.ShapedArray((1,), np.float64)
    address = jax.jit(lambda x: cpp_call(x, out_shapes=[shape], source=SOURCE, fn="f", argv=arguments)[0])
    bits = np.asarray(address(np.zeros(1)))
    print(f'@{{"compiled": {time.perf_counter() - begin:.9g}}}', flush=True)
    return ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p)(int(bits.view(np.int64)[0]))(folder.encode(), out.encode())


if __name__ == "__main__":
    sys.exit(main())
