/*
 * Faults of the receive side: what waits, reads and RPCs do with frames that they did not expect, with timeouts, and with the
 * memory of the caller. Numbers are rows of the list of mended faults in docs/PARITY.md.
 */
#include <pthread.h>
#include <string.h>

#include "client.h"

/* ---- 7: amqp_read_message and its bounds ---- */

static void half_a_message(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_open_channels(link, 1)) return;
  peer_send_deliver(link, 1, 1);
  peer_send_header(link, 1, 10, NULL, 0);
  peer_send_body(link, 1, "first", 5);
  peer_reached(link, 1);
  if (!peer_serve_until_go(link, PEER_LIVE, 20000)) return;
  peer_send_body(link, 1, "third", 5);
  peer_deliver(link, 1, 2, "next", 4);
  peer_serve(link, PEER_LIVE, 20000);
}

CASE(row07_consume_keeps_its_timeout_inside_a_message) {
  peer *p = peer_start(half_a_message, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_envelope_t envelope;
  int64_t begun;
  int i;
  if (c == NULL) return;
  CHECK(peer_wait(p, 1, 5000));
  for (i = 0; i < 2; i++) {
    begun = peer_now();
    CHECK_STATUS(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(0.5), 0)), AMQP_STATUS_TIMEOUT);
    CHECK_BETWEEN(elapsed_milliseconds(begun), 450, 3000);
  }
  CHECK(amqp_basic_qos(c, 1, 0, 1, 0) != NULL);   /* the connection stays usable meanwhile */
  peer_go(p);
  if (CHECK_INT(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(5), 0)), 0)) {
    CHECK_INT(envelope.delivery_tag, 1);
    CHECK(client_bytes_equal(envelope.message.body, "firstthird"));
    CHECK(client_bytes_equal(envelope.routing_key, "a.routing.key"));
    amqp_destroy_envelope(&envelope);
  }
  if (CHECK_INT(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(5), 0)), 0)) {
    CHECK_INT(envelope.delivery_tag, 2);
    CHECK(client_bytes_equal(envelope.message.body, "next"));
    amqp_destroy_envelope(&envelope);
  }
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(row07_read_message_is_bounded_by_the_rpc_timeout) {
  peer *p = peer_start(half_a_message, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_message_t message;
  amqp_frame_t frame;
  int64_t begun;
  if (c == NULL) return;
  CHECK(peer_wait(p, 1, 5000));
  CHECK_STATUS(amqp_simple_wait_frame(c, &frame), AMQP_STATUS_OK);
  CHECK_STATUS(amqp_set_rpc_timeout(c, client_seconds(0.5)), AMQP_STATUS_OK);
  begun = peer_now();
  CHECK_STATUS(client_reply_status(amqp_read_message(c, 1, &message, 0)), AMQP_STATUS_TIMEOUT);
  CHECK_BETWEEN(elapsed_milliseconds(begun), 450, 3000);
  CHECK(amqp_get_sockfd(c) >= 0);
  peer_go(p);
  peer_sleep(100);
  if (CHECK_INT(client_reply_status(amqp_read_message(c, 1, &message, 0)), 0)) {
    CHECK(client_bytes_equal(message.body, "firstthird"));
    amqp_destroy_message(&message);
  }
  amqp_destroy_connection(c);
  peer_stop(p);
}

static void close_inside_a_message(peer_link *link, void *on_channel) {
  if (!peer_open_channels(link, 1)) return;
  peer_send_deliver(link, 1, 1);
  peer_send_header(link, 1, 10, NULL, 0);
  peer_send_body(link, 1, "first", 5);
  if (on_channel != NULL)
    peer_send_channel_close(link, 1, 406, "PRECONDITION_FAILED");
  else
    peer_send_connection_close(link, 320, "CONNECTION_FORCED");
  peer_serve(link, PEER_LIVE, 30000);
}

CASE(row07_read_message_sees_a_close_of_the_connection) {
  peer *p = peer_start(close_inside_a_message, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_message_t message;
  amqp_frame_t frame;
  amqp_rpc_reply_t reply;
  if (c == NULL) return;
  check_allow_seconds(8);
  CHECK_STATUS(amqp_simple_wait_frame(c, &frame), AMQP_STATUS_OK);
  reply = amqp_read_message(c, 1, &message, 0);
  CHECK_INT(reply.reply_type, AMQP_RESPONSE_SERVER_EXCEPTION);
  CHECK_INT(reply.reply.id, AMQP_CONNECTION_CLOSE_METHOD);
  if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD)
    CHECK_INT(((amqp_connection_close_t *)reply.reply.decoded)->reply_code, 320);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(consume_sees_a_close_of_the_channel_inside_a_message) {
  int on_channel = 1;
  peer *p = peer_start(close_inside_a_message, &on_channel);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_envelope_t envelope;
  amqp_rpc_reply_t reply;
  if (c == NULL) return;
  check_allow_seconds(8);
  reply = amqp_consume_message(c, &envelope, NULL, 0);
  CHECK_INT(reply.reply_type, AMQP_RESPONSE_SERVER_EXCEPTION);
  CHECK_INT(reply.reply.id, AMQP_CHANNEL_CLOSE_METHOD);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- 9: nothing dangles in the caller's structs after a failure ---- */

static int is_zero(const void *memory, size_t size) {
  const uint8_t *at = memory;
  while (size > 0 && at[size - 1] == 0) size--;
  return size == 0;
}

CASE(row09_failed_consume_leaves_a_zeroed_envelope) {
  peer *p = peer_start(half_a_message, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_envelope_t envelope;
  if (c == NULL) return;
  CHECK(peer_wait(p, 1, 5000));
  memset(&envelope, 0xAA, sizeof envelope);
  CHECK(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(0.2), 0)) != 0);
  CHECK(is_zero(&envelope, sizeof envelope));
  if (check_failures() == 0) amqp_destroy_envelope(&envelope);   /* as careless programs do */
  amqp_destroy_connection(c);
  peer_stop(p);
}

static void close_after_deliver(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_open_channels(link, 1)) return;
  peer_send_deliver(link, 1, 1);
  peer_send_header(link, 1, 10, NULL, 0);
  peer_end(link);
}

CASE(row09_consume_that_loses_the_connection_leaves_a_zeroed_envelope) {
  peer *p = peer_start(close_after_deliver, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_envelope_t envelope;
  if (c == NULL) return;
  memset(&envelope, 0xAA, sizeof envelope);
  CHECK_STATUS(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(5), 0)),
               AMQP_STATUS_CONNECTION_CLOSED);
  CHECK(is_zero(&envelope, sizeof envelope));
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(row09_failed_read_leaves_a_zeroed_message) {
  peer *p = peer_start(close_after_deliver, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_message_t message;
  amqp_frame_t frame;
  if (c == NULL) return;
  CHECK_STATUS(amqp_simple_wait_frame(c, &frame), AMQP_STATUS_OK);
  memset(&message, 0xAA, sizeof message);
  CHECK(client_reply_status(amqp_read_message(c, 1, &message, 0)) != 0);
  CHECK(is_zero(&message, sizeof message));
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- 10: frames of other channels ahead of the awaited one ---- */

static void two_channels_interleaved(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_open_channels(link, 2)) return;
  peer_send_deliver(link, 1, 1);
  if (!peer_serve_until(link, AMQP_BASIC_QOS_METHOD, 10000)) return;
  peer_cork(link);
  peer_deliver(link, 2, 5, "other", 5);
  peer_send_header(link, 1, 4, NULL, 0);
  peer_send_body(link, 1, "mine", 4);
  peer_answer(link);
  peer_uncork(link);
  peer_serve(link, PEER_LIVE, 20000);
}

CASE(row10_reading_one_channel_keeps_the_queued_frames_of_another) {
  peer *p = peer_start(two_channels_interleaved, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_envelope_t envelope;
  amqp_message_t message;
  amqp_frame_t frame;
  if (c == NULL) return;
  CHECK(amqp_channel_open(c, 2) != NULL);
  CHECK_STATUS(amqp_simple_wait_frame(c, &frame), AMQP_STATUS_OK);
  CHECK(amqp_basic_qos(c, 2, 0, 1, 0) != NULL);   /* queues the other channel's message and the rest of ours */
  if (CHECK_INT(client_reply_status(amqp_read_message(c, 1, &message, 0)), 0)) {
    CHECK(client_bytes_equal(message.body, "mine"));
    amqp_destroy_message(&message);
  }
  if (CHECK_INT(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(2), 0)), 0)) {
    CHECK_INT(envelope.channel, 2);
    CHECK(client_bytes_equal(envelope.message.body, "other"));
    amqp_destroy_envelope(&envelope);
  }
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- 11: amqp_simple_wait_method ---- */

static void message_first(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_open_channels(link, 1)) return;
  peer_deliver(link, 1, 9, "early", 5);
  peer_serve(link, PEER_LIVE, 20000);
}

CASE(row11_wait_method_puts_the_wrong_frame_back) {
  peer *p = peer_start(message_first, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_method_t method;
  amqp_envelope_t envelope;
  if (c == NULL) return;
  CHECK_STATUS(amqp_simple_wait_method(c, 1, AMQP_BASIC_QOS_OK_METHOD, &method), AMQP_STATUS_WRONG_METHOD);
  if (CHECK_INT(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(2), 0)), 0)) {
    CHECK(client_bytes_equal(envelope.message.body, "early"));
    amqp_destroy_envelope(&envelope);
  }
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- 12: a close that is already queued ---- */

static void close_unasked(peer_link *link, void *on_channel) {
  if (!peer_open_channels(link, 1)) return;
  if (on_channel != NULL)
    peer_send_channel_close(link, 1, 404, "NOT_FOUND");
  else
    peer_send_connection_close(link, 320, "CONNECTION_FORCED");
  peer_serve(link, PEER_READ, 30000);
}

static void rpc_after_queued_close(void *on_channel, uint32_t id) {
  peer *p = peer_start(close_unasked, on_channel);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_envelope_t envelope;
  amqp_rpc_reply_t reply;
  if (c == NULL) return;
  check_allow_seconds(8);
  CHECK_STATUS(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(2), 0)), AMQP_STATUS_UNEXPECTED_STATE);
  CHECK(amqp_frames_enqueued(c));   /* put back: now the RPC has to find it there */
  CHECK(amqp_basic_qos(c, 1, 0, 1, 0) == NULL);
  reply = amqp_get_rpc_reply(c);
  CHECK_INT(reply.reply_type, AMQP_RESPONSE_SERVER_EXCEPTION);
  CHECK_INT(reply.reply.id, id);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(row12_rpc_sees_a_queued_channel_close) {
  int on_channel = 1;
  rpc_after_queued_close(&on_channel, AMQP_CHANNEL_CLOSE_METHOD);
}

