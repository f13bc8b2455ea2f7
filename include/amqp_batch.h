/* SPDX-License-Identifier: MIT */

/**
 * @file amqp_batch.h
 * Many small messages in one system call.
 *
 * A plain amqp_basic_publish() (specification 1.8.3.7 basic.publish) has handed
 * its message to the kernel when it returns, which costs a system call each.
 * Between amqp_publish_cork() and amqp_publish_uncork() messages are gathered in
 * the connection instead, and leave together, in their order:
 * - on amqp_publish_uncork();
 * - with whatever else is sent on the connection: method calls, acks, frames;
 * - when a call waits or polls: amqp_consume_message(), amqp_simple_wait_frame(),
 *   amqp_publisher_confirm_wait(), amqp_frames_enqueued() and the like, which
 *   also do it instead of a heartbeat that is due;
 * - with the message during which a heartbeat is due;
 * - whenever 64 KB have gathered;
 * - with a message of more than 2 KB, whose body is never copied.
 *
 * So nobody waits for an answer to a message that has not left; but a program
 * that makes no call at all keeps its messages to itself until it does. OK from
 * amqp_basic_publish() says no more than that the message was encoded. A failure
 * to send is the answer of the call that meets it: amqp_publish_uncork(), a later
 * amqp_basic_publish() or another call that sends. A call that waits has only the
 * connection's end to tell, and leaves what the socket did not take to the next.
 * After a failure some of what was gathered may have arrived; publisher confirms
 * tell which.
 *
 * amqp_connection_close() sends what is gathered; amqp_destroy_connection() loses
 * it, and so does giving the connection another socket, which is not corked.
 *
 * This header is an extension of this library.
 */

#ifndef AMQP_BATCH_H
#define AMQP_BATCH_H

#include "amqp.h"

AMQP_BEGIN_DECLS

/**
 * Gathers the messages that amqp_basic_publish() gets from now on. Corking twice
 * is as corking once: calls are not counted, and one uncork ends it.
 * @param state  the connection
 * @return AMQP_STATUS_OK; AMQP_STATUS_INVALID_PARAMETER if state is NULL; what
 *         amqp_basic_publish() answers when the connection is over
 *         (AMQP_STATUS_SOCKET_CLOSED, AMQP_STATUS_CONNECTION_CLOSED,
 *         AMQP_STATUS_HEARTBEAT_TIMEOUT), and then it is not corked
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_publish_cork(amqp_connection_state_t state);

/**
 * Sends what has gathered, as if it were one message, and ends the gathering.
 * Waits for room in the socket as amqp_basic_publish() does. Without a cork, or
 * with nothing gathered, it does nothing.
 * @param state  the connection
 * @return AMQP_STATUS_OK: all of it was handed to the kernel;
 *         AMQP_STATUS_INVALID_PARAMETER if state is NULL; everything that
 *         amqp_basic_publish() answers when it cannot send. Nothing is kept for
 *         a second try.
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_publish_uncork(amqp_connection_state_t state);

AMQP_END_DECLS

#endif
