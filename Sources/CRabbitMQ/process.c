// The memory of what belongs to the process.

#include "../CSystem/process.h"

#include <pthread.h>

// In Process/Settings.swift.
void pulse_read_settings(process_settings *settings);

static process_settings settings;

static void read_settings(void) { pulse_read_settings(&settings); }

const process_settings *process_get_settings(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, read_settings);
  return &settings;
}
