// The memory of what belongs to the process.

#include "../CSystem/process.h"

#include <pthread.h>

// In Process/Settings.swift.
void pulse_read_settings(process_settings *settings);

static process_settings settings;
static uint64_t lost_lines;

static void read_settings(void) { pulse_read_settings(&settings); }

const process_settings *process_get_settings(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, read_settings);
  return &settings;
}

uint64_t process_lost_lines(void) { return __atomic_load_n(&lost_lines, __ATOMIC_RELAXED); }

void process_add_lost_lines(int64_t count) { __atomic_fetch_add(&lost_lines, (uint64_t)count, __ATOMIC_RELAXED); }
