"""Enzyme: the templates that the tapes record, with doubles, differentiated by a compiler. The package enzyme-ad has one; see
native/enzyme.py."""

from harness import Engine


def engine(problem: str, *flags: str) -> Engine:
    return Engine("Enzyme", source="enzyme.cpp", flags=(f"-DPROBLEM={problem}", *flags), enzyme=True, threads=(1,))
