/* Heartbeats against a real broker, every 2 s: the connection of a client that has nothing to say is kept, and a broker
   that has been frozen is found dead after twice the heartbeat, by every call. */
#define _GNU_SOURCE
#include "support.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { heartbeat = 2 };
static const double idle_seconds = 3.5 * heartbeat;

/* After the idle time the broker must still serve us. */
static void require_alive(amqp_connection_state_t connection) {
  require_queue_length(connection, own_queue(connection, 1), 0);
  farewell(connection);
}

static void idle_consumer(void) {
  amqp_connection_state_t connection = logged_in(heartbeat, 0);
  struct timeval limit = as_timeval(idle_seconds);
  amqp_envelope_t envelope;
  start_consumer(connection, 1, own_queue(connection, 1), 1);
  REQUIRE_LIBRARY_ERROR(amqp_consume_message(connection, &envelope, &limit, 0), AMQP_STATUS_TIMEOUT);
  require_alive(connection);
}

static void idle_frame_wait(void) {
  amqp_connection_state_t connection = logged_in(heartbeat, 0);
  double end = seconds_now() + idle_seconds;
  while (seconds_now() < end) {
    struct timeval brief = {0, 300000};
    amqp_frame_t frame;
    REQUIRE_EQUAL(amqp_simple_wait_frame_noblock(connection, &frame, &brief), AMQP_STATUS_TIMEOUT);
  }
  require_alive(connection);
}

static void idle_zero_waits(void) {
  amqp_connection_state_t connection = logged_in(heartbeat, 0);
  double end = seconds_now() + idle_seconds;
  while (seconds_now() < end) {
    struct timeval none = {0, 0};
    amqp_envelope_t envelope;
    REQUIRE_LIBRARY_ERROR(amqp_consume_message(connection, &envelope, &none, 0), AMQP_STATUS_TIMEOUT);
    sleep_seconds(0.1);
  }
  require_alive(connection);
}

static void idle_polls(void) {
  amqp_connection_state_t connection = logged_in(heartbeat, 0);
  double end = seconds_now() + idle_seconds;
  while (seconds_now() < end) {
    REQUIRE(!amqp_frames_enqueued(connection));
    REQUIRE(!amqp_data_in_buffer(connection));
    sleep_seconds(0.1);
  }
  require_alive(connection);
}

/* A publisher that never reads: the heartbeats of the broker pile up unread, and are no reason for anything. */
static void busy_publisher(void) {
  amqp_connection_state_t connection = logged_in(heartbeat, 0);
  amqp_bytes_t queue = own_queue(connection, 1);
  double end = seconds_now() + idle_seconds;
  uint32_t published = 0;
  while (seconds_now() < end) {
    publish(connection, 1, queue, amqp_cstring_bytes("x"));
    published += 1;
    sleep_seconds(0.2);
  }
  require_queue_length(connection, queue, published);
  farewell(connection);
}

static void idle_confirm_wait(void) {
  amqp_connection_state_t connection = logged_in(heartbeat, 0);
  struct timeval limit = as_timeval(idle_seconds);
  amqp_publisher_confirm_t confirm;
  REQUIRE(confirm_wait != NULL);
  amqp_confirm_select(connection, 1);
  REQUIRE_DONE(connection);
  REQUIRE_LIBRARY_ERROR(confirm_wait(connection, &limit, &confirm), AMQP_STATUS_TIMEOUT);
  require_alive(connection);
}

/* A broker in a memory alarm stops reading but lives. A publisher that is blocked by it for longer than 2H is not torn
   down, and goes on when the alarm is over. */
static void blocked_publisher(void) {
  amqp_connection_state_t connection = logged_in(heartbeat, 0);
  amqp_bytes_t queue = own_queue(connection, 1), body = patterned((size_t)16 << 20, 7);
  uint32_t published = 0;
  double longest = 0;
  publish(connection, 1, queue, amqp_cstring_bytes("before"));
  published += 1;
  announce_ready();
  await_event("blocked");
  while (!event_happened("unblocked")) {
    double began = seconds_now(), took;
    REQUIRE_OK(amqp_basic_publish(connection, 1, amqp_empty_bytes, queue, 0, 0, NULL, body));
    took = seconds_now() - began;
    longest = took > longest ? took : longest;
    published += 1;
    REQUIRE(published < 200);
  }
  if (longest < 2.5 * heartbeat) {
    FAIL("the longest publish took %.1f s: the broker did not block it", longest);
  }
  require_queue_length(connection, queue, published);
  farewell(connection);
}

