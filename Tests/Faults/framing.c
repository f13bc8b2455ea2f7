/*
 * Row 19 and worse: a server that breaks the rules of framing. One code, AMQP_STATUS_BAD_AMQP_DATA, the descriptor gone, and the
 * same code ever after; never a crash, never a hang. Every case runs twice: all at once, and octet by octet.
 */
#include <stdlib.h>
#include <string.h>

#include "client.h"

typedef struct garbage {
  const uint8_t *bytes;
  size_t size;
  int slowly, then_end;
} garbage;

static void send_garbage(peer_link *link, void *argument) {
  const garbage *g = argument;
  size_t i;
  if (!peer_handshake(link, 10, 4096, 0)) return;
  if (!peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 10000)) return;
  peer_answer(link);
  if (!g->slowly) peer_send(link, g->bytes, g->size);
  for (i = 0; g->slowly && i < g->size; i++) {
    peer_send(link, g->bytes + i, 1);
    if (i % 8 == 0) peer_serve(link, PEER_MUTE, 1);
  }
  if (g->then_end) peer_half_close(link);
  peer_serve(link, PEER_READ, 10000);
}

/* Waits for frames until there is an error, which is the answer; at most a minute's worth of well-formed frames. */
static int wait_for_error(amqp_connection_state_t c, int milliseconds) {
  amqp_frame_t frame;
  int status, frames = 0;
  do status = amqp_simple_wait_frame_noblock(c, &frame, client_seconds(milliseconds / 1000.0));
  while (status == AMQP_STATUS_OK && frames++ < 100000);
  return status;
}

static void check_sticky(amqp_connection_state_t c, int status) {
  amqp_frame_t frame;
  amqp_envelope_t envelope;
  CHECK_INT(amqp_get_sockfd(c), -1);
  CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, client_seconds(0)), status);
  CHECK_STATUS(amqp_simple_wait_frame(c, &frame), status);
  CHECK_STATUS(client_publish(c, 1, "x"), status);
  CHECK_STATUS(amqp_basic_ack(c, 1, 1, 0), status);
  CHECK_STATUS(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(1), 0)), status);
  CHECK(amqp_basic_qos(c, 1, 0, 1, 0) == NULL);
  CHECK_STATUS(client_reply_status(amqp_get_rpc_reply(c)), status);
}

static void expect_bad_data(const void *bytes, size_t size) {
  int slowly;
  for (slowly = 0; slowly < 2; slowly++) {
    garbage g = {bytes, size, slowly, 0};
    peer *p = peer_start(send_garbage, &g);
    amqp_connection_state_t c = client_open(p, 0);
    if (c == NULL) return;
    if (CHECK_STATUS(wait_for_error(c, 2000), AMQP_STATUS_BAD_AMQP_DATA)) check_sticky(c, AMQP_STATUS_BAD_AMQP_DATA);
    amqp_destroy_connection(c);
    peer_stop(p);
    if (check_failures()) return;
  }
}

#define EXPECT_BAD_DATA(text) expect_bad_data(text, sizeof(text) - 1)
#define ACK_ARGUMENTS "\0\x3c\0\x50\0\0\0\0\0\0\0\1\0"

CASE(row19_channel_above_channel_max) { EXPECT_BAD_DATA("\1\0\x0b\0\0\0\x0d" ACK_ARGUMENTS "\xce"); }

CASE(channel_max_itself_is_fine) {
  garbage g = {(const uint8_t *)"\1\0\x0a\0\0\0\x0d" ACK_ARGUMENTS "\xce", 21, 0, 0};
  peer *p = peer_start(send_garbage, &g);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_frame_t frame;
  if (c == NULL) return;
  CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, client_seconds(2)), AMQP_STATUS_OK);
  CHECK_INT(frame.channel, 10);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(row19_frame_type_0) { EXPECT_BAD_DATA("\0\0\1\0\0\0\4abcd\xce"); }
