/* In which order frames come and with which codes, what is read of the program's structs, and what many channels cost: the rows of
 * docs/PARITY.md that programs rely on without knowing it. */
#include <stdlib.h>
#include <string.h>

#include "messages.h"

/* ---- order ---- */

CASE(the_queue_is_first_in_first_out) {
  peer *p = peer_start(messages_then_more, NULL);
  amqp_connection_state_t c = open_with_queue(p);
  amqp_envelope_t envelope;
  static const uint64_t tags[] = {1, 2, 3, 9, 10};
  int i;
  if (c == NULL) return;
  peer_go(p);       /* a new message arrives: the queued ones come first */
  peer_sleep(50);
  for (i = 0; i < 5; i++) {
    if (!CHECK_INT(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(2), 0)), 0)) return;
    CHECK_INT(envelope.delivery_tag, tags[i]);
    amqp_destroy_envelope(&envelope);
  }
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(wait_frame_returns_frames_of_any_channel) {
  peer *p = peer_start(messages_then_more, NULL);
  amqp_connection_state_t c = open_with_queue(p);
  static const int channels[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2};
  static const int types[] = {AMQP_FRAME_METHOD, AMQP_FRAME_HEADER, AMQP_FRAME_BODY};
  amqp_frame_t frame;
  int i;
  if (c == NULL) return;
  for (i = 0; i < 12; i++) {
    CHECK_STATUS(amqp_simple_wait_frame(c, &frame), AMQP_STATUS_OK);
    CHECK_INT(frame.channel, channels[i]);
    CHECK_INT(frame.frame_type, types[i % 3]);
  }
  CHECK_INT(amqp_frames_enqueued(c), 0);
  CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, client_seconds(0)), AMQP_STATUS_TIMEOUT);
  amqp_destroy_connection(c);
  peer_stop(p);
}

static void ack_between(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_open_channels(link, 1)) return;
  peer_cork(link);
  peer_deliver(link, 1, 1, "one", 3);
  peer_send_ack(link, 1, 42, 1);
  peer_deliver(link, 1, 2, "two", 3);
  peer_uncork(link);
  peer_serve(link, PEER_LIVE, 20000);
}

CASE(unexpected_state_puts_the_frame_back_first) {
  peer *p = peer_start(ack_between, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_envelope_t envelope;
  amqp_frame_t frame;
  int i;
  if (c == NULL) return;
  CHECK_INT(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(2), 0)), 0);
  amqp_destroy_envelope(&envelope);
  for (i = 0; i < 3; i++)
    CHECK_STATUS(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(2), 0)), AMQP_STATUS_UNEXPECTED_STATE);
  CHECK_STATUS(amqp_simple_wait_frame(c, &frame), AMQP_STATUS_OK);
  CHECK_INT(frame.payload.method.id, AMQP_BASIC_ACK_METHOD);
  CHECK_INT(((amqp_basic_ack_t *)frame.payload.method.decoded)->delivery_tag, 42);
  CHECK_INT(((amqp_basic_ack_t *)frame.payload.method.decoded)->multiple, 1);
  CHECK_INT(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(2), 0)), 0);
  CHECK(client_bytes_equal(envelope.message.body, "two"));
  amqp_destroy_envelope(&envelope);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(row10_read_message_puts_back_what_is_not_a_header) {
  peer *p = peer_start(messages_then_more, NULL);
  amqp_connection_state_t c = open_with_queue(p);
  amqp_message_t message;
  amqp_envelope_t envelope;
  if (c == NULL) return;
  CHECK_STATUS(client_reply_status(amqp_read_message(c, 2, &message, 0)), AMQP_STATUS_UNEXPECTED_STATE);
  CHECK_STATUS(client_reply_status(amqp_read_message(c, 1, &message, 0)), AMQP_STATUS_UNEXPECTED_STATE);
  CHECK(amqp_frames_enqueued(c));
  CHECK_INT(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(2), 0)), 0);
  amqp_destroy_envelope(&envelope);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- codes ---- */