/* A broker that stands still. `watch` is a second descriptor of the same socket: the library closes its own. */

struct doomed {
  amqp_connection_state_t connection;
  amqp_bytes_t queue;
  int watch;
};

static struct doomed doomed(int heartbeat_seconds) {
  struct doomed made;
  made.connection = logged_in(heartbeat_seconds, 0);
  made.queue = own_queue(made.connection, 1);
  made.watch = dup(amqp_get_sockfd(made.connection));
  REQUIRE(made.watch >= 0);
  return made;
}

static double silence(int descriptor) {
  struct tcp_info info;
  socklen_t length = sizeof info;
  REQUIRE(getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &length) == 0);
  return info.tcpi_last_data_recv / 1e3;
}

/* The call just said that the peer is dead: that was the right time, the socket is closed, and it stays so. */
static void require_dead_in_time(struct doomed *victim) {
  double silent = silence(victim->watch);
  amqp_frame_t frame;
  if (silent < 2 * heartbeat - 0.05 || silent > 2 * heartbeat + 0.7) {
    FAIL("found dead after a silence of %.2f s, expected %d to %.1f s", silent, 2 * heartbeat, 2 * heartbeat + 0.7);
  }
  REQUIRE(event_happened("frozen"));
  if (confirm_wait != NULL) {
    struct timeval none = {0, 0};
    REQUIRE_EQUAL(amqp_get_sockfd(victim->connection), -1);
    REQUIRE_EQUAL(amqp_simple_wait_frame_noblock(victim->connection, &frame, &none), AMQP_STATUS_HEARTBEAT_TIMEOUT);
    REQUIRE_EQUAL(amqp_basic_publish(victim->connection, 1, amqp_empty_bytes, victim->queue, 0, 0, NULL, victim->queue),
                  AMQP_STATUS_HEARTBEAT_TIMEOUT);
    amqp_queue_declare(victim->connection, 1, victim->queue, 1, 0, 0, 0, amqp_empty_table);
    REQUIRE_LIBRARY_ERROR(amqp_get_rpc_reply(victim->connection), AMQP_STATUS_HEARTBEAT_TIMEOUT);
  }
  REQUIRE_OK(amqp_destroy_connection(victim->connection));
}

static void frozen_consume(void) {
  struct doomed victim = doomed(heartbeat);
  amqp_envelope_t envelope;
  start_consumer(victim.connection, 1, victim.queue, 1);
  announce_ready();
  REQUIRE_LIBRARY_ERROR(amqp_consume_message(victim.connection, &envelope, NULL, 0), AMQP_STATUS_HEARTBEAT_TIMEOUT);
  require_dead_in_time(&victim);
}

static void frozen_consume_with_timeouts(void) {
  struct doomed victim = doomed(heartbeat);
  amqp_envelope_t envelope;
  amqp_rpc_reply_t reply;
  announce_ready();
  do {
    struct timeval brief = {0, 300000};
    reply = amqp_consume_message(victim.connection, &envelope, &brief, 0);
    REQUIRE(reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION);
  } while (reply.library_error == AMQP_STATUS_TIMEOUT);
  REQUIRE_LIBRARY_ERROR(reply, AMQP_STATUS_HEARTBEAT_TIMEOUT);
  require_dead_in_time(&victim);
}

static void frozen_frame_wait(void) {
  struct doomed victim = doomed(heartbeat);
  amqp_frame_t frame;
  announce_ready();
  REQUIRE_EQUAL(amqp_simple_wait_frame(victim.connection, &frame), AMQP_STATUS_HEARTBEAT_TIMEOUT);
  require_dead_in_time(&victim);
}

static void frozen_zero_waits(void) {
  struct doomed victim = doomed(heartbeat);
  amqp_frame_t frame;
  int status;
  announce_ready();
  do {
    struct timeval none = {0, 0};
    sleep_seconds(0.05);
    status = amqp_simple_wait_frame_noblock(victim.connection, &frame, &none);
  } while (status == AMQP_STATUS_TIMEOUT);
  REQUIRE_EQUAL(status, AMQP_STATUS_HEARTBEAT_TIMEOUT);
  require_dead_in_time(&victim);
}

