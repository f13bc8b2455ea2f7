/* What the examples of the event API share: lines with the time of day, and one for each change of a connection. */
#ifndef EXAMPLES_EVENT_COMMON_H
#define EXAMPLES_EVENT_COMMON_H

#include <amqp_event.h>
#include <event2/event.h>

#include "common.h"

#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
/* One line on standard output. */
void say(const char *format, ...);

/* Callbacks that say each change of a connection and end the loop when it is closed. They take as their context a pointer to
   a struct event_program. A program sets what it does on its own, such as on_ready, over them. */
amqp_event_connection_callbacks_t saying_callbacks(void);

/* A connection that a program keeps. */
struct event_program {
  struct event_base *base;
  const char *name; /* said before each line */
  amqp_event_connection_t *connection;
  int failed; /* whether it ended by an error */
};

/* Makes the connection and opens it. Ends the program when that is not possible. The options are freed. */
void event_program_open(struct event_program *program, amqp_event_options_t *options,
                        const amqp_event_connection_callbacks_t *callbacks);

/* Options with this URL and this heartbeat in seconds, 0 for what the broker proposes; a lost broker is tried again after 0.2 s
   at first and every 5 s at the most. */
amqp_event_options_t *event_program_options(const char *url, int heartbeat);

/* Runs the loop. Ctrl-C closes the connection (or all `count` of them), the end of any of them ends the loop. Frees
   everything; the result is the program's exit code. */
int event_program_run(struct event_program *programs, int count);

#endif
