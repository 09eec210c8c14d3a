#!/bin/sh
# Builds and runs the C and C++ tests against a library: Tests/run-native.sh [folder of libcamber.so] [test ...]
# Each test's closing line is printed after its name; the exit status is non-zero when one fails. Tests: headers, api, easy,
# bad_input, regressions, solve, curvature, rounding, archive, threads, noalloc, host, cpp, generic, eigen, adbench, quickstart, linalg, fit, custom, checkpoint, taylor, health_example, saved, package, opf, fashion, sick. CC, CXX, CFLAGS and WRAP (valgrind, say) are taken from the environment.
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
lib=$(cd "${1:-$root/build}" && pwd) || exit 2
[ $# -gt 0 ] && shift
tests=${*:-headers api easy bad_input regressions solve curvature rounding health sparse plan archive threads noalloc host cpp generic eigen adbench quickstart linalg fit custom checkpoint taylor sparse_example saved package opf fashion}
data=${CAMBER_SHARED:-$root/../shared}/data/adbench
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cc=${CC:-gcc} cxx=${CXX:-g++}
strict="-pedantic -Wall -Wextra -Werror"
include="-I$root/include -I$root/bindings/c -I$root/bindings/cpp"
link="-L$lib -lcamber -Wl,-rpath,$lib"
failed=0
[ -e "$lib/libcamber.so" ] || { echo "run-native: no libcamber.so in $lib" >&2; exit 2; }

# The examples in Python and Swift run too where there is a numpy (PYTHON names the interpreter) and where SWIFT_EXAMPLES is the
# folder of their built programs (swift build --package-path examples).
python=${PYTHON:-python3}
export PYTHONPATH="$root/bindings/python" PYTHONDONTWRITEBYTECODE=1 CAMBER_LIBRARY="$lib/libcamber.so.0"
python_has_camber() { $python -c 'import numpy, camber' 2>/dev/null; }

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
    for h in camber.h camber_sparse.h camber_health.h camber_easy.h; do
      for std in c99 c11 c17; do
        if $c -std=$std $strict $include -DHEADER="<$h>" "$here/c/header_a.c" "$here/c/header_b.c" -o "$work/header"; then passed=$((passed + 1)); else wrong=$((wrong + 1)); fi
      done
    done
  done
  for c in g++ clang++; do
    command -v $c >/dev/null || continue
    for h in camber.h camber_easy.h camber.hpp camber/base.hpp camber/node.hpp camber/ops.hpp camber/shapes.hpp camber/generic.hpp camber/windows.hpp camber/transforms.hpp camber/linalg.hpp camber/host.hpp camber/program.hpp camber/training.hpp camber/plan.hpp camber/solver.hpp camber/rounding.hpp camber/nonfinite.hpp camber/stabilizer.hpp camber/sparse.hpp camber/curvature.hpp camber/report.hpp camber/health.hpp camber/tensors.hpp camber/archive.hpp; do
      for std in c++17 c++20; do
        if $c -std=$std $strict $include -DHEADER="<$h>" -x c++ "$here/c/header_a.c" "$here/c/header_b.c" -o "$work/header" $link; then passed=$((passed + 1)); else wrong=$((wrong + 1)); fi
      done
    done
  done
  say headers $wrong "$passed passed, $wrong failed"
}

# A branch on a traced value is an error of the compiler that names the line and what to use instead.
branch() {
  said=$($cxx -std=c++17 $include -fsyntax-only "$here/cpp/branch.cpp" 2>&1) && said=""
  right=0
  echo "$said" | grep -q "branch.cpp:$(grep -n 'the line' "$here/cpp/branch.cpp" | cut -d: -f1)" && right=$((right + 1))
  echo "$said" | grep -q 'camber: a branch .* use select' && right=$((right + 1))
  [ $right -eq 2 ] || echo "$said" | head -20
  say branch $((2 - right)) "$right passed, $((2 - right)) failed"
}