CASE(row12_rpc_sees_a_queued_connection_close) { rpc_after_queued_close(NULL, AMQP_CONNECTION_CLOSE_METHOD); }

/* ---- 18: one thread reads while another publishes ---- */

#define THREADED_MESSAGES 3000

static void busy(peer_link *link, void *unused) {
  int i;
  (void)unused;
  if (!peer_open_channels(link, 1)) return;
  for (i = 1; i <= THREADED_MESSAGES; i++) {
    peer_deliver(link, 1, (uint64_t)i, "to the reader", 13);
    if (i % 10 == 0 && !peer_serve(link, PEER_READ | PEER_ANSWER, 1)) return;
  }
  peer_serve(link, PEER_READ | PEER_ANSWER, 30000);
}

static void *publisher(void *connection) {
  static int status;
  int i;
  for (i = 0; i < THREADED_MESSAGES && status == 0; i++) status = client_publish(connection, 1, "from the publisher");
  return &status;
}

CASE(row18_one_thread_reads_while_another_publishes) {
  peer *p = peer_start(busy, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_envelope_t envelope;
  pthread_t thread;
  void *status;
  int i;
  if (c == NULL || !CHECK(pthread_create(&thread, NULL, publisher, c) == 0)) return;
  for (i = 1; i <= THREADED_MESSAGES; i++) {
    amqp_maybe_release_buffers(c);
    if (!CHECK_INT(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(10), 0)), 0)) break;
    if (!CHECK_INT(envelope.delivery_tag, i)) break;
    amqp_destroy_envelope(&envelope);
  }
  pthread_join(thread, &status);
  CHECK_STATUS(*(int *)status, AMQP_STATUS_OK);
  CHECK_INT(client_reply_status(amqp_connection_close(c, 200)), 0);
  CHECK_INT(peer_seen(p)->publishes, THREADED_MESSAGES);
  CHECK_INT(peer_seen(p)->malformed, 0);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- 18: what arrived before the peer died is kept by the thread that publishes; the other releases meanwhile ---- */

