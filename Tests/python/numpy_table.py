"""docs/numpy.md: every public function of numpy, numpy.linalg, numpy.fft and scipy.special, and what Camber makes of it.

Which are supported is what dispatches, not what is written here; why the others are not stands below. `python numpy_table.py` writes the
document, test_numpy_table.py runs every function that it claims.
"""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import numpy as np
import scipy
import scipy.special

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "bindings" / "python"))

import camber.special as csp  # noqa: E402
from camber._dispatch import FUNCTIONS, UFUNCS  # noqa: E402

MODULES = {"numpy": np, "numpy.linalg": np.linalg, "numpy.fft": np.fft, "scipy.special": scipy.special}

_WHY = {
    "its result's shape depends on values (camber.numpy.duplicated, isin and masks with np.where do the work in known shapes)":
        "argwhere flatnonzero intersect1d nonzero setdiff1d setxor1d trim_zeros union1d unique unique_all unique_counts unique_inverse unique_values",
    "changes its argument; use x.at[...].set and its kin": "copyto fill_diagonal place put put_along_axis putmask",
    "makes constants of host numbers: works as it is, in traced functions too":
        "arange asfarray bartlett blackman broadcast_shapes diag_indices empty eye full fromfunction hamming hanning identity indices ix_ kaiser "
        "mask_indices ones tri tril_indices triu_indices zeros bmat asmatrix",
    "camber.numpy.array and asarray take traced values; numpy's own cannot be told of them":
        "array asanyarray asarray asarray_chkfinite ascontiguousarray asfortranarray copyto require",
    "complex numbers": "eig eigvals roots sort_complex",
    "looks at bits": "bitwise_count frexp nextafter packbits spacing unpackbits",
    "no row for it: loops over bits of integers": "gcd lcm",
    "its edges depend on the data; np.linspace": "histogram_bin_edges",
    "quotient and remainder of polynomials strip zeros, which depends on values": "polydiv",
    "files, text and printing":
        "array2string array_repr array_str base_repr binary_repr format_float_positional format_float_scientific fromfile fromregex fromstring genfromtxt "
        "get_printoptions load loadtxt printoptions save savetxt savez savez_compressed set_printoptions",
    "questions about types, memory and settings; answered without values":
        "can_cast common_type einsum_path from_dlpack frombuffer fromiter get_include getbufsize geterr geterrcall info isdtype isfortran isscalar "
        "issubdtype iterable may_share_memory min_scalar_type mintypecode promote_types result_type setbufsize seterr seterrcall shares_memory "
        "show_config show_runtime test typename",
    "dates": "busday_count busday_offset datetime_as_string datetime_data is_busday isnat",
    "makes ufuncs or iterators of Python functions": "frompyfunc nested_iters",
}  # fmt: skip
WHY = {name: why for why, names in _WHY.items() for name in names.split()}
FFT = "Fourier transforms: not yet"
SPECIAL = {
    "gives zeros, nodes or weights, which are constants: call it outside": r".*_zeros|roots_.*|[a-z]+_roots|bernoulli|euler|mathieu_(even|odd)_coef",
    "gives a polynomial object": r"cheby[ctus]|gegenbauer|genlaguerre|hermite|hermitenorm|jacobi|laguerre|legendre|sh_(cheby[tu]|jacobi|legendre)",
    "complex numbers": r"hankel[12]e?|wofz|sph_harm_y(_all)?|modfresnel[mp]|h[12]vp|kelvin",
    "settings and tests": r"geterr|seterr|test",
    "a distribution's own parameter or inverse, found by a search: not yet": r".*dtr[icn].*|.*dtri.*|nct.*|ncf.*|nrdtri..|stdtri?.*|chnd.*|smirnovi?|kolmog.*|tklmbda",
    "spheroidal, Mathieu, parabolic cylinder and ellipsoidal functions: not planned": r"(obl|pro)_.*|mathieu_.*|pb[dvw].*|ellip_.*",
}


def functions(module: str) -> list[str]:
    """The public functions of a module, by name."""
    found = []
    for name in sorted(dir(MODULES[module])):
        value = getattr(MODULES[module], name)
        if not name.startswith("_") and callable(value) and not isinstance(value, (type, types.ModuleType)):
            found.append(name)
    return found


def traced(module: str, name: str) -> object | None:
    """Camber's form of a function; None where there is none."""
    if module == "scipy.special":
        return getattr(csp, name, None) if name in csp.__all__ else None
    value = getattr(MODULES[module], name)
    found = UFUNCS.get(value) or FUNCTIONS.get(value)
    refuses = getattr(found, "refuses", False) or "_missing" in getattr(found, "__qualname__", "")
    return None if refuses else found


def reason(module: str, name: str) -> str:
    """Why a function is not supported."""
    if module == "numpy.fft":
        return FFT
    if module == "scipy.special":
        return next((why for why, pattern in SPECIAL.items() if re.fullmatch(pattern, name)), "not yet")
    return WHY.get(name, "not yet")


def note(module: str, name: str) -> str:
    """What the traced form's own words add."""
    text = (getattr(traced(module, name), "__doc__", None) or "").strip().split("\n")[0]
    text = re.sub(r"^``np\.[\w.]+``[.:;,]?\s*", "", text)
    return text.rstrip(".").replace("|", "\\|")


def counts() -> dict[str, tuple[int, int]]:
    """Supported and all, a module."""
    return {m: (sum(traced(m, n) is not None for n in functions(m)), len(functions(m))) for m in MODULES}


def table() -> str:
    """The document."""
    made, lines = counts(), []
    total = sum(s for s, _ in made.values())
    lines += [
        "# NumPy and SciPy, function by function", "",
        f"Camber traces {total} of the functions below: called on traced values, `np.sin(x)` records and has derivatives. The table is made by",
        "`Tests/python/numpy_table.py` from what dispatches; `Tests/python/test_numpy_table.py` runs every function it claims against NumPy itself, and",
        f"`test_numpy_semantics.py` their shapes, dtypes and axes. NumPy {'.'.join(np.__version__.split('.')[:2])}, SciPy {'.'.join(scipy.__version__.split('.')[:2])}.", "",
        "| module | traced | of |", "|---|---|---|",
    ]  # fmt: skip
    lines += [f"| {m} | {s} | {n} |" for m, (s, n) in made.items()]
    lines += [
        "", "scipy.special's functions are in `camber.special`; its ufuncs, called on traced values as they are, dispatch to them too. `out=` and `where=` of",
        "ufuncs are not traced (values are never changed in place: `np.where`), `where=` of reductions is. Methods of arrays follow their functions.",
        "Beside NumPy's, `camber.numpy` has `top_k`, `duplicated`, `cummax`, `cummin`, `cumargmax`, `cumargmin`, `cumlogsumexp`, `linear_recurrence`,",
        "`segment_sum`, `segment_prod`, `segment_max`, `segment_min`, `dynamic_slice`, `dynamic_update`, `logsumexp`, `relu`; `x.at[...]` for updates.",
    ]  # fmt: skip
    for m in MODULES:
        lines += ["", f"## {m}", "", "| function | | |", "|---|---|---|"]
        for n in functions(m):
            lines.append(f"| {n} | yes | {note(m, n)} |" if traced(m, n) is not None else f"| {n} | no | {reason(m, n)} |")
    return "\n".join(line.rstrip() for line in lines) + "\n"


if __name__ == "__main__":
    (ROOT / "docs" / "numpy.md").write_text(table())
    print(counts())
