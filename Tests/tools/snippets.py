"""The code in the documents, made runnable.

snippets.py extract FOLDER DOCUMENT...   writes FOLDER/<document>.{c,cpp,py,swift}, one file a document and language
snippets.py excerpts ROOT DOCUMENT...    checks the blocks marked `file=PATH`: their lines stand together in that file

A fenced block runs when its language is c, cpp, python or swift and its info string holds nothing else. Blocks of one document run in
order. In C, C++ and Swift each is the body of a function of its own, with assert (Swift: precondition) at hand; #include and import
lines move to the top, and so do C and C++ blocks marked `top`. Python blocks share one module.
"""

import re
import sys
from pathlib import Path

FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.M | re.S)
TOP = {
    "c": "#undef NDEBUG\n#include <assert.h>\n#include <math.h>\n#include <stdio.h>\n#include <string.h>\n#include <camber_easy.h>\n",
    "cpp": "#undef NDEBUG\n#include <cassert>\n#include <cmath>\n#include <cstdio>\n#include <camber.hpp>\n",
    "swift": "import Camber\nimport Glibc\n",
}
SUFFIX = {"c": "c", "cpp": "cpp", "python": "py", "swift": "swift"}


def blocks(path: str):
    """(language, words of the info string, code, line number) of each fenced block."""
    text = Path(path).read_text()
    for m in FENCE.finditer(text):
        yield m[1], m[2].split(), m[3], text.count("\n", 0, m.start()) + 2


def extract(folder: str, documents: list[str]) -> None:
    total = 0
    for document in documents:
        stem = re.sub(r"\W", "_", Path(document).stem)
        for language, suffix in SUFFIX.items():
            tops, bodies = [TOP.get(language, "")], []
            for found, words, code, line in blocks(document):
                if found != language or (words and words != ["top"]):
                    continue
                total += 1
                mark = f'#line {line} "{document}"\n' if language in ("c", "cpp") else f'#sourceLocation(file: "{document}", line: {line})\n' if language == "swift" else f"# {document}:{line}\n"
                if words:
                    tops.append(mark + code)
                elif language == "python":
                    bodies.append(mark + code)
                else:
                    pattern = r"^import .*\n" if language == "swift" else r"^#include .*\n"
                    tops += re.findall(pattern, code, flags=re.M)
                    bodies.append(mark + re.sub(pattern, "\n", code, flags=re.M))
            if bodies:
                Path(folder, f"{stem}.{suffix}").write_text(program(language, stem, tops, bodies))
    print(total)


def program(language: str, stem: str, tops: list[str], bodies: list[str]) -> str:
    if language == "python":
        return "".join(bodies)
    if language == "swift":
        functions = [f"private func snippet{i}() throws {{\n{b}\n#sourceLocation()\n}}\n" for i, b in enumerate(bodies)]
        calls = "".join(f"  try snippet{i}()\n" for i in range(len(bodies)))
        return "".join(dict.fromkeys(tops)) + "".join(functions) + f"func run_{stem}() throws {{\n{calls}}}\n"
    functions = [f"static void snippet{i}(void) {{\n{b}\n}}\n" for i, b in enumerate(bodies)]
    calls = "".join(f"  snippet{i}();\n" for i in range(len(bodies)))
    return "".join(dict.fromkeys(tops)) + "".join(functions) + f"int main(void) {{\n{calls}  return 0;\n}}\n"


def excerpts(root: str, documents: list[str]) -> None:
    passed = failed = 0
    for document in documents:
        for _, words, code, at in blocks(document):
            for name in (w[5:] for w in words if w.startswith("file=")):
                text = [l.strip() for l in Path(root, name).read_text().split("\n")]
                want = [l.strip() for l in code.rstrip("\n").split("\n")]
                if any(text[i : i + len(want)] == want for i in range(len(text))):
                    passed += 1
                else:
                    failed += 1
                    print(f"FAILED  {document}:{at}: not in {name} as it stands")
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed != 0)


if __name__ == "__main__":
    {"extract": lambda a: extract(a[0], a[1:]), "excerpts": lambda a: excerpts(a[0], a[1:])}[sys.argv[1]](sys.argv[2:])
