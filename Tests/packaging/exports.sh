#!/usr/bin/env bash
# The release library is what the header says and nothing more: exports, names, dependencies, digest.
. "$(dirname "$0")/check.sh"
lib=${1:-$root/build/libcamber.so.0}
cd "$work" || exit 2

# A name before an asterisk in brackets is the result's type of a callback.
declared() { gcc -E -P "$root/include/camber.h" | grep -o '\bcamber_[a-z0-9_]* *([^*]' | sed 's/ *(.*//' | sort -u; }
exported() { nm -D --defined-only "$lib" | awk '$2 != "A" {sub(/@.*/, "", $3); print $3}' | sort -u; }
declared >declared
exported >exported
readelf -dW "$lib" >dynamic
readelf -lW "$lib" >segments
readelf -SW "$lib" >sections
readelf -VW "$lib" | grep -o 'GLIBC_[0-9.]*' | sort -uV >glibc

needed() { sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' dynamic; }
only_known() { ! needed | grep -vE '^(libopenblas\.so\.0|libsleef\.so\.3|libstdc\+\+\.so\.6|libm\.so\.6|libgcc_s\.so\.1|libc\.so\.6|ld-linux-x86-64\.so\.2|libpthread\.so\.0|libdl\.so\.2)$'; }
no_swift() { ! needed | grep -iE 'swift|dispatch|BlocksRuntime|Foundation'; }
harmless_runpath() { ! grep -E '\((RPATH|RUNPATH)\)' dynamic | grep -vE '\[\$ORIGIN\]'; }
stack() { grep GNU_STACK segments && ! grep GNU_STACK segments | grep -q 'RWE'; }
digest() {
  printf '#include <camber.h>\n#include <stdio.h>\nint main(void) { puts(camber_header_digest()); return 0; }\n' >digest.c
  gcc -I"$root/include" digest.c "$lib" -Wl,-rpath,"$(dirname "$lib")" -o digest || return 1
  ./digest >is
  python3 - "$root"/include/camber{,_ops,_sparse,_health}.h >should <<'P'
import sys
h = 0xCBF29CE484222325
for name in sys.argv[1:]:
    for byte in open(name, "rb").read():
        h = (h ^ byte) * 0x100000001B3 % 2**64
print(f"{h:016x}")
P
  diff should is
}

ok "the header declares functions" test "$(wc -l <declared)" -gt 150
ok "exports equal the header's functions" diff declared exported
ok "exports carry the version CAMBER_0" test "$(nm -D --defined-only "$lib" | grep -c '@@CAMBER_0')" = "$(wc -l <declared)"
ok "every export is a function" test -z "$(nm -D --defined-only "$lib" | awk '$2 != "T" && $2 != "A"')"
ok "at most 12 MB" test "$(stat -c %s "$lib")" -le 12582912
ok "stripped" test -z "$(grep -E '\.symtab|\.debug' sections)"
ok "SONAME libcamber.so.0" grep -q 'SONAME.*\[libcamber\.so\.0\]' dynamic
ok "NEEDED holds nothing of Swift" no_swift
ok "NEEDED holds known libraries only" only_known
ok "no executable stack" stack
ok "RUNPATH none or \$ORIGIN" harmless_runpath
ok "no TEXTREL, no STATIC_TLS" test -z "$(grep -E 'TEXTREL|STATIC_TLS' dynamic)"
ok "stays loaded after dlclose (NODELETE)" grep -q NODELETE dynamic
ok "needs no newer glibc than Debian 12's" test "$(tail -1 glibc | sed 's/GLIBC_2\.//; s/\..*//')" -le 36
ok "the digest is FNV-1a 64 of the headers" digest
finish
