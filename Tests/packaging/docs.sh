#!/usr/bin/env bash
# The documents: every function of camber.h has prose, excerpts stand in the files they name, every other block of code runs,
# every link leads somewhere.
. "$(dirname "$0")/check.sh"
cd "$root" || exit 2
documents="README.md docs/*.md"
mkdir "$work/code"
snippets() { python3 Tests/tools/snippets.py "$@"; }
link="-Lbuild -lcamber -lm -lpthread -Wl,-rpath,$root/build"
flags="-Wall -Wextra -Wno-unused -Wno-misleading-indentation -Iinclude -Ibindings/c -Ibindings/cpp"
in_c() { gcc -std=c11 -O1 $flags "$1" $link -o "$work/run_c" && (cd "$work" && ./run_c); }
in_cpp() { g++ -std=c++17 $flags "$1" $link -o "$work/run_cpp" && (cd "$work" && ./run_cpp); }
in_python() { (cd "$work" && PYTHONPATH=$root/bindings/python CAMBER_LIBRARY=$root/build/libcamber.so.0 "$root/.venv/bin/python" "$1"); }
in_swift() {
  local app=$work/app file
  mkdir -p "$app/Sources/snippets" && cp Tests/swift-client/Package.swift "$app" && cp "$work"/code/*.swift "$app/Sources/snippets" || return 1
  for file in "$work"/code/*.swift; do echo "try run_$(basename "$file" .swift)()"; done >"$app/Sources/snippets/main.swift"
  export CAMBER_PATH=$root CAMBER_PROGRAMS=snippets
  swift build -c release --package-path "$app" --scratch-path .build-client --product snippets &&
    (cd "$work" && "$root/.build-client/release/snippets")
}
links() {
  local document target bad=0
  for document in $documents; do
    for target in $(sed '/^```/,/^```/d' "$document" | grep -o '](\([^)#]*\))' | sed 's/^](//; s/)$//' | grep -v '^http'); do
      [ -e "$(dirname "$document")/$target" ] || { echo "$document: $target"; bad=1; }
    done
  done
  return $bad
}
nothing_of_this_machine() { ! git grep -nIE '/work/|/opt/swift|/root/' -- README.md docs bindings examples include Sources .ci Makefile; }

for h in camber camber_sparse camber_health; do ok "every function of $h.h has prose" python3 Tests/tools/prose.py include/$h.h; done
ok "excerpts" snippets excerpts . $documents
ok "links" links
ok "no path of one machine" nothing_of_this_machine
ok "snippets are there" test "$(snippets extract "$work/code" $documents)" -ge 20
for file in "$work"/code/*; do
  name=$(basename "$file")
  case $name in
    *.cpp) ok "C++ of $name" in_cpp "$file" ;;
    *.c) ok "C of $name" in_c "$file" ;;
    *.py) ok "Python of $name" in_python "$file" ;;
  esac
done
ls "$work"/code/*.swift >/dev/null 2>&1 && ok "Swift of all documents" in_swift
finish
