# Sourced by the scripts here: `ok NAME COMMAND...` counts, `finish` prints "N passed, N failed" and exits.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 broken=0
version=$(awk '/define CAMBER_VERSION_(MAJOR|MINOR|PATCH)/ {v = v sep $3; sep = "."} END {print v}' "$root/include/camber.h")

ok() {
  local name=$1
  shift
  if "$@" >"$work/.out" 2>&1; then
    passed=$((passed + 1))
    echo "ok      $name"
  else
    failed=$((failed + 1))
    echo "FAILED  $name"
    tail -n 30 "$work/.out" | sed 's/^/        /'
  fi
}

finish() {
  echo "$passed passed, $failed failed"
  [ $((failed + broken)) -eq 0 ]
  exit
}
