"""Every function of a header has prose: prose.py HEADER. Counts, and names those without.

A function is documented by a comment in its paragraph (lines without a blank one between), or by one that stands right under the ruler
of its section."""

import re
import sys

text = open(sys.argv[1]).read()
text = text[text.index("#ifndef") :]
passed = failed = 0
section = False
for paragraph in re.split(r"\n\s*\n", text):
    rulers = re.findall(r"^/\* ---- .*$", paragraph, flags=re.M)
    rest = re.sub(r"^/\* ---- .*$", "", paragraph, flags=re.M)
    prose = "/*" in rest
    code = re.sub(r"/\*.*?\*/", "", rest, flags=re.S)
    names = re.findall(r"\b(camber_[a-z0-9_#]+)\s*\(", re.sub(r"^typedef.*$", "", code, flags=re.M))
    if rulers:
        section = prose or "row of camber_ops.h" in rulers[-1]
    elif prose and not names:
        section = True
    for name in names:
        if prose or section:
            passed += 1
        else:
            failed += 1
            print(f"FAILED  {name} has no prose")
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
