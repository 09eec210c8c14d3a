#!/usr/bin/env bash
# The sweeps that take longer than a test may: verify.sh [step ...]. Each writes docs/verified/<step>.json: seed, commit, figures.
# CAMBER_SEED sets the seed.
set -u
cd "$(dirname "$0")/../.."
export CAMBER_SEED=${CAMBER_SEED:-1} PYTHONDONTWRITEBYTECODE=1 CAMBER_LIBRARY="$PWD/build/libcamber.so.0"
root=$PWD
python=$root/.venv/bin/python
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
mkdir -p docs/verified
all="trainings languages figures rounding client valgrind python fuzz runs"
broken=""

make lib >"$work/lib.log" 2>&1 || { tail -30 "$work/lib.log"; exit 1; }

# record STEP STATUS SECONDS: figures are the lines "name value" of $work/STEP.figures, counts those of the log.
record() {
  python3 - "$@" "$work/$1.figures" "$work/$1.log" "$(git rev-parse HEAD)$(git diff --quiet HEAD || echo +changes)" <<'P'
import json, os, pathlib, subprocess, sys
step, status, seconds, figures, log, commit = sys.argv[1:]
passed, failed = map(int, subprocess.check_output([sys.executable, "Tests/tools/count.py", log], text=True).split())
lines = [l.split(None, 1) for l in pathlib.Path(figures).read_text().splitlines()] if pathlib.Path(figures).exists() else []
number = lambda v: float(v) if v.replace(".", "", 1).replace("-", "", 1).isdigit() else v
cpu = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "?")
out = {"step": step, "ok": status == "0" and failed == 0, "commit": commit, "seed": int(os.environ["CAMBER_SEED"]), "cpu": cpu, "cores": os.cpu_count(),
       "seconds": int(seconds), "passed": passed, "failed": failed, "figures": {k: number(v) for k, v in lines}}
pathlib.Path("docs/verified", step + ".json").write_text(json.dumps(out, indent=2) + "\n")
print(f"{step}: {'ok' if out['ok'] else 'FAILED'}, {passed} passed, {failed} failed, {seconds} s")
sys.exit(not out["ok"])
P
}

# The whole training in every precision: >= 88 % in f32 and f64, >= 87.5 % in 16 bits.
trainings() {
  local p begin right wanted failed=0 passed=0
  gcc -std=c11 -O2 -Iinclude -Ibindings/c examples/fashion/main.c -Lbuild -lcamber -lz -lm -Wl,-rpath,"$root/build" -o "$work/fashion" || return 1
  for p in f64 f32 bf16 f16; do
    begin=$SECONDS
    (cd "$work" && ./fashion --precision $p --seed "$CAMBER_SEED") >"$work/training" || return 1
    cat "$work/training"
    right=$(awk '/^test accuracy:/ {print $3}' "$work/training")
    wanted=87.5
    [ $p = f32 ] && wanted=88
    awk -v a="$right" -v b=$wanted 'BEGIN {exit !(a >= b)}' && passed=$((passed + 1)) || failed=$((failed + 1))
    printf '%s_accuracy_percent %s\n%s_seconds %d\n' $p "$right" $p $((SECONDS - begin)) >>"$work/trainings.figures"
  done
  echo "$passed passed, $failed failed"
  [ $failed -eq 0 ]
}

# Rounding bounds and estimates of expressions, loops and their gradients against mpmath: the targets of Benchmarks/health/rounding.py.
rounding() { PYTHONPATH="$root/bindings/python" "$python" Benchmarks/health/rounding.py --points 20 --seed "$CAMBER_SEED" --check --figures "$work/rounding.figures"; }

