/* Very many connections on one loop: what they cost while nothing happens, that all of them live, and that all notice a death. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "crowd.h"
#include "session.h"

enum { TOGETHER = 250 };

static struct {
  struct event_base *base;
  amqp_event_connection_t **connections;
  int ready, lost, closed;
} many;

static void on_ready(amqp_event_connection_t *connection, void *ctx) {
  (void)connection, (void)ctx;
  many.ready++;
}

static void on_lost(amqp_event_connection_t *connection, const amqp_event_error_t *error, void *ctx) {
  (void)connection, (void)ctx;
  CHECK_STATUS(error->status, AMQP_STATUS_HEARTBEAT_TIMEOUT);
  many.lost++;
}

static void on_closed(amqp_event_connection_t *connection, const amqp_event_error_t *error, void *ctx) {
  (void)connection, (void)error, (void)ctx;
  many.closed++;
}

/* Kilobytes that belong to this process alone. */
static long private_memory(void) {
  char line[128];
  long total = 0, value;
  FILE *rollup = fopen("/proc/self/smaps_rollup", "r");
  if (!CHECK(rollup != NULL)) return 0;
  while (fgets(line, sizeof line, rollup) != NULL)
    if (sscanf(line, "Private_Clean: %ld", &value) == 1 || sscanf(line, "Private_Dirty: %ld", &value) == 1) total += value;
  fclose(rollup);
  return total;
}

static double processor_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void turn(session *s, int milliseconds) { session_idle(s, milliseconds); }

/* `count` connections with this heartbeat that idle for so many seconds; then, if wanted, the peer freezes. */
static void keep_many(int count, int heartbeat, int seconds, int then_freeze) {
  crowd peer = crowd_start(heartbeat);
  session *s = session_new(NULL);
  amqp_event_connection_callbacks_t callbacks = {sizeof callbacks, on_ready, on_lost, NULL, NULL, NULL, NULL, on_closed};
  struct rlimit limit;
  double started, spent, share, each;
  long before;
  int i;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < (rlim_t)count + 100) check_skip("too few descriptors allowed");
  memset(&many, 0, sizeof many);
  many.connections = calloc((size_t)count, sizeof *many.connections);
  amqp_event_options_add_host(s->options, "127.0.0.1", peer.port);
  amqp_event_options_set_reconnect(s->options, 60000, 60000, 0, 0);
  turn(s, 10);
  before = private_memory();
  for (i = 0; i < count; i++) {
    many.connections[i] = amqp_event_connection_new(s->base, s->options);
    if (!CHECK(many.connections[i] != NULL)) exit(1);
    amqp_event_connection_set_callbacks(many.connections[i], &callbacks, NULL);
    CHECK_STATUS(amqp_event_connection_open(many.connections[i]), AMQP_STATUS_OK);
    while (i - many.ready >= TOGETHER) event_base_loop(s->base, EVLOOP_ONCE);
  }
  CHECK(session_run(s, &many.ready, count, 20000));
  turn(s, 500);
  each = (double)(private_memory() - before) / count;
  started = processor_seconds();
  turn(s, seconds * 1000);
  spent = processor_seconds() - started;
  share = 100 * spent / seconds;
  printf("  %d connections, heartbeat %d s: %.1f KB each, %.2f %% of a processor, %llu heartbeats heard\n", count, heartbeat, each,
         share, (unsigned long long)peer.record->heartbeats);
  CHECK(each <= 24);
  CHECK(share < 2);
  CHECK_INT(many.lost, 0);
  CHECK_INT(peer.record->open, count);
  CHECK_INT(peer.record->cut_for_silence, 0);
  if (then_freeze) {
    crowd_freeze(peer);
    CHECK(session_run(s, &many.lost, count, heartbeat * 2000 + 3000));
  }
  for (i = 0; i < count; i++) amqp_event_connection_free(many.connections[i]);
  CHECK(session_run(s, &many.closed, count, 10000));
  CHECK_INT(many.closed, count);
  free(many.connections);
  session_end(s);
  crowd_stop(peer);
}

CASE(ten_thousand_idle_connections) {
  check_allow_seconds(150);
  keep_many(10000, 60, 65, 0);
}

CASE(a_thousand_notice_a_frozen_broker) { keep_many(1000, 2, 6, 1); }

int main(int argc, char **argv) { return check_main(argc, argv); }
