"""Counts what a log of tests says: prints "passed failed"; with --closing, the runners' own closing lines.

>>> count(["api          12 passed, 1 failed", "cpp          3 passed, 0 failed"])
(15, 1)
>>> count(["    28 passed, 2 failed", "noalloc      28 passed, 2 failed", "5 passed, 0 failed"])
(33, 2)
>>> count(["=== 2 failed, 40 passed, 1 skipped in 3.21s ==="])
(40, 2)
>>> count(["\\t Executed 3 tests, with 0 failures (0 unexpected) in 1 seconds", "\\t Executed 9 tests, with 2 failures (0 unexpected) in 1 seconds"])
(7, 2)
>>> count(["Test run with 30 tests in 4 suites passed after 1.2 seconds.", "Test run with 5 tests in 2 suites failed after 0.1 seconds with 2 issues."])
(33, 2)
"""

import re
import sys

CHECKS = re.compile(r"^(?:\S.*\s)?(\d+) passed, (\d+) failed(?: \(exit \d+\))?$")   # indented lines are quotations
PYTEST = re.compile(r"(?=.*\b(?:passed|failed|errors?)\b).* in [\d.]+s\b")
XCTEST = re.compile(r"Executed (\d+) tests?, with (?:\d+ tests? skipped and )?(\d+) failures?")
TESTING = re.compile(r"Test run with (\d+) tests?.*? (passed|failed) after .*?(?:with (\d+) issues?)?\.?$")


def number(word: str, line: str) -> int:
    found = re.search(rf"(\d+) {word}", line)
    return int(found.group(1)) if found else 0


def closing(lines: list[str]) -> list[tuple[str, int, int]]:
    """(line, passed, failed) of each closing line; of XCTest's nested suites only the last, which holds the others."""
    found, nested = [], None
    for line in map(str.rstrip, lines):
        if m := CHECKS.search(line):
            found.append((line, int(m[1]), int(m[2])))
        elif m := XCTEST.search(line):
            nested = (line.strip(), int(m[1]) - int(m[2]), int(m[2]))
        elif m := TESTING.search(line):
            failures = int(m[3] or 1) if m[2] == "failed" else 0
            found.append((line, max(0, int(m[1]) - failures), failures))
        elif PYTEST.search(line):
            found.append((line, number("passed", line), number("failed", line) + number("errors?", line)))
    return found + ([nested] if nested else [])


def count(lines: list[str]) -> tuple[int, int]:
    found = closing(lines)
    return sum(p for _, p, _ in found), sum(f for _, _, f in found)


if __name__ == "__main__":
    with open(sys.argv[-1], errors="replace") as log:
        text = log.readlines()
    if "--closing" in sys.argv:
        for line, _, _ in closing(text):
            print("    " + line)
    else:
        print(*count(text))
