/* Checks that count: CHECK(condition), NEAR(got, want, tolerance), STATUS(call, want). `return check_done();` ends main: it
 * prints "N passed, N failed" and is non-zero on failure. */
#ifndef CHECK_H
#define CHECK_H

#include <math.h>
#include <stdio.h>
#include <string.h>

static int check_passed, check_failed;

static inline int check_that(int ok, const char *text, const char *file, int line) {
  if (ok) check_passed++;
  else if (++check_failed <= 40) fprintf(stderr, "%s:%d: failed: %s\n", file, line, text);
  return ok;
}

static inline int check_near(double got, double want, double tolerance, const char *text, const char *file, int line) {
  int ok = (got == want) || (isnan(got) && isnan(want)) || fabs(got - want) <= tolerance * (1 + fabs(want));
  if (!ok && check_failed < 40) fprintf(stderr, "%s:%d: %.17g is not %.17g\n", file, line, got, want);
  return check_that(ok, text, file, line);
}

static inline int check_status(int got, int want, const char *text, const char *file, int line) {
  if (got != want && check_failed < 40) fprintf(stderr, "%s:%d: status %d, not %d\n", file, line, got, want);
  return check_that(got == want, text, file, line);
}

#define CHECK(condition) check_that((condition) ? 1 : 0, #condition, __FILE__, __LINE__)
#define NEAR(got, want, tolerance) check_near((got), (want), (tolerance), #got, __FILE__, __LINE__)
#define STATUS(call, want) check_status((call), (want), #call, __FILE__, __LINE__)

static inline int check_done(void) {
  printf("%d passed, %d failed\n", check_passed, check_failed);
  return check_failed != 0;
}
#endif
