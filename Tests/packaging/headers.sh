#!/usr/bin/env bash
# The headers pass C99 to C++20 with every warning an error, in gcc and clang, alone and twice over.
. "$(dirname "$0")/check.sh"
cd "$work" || exit 2
flags="-fsyntax-only -pedantic -Wall -Wextra -Werror -I$root/include -I$root/bindings/c -I$root/bindings/cpp"
for h in camber.h camber_sparse.h camber_health.h camber_easy.h; do printf '#include <%s>\n#include <%s>\nint camber_test_unit(void);\nint camber_test_unit(void) { return 0; }\n' $h $h >$h.c; done
printf '#include <camber.hpp>\n#include <camber.hpp>\n#include <camber_easy.h>\n' >camber.hpp.c
for cc in gcc clang; do
  for std in c99 c11 c17 c2x; do for h in camber.h camber_sparse.h camber_health.h camber_easy.h; do ok "$cc -std=$std $h" $cc -x c -std=$std $flags $h.c; done; done
  for std in c++11 c++14 c++17 c++20; do for h in camber.h camber_sparse.h camber_health.h camber_easy.h; do ok "$cc -std=$std $h" $cc -x c++ -std=$std $flags $h.c; done; done
  for std in c++17 c++20; do ok "$cc -std=$std camber.hpp" $cc -x c++ -std=$std $flags camber.hpp.c; done
done
finish
