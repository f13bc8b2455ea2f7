// What belongs to the process and not to a connection. A Swift global would be made at its first use, under a lock of the
// runtime: so the memory is a static in process.c of CRabbitMQ, and what fills it is Swift.
#ifndef PULSE_PROCESS_H
#define PULSE_PROCESS_H

#include <stdint.h>

// A file that lines of text go to, by Sources/AMQPTransport/LineFile.swift.
typedef struct process_file {
  int descriptor; // negative: none
  uint64_t device, inode; // of the file that was opened: a program that closes every descriptor may give the number away
} process_file;

// What the environment says, in Process/Settings.swift.
typedef struct process_settings {
  int heartbeat_seconds; // takes the place of what a program passes to login; negative: it does not
  int is_background;     // whether connections are kept alive in the background unless their program says otherwise
  process_file trace;    // where every connection tells what happens to it
} process_settings;

// The settings: read at the first call, and never again. Every later call of any thread finds the same.
const process_settings *process_get_settings(void);

// Lines of the trace that could not be written since one last said how many.
uint64_t process_lost_lines(void);
// `count` of them more; negative: so many have been spoken of.
void process_add_lost_lines(int64_t count);

#endif