# alike NAME: examples/NAME prints its expected.txt in every language at hand
alike() {
  example=$1
  cd "$root/examples/$example" || exit 2
  build ${example}_c $cc -std=c99 main.c -lm && build ${example}_cpp $cxx -std=c++17 main.cpp || return
  right=0 all=0
  for language in c cpp py swift; do
    case $language in
      py) python_has_camber || continue; set -- $python main.py ;;
      swift) [ -n "$SWIFT_EXAMPLES" ] || continue; set -- "$SWIFT_EXAMPLES/$example" ;;
      *) set -- "$work/${example}_$language" ;;
    esac
    all=$((all + 1))
    "$@" >"$work/$example.out" 2>&1 && diff expected.txt "$work/$example.out" && right=$((right + 1))
  done
  say "$example" $((all - right)) "$right passed, $((all - right)) failed"
}

control_example() {
  cd "$root/examples/control" || exit 2
  build control_c $cc -std=c99 main.c && build control_cpp $cxx -std=c++17 main.cpp || return
  right=0 all=0
  for language in c cpp py swift; do
    case $language in
      py) python_has_camber || continue; set -- $python main.py ;;
      swift) [ -n "$SWIFT_EXAMPLES" ] || continue; set -- "$SWIFT_EXAMPLES/control" ;;
      *) set -- "$work/control_$language" ;;
    esac
    all=$((all + 1))
    "$@" >"$work/control.out" 2>&1 && diff expected.txt "$work/control.out" && right=$((right + 1))
  done
  say control_example $((all - right)) "$right passed, $((all - right)) failed"
}

# A network that Python trains and saves with its derivatives, loaded and run in every language: the same digits.
saved() {
  cd "$root/examples/saved" || exit 2
  python_has_camber || { say saved 0 "skipped: no python with numpy"; return; }
  build saved_c $cc -std=c99 main.c && build saved_cpp $cxx -std=c++17 main.cpp || return
  right=0 all=1
  $python main.py save "$work/saved.camber" && $python main.py "$work/saved.camber" >"$work/saved.py" && grep -q '^0.75 0x1.8c3' "$work/saved.py" && right=1
  for language in c cpp swift; do
    case $language in
      swift) [ -n "$SWIFT_EXAMPLES" ] || continue; set -- "$SWIFT_EXAMPLES/saved" ;;
      *) set -- "$work/saved_$language" ;;
    esac
    all=$((all + 1))
    # Python pads hexadecimal floats with zeros; C does not.
    "$@" "$work/saved.camber" >"$work/saved.out" && python3 - "$work/saved.py" "$work/saved.out" <<'P' && right=$((right + 1))
import sys
a, b = ([[float.fromhex(w) if "0x" in w else w for w in line.split()] for line in open(p)] for p in sys.argv[1:])
sys.exit(a != b or len(a) != 5)
P
  done
  say saved $((all - right)) "$right passed, $((all - right)) failed"
}

