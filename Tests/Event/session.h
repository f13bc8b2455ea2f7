/*
 * The client's side of the tests of the event API: a loop, a connection to a scripted peer, and the rules that hold everywhere,
 * checked in every callback.
 *
 *   - A *promise* is an accepted operation: it must be kept exactly once. session_end says which was not.
 *   - No callback comes from inside a call: ACCEPT and CALL mark the time of a call.
 *   - on_ready and on_closed come at most once, on_lost and on_recovered in turn, and nothing after on_closed.
 *   - Every callback passes `session_passing`, where a test may strike: free or close something inside the nth callback.
 */
#ifndef SESSION_H
#define SESSION_H

#include <amqp_event.h>
#include <event2/event.h>

#include "client.h"

enum { PROMISES_MAX = 4096 };

typedef struct session session;

typedef struct promise {
  session *session;
  const char *what;
  int refused;              /* the status with which it was not accepted */
  int kept;                 /* how often its callback came */
  int status;               /* of its callback's error; 0: none */
  uint16_t reply_code;
  amqp_event_error_kind_t kind;
  amqp_event_outcome_t outcome;
  amqp_boolean_t multiple;
  uint64_t sequence, delivery_tag;
  uint32_t message_count, consumer_count;
  char name[256];           /* of the queue; the reply text of a returned message */
  char body[64];            /* of a message: its first bytes */
  size_t body_size;
} promise;

typedef struct told {       /* what an error said */
  int status, os_error, can_retry;
  uint16_t reply_code;
  amqp_event_error_kind_t kind;
  char text[256];
} told;

struct session {
  struct event_base *base;
  amqp_event_options_t *options;
  amqp_event_connection_t *connection;
  amqp_event_channel_t *channel;     /* NULL when its on_closed has come */
  amqp_event_consumer_t *consumer;   /* NULL when its on_cancelled has come */
  int opened, is_away;
  /* How often each callback has come. */
  int ready, lost, recovering, recovered, blocked, unblocked, closed;
  int channel_closed, returns, flows, writable, messages, cancelled, consuming;
  told lost_told, recovered_told, closed_told, channel_told, cancelled_told;
  char reason[64], host[64], body[64];
  int port, attempt, flow_active;
  uint64_t delivery_tag;
  size_t body_size;
  unsigned long body_sum;            /* of all octets of the last message */
  int redelivered, acknowledges;     /* acknowledges: whether on_message acks */
  void (*on_ready)(session *s);      /* what the test does when ready */
  int passed, strike_at;             /* callbacks seen; at which one to strike, 0: none */
  void (*strike)(session *s);
  promise promises[PROMISES_MAX];
  int promise_count;
};

/* Between these no callback may come. */
extern int session_calling;
#define CALL(call) (session_calling++, session_left((call)))
int session_left(int status);
/* An operation whose callback gets the promise: (ACCEPT(p, amqp_event_qos(channel, 1, promise_done, p))). */
#define ACCEPT(promise, call) ((promise)->refused = CALL(call))

/* Options for one host of this machine, without heartbeats, fast reconnects; the test may set more before session_open. */
session *session_new(const peer *p);
/* Makes the connection and opens it. */
void session_open(session *s);
/* session_new, session_open, and on_ready has come. */
session *session_ready(const peer *p);
/* The same and a channel, in confirm mode if wanted. */
session *session_with_channel(const peer *p, int confirms);
void session_open_channel(session *s);
void session_consume(session *s, const char *queue);
/* Runs the loop until the counter is there. 1: it is. */
int session_run(session *s, const int *counter, int wanted, int milliseconds);
/* Runs the loop for that time. */
void session_idle(session *s, int milliseconds);
/* Closes, waits for the end, frees everything and checks the rules. */
void session_close(session *s);
/* Frees everything, in whatever state, and checks the rules. */
void session_end(session *s);
void session_passing(session *s);

/* ---- promises ---- */

promise *promised(session *s, const char *what);
void promise_done(amqp_event_channel_t *channel, const amqp_event_error_t *error, void *ctx);
void promise_connection_done(amqp_event_connection_t *connection, const amqp_event_error_t *error, void *ctx);
void promise_queue_done(amqp_event_channel_t *channel, const amqp_event_error_t *error, amqp_bytes_t queue,
                        uint32_t message_count, uint32_t consumer_count, void *ctx);
void promise_get_done(amqp_event_channel_t *channel, const amqp_event_error_t *error, const amqp_event_message_t *message,
                      void *ctx);
void promise_confirm(amqp_event_channel_t *channel, const amqp_event_confirm_t *confirm, void *ctx);
/* Publishes on the session's channel with a promise of its outcome. */
promise *promise_publish(session *s, const char *key, const char *body);
int promises_kept(const session *s);

/* ---- what peers of these tests do ---- */

/* Handshake without heartbeats, then serves a LIVE peer with confirms until the end of the stream. */
void peer_ordinary(peer_link *link, void *unused);
/* The same for any number of connections, one after another. */
void peer_ordinary_again_and_again(peer_link *link, void *unused);

#endif
