#!/usr/bin/env bash
# A Swift package outside the tree imports Camber and runs: by path; with `client.sh git`, by file:// URL and tag.
. "$(dirname "$0")/check.sh"
cp -r "$root/Tests/swift-client" "$work/app" && cd "$work/app" || exit 2
if [ "${1:-path}" = git ]; then
  git clone -q --bare "$root" "$work/camber.git" && git -C "$work/camber.git" tag -f 0.1.0 HEAD || exit 2
  export CAMBER_URL="file://$work/camber.git"
  scratch=$work/build flags=
else
  export CAMBER_PATH=$root
  scratch=$root/.build-client flags="-c release"
fi
build() { swift build $flags --scratch-path "$scratch" --product client; }
run() { "$(swift build $flags --scratch-path "$scratch" --show-bin-path)/client"; }
ok "a package outside the tree builds (${1:-path})" build
[ $failed -eq 0 ] && ok "it runs" run
tail -1 "$work/.out"
finish
