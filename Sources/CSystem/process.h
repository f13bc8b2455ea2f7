// What belongs to the process and not to a connection. A Swift global would be made at its first use, under a lock of the
// runtime: so the memory is a static in process.c of CRabbitMQ, and what fills it is Swift.
#ifndef PULSE_PROCESS_H
#define PULSE_PROCESS_H

// What the environment says, in Process/Settings.swift.
typedef struct process_settings {
  int heartbeat_seconds; // takes the place of what a program passes to login; negative: it does not
  int is_background;     // whether connections are kept alive in the background unless their program says otherwise
} process_settings;

// The settings: read at the first call, and never again. Every later call of any thread finds the same.
const process_settings *process_get_settings(void);

#endif
