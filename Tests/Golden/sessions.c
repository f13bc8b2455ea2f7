/*
 * Sessions whose every visible effect is printed: return codes, reply fields, and the frames that a scripted peer received. The
 * program is run on the reference and on this library, and the two outputs are compared line by line (compare.sh). So it does
 * only what both are meant to do alike; where a fault was mended there is a case in Faults instead.
 *
 * Of the client properties only names and kinds are printed: versions and product names differ by right.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "print.h"

/* ---- scripts ---- */

static void obliging(peer_link *link, void *unused) {
  (void)unused;
  if (peer_handshake(link, 2047, 4096, 0)) peer_serve(link, PEER_LIVE, 20000);
}

static void confirming(peer_link *link, void *unused) {
  (void)unused;
  if (peer_handshake(link, 2047, 4096, 0)) peer_serve(link, PEER_READ | PEER_ANSWER | PEER_CONFIRM, 20000);
}

/* The headers of a message with every kind of field, encoded by hand. */
static void put_rich_properties(peer_buffer *b) {
  peer_buffer t = {{0}, 0};
  peer_put(&t, "\1at\1" "\1bb\xfe" "\1cB\xfe" "\1ds\xff\xfe" "\1eu\xff\xfe" "\1fI\xff\xff\xff\xfe" "\1gi\xff\xff\xff\xfe", 4 + 4 + 4 + 5 + 5 + 7 + 7);
  peer_put(&t, "\1hl\xff\xff\xff\xff\xff\xff\xff\xfe" "\1iL\1\2\3\4\5\6\7\x08", 22);
  peer_put(&t, "\1jf\x3f\xc0\0\0" "\1kd\x3f\xf8\0\0\0\0\0\0" "\1lD\2\0\0\1\x3a", 7 + 11 + 8);
  peer_put(&t, "\1mS\0\0\0\4text" "\1nx\0\0\0\3\0\1\2" "\1oT\0\0\0\0\x5f\0\0\0" "\1pV", 11 + 10 + 11 + 3);
  peer_put(&t, "\1qA\0\0\0\x09S\0\0\0\1zt\0V" "\1rF\0\0\0\x0b\5inner" "I\0\0\0\7", 7 + 9 + 7 + 11);
  peer_put16(b, 0xFFFC);
  peer_put_shortstr(b, "text/plain");
  peer_put_shortstr(b, "utf-8");
  peer_put32(b, (uint32_t)t.size);
  peer_put(b, t.bytes, t.size);
  peer_put8(b, 2);
  peer_put8(b, 9);
  peer_put_shortstr(b, "correlation");
  peer_put_shortstr(b, "reply.to");
  peer_put_shortstr(b, "60000");
  peer_put_shortstr(b, "message-id");
  peer_put64(b, 1700000000);
  peer_put_shortstr(b, "a type");
  peer_put_shortstr(b, "guest");
  peer_put_shortstr(b, "an app");
  peer_put_shortstr(b, "cluster");
}

static void delivering(peer_link *link, void *unused) {
  static char body[9000];
  peer_buffer rich = {{0}, 0}, ret = {{0}, 0}, get = {{0}, 0};
  size_t i;
  (void)unused;
  for (i = 0; i < sizeof body; i++) body[i] = (char)('a' + i % 26);
  put_rich_properties(&rich);
  if (!peer_handshake(link, 2047, 4096, 0)) return;
  if (!peer_serve_until(link, AMQP_BASIC_CONSUME_METHOD, 10000)) return;
  peer_answer(link);
  peer_deliver(link, 1, 1, "short", 5);
  peer_deliver(link, 1, 2, "", 0);
  peer_send_deliver(link, 1, 3);
  peer_send_header(link, 1, sizeof body, rich.bytes, rich.size);
  peer_send_body(link, 1, body, sizeof body);
  peer_put16(&ret, 312);
  peer_put_shortstr(&ret, "NO_ROUTE");
  peer_put_shortstr(&ret, "an.exchange");
  peer_put_shortstr(&ret, "a.key");
  peer_send_method(link, 1, AMQP_BASIC_RETURN_METHOD, ret.bytes, ret.size);
  peer_send_header(link, 1, 8, rich.bytes, rich.size);
  peer_send_body(link, 1, "returned", 8);
  peer_send_ack(link, 1, 7, 1);
  peer_deliver(link, 1, 4, "after", 5);
  if (!peer_serve_until(link, AMQP_BASIC_GET_METHOD, 10000)) return;
  peer_put64(&get, 11);
  peer_put8(&get, 1);
  peer_put_shortstr(&get, "an.exchange");
  peer_put_shortstr(&get, "a.key");
  peer_put32(&get, 3);
  peer_send_method(link, 1, AMQP_BASIC_GET_OK_METHOD, get.bytes, get.size);
  peer_send_header(link, 1, 3, NULL, 0);
  peer_send_body(link, 1, "got", 3);
  peer_serve(link, PEER_READ | PEER_ANSWER, 20000);
}

