#!/usr/bin/env bash
# run.sh [seconds [seed]]: fuzzes the C ABI and saved files, each for so long, over an instrumented library with the address
# sanitizer. Fails on any finding; the input that shows it then lies in build/fuzz.
set -u
cd "$(dirname "$0")/../.." || exit 2
seconds=${1:-30} seed=${2:-1}
scratch=${FUZZ_SCRATCH:-.build-fuzz} out=build/fuzz
if [ -z "${FUZZ_LIB:-}" ]; then
  swift build -c release --product camber --scratch-path "$scratch" --sanitize=address \
    -Xswiftc -sanitize-coverage=edge,indirect-calls,inline-8bit-counters,pc-table \
    -Xcc -fsanitize-coverage=inline-8bit-counters,pc-table,trace-cmp -Xcc -g -Xswiftc -g 2>&1 | grep -v "Cannot export local symbol" || true
  FUZZ_LIB=$scratch/release
fi
[ -e "$FUZZ_LIB/libcamber.so" ] || { echo "fuzz: no instrumented library" >&2; exit 2; }
mkdir -p "$out"
lib=$(cd "$FUZZ_LIB" && pwd) status=0
export SWIFT_BACKTRACE=enable=no OPENBLAS_NUM_THREADS=1 ASAN_OPTIONS=${ASAN_OPTIONS:-allocator_may_return_null=1}
for target in abi tensors; do
  rm -f "$out/$target"
  clang -std=c11 -O1 -g -Wall -Wextra -fsanitize=fuzzer,address -Iinclude "Tests/fuzz/$target.c" -L"$lib" -lcamber -Wl,-rpath,"$lib" -o "$out/$target" 2>"$out/$target.build"
  [ -x "$out/$target" ] || { grep -v "Cannot export local symbol" "$out/$target.build" >&2; exit 2; }
  found=$(mktemp -d)
  longest=4096
  [ $target = tensors ] && longest=1024
  "$out/$target" -seed="$seed" -max_total_time="$seconds" -timeout=5 -max_len=$longest -rss_limit_mb=4096 -len_control=20 -print_final_stats=1 \
    -artifact_prefix="$out/$target-" "$found" "Tests/fuzz/corpus/$target" >"$out/$target.log" 2>&1
  if [ $? -ne 0 ]; then
    status=1
    grep -aE "abi.c:|tensors.c:|ERROR|SUMMARY|Fatal error|Test unit written" "$out/$target.log" | head -20
    echo "fuzz $target: FAILED, see $out/$target.log"
  else
    echo "fuzz $target: $(grep -a number_of_executed_units "$out/$target.log" | grep -oE '[0-9]+$') inputs in $seconds s, $(grep -aoE 'cov: [0-9]+' "$out/$target.log" | tail -1), nothing found"
  fi
  rm -rf "$found"
done
exit $status