#define UNREAD_CHANNELS 3000

static void falls_silent(peer_link *link, void *unused) {
  int i;
  (void)unused;
  if (!peer_handshake(link, 0, 131072, 1) || !peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 10000)) return;
  peer_answer(link);
  peer_cork(link);
  for (i = 1; i <= UNREAD_CHANNELS; i++) peer_send_ack(link, (uint16_t)i, (uint64_t)i, 0);
  peer_uncork(link);
  peer_serve(link, PEER_READ, 12000);
}

static int publish_status;   /* of two threads: read and written whole */

static void *publish_until_it_fails(void *connection) {
  int64_t begun = peer_now();
  int status = AMQP_STATUS_OK;
  for (; status == AMQP_STATUS_OK && elapsed_milliseconds(begun) < 10000; peer_sleep(1))
    status = client_publish(connection, 1, "is anybody there");
  __atomic_store_n(&publish_status, status == AMQP_STATUS_OK ? AMQP_STATUS_TIMEOUT : status, __ATOMIC_RELAXED);
  return NULL;
}

static void release_until_death(void) {
  peer *p = peer_start(falls_silent, NULL);
  amqp_connection_state_t c = client_open(p, 1);
  amqp_frame_t frame;
  pthread_t thread;
  uint64_t tag;
  publish_status = AMQP_STATUS_OK;
  if (c == NULL || !CHECK(pthread_create(&thread, NULL, publish_until_it_fails, c) == 0)) return;
  while (__atomic_load_n(&publish_status, __ATOMIC_RELAXED) == AMQP_STATUS_OK) amqp_maybe_release_buffers(c);
  pthread_join(thread, NULL);
  CHECK_STATUS(publish_status, AMQP_STATUS_HEARTBEAT_TIMEOUT);
  for (tag = 1; tag <= UNREAD_CHANNELS; tag++) {
    if (!CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, client_seconds(0)), AMQP_STATUS_OK)) break;
    if (!CHECK_INT(((amqp_basic_ack_t *)frame.payload.method.decoded)->delivery_tag, tag)) break;
  }
  CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, client_seconds(0)), AMQP_STATUS_HEARTBEAT_TIMEOUT);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(row18_one_thread_releases_while_the_publish_of_another_meets_death) {
  release_until_death();
  release_until_death();
}

int main(int argc, char **argv) { return check_main(argc, argv); }
