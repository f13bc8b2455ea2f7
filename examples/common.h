/* What every example needs and none is about: saying what went wrong, reading the command line, telling the time. */
#ifndef EXAMPLES_COMMON_H
#define EXAMPLES_COMMON_H

#include <amqp.h>

#if defined(__GNUC__)
#define EXAMPLES_FAILS __attribute__((noreturn, format(printf, 1, 2)))
#else
#define EXAMPLES_FAILS
#endif

/* Prints one line on standard error and ends the program with code 1. */
void fail(const char *format, ...) EXAMPLES_FAILS;

/* Ends the program unless the call that `doing` names went well. The second form is for calls that wait for an answer
   of the broker; the third for the many of them that return a pointer and leave their outcome with the connection. */
void check_status(int status, const char *doing);
void check_reply(amqp_rpc_reply_t reply, const char *doing);
void check_last_reply(amqp_connection_state_t connection, const char *doing);

/* One line that says what a reply means. Valid until the next call. */
const char *reply_text(amqp_rpc_reply_t reply);

/* For a frame that a program did not ask for: says what it is. The broker reports a refused operation in this way, by
   closing the channel (channel.close) or the connection (connection.close). Valid until the next call. */
const char *frame_text(const amqp_frame_t *frame);

/* The text of argument `index`, or `otherwise` if the command line ends before it. */
const char *argument(int argc, char **argv, int index, const char *otherwise);

/* The same for a whole number, which must lie in low...high. */
long number_argument(int argc, char **argv, int index, long otherwise, long low, long high);

/* Seconds since some point in the past, by a clock that nobody sets. */
double seconds_now(void);

#endif
