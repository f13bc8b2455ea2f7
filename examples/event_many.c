/* Keeps many connections on one loop, and says what they cost.
 *
 * Type:     event_many [url [connections [heartbeat [seconds]]]]
 *           event_many amqp://guest:guest@localhost 1000 60
 *           seconds: 0, which is the default: until Ctrl-C.
 * You see:  12:00:01.000  ready 1000, lost 0, closed 0; 9.1 KB of memory each; 0.3 % of a processor
 * Code:     0 when all were ready at some time and none was closed before the end, else 1.
 *
 * Each connection takes one descriptor: raise `ulimit -n` above their number.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "event_common.h"

enum { OPENED_TOGETHER = 200 }; /* a broker's listener has a queue, and that has an end */

static struct {
  struct event_base *base;
  amqp_event_options_t *options;
  amqp_event_connection_t **connections;
  long wanted, opened, ready, lost, closed, most_ready;
  long memory_before;
  double processor, at;
} many;

/* Kilobytes that no other process shares. */
static long private_memory(void) {
  char line[128];
  long total = 0, value;
  FILE *rollup = fopen("/proc/self/smaps_rollup", "r");
  while (rollup != NULL && fgets(line, sizeof line, rollup) != NULL) {
    if (sscanf(line, "Private_Clean: %ld", &value) == 1 || sscanf(line, "Private_Dirty: %ld", &value) == 1) total += value;
  }
  if (rollup != NULL) fclose(rollup);
  return total;
}

static void open_more(void);

static void on_ready(amqp_event_connection_t *connection, void *ctx) {
  (void)connection, (void)ctx;
  many.ready += 1;
  if (many.ready > many.most_ready) many.most_ready = many.ready;
  open_more();
}

static void on_lost(amqp_event_connection_t *connection, const amqp_event_error_t *error, void *ctx) {
  (void)connection, (void)ctx;
  if (many.lost == 0) say("the first is lost: %s", error->text);
  many.lost += 1;
  many.ready -= 1;
}

static void on_recovered(amqp_event_connection_t *connection, const amqp_event_error_t *error, void *ctx) {
  (void)connection, (void)error, (void)ctx;
  many.ready += 1;
}

static void on_closed(amqp_event_connection_t *connection, const amqp_event_error_t *error, void *ctx) {
  (void)connection, (void)ctx;
  if (error != NULL && many.closed == 0) say("the first is closed: %s", error->text);
  many.closed += error != NULL;
}

static void open_more(void) {
  amqp_event_connection_callbacks_t callbacks = {sizeof callbacks, on_ready, on_lost, NULL, on_recovered, NULL, NULL,
                                                 on_closed};
  while (many.opened < many.wanted && many.opened - many.most_ready < OPENED_TOGETHER) {
    amqp_event_connection_t *connection = amqp_event_connection_new(many.base, many.options);
    if (connection == NULL) fail("no memory for connection %ld", many.opened + 1);
    many.connections[many.opened] = connection;
    many.opened += 1;
    amqp_event_connection_set_callbacks(connection, &callbacks, NULL);
    check_status(amqp_event_connection_open(connection), "open");
  }
}

static void report(evutil_socket_t unused, short what, void *ctx) {
  double processor = (double)clock() / CLOCKS_PER_SEC, now = seconds_now();
  (void)unused, (void)what, (void)ctx;
  say("ready %ld, lost %ld, closed %ld; %.1f KB of memory each; %.1f %% of a processor", many.ready, many.lost, many.closed,
      many.ready > 0 ? (double)(private_memory() - many.memory_before) / (double)many.ready : 0.0,
      100 * (processor - many.processor) / (now - many.at));
  many.processor = processor;
  many.at = now;
}

static void stop(evutil_socket_t unused, short what, void *ctx) {
  (void)unused, (void)what, (void)ctx;
  event_base_loopbreak(many.base);
}

int main(int argc, char **argv) {
  const char *url = argument(argc, argv, 1, "amqp://guest:guest@localhost");
  int heartbeat = (int)number_argument(argc, argv, 3, 60, 0, 65535);
  struct timeval second = {1, 0}, end = {number_argument(argc, argv, 4, 0, 0, 1000000000), 0};
  struct event *clock, *interrupt;
  long i;
  many.wanted = number_argument(argc, argv, 2, 1000, 1, 1000000);
  many.connections = calloc((size_t)many.wanted, sizeof *many.connections);
  many.base = event_base_new();
  many.options = event_program_options(url, heartbeat);
  clock = event_new(many.base, -1, EV_PERSIST, report, NULL);
  interrupt = evsignal_new(many.base, 2, stop, NULL);
  if (many.connections == NULL || clock == NULL || interrupt == NULL) fail("no memory");
  event_add(clock, &second);
  event_add(interrupt, NULL);
  if (end.tv_sec > 0) event_base_once(many.base, -1, EV_TIMEOUT, stop, NULL, &end);
  many.memory_before = private_memory();
  many.at = seconds_now();
  open_more();
  event_base_dispatch(many.base);
  for (i = 0; i < many.opened; i += 1) amqp_event_connection_free(many.connections[i]);
  amqp_event_options_free(many.options);
  event_free(clock);
  event_free(interrupt);
  event_base_free(many.base);
  free(many.connections);
  return many.most_ready != many.wanted || many.closed > 0;
}
