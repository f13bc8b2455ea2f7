/*
 * NULL where the header allows none: as the connection, the socket, an output, a struct. The header promises a status, NULL, 0 or
 * nothing at all; never a crash, an abort or a hang.
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

/* ---- a NULL handle ---- */

CASE(null_connection_to_status_functions) {
  amqp_connection_state_t none = NULL;
  amqp_queue_declare_t method = any_struct();
  amqp_bytes_t b = client_bytes("x");
  amqp_method_t output;
  amqp_frame_t frame;
  memset(&frame, 0, sizeof frame);
  frame.frame_type = AMQP_FRAME_HEARTBEAT;
  CHECK_STATUS(amqp_destroy_connection(none), AMQP_STATUS_OK);
  CHECK_STATUS(amqp_tune_connection(none, 0, 131072, 0), INVALID);
  CHECK_STATUS(amqp_handle_input(none, b, &frame), INVALID);
  CHECK_STATUS(amqp_send_frame(none, &frame), INVALID);
  CHECK_STATUS(amqp_send_header(none), INVALID);
  CHECK_STATUS(amqp_send_method(none, 1, AMQP_QUEUE_DECLARE_METHOD, &method), INVALID);
  CHECK_STATUS(amqp_simple_wait_frame(none, &frame), INVALID);
  CHECK_STATUS(amqp_simple_wait_frame_noblock(none, &frame, client_seconds(0)), INVALID);
  CHECK_STATUS(amqp_simple_wait_method(none, 1, AMQP_BASIC_QOS_OK_METHOD, &output), INVALID);
  CHECK_STATUS(amqp_basic_publish(none, 1, b, b, 0, 0, NULL, b), INVALID);
  CHECK_STATUS(amqp_basic_ack(none, 1, 1, 0), INVALID);
  CHECK_STATUS(amqp_basic_nack(none, 1, 1, 0, 0), INVALID);
  CHECK_STATUS(amqp_basic_reject(none, 1, 1, 0), INVALID);
  CHECK_STATUS(amqp_set_handshake_timeout(none, client_seconds(1)), INVALID);
  CHECK_STATUS(amqp_set_rpc_timeout(none, client_seconds(1)), INVALID);
}

CASE(null_connection_to_getters) {
  amqp_connection_state_t none = NULL;
  CHECK_INT(amqp_get_sockfd(none), -1);
  CHECK_INT(amqp_get_channel_max(none), 0);
  CHECK_INT(amqp_get_frame_max(none), 0);
  CHECK_INT(amqp_get_heartbeat(none), 0);
  CHECK_INT(amqp_release_buffers_ok(none), 0);
  CHECK_INT(amqp_frames_enqueued(none), 0);
  CHECK_INT(amqp_data_in_buffer(none), 0);
  CHECK(amqp_get_socket(none) == NULL);
  CHECK(amqp_get_server_properties(none) == NULL);
  CHECK(amqp_get_client_properties(none) == NULL);
  CHECK(amqp_get_handshake_timeout(none) == NULL);
  CHECK(amqp_get_rpc_timeout(none) == NULL);
  CHECK(amqp_tcp_socket_new(none) == NULL);
  amqp_release_buffers(none);
  amqp_maybe_release_buffers(none);
  amqp_maybe_release_buffers_on_channel(none, 1);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  amqp_set_sockfd(none, -1);
#pragma GCC diagnostic pop
}

CASE(null_connection_to_reply_functions) {
  amqp_connection_state_t none = NULL;
  amqp_method_number_t replies[] = {AMQP_QUEUE_DECLARE_OK_METHOD, 0};
  amqp_queue_declare_t method = any_struct();
  amqp_bytes_t b = client_bytes("x");
  amqp_envelope_t envelope;
  amqp_message_t message;
  CHECK_STATUS(client_reply_status(amqp_simple_rpc(none, 1, AMQP_QUEUE_DECLARE_METHOD, replies, &method)), INVALID);
  CHECK_STATUS(client_reply_status(amqp_get_rpc_reply(none)), INVALID);
  CHECK_STATUS(client_reply_status(amqp_login(none, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "a", "b")), INVALID);
  CHECK_STATUS(client_reply_status(amqp_login_with_properties(none, "/", 0, 131072, 0, &amqp_empty_table,
                                                              AMQP_SASL_METHOD_PLAIN, "a", "b")), INVALID);
  CHECK_STATUS(client_reply_status(amqp_channel_close(none, 1, 200)), INVALID);
  CHECK_STATUS(client_reply_status(amqp_connection_close(none, 200)), INVALID);
  CHECK_STATUS(client_reply_status(amqp_basic_get(none, 1, b, 0)), INVALID);
  CHECK_STATUS(client_reply_status(amqp_read_message(none, 1, &message, 0)), INVALID);
  CHECK_STATUS(client_reply_status(amqp_consume_message(none, &envelope, NULL, 0)), INVALID);
  if (amqp_publisher_confirm_wait != NULL) {
    amqp_publisher_confirm_t confirm;
    CHECK_STATUS(client_reply_status(amqp_publisher_confirm_wait(none, NULL, &confirm)), INVALID);
  }
}

