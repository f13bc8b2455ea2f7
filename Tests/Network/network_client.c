/* The programs of the network suite: each one way to use a connection, and nothing but the library to learn from that its
 * broker is gone.
 *
 *   network_client consumer  HOST PORT QUEUE HEARTBEAT           waits for messages without a limit
 *   network_client poller    HOST PORT QUEUE HEARTBEAT           polls the descriptor itself, H/2 at a time; consumes with {0,0}
 *   network_client publisher HOST PORT QUEUE HEARTBEAT OCTETS    publishes bodies of this size ten times a second, reads nothing
 *   network_client acker     HOST PORT QUEUE HEARTBEAT           acknowledges ten times a second what it took at the start
 *   network_client busy      HOST PORT QUEUE HEARTBEAT           stays outside the library, and leaves unread what comes
 *   network_client tell      HOST PORT BODY QUEUE...             publishes BODY into each queue
 *   network_client fill      HOST PORT MESSAGES QUEUE...         publishes so many large bodies into each queue
 *
 * Each of the first five says `ready`, and then one of these:
 *   ended SECONDS CODE WORDS     what a call answered, and when, in seconds since the epoch
 *   kept WORDS                   the message `bye` came, or after SIGTERM the broker has answered
 * SIGTERM ends the work of those that do not wait for messages. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* for POLLRDHUP and RTLD_DEFAULT */
#endif
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <time.h>

enum { channel = 1, acknowledged_messages = 600, large_octets = 65536, step_milliseconds = 100 };

static volatile sig_atomic_t work_is_over;
static char large_body[1 << 20];
static const char *queue;
static int heartbeat_seconds;
static long body_octets;

static void end_work(int number) {
  (void)number;
  work_is_over = 1;
}

static double now_seconds(int clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

static void ended(int code, const char *words) {
  printf("ended %.3f %d %s\n", now_seconds(CLOCK_REALTIME), code, words);
  exit(0);
}

static void expect_status(int status) {
  if (status < 0) ended(status, amqp_error_string2(status));
}

static void expect_reply(amqp_rpc_reply_t reply) {
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) expect_status(reply.library_error);
  if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION) ended(0, "closed by the broker");
}

static amqp_connection_state_t connect_to(const char *host, const char *port) {
  amqp_connection_state_t connection = amqp_new_connection();
  expect_status(amqp_socket_open(amqp_tcp_socket_new(connection), host, atoi(port)));
  expect_reply(amqp_login(connection, "/", 0, 131072, heartbeat_seconds, AMQP_SASL_METHOD_PLAIN, "guest", "guest"));
  amqp_channel_open(connection, channel);
  expect_reply(amqp_get_rpc_reply(connection));
  return connection;
}

static void declare(amqp_connection_state_t connection, const char *name) {
  amqp_queue_declare(connection, channel, amqp_cstring_bytes(name), 0, 0, 0, 0, amqp_empty_table);
  expect_reply(amqp_get_rpc_reply(connection));
}

static void publish(amqp_connection_state_t connection, const char *routing_key, amqp_bytes_t body) {
  expect_status(amqp_basic_publish(connection, channel, amqp_empty_bytes, amqp_cstring_bytes(routing_key), 0, 0, NULL, body));
}

static void publish_octets(amqp_connection_state_t connection, const char *routing_key, size_t octets) {
  amqp_bytes_t body = {octets, large_body};
  publish(connection, routing_key, body);
}

static void start_consumer(amqp_connection_state_t connection, int without_acknowledgements) {
  amqp_basic_consume(connection, channel, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, without_acknowledgements, 0,
                     amqp_empty_table);
  expect_reply(amqp_get_rpc_reply(connection));
}

static void ready(void) { puts("ready"); }

static void kept(const char *words) {
  printf("kept %s\n", words);
  exit(0);
}

/* The next message: 1, or 0 when the time is up. Ends the program at `bye`, and when the connection is lost. */
static int next_message(amqp_connection_state_t connection, const struct timeval *limit, const char *words) {
  amqp_envelope_t envelope;
  amqp_rpc_reply_t reply;
  amqp_maybe_release_buffers(connection);
  reply = amqp_consume_message(connection, &envelope, limit, 0);
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && reply.library_error == AMQP_STATUS_TIMEOUT) return 0;
  expect_reply(reply);
  if (envelope.message.body.len == 3 && memcmp(envelope.message.body.bytes, "bye", 3) == 0) kept(words);
  amqp_destroy_envelope(&envelope);
  return 1;
}

