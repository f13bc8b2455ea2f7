/* One measurement of one library: bench WORKLOAD BODY-SIZE COUNT
 *
 * Prints which librabbitmq this process runs on, and what one message (one connection) cost the client: CPU time (user and
 * system) and time on the wall, in nanoseconds; for idle connections private memory, in bytes; and, where
 * count_allocations.so is preloaded, allocations. The peer is another process: not counted.
 *
 * Which library that is, LD_LIBRARY_PATH decides; scripts/bench runs this program on two of them in turn. */
#define _GNU_SOURCE
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "peer.h"

/* From count_allocations.so, if it is there. */
extern unsigned long bench_allocations(void) __attribute__((weak));

/* From amqp_batch.h, which one of the libraries does not have: its messages go one by one. */
extern int amqp_publish_cork(amqp_connection_state_t connection) __attribute__((weak));
extern int amqp_publish_uncork(amqp_connection_state_t connection) __attribute__((weak));

static void require(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "bench: %s failed\n", what);
  exit(1);
}

static void require_reply(amqp_rpc_reply_t reply, const char *what) {
  require(reply.reply_type == AMQP_RESPONSE_NORMAL, what);
}

static double nanoseconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
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

/* Of the variant that measures TLS: connects by way of a relay. */
extern int bench_open_tls(amqp_connection_state_t connection, int port) __attribute__((weak));

static amqp_connection_state_t log_in(int port) {
  amqp_connection_state_t connection = amqp_new_connection();
  require(connection != NULL, "amqp_new_connection");
  if (bench_open_tls) {
    require(bench_open_tls(connection, port) == AMQP_STATUS_OK, "amqp_socket_open");
  } else {
    amqp_socket_t *socket = amqp_tcp_socket_new(connection);
    require(socket != NULL, "amqp_tcp_socket_new");
    require(amqp_socket_open(socket, "127.0.0.1", port) == AMQP_STATUS_OK, "amqp_socket_open");
  }
  require_reply(amqp_login(connection, "/", 0, 131072, 60, AMQP_SASL_METHOD_PLAIN, "guest", "guest"), "amqp_login");
  amqp_channel_open(connection, 1);
  require_reply(amqp_get_rpc_reply(connection), "amqp_channel_open");
  return connection;
}

static int port_of_peer;

static void publish_each(amqp_connection_state_t connection, size_t body_size, unsigned long count, int is_confirmed) {
  amqp_bytes_t body = amqp_bytes_malloc(body_size), key = amqp_cstring_bytes("bench");
  amqp_basic_properties_t properties;
  memset(body.bytes, 'x', body_size);
  memset(&properties, 0, sizeof properties);
  properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG;
  properties.content_type = amqp_cstring_bytes("text/plain");
  properties.delivery_mode = AMQP_DELIVERY_PERSISTENT;
  for (unsigned long i = 0; i < count; i++) {
    int status = amqp_basic_publish(connection, 1, amqp_empty_bytes, key, 0, 0, &properties, body);
    if (status != AMQP_STATUS_OK) fprintf(stderr, "bench: message %lu: %s\n", i, amqp_error_string2(status));
    require(status == AMQP_STATUS_OK, "amqp_basic_publish");
    if (is_confirmed) {
      amqp_frame_t frame;
      amqp_maybe_release_buffers(connection);
      require(amqp_simple_wait_frame(connection, &frame) == AMQP_STATUS_OK, "a confirm");
      require(frame.payload.method.id == AMQP_BASIC_ACK_METHOD, "the method of a confirm");
    }
  }
  amqp_bytes_free(body);
}

static void publish(amqp_connection_state_t connection, size_t body_size, unsigned long count) {
  publish_each(connection, body_size, count, 0);
}

static void confirm(amqp_connection_state_t connection, size_t body_size, unsigned long count) {
  publish_each(connection, body_size, count, 1);
}

static void corked(amqp_connection_state_t connection, size_t body_size, unsigned long count) {
  if (amqp_publish_cork) require(amqp_publish_cork(connection) == AMQP_STATUS_OK, "amqp_publish_cork");
  publish_each(connection, body_size, count, 0);
  if (amqp_publish_uncork) require(amqp_publish_uncork(connection) == AMQP_STATUS_OK, "amqp_publish_uncork");
}

static void consume_each(amqp_connection_state_t connection, size_t body_size, unsigned long count, int is_acknowledged) {
  for (unsigned long i = 0; i < count; i++) {
    amqp_envelope_t envelope;
    amqp_maybe_release_buffers(connection);
    require_reply(amqp_consume_message(connection, &envelope, NULL, 0), "amqp_consume_message");
    require(envelope.message.body.len == body_size, "the size of a body");
    if (is_acknowledged) {
      require(amqp_basic_ack(connection, 1, envelope.delivery_tag, 0) == AMQP_STATUS_OK, "amqp_basic_ack");
    }
    amqp_destroy_envelope(&envelope);
  }
}

static void consume(amqp_connection_state_t connection, size_t body_size, unsigned long count) {
  consume_each(connection, body_size, count, 0);
}

static void consume_and_acknowledge(amqp_connection_state_t connection, size_t body_size, unsigned long count) {
  consume_each(connection, body_size, count, 1);
}