static void closing(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_handshake(link, 2047, 4096, 0)) return;
  if (!peer_serve_until(link, AMQP_QUEUE_DECLARE_METHOD, 10000)) return;
  peer_send_channel_close(link, 1, 404, "NOT_FOUND - no queue 'q' in vhost '/'");
  if (!peer_serve_until(link, AMQP_EXCHANGE_DECLARE_METHOD, 10000)) return;
  peer_send_connection_close(link, 503, "COMMAND_INVALID - no such type");
  peer_serve(link, PEER_READ | PEER_ANSWER, 10000);
}

static void refusing(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_expect_protocol_header(link)) return;
  peer_send_start(link, "PLAIN");
  if (!peer_expect(link, AMQP_CONNECTION_START_OK_METHOD, 10000)) return;
  peer_send_connection_close(link, 403, "ACCESS_REFUSED - Login was refused");
  peer_serve(link, PEER_READ, 5000);
}

/* ---- sessions ---- */

static amqp_connection_state_t begin(const char *title, peer_script script, peer **p) {
  amqp_connection_state_t c;
  printf("\n== %s\n", title);
  fflush(stdout);
  *p = peer_start(script, NULL);
  c = client_connect(*p);
  if (c == NULL) exit(1);
  return c;
}

static void finish(amqp_connection_state_t c, peer *p) {
  print_received(p);
  print_status("destroy", amqp_destroy_connection(c));
  peer_stop(p);
}

static void plain_login(amqp_connection_state_t c) {
  print_reply("login", amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "secret"));
}

