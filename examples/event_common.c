#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* for localtime_r */
#endif
#include "event_common.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

void say(const char *format, ...) {
  struct timespec now;
  struct tm parts;
  va_list arguments;
  if (clock_gettime(CLOCK_REALTIME, &now) == 0 && localtime_r(&now.tv_sec, &parts) != NULL) {
    printf("%02d:%02d:%02d.%03ld  ", parts.tm_hour, parts.tm_min, parts.tm_sec, now.tv_nsec / 1000000);
  }
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  putchar('\n');
  fflush(stdout);
}

static const char *name_of(void *program) { return ((struct event_program *)program)->name; }

static void say_ready(amqp_event_connection_t *connection, void *ctx) {
  say("%s: connected, heartbeat %d s", name_of(ctx), amqp_event_connection_heartbeat(connection));
}

static void say_lost(amqp_event_connection_t *connection, const amqp_event_error_t *error, void *ctx) {
  (void)connection;
  say("%s: lost: %s", name_of(ctx), error->text);
}

static void say_recovering(amqp_event_connection_t *connection, int attempt, const char *host, int port, void *ctx) {
  (void)connection;
  say("%s: attempt %d, %s:%d", name_of(ctx), attempt, host, port);
}

static void say_recovered(amqp_event_connection_t *connection, const amqp_event_error_t *error, void *ctx) {
  (void)connection;
  say("%s: recovered%s%s", name_of(ctx), error == NULL ? "" : ", save for this: ", error == NULL ? "" : error->text);
}

static void say_blocked(amqp_event_connection_t *connection, amqp_bytes_t reason, void *ctx) {
  (void)connection;
  say("%s: blocked: %.*s", name_of(ctx), (int)reason.len, (char *)reason.bytes);
}

static void say_unblocked(amqp_event_connection_t *connection, void *ctx) {
  (void)connection;
  say("%s: unblocked", name_of(ctx));
}

static void say_closed(amqp_event_connection_t *connection, const amqp_event_error_t *error, void *ctx) {
  struct event_program *program = ctx;
  (void)connection;
  say("%s: closed%s%s", program->name, error == NULL ? "" : ": ", error == NULL ? "" : error->text);
  program->failed = error != NULL;
  event_base_loopexit(program->base, NULL);
}

amqp_event_connection_callbacks_t saying_callbacks(void) {
  amqp_event_connection_callbacks_t callbacks = {sizeof callbacks, say_ready,   say_lost,      say_recovering,
                                                 say_recovered,    say_blocked, say_unblocked, say_closed};
  return callbacks;
}

amqp_event_options_t *event_program_options(const char *url, int heartbeat) {
  amqp_event_options_t *options = amqp_event_options_new();
  if (options == NULL) {
    fail("no memory for options");
  }
  check_status(amqp_event_options_set_url(options, url), url);
  check_status(amqp_event_options_set_heartbeat(options, heartbeat), "set the heartbeat");
  check_status(amqp_event_options_set_reconnect(options, 200, 5000, 30, 0), "set the waits");
  return options;
}

void event_program_open(struct event_program *program, amqp_event_options_t *options,
                        const amqp_event_connection_callbacks_t *callbacks) {
  program->connection = amqp_event_connection_new(program->base, options);
  amqp_event_options_free(options);
  if (program->connection == NULL) {
    fail("cannot make a connection");
  }
  check_status(amqp_event_connection_set_callbacks(program->connection, callbacks, program), "set the callbacks");
  check_status(amqp_event_connection_open(program->connection), "open");
}

struct stopping {
  struct event_program *programs;
  int count;
};

static void close_all(evutil_socket_t signal_number, short what, void *ctx) {
  struct stopping *stopping = ctx;
  int i;
  (void)signal_number, (void)what;
  for (i = 0; i < stopping->count; i += 1) {
    amqp_event_connection_close(stopping->programs[i].connection, AMQP_REPLY_SUCCESS, "interrupted");
  }
}

int event_program_run(struct event_program *programs, int count) {
  struct event_base *base = programs[0].base;
  struct stopping stopping = {programs, count};
  struct event *interrupt = evsignal_new(base, SIGINT, close_all, &stopping);
  struct event *terminate = evsignal_new(base, SIGTERM, close_all, &stopping);
  int i, failed = 0;
  if (interrupt == NULL || terminate == NULL || event_add(interrupt, NULL) != 0 || event_add(terminate, NULL) != 0) {
    fail("cannot catch Ctrl-C");
  }
  event_base_dispatch(base);
  for (i = 0; i < count; i += 1) {
    failed |= programs[i].failed;
    amqp_event_connection_free(programs[i].connection);
  }
  event_free(interrupt);
  event_free(terminate);
  event_base_free(base);
  return failed;
}
