"""camber.h read as data: prototypes, constants and operator rows. Nothing here is generated, nothing can fall out of step."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

HEADERS = ("camber.h", "camber_ops.h", "camber_sparse.h", "camber_health.h")
LISTS = {"UNARY": ("x",), "BINARY": ("x", "y"), "TERNARY": ("x", "y", "z")}


@dataclass(frozen=True)
class Row:
    """One elementwise operator: its name, the class of dtypes it takes, its operands."""

    name: str
    kind: str
    arity: int


@dataclass(frozen=True)
class Prototype:
    """One C function: types are C's own text without parameter names, such as ``const int64_t *``."""

    name: str
    result: str
    parameters: tuple[str, ...]


@dataclass(frozen=True)
class Struct:
    """A table of callbacks: its fields' names and types; a callback's type is ``void *``."""

    name: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Header:
    """What the headers say, and the digest of their bytes."""

    digest: str
    version: tuple[int, int, int]
    constants: dict[str, int]
    rows: tuple[Row, ...]
    prototypes: tuple[Prototype, ...]
    structs: dict[str, Struct]


def find() -> Path:
    """The folder of the headers: ``$CAMBER_INCLUDE``, ``camber/include`` if installed, else the repository's ``include``."""
    here = Path(__file__).resolve().parent
    places = [here / "include", *(up / "include" for up in list(here.parents)[:4])]
    if os.environ.get("CAMBER_INCLUDE"):
        places.insert(0, Path(os.environ["CAMBER_INCLUDE"]))
    for place in places:
        if all((place / name).is_file() for name in HEADERS):
            return place
    raise ImportError("camber: camber.h was not found in " + ", ".join(map(str, places)))


def fnv1a(data: bytes) -> str:
    """FNV-1a 64 as 16 hex digits.

    >>> fnv1a(b"a")
    'af63dc4c8601ec8c'
    """
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def read(folder: Path | None = None) -> Header:
    """Parses the headers in `folder`."""
    folder = folder or find()
    raw = [(folder / name).read_bytes() for name in HEADERS]
    main, ops, *others = (_without_comments(text.decode()) for text in raw)
    main = "\n".join([main, *others])
    rows = tuple(_rows(ops))
    version = tuple(int(_search(rf"CAMBER_VERSION_{part}\s+(\d+)", main)) for part in ("MAJOR", "MINOR", "PATCH"))
    prototypes = [*_prototypes(main), *_row_prototypes(main, rows)]
    return Header(fnv1a(b"".join(raw)), version, _constants(main), rows, tuple(prototypes), _structs(main))  # type: ignore[arg-type]


def _without_comments(text: str) -> str:
    return re.sub(r"//[^\n]*", " ", re.sub(r"/\*.*?\*/", " ", text, flags=re.S))


def _search(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise ImportError(f"camber.h: no match for {pattern}")
    return found.group(1)


def _rows(ops: str) -> list[Row]:
    rows = []
    for kind, operands in LISTS.items():
        body = _search(rf"#define CAMBER_{kind}_OPS\(X\)((?:.*\\\n)*.*)", ops)
        rows += [Row(name, cls, len(operands)) for name, cls in re.findall(r"X\((\w+),\s*(\w+),", body)]
    return rows


def _constants(text: str) -> dict[str, int]:
    found = {}
    for body in re.findall(r"enum\s*\{(.*?)\}", text, flags=re.S):
        for name, value in re.findall(r"(CAMBER_\w+)\s*=\s*(-?\d+)", body):
            found[name] = int(value)
    return found


def _structs(text: str) -> dict[str, Struct]:
    found = {}
    for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\}", text, flags=re.S):
        fields = []
        for line in (part.strip() for part in body.split(";")):
            pointer = re.search(r"\(\*(\w+)\)", line)
            if pointer:
                fields.append((pointer.group(1), "void *"))
            elif line:
                kind, names = re.match(r"(.*?[\w*]\s*)(\*?\w+(?:\s*,.*)?)$", line).groups()  # type: ignore[union-attr]
                for item in names.split(","):
                    star = "*" in item or "_callback" in kind
                    fields.append((item.strip(" *"), "void *" if star and "char" not in kind else _spaces(kind + ("*" if star else ""))))
        found[name] = Struct(name, tuple(fields))
    return found


def _prototypes(text: str) -> list[Prototype]:
    code = re.sub(r"^\s*#(?:.*\\\n)*.*$", "", text, flags=re.M)
    code = re.sub(r"CAMBER_(?:UNARY|BINARY|TERNARY)_OPS\(\w+\)", "", code)
    return [_prototype(*found) for found in re.findall(r"([\w ]+?[\s*]+)(camber_\w+)\(([^()]*)\)\s*;", code)]


def _row_prototypes(text: str, rows: tuple[Row, ...]) -> list[Prototype]:
    found = []
    pattern = r"#define CAMBER_X\(name, class, value\)(.*?)camber_##name\((.*?)\);\s*\n\s*CAMBER_(\w+?)_OPS"
    shapes = {len(LISTS[kind]): (result, args) for result, args, kind in re.findall(pattern, text)}
    for row in rows:
        result, args = shapes[row.arity]
        found.append(_prototype(result, f"camber_{row.name}", args))
    return found


def _prototype(result: str, name: str, args: str) -> Prototype:
    parameters = [_type(arg) for arg in args.split(",") if arg.strip() not in ("", "void")]
    return Prototype(name, _spaces(result.replace("extern", "")), tuple(parameters))


def _type(parameter: str) -> str:
    return _spaces(re.sub(r"\w+\s*$", "", parameter))


def _spaces(text: str) -> str:
    return re.sub(r"\s*\*\s*", " *", re.sub(r"\s+", " ", text)).replace("* *", "**").strip()
