/* A peer for thousands of connections at once, in a process of its own: it lets everybody log in, sends heartbeats every half
 * interval, answers connection.close, and counts. */
#ifndef CROWD_H
#define CROWD_H

#include <stdint.h>
#include <sys/types.h>

typedef struct crowd_record {
  volatile uint32_t accepted, open, logged_in, closed_well, cut_for_silence;
  volatile uint64_t heartbeats;
} crowd_record;

typedef struct crowd {
  pid_t process;
  int port;
  crowd_record *record; /* shared with the peer's process */
} crowd;

/* Ends the program when that is not possible. */
crowd crowd_start(int heartbeat_seconds);
/* From now on no heartbeats are sent and nothing is read. */
void crowd_freeze(crowd c);
void crowd_stop(crowd c);

#endif
