/* libFuzzer target over the whole C ABI: bytes become calls, valid and invalid, on several tapes, sub-tapes, programs and the rest.
 * Checked after every call: the status is one of the header's, a failure has a sentence, errors stick to their tape, the host's
 * inputs and the guards around its outputs are as they were. Crashes, sanitizer reports, hangs and leaks are libFuzzer's part.
 * FUZZ_TRACE=1 prints the calls of an input. The parts in abi/ share the tables of live handles: one translation unit. */
#define _POSIX_C_SOURCE 200809L
#include <camber.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAIL(...) (fprintf(stderr, "%s:%d: ", __FILE__, __LINE__), fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), abort())
#define HOLDS(condition) ((condition) ? (void)0 : FAIL("does not hold: %s", #condition))
#define TRACE(...) (trace ? (void)(fprintf(stderr, __VA_ARGS__), fputc('\n', stderr)) : (void)0)
static int trace;
static char directory[] = "/tmp/camber-fuzz-XXXXXX", path[64];

#include "abi/harness.h"
#include "abi/builders.h"
#include "abi/programs.h"
#include "abi/sparse.h"
#include "abi/health.h"
#include "abi/training.h"
#include "abi/typed.h"
#include "abi/reports.h"

/* ---- One input ---------------------------------------------------------------------------------------------------------------------- */
static void release(uint32_t k, int i) {
  switch (k) {
  case 0: camber_tape_free(tapes[i % TAPES]), retire(tapes[i % TAPES]), tapes[i % TAPES] = NULL; break;
  case 1: camber_program_free(programs[i % PROGRAMS]), retire(programs[i % PROGRAMS]), programs[i % PROGRAMS] = NULL; break;
  case 2: camber_workspace_free(spaces[i % SPACES]), retire(spaces[i % SPACES]), spaces[i % SPACES] = NULL; break;
  case 3: camber_linear_free(linears[i % LINEARS]), retire(linears[i % LINEARS]), linears[i % LINEARS] = NULL; break;
  case 4: camber_optimizer_free(optimizers[i % FEW]), retire(optimizers[i % FEW]), optimizers[i % FEW] = NULL, parameters[i % FEW] = 0; break;
  case 5: camber_schedule_free(schedules[i % FEW]), retire(schedules[i % FEW]), schedules[i % FEW] = NULL; break;
  case 6: camber_scaler_free(scalers[i % FEW]), retire(scalers[i % FEW]), scalers[i % FEW] = NULL; break;
  case 9: camber_nonfinite_free(nonfinites[i % FEW]), retire(nonfinites[i % FEW]), nonfinites[i % FEW] = NULL; break;
  case 13: camber_rounding_free(roundings[i % FEW]), retire(roundings[i % FEW]), roundings[i % FEW] = NULL; break;
  case 12: camber_check_free(checks[i % FEW]), retire(checks[i % FEW]), checks[i % FEW] = NULL; break;
  case 8: camber_solver_free(solvers[i % FEW]), retire(solvers[i % FEW]), solvers[i % FEW] = NULL; break;
  case 10: camber_flow_free(flows[i % FEW]), retire(flows[i % FEW]), flows[i % FEW] = NULL; break;
  case 11: camber_findings_free(found[i % FEW]), retire(found[i % FEW]), found[i % FEW] = NULL; break;
  case 7: camber_archive_free(archives[i % FEW]), retire(archives[i % FEW]), archives[i % FEW] = NULL; break;
  default: camber_tensors_free(files[i % FEW]), retire(files[i % FEW]), files[i % FEW] = NULL; break;
  }
}

static void act(void) {
  int k = (int)below(TAPES);
  switch (below(32)) {
  case 0: case 1:
    if (tapes[k]) { release(0, k); break; }
    tapes[k] = camber_tape_new(), depth[k] = 0;
    HOLDS(tapes[k]);
    furnish(tapes[k]);
    break;
  case 2: {
    int b = (int)below(TAPES);
    if (tapes[b]) break;
    tapes[b] = camber_tape_sub(tapes[k]);
    HOLDS((tapes[b] == NULL) == (camber_tape_status(tapes[k]) != CAMBER_OK));
  } break;
  case 3: release(below(15), (int)byte()); break;
  case 4: {   /* free of what is no such handle */
    void *p = any_handle();
    switch (below(4)) {
    case 0: if (p != tapes[0]) camber_tape_free(p == tapes[1] || p == tapes[2] || p == tapes[3] || p == tapes[4] ? NULL : p); break;
    case 1: if (p != programs[0] && p != programs[1] && p != programs[2]) camber_program_free(p); break;
    case 2: if (p != spaces[0] && p != spaces[1] && p != spaces[2]) camber_workspace_free(p); break;
    default: if (p != files[0] && p != files[1]) camber_tensors_free(p); break;
    }
  } break;
  case 5: case 6: case 7: compile(k); break;
  case 8: case 9: space((int)below(SPACES)); break;
  case 10: option(); break;
  case 11: case 12: case 13: run(); break;
  case 14: linear(); break;
  case 15: case 16: if (one_in(4)) solve(); else if (one_in(6)) curve(); else if (one_in(3)) sparse(); else if (one_in(16)) plan(); else if (one_in(3)) watch(); else if (one_in(2)) diagnose(); else train(); break;
  case 17: if (one_in(4)) file(); else if (one_in(2)) births(); else stabilize(); break;
  case 18: archive(); break;
  case 23: if (tapes[k]) host(tapes[k]); break;
  case 19: case 20: case 21: case 22: {
    camber_tape *t = tapes[k] ? tapes[k] : tapes[0];
    if (one_in(48)) t = any_handle();
    if (camber_tape_status(t) != CAMBER_OK && !one_in(6)) camber_tape_clear(t);
    generated[(byte() * 256 + byte()) % COUNT(generated)](t);
  } break;
  default:
    if (!tapes[k]) k = 0;
    if (tapes[k]) call(k);
    break;
  }
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  trace = getenv("FUZZ_TRACE") != NULL;
  atexit(count);
  if (!mkdtemp(directory)) FAIL("no temporary directory");
  snprintf(path, sizeof path, "%s/t", directory);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  at = bytes, end = bytes + size, made = 0x9E3779B97F4A7C15;
  for (size_t i = 0; i < size; i++) made = (made ^ bytes[i]) * 0x100000001B3;
  made |= 1, left = size + (size ? (bytes[size - 1] & 15) * 128u : 0);
  node_count = 0, stale_count = 0, open_depth = 0;
  memset(nodes, 0xFF, sizeof nodes), memset(stale, 0, sizeof stale), memset(parameters, 0, sizeof parameters);
  for (int i = 0; i < TAPES; i++) tapes[i] = i < 2 ? camber_tape_new() : NULL, depth[i] = 0;
  furnish(tapes[0]), furnish(tapes[1]);
  for (int i = 0; i < 300 && left; i++) act();
  uint32_t from = byte();
  for (uint32_t i = 0; i < 15; i++) for (int j = 0; j < TAPES; j++) release((i + from) % 15, j);
  for (int i = 0; i < FEW; i++) camber_stabilizer_free(stabilizers[i]), stabilizers[i] = NULL;
  HOLDS(held == 0);
  unlink(path);
  return 0;
}