# What is installed serves from wherever it lies: by pkg-config and by CMake, in C and C++, from outside the tree.
package() {
  version=$(awk '/define CAMBER_VERSION_(MAJOR|MINOR|PATCH)/ {v = v sep $3; sep = "."} END {print v}' "$root/include/camber.h")
  at=$work/first/lib/cmake/Camber
  mkdir -p "$work/first/include" "$work/first/lib/pkgconfig" "$at" "$work/use"
  cp "$lib/libcamber.so.0" "$work/first/lib" && ln -s libcamber.so.0 "$work/first/lib/libcamber.so"
  cp "$root"/include/*.h "$root/bindings/c/camber_easy.h" "$work/first/include" && cp -R "$root"/bindings/cpp/camber* "$work/first/include"
  sed "s/@VERSION@/$version/" "$root/bindings/c/camber.pc.in" >"$work/first/lib/pkgconfig/camber.pc"
  sed "s/@VERSION@/$version/" "$root/bindings/c/camber-config.cmake.in" >"$at/camber-config.cmake"
  sed "s/@VERSION@/$version/" "$root/bindings/c/camber-config-version.cmake.in" >"$at/camber-config-version.cmake"
  mv "$work/first" "$work/moved here"   # a path with a blank in it
  prefix="$work/moved here"
  cp "$root"/examples/quickstart/main.c* "$root"/examples/quickstart/expected.txt "$work/use" && cd "$work/use" || exit 2
  right=0 all=0
  if command -v pkg-config >/dev/null; then
    all=$((all + 3))
    export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
    [ "$(pkg-config --modversion camber)" = "$version" ] && right=$((right + 1))
    for pair in "$cc c" "$cxx cpp"; do
      set -- $pair
      eval "$1 main.$2 $(pkg-config --cflags --libs camber) -o pc_$2" && LD_LIBRARY_PATH="$prefix/lib" ./pc_$2 | diff expected.txt - && right=$((right + 1))
    done
  fi
  if command -v cmake >/dev/null; then
    all=$((all + 4))
    printf '%s\n' 'cmake_minimum_required(VERSION 3.16)' 'project(use C CXX)' 'set(CMAKE_CXX_STANDARD 17)' "find_package(Camber \${WANT} REQUIRED)" \
      'add_executable(use_c main.c)' 'add_executable(use_cpp main.cpp)' 'target_link_libraries(use_c Camber::camber)' 'target_link_libraries(use_cpp Camber::camber)' >CMakeLists.txt
    if cmake -S . -B b -DCMAKE_PREFIX_PATH="$prefix" -DWANT=0.1 >cmake.log 2>&1 && cmake --build b >>cmake.log 2>&1; then
      right=$((right + 1))
      for p in c cpp; do ./b/use_$p | diff expected.txt - && right=$((right + 1)); done
    else cat cmake.log; fi
    cmake -S . -B wrong -DCMAKE_PREFIX_PATH="$prefix" -DWANT=9.0 >/dev/null 2>&1 || right=$((right + 1))
  fi
  say package $((all - right)) "$right passed, $((all - right)) failed"
}

# The same training in every language at hand: output and weights are compared to the last bit.
fashion() {
  cd "$root/examples/fashion" && build fashion_c $cc -std=c99 -O2 main.c -lz -lm && build fashion_cpp $cxx -std=c++17 -O2 main.cpp -lz || return
  right=0 all=0
  for precision in f64 f32 bf16 f16; do
    for language in c cpp py swift; do
      case $language in
        py) python_has_camber || continue; set -- $python main.py ;;
        swift) [ -n "$SWIFT_EXAMPLES" ] || continue; set -- "$SWIFT_EXAMPLES/fashion" ;;
        *) set -- "$work/fashion_$language" ;;
      esac
      "$@" --precision $precision --limit 2560 --epochs 2 --seed 7 --out "$work/$language.st" >"$work/$language.out" || { cat "$work/$language.out"; : >"$work/$language.st"; }
      if [ $language = c ]; then
        all=$((all + 1))
        grep -q '^epoch 2 loss 0x' "$work/c.out" && right=$((right + 1))
        continue
      fi
      all=$((all + 2))
      diff "$work/c.out" "$work/$language.out" && right=$((right + 1))
      cmp "$work/c.st" "$work/$language.st" && right=$((right + 1))
    done
  done
  say fashion $((all - right)) "$right passed, $((all - right)) failed"
}

# The sick network in every language at hand: told what it has, healed, and the four print the same.
sick() {
  cd "$root/examples/sick" && build sick_c $cc -std=c99 -O2 main.c -lz -lm && build sick_cpp $cxx -std=c++17 -O2 main.cpp -lz || return
  right=0 all=1
  "$work/sick_c" --steps 100 --report "$work/sick.html" >"$work/sick.out" || cat "$work/sick.out"
  grep -q "found: vanish at layer 40" "$work/sick.out" && grep -q "verified: 24 steps on copies, nothing is found" "$work/sick.out" && grep -q "nothing found" "$work/sick.out" &&
    awk '/test accuracy:/ {right = $(NF - 1) >= 50} END {exit !right}' "$work/sick.out" && [ "$(wc -c <"$work/sick.html")" -le 1000000 ] && right=1 || cat "$work/sick.out"
  for language in cpp py swift; do
    case $language in
      py) python_has_camber || continue; set -- $python main.py ;;
      swift) [ -n "$SWIFT_EXAMPLES" ] || continue; set -- "$SWIFT_EXAMPLES/sick" ;;
      *) set -- "$work/sick_cpp" ;;
    esac
    all=$((all + 1))
    "$@" --steps 100 >"$work/sick.$language" && diff "$work/sick.out" "$work/sick.$language" && right=$((right + 1))
  done
  say sick $((all - right)) "$right passed, $((all - right)) failed"
}

# Optimal power flow by IPOPT, where there is one: costs, dense matrices and derivative checker are the program's own to judge.
opf() {
  grids=${CAMBER_SHARED:-$root/../shared}/data/opf
  pkg-config --exists ipopt 2>/dev/null || { say opf 0 "skipped: no IPOPT (coinor-libipopt-dev)"; return; }
  [ -d "$grids" ] || { say opf 0 "skipped: no $grids (set CAMBER_SHARED)"; return; }
  $cc -std=c11 -O1 -Wall -Wextra -Werror $include $(pkg-config --cflags ipopt) $CFLAGS "$root/examples/opf/main.c" -o "$work/opf" $link -lipopt -lm || { say opf 1 "does not build"; return; }
  grids=$(cd "$grids" && pwd)
  (cd "$work" && timeout 300 $WRAP ./opf "$grids" && timeout 300 $WRAP ./opf "$grids" measure) >"$work/opf.log" 2>&1
  status=$?
  [ $status -eq 0 ] || sed 's/^/    /' "$work/opf.log"
  say opf $status "$(grep -c 'checker content, equal to dense' "$work/opf.log") cases solved to the published costs"
}

for t in $tests; do
  case $t in
    opf) opf ;;
    headers) headers ;;
    quickstart | linalg | fit | custom | checkpoint | taylor) alike $t ;;
    sparse_example) alike sparse ;;
    health_example) alike health ;;
    saved) saved ;;
    control_example) control_example ;;
    package) package ;;
    fashion) fashion ;;
    sick) sick ;;
    api) build $t $cc -std=c11 -O1 "$here/c/test_api.c" -lm && run $t "$work/$t" "$root/include" ;;
    easy | bad_input | control | regressions | solve | curvature | rounding | nonfinite | health | sparse | plan | archive | memory | threads | noalloc | host) build $t $cc -std=c11 -O1 "$here/c/test_$t.c" -lm -lpthread && run $t "$work/$t" ;;
    generic)
      build $t $cxx -std=c++17 -O1 "$here/cpp/test_generic.cpp" && run $t "$work/$t" && branch
      build branches $cxx -std=c++17 -O1 "$here/cpp/test_branches.cpp" && run branches "$work/branches" ;;
    eigen)
      if [ -d /usr/include/eigen3 ]; then build $t $cxx -std=c++17 -O1 -isystem /usr/include/eigen3 "$here/cpp/test_eigen.cpp" && run $t "$work/$t"
      else say $t 0 "skipped: no Eigen"; fi ;;
    cpp) build $t $cxx -std=c++17 -O1 "$here/cpp/test_cpp.cpp" -lpthread && run $t "$work/$t" ;;
    adbench)
      if [ -d "$data" ]; then build $t $cxx -std=c++17 -O1 "$here/cpp/adbench.cpp" && run $t "$work/$t" "$data"
      else say $t 0 "skipped: no $data (set CAMBER_SHARED)"; fi ;;
    *) say "$t" 1 "no such test" ;;
  esac
done
exit $failed
