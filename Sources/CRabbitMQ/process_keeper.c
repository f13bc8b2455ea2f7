// The statics of the background heartbeats, and what must happen to them at fork() and exit().

#define _GNU_SOURCE   // pthread_cond_clockwait
#include "../CSystem/process_keeper.h"

#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <time.h>

static process_keeper keeper = {
  .lock = PTHREAD_MUTEX_INITIALIZER,
  .changed = PTHREAD_COND_INITIALIZER,
  .wake = UINT64_MAX,
  .generation = 1,
};

process_keeper *process_get_keeper(void) { return &keeper; }

static int add_thread_local(struct dl_phdr_info *object, size_t size, void *sum) {
  (void)size;
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *const segment = &object->dlpi_phdr[i];
    if (segment->p_type == PT_TLS) *(size_t *)sum += segment->p_memsz + segment->p_align;
  }
  return 0;
}

size_t process_thread_local_octets(void) {
  size_t sum = 0;
  (void)dl_iterate_phdr(add_thread_local, &sum);
  return sum;
}

void process_keeper_wait(void) {
  if (keeper.wake == UINT64_MAX) {
    pthread_cond_wait(&keeper.changed, &keeper.lock);
    return;
  }
  const struct timespec wake = {(time_t)(keeper.wake / 1000000000), (long)(keeper.wake % 1000000000)};
  pthread_cond_clockwait(&keeper.changed, &keeper.lock, CLOCK_MONOTONIC, &wake);
}

// With the lock taken the keeper is inside no connection, and holds no turn of one that the child would miss for ever.
static void before_fork(void) { pthread_mutex_lock(&keeper.lock); }

static void after_fork_in_parent(void) { pthread_mutex_unlock(&keeper.lock); }

static void after_fork_in_child(void) {
  static const pthread_cond_t unwaited = PTHREAD_COND_INITIALIZER;
  keeper.changed = unwaited;
  keeper.first = keeper.next = NULL;
  keeper.wake = UINT64_MAX;
  keeper.generation = keeper.generation == UINT32_MAX ? 1 : keeper.generation + 1;
  keeper.is_running = false;
  pthread_mutex_unlock(&keeper.lock);
}

static void register_fork(void) { (void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child); }

void process_watch_fork(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  (void)pthread_once(&once, register_fork);
}

static uintptr_t thread;   // the keeper's; stale when there is none

void process_keeper_begin(void) { __atomic_store_n(&thread, (uintptr_t)pthread_self(), __ATOMIC_RELAXED); }

static void end(void) {
  // exit() in a callback of the trace: the keeper has the lock, and never comes back to its work.
  if (__atomic_load_n(&thread, __ATOMIC_RELAXED) == (uintptr_t)pthread_self()) return;
  pthread_mutex_lock(&keeper.lock);
  keeper.is_over = true;
  pthread_mutex_unlock(&keeper.lock);
}

static void register_exit(void) { (void)atexit(end); }

void process_watch_exit(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  (void)pthread_once(&once, register_exit);
}