static void all_calls(void) {
  peer *p;
  amqp_connection_state_t c = begin("all calls", obliging, &p);
  amqp_bytes_t q = client_bytes("q"), x = client_bytes("x"), k = client_bytes("k"), none = amqp_empty_bytes;
  amqp_table_entry_t entries[2];
  amqp_table_t t = {2, NULL}, e = amqp_empty_table;
  t.entries = entries;
  memset(entries, 0, sizeof entries);
  entries[0].key = client_bytes("x-max-length");
  entries[0].value.kind = AMQP_FIELD_KIND_I32;
  entries[0].value.value.i32 = 1000;
  entries[1].key = client_bytes("x-queue-type");
  entries[1].value.kind = AMQP_FIELD_KIND_UTF8;
  entries[1].value.value.bytes = client_bytes("quorum");
  plain_login(c);
  printf("channel_max %d frame_max %d heartbeat %d\n", amqp_get_channel_max(c), amqp_get_frame_max(c), amqp_get_heartbeat(c));
  print_table("server", amqp_get_server_properties(c));
  printf("\n");
  print_result("channel.open", c, amqp_channel_open(c, 1));
  print_result("channel.flow", c, amqp_channel_flow(c, 1, 1));
  print_result("exchange.declare", c, amqp_exchange_declare(c, 1, x, client_bytes("topic"), 0, 1, 0, 1, t));
  print_result("exchange.declare", c, amqp_exchange_declare(c, 1, x, client_bytes("fanout"), 1, 0, 1, 0, e));
  print_result("exchange.bind", c, amqp_exchange_bind(c, 1, x, client_bytes("y"), k, t));
  print_result("exchange.unbind", c, amqp_exchange_unbind(c, 1, x, client_bytes("y"), k, t));
  print_result("exchange.delete", c, amqp_exchange_delete(c, 1, x, 1));
  print_result("queue.declare", c, amqp_queue_declare(c, 1, q, 0, 1, 0, 1, t));
  print_result("queue.declare", c, amqp_queue_declare(c, 1, none, 1, 0, 1, 0, e));
  print_result("queue.bind", c, amqp_queue_bind(c, 1, q, x, k, t));
  print_result("queue.unbind", c, amqp_queue_unbind(c, 1, q, x, k, e));
  print_result("queue.purge", c, amqp_queue_purge(c, 1, q));
  print_result("queue.delete", c, amqp_queue_delete(c, 1, q, 1, 0));
  print_result("queue.delete", c, amqp_queue_delete(c, 1, q, 0, 1));
  print_result("basic.qos", c, amqp_basic_qos(c, 1, 0, 50, 1));
  print_result("basic.consume", c, amqp_basic_consume(c, 1, q, client_bytes("tag"), 1, 0, 1, t));
  print_result("basic.consume", c, amqp_basic_consume(c, 1, q, none, 0, 1, 0, e));
  print_result("basic.cancel", c, amqp_basic_cancel(c, 1, client_bytes("tag")));
  print_result("basic.recover", c, amqp_basic_recover(c, 1, 1));
  print_result("tx.select", c, amqp_tx_select(c, 1));
  print_result("tx.commit", c, amqp_tx_commit(c, 1));
  print_result("tx.rollback", c, amqp_tx_rollback(c, 1));
  print_reply("basic.get", amqp_basic_get(c, 1, q, 1));
  print_reply("basic.get", amqp_basic_get(c, 1, none, 0));
  print_status("basic.ack", amqp_basic_ack(c, 1, 77, 1));
  print_status("basic.ack", amqp_basic_ack(c, 1, UINT64_MAX, 0));
  print_status("basic.nack", amqp_basic_nack(c, 1, 78, 1, 0));
  print_status("basic.nack", amqp_basic_nack(c, 1, 79, 0, 1));
  print_status("basic.reject", amqp_basic_reject(c, 1, 80, 1));
  print_result("confirm.select", c, amqp_confirm_select(c, 1));
  print_reply("channel.close", amqp_channel_close(c, 1, 200));
  print_reply("connection.close", amqp_connection_close(c, 200));
  finish(c, p);
}

static void publishing(void) {
  static char body[20000];
  static const size_t sizes[] = {0, 1, 4087, 4088, 4089, 8176, 8177, 20000};
  peer *p;
  amqp_connection_state_t c = begin("publishing", confirming, &p);
  amqp_basic_properties_t all;
  amqp_bytes_t bytes;
  size_t i;
  plain_login(c);
  for (i = 0; i < sizeof body; i++) body[i] = (char)('A' + i % 26);
  print_result("channel.open", c, amqp_channel_open(c, 1));
  print_result("confirm.select", c, amqp_confirm_select(c, 1));
  memset(&all, 0, sizeof all);
  all._flags = 0xFFFC;
  all.content_type = client_bytes("application/json");
  all.content_encoding = client_bytes("gzip");
  all.headers = rich_table();
  all.delivery_mode = 2;
  all.priority = 5;
  all.correlation_id = client_bytes("c-1");
  all.reply_to = client_bytes("amq.rabbitmq.reply-to");
  all.expiration = client_bytes("1000");
  all.message_id = client_bytes("m-1");
  all.timestamp = 1234567890123;
  all.type = client_bytes("event");
  all.user_id = client_bytes("guest");
  all.app_id = client_bytes("golden");
  all.cluster_id = client_bytes("none");
  bytes.bytes = body;
  for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    bytes.len = sizes[i];
    print_status("publish", amqp_basic_publish(c, 1, client_bytes("exchange"), client_bytes("routing.key"), i & 1,
                                               (i >> 1) & 1, i & 4 ? NULL : &all, bytes));
  }
  for (i = 3; i < 16; i++) {   /* one property at a time */
    all._flags = 1u << i;
    bytes.len = 10;
    print_status("publish", amqp_basic_publish(c, 1, amqp_empty_bytes, client_bytes("q"), 0, 0, &all, bytes));
  }
  for (i = 0; i < 21; i++) print_frame("confirm", c);
  finish(c, p);
}

