#!/usr/bin/env bash
# `make install`, then C and C++ programs outside the tree by pkg-config and by CMake; the prefix is moved and serves on.
. "$(dirname "$0")/check.sh"
cp "$root"/examples/quickstart/main.c "$root"/examples/quickstart/main.cpp "$root"/examples/quickstart/expected.txt "$work"
cd "$work" || exit 2

installed() {
  local p=$1
  [ "$(readlink "$p/lib/libcamber.so")" = libcamber.so.0 ] && [ "$(readlink "$p/lib/libcamber.so.0")" = "libcamber.so.$version" ] &&
    cmp "$root/build/libcamber.so.0" "$p/lib/libcamber.so.$version" &&
    for h in "$root"/include/*.h; do cmp "$h" "$p/include/${h##*/}" || return 1; done && test -f "$p/include/camber_easy.h" -a -f "$p/include/camber.hpp" &&
    diff -r "$root/bindings/cpp/camber" "$p/include/camber" && ! grep -rn '@VERSION@' "$p/lib/pkgconfig" "$p/lib/cmake"
}
by_pkgconfig() {   # compiler source prefix
  export PKG_CONFIG_PATH="$3/lib/pkgconfig"
  eval "$1 $2 $(pkg-config --cflags --libs camber) -o pc.out" && LD_LIBRARY_PATH="$3/lib" ./pc.out | diff expected.txt -
}
by_cmake() {       # prefix folder
  cmake -S cmake -B "$2" -DCMAKE_PREFIX_PATH="$1" && cmake --build "$2" && "$2/use_c" | diff expected.txt - && "$2/use_cpp" | diff expected.txt -
}
refused() { ! cmake -S cmake -B refused -DCMAKE_PREFIX_PATH="$1" -DWANT=9.0; }
no_path_of_the_build() { ! grep -rnF "$root" "$1/lib/pkgconfig" "$1/lib/cmake" "$1/include" && ! strings -a "$1/lib/libcamber.so.0" | grep -F "$root/build"; }

mkdir cmake
cat >cmake/CMakeLists.txt <<'C'
cmake_minimum_required(VERSION 3.16)
project(use C CXX)
set(CMAKE_CXX_STANDARD 17)
find_package(Camber ${WANT} REQUIRED)
add_executable(use_c ../main.c)
add_executable(use_cpp ../main.cpp)
target_link_libraries(use_c Camber::camber)
target_link_libraries(use_cpp Camber::camber)
C

ok "make install" make -C "$root" install PREFIX="$work/first"
ok "what is installed" installed "$work/first"
ok "make install DESTDIR" make -C "$root" install DESTDIR="$work/stage" PREFIX=/opt/camber
ok "what is staged" installed "$work/stage/opt/camber"
ok "pkg-config gives the version" test "$(PKG_CONFIG_PATH="$work/first/lib/pkgconfig" pkg-config --modversion camber)" = "$version"
ok "C by pkg-config" by_pkgconfig gcc main.c "$work/first"
ok "C++ by pkg-config" by_pkgconfig "g++ -std=c++17" main.cpp "$work/first"
ok "C and C++ by CMake" by_cmake "$work/first" b1
ok "find_package refuses version 9" refused "$work/first"
mkdir "$work/a place" && mv "$work/first" "$work/a place/moved"
ok "moved: C by pkg-config" by_pkgconfig gcc main.c "$work/a place/moved"
ok "moved: C++ by pkg-config" by_pkgconfig "g++ -std=c++17" main.cpp "$work/a place/moved"
ok "moved: C and C++ by CMake" by_cmake "$work/a place/moved" b2
ok "no path of the build tree inside" no_path_of_the_build "$work/a place/moved"
finish
