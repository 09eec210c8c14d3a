#!/usr/bin/env bash
# run.sh [seconds [seed]]: fuzzes the C ABI, files of tensors and files of functions, each for so long, over a library with the address and (its C
# parts) the undefined sanitizer, instrumented so that libFuzzer sees what is reached. Fails on any finding, leaks and hangs (FUZZ_TIMEOUT, 5 s) among them; the input
# that shows it then lies in build/fuzz. FUZZ_LIB: the folder of another libcamber.so (.build-asan/debug: nothing is seen inside it, but nothing
# is built). FUZZ_COUNT: so many calls, or files, of each in rounds of `seconds`. FUZZ_TARGETS: which. FUZZ_FIGURES: a file for the counts.
set -u
cd "$(dirname "$0")/../.." || exit 2
seconds=${1:-30} seed=${2:-1} wanted=${FUZZ_COUNT:-0}
scratch=${FUZZ_SCRATCH:-.build-fuzz} out=build/fuzz
if [ -z "${FUZZ_LIB:-}" ]; then
  swift build -c release --product camber --scratch-path "$scratch" --sanitize=address \
    -Xswiftc -sanitize-coverage=edge,indirect-calls,inline-8bit-counters,pc-table \
    -Xcc -fsanitize-coverage=inline-8bit-counters,pc-table,trace-cmp -Xcc -g -Xswiftc -g \
    -Xcc -fsanitize=undefined -Xcc -fno-sanitize-recover=undefined -Xcc -fno-sanitize=function,alignment 2>&1 | grep -v "Cannot export local symbol" || true
  FUZZ_LIB=$scratch/release
fi
[ -e "$FUZZ_LIB/libcamber.so" ] || { echo "fuzz: no library in $FUZZ_LIB" >&2; exit 2; }
mkdir -p "$out"
lib=$(cd "$FUZZ_LIB" && pwd) status=0 passed=0 failed=0
export SWIFT_BACKTRACE=enable=no OPENBLAS_NUM_THREADS=1 ASAN_OPTIONS=${ASAN_OPTIONS:-allocator_may_return_null=1:malloc_context_size=4} UBSAN_OPTIONS=print_stacktrace=1
python3 Tests/fuzz/calls.py include/camber.h Tests/fuzz/abi.c "$out/calls.h" || exit 1

# One round of a target; what it did is added to `done`, in calls or files.
round() {
  local found longest=4096
  found=$(mktemp -d)
  [ "$1" = tensors ] && longest=1024
  "$out/$1" -seed="$2" -max_total_time="$seconds" -timeout=${FUZZ_TIMEOUT:-5} -max_len=$longest -rss_limit_mb=4096 -len_control=20 -print_final_stats=1 \
    -artifact_prefix="$out/$1-" "$found" "Tests/fuzz/corpus/$1" >"$out/$1.log" 2>&1
  local result=$?
  rm -rf "$found"
  inputs=$((inputs + $(grep -a number_of_executed_units "$out/$1.log" | grep -oE '[0-9]+$' || echo 0)))
  if [ "$1" = abi ]; then done=$((done + $(grep -aoE '^calls: [0-9]+' "$out/$1.log" | grep -oE '[0-9]+' || echo 0))); else done=$inputs; fi
  return $result
}

for target in ${FUZZ_TARGETS:-abi tensors saved}; do
  rm -f "$out/$target"
  clang -std=c11 -O1 -g -Wall -Wextra -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -Iinclude -I"$out" "Tests/fuzz/$target.c" -L"$lib" -lcamber -Wl,-rpath,"$lib" -o "$out/$target" 2>"$out/$target.build"
  [ -x "$out/$target" ] || { grep -v "Cannot export local symbol" "$out/$target.build" >&2; exit 2; }
  done=0 inputs=0 rounds=0 begin=$SECONDS
  while round "$target" $((seed + rounds)); do
    rounds=$((rounds + 1))
    [ "$done" -lt "$wanted" ] || break
  done
  [ -n "${FUZZ_FIGURES:-}" ] && printf '%s_count %s\n%s_seconds %s\n' "$target" "$done" "$target" $((SECONDS - begin)) >>"$FUZZ_FIGURES"
  if [ "$rounds" -eq 0 ] || [ "$done" -lt "$wanted" ]; then
    status=1 failed=$((failed + 1))
    grep -aE "\.[ch]:[0-9]+: |ERROR|SUMMARY|Fatal error|runtime error|Test unit written" "$out/$target.log" | head -20
    echo "fuzz $target: FAILED, see $out/$target.log"
  else
    passed=$((passed + 1))
    echo "fuzz $target: $inputs inputs, $done $([ $target = abi ] && echo calls || echo files) in $((SECONDS - begin)) s, $(grep -aoE 'cov: [0-9]+' "$out/$target.log" | tail -1), nothing found"
  fi
done
echo "$passed passed, $failed failed"
exit $status