static void print_envelope(amqp_connection_state_t c) {
  amqp_envelope_t envelope;
  amqp_rpc_reply_t reply = amqp_consume_message(c, &envelope, client_seconds(1), 0);
  print_reply("consume", reply);
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) return;
  printf(" channel=%d tag=%llu redelivered=%d", envelope.channel, (unsigned long long)envelope.delivery_tag, envelope.redelivered);
  print_bytes("consumer", envelope.consumer_tag);
  print_bytes("exchange", envelope.exchange);
  print_bytes("key", envelope.routing_key);
  print_properties(&envelope.message.properties);
  print_bytes("body", envelope.message.body);
  printf("\n");
  amqp_destroy_envelope(&envelope);
}

static void print_message(amqp_connection_state_t c) {
  amqp_message_t message;
  amqp_rpc_reply_t reply = amqp_read_message(c, 1, &message, 0);
  print_reply("read", reply);
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) return;
  print_properties(&message.properties);
  print_bytes("body", message.body);
  printf("\n");
  amqp_destroy_message(&message);
}

static void consuming(void) {
  peer *p;
  amqp_connection_state_t c = begin("consuming", delivering, &p);
  int i;
  plain_login(c);
  print_result("channel.open", c, amqp_channel_open(c, 1));
  print_result("basic.consume", c, amqp_basic_consume(c, 1, client_bytes("q"), amqp_empty_bytes, 0, 0, 0, amqp_empty_table));
  for (i = 0; i < 3; i++) {
    print_envelope(c);
    print_status("ack", amqp_basic_ack(c, 1, (uint64_t)i + 1, 0));
    amqp_maybe_release_buffers(c);
  }
  print_envelope(c);               /* a return is there: unexpected, and put back */
  print_frame("return", c);
  print_message(c);
  print_envelope(c);               /* an ack: put back */
  print_frame("ack", c);
  print_envelope(c);
  print_envelope(c);               /* nothing more */
  print_reply("basic.get", amqp_basic_get(c, 1, client_bytes("q"), 0));
  print_message(c);
  print_reply("channel.close", amqp_channel_close(c, 1, 200));
  finish(c, p);
}

static void frame_by_frame(void) {
  peer *p;
  amqp_connection_state_t c = begin("frame by frame", delivering, &p);
  int i;
  plain_login(c);
  print_result("channel.open", c, amqp_channel_open(c, 1));
  print_result("basic.consume", c, amqp_basic_consume(c, 1, client_bytes("q"), amqp_empty_bytes, 0, 0, 0, amqp_empty_table));
  for (i = 0; i < 16; i++) print_frame("frame", c);
  finish(c, p);
}

static void errors_of_the_server(void) {
  peer *p;
  amqp_connection_state_t c = begin("errors of the server", closing, &p);
  amqp_channel_close_ok_t channel_close_ok = {0};
  amqp_connection_close_ok_t connection_close_ok = {0};
  plain_login(c);
  print_result("channel.open", c, amqp_channel_open(c, 1));
  print_result("queue.declare", c, amqp_queue_declare(c, 1, client_bytes("q"), 1, 0, 0, 0, amqp_empty_table));
  print_status("close-ok", amqp_send_method(c, 1, AMQP_CHANNEL_CLOSE_OK_METHOD, &channel_close_ok));
  print_result("channel.open", c, amqp_channel_open(c, 2));
  print_result("exchange.declare", c, amqp_exchange_declare(c, 2, client_bytes("x"), client_bytes("odd"), 0, 0, 0, 0, amqp_empty_table));
  print_status("close-ok", amqp_send_method(c, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &connection_close_ok));
  finish(c, p);
  c = begin("refused login", refusing, &p);
  plain_login(c);
  finish(c, p);
}

