#!/usr/bin/env bash
# The release library builds.
. "$(dirname "$0")/check.sh"
cd "$root" || exit 2
make lib || broken=1
ok "build/libcamber.so.0" test -s build/libcamber.so.0
finish
