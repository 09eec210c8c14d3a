#!/usr/bin/env bash
# sanitize.sh valgrind | address | fuzz | thread: the C tests under each; fuzz: random calls and files under the first. The sanitized libraries are debug builds.
set -u
cd "$(dirname "$0")/../.." || exit 2
swift_lib=$(dirname "$(dirname "$(readlink -f "$(command -v swiftc)")")")/lib/swift/linux
build() { swift build --product camber --sanitize "$1" --scratch-path "$2" -Xcc -O1 -Xswiftc -use-ld=lld || exit 2; }
case ${1:-} in
  valgrind)
    # 3.19 refuses Swift's debug information; the release library has none. "Possibly lost" holds Swift's caches: not counted.
    export WRAP="valgrind -q --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --error-exitcode=9"
    exec Tests/run-native.sh build ${VALGRIND_TESTS:-api easy bad_input control regressions archive} ;;
  address)
    build address .build-asan
    export CC=clang CFLAGS="-fsanitize=address -g"
    exec Tests/run-native.sh .build-asan/debug api bad_input control regressions solve curvature rounding nonfinite health sparse plan archive memory host ;;
  fuzz)
    # Short, and over the library of `address`: the long run is verify.sh's.
    build address .build-asan
    FUZZ_LIB=.build-asan/debug FUZZ_TIMEOUT=30 exec Tests/fuzz/run.sh 10 ;;
  thread)
    build thread .build-tsan
    export CC=clang CFLAGS="-fsanitize=thread -g -L$swift_lib -ldispatch -lBlocksRuntime -Wl,-rpath,$swift_lib"
    export TSAN_OPTIONS="halt_on_error=0 exitcode=66"
    exec Tests/run-native.sh .build-tsan/debug threads host ;;
  *) echo "sanitize: valgrind, address, fuzz or thread" >&2; exit 2 ;;
esac
