/* One measurement of the event API: bench_event publish|consume BODY-SIZE COUNT
 *
 * The same workloads, peer and report as bench.c, so that a message by the event API can be set against one by the classic API of
 * the reference library. A turn of the loop publishes 100 messages; they leave together. */
#define _GNU_SOURCE
#include <amqp_event.h>
#include <event2/event.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "peer.h"

enum { TOGETHER = 100 };

/* From count_allocations.so, if it is there. */
extern unsigned long bench_allocations(void) __attribute__((weak));

static struct {
  struct event_base *base;
  struct event *turn;
  amqp_event_connection_t *connection;
  amqp_event_channel_t *channel;
  const char *workload;
  amqp_bytes_t body;
  amqp_basic_properties_t properties;
  unsigned long done, warm_up, count, allocations;
  double started, spent;
} b;

static void require(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "bench: %s failed\n", what);
  exit(1);
}

static double cpu_nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Client and peer each on a processor of its own, where there are two. */
static void settle_on(long processor) {
  cpu_set_t set;
  if (sysconf(_SC_NPROCESSORS_ONLN) < 2 || getenv("BENCH_UNPINNED")) return;
  CPU_ZERO(&set);
  CPU_SET((size_t)processor, &set);
  sched_setaffinity(0, sizeof set, &set);
}

/* The first messages fill the caches and make the buffers that are then kept: they are not measured. */
static void one_done(void) {
  b.done += 1;
  if (b.done == b.warm_up) {
    b.allocations = bench_allocations ? bench_allocations() : 0;
    b.started = cpu_nanoseconds();
  } else if (b.done == b.warm_up + b.count) {
    b.spent = cpu_nanoseconds() - b.started;
    if (bench_allocations) b.allocations = bench_allocations() - b.allocations;
    event_base_loopbreak(b.base);
  }
}

static void publish_some(evutil_socket_t unused, short what, void *ctx) {
  int i;
  (void)unused, (void)what, (void)ctx;
  for (i = 0; i < TOGETHER && b.done < b.warm_up + b.count; i++) {
    if (!amqp_event_can_publish(b.channel)) return;
    require(amqp_event_publish(b.channel, amqp_empty_bytes, amqp_literal_bytes("bench"), 0, &b.properties, b.body, NULL, NULL,
                               NULL) == AMQP_STATUS_OK,
            "amqp_event_publish");
    one_done();
  }
  event_active(b.turn, EV_TIMEOUT, 0);
}

static void on_writable(amqp_event_channel_t *channel, void *ctx) {
  (void)channel, (void)ctx;
  event_active(b.turn, EV_TIMEOUT, 0);
}

static void on_message(amqp_event_consumer_t *consumer, const amqp_event_message_t *message, void *ctx) {
  (void)consumer, (void)ctx;
  require(message->body.len == b.body.len, "the size of a body");
  one_done();
}

static void on_opened(amqp_event_channel_t *channel, const amqp_event_error_t *error, void *ctx) {
  amqp_event_channel_callbacks_t callbacks = {sizeof callbacks, NULL, NULL, NULL, on_writable};
  amqp_event_consume_options_t options = {sizeof options, amqp_literal_bytes("bench"), 1, 0, 0, {0, NULL}, NULL};
  (void)ctx;
  require(error == NULL, "amqp_event_channel_open");
  amqp_event_channel_set_callbacks(channel, &callbacks, NULL);
  if (strcmp(b.workload, "publish") == 0)
    event_active(b.turn, EV_TIMEOUT, 0);
  else
    require(amqp_event_consume(channel, amqp_literal_bytes("bench"), &options, on_message, NULL, NULL, NULL) == AMQP_STATUS_OK,
            "amqp_event_consume");
}

static void on_ready(amqp_event_connection_t *connection, void *ctx) {
  (void)ctx;
  require(amqp_event_channel_open(connection, on_opened, NULL, &b.channel) == AMQP_STATUS_OK, "amqp_event_channel_open");
}

static void on_lost(amqp_event_connection_t *connection, const amqp_event_error_t *error, void *ctx) {
  (void)connection, (void)ctx;
  require(0, error->text);
}

static void say_library(void) {
  char line[4096];
  FILE *maps = fopen("/proc/self/maps", "r");
  require(maps != NULL, "/proc/self/maps");
  while (fgets(line, sizeof line, maps)) {
    const char *path = strchr(line, '/');
    if (path && strstr(path, "librabbitmq.so")) {
      printf("library %s", path);
      break;
    }
  }
  fclose(maps);
}

int main(int argc, char **argv) {
  amqp_event_connection_callbacks_t callbacks = {sizeof callbacks, on_ready, on_lost, NULL, NULL, NULL, NULL, NULL};
  amqp_event_options_t *options = amqp_event_options_new();
  struct peer peer;
  if (argc != 4 || (strcmp(argv[1], "publish") != 0 && strcmp(argv[1], "consume") != 0)) {
    fprintf(stderr, "usage: bench_event publish|consume BODY-SIZE COUNT\n");
    return 2;
  }
  b.workload = argv[1];
  b.body = amqp_bytes_malloc(strtoul(argv[2], NULL, 10));
  b.count = strtoul(argv[3], NULL, 10);
  b.warm_up = b.count / 10;
  memset(b.body.bytes, 'x', b.body.len);
  b.properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG;
  b.properties.content_type = amqp_literal_bytes("text/plain");
  b.properties.delivery_mode = AMQP_DELIVERY_PERSISTENT;

  settle_on(1);
  peer = peer_start(strcmp(b.workload, "publish") == 0 ? PEER_DISCARD : PEER_DELIVER, b.body.len, b.count + b.warm_up);
  settle_on(0);
  b.base = event_base_new();
  b.turn = event_new(b.base, -1, 0, publish_some, NULL);
  require(amqp_event_options_add_host(options, "127.0.0.1", peer.port) == AMQP_STATUS_OK, "amqp_event_options_add_host");
  amqp_event_options_set_recovery(options, AMQP_EVENT_RECOVERY_NONE);
  b.connection = amqp_event_connection_new(b.base, options);
  require(b.connection != NULL, "amqp_event_connection_new");
  amqp_event_options_free(options);
  amqp_event_connection_set_callbacks(b.connection, &callbacks, NULL);
  require(amqp_event_connection_open(b.connection) == AMQP_STATUS_OK, "amqp_event_connection_open");
  event_base_dispatch(b.base);
  require(b.spent > 0, "the connection");

  say_library();
  printf("cpu %.1f\n", b.spent / (double)b.count);
  if (bench_allocations) printf("allocations %.3f\n", (double)b.allocations / (double)b.count);
  amqp_event_connection_free(b.connection);
  event_free(b.turn);
  event_base_free(b.base);
  amqp_bytes_free(b.body);
  peer_wait(peer);
  return 0;
}
