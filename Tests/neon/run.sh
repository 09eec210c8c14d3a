#!/bin/sh
# The kernels compiled for arm64, under qemu, against those of x86-64 with FMA: the same bits.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags="-std=c11 -O2 -ISources/CKernels -ISources/CKernels/include"
sources=$(ls Sources/CKernels/*.c | grep -v 'lapack.c\|factor.c')
clang=$(command -v clang || echo "$(dirname "$(readlink -f "$(command -v swift)")")/clang")
$clang $flags $sources Tests/neon/kernels.c -o "$work/here" -lsleef -lm -lpthread
for f in $sources Tests/neon/kernels.c Tests/neon/sleef.c; do
  $clang --target=aarch64-linux-gnu --sysroot=/usr/aarch64-linux-gnu -isystem /usr/aarch64-linux-gnu/include $flags -c "$f" -o "$work/$(basename "$f" .c).o"
done
aarch64-linux-gnu-gcc -static "$work"/*.o -o "$work/there" -lm -lpthread
"$work/here" write "$work/x86"
qemu-aarch64 "$work/there" write "$work/arm"
"$work/here" compare "$work/x86" "$work/arm"
