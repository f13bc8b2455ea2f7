/* SPDX-License-Identifier: MIT */

/**
 * @file amqp_heartbeat.h
 * Heartbeats (specification 4.2.7) beyond what every call does by itself: for
 * programs with a loop of their own, and for programs that are busy elsewhere.
 *
 * H is the negotiated interval in seconds, amqp_get_heartbeat(); 0 is off. A
 * heartbeat is due when nothing was written for H/2. A peer is dead when
 * nothing came from it for 2 H; before its first byte after connection.tune it
 * has 2.5 H. A peer that is slow, that does not read because of an alarm, or
 * whose data the program has not read, so that it cannot send more, is alive:
 * the kernel knows when it last heard from it.
 *
 * Three ways, which may be mixed:
 * - a program that makes a call of the library every H/2 needs nothing of this;
 * - a program that waits in select(), poll() or a loop of its own calls
 *   amqp_heartbeat_service() whenever it wakes, and sleeps no longer than
 *   amqp_heartbeat_next() says;
 * - a program that is busy for longer has amqp_heartbeat_background() do it.
 *
 * This header is an extension of this library.
 */

#ifndef AMQP_HEARTBEAT_H
#define AMQP_HEARTBEAT_H

#include "amqp.h"

AMQP_BEGIN_DECLS

/* ------------------------------------------------------------------------- */
/** @name A loop of the program's own
 * @{ */

/**
 * Does at once what heartbeats need: reads what has arrived, within limits,
 * sends a heartbeat if one is due, and hangs up on a dead peer. Never waits.
 *
 * What was read stays in the connection for later calls, and select() or poll()
 * no longer tell of it. So afterwards take messages, with amqp_consume_message()
 * and a timeout of {0, 0} for example, until that answers AMQP_STATUS_TIMEOUT,
 * and again while amqp_data_in_buffer() answers true. Only then sleep.
 * amqp_frames_enqueued() is no sign to go on: frames of a message of which the
 * rest has not arrived may be among those that it counts.
 *
 * While another thread waits in a call on the same connection, that thread does
 * all this; then only a heartbeat that is due is sent.
 * @param state  the connection
 * @return AMQP_STATUS_OK, also after amqp_connection_close(), when there is
 *         nothing to do; AMQP_STATUS_INVALID_PARAMETER if state is NULL;
 *         AMQP_STATUS_HEARTBEAT_TIMEOUT: the peer is dead (sticky: see amqp.h);
 *         AMQP_STATUS_CONNECTION_CLOSED: the peer ended the connection;
 *         AMQP_STATUS_SOCKET_CLOSED: it was never open;
 *         AMQP_STATUS_SOCKET_ERROR, AMQP_STATUS_SSL_ERROR: it failed;
 *         AMQP_STATUS_BAD_AMQP_DATA: an earlier call met invalid bytes.
 *         With any of these, what had arrived before can still be taken.
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_heartbeat_service(amqp_connection_state_t state);

/**
 * How long the program may sleep before it has to call
 * amqp_heartbeat_service() again. Ask after that call, since what is overdue
 * counts as being looked after.
 * @param state         the connection
 * @param[out] timeout  the time from now on, rounded up to microseconds; a day
 *                      when heartbeats are off or the connection is over
 * @return AMQP_STATUS_OK; AMQP_STATUS_INVALID_PARAMETER if a pointer is NULL,
 *         and then *timeout is not written
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_heartbeat_next(amqp_connection_state_t state,
                                  struct timeval *timeout);

/** @} */
/* ------------------------------------------------------------------------- */
/** @name In the background
 * @{ */

/**
 * Has the connection kept alive by a thread of the library, however long the
 * program does something else.
 *
 * One thread serves all such connections of the process. It starts when the
 * first of them has logged in with H above 0, and ends with the last. It sends
 * heartbeats that are due and never reads, so that nothing changes for a
 * program that polls the descriptor. When the peer is dead, by the kernel's
 * account, it shuts the socket down: the descriptor becomes readable, and the
 * next call on the connection hands out what had arrived before or answers
 * AMQP_STATUS_HEARTBEAT_TIMEOUT, and closes the descriptor. The thread has all
 * signals blocked and uses no descriptor of its own.
 *
 * The wish belongs to the connection and outlives a new socket and login. It
 * takes the place of the environment's LIBRABBITMQ_HEARTBEAT_BACKGROUND, which
 * stands for programs that say nothing.
 *
 * After fork() the child has no such thread, and the connections of its parent
 * are left alone in it. One that it opens is kept by a thread of its own, and so
 * is one of the parent's for which it calls this, if the parent uses it no more.
 * @param state  the connection, logged in or not
 * @param on     0: not in the background; else: in the background
 * @return AMQP_STATUS_OK, also when there is nothing to do (not logged in yet,
 *         H is 0, the connection is over); AMQP_STATUS_INVALID_PARAMETER if
 *         state is NULL; AMQP_STATUS_NO_MEMORY if there can be no thread: the
 *         wish stays, and the next login or call of this tries again. A login
 *         that cannot have the thread succeeds without it.
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_heartbeat_background(amqp_connection_state_t state, int on);

/** @} */
/* ------------------------------------------------------------------------- */
/** @name Looking
 * @{ */

