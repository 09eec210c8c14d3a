/* Swift's library names Unicode's characters out of half a megabyte of tables, which nothing here asks for. `make lib` links calls of
 * `_swift_stdlib_getScalarName` to this (--wrap), which knows none, and the linker then leaves the tables out. */
#include <stdint.h>

__attribute__((visibility("hidden"))) intptr_t __wrap__swift_stdlib_getScalarName(uint32_t character, uint8_t *name, intptr_t room);
intptr_t __wrap__swift_stdlib_getScalarName(uint32_t character, uint8_t *name, intptr_t room) {
  (void)character, (void)name, (void)room;
  return 0;
}