static void own_properties(void) {
  peer *p;
  amqp_connection_state_t c = begin("own properties", obliging, &p);
  amqp_table_entry_t entries[2], capability;
  amqp_table_t own = {2, NULL};
  own.entries = entries;
  memset(entries, 0, sizeof entries);
  memset(&capability, 0, sizeof capability);
  entries[0].key = client_bytes("my-name");
  entries[0].value.kind = AMQP_FIELD_KIND_UTF8;
  entries[0].value.value.bytes = client_bytes("golden run");
  capability.key = client_bytes("consumer_cancel_notify");
  capability.value.kind = AMQP_FIELD_KIND_BOOLEAN;
  capability.value.value.boolean = 1;
  entries[1].key = client_bytes("capabilities");
  entries[1].value.kind = AMQP_FIELD_KIND_TABLE;
  entries[1].value.value.table.num_entries = 1;
  entries[1].value.value.table.entries = &capability;
  print_reply("login", amqp_login_with_properties(c, "a vhost", 100, 131072, 0, &own, AMQP_SASL_METHOD_PLAIN, "user", "p\xc3\xa4ss"));
  printf("channel_max %d frame_max %d heartbeat %d\n", amqp_get_channel_max(c), amqp_get_frame_max(c), amqp_get_heartbeat(c));
  finish(c, p);
  c = begin("external", obliging, &p);
  print_reply("login", amqp_login(c, "/", 0, 8192, 0, AMQP_SASL_METHOD_EXTERNAL, "identity"));
  finish(c, p);
}

static void raw_frames(void) {
  peer *p;
  amqp_connection_state_t c = begin("raw frames", obliging, &p);
  amqp_basic_properties_t properties;
  amqp_basic_publish_t publish;
  amqp_frame_t frame;
  plain_login(c);
  print_result("channel.open", c, amqp_channel_open(c, 1));
  memset(&frame, 0, sizeof frame);
  frame.frame_type = AMQP_FRAME_HEARTBEAT;
  print_status("heartbeat", amqp_send_frame(c, &frame));
  memset(&publish, 0, sizeof publish);
  publish.exchange = client_bytes("x");
  publish.routing_key = client_bytes("k");
  frame.frame_type = AMQP_FRAME_METHOD;
  frame.channel = 1;
  frame.payload.method.id = AMQP_BASIC_PUBLISH_METHOD;
  frame.payload.method.decoded = &publish;
  print_status("method", amqp_send_frame(c, &frame));
  memset(&properties, 0, sizeof properties);
  properties._flags = AMQP_BASIC_PRIORITY_FLAG;
  properties.priority = 3;
  memset(&frame.payload, 0, sizeof frame.payload);
  frame.frame_type = AMQP_FRAME_HEADER;
  frame.payload.properties.class_id = AMQP_BASIC_CLASS;
  frame.payload.properties.body_size = 4;
  frame.payload.properties.decoded = &properties;
  print_status("header", amqp_send_frame(c, &frame));
  frame.frame_type = AMQP_FRAME_BODY;
  frame.payload.body_fragment = client_bytes("body");
  print_status("body", amqp_send_frame(c, &frame));
  finish(c, p);
}

static void nothing_there(void) {
  amqp_connection_state_t c = amqp_new_connection();
  amqp_socket_t *socket = amqp_tcp_socket_new(c);
  printf("\n== nothing there\n");
  print_status("refused", amqp_socket_open(socket, "127.0.0.1", 1));
  print_status("refused", amqp_socket_open_noblock(socket, "127.0.0.1", 1, client_seconds(1)));
  printf("descriptor %d, %d\n", amqp_get_sockfd(c), amqp_socket_get_sockfd(socket));
  printf("open_socket %s\n", status_name(amqp_open_socket("127.0.0.1", 1)));
  print_status("destroy", amqp_destroy_connection(c));
}

int main(void) {
  check_loaded_library();
  all_calls();
  publishing();
  consuming();
  frame_by_frame();
  errors_of_the_server();
  own_properties();
  raw_frames();
  nothing_there();
  return check_failures() ? 1 : 0;
}
