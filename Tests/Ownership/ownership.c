/* Who owns what, and for how long: the rows of docs/OWNERSHIP.md. */
#include <stdlib.h>
#include <string.h>

#include "messages.h"

/* ---- memory ---- */

CASE(decoded_frames_survive_further_waits_until_release) {
  peer *p = peer_start(messages_then_more, NULL);
  amqp_connection_state_t c = open_with_queue(p);
  amqp_frame_t frames[9], frame;
  amqp_basic_properties_t *properties;
  amqp_basic_deliver_t *deliver;
  int i;
  if (c == NULL) return;
  for (i = 0; i < 9; i++) CHECK_STATUS(amqp_simple_wait_frame(c, &frames[i]), AMQP_STATUS_OK);
  for (i = 0; i < 200; i++) {
    peer_go(p);
    CHECK_STATUS(amqp_simple_wait_frame(c, &frame), AMQP_STATUS_OK);
    CHECK_STATUS(amqp_simple_wait_frame(c, &frame), AMQP_STATUS_OK);
    CHECK_STATUS(amqp_simple_wait_frame(c, &frame), AMQP_STATUS_OK);
    if (check_failures()) return;
  }
  for (i = 0; i < 3; i++) {
    static const char *const bodies[] = {"one", "two", "three"};
    deliver = frames[3 * i].payload.method.decoded;
    CHECK_INT(frames[3 * i].payload.method.id, AMQP_BASIC_DELIVER_METHOD);
    CHECK_INT(deliver->delivery_tag, i + 1);
    CHECK(client_bytes_equal(deliver->routing_key, "a.routing.key"));
    properties = frames[3 * i + 1].payload.properties.decoded;
    CHECK_INT(frames[3 * i + 1].payload.properties.body_size, strlen(bodies[i]));
    CHECK_INT(properties->_flags, AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG);
    CHECK(client_bytes_equal(properties->content_type, "text/plain"));
    CHECK_INT(properties->delivery_mode, 2);
    CHECK(client_bytes_equal(frames[3 * i + 2].payload.body_fragment, bodies[i]));
  }
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(replies_of_rpcs_survive_further_rpcs) {
  peer *p = peer_start(messages_then_more, NULL);
  amqp_connection_state_t c = open_with_queue(p);
  amqp_queue_declare_ok_t *first, *later;
  int i;
  if (c == NULL) return;
  first = amqp_queue_declare(c, 1, client_bytes("the-first-queue"), 0, 0, 0, 0, amqp_empty_table);
  if (!CHECK(first != NULL)) return;
  for (i = 0; i < 500; i++) {
    later = amqp_queue_declare(c, 1, client_bytes("a-later-queue"), 0, 0, 0, 0, amqp_empty_table);
    if (!CHECK(later != NULL && later != first)) return;
  }
  CHECK(client_bytes_equal(first->queue, "the-first-queue"));
  CHECK_INT(first->message_count, 7);
  CHECK_INT(first->consumer_count, 3);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(queued_frames_survive_release) {
  peer *p = peer_start(messages_then_more, NULL);
  amqp_connection_state_t c = open_with_queue(p);
  amqp_envelope_t envelope;
  static const char *const bodies[] = {"one", "two", "three", "other"};
  int i;
  if (c == NULL) return;
  amqp_maybe_release_buffers(c);
  amqp_maybe_release_buffers_on_channel(c, 1);
  amqp_maybe_release_buffers_on_channel(c, 2);
  CHECK(amqp_release_buffers_ok(c));
  amqp_release_buffers(c);
  for (i = 0; i < 50; i++) CHECK(amqp_queue_declare(c, 2, client_bytes("scribble"), 0, 0, 0, 0, amqp_empty_table) != NULL);
  for (i = 0; i < 4; i++) {
    amqp_maybe_release_buffers(c);
    if (!CHECK_INT(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(2), 0)), 0)) return;
    CHECK(client_bytes_equal(envelope.message.body, bodies[i]));
    CHECK(client_bytes_equal(envelope.message.properties.content_type, "text/plain"));
    amqp_destroy_envelope(&envelope);
  }
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(release_on_a_channel_waits_for_its_queued_frames) {
  peer *p = peer_start(messages_then_more, NULL);
  amqp_connection_state_t c = open_with_queue(p);
  amqp_queue_declare_ok_t *kept;
  amqp_frame_t frame;
  int i;
  if (c == NULL) return;
  kept = amqp_queue_declare(c, 1, client_bytes("kept"), 0, 0, 0, 0, amqp_empty_table);
  CHECK_STATUS(amqp_simple_wait_frame(c, &frame), AMQP_STATUS_OK);
  amqp_maybe_release_buffers_on_channel(c, 1);   /* eight of its frames are queued still: nothing happens */
  for (i = 0; i < 50; i++) CHECK(amqp_queue_declare(c, 1, client_bytes("scribble"), 0, 0, 0, 0, amqp_empty_table) != NULL);
  CHECK(client_bytes_equal(kept->queue, "kept"));
  CHECK(client_bytes_equal(((amqp_basic_deliver_t *)frame.payload.method.decoded)->routing_key, "a.routing.key"));
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* A frame that is half read keeps every pool from being released. */
static void half_a_frame(peer_link *link, void *unused) {
  static const uint8_t whole[] = {1, 0, 2, 0, 0, 0, 13, 0, 60, 0, 80, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0xCE};
  (void)unused;
  if (!peer_open_channels(link, 2)) return;
  if (!peer_serve_until(link, AMQP_BASIC_QOS_METHOD, 10000)) return;
  peer_cork(link);
  peer_answer(link);
  peer_send(link, whole, 10);
  peer_uncork(link);
  if (!peer_await_go(link, 20000)) return;
  peer_send(link, whole + 10, sizeof whole - 10);
  peer_serve(link, PEER_LIVE, 20000);
}

CASE(no_release_while_a_frame_is_half_read) {
  peer *p = peer_start(half_a_frame, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_basic_qos_ok_t *qos_ok;
  amqp_frame_t frame;
  if (c == NULL) return;
  CHECK(amqp_channel_open(c, 2) != NULL);
  qos_ok = amqp_basic_qos(c, 1, 0, 1, 0);
  CHECK(qos_ok != NULL);
  CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, client_seconds(0.1)), AMQP_STATUS_TIMEOUT);
  CHECK_INT(amqp_release_buffers_ok(c), 0);
  amqp_maybe_release_buffers(c);
  amqp_maybe_release_buffers_on_channel(c, 1);
  amqp_release_buffers(c);
  peer_go(p);
  CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, client_seconds(2)), AMQP_STATUS_OK);
  CHECK_INT(frame.channel, 2);
  CHECK_INT(frame.payload.method.id, AMQP_BASIC_ACK_METHOD);
  CHECK_INT(((amqp_basic_ack_t *)frame.payload.method.decoded)->delivery_tag, 5);
  CHECK_INT(amqp_release_buffers_ok(c), 1);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(envelopes_outlive_the_connection) {
  peer *p = peer_start(messages_then_more, NULL);
  amqp_connection_state_t c = open_with_queue(p);
  amqp_envelope_t envelope;
  if (c == NULL) return;
  CHECK_INT(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(2), 0)), 0);
  amqp_destroy_connection(c);
  CHECK_INT(envelope.channel, 1);
  CHECK_INT(envelope.delivery_tag, 1);
  CHECK(client_bytes_equal(envelope.consumer_tag, "amq.ctag-peer"));
  CHECK(client_bytes_equal(envelope.exchange, "an.exchange"));
  CHECK(client_bytes_equal(envelope.routing_key, "a.routing.key"));
  CHECK(client_bytes_equal(envelope.message.body, "one"));
  CHECK(client_bytes_equal(envelope.message.properties.content_type, "text/plain"));
  amqp_destroy_envelope(&envelope);
  peer_stop(p);
}