CASE(row19_frame_type_4) { EXPECT_BAD_DATA("\4\0\1\0\0\0\4abcd\xce"); }
CASE(row19_frame_type_7) { EXPECT_BAD_DATA("\7\0\1\0\0\0\4abcd\xce"); }
CASE(row19_frame_type_9) { EXPECT_BAD_DATA("\x09\0\1\0\0\0\4abcd\xce"); }
CASE(row19_frame_type_255) { EXPECT_BAD_DATA("\xff\0\1\0\0\0\4abcd\xce"); }
CASE(row19_heartbeat_on_a_channel) { EXPECT_BAD_DATA("\x08\0\1\0\0\0\0\xce"); }
CASE(row19_heartbeat_with_a_payload) { EXPECT_BAD_DATA("\x08\0\0\0\0\0\4abcd\xce"); }
CASE(row19_empty_method) { EXPECT_BAD_DATA("\1\0\1\0\0\0\0\xce"); }
CASE(row19_short_method) { EXPECT_BAD_DATA("\1\0\1\0\0\0\3\0\x3c\0\xce"); }
CASE(row19_empty_header) { EXPECT_BAD_DATA("\2\0\1\0\0\0\0\xce"); }
CASE(row19_short_header) { EXPECT_BAD_DATA("\2\0\1\0\0\0\x0b\0\x3c\0\0\0\0\0\0\0\0\0\xce"); }
CASE(wrong_frame_end) { EXPECT_BAD_DATA("\1\0\1\0\0\0\x0d" ACK_ARGUMENTS "\xcd"); }
CASE(missing_frame_end) { EXPECT_BAD_DATA("\1\0\1\0\0\0\x0d" ACK_ARGUMENTS "\1\0\1\0\0\0\x0d" ACK_ARGUMENTS); }
CASE(truncated_method_arguments) { EXPECT_BAD_DATA("\1\0\1\0\0\0\x08\0\x3c\0\x50\0\0\0\0\xce"); }
CASE(short_string_past_the_end) { EXPECT_BAD_DATA("\1\0\1\0\0\0\x07\0\x3c\0\x3c\xff" "ab\xce"); }
CASE(frame_of_four_gigabytes) { EXPECT_BAD_DATA("\3\0\1\xff\xff\xff\xff" "abcd"); }

CASE(frame_one_octet_above_frame_max) {
  static uint8_t bytes[4097] = {3, 0, 1, 0, 0, 0x0f, 0xf9};
  bytes[4096] = 0xce;
  expect_bad_data(bytes, sizeof bytes);
}

CASE(frame_of_exactly_frame_max) {
  static uint8_t bytes[4096] = {3, 0, 1, 0, 0, 0x0f, 0xf8};
  garbage g = {bytes, sizeof bytes, 0, 0};
  peer *p;
  amqp_connection_state_t c;
  amqp_frame_t frame;
  bytes[4095] = 0xce;
  p = peer_start(send_garbage, &g);
  c = client_open(p, 0);
  if (c == NULL) return;
  CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, client_seconds(2)), AMQP_STATUS_OK);
  CHECK_INT(frame.frame_type, AMQP_FRAME_BODY);
  CHECK_INT(frame.payload.body_fragment.len, 4088);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- codes of their own; that they end in an error and nothing worse is what counts ---- */

static void expect_some_error(const void *bytes, size_t size, int then_end) {
  garbage g = {bytes, size, 0, then_end};
  peer *p = peer_start(send_garbage, &g);
  amqp_connection_state_t c = client_open(p, 0);
  if (c == NULL) return;
  CHECK(wait_for_error(c, 300) < 0);
  client_publish(c, 1, "x");
  amqp_destroy_connection(c);
  peer_stop(p);
}

#define EXPECT_SOME_ERROR(text, then_end) expect_some_error(text, sizeof(text) - 1, then_end)

CASE(unknown_method_number) { EXPECT_SOME_ERROR("\1\0\1\0\0\0\4\0\x3c\0\x51\xce", 0); }
CASE(unknown_class_in_a_header) { EXPECT_SOME_ERROR("\2\0\1\0\0\0\x0e\0\x99\0\0\0\0\0\0\0\0\0\0\0\0\xce", 0); }
CASE(protocol_header_after_login) { EXPECT_SOME_ERROR("AMQP\0\0\x09\x01", 0); }

