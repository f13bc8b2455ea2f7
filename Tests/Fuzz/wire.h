/*
 * A connection whose broker is the input: everything that it will ever say lies in a socket pair before the client's first call, and
 * after that the stream is at its end, so that no call can wait.
 */
#ifndef WIRE_H
#define WIRE_H

#include "oracle.h"

typedef struct wire {
  amqp_connection_state_t connection;
  int broker;   /* the other end */
} wire;

/* Says start, tune, open-ok and channel.open-ok if `with_handshake`, then the bytes, then nothing more. */
void wire_say(int broker, amqp_bytes_t bytes, int with_handshake);
wire wire_with(amqp_bytes_t bytes, int with_handshake);
void wire_drain(const wire *w);   /* takes what the client has sent, so that it never finds the socket full */
void wire_end(wire *w);

/* One call of a program, chosen by the input, with its arguments; what comes back is looked at and given back. */
void call_something(wire *w, input *choices);

#endif