CASE(null_connection_to_method_functions) {
  amqp_connection_state_t none = NULL;
  amqp_queue_declare_t method = any_struct();
  amqp_bytes_t b = client_bytes("x");
  amqp_table_t t = amqp_empty_table;
  CHECK(amqp_simple_rpc_decoded(none, 1, AMQP_QUEUE_DECLARE_METHOD, AMQP_QUEUE_DECLARE_OK_METHOD, &method) == NULL);
  CHECK(amqp_channel_open(none, 1) == NULL);
  CHECK(amqp_channel_flow(none, 1, 1) == NULL);
  CHECK(amqp_exchange_declare(none, 1, b, b, 0, 0, 0, 0, t) == NULL);
  CHECK(amqp_exchange_delete(none, 1, b, 0) == NULL);
  CHECK(amqp_exchange_bind(none, 1, b, b, b, t) == NULL);
  CHECK(amqp_exchange_unbind(none, 1, b, b, b, t) == NULL);
  CHECK(amqp_queue_declare(none, 1, b, 0, 0, 0, 0, t) == NULL);
  CHECK(amqp_queue_bind(none, 1, b, b, b, t) == NULL);
  CHECK(amqp_queue_purge(none, 1, b) == NULL);
  CHECK(amqp_queue_delete(none, 1, b, 0, 0) == NULL);
  CHECK(amqp_queue_unbind(none, 1, b, b, b, t) == NULL);
  CHECK(amqp_basic_qos(none, 1, 0, 1, 0) == NULL);
  CHECK(amqp_basic_consume(none, 1, b, b, 0, 0, 0, t) == NULL);
  CHECK(amqp_basic_cancel(none, 1, b) == NULL);
  CHECK(amqp_basic_recover(none, 1, 1) == NULL);
  CHECK(amqp_tx_select(none, 1) == NULL);
  CHECK(amqp_tx_commit(none, 1) == NULL);
  CHECK(amqp_tx_rollback(none, 1) == NULL);
  CHECK(amqp_confirm_select(none, 1) == NULL);
  if (amqp_connection_update_secret != NULL) CHECK(amqp_connection_update_secret(none, 0, b, b) == NULL);
}

CASE(null_socket) {
  CHECK_STATUS(amqp_socket_open(NULL, "127.0.0.1", 1), INVALID);
  CHECK_STATUS(amqp_socket_open_noblock(NULL, "127.0.0.1", 1, client_seconds(0)), INVALID);
  CHECK_INT(amqp_socket_get_sockfd(NULL), -1);
  amqp_tcp_socket_set_sockfd(NULL, 5);
}

/* ---- NULL arguments ---- */

