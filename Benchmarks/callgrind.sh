#!/usr/bin/env bash
# Instruction counts of ten small programs through the C ABI, against callgrind.baseline: a guard that noise does not move.
#   Benchmarks/callgrind.sh              compares; fails where a count grew by more than 3 %
#   Benchmarks/callgrind.sh --update     writes the counts as the new baseline
# CAMBER_LIBRARY names another library than build/libcamber.so.0. Counts are of valgrind's AVX2 machine with OpenBLAS's
# Haswell kernels on one thread, so that they are the same wherever they are taken with the same compilers.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$here/..
tolerance=3
work=$root/build/bench/callgrind
mkdir -p "$work"
cp "${CAMBER_LIBRARY:-$root/build/libcamber.so.0}" "$work/libcamber.so.0"
g++ -std=c++17 -O2 -w -I"$root/include" -I"$root/bindings/cpp" -I"$here/native" "$here/native/counted.cpp" \
  "$work/libcamber.so.0" -Wl,-rpath,"$work" -o "$work/counted"
export OPENBLAS_NUM_THREADS=1 OPENBLAS_CORETYPE=Haswell

count() {
  valgrind --tool=callgrind --collect-atstart=no --callgrind-out-file=/dev/null "$work/counted" "$1" 2>&1 |
    awk '/Collected :/ {print $NF; found = 1} END {exit !found}'
}

for kernel in $("$work/counted"); do
  echo "$kernel $(count "$kernel")"
done >"$work/counts"

if [ "${1:-}" = --update ]; then
  cp "$work/counts" "$here/callgrind.baseline"
  cat "$work/counts"
  exit
fi
awk -v tolerance="$tolerance" '
  NR == FNR {before[$1] = $2; next}
  {
    change = before[$1] ? 100 * ($2 / before[$1] - 1) : 0
    verdict = !($1 in before) ? "new" : change > tolerance ? "GREW" : change < -tolerance ? "shrank: --update keeps it" : "as before"
    grew += verdict == "GREW"
    printf "%-18s %12d %+7.2f %%  %s\n", $1, $2, change, verdict
  }
  END {if (grew) {printf "%d of %d kernels grew by more than %s %%\n", grew, FNR, tolerance; exit 1}}
' "$here/callgrind.baseline" "$work/counts"