CASE(single_strings_of_an_envelope_can_be_stolen_and_freed) {
  peer *p = peer_start(messages_then_more, NULL);
  amqp_connection_state_t c = open_with_queue(p);
  amqp_envelope_t envelope;
  amqp_bytes_t stolen[4];
  int i;
  if (c == NULL) return;
  CHECK_INT(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(2), 0)), 0);
  stolen[0] = envelope.consumer_tag;
  stolen[1] = envelope.exchange;
  stolen[2] = envelope.routing_key;
  stolen[3] = envelope.message.body;
  envelope.consumer_tag = envelope.exchange = envelope.routing_key = envelope.message.body = amqp_empty_bytes;
  amqp_destroy_envelope(&envelope);
  amqp_destroy_connection(c);
  CHECK(client_bytes_equal(stolen[2], "a.routing.key"));
  CHECK(client_bytes_equal(stolen[3], "one"));
  amqp_bytes_free(stolen[0]);
  amqp_bytes_free(stolen[1]);
  for (i = 2; i < 4; i++) free(stolen[i].bytes);
  peer_stop(p);
}

static void get_with_message(peer_link *link, void *unused) {
  peer_buffer b = {{0}, 0};
  (void)unused;
  if (!peer_open_channels(link, 1)) return;
  if (!peer_serve_until(link, AMQP_BASIC_GET_METHOD, 10000)) return;
  peer_put64(&b, 21);
  peer_put8(&b, 1);
  peer_put_shortstr(&b, "an.exchange");
  peer_put_shortstr(&b, "a.key");
  peer_put32(&b, 4);
  peer_send_method(link, 1, AMQP_BASIC_GET_OK_METHOD, b.bytes, b.size);
  peer_send_header(link, 1, 3, NULL, 0);
  peer_send_body(link, 1, "got", 3);
  peer_serve(link, PEER_LIVE, 20000);
}

