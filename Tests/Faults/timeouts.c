/* Row 17 and what is settled about timeouts: long, odd and negative ones, and an RPC whose answer does not come. */
#include <limits.h>
#include <pthread.h>
#include <string.h>

#include "client.h"

static struct timeval *forever_nearly(void) {
  static struct timeval value;
  value.tv_sec = 30L * 24 * 3600;
  value.tv_usec = 0;
  return &value;
}

/* ---- 7: a peer that never stops talking ---- */

/* A message without end, in body frames of one byte, as fast as the client takes them. */
static void endless_message(peer_link *link, void *unused) {
  static const char body_frame[9] = {3, 0, 1, 0, 0, 0, 1, 'x', (char)0xCE};
  static const char deliver[] = "\1t\0\0\0\0\0\0\0\1\0\0\1q";
  static char many[9 * 7000];
  int64_t end;
  size_t i;
  (void)unused;
  for (i = 0; i < sizeof many; i += 9) memcpy(many + i, body_frame, 9);
  if (!peer_handshake(link, 0, 131072, 2)) return;
  if (!peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 10000)) return;
  peer_answer(link);
  peer_send_method(link, 1, AMQP_BASIC_DELIVER_METHOD, deliver, sizeof deliver - 1);
  peer_send_header(link, 1, (uint64_t)1 << 40, "\0\0", 2);
  peer_watch(link);
  for (end = peer_now() + 8000000000; peer_now() < end;) {
    peer_send(link, many, sizeof many);
    if (!peer_serve(link, PEER_READ, 1)) return;
  }
}

CASE(row07_a_peer_that_never_stops_talking_holds_no_call) {
  peer *p = peer_start(endless_message, NULL);
  amqp_connection_state_t c = client_open(p, 2);
  amqp_envelope_t envelope;
  int64_t start = peer_now();
  if (c == NULL) return;
  CHECK_STATUS(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(3), 0)), AMQP_STATUS_TIMEOUT);
  CHECK_BETWEEN(elapsed_milliseconds(start), 2990, 4000);
  start = peer_now();
  CHECK_STATUS(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(0), 0)), AMQP_STATUS_TIMEOUT);
  CHECK_BETWEEN(elapsed_milliseconds(start), 0, 500);
  CHECK(peer_seen(p)->heartbeats >= 2);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- 17: long, odd and negative timeouts ---- */

static void late_message(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_open_channels(link, 1)) return;
  if (!peer_serve(link, PEER_LIVE, 600)) return;
  peer_deliver(link, 1, 1, "late", 4);
  peer_serve(link, PEER_LIVE, 20000);
}

