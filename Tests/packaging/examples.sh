#!/usr/bin/env bash
# The examples in four languages: the quick start against its expected output, the training to the last bit in every precision; then the whole
# training of `make demo`: at least 88 % in at most 90 s. CAMBER_BRIEF=1 leaves the last one out.
. "$(dirname "$0")/check.sh"
cd "$root" || exit 2
export PYTHON="$root/.venv/bin/python"
ok "the Swift examples build" swift build -c release --package-path examples --scratch-path .build-client
[ $failed -eq 0 ] && export SWIFT_EXAMPLES="$root/.build-client/release"
demo() {
  gcc -std=c11 -O2 -Iinclude -Ibindings/c examples/fashion/main.c -Lbuild -lcamber -lz -lm -Wl,-rpath,"$root/build" -o "$work/fashion" || return 1
  local begin=$SECONDS
  (cd "$work" && ./fashion) || return 1
  echo "$((SECONDS - begin)) s"
  [ $((SECONDS - begin)) -le 90 ]
}
accuracy() { awk '/^test accuracy:/ {right = $3 >= 88} END {exit !right}' "$work/demo"; }
Tests/run-native.sh build quickstart linalg fit custom checkpoint taylor sparse_example health_example saved control_example opf fashion sick || broken=1
if [ -z "${CAMBER_BRIEF:-}" ]; then
  ok "the demo trains in at most 90 s" demo
  cp "$work/.out" "$work/demo"
  sed 's/^/        /' "$work/demo"
  ok "at least 88 % test accuracy" accuracy
fi
finish