static void acknowledge(amqp_connection_state_t connection, size_t body_size, unsigned long count) {
  (void)body_size;
  for (unsigned long i = 0; i < count; i++) {
    require(amqp_basic_ack(connection, 1, i + 1, 0) == AMQP_STATUS_OK, "amqp_basic_ack");
  }
}

static void round_trip(amqp_connection_state_t connection, size_t body_size, unsigned long count) {
  (void)body_size;
  for (unsigned long i = 0; i < count; i++) {
    amqp_maybe_release_buffers(connection);
    require(amqp_basic_qos(connection, 1, 0, 10, 0) != NULL, "amqp_basic_qos");
  }
}

static void connect_and_close(amqp_connection_state_t connection, size_t body_size, unsigned long count) {
  (void)connection;
  (void)body_size;
  while (count-- > 0) {
    amqp_connection_state_t one = log_in(port_of_peer);
    require_reply(amqp_connection_close(one, AMQP_REPLY_SUCCESS), "amqp_connection_close");
    amqp_destroy_connection(one);
  }
}

static void open_and_keep(amqp_connection_state_t connection, size_t body_size, unsigned long count) {
  (void)connection;
  (void)body_size;
  while (count-- > 0) log_in(port_of_peer);
}

/* Processes that load the library, call it once and end. */
static void start_processes(amqp_connection_state_t connection, size_t body_size, unsigned long count) {
  char *const arguments[] = {"bench", "nothing", NULL};
  (void)connection;
  (void)body_size;
  while (count-- > 0) {
    int status;
    pid_t process;
    require(posix_spawn(&process, "/proc/self/exe", NULL, NULL, arguments, environ) == 0, "posix_spawn");
    require(waitpid(process, &status, 0) == process && status == 0, "a process");
  }
}

/* Bytes that belong to this process alone. */
static double private_memory(void) {
  char line[256];
  unsigned long kilobytes, sum = 0;
  FILE *memory = fopen("/proc/self/smaps_rollup", "r");
  require(memory != NULL, "/proc/self/smaps_rollup");
  while (fgets(line, sizeof line, memory)) {
    if (sscanf(line, "Private_Clean: %lu", &kilobytes) == 1 || sscanf(line, "Private_Dirty: %lu", &kilobytes) == 1) {
      sum += kilobytes;
    }
  }
  fclose(memory);
  return (double)sum * 1024;
}

static const struct {
  const char *name;
  enum peer_task task;
  void (*run)(amqp_connection_state_t, size_t, unsigned long);
} workloads[] = {
    {"publish", PEER_DISCARD, publish},
    {"consume", PEER_DELIVER, consume},
    {"ack", PEER_DISCARD, acknowledge},
    {"rpc", PEER_ANSWER, round_trip},
    {"confirm", PEER_CONFIRM, confirm},
    {"corked", PEER_DISCARD, corked},
    {"consume-ack", PEER_DELIVER, consume_and_acknowledge},
    {"connect", PEER_WELCOME, connect_and_close},
    {"idle", PEER_KEEP, open_and_keep},
    {"start", PEER_KEEP, start_processes},
};

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
  if (argc == 2 && strcmp(argv[1], "nothing") == 0) return amqp_version_number() == 0;
  size_t which = 0, kinds = sizeof workloads / sizeof workloads[0];
  if (argc == 4) {
    while (which < kinds && strcmp(argv[1], workloads[which].name) != 0) which++;
  }
  if (argc != 4 || which == kinds) {
    fprintf(stderr, "usage: bench WORKLOAD BODY-SIZE COUNT\n");
    return 2;
  }
  size_t body_size = strtoul(argv[2], NULL, 10);
  unsigned long count = strtoul(argv[3], NULL, 10);
  /* Not measured: the first messages fill the caches and make the buffers that are then kept. */
  unsigned long warm_up = count / 10;

  settle_on(1);
  struct peer peer = peer_start(workloads[which].task, body_size, count + warm_up);
  settle_on(0);
  int makes_its_own = workloads[which].task == PEER_WELCOME || workloads[which].task == PEER_KEEP;
  port_of_peer = peer.port;
  amqp_connection_state_t connection = makes_its_own ? NULL : log_in(peer.port);
  if (workloads[which].task == PEER_DELIVER) {
    amqp_basic_consume(connection, 1, amqp_cstring_bytes("bench"), amqp_empty_bytes, 0, 1, 0, amqp_empty_table);
    require_reply(amqp_get_rpc_reply(connection), "amqp_basic_consume");
  }

  workloads[which].run(connection, body_size, warm_up);
  unsigned long allocations = bench_allocations ? bench_allocations() : 0;
  double memory = private_memory(), wall = nanoseconds(CLOCK_MONOTONIC), cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
  workloads[which].run(connection, body_size, count);
  cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  wall = nanoseconds(CLOCK_MONOTONIC) - wall;
  memory = private_memory() - memory;
  if (bench_allocations) allocations = bench_allocations() - allocations;

  say_library();
  printf("cpu %.1f\nwall %.1f\nmemory %.1f\n", cpu / (double)count, wall / (double)count, memory / (double)count);
  if (bench_allocations) printf("allocations %.3f\n", (double)allocations / (double)count);
  if (workloads[which].task == PEER_KEEP) exit(0);
  if (connection) amqp_destroy_connection(connection);
  peer_wait(peer);
  return 0;
}