static void consumer(amqp_connection_state_t connection) {
  start_consumer(connection, 1);
  ready();
  for (;;) next_message(connection, NULL, "");
}

static void poller(amqp_connection_state_t connection) {
  const struct timeval at_once = {0, 0};
  start_consumer(connection, 1);
  ready();
  for (;;) {
    struct pollfd ready_to_read = {amqp_get_sockfd(connection), POLLIN, 0};
    poll(&ready_to_read, 1, heartbeat_seconds * 500);
    while (next_message(connection, &at_once, "")) continue;
  }
}

/* Nobody is bound to the key: the broker drops what it has read. */
static void publisher(amqp_connection_state_t connection) {
  double longest = 0;
  char words[64];
  ready();
  while (!work_is_over) {
    double before = now_seconds(CLOCK_MONOTONIC), took;
    publish_octets(connection, "nobody", (size_t)body_octets);
    took = now_seconds(CLOCK_MONOTONIC) - before;
    if (took > longest) longest = took;
    poll(NULL, 0, step_milliseconds);
  }
  declare(connection, queue);
  snprintf(words, sizeof words, "longest publish %.1f s", longest);
  kept(words);
}

static void acker(amqp_connection_state_t connection) {
  int taken, acknowledged = 0;
  for (taken = 0; taken < acknowledged_messages; taken++) publish_octets(connection, queue, 1);
  start_consumer(connection, 0);
  for (taken = 0; taken < acknowledged_messages; taken++) next_message(connection, NULL, "");
  ready();
  while (!work_is_over && acknowledged < acknowledged_messages) {
    expect_status(amqp_basic_ack(connection, channel, (uint64_t)++acknowledged, 0));
    poll(NULL, 0, step_milliseconds);
  }
  declare(connection, queue);
  kept("");
}

/* The reference has no such function, and the same program runs there without. */
static void ask_for_the_background(amqp_connection_state_t connection) {
  int (*background)(amqp_connection_state_t, int) = NULL;
  *(void **)&background = dlsym(RTLD_DEFAULT, "amqp_heartbeat_background");
  if (background != NULL) expect_status(background(connection, 1));
}

static void busy(amqp_connection_state_t connection) {
  char words[64];
  int unread = 0;
  ask_for_the_background(connection);
  start_consumer(connection, 1);
  ready();
  while (!work_is_over) {
    struct pollfd hung_up = {amqp_get_sockfd(connection), POLLRDHUP, 0};
    if (poll(&hung_up, 1, step_milliseconds) > 0) break;
  }
  ioctl(amqp_get_sockfd(connection), FIONREAD, &unread);
  snprintf(words, sizeof words, "unread %d", unread);
  for (;;) next_message(connection, NULL, words);
}

static void tell(amqp_connection_state_t connection, const char *body, char **queues) {
  for (; *queues != NULL; queues++) {
    declare(connection, *queues);
    publish(connection, *queues, amqp_cstring_bytes(body));
  }
  expect_reply(amqp_connection_close(connection, AMQP_REPLY_SUCCESS));
  kept("");
}

static void fill(amqp_connection_state_t connection, int messages, char **queues) {
  int message;
  for (; *queues != NULL; queues++) {
    declare(connection, *queues);
    for (message = 0; message < messages; message++) publish_octets(connection, *queues, large_octets);
  }
  expect_reply(amqp_connection_close(connection, AMQP_REPLY_SUCCESS));
  kept("");
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*run)(amqp_connection_state_t);
  } programs[] = {{"consumer", consumer}, {"poller", poller}, {"publisher", publisher}, {"acker", acker}, {"busy", busy}};
  const struct sigaction on_end = {.sa_handler = end_work};
  size_t index;

  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc < 6) return 2;
  if (strcmp(argv[1], "tell") == 0) tell(connect_to(argv[2], argv[3]), argv[4], argv + 5);
  if (strcmp(argv[1], "fill") == 0) fill(connect_to(argv[2], argv[3]), atoi(argv[4]), argv + 5);
  queue = argv[4];
  heartbeat_seconds = atoi(argv[5]);
  body_octets = argc > 6 ? atol(argv[6]) : 0;
  if (body_octets < 0 || (size_t)body_octets > sizeof large_body) return 2;
  sigaction(SIGTERM, &on_end, NULL);
  for (index = 0; index < sizeof programs / sizeof programs[0]; index++) {
    if (strcmp(argv[1], programs[index].name) == 0) {
      amqp_connection_state_t connection = connect_to(argv[2], argv[3]);
      declare(connection, queue);
      programs[index].run(connection);
    }
  }
  return 2;
}