static void consume_late_message(struct timeval *timeout) {
  peer *p = peer_start(late_message, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_envelope_t envelope;
  if (c == NULL) return;
  if (CHECK_INT(client_reply_status(amqp_consume_message(c, &envelope, timeout, 0)), 0)) amqp_destroy_envelope(&envelope);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(row17_thirty_days_are_thirty_days) { consume_late_message(forever_nearly()); }

/* More than 64 bits of nanoseconds hold: for ever, or refused; nothing in between. */
CASE(row17_the_longest_time_there_is) {
  peer *p = peer_start(late_message, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  struct timeval timeout = {INT64_MAX, 999999};
  amqp_envelope_t envelope;
  int status;
  if (c == NULL) return;
  status = client_reply_status(amqp_consume_message(c, &envelope, &timeout, 0));
  CHECK(status == AMQP_STATUS_OK || status == AMQP_STATUS_INVALID_PARAMETER);
  if (status == AMQP_STATUS_OK) amqp_destroy_envelope(&envelope);
  amqp_destroy_connection(c);
  peer_stop(p);
}

static void late_answer(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_open_channels(link, 1)) return;
  if (!peer_serve_until(link, AMQP_BASIC_QOS_METHOD, 10000)) return;
  peer_serve(link, PEER_MUTE, 400);
  peer_answer(link);
  peer_serve(link, PEER_LIVE, 20000);
}

CASE(row17_rpc_timeout_of_thirty_days) {
  peer *p = peer_start(late_answer, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  if (c == NULL) return;
  CHECK_STATUS(amqp_set_rpc_timeout(c, forever_nearly()), AMQP_STATUS_OK);
  CHECK(amqp_basic_qos(c, 1, 0, 1, 0) != NULL);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(row17_handshake_timeout_of_thirty_days) {
  peer *p = peer_start(late_message, NULL);
  amqp_connection_state_t c = client_connect(p);
  if (c == NULL) return;
  CHECK_STATUS(amqp_set_handshake_timeout(c, forever_nearly()), AMQP_STATUS_OK);
  CHECK_INT(client_reply_status(amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest")), 0);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(microseconds_add_up) {
  peer *p = peer_start(late_message, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  struct timeval timeout = {0, 1500000};
  amqp_frame_t frame;
  int64_t begun = peer_now();
  int i;
  if (c == NULL) return;
  for (i = 0; i < 3; i++) CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, &timeout), AMQP_STATUS_OK);
  begun = peer_now();
  CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, &timeout), AMQP_STATUS_TIMEOUT);
  CHECK_BETWEEN(elapsed_milliseconds(begun), 1450, 4000);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(negative_timeouts_are_invalid) {
  peer *p = peer_start(late_message, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  static const struct timeval values[] = {{-1, 0}, {0, -1}, {-1, 5}, {1, -1}, {LONG_MIN, 0}};
  amqp_envelope_t envelope;
  amqp_frame_t frame;
  unsigned i;
  if (c == NULL) return;
  for (i = 0; i < sizeof values / sizeof *values; i++) {
    CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, &values[i]), AMQP_STATUS_INVALID_PARAMETER);
    CHECK_STATUS(client_reply_status(amqp_consume_message(c, &envelope, &values[i], 0)), AMQP_STATUS_INVALID_PARAMETER);
  }
  CHECK(amqp_basic_qos(c, 1, 0, 1, 0) != NULL);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- settled: an RPC whose answer does not come ---- */

static void never_answers(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_open_channels(link, 1)) return;
  peer_serve(link, PEER_READ, 20000);
}

CASE(rpc_timeout_closes_the_socket) {
  peer *p = peer_start(never_answers, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  int64_t begun;
  if (c == NULL) return;
  CHECK_STATUS(amqp_set_rpc_timeout(c, client_seconds(0.5)), AMQP_STATUS_OK);
  begun = peer_now();
  CHECK(amqp_basic_qos(c, 1, 0, 1, 0) == NULL);
  CHECK_STATUS(client_reply_status(amqp_get_rpc_reply(c)), AMQP_STATUS_TIMEOUT);
  CHECK_BETWEEN(elapsed_milliseconds(begun), 450, 3000);
  CHECK_INT(amqp_get_sockfd(c), -1);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- 18: a thread that waits without end keeps no other from its own time limit ---- */

static void *consume_one(void *connection) {
  static int status;
  amqp_envelope_t envelope;
  status = client_reply_status(amqp_consume_message(connection, &envelope, NULL, 0));
  if (status == AMQP_STATUS_OK) amqp_destroy_envelope(&envelope);
  return &status;
}

static void message_on_demand(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_open_channels(link, 1) || !peer_serve_until_go(link, PEER_LIVE, 20000)) return;
  peer_deliver(link, 1, 1, "at last", 7);
  peer_serve(link, PEER_LIVE, 20000);
}

CASE(row18_a_wait_without_end_keeps_no_other_thread_beyond_its_time) {
  peer *p = peer_start(message_on_demand, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_frame_t frame;
  pthread_t thread;
  void *status;
  int64_t begun;
  if (c == NULL) return;
  CHECK_STATUS(amqp_set_rpc_timeout(c, client_seconds(0.5)), AMQP_STATUS_OK);
  if (!CHECK(pthread_create(&thread, NULL, consume_one, c) == 0)) return;
  peer_sleep(300);
  begun = peer_now();
  CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, client_seconds(0)), AMQP_STATUS_TIMEOUT);
  CHECK(amqp_basic_qos(c, 1, 0, 1, 0) == NULL);
  CHECK_STATUS(client_reply_status(amqp_get_rpc_reply(c)), AMQP_STATUS_TIMEOUT);
  CHECK_BETWEEN(elapsed_milliseconds(begun), 450, 3000);
  CHECK_INT(peer_count(p, AMQP_BASIC_QOS_METHOD), 0);
  peer_go(p);
  pthread_join(thread, &status);
  CHECK_STATUS(*(int *)status, AMQP_STATUS_OK);
  CHECK(amqp_basic_qos(c, 1, 0, 1, 0) != NULL);   /* what was not sent has closed nothing */
  amqp_destroy_connection(c);
  peer_stop(p);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
