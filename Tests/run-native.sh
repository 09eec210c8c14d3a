#!/bin/sh
# Builds and runs the C and C++ tests against a library: Tests/run-native.sh [folder of libcamber.so] [test ...]
# Each test's closing line is printed after its name; the exit status is non-zero when one fails. Tests: headers, api, easy,
# bad_input, threads, noalloc, cpp, adbench, quickstart. CC, CXX, CFLAGS and WRAP (valgrind, say) are taken from the environment.
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
lib=$(cd "${1:-$root/build}" && pwd) || exit 2
[ $# -gt 0 ] && shift
tests=${*:-headers api easy bad_input threads noalloc cpp adbench quickstart}
data=${CAMBER_SHARED:-$root/../shared}/data/adbench
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cc=${CC:-gcc} cxx=${CXX:-g++}
strict="-pedantic -Wall -Wextra -Werror"
include="-I$root/include -I$root/bindings/c -I$root/bindings/cpp"
link="-L$lib -lcamber -Wl,-rpath,$lib"
failed=0
[ -e "$lib/libcamber.so" ] || { echo "run-native: no libcamber.so in $lib" >&2; exit 2; }

# say NAME STATUS LINE
say() {
  printf '%-12s %s\n' "$1" "$3"
  [ "$2" -eq 0 ] || failed=1
}

# run NAME PROGRAM ARGUMENT...: the last line of what it prints, all of it where it fails
run() {
  name=$1
  shift
  timeout 600 $WRAP "$@" >"$work/$name.log" 2>&1
  status=$?
  [ $status -eq 0 ] || sed 's/^/    /' "$work/$name.log"
  say "$name" $status "$(tail -1 "$work/$name.log")$([ $status -gt 1 ] && echo " (exit $status)")"
}

# build NAME COMPILER FLAG...
build() {
  name=$1
  shift
  "$@" $strict $include $CFLAGS -o "$work/$name" $link || { say "$name" 1 "does not build"; return 1; }
}

headers() {
  passed=0 wrong=0
  for c in gcc clang; do
    command -v $c >/dev/null || continue
    for h in camber.h camber_easy.h; do
      for std in c99 c11 c17; do
        if $c -std=$std $strict $include -DHEADER="<$h>" "$here/c/header_a.c" "$here/c/header_b.c" -o "$work/header"; then passed=$((passed + 1)); else wrong=$((wrong + 1)); fi
      done
    done
  done
  for c in g++ clang++; do
    command -v $c >/dev/null || continue
    for h in camber.h camber_easy.h camber.hpp camber/base.hpp camber/node.hpp camber/ops.hpp camber/shapes.hpp camber/transforms.hpp camber/program.hpp camber/training.hpp camber/tensors.hpp; do
      for std in c++17 c++20; do
        if $c -std=$std $strict $include -DHEADER="<$h>" -x c++ "$here/c/header_a.c" "$here/c/header_b.c" -o "$work/header" $link; then passed=$((passed + 1)); else wrong=$((wrong + 1)); fi
      done
    done
  done
  say headers $wrong "$passed passed, $wrong failed"
}

quickstart() {
  cd "$root/examples/quickstart" || exit 2
  build quick_c $cc -std=c99 main.c && build quick_cpp $cxx -std=c++17 main.cpp || return
  right=0
  for program in quick_c quick_cpp; do
    "$work/$program" >"$work/$program.out" 2>&1 && diff expected.txt "$work/$program.out" && right=$((right + 1))
  done
  say quickstart $((2 - right)) "$right passed, $((2 - right)) failed"
}

for t in $tests; do
  case $t in
    headers) headers ;;
    quickstart) quickstart ;;
    api) build $t $cc -std=c11 -O1 "$here/c/test_api.c" -lm && run $t "$work/$t" "$root/include" ;;
    easy | bad_input | threads | noalloc) build $t $cc -std=c11 -O1 "$here/c/test_$t.c" -lm -lpthread && run $t "$work/$t" ;;
    cpp) build $t $cxx -std=c++17 -O1 "$here/cpp/test_cpp.cpp" -lpthread && run $t "$work/$t" ;;
    adbench)
      if [ -d "$data" ]; then build $t $cxx -std=c++17 -O1 "$here/cpp/adbench.cpp" && run $t "$work/$t" "$data"
      else say $t 0 "skipped: no $data (set CAMBER_SHARED)"; fi ;;
    *) say "$t" 1 "no such test" ;;
  esac
done
exit $failed