/** What amqp_heartbeat_stats() tells. Later versions add members at the end. */
typedef struct amqp_heartbeat_stats_t_ {
  /** in: sizeof(amqp_heartbeat_stats_t); out: bytes that were filled, which are
   * fewer when the program knows more members than the library */
  size_t size;
  /** heartbeats that the library sent since the login */
  uint64_t sent;
  /** heartbeats of the peer that the library took in since the login */
  uint64_t received;
  /** milliseconds since something was last written */
  uint64_t milliseconds_since_sent;
  /** milliseconds since the peer last showed that it lives, as far as a call or
   * the background thread has looked */
  uint64_t milliseconds_since_received;
  /** H: seconds; 0: off */
  uint64_t interval_seconds;
} amqp_heartbeat_stats_t;

/**
 * What heartbeats have done on a connection. Looks only, neither reads nor
 * sends; any thread may ask, also while others use the connection.
 * @param state  the connection; all is 0 until its socket is open, and H until the
 *               login
 * @param stats  filled, not more of it than stats->size says
 * @return AMQP_STATUS_OK; AMQP_STATUS_INVALID_PARAMETER if a pointer is NULL or
 *         stats->size is smaller than the struct's first version, which ended
 *         with interval_seconds; *stats is not written then
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_heartbeat_stats(amqp_connection_state_t state,
                                   amqp_heartbeat_stats_t *stats);

/** @} */
/* ------------------------------------------------------------------------- */
/** @name Trace
 *
 * What happens on a connection, a line each:
 *
 *     12345.678901 [fd 7] state  awaitingTune ==> awaitingOpenOk
 *     12345.678950 [fd 7] --> connection.tune-ok channel 0, 12 bytes
 *     12360.680127 [fd 7] <-- heartbeat
 *     12372.100417 [fd 7] --> content header channel 1, 14 bytes, body size 5
 *     12420.680333 [fd 7] nothing received for 60 s: peer dead
 *
 * First the seconds of the monotonic clock and the descriptor. `-->` is a frame
 * that was sent whole, `<--` one that was received, when a call takes it up;
 * bytes are those of the payload. `state` is a change of the connection's state
 * or, during the login, of the handshake's. There is never a name, a text, a
 * table, a credential or a part of a message in a line.
 *
 * A program that cannot be changed is traced by the environment:
 * LIBRABBITMQ_TRACE is `stderr` or the path of a file, to which every connection
 * of the process appends. Lines that cannot be written at once are dropped, and
 * the next one that can says how many.
 * @{ */

/**
 * Takes a line of the trace, in the call or the background thread in which it
 * came about, and must be quick: it keeps fork() and every call that starts or
 * ends a connection waiting, so it must not wait for a lock that a thread may hold
 * during one of those. The background thread has a stack of 128 KB. Must not call
 * this library with any connection, nor fork(), nor leave by longjmp() or an
 * exception; exit() is allowed. A connection that one
 * thread reads while another publishes may call it from both at once.
 * @param state    the connection
 * @param line     the line, without newline; valid until the callback returns
 * @param context  as it was passed to amqp_heartbeat_trace()
 */
typedef void (AMQP_CALL *amqp_trace_callback)(amqp_connection_state_t state,
                                              const char *line, void *context);

/**
 * Has a callback told what happens on a connection from now on, besides the
 * target of LIBRABBITMQ_TRACE. Best called before the login: while other threads
 * use the connection it must not be, except that the background thread does no
 * harm.
 * @param state     the connection; its wish outlives a new socket
 * @param callback  called for each line; NULL: none any more
 * @param context   passed on; the program's
 * @return AMQP_STATUS_OK; AMQP_STATUS_INVALID_PARAMETER if state is NULL
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_heartbeat_trace(amqp_connection_state_t state,
                                   amqp_trace_callback callback, void *context);

/** @} */

AMQP_END_DECLS

#endif