# The whole training in four languages: the same output and weights to the last bit.
languages() {
  local l failed=0 passed=0
  swift build -c release --package-path examples --scratch-path .build-client || return 1
  gcc -std=c11 -O2 -Iinclude -Ibindings/c examples/fashion/main.c -Lbuild -lcamber -lz -lm -Wl,-rpath,"$root/build" -o "$work/f_c" || return 1
  g++ -std=c++17 -O2 -Iinclude -Ibindings/cpp -Ibindings/c examples/fashion/main.cpp -Lbuild -lcamber -lz -Wl,-rpath,"$root/build" -o "$work/f_cpp" || return 1
  for l in c cpp py swift; do
    case $l in
      py) set -- env PYTHONPATH="$root/bindings/python" "$python" examples/fashion/main.py ;;
      swift) set -- .build-client/release/fashion ;;
      *) set -- "$work/f_$l" ;;
    esac
    "$@" --seed "$CAMBER_SEED" --out "$work/$l.weights" >"$work/$l.out" || return 1
    cmp "$work/c.out" "$work/$l.out" && cmp "$work/c.weights" "$work/$l.weights" && passed=$((passed + 1)) || failed=$((failed + 1))
  done
  awk '/^tape/ {print "tape", $2} /^test accuracy/ {print "accuracy_percent", $3}' "$work/c.out" >"$work/languages.figures"
  echo "$passed passed, $failed failed"
  [ $failed -eq 0 ]
}

# What recording, differentiating and running scalars costs.
figures() {
  gcc -std=c11 -O2 -Iinclude Tests/tools/figures.c -Lbuild -lcamber -lm -Wl,-rpath,"$root/build" -o "$work/figures" || return 1
  "$work/figures" | tee "$work/out" || return 1
  grep -v passed "$work/out" >"$work/figures.figures"
}

# Sick and healthy trainings: found, placed, cured.
runs() {
  PYTHONPATH="$root/bindings/python" "$python" Benchmarks/health/runs.py --json "$work/runs.json" || return 1
  "$python" - "$work/runs.json" >"$work/runs.figures" <<'P' || return 1
import json, sys
for group, f in json.load(open(sys.argv[1]))["figures"].items():
    for k, v in f.items():
        print(f"{group}_{k}", round(v, 4))
P
  awk '/^(all|held_out)_(precision|recall)/ && $2 < 0.98 || /^(all|held_out)_(right_layer|cured)/ && $2 < 0.95 {bad++} END {print (bad ? "3" : "4") " passed, " bad + 0 " failed"; exit bad > 0}' "$work/runs.figures"
}

client() { Tests/packaging/client.sh git; }
# Random call sequences and mutated files: for a time over an instrumented library, which shows libFuzzer what is reached and finds what is read beyond its
# end; then ten million of each over the released library (leaks, crashes and hangs are found there too), which is some fifty times as fast.
fuzz() {
  FUZZ_FIGURES="$work/instrumented" Tests/fuzz/run.sh "${FUZZ_SECONDS:-120}" "$CAMBER_SEED" || return 1
  sed 's/^/instrumented_/' "$work/instrumented" >"$work/fuzz.figures"
  FUZZ_LIB=build FUZZ_COUNT=${FUZZ_COUNT:-10000000} FUZZ_FIGURES="$work/fuzz.figures" Tests/fuzz/run.sh "${FUZZ_SECONDS:-120}" "$CAMBER_SEED"
}
valgrind() { VALGRIND_TESTS="api easy bad_input threads cpp" Tests/packaging/sanitize.sh valgrind; }
python() { CAMBER_SEEDS=1200 PYTHONPATH=Tests/tools "$python" -m pytest -q -p no:cacheprovider -p verify_profile --hypothesis-seed="$CAMBER_SEED" Tests/python; }

for name in ${*:-$all}; do
  case " $all " in *" $name "*) ;; *) echo "verify: no step $name; there are: $all" >&2; exit 2 ;; esac
  echo "==== $name"
  begin=$SECONDS
  $name >"$work/$name.log" 2>&1 </dev/null
  status=$?
  [ $status -eq 0 ] || tail -40 "$work/$name.log" | sed 's/^/    /'
  record "$name" $status $((SECONDS - begin)) || broken="$broken $name"
done
[ -z "$broken" ] || { echo "failed:$broken"; exit 1; }
