/*
 * Misuse that is not NULL: sizes that lie, numbers out of range, connections that are closed or not open yet, calls in the wrong
 * order, bytes of any kind into amqp_handle_input. The answer is a status; never a crash, an abort or a hang.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

#define INVALID AMQP_STATUS_INVALID_PARAMETER

static void obliging(peer_link *link, void *unused) {
  (void)unused;
  if (peer_handshake(link, 0, 131072, 0)) peer_serve(link, PEER_LIVE, 20000);
}

static amqp_queue_declare_t any_struct(void) {
  amqp_queue_declare_t method;
  memset(&method, 0, sizeof method);
  return method;
}

/* ---- numbers out of range ---- */

CASE(bodies_and_names_that_lie_about_their_size) {
  peer *p = peer_start(obliging, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_bytes_t nothing = {100, NULL}, small = client_bytes("x"), huge;
  amqp_basic_properties_t properties;
  amqp_table_t table = {-5, NULL}, pointless = {7, NULL};
  huge.len = SIZE_MAX;
  huge.bytes = (void *)"x";
  if (c == NULL) return;
  CHECK(amqp_basic_publish(c, 1, nothing, small, 0, 0, NULL, small) < 0);
  CHECK(amqp_basic_publish(c, 1, small, nothing, 0, 0, NULL, small) < 0);
  CHECK(amqp_basic_publish(c, 1, small, small, 0, 0, NULL, nothing) < 0);
  CHECK(amqp_basic_publish(c, 1, huge, small, 0, 0, NULL, small) < 0);
  CHECK(amqp_basic_publish(c, 1, small, huge, 0, 0, NULL, small) < 0);
  CHECK(amqp_queue_declare(c, 1, huge, 0, 0, 0, 0, amqp_empty_table) == NULL);
  CHECK(amqp_queue_declare(c, 1, nothing, 0, 0, 0, 0, amqp_empty_table) == NULL);
  CHECK(amqp_queue_declare(c, 1, small, 0, 0, 0, 0, table) == NULL);
  CHECK(amqp_queue_declare(c, 1, small, 0, 0, 0, 0, pointless) == NULL);
  memset(&properties, 0, sizeof properties);
  properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG;
  properties.content_type = huge;
  CHECK(amqp_basic_publish(c, 1, small, small, 0, 0, &properties, small) < 0);
  properties._flags = AMQP_BASIC_HEADERS_FLAG;
  properties.headers = table;
  CHECK(amqp_basic_publish(c, 1, small, small, 0, 0, &properties, small) < 0);
  CHECK_STATUS(client_publish(c, 1, "fine"), AMQP_STATUS_OK);
  CHECK(amqp_basic_qos(c, 1, 0, 1, 0) != NULL);
  CHECK_INT(peer_seen(p)->publishes, 1);
  CHECK_INT(peer_seen(p)->malformed, 0);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(tune_out_of_range) {
  peer *p = peer_start(obliging, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  if (c == NULL) return;
  CHECK_STATUS(amqp_tune_connection(c, -1, 131072, 0), INVALID);
  CHECK_STATUS(amqp_tune_connection(c, 65536, 131072, 0), INVALID);
  CHECK_STATUS(amqp_tune_connection(c, 0, 131072, -1), INVALID);
  CHECK_STATUS(amqp_tune_connection(c, 0, 131072, 65536), INVALID);
  CHECK(amqp_tune_connection(c, 0, -1, 0) <= 0);
  CHECK(amqp_tune_connection(c, 0, INT_MAX, 0) <= 0);
  CHECK_STATUS(amqp_tune_connection(c, 100, 131072, 0), AMQP_STATUS_OK);
  CHECK_INT(amqp_get_channel_max(c), 100);
  CHECK(amqp_basic_qos(c, 1, 0, 1, 0) != NULL);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(login_out_of_range) {
  static const int numbers[][3] = {{-1, 131072, 0}, {65536, 131072, 0}, {0, -1, 0}, {0, 131072, -1}, {0, 131072, 65536}};
  static char long_name[300];
  unsigned i;
  for (i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    peer *p = peer_start(obliging, NULL);
    amqp_connection_state_t c = client_connect(p);
    if (c == NULL) return;
    CHECK_STATUS(client_reply_status(amqp_login(c, "/", numbers[i][0], numbers[i][1], numbers[i][2],
                                                AMQP_SASL_METHOD_PLAIN, "guest", "guest")), INVALID);
    CHECK_INT(peer_seen(p)->received, 0);
    /* Nothing was sent, so the program may correct itself. */
    CHECK_INT(client_reply_status(amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest")), 0);
    amqp_destroy_connection(c);
    peer_stop(p);
  }
  memset(long_name, 'v', sizeof long_name - 1);
  {
    peer *p = peer_start(obliging, NULL);
    amqp_connection_state_t c = client_connect(p);
    if (c == NULL) return;
    CHECK(client_reply_status(amqp_login(c, long_name, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest")) < 0);
    amqp_destroy_connection(c);
    p = (peer_stop(p), peer_start(obliging, NULL));
    c = client_connect(p);
    if (c == NULL) return;
    CHECK_STATUS(client_reply_status(amqp_login(c, NULL, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest")), INVALID);
    amqp_destroy_connection(c);
    peer_stop(p);
  }
}

CASE(close_codes_out_of_range) {
  peer *p = peer_start(obliging, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  if (c == NULL) return;
  CHECK_STATUS(client_reply_status(amqp_channel_close(c, 1, -1)), INVALID);
  CHECK_STATUS(client_reply_status(amqp_channel_close(c, 1, 65536)), INVALID);
  CHECK_STATUS(client_reply_status(amqp_connection_close(c, -1)), INVALID);
  CHECK_STATUS(client_reply_status(amqp_connection_close(c, 65536)), INVALID);
  CHECK_INT(client_reply_status(amqp_channel_close(c, 1, 200)), 0);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(ports_out_of_range) {
  amqp_connection_state_t c = amqp_new_connection();
  amqp_socket_t *socket = amqp_tcp_socket_new(c);
  static const int ports[] = {-1, 65536, INT_MIN, INT_MAX};
  unsigned i;
  for (i = 0; i < 4; i++) {
    int expected = ports[i] < 0 ? AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED : AMQP_STATUS_SOCKET_ERROR;
    CHECK_STATUS(amqp_socket_open_noblock(socket, "127.0.0.1", ports[i], client_seconds(1)), expected);
    CHECK_STATUS(amqp_open_socket("127.0.0.1", ports[i]), expected);
  }
  amqp_destroy_connection(c);
}

CASE(unknown_methods_and_frames) {
  peer *p = peer_start(obliging, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_queue_declare_t method = any_struct();
  amqp_frame_t frame;
  if (c == NULL) return;
  CHECK_STATUS(amqp_send_method(c, 1, 0x12345678, &method), AMQP_STATUS_UNKNOWN_METHOD);
  memset(&frame, 0, sizeof frame);
  frame.channel = 1;
  CHECK_STATUS(amqp_send_frame(c, &frame), INVALID);
  frame.frame_type = 99;
  CHECK_STATUS(amqp_send_frame(c, &frame), INVALID);
  frame.frame_type = AMQP_FRAME_METHOD;
  frame.payload.method.id = AMQP_QUEUE_DECLARE_METHOD;
  CHECK(amqp_send_frame(c, &frame) < 0);
  memset(&frame, 0, sizeof frame);
  frame.frame_type = AMQP_FRAME_HEADER;
  frame.payload.properties.class_id = AMQP_BASIC_CLASS;
  CHECK(amqp_send_frame(c, &frame) < 0);
  frame.payload.properties.class_id = 9999;
  CHECK(amqp_send_frame(c, &frame) < 0);
  memset(&frame, 0, sizeof frame);
  frame.frame_type = AMQP_FRAME_BODY;
  frame.payload.body_fragment.len = SIZE_MAX;
  CHECK(amqp_send_frame(c, &frame) < 0);
  frame.payload.body_fragment.len = 10;
  CHECK(amqp_send_frame(c, &frame) < 0);
  CHECK(amqp_basic_qos(c, 1, 0, 1, 0) != NULL);
  CHECK_INT(peer_seen(p)->malformed, 0);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- a connection without a socket, not yet open, closed ---- */

static void call_everything(amqp_connection_state_t c) {
  amqp_method_number_t replies[] = {AMQP_BASIC_QOS_OK_METHOD, 0};
  amqp_basic_qos_t qos;
  amqp_envelope_t envelope;
  amqp_message_t message;
  amqp_method_t output;
  amqp_frame_t frame;
  struct timeval *at_once = client_seconds(0);
  memset(&qos, 0, sizeof qos);
  memset(&frame, 0, sizeof frame);
  frame.frame_type = AMQP_FRAME_HEARTBEAT;
  CHECK(amqp_send_frame(c, &frame) < 0);
  CHECK(amqp_send_header(c) < 0);
  CHECK(amqp_send_method(c, 1, AMQP_BASIC_QOS_METHOD, &qos) < 0);
  CHECK(amqp_simple_wait_frame(c, &frame) < 0);
  CHECK(amqp_simple_wait_frame_noblock(c, &frame, at_once) < 0);
  CHECK(amqp_simple_wait_method(c, 1, AMQP_BASIC_QOS_OK_METHOD, &output) < 0);
  CHECK(client_publish(c, 1, "x") < 0);
  CHECK(amqp_basic_ack(c, 1, 1, 0) < 0);
  CHECK(amqp_basic_nack(c, 1, 1, 0, 0) < 0);
  CHECK(amqp_basic_reject(c, 1, 1, 0) < 0);
  CHECK(client_reply_status(amqp_simple_rpc(c, 1, AMQP_BASIC_QOS_METHOD, replies, &qos)) < 0);
  CHECK(amqp_basic_qos(c, 1, 0, 1, 0) == NULL);
  CHECK(client_reply_status(amqp_get_rpc_reply(c)) < 0);
  CHECK(client_reply_status(amqp_basic_get(c, 1, client_bytes("q"), 0)) < 0);
  CHECK(client_reply_status(amqp_channel_close(c, 1, 200)) < 0);
  CHECK(client_reply_status(amqp_connection_close(c, 200)) < 0);
  CHECK(client_reply_status(amqp_consume_message(c, &envelope, at_once, 0)) < 0);
  CHECK(client_reply_status(amqp_read_message(c, 1, &message, 0)) < 0);
  if (amqp_publisher_confirm_wait != NULL) {
    amqp_publisher_confirm_t confirm;
    CHECK(client_reply_status(amqp_publisher_confirm_wait(c, at_once, &confirm)) < 0);
  }
  CHECK_INT(amqp_frames_enqueued(c), 0);
  CHECK_INT(amqp_data_in_buffer(c), 0);
  amqp_get_sockfd(c);
  amqp_release_buffers(c);
  amqp_maybe_release_buffers(c);
  amqp_maybe_release_buffers_on_channel(c, 1);
}

CASE(everything_without_a_socket) {
  amqp_connection_state_t c = amqp_new_connection();
  CHECK(amqp_get_socket(c) == NULL);
  CHECK(amqp_release_buffers_ok(c) == 0);
  CHECK_INT(amqp_get_sockfd(c), -1);
  call_everything(c);
  CHECK(client_reply_status(amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest")) < 0);
  CHECK_STATUS(amqp_destroy_connection(c), AMQP_STATUS_OK);
}

CASE(everything_on_a_socket_that_is_not_open) {
  amqp_connection_state_t c = amqp_new_connection();
  amqp_socket_t *socket = amqp_tcp_socket_new(c);
  CHECK_INT(amqp_socket_get_sockfd(socket), -1);
  call_everything(c);
  CHECK(client_reply_status(amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest")) < 0);
  amqp_destroy_connection(c);
}

static void hangs_up(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_handshake(link, 0, 131072, 0)) return;
  if (peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 10000)) peer_answer(link);
}

CASE(everything_on_a_connection_that_was_lost) {
  peer *p = peer_start(hangs_up, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_frame_t frame;
  if (c == NULL) return;
  CHECK_STATUS(amqp_simple_wait_frame(c, &frame), AMQP_STATUS_CONNECTION_CLOSED);
  call_everything(c);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- the wrong order ---- */

CASE(tune_and_release_before_login) {
  amqp_connection_state_t c = amqp_new_connection();
  CHECK_STATUS(amqp_tune_connection(c, 10, 131072, 5), AMQP_STATUS_UNEXPECTED_STATE);
  amqp_release_buffers(c);
  amqp_maybe_release_buffers(c);
  amqp_maybe_release_buffers_on_channel(c, 65535);
  amqp_destroy_connection(c);
}

CASE(a_second_login) {
  peer *p = peer_start(obliging, NULL);
  amqp_connection_state_t c = client_login(p, 0);
  if (c == NULL) return;
  CHECK_STATUS(client_reply_status(amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest")),
               AMQP_STATUS_UNEXPECTED_STATE);
  CHECK(amqp_channel_open(c, 1) != NULL);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(a_second_socket_replaces_the_first) {
  peer *p = peer_start(obliging, NULL);
  amqp_connection_state_t c = client_connect(p);
  amqp_socket_t *socket;
  if (c == NULL) return;
  socket = amqp_tcp_socket_new(c);
  CHECK(socket != NULL && amqp_get_socket(c) == socket);
  CHECK_INT(amqp_get_sockfd(c), -1);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(destroying_twice_what_may_be) {
  amqp_envelope_t envelope;
  amqp_message_t message;
  memset(&envelope, 0, sizeof envelope);
  memset(&message, 0, sizeof message);
  amqp_destroy_envelope(&envelope);
  amqp_destroy_envelope(&envelope);
  amqp_destroy_message(&message);
  amqp_destroy_message(&message);
}

CASE(rpc_reply_before_any_rpc) {
  amqp_connection_state_t c = amqp_new_connection();
  CHECK_INT(amqp_get_rpc_reply(c).reply_type, AMQP_RESPONSE_NONE);
  amqp_destroy_connection(c);
}

CASE(channels_that_were_never_opened) {
  peer *p = peer_start(obliging, NULL);
  amqp_connection_state_t c = client_login(p, 0);
  if (c == NULL) return;
  CHECK_STATUS(client_publish(c, 77, "x"), AMQP_STATUS_OK);   /* the broker's business */
  CHECK(amqp_basic_qos(c, 65535, 0, 1, 0) != NULL);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- amqp_handle_input is fed by the program ---- */

CASE(handle_input_of_a_heartbeat_half_a_frame_and_garbage) {
  static const char heartbeat[] = "\x08\0\0\0\0\0\0\xCE";
  static const char close_ok[] = "\x01\0\x01\0\0\0\x04\0\x14\0\x29\xCE";
  static const char broken[] = "\x03\0\x01\0\0\0\x01x\xCD";
  amqp_connection_state_t c = amqp_new_connection();
  amqp_frame_t frame;
  amqp_bytes_t bytes;
  memset(&frame, 0x55, sizeof frame);
  bytes.bytes = (void *)heartbeat, bytes.len = 8;
  CHECK_INT(amqp_handle_input(c, bytes, &frame), 8);
  CHECK_INT(frame.frame_type, 0);
  bytes.bytes = (void *)close_ok, bytes.len = 9;
  CHECK_INT(amqp_handle_input(c, bytes, &frame), 9);
  CHECK_INT(frame.frame_type, 0);
  bytes.bytes = (void *)(close_ok + 9), bytes.len = 3;
  CHECK_INT(amqp_handle_input(c, bytes, &frame), 3);
  CHECK_INT(frame.frame_type, AMQP_FRAME_METHOD);
  CHECK_INT(frame.payload.method.id, AMQP_CHANNEL_CLOSE_OK_METHOD);
  bytes.bytes = (void *)broken, bytes.len = 9;
  CHECK_STATUS(amqp_handle_input(c, bytes, &frame), AMQP_STATUS_BAD_AMQP_DATA);
  bytes.bytes = (void *)heartbeat, bytes.len = 8;
  CHECK_STATUS(amqp_handle_input(c, bytes, &frame), AMQP_STATUS_BAD_AMQP_DATA);
  amqp_destroy_connection(c);
}

CASE(a_close_that_comes_by_handle_input_ends_publishing_too) {
  static const char close[] = "\x01\0\0\0\0\0\x0B\0\x0A\0\x32\x01\x40\0\0\0\0\0\xCE";
  peer *p = peer_start(obliging, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_bytes_t bytes = {sizeof close - 1, (void *)close};
  amqp_frame_t frame;
  if (c == NULL) return;
  CHECK_INT(amqp_handle_input(c, bytes, &frame), bytes.len);
  CHECK_INT(frame.payload.method.id, AMQP_CONNECTION_CLOSE_METHOD);
  CHECK_STATUS(client_publish(c, 1, "lost"), AMQP_STATUS_CONNECTION_CLOSED);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(handle_input_of_anything) {
  static const uint8_t pieces[][16] = {
      {0}, {8, 0, 0, 0, 0, 0, 0, 0xCE}, {8, 0, 1, 0, 0, 0, 0, 0xCE}, {1, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xCE},
      {'A', 'M', 'Q', 'P', 0, 0, 9, 1}, {'A', 'M', 'Q', 'X', 0, 0, 9, 1}, {255, 255, 255, 255, 255, 255, 255, 255},
      {3, 0, 1, 0, 0, 0, 1, 'x', 0xCE}, {3, 0, 1, 0, 0, 0, 1, 'x', 0xCD}, {2, 0, 1, 0, 0, 0, 0, 0xCE},
  };
  unsigned i;
  size_t size;
  for (i = 0; i < sizeof pieces / sizeof *pieces; i++)
    for (size = 0; size <= 16; size++) {
      amqp_connection_state_t c = amqp_new_connection();
      amqp_frame_t frame;
      size_t at = 0;
      int taken = 0, calls = 0;
      do {
        amqp_bytes_t bytes;
        bytes.bytes = (void *)(pieces[i] + at);
        bytes.len = size - at;
        taken = amqp_handle_input(c, bytes, &frame);
        CHECK(taken <= (int)bytes.len);
        if (taken > 0) at += (size_t)taken;
      } while (taken > 0 && at < size && calls++ < 40);
      CHECK(calls < 40);
      amqp_destroy_connection(c);
    }
}

int main(int argc, char **argv) { return check_main(argc, argv); }
