"""Patches the examples of docs/adding-an-operator.md into a copy of the tree: apply.py TREE DOCUMENT row|derivative|flip."""

import re
import sys
from pathlib import Path

tree, document, what = Path(sys.argv[1]), Path(sys.argv[2]).read_text(), sys.argv[3]
blocks = dict(re.findall(r"^```\w+ ((?:line|patch)=\w+)\n(.*?)^```$", document, re.M | re.S))


def lines(key: str) -> list[str]:
    return blocks[key].rstrip("\n").split("\n")


def insert(path: str, after: str, new: list[str]) -> None:
    """After the first line that holds `after`; at the end where that is empty."""
    file = tree / path
    text = file.read_text().split("\n")
    at = next(i for i, line in enumerate(text) if after in line) + 1 if after else len(text)
    file.write_text("\n".join(text[:at] + new + text[at:]))


def row() -> None:
    """To the end of the list of one operand; its last line gets the backslash."""
    file = tree / "include/camber_ops.h"
    text = file.read_text().split("\n")
    i = next(i for i, line in enumerate(text) if "define CAMBER_UNARY_OPS" in line)
    while text[i + 1].lstrip().startswith("X("):
        i += 1
    ends = text[i].endswith("\\")
    text[i] = text[i] if ends else text[i] + " \\"
    text.insert(i + 1, "  " + lines("line=row")[0].strip() + (" \\" if ends else ""))
    file.write_text("\n".join(text))


if what == "row":
    row()
elif what == "derivative":
    insert("Sources/Tape/Ops/Elementwise.swift", "case .logistic_density: .factor", ["    " + lines("line=derivative")[0].strip()])
else:
    places = {
        "case": ("Sources/Tape/OpCode.swift", "case random, scan, part"),
        "table": ("Sources/Tape/Row.swift", "case .scan, .part: loopRow(s)"),
        "row": ("Sources/Tape/Ops/Shape.swift", ""),
        "prototype": ("include/camber.h", "camber_node camber_stack("),
        "entry": ("Sources/CamberC/ReductionEntries.swift", ""),
    }
    for key, (path, after) in places.items():
        insert(path, after, lines("patch=" + key))
    print(sum(len(lines("patch=" + key)) for key in places), "lines")
