#!/usr/bin/env bash
# The operators of docs/adding-an-operator.md, softsign in two lines and flip in twenty: patched into a copy of the tree, built,
# called from four languages, differentiated twice. With the first line alone the build stops at "switch must be exhaustive".
. "$(dirname "$0")/check.sh"
here=$root/Tests/packaging/operator
tree=$work/camber
mkdir "$tree"
git -C "$root" ls-files -z --cached --others --exclude-standard | (cd "$root" && xargs -0 -I{} sh -c 'test ! -e "$1" || printf "%s\0" "$1"' _ {}) |
  tar -C "$root" --null -T - -cf - | tar -C "$tree" -xf -
cp -r "$tree" "$work/before"
doc=$root/docs/adding-an-operator.md
patch() { python3 "$here/apply.py" "$tree" "$doc" "$1"; }
stops_at_switch() {
  cd "$tree" && swiftc -typecheck -module-name Tape -package-name camber -swift-version 5 -enable-upcoming-feature InternalImportsByDefault \
    -I Sources/CKernels/include $(find Sources/Tape -name '*.swift') >"$work/typecheck" 2>&1
  local status=$?
  cat "$work/typecheck"
  [ $status -ne 0 ] && grep -q 'Elementwise.swift.*error: switch must be exhaustive' "$work/typecheck" && [ "$(grep -c '^[^ ].*: error: ' "$work/typecheck")" -eq 1 ]
}
two_lines() { local n; n=$(diff -r "$work/before" "$tree" | grep -c '^> .*softsign'); diff -r "$work/before" "$tree"; [ "$n" -eq 2 ] && [ "$(grep -rc softsign "$tree/include" "$tree/Sources" | awk -F: '{s += $2} END {print s}')" -eq 2 ]; }

ok "the row is added" patch row
ok "the row alone: switch must be exhaustive, once" stops_at_switch
ok "the derivative is added" patch derivative
ok "two lines in all" two_lines
twenty() { patch flip >"$work/flip" && cat "$work/flip" && [ "$(cut -d' ' -f1 "$work/flip")" -le 20 ]; }
ok "flip: at most twenty lines" twenty

export CAMBER_PATH=$tree
cp -r "$here" "$work/use" && cd "$work/use" || exit 2
ok "the patched tree builds" swift build -Xcc -O1 -Xswiftc -use-ld=lld --scratch-path "$work/build"
bin=$(swift build --scratch-path "$work/build" --show-bin-path)
flags="-Wall -Wextra -Werror -I$tree/include -I$tree/bindings/c -I$tree/bindings/cpp"
link="-L$bin -lcamber -lm -Wl,-rpath,$bin"
in_c() { gcc -std=c99 $flags use.c $link -o use_c && ./use_c; }
in_cpp() { g++ -std=c++17 $flags use.cpp $link -o use_cpp && ./use_cpp; }
in_python() { CAMBER_LIBRARY=$bin/libcamber.so CAMBER_INCLUDE=$tree/include PYTHONPATH=$tree/bindings/python "$root/.venv/bin/python" use.py; }
ok "C" in_c
ok "C++" in_cpp
ok "Python" in_python
ok "Swift" "$bin/face"
finish