CASE(end_of_stream_inside_a_frame) {
  garbage g = {(const uint8_t *)"\1\0\1\0\0\0\x0d\0\x3c\0", 10, 0, 1};
  peer *p = peer_start(send_garbage, &g);
  amqp_connection_state_t c = client_open(p, 0);
  if (c == NULL) return;
  CHECK_STATUS(wait_for_error(c, 2000), AMQP_STATUS_CONNECTION_CLOSED);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* A content header whose property table nests a table in a table ... 450 deep: refused or decoded, no stack overflow. */
CASE(deeply_nested_tables) {
  static uint8_t bytes[4096];
  size_t at = 7 + 12, size, depth = 450, i;
  bytes[0] = 2;
  bytes[2] = 1;
  bytes[8] = 60;
  bytes[at++] = 0x20;   /* the flag of the headers table */
  bytes[at++] = 0;
  for (i = 0; i < depth; i++) {
    size_t inner = (depth - i - 1) * 7;
    bytes[at++] = 0;
    bytes[at++] = 0;
    bytes[at++] = (uint8_t)(inner >> 8);
    bytes[at++] = (uint8_t)inner;
    if (i + 1 < depth) {
      bytes[at++] = 1;
      bytes[at++] = 'k';
      bytes[at++] = 'F';
    }
  }
  size = at - 7;
  bytes[5] = (uint8_t)(size >> 8);
  bytes[6] = (uint8_t)size;
  bytes[at++] = 0xce;
  expect_some_error(bytes, at, 0);
}

/* ---- by chance ---- */

static uint32_t chance;

static uint32_t next_chance(void) {
  chance ^= chance << 13;
  chance ^= chance >> 17;
  return chance ^= chance << 5;
}

static void by_chance(uint32_t seed, const uint8_t *pattern, size_t size, int changes) {
  static uint8_t bytes[1024];
  size_t i;
  chance = seed * 2654435761u + 1;
  if (pattern == NULL)
    for (i = 0; i < size; i++) bytes[i] = (uint8_t)next_chance();
  else
    memcpy(bytes, pattern, size);
  for (; changes > 0; changes--) bytes[next_chance() % size] = (uint8_t)next_chance();
  expect_some_error(bytes, size, 1);
}

CASE(random_octets_after_login) {
  uint32_t seed;
  for (seed = 1; seed <= 40; seed++) by_chance(seed, NULL, 600, 0);
}

CASE(damaged_messages_after_login) {
  static const uint8_t message[] =
      "\1\0\1\0\0\0\x1e\0\x3c\0\x3c\4ctag\0\0\0\0\0\0\0\1\0\3exc\7routing\xce"
      "\2\0\1\0\0\0\x30\0\x3c\0\0\0\0\0\0\0\0\0\4\xa0\0\4text\0\0\0\x17\1kS\0\0\0\2vv\1aA\0\0\0\7t\1S\0\0\0\1x\xce"
      "\3\0\1\0\0\0\4body\xce";
  uint32_t seed;
  for (seed = 1; seed <= 80; seed++) by_chance(seed, message, sizeof message - 1, 1 + (int)(seed % 4));
}

static void garbage_at_handshake(peer_link *link, void *argument) {
  const garbage *g = argument;
  if (!peer_expect_protocol_header(link)) return;
  if (g->slowly) {
    peer_send_start(link, "PLAIN");
    if (!peer_expect(link, AMQP_CONNECTION_START_OK_METHOD, 5000)) return;
  }
  peer_send(link, g->bytes, g->size);
  peer_half_close(link);
  peer_serve(link, PEER_READ, 3000);
}

CASE(random_octets_at_login) {
  uint8_t bytes[300];
  uint32_t seed;
  size_t i;
  for (seed = 1; seed <= 40; seed++) {
    garbage g = {bytes, sizeof bytes, 0, 1};
    peer *p;
    amqp_connection_state_t c;
    chance = seed * 2654435761u + 1;
    for (i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)next_chance();
    if (seed % 3 == 0) memcpy(bytes, "\1\0\0\0\0\0\x40\0\x0a\0\x0a", 11);   /* looks like a start */
    g.slowly = (int)(seed % 2);
    p = peer_start(garbage_at_handshake, &g);
    c = client_connect(p);
    if (c == NULL) return;
    amqp_set_handshake_timeout(c, client_seconds(1));
    CHECK(client_reply_status(amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest")) < 0);
    amqp_destroy_connection(c);
    peer_stop(p);
  }
}

int main(int argc, char **argv) { return check_main(argc, argv); }
