/* Faults of the login: hostile or merely unusual servers, odd parameters, and what the connection remembers afterwards. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

static amqp_rpc_reply_t login(amqp_connection_state_t c) {
  return amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest");
}

/* ---- 13: amqp_get_client_properties ---- */

static void chatty_on_channel_zero(peer_link *link, void *unused) {
  peer_buffer reason = {{0}, 0};
  int i;
  (void)unused;
  if (!peer_handshake(link, 0, 131072, 0)) return;
  peer_put8(&reason, 250);
  for (i = 0; i < 250; i++) peer_put8(&reason, 'z');
  for (i = 0; i < 200; i++) peer_send_method(link, 0, AMQP_CONNECTION_BLOCKED_METHOD, reason.bytes, reason.size);
  peer_serve(link, PEER_LIVE, 20000);
}

CASE(row13_client_properties_stay_what_they_were) {
  peer *p = peer_start(chatty_on_channel_zero, NULL);
  amqp_connection_state_t c = client_connect(p);
  amqp_table_entry_t entry;
  amqp_table_t own, *kept;
  amqp_frame_t frame;
  int i, found = 0;
  if (c == NULL) return;
  memset(&entry, 0, sizeof entry);
  entry.key = client_bytes("mine");
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = client_bytes("some text of my own");
  own.num_entries = 1;
  own.entries = &entry;
  CHECK_INT(client_reply_status(amqp_login_with_properties(c, "/", 0, 131072, 0, &own, AMQP_SASL_METHOD_PLAIN, "guest",
                                                           "guest")), 0);
  entry.key = client_bytes("gone");
  for (i = 0; i < 200; i++) {
    if (!CHECK_STATUS(amqp_simple_wait_frame(c, &frame), AMQP_STATUS_OK)) break;
    if (i % 50 == 0) amqp_release_buffers(c);
  }
  kept = amqp_get_client_properties(c);
  if (!CHECK(kept != NULL) || !CHECK(kept->num_entries > 1)) return;
  for (i = 0; i < kept->num_entries; i++) {
    CHECK(kept->entries[i].value.kind == AMQP_FIELD_KIND_UTF8 || kept->entries[i].value.kind == AMQP_FIELD_KIND_TABLE);
    if (check_failures()) return;
    if (client_bytes_equal(kept->entries[i].key, "mine"))
      found += client_bytes_equal(kept->entries[i].value.value.bytes, "some text of my own");
    if (client_bytes_equal(kept->entries[i].key, "product")) found++;
  }
  CHECK_INT(found, 2);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(server_properties_stay_what_they_were) {
  peer *p = peer_start(chatty_on_channel_zero, NULL);
  amqp_connection_state_t c = client_login(p, 0);
  amqp_table_t *kept;
  amqp_frame_t frame;
  int i, found = 0;
  if (c == NULL) return;
  for (i = 0; i < 200; i++) CHECK_STATUS(amqp_simple_wait_frame(c, &frame), AMQP_STATUS_OK);
  kept = amqp_get_server_properties(c);
  if (!CHECK(kept != NULL)) return;
  for (i = 0; i < kept->num_entries; i++)
    if (client_bytes_equal(kept->entries[i].key, "product"))
      found += client_bytes_equal(kept->entries[i].value.value.bytes, "scripted peer");
  CHECK_INT(found, 1);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- 18: what a server can send during login ends in a code, never in abort ---- */

typedef struct hostile {
  int after;            /* 0 the header, 1 start-ok, 2 tune-ok and open */
  int type;
  uint16_t channel;
  uint32_t method;      /* of a method frame */
  const char *arguments;
  size_t size;
} hostile;

static void hostile_server(peer_link *link, void *argument) {
  const hostile *h = argument;
  if (!peer_expect_protocol_header(link)) return;
  if (h->after > 0) {
    peer_send_start(link, "PLAIN EXTERNAL");
    if (!peer_expect(link, AMQP_CONNECTION_START_OK_METHOD, 5000)) return;
  }
  if (h->after > 1) {
    peer_send_tune(link, 0, 131072, 0);
    if (!peer_expect(link, AMQP_CONNECTION_OPEN_METHOD, 5000)) return;
  }
  if (h->type == 0)
    peer_send(link, h->arguments, h->size);
  else if (h->type == AMQP_FRAME_METHOD)
    peer_send_method(link, h->channel, h->method, h->arguments, h->size);
  else
    peer_send_frame(link, h->type, h->channel, h->arguments, h->size);
  peer_serve(link, PEER_READ, 500);
}

static amqp_rpc_reply_t hostile_login(const hostile *h) {
  peer *p = peer_start(hostile_server, (void *)h);
  amqp_connection_state_t c = client_connect(p);
  amqp_rpc_reply_t reply;
  memset(&reply, 0, sizeof reply);
  if (c == NULL) return reply;
  check_allow_seconds(20);
  amqp_set_handshake_timeout(c, client_seconds(3));
  reply = login(c);
  CHECK(reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION || reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION);
  amqp_destroy_connection(c);
  peer_stop(p);
  return reply;
}

static const char close_arguments[] = "\x01\x93\x0e" "ACCESS_REFUSED\0\x0a\0\x28";

CASE(row18_a_wrong_method_at_every_step) {
  static const uint32_t methods[] = {AMQP_CONNECTION_TUNE_METHOD, AMQP_CONNECTION_OPEN_OK_METHOD,
                                     AMQP_CONNECTION_CLOSE_OK_METHOD, AMQP_CHANNEL_OPEN_OK_METHOD,
                                     AMQP_BASIC_DELIVER_METHOD};
  static const char arguments[64];
  int after;
  unsigned i;
  for (after = 0; after < 3; after++)
    for (i = 0; i < sizeof methods / sizeof *methods; i++) {
      hostile h = {after, AMQP_FRAME_METHOD, 0, methods[i], arguments, sizeof arguments};
      if (after == 1 && methods[i] == AMQP_CONNECTION_TUNE_METHOD) continue;      /* the right one */
      if (after == 2 && methods[i] == AMQP_CONNECTION_OPEN_OK_METHOD) continue;
      CHECK(client_reply_status(hostile_login(&h)) < 0);
    }
}

CASE(row18_a_frame_that_is_no_method_at_every_step) {
  static const char header[14] = {0, 60};
  int after;
  for (after = 0; after < 3; after++) {
    hostile with_header = {after, AMQP_FRAME_HEADER, 0, 0, header, sizeof header};
    hostile with_body = {after, AMQP_FRAME_BODY, 0, 0, "body", 4};
    hostile on_channel = {after, AMQP_FRAME_METHOD, 1, AMQP_CONNECTION_OPEN_OK_METHOD, "", 1};
    CHECK(client_reply_status(hostile_login(&with_header)) < 0);
    CHECK(client_reply_status(hostile_login(&with_body)) < 0);
    CHECK(client_reply_status(hostile_login(&on_channel)) < 0);
  }
}

CASE(row18_connection_close_at_every_step) {
  int after;
  for (after = 1; after < 3; after++) {
    hostile h = {after, AMQP_FRAME_METHOD, 0, AMQP_CONNECTION_CLOSE_METHOD, close_arguments, sizeof close_arguments - 1};
    amqp_rpc_reply_t reply = hostile_login(&h);
    CHECK_INT(reply.reply_type, AMQP_RESPONSE_SERVER_EXCEPTION);
    CHECK_INT(reply.reply.id, AMQP_CONNECTION_CLOSE_METHOD);
  }
}

CASE(connection_close_instead_of_start) {
  hostile h = {0, AMQP_FRAME_METHOD, 0, AMQP_CONNECTION_CLOSE_METHOD, close_arguments, sizeof close_arguments - 1};
  hostile_login(&h);   /* a code, whichever */
}

CASE(other_protocol_versions) {
  static const char start_of_0_8[] = "\0\x08\0\0\0\0\0\0\0\5PLAIN\0\0\0\5en_US";
  hostile header = {0, 0, 0, 0, "AMQP\0\0\x09\x01", 8};
  hostile other = {0, 0, 0, 0, "AMQP\0\1\0\0", 8};
  hostile version = {0, AMQP_FRAME_METHOD, 0, AMQP_CONNECTION_START_METHOD, start_of_0_8, sizeof start_of_0_8 - 1};
  CHECK(client_reply_status(hostile_login(&header)) < 0);
  CHECK(client_reply_status(hostile_login(&other)) < 0);
  CHECK_STATUS(client_reply_status(hostile_login(&version)), AMQP_STATUS_INCOMPATIBLE_AMQP_VERSION);
}

CASE(mechanism_that_the_broker_lacks) {
  static const char start[] = "\0\x09\0\0\0\0\0\0\0\x08" "EXTERNAL\0\0\0\5en_US";
  hostile h = {0, AMQP_FRAME_METHOD, 0, AMQP_CONNECTION_START_METHOD, start, sizeof start - 1};
  CHECK_STATUS(client_reply_status(hostile_login(&h)), AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD);
}

CASE(secure_is_refused_with_a_code) {
  hostile h = {1, AMQP_FRAME_METHOD, 0, AMQP_CONNECTION_SECURE_METHOD, "\0\0\0\4more", 8};
  CHECK(client_reply_status(hostile_login(&h)) < 0);
}

static void silent(peer_link *link, void *unused) {
  (void)unused;
  peer_serve(link, PEER_MUTE, 20000);
}

CASE(handshake_timeout_holds) {
  peer *p = peer_start(silent, NULL);
  amqp_connection_state_t c = client_connect(p);
  int64_t begun;
  if (c == NULL) return;
  CHECK_STATUS(amqp_set_handshake_timeout(c, client_seconds(0.5)), AMQP_STATUS_OK);
  begun = peer_now();
  CHECK_STATUS(client_reply_status(login(c)), AMQP_STATUS_TIMEOUT);
  CHECK_BETWEEN(elapsed_milliseconds(begun), 450, 3000);
  amqp_destroy_connection(c);
  peer_stop(p);
}

static void hangs_up(peer_link *link, void *unused) {
  (void)unused;
  peer_expect_protocol_header(link);
}

CASE(server_that_hangs_up_at_once) {
  peer *p = peer_start(hangs_up, NULL);
  amqp_connection_state_t c = client_connect(p);
  int status;
  if (c == NULL) return;
  status = client_reply_status(login(c));
  CHECK(status == AMQP_STATUS_CONNECTION_CLOSED || status == AMQP_STATUS_SOCKET_ERROR);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- 18, 21: SASL parameters ---- */

static void ordinary(peer_link *link, void *unused) {
  (void)unused;
  if (peer_handshake(link, 0, 131072, 0)) peer_serve(link, PEER_LIVE, 10000);
}

/* Logs in; how many bytes the peer got is told. */
#define LOGIN_STATUS(status, received, ...)                                                             \
  do {                                                                                                  \
    peer *p = peer_start(ordinary, NULL);                                                               \
    amqp_connection_state_t c = client_connect(p);                                                      \
    if (c == NULL) return;                                                                              \
    amqp_set_handshake_timeout(c, client_seconds(3));                                                   \
    status = client_reply_status(amqp_login(c, "/", 0, 131072, 0, __VA_ARGS__));                        \
    peer_sleep(50);                                                                                     \
    received = (int64_t)peer_seen(p)->received;                                                         \
    start_ok_response(p);                                                                               \
    amqp_destroy_connection(c);                                                                         \
    peer_stop(p);                                                                                       \
  } while (0)

static char response[64];   /* mechanism and response of the last start-ok, as text */

static void start_ok_response(peer *p) {
  const peer_frame *frame = peer_find(p, AMQP_CONNECTION_START_OK_METHOD, 0);
  const uint8_t *at;
  uint32_t table;
  size_t i, length;
  response[0] = 0;
  if (frame == NULL) return;
  at = peer_seen(p)->bytes + frame->offset + 4;
  table = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
  at += 4 + table;
  length = 1u + at[0] + 4;
  length += at[length - 1];
  for (i = 0; i + 1 < sizeof response && i + 1 < length; i++) {
    uint8_t octet = at[i + 1];
    response[i] = octet < ' ' ? '.' : (char)octet;
  }
  response[i] = 0;
}

CASE(row21_external_sends_its_identity) {
  int status;
  int64_t received;
  LOGIN_STATUS(status, received, AMQP_SASL_METHOD_EXTERNAL, "me");
  CHECK_STATUS(status, AMQP_STATUS_OK);
  CHECK_TEXT(response, "EXTERNAL....me");   /* 32 bits of length, then the name */
  (void)received;
}

CASE(row21_external_without_identity) {
  int status;
  int64_t received;
  LOGIN_STATUS(status, received, AMQP_SASL_METHOD_EXTERNAL, "");
  CHECK_STATUS(status, AMQP_STATUS_OK);
  CHECK_TEXT(response, "EXTERNAL....");
  LOGIN_STATUS(status, received, AMQP_SASL_METHOD_EXTERNAL, (char *)NULL);
  CHECK_STATUS(status, AMQP_STATUS_OK);
  CHECK_TEXT(response, "EXTERNAL....");
  (void)received;
}

CASE(row21_plain_without_name) {
  int status;
  int64_t received;
  LOGIN_STATUS(status, received, AMQP_SASL_METHOD_PLAIN, (char *)NULL, "guest");
  CHECK_STATUS(status, AMQP_STATUS_INVALID_PARAMETER);
  CHECK_INT(received, 0);
}

CASE(row21_plain_without_password) {
  int status;
  int64_t received;
  LOGIN_STATUS(status, received, AMQP_SASL_METHOD_PLAIN, "guest", (char *)NULL);
  CHECK_STATUS(status, AMQP_STATUS_INVALID_PARAMETER);
  CHECK_INT(received, 0);
}

CASE(row14_arguments_that_do_not_fit_send_nothing) {
  static char vhost[257], key[257], password[70000];
  peer *p = peer_start(ordinary, NULL);
  amqp_connection_state_t c = client_connect(p);
  amqp_table_entry_t entry;
  amqp_table_t properties;
  if (c == NULL) return;
  memset(vhost, 'v', 256);
  memset(key, 'k', 256);
  memset(password, 'p', sizeof password - 1);
  memset(&entry, 0, sizeof entry);
  entry.key.bytes = key, entry.key.len = 256;
  entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
  properties.num_entries = 1, properties.entries = &entry;
  CHECK_STATUS(client_reply_status(amqp_login(c, vhost, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest")),
               AMQP_STATUS_BAD_AMQP_DATA);
  CHECK_STATUS(client_reply_status(amqp_login_with_properties(c, "/", 0, 131072, 0, &properties, AMQP_SASL_METHOD_PLAIN,
                                                              "guest", "guest")),
               AMQP_STATUS_BAD_AMQP_DATA);
  CHECK_STATUS(client_reply_status(amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", password)),
               AMQP_STATUS_TABLE_TOO_BIG);
  CHECK_INT(peer_seen(p)->received, 0);
  /* Nothing was said, so nothing is spoiled. */
  CHECK_STATUS(client_reply_status(amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest")), 0);
  amqp_destroy_connection(c);
  peer_stop(p);
}

static void a_delivery_and_its_end(peer_link *link, void *unused) {
  (void)unused;
  peer_handshake(link, 0, 131072, 0);
  peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 5000);
  peer_deliver(link, 1, 1, "old", 3);
  peer_answer(link);
}

CASE(a_new_socket_begins_without_the_frames_of_the_old) {
  peer *p = peer_start(a_delivery_and_its_end, NULL), *next = peer_start(ordinary, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_socket_t *socket;
  if (c == NULL) return;
  CHECK_INT(amqp_frames_enqueued(c), 1);
  socket = amqp_tcp_socket_new(c);
  CHECK_INT(amqp_frames_enqueued(c), 0);
  CHECK_STATUS(amqp_socket_open(socket, "127.0.0.1", peer_port(next)), 0);
  CHECK_STATUS(client_reply_status(amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest")), 0);
  CHECK(amqp_channel_open(c, 1) != NULL);
  CHECK_INT(amqp_data_in_buffer(c), 0);
  amqp_destroy_connection(c);
  peer_stop(p);
  peer_stop(next);
}

CASE(row18_unknown_sasl_method) {
  static const int methods[] = {-1, 2, 99};
  int status;
  int64_t received;
  unsigned i;
  for (i = 0; i < 3; i++) {
    LOGIN_STATUS(status, received, (amqp_sasl_method_enum)methods[i], "guest", "guest");
    CHECK_STATUS(status, AMQP_STATUS_INVALID_PARAMETER);
    CHECK_INT(received, 0);
  }
}

/* ---- settled: the password is gone from memory after the login ---- */

/* Written with each octet one higher, so that the program itself does not hold what it looks for. */
static const char one_higher[] = "dpssfdu!ipstf!cbuufsz!tubqmf";

static void welcoming(peer_link *link, void *unused) {
  (void)unused;
  if (peer_handshake(link, 0, 131072, 0)) peer_serve(link, PEER_LIVE, 20000);
}

static int is_the_password(const char *at) {
  size_t i;
  for (i = 0; i < sizeof one_higher - 1; i++)
    if (at[i] != one_higher[i] - 1) return 0;
  return 1;
}

/* Everywhere in the private memory that can be written. */
static int count_of_the_password(void) {
  FILE *maps = fopen("/proc/self/maps", "r");
  static char line[512];
  unsigned long begin, end;
  char rights[8];
  int count = 0;
  const char *at;
  while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
    if (sscanf(line, "%lx-%lx %7s", &begin, &end, rights) != 3 || strcmp(rights, "rw-p") != 0) continue;
    for (at = (const char *)begin; at + sizeof one_higher < (const char *)end; at++) count += is_the_password(at);
  }
  if (maps != NULL) fclose(maps);
  return count;
}

CASE(the_password_does_not_stay_in_memory) {
  static char password[sizeof one_higher];
  peer *p = peer_start(welcoming, NULL);
  amqp_connection_state_t c;
  const char *preloaded = getenv("LD_PRELOAD");
  size_t i;
  if (preloaded != NULL && strstr(preloaded, "valgrind")) check_skip("valgrind keeps copies of its own");
  c = client_connect(p);
  if (c == NULL) return;
  for (i = 0; i < sizeof one_higher - 1; i++) password[i] = (char)(one_higher[i] - 1);
  CHECK_INT(count_of_the_password(), 1);
  CHECK_INT(client_reply_status(amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", password)), 0);
  memset(password, 0, sizeof password);
  CHECK_INT(count_of_the_password(), 0);
  amqp_destroy_connection(c);
  peer_stop(p);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