CASE(null_outputs) {
  peer *p = peer_start(obliging, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  struct timeval *soon = client_seconds(0.2);
  if (c == NULL) return;
  CHECK_STATUS(amqp_simple_wait_frame(c, NULL), INVALID);
  CHECK_STATUS(amqp_simple_wait_frame_noblock(c, NULL, soon), INVALID);
  CHECK_STATUS(amqp_simple_wait_method(c, 1, AMQP_BASIC_QOS_OK_METHOD, NULL), INVALID);
  CHECK_STATUS(client_reply_status(amqp_consume_message(c, NULL, soon, 0)), INVALID);
  CHECK_STATUS(client_reply_status(amqp_read_message(c, 1, NULL, 0)), INVALID);
  if (amqp_publisher_confirm_wait != NULL)
    CHECK_STATUS(client_reply_status(amqp_publisher_confirm_wait(c, soon, NULL)), INVALID);
  CHECK_STATUS(amqp_send_frame(c, NULL), INVALID);
  CHECK_STATUS(amqp_handle_input(c, client_bytes("AMQP"), NULL), INVALID);
  CHECK_STATUS(amqp_send_method(c, 1, AMQP_QUEUE_DECLARE_METHOD, NULL), INVALID);
  CHECK_STATUS(client_reply_status(amqp_simple_rpc(c, 1, AMQP_QUEUE_DECLARE_METHOD, NULL, NULL)), INVALID);
  CHECK(amqp_simple_rpc_decoded(c, 1, AMQP_QUEUE_DECLARE_METHOD, AMQP_QUEUE_DECLARE_OK_METHOD, NULL) == NULL);
  CHECK_STATUS(client_reply_status(amqp_get_rpc_reply(c)), INVALID);
  CHECK(amqp_basic_qos(c, 1, 0, 1, 0) != NULL);   /* and nothing of it has hurt */
  CHECK_INT(peer_seen(p)->malformed, 0);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(methods_without_fields_need_no_struct) {
  peer *p = peer_start(obliging, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_method_number_t replies[] = {AMQP_TX_SELECT_OK_METHOD, 0};
  if (c == NULL) return;
  CHECK_INT(client_reply_status(amqp_simple_rpc(c, 1, AMQP_TX_SELECT_METHOD, replies, NULL)), 0);
  CHECK(amqp_simple_rpc_decoded(c, 1, AMQP_TX_COMMIT_METHOD, AMQP_TX_COMMIT_OK_METHOD, (void *)8) != NULL);
  CHECK_STATUS(amqp_send_method(c, 1, AMQP_CHANNEL_CLOSE_OK_METHOD, NULL), AMQP_STATUS_OK);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(null_to_tables_pools_and_bytes) {
  amqp_bytes_t empty = {0, NULL}, lying = {10, NULL};
  uint8_t room[64];
  amqp_bytes_t bytes = {sizeof room, room};
  amqp_table_t table = amqp_empty_table, bad = {3, NULL}, negative = {-1, NULL};
  amqp_pool_t pool;
  size_t offset = 0;
  memset(room, 0, sizeof room);
  init_amqp_pool(&pool, 4096);
  init_amqp_pool(NULL, 4096);
  recycle_amqp_pool(NULL);
  empty_amqp_pool(NULL);
  CHECK(amqp_pool_alloc(NULL, 8) == NULL);
  CHECK(amqp_pool_alloc(&pool, 0) == NULL);
  CHECK(amqp_pool_alloc(&pool, SIZE_MAX) == NULL);
  CHECK(amqp_pool_alloc(&pool, SIZE_MAX - 7) == NULL);
  CHECK(amqp_pool_alloc(&pool, SIZE_MAX / 2) == NULL);
  amqp_pool_alloc_bytes(NULL, 8, &empty);
  amqp_pool_alloc_bytes(&pool, 8, NULL);
  empty.len = 0;
  empty.bytes = NULL;
  CHECK_INT(amqp_cstring_bytes(NULL).len, 0);
  amqp_bytes_free(amqp_bytes_malloc_dup(empty));
  CHECK(amqp_bytes_malloc(SIZE_MAX).bytes == NULL);
  amqp_bytes_free(empty);
  CHECK_STATUS(amqp_decode_table(bytes, NULL, &table, &offset), INVALID);
  CHECK_STATUS(amqp_decode_table(bytes, &pool, NULL, &offset), INVALID);
  CHECK_STATUS(amqp_decode_table(bytes, &pool, &table, NULL), INVALID);
  CHECK(amqp_decode_table(lying, &pool, &table, &offset) < 0);
  offset = SIZE_MAX - 2;
  CHECK_STATUS(amqp_decode_table(bytes, &pool, &table, &offset), AMQP_STATUS_BAD_AMQP_DATA);
  offset = 0;
  CHECK_STATUS(amqp_encode_table(bytes, NULL, &offset), INVALID);
  CHECK_STATUS(amqp_encode_table(bytes, &table, NULL), INVALID);
  CHECK(amqp_encode_table(lying, &table, &offset) < 0);
  CHECK(amqp_encode_table(bytes, &bad, &offset) < 0);
  CHECK(amqp_encode_table(bytes, &negative, &offset) < 0);
  offset = SIZE_MAX - 2;
  CHECK(amqp_encode_table(bytes, &table, &offset) < 0);
  CHECK_STATUS(amqp_table_clone(NULL, &table, &pool), INVALID);
  CHECK_STATUS(amqp_table_clone(&table, NULL, &pool), INVALID);
  CHECK_STATUS(amqp_table_clone(&table, &table, NULL), INVALID);
  CHECK(amqp_table_clone(&bad, &table, &pool) < 0);
  CHECK(amqp_table_clone(&negative, &table, &pool) < 0);
  empty_amqp_pool(&pool);
}

CASE(pools_of_strange_page_sizes) {
  static const size_t sizes[] = {0, 1, 7, 8, 9, 4096, SIZE_MAX};
  unsigned i, j;
  for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    amqp_pool_t pool;
    init_amqp_pool(&pool, sizes[i]);
    for (j = 1; j < 200; j += 13) {
      void *piece = amqp_pool_alloc(&pool, j);
      if (piece != NULL) memset(piece, 0x5A, j);
      CHECK(((size_t)piece & 7) == 0);
    }
    recycle_amqp_pool(&pool);
    empty_amqp_pool(&pool);
  }
}

CASE(null_to_codecs) {
  amqp_pool_t pool;
  uint8_t room[64];
  amqp_bytes_t bytes = {sizeof room, room}, none = {0, NULL}, lying = {8, NULL};
  amqp_queue_declare_t method = any_struct();
  amqp_basic_properties_t properties;
  void *decoded = NULL;
  memset(room, 0, sizeof room);
  memset(&properties, 0, sizeof properties);
  init_amqp_pool(&pool, 4096);
  CHECK_STATUS(amqp_decode_method(AMQP_QUEUE_DECLARE_METHOD, NULL, bytes, &decoded), INVALID);
  CHECK_STATUS(amqp_decode_method(AMQP_QUEUE_DECLARE_METHOD, &pool, bytes, NULL), INVALID);
  CHECK_STATUS(amqp_decode_method(AMQP_QUEUE_DECLARE_METHOD, &pool, none, &decoded), AMQP_STATUS_BAD_AMQP_DATA);
  CHECK(amqp_decode_method(AMQP_QUEUE_DECLARE_METHOD, &pool, lying, &decoded) < 0);
  CHECK_STATUS(amqp_decode_method(0x12345678, &pool, bytes, &decoded), AMQP_STATUS_UNKNOWN_METHOD);
  CHECK_STATUS(amqp_decode_properties(AMQP_BASIC_CLASS, NULL, bytes, &decoded), INVALID);
  CHECK_STATUS(amqp_decode_properties(AMQP_BASIC_CLASS, &pool, bytes, NULL), INVALID);
  CHECK_STATUS(amqp_decode_properties(AMQP_BASIC_CLASS, &pool, none, &decoded), AMQP_STATUS_BAD_AMQP_DATA);
  CHECK_STATUS(amqp_decode_properties(9999, &pool, bytes, &decoded), AMQP_STATUS_UNKNOWN_CLASS);
  CHECK_STATUS(amqp_encode_method(AMQP_QUEUE_DECLARE_METHOD, NULL, bytes), INVALID);
  CHECK(amqp_encode_method(AMQP_QUEUE_DECLARE_METHOD, &method, none) < 0);
  CHECK(amqp_encode_method(AMQP_QUEUE_DECLARE_METHOD, &method, lying) < 0);
  CHECK_STATUS(amqp_encode_method(0x12345678, &method, bytes), AMQP_STATUS_UNKNOWN_METHOD);
  CHECK_STATUS(amqp_encode_properties(AMQP_BASIC_CLASS, NULL, bytes), INVALID);
  CHECK(amqp_encode_properties(AMQP_BASIC_CLASS, &properties, none) < 0);
  CHECK_STATUS(amqp_encode_properties(9999, &properties, bytes), AMQP_STATUS_UNKNOWN_CLASS);
  empty_amqp_pool(&pool);
}

CASE(null_to_urls_and_destructors) {
  struct amqp_connection_info info;
  char url[] = "amqp://h";
  CHECK_STATUS(amqp_parse_url(NULL, &info), INVALID);
  CHECK_STATUS(amqp_parse_url(url, NULL), INVALID);
  amqp_default_connection_info(NULL);
  amqp_destroy_envelope(NULL);
  amqp_destroy_message(NULL);
}

CASE(null_entries_to_table_entry_cmp) {
  amqp_table_entry_t entry;
  memset(&entry, 0, sizeof entry);
  entry.key = client_bytes("k");
  CHECK_INT(amqp_table_entry_cmp(NULL, &entry), 0);
  CHECK_INT(amqp_table_entry_cmp(&entry, NULL), 0);
}

CASE(error_texts_for_any_number) {
  static const int numbers[] = {0, 1, -1, -5, -21, -255, -256, -257, -258, -512, -1000, INT_MAX, INT_MIN};
  unsigned i;
  for (i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    CHECK(amqp_error_string2(numbers[i]) != NULL);
    CHECK(amqp_constant_name(numbers[i]) == NULL || *amqp_constant_name(numbers[i]) != 0);
    amqp_constant_is_hard_error(numbers[i]);
    CHECK(amqp_method_name((amqp_method_number_t)numbers[i]) == NULL);
    CHECK_INT(amqp_method_has_content((amqp_method_number_t)numbers[i]), 0);
  }
}

int main(int argc, char **argv) { return check_main(argc, argv); }
