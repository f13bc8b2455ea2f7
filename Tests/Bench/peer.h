/* The other end of a benchmark: a forked process that speaks just enough AMQP to let a client log in, and then does one
 * thing as fast as it can, so that the client is what is measured. */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stddef.h>
#include <sys/types.h>

enum peer_task {
  PEER_DISCARD, /* read everything, answer nothing */
  PEER_DELIVER, /* answer basic.consume, then send deliveries without a pause */
  PEER_ANSWER,  /* answer each basic.qos */
  PEER_CONFIRM, /* acknowledge each message */
  PEER_WELCOME, /* let in one connection after the other, and answer its connection.close */
  PEER_KEEP,    /* let in every connection, and leave it alone */
};

struct peer {
  pid_t process;
  int port;
};

/* Starts a peer on a free port of 127.0.0.1 for one connection, or `deliveries` of them for
 * PEER_WELCOME and PEER_KEEP; it ends when the client hangs up. `body_size` and
 * `deliveries` are for PEER_DELIVER. Ends the program when that is not possible. */
struct peer peer_start(enum peer_task task, size_t body_size, unsigned long deliveries);

/* Waits for the end of the peer. */
void peer_wait(struct peer peer);

#endif
