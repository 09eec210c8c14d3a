#!/usr/bin/env bash
# Runs every test step, reports its time, and ends with one line "N passed, N failed". run-all.sh [step ...] runs only those.
# A step fails when it exits non-zero, counts a failure, or ran no test at all.
set -u
cd "$(dirname "$0")/../.."
export PATH="$PWD/Tests/tools:$PATH" PYTHONDONTWRITEBYTECODE=1 CAMBER_LIBRARY="$PWD/build/libcamber.so.0"
logs=build/logs
mkdir -p "$logs"
all="library swift native neon python examples headers exports install client operator docs valgrind address fuzz thread"
# step NAME COMMAND...: runs it and leaves "passed failed ok" in the step's .result.
step() {
  local name=$1 TIMEFORMAT='%0R s, %0U s of processor' ok=1 p f
  shift
  echo "==== $name: $*"
  { time timeout -k 10 "${CAMBER_STEP_TIMEOUT:-1200}" "$@" >"$logs/$name.log" 2>&1 </dev/null; } 2>"$logs/$name.time"
  local status=$?
  read -r p f < <(python3 Tests/tools/count.py "$logs/$name.log")
  if [ $status -ne 0 ] || [ "$f" -ne 0 ] || [ "$p" -eq 0 ]; then
    ok=0
    tail -n 60 "$logs/$name.log" | sed 's/^/    /'
    [ "$p" -ne 0 ] || [ $status -ne 0 ] || echo "    no test ran"
  else
    python3 Tests/tools/count.py --closing "$logs/$name.log"
  fi
  printf '%s: %d passed, %d failed, exit %d, %s\n' "$name" "$p" "$f" $status "$(tail -1 "$logs/$name.time")"
  [ $ok -eq 1 ] || [ "$f" -ne 0 ] || f=1
  echo "$p $f $ok" >"$logs/$name.result"
}

one() {
  local name=$1
  case $name in
    library) step library Tests/packaging/library.sh ;;
    swift) step swift swift test --scratch-path .build-test -Xcc -O2 ;;
    native) step native Tests/run-native.sh build headers api easy bad_input control regressions solve curvature rounding nonfinite health sparse plan archive threads noalloc host cpp generic eigen adbench ;;
    neon) step neon Tests/neon/run.sh ;;
    python) step python .venv/bin/python -m pytest -q -p no:cacheprovider Tests/python ;;
    examples) step examples Tests/packaging/examples.sh ;;
    headers) step headers Tests/packaging/headers.sh ;;
    exports) step exports Tests/packaging/exports.sh ;;
    install) step install Tests/packaging/install.sh ;;
    client) step client Tests/packaging/client.sh ;;
    operator) step operator Tests/packaging/operator.sh ;;
    docs) step docs Tests/packaging/docs.sh ;;
    valgrind | address | fuzz | thread) step "$name" Tests/packaging/sanitize.sh "$name" ;;
    *) echo "run-all: no step $name; there are: $all" >&2; exit 2 ;;
  esac
}

# Two lanes, each a processor's: what a step prints comes when it ends. Steps of one lane share build folders.
lane() {
  local name
  for name in "$@"; do
    one "$name" >"$logs/$name.out" 2>&1
    cat "$logs/$name.out"
  done
}

rm -f "$logs"/*.result
if [ $# -gt 0 ]; then
  for name in "$@"; do one "$name"; done
else
  one library
  lane swift address fuzz thread &
  lane python native neon examples headers exports install client operator docs valgrind
  wait
fi

failed=0 passed=0 broken=""
for name in ${*:-$all}; do
  p=0 f=1 ok=0
  [ ! -e "$logs/$name.result" ] || read -r p f ok <"$logs/$name.result"
  passed=$((passed + p)) failed=$((failed + f))
  [ "$ok" -eq 1 ] || broken="$broken $name"
done
echo "==== $SECONDS s${broken:+; failed:$broken}"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