CASE(messages_outlive_the_connection) {
  peer *p = peer_start(get_with_message, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_rpc_reply_t reply;
  amqp_basic_get_ok_t *get_ok;
  amqp_message_t message;
  if (c == NULL) return;
  reply = amqp_basic_get(c, 1, client_bytes("q"), 1);
  CHECK_INT(reply.reply_type, AMQP_RESPONSE_NORMAL);
  if (!CHECK_INT(reply.reply.id, AMQP_BASIC_GET_OK_METHOD)) return;
  CHECK_INT(client_reply_status(amqp_read_message(c, 1, &message, 0)), 0);
  get_ok = reply.reply.decoded;
  CHECK_INT(get_ok->delivery_tag, 21);
  CHECK_INT(get_ok->redelivered, 1);
  CHECK_INT(get_ok->message_count, 4);
  CHECK(client_bytes_equal(get_ok->routing_key, "a.key"));
  amqp_destroy_connection(c);
  CHECK(client_bytes_equal(message.body, "got"));
  CHECK_INT(message.properties._flags, 0);
  amqp_destroy_message(&message);
  peer_stop(p);
}

CASE(bytes_go_with_plain_free) {
  char text[] = "some text";
  amqp_bytes_t copy = amqp_bytes_malloc_dup(client_bytes(text)), empty;
  text[0] = 'S';
  CHECK(client_bytes_equal(copy, "some text"));
  free(copy.bytes);
  copy = amqp_bytes_malloc(100);
  CHECK_INT(copy.len, 100);
  memset(copy.bytes, 1, 100);
  free(copy.bytes);
  empty = amqp_bytes_malloc_dup(amqp_empty_bytes);
  CHECK_INT(empty.len, 0);
  amqp_bytes_free(empty);
  amqp_bytes_free(amqp_empty_bytes);
}

CASE(pools_of_the_program) {
  amqp_pool_t pool;
  amqp_bytes_t bytes;
  char *first, *piece;
  int i, round;
  init_amqp_pool(&pool, 4096);
  for (round = 0; round < 3; round++) {
    first = amqp_pool_alloc(&pool, 100);
    if (!CHECK(first != NULL)) return;
    memset(first, 'a', 100);
    for (i = 1; i < 3000; i += 7) {
      piece = amqp_pool_alloc(&pool, (size_t)i * 3);
      if (!CHECK(piece != NULL && ((size_t)piece & 7) == 0)) return;
      memset(piece, 'b', (size_t)i * 3);
    }
    CHECK(first[0] == 'a' && first[99] == 'a');
    amqp_pool_alloc_bytes(&pool, 77, &bytes);
    CHECK_INT(bytes.len, 77);
    CHECK(bytes.bytes != NULL);
    recycle_amqp_pool(&pool);
  }
  empty_amqp_pool(&pool);
  CHECK(amqp_pool_alloc(&pool, 5) != NULL);
  empty_amqp_pool(&pool);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