CASE(timeout_of_a_wait_leaves_the_connection_usable) {
  peer *p = peer_start(messages_then_more, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_envelope_t envelope;
  amqp_frame_t frame;
  if (c == NULL) return;
  CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, client_seconds(0)), AMQP_STATUS_TIMEOUT);
  CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, client_seconds(0.05)), AMQP_STATUS_TIMEOUT);
  CHECK_STATUS(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(0.05), 0)), AMQP_STATUS_TIMEOUT);
  CHECK(amqp_get_sockfd(c) >= 0);
  CHECK(amqp_channel_open(c, 2) != NULL);
  amqp_destroy_connection(c);
  peer_stop(p);
}

static void refuses_declare(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_open_channels(link, 1)) return;
  if (!peer_serve_until(link, AMQP_QUEUE_DECLARE_METHOD, 10000)) return;
  peer_send_channel_close(link, 1, 404, "NOT_FOUND - no queue");
  if (!peer_expect(link, AMQP_CHANNEL_CLOSE_OK_METHOD, 10000)) return;
  peer_reached(link, 1);
  peer_serve(link, PEER_LIVE, 20000);
}

CASE(a_refused_call_is_a_server_exception_and_nothing_is_answered) {
  peer *p = peer_start(refuses_declare, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_channel_close_ok_t close_ok = {0};
  amqp_rpc_reply_t reply;
  if (c == NULL) return;
  CHECK(amqp_queue_declare(c, 1, client_bytes("q"), 1, 0, 0, 0, amqp_empty_table) == NULL);
  reply = amqp_get_rpc_reply(c);
  CHECK_INT(reply.reply_type, AMQP_RESPONSE_SERVER_EXCEPTION);
  if (CHECK_INT(reply.reply.id, AMQP_CHANNEL_CLOSE_METHOD)) {
    amqp_channel_close_t *close = reply.reply.decoded;
    CHECK_INT(close->reply_code, 404);
    CHECK(client_bytes_equal(close->reply_text, "NOT_FOUND - no queue"));
  }
  peer_sleep(100);
  CHECK_INT(peer_count(p, AMQP_CHANNEL_CLOSE_OK_METHOD), 0);   /* the program's to send */
  CHECK_STATUS(amqp_send_method(c, 1, AMQP_CHANNEL_CLOSE_OK_METHOD, &close_ok), AMQP_STATUS_OK);
  CHECK(peer_wait(p, 1, 5000));
  CHECK(amqp_channel_open(c, 1) != NULL);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(get_rpc_reply_is_set_by_decoded_rpcs_and_get_only) {
  peer *p = peer_start(messages_then_more, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_method_number_t replies[] = {AMQP_QUEUE_PURGE_OK_METHOD, 0};
  amqp_queue_purge_t purge;
  amqp_envelope_t envelope;
  amqp_frame_t frame;
  if (c == NULL) return;
  memset(&purge, 0, sizeof purge);
  CHECK(amqp_queue_declare(c, 1, client_bytes("q"), 0, 0, 0, 0, amqp_empty_table) != NULL);
  CHECK_INT(amqp_get_rpc_reply(c).reply.id, AMQP_QUEUE_DECLARE_OK_METHOD);
  CHECK_INT(client_reply_status(amqp_simple_rpc(c, 1, AMQP_QUEUE_PURGE_METHOD, replies, &purge)), 0);
  CHECK_STATUS(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(0), 0)), AMQP_STATUS_TIMEOUT);
  CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, client_seconds(0)), AMQP_STATUS_TIMEOUT);
  CHECK_STATUS(client_publish(c, 1, "x"), AMQP_STATUS_OK);
  CHECK_INT(amqp_get_rpc_reply(c).reply_type, AMQP_RESPONSE_NORMAL);
  CHECK_INT(amqp_get_rpc_reply(c).reply.id, AMQP_QUEUE_DECLARE_OK_METHOD);
  CHECK_INT(client_reply_status(amqp_basic_get(c, 1, client_bytes("q"), 1)), 0);
  CHECK_INT(amqp_get_rpc_reply(c).reply.id, AMQP_BASIC_GET_EMPTY_METHOD);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(destroy_sends_nothing_and_does_not_block) {
  peer *p = peer_start(messages_then_more, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  uint64_t received;
  int64_t begun;
  if (c == NULL) return;
  received = peer_seen(p)->received;
  begun = peer_now();
  CHECK_STATUS(amqp_destroy_connection(c), AMQP_STATUS_OK);
  CHECK_BETWEEN(elapsed_milliseconds(begun), 0, 500);
  peer_sleep(100);
  CHECK(peer_seen(p)->ended_at != 0);
  CHECK_INT(peer_seen(p)->received, received);
  peer_stop(p);
}

/* ---- uninitialised input ---- */

static void obliging(peer_link *link, void *unused) {
  (void)unused;
  if (peer_handshake(link, 0, 131072, 0)) peer_serve(link, PEER_LIVE, 20000);
}

CASE(only_flagged_properties_are_read) {
  peer *p = peer_start(obliging, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_basic_properties_t *properties = malloc(sizeof *properties);
  const peer_record *seen = peer_seen(p);
  uint32_t i;
  int found = 0;
  if (c == NULL) return;
  memset(properties, 0xAA, sizeof *properties);   /* pointers into nowhere, unless the flag says otherwise */
  properties->_flags = 0;
  CHECK_STATUS(amqp_basic_publish(c, 1, client_bytes("e"), client_bytes("k"), 0, 0, properties, client_bytes("b")), AMQP_STATUS_OK);
  properties->_flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_REPLY_TO_FLAG;
  properties->delivery_mode = 2;
  properties->reply_to = client_bytes("answer.here");
  CHECK_STATUS(amqp_basic_publish(c, 1, client_bytes("e"), client_bytes("k"), 0, 0, properties, client_bytes("b")), AMQP_STATUS_OK);
  CHECK(amqp_basic_qos(c, 1, 0, 1, 0) != NULL);
  CHECK_INT(seen->publishes, 2);
  for (i = 0; i < seen->frame_count; i++)
    if (seen->frames[i].type == PEER_FRAME_HEADER)
      found += memcmp(seen->bytes + seen->frames[i].offset + 12, found == 0 ? "\0\0" : "\x12\0\2\x0b" "answer.here",
                      found == 0 ? 2 : 15) == 0;
  CHECK_INT(found, 2);
  free(properties);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(fieldless_methods_do_not_read_their_struct) {
  peer *p = peer_start(obliging, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_method_number_t replies[] = {AMQP_TX_SELECT_OK_METHOD, 0};
  uint8_t room[8];
  amqp_bytes_t bytes = {sizeof room, room};
  void *nowhere = (void *)(size_t)0xAAAAAAAAAAAAAAA8;
  if (c == NULL) return;
  CHECK_INT(client_reply_status(amqp_simple_rpc(c, 1, AMQP_TX_SELECT_METHOD, replies, nowhere)), 0);
  CHECK_STATUS(amqp_send_method(c, 1, AMQP_CHANNEL_CLOSE_OK_METHOD, nowhere), AMQP_STATUS_OK);
  CHECK_INT(amqp_encode_method(AMQP_BASIC_QOS_OK_METHOD, nowhere, bytes), 0);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- thousands of channels ---- */

CASE(thousands_of_channels_recycle_quickly) {
  peer *p = peer_start(obliging, NULL);
  amqp_connection_state_t c = client_login(p, 0);
  int64_t begun;
  int channel, i;
  if (c == NULL) return;
  for (channel = 1; channel <= 5000; channel++)
    if (!CHECK(amqp_channel_open(c, (amqp_channel_t)channel) != NULL)) return;
  begun = peer_now();
  for (i = 0; i < 50; i++) amqp_maybe_release_buffers(c);
  CHECK_BETWEEN(elapsed_milliseconds(begun), 0, 1500);
  CHECK(amqp_channel_open(c, 65535) != NULL);
  amqp_destroy_connection(c);
  peer_stop(p);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
