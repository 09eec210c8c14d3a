/* Tasks on several threads, without allocation: Dispatch's concurrentPerform calls malloc on every use.
 *
 * Workers are made at the first use and wait. One job runs at a time: a caller that finds the pool taken (another thread of the
 * host, or a task that splits again) runs its tasks itself, with the same results, since what a task computes never depends on
 * who runs it. A child of fork has no workers and runs serially. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include "private.h"

enum { MOST = 63 };

static pthread_mutex_t taken = PTHREAD_MUTEX_INITIALIZER;   /* held by the caller whose job runs */
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;   /* of the five below */
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER, left = PTHREAD_COND_INITIALIZER;
static size_t workers, places, inside;                      /* made; that may still join the job; that have joined and not left */
static ck_task job;
static void *job_context;
static size_t job_count;
static _Atomic(size_t) next;                                /* the first task that nobody has claimed */
static _Atomic(int) forked;

static void claim(ck_task task, void *context, size_t count) {
  for (size_t i; (i = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed)) < count;) task(context, i);
}

static void *work(void *unused) {
  (void)unused;
  pthread_mutex_lock(&guard);
  for (;;) {
    while (places == 0) pthread_cond_wait(&wake, &guard);
    places--;
    inside++;
    const ck_task task = job;
    void *context = job_context;
    const size_t count = job_count;
    pthread_mutex_unlock(&guard);
    claim(task, context, count);
    pthread_mutex_lock(&guard);
    if (--inside == 0) pthread_cond_signal(&left);
  }
  return NULL;
}

static void in_child(void) { atomic_store(&forked, 1); }

/* As many workers as can be had; signals stay with the host's threads. */
static size_t staff(size_t wanted) {
  static int watching;
  if (!watching) watching = pthread_atfork(NULL, NULL, in_child) == 0;
  if (!watching) return 0;
  if (wanted > MOST) wanted = MOST;
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  while (workers < wanted) {
    pthread_t t;
    if (pthread_create(&t, NULL, work, NULL) != 0) break;
    pthread_detach(t);
    workers++;
  }
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  return workers < wanted ? workers : wanted;
}

void ck_parallel(size_t count, size_t threads, ck_task task, void *context) {
  if (count < 2 || threads < 2 || atomic_load_explicit(&forked, memory_order_relaxed) || pthread_mutex_trylock(&taken) != 0) {
    for (size_t i = 0; i < count; i++) task(context, i);
    return;
  }
  const size_t helpers = staff((threads < count ? threads : count) - 1);
  atomic_store_explicit(&next, 0, memory_order_relaxed);
  pthread_mutex_lock(&guard);
  job = task;
  job_context = context;
  job_count = count;
  places = helpers;
  pthread_mutex_unlock(&guard);
  if (helpers == 1) pthread_cond_signal(&wake);
  else if (helpers > 1) pthread_cond_broadcast(&wake);
  claim(task, context, count);
  pthread_mutex_lock(&guard);
  places = 0;                              /* all tasks are claimed: nobody joins any more */
  while (inside > 0) pthread_cond_wait(&left, &guard);
  pthread_mutex_unlock(&guard);
  pthread_mutex_unlock(&taken);
}