static void frozen_polls(void) {
  struct doomed victim = doomed(heartbeat);
  announce_ready();
  while (amqp_get_sockfd(victim.connection) >= 0) {
    sleep_seconds(0.05);
    amqp_frames_enqueued(victim.connection);
    amqp_data_in_buffer(victim.connection);
  }
  require_dead_in_time(&victim);
}

static void frozen_rpc(void) {
  struct doomed victim = doomed(heartbeat);
  announce_ready();
  while (!event_happened("frozen")) {
    require_service(victim.connection, victim.queue);
    sleep_seconds(0.05);
  }
  REQUIRE(amqp_queue_declare(victim.connection, 1, victim.queue, 1, 0, 0, 0, amqp_empty_table) == NULL);
  REQUIRE_LIBRARY_ERROR(amqp_get_rpc_reply(victim.connection), AMQP_STATUS_HEARTBEAT_TIMEOUT);
  require_dead_in_time(&victim);
}

static void frozen_get(void) {
  struct doomed victim = doomed(heartbeat);
  amqp_rpc_reply_t reply;
  announce_ready();
  await_event("frozen");
  reply = amqp_basic_get(victim.connection, 1, victim.queue, 1);
  REQUIRE_LIBRARY_ERROR(reply, AMQP_STATUS_HEARTBEAT_TIMEOUT);
  require_dead_in_time(&victim);
}

static void frozen_publish(void) {
  struct doomed victim = doomed(heartbeat);
  int status;
  announce_ready();
  do {
    sleep_seconds(0.05);
    status = amqp_basic_publish(victim.connection, 1, amqp_empty_bytes, victim.queue, 0, 0, NULL, victim.queue);
  } while (status == AMQP_STATUS_OK);
  REQUIRE_EQUAL(status, AMQP_STATUS_HEARTBEAT_TIMEOUT);
  require_dead_in_time(&victim);
}

static void frozen_blocked_publish(void) {
  struct doomed victim = doomed(heartbeat);
  amqp_bytes_t body = patterned((size_t)32 << 20, 2);
  int status;
  announce_ready();
  await_event("frozen");
  do {
    status = amqp_basic_publish(victim.connection, 1, amqp_empty_bytes, victim.queue, 0, 0, NULL, body);
  } while (status == AMQP_STATUS_OK);
  REQUIRE_EQUAL(status, AMQP_STATUS_HEARTBEAT_TIMEOUT);
  require_dead_in_time(&victim);
}

static void frozen_ack(void) {
  struct doomed victim = doomed(heartbeat);
  int status, i;
  start_consumer(victim.connection, 1, victim.queue, 0);
  for (i = 0; i < 200; ++i) {
    publish(victim.connection, 1, victim.queue, amqp_cstring_bytes("x"));
  }
  for (i = 0; i < 200; ++i) {
    amqp_envelope_t envelope;
    consume(victim.connection, &envelope);
    amqp_destroy_envelope(&envelope);
  }
  announce_ready();
  await_event("frozen");
  for (i = 1, status = AMQP_STATUS_OK; status == AMQP_STATUS_OK && i <= 200; ++i) {
    sleep_seconds(0.05);
    status = amqp_basic_ack(victim.connection, 1, (uint64_t)i, 0);
  }
  REQUIRE_EQUAL(status, AMQP_STATUS_HEARTBEAT_TIMEOUT);
  require_dead_in_time(&victim);
}

static void frozen_confirm_wait(void) {
  struct doomed victim = doomed(heartbeat);
  amqp_publisher_confirm_t confirm;
  REQUIRE(confirm_wait != NULL);
  amqp_confirm_select(victim.connection, 1);
  REQUIRE_DONE(victim.connection);
  announce_ready();
  REQUIRE_LIBRARY_ERROR(confirm_wait(victim.connection, NULL, &confirm), AMQP_STATUS_HEARTBEAT_TIMEOUT);
  require_dead_in_time(&victim);
}

static void require_one_second(double began) {
  double took = seconds_now() - began;
  if (took < 0.95 || took > 1.7) {
    FAIL("took %.2f s, expected 1 s", took);
  }
}

static void frozen_rpc_timeout(void) {
  struct doomed victim = doomed(10);
  struct timeval limit = {1, 0};
  double began;
  REQUIRE_OK(amqp_set_rpc_timeout(victim.connection, &limit));
  announce_ready();
  await_event("frozen");
  began = seconds_now();
  amqp_queue_declare(victim.connection, 1, victim.queue, 1, 0, 0, 0, amqp_empty_table);
  REQUIRE_LIBRARY_ERROR(amqp_get_rpc_reply(victim.connection), AMQP_STATUS_TIMEOUT);
  require_one_second(began);
  REQUIRE_EQUAL(amqp_get_sockfd(victim.connection), -1);
  REQUIRE_OK(amqp_destroy_connection(victim.connection));
}

/* The kernel still accepts for a frozen broker; nobody answers the protocol header. */
static void frozen_login(void) {
  struct timeval limit = {1, 0};
  amqp_connection_state_t connection;
  double began;
  announce_ready();
  await_event("frozen");
  connection = connected();
  REQUIRE_OK(amqp_set_handshake_timeout(connection, &limit));
  began = seconds_now();
  REQUIRE_LIBRARY_ERROR(login(connection, "/", "guest"), AMQP_STATUS_TIMEOUT);
  require_one_second(began);
  REQUIRE_OK(amqp_destroy_connection(connection));
}

/* A broker that dies has its sockets closed by the kernel: noticed at once, heartbeat or not. */
static void killed_while_consuming(void) {
  amqp_connection_state_t connection = logged_in(0, 0);
  amqp_envelope_t envelope;
  amqp_rpc_reply_t reply;
  announce_ready();
  reply = amqp_consume_message(connection, &envelope, NULL, 0);
  REQUIRE(reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION);
  if (reply.library_error != AMQP_STATUS_CONNECTION_CLOSED) {
    REQUIRE_EQUAL(reply.library_error, AMQP_STATUS_SOCKET_ERROR);
  }
  REQUIRE_OK(amqp_destroy_connection(connection));
}

static void killed_before_publish(void) {
  amqp_connection_state_t connection = logged_in(0, 0);
  int status;
  announce_ready();
  await_event("killed");
  sleep_seconds(0.2);
  status = amqp_basic_publish(connection, 1, amqp_empty_bytes, amqp_cstring_bytes("q"), 0, 0, NULL, amqp_empty_bytes);
  if (status != AMQP_STATUS_CONNECTION_CLOSED) {
    REQUIRE_EQUAL(status, AMQP_STATUS_SOCKET_ERROR);
  }
  REQUIRE_OK(amqp_destroy_connection(connection));
}

const struct test_case heartbeat_cases[] = {
    {"idle_consumer", "idle", 0, idle_consumer},
    {"idle_frame_wait", "idle", 0, idle_frame_wait},
    {"idle_zero_waits", "idle", 0, idle_zero_waits},
    {"idle_polls", "idle", 1, idle_polls},
    {"busy_publisher", "idle", 0, busy_publisher},
    {"idle_confirm_wait", "idle", 1, idle_confirm_wait},
    {"blocked_publisher", "blocked", 0, blocked_publisher},
    {"frozen_consume", "frozen", 0, frozen_consume},
    {"frozen_consume_with_timeouts", "frozen", 0, frozen_consume_with_timeouts},
    {"frozen_frame_wait", "frozen", 0, frozen_frame_wait},
    {"frozen_zero_waits", "frozen", 0, frozen_zero_waits},
    {"frozen_polls", "frozen", 1, frozen_polls},
    {"frozen_rpc", "frozen", 0, frozen_rpc},
    {"frozen_get", "frozen", 0, frozen_get},
    {"frozen_publish", "frozen", 1, frozen_publish},
    {"frozen_blocked_publish", "frozen", 1, frozen_blocked_publish},
    {"frozen_ack", "frozen", 1, frozen_ack},
    {"frozen_confirm_wait", "frozen", 1, frozen_confirm_wait},
    {"frozen_rpc_timeout", "frozen", 0, frozen_rpc_timeout},
    {"frozen_login", "frozen", 0, frozen_login},
    {"killed_while_consuming", "killed", 0, killed_while_consuming},
    {"killed_before_publish", "killed", 1, killed_before_publish},
    {NULL, NULL, 0, NULL}};
