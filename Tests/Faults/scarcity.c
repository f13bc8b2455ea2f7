/*
 * Row 18: when memory runs out, the answer is a status. malloc and its kin are replaced in this program by functions that fail on
 * command, and a whole session runs again and again with the first, the second, the third ... allocation failing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

static long allowed = -1;   /* so many allocations succeed, then `failing` fail; negative: all succeed */
static long failing;
static long refused;

static int refuse(void) {
  if (allowed < 0) return 0;
  if (allowed > 0) {
    allowed--;
    return 0;
  }
  if (failing == 0) return 0;
  failing--;
  refused++;
  errno = ENOMEM;
  return 1;
}

void *malloc(size_t size) { return refuse() ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return refuse() ? NULL : __libc_calloc(count, size); }
void *realloc(void *old, size_t size) { return refuse() ? NULL : __libc_realloc(old, size); }

static void generous(peer_link *link, void *unused) {
  static char body[20000];
  (void)unused;
  if (!peer_handshake(link, 0, 8192, 0)) return;
  if (!peer_serve_until(link, AMQP_BASIC_CONSUME_METHOD, 5000)) return;
  peer_cork(link);
  peer_deliver(link, 1, 1, "queued", 6);
  peer_answer(link);
  peer_deliver(link, 1, 2, body, sizeof body);
  peer_uncork(link);
  peer_serve(link, PEER_LIVE, 5000);
}

/* The session of a program that checks its results: it stops at the first error, which it returns. */
static int session(amqp_connection_state_t c, int port) {
  static char body[50000];
  amqp_socket_t *socket = amqp_tcp_socket_new(c);
  amqp_bytes_t bytes = {sizeof body, body}, copy;
  amqp_envelope_t envelope;
  int status, i;
  if (socket == NULL) return AMQP_STATUS_NO_MEMORY;
  status = amqp_socket_open_noblock(socket, "127.0.0.1", port, client_seconds(2));
  if (status == 0)
    status = client_reply_status(amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest"));
  if (status == 0 && amqp_channel_open(c, 1) == NULL) status = client_reply_status(amqp_get_rpc_reply(c));
  if (status == 0 && amqp_basic_consume(c, 1, client_bytes("q"), client_bytes("t"), 0, 1, 0, amqp_empty_table) == NULL)
    status = client_reply_status(amqp_get_rpc_reply(c));
  for (i = 0; i < 2 && status == 0; i++) {
    status = client_reply_status(amqp_consume_message(c, &envelope, client_seconds(2), 0));
    if (status == 0) amqp_destroy_envelope(&envelope);
  }
  if (status == 0)
    status = amqp_basic_publish(c, 1, client_bytes(""), client_bytes("q"), 0, 0, NULL, bytes);
  if (status == 0) {
    copy = amqp_bytes_malloc_dup(client_bytes("a copy"));
    if (copy.bytes == NULL) status = AMQP_STATUS_NO_MEMORY;
    amqp_bytes_free(copy);
  }
  if (status == 0) status = client_reply_status(amqp_connection_close(c, 200));
  return status;
}

static void run_out(long count_failing) {
  long point;
  int clean = 0;
  const char *runtime = getenv("PULSE_RUNTIME");
  /* Ordinary Swift's runtime allocates metadata of its own when code first runs, and ends the process without memory for it. */
  if (runtime != NULL && strcmp(runtime, "StaticStdlib") == 0) check_skip("the fallback's runtime needs memory of its own");
  check_allow_seconds(110);
  for (point = 0; clean < 3 && point < 400; point++) {
    peer *p = peer_start(generous, NULL);
    amqp_connection_state_t c;
    int status = AMQP_STATUS_NO_MEMORY;
    refused = 0;
    failing = count_failing;
    allowed = point;
    c = amqp_new_connection();
    if (c != NULL) status = session(c, peer_port(p));
    allowed = -1;
    if (refused == 0) clean++;
    CHECK(refused > 0 || status == 0);
    /* A library may do without what it did not get; but it never invents a status. */
    if (status != AMQP_STATUS_OK && status != AMQP_STATUS_NO_MEMORY &&
        status != AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED) {
      printf("  at allocation %ld: ", point);
      CHECK_STATUS(status, AMQP_STATUS_NO_MEMORY);
    }
    if (c != NULL) amqp_destroy_connection(c);
    peer_stop(p);
    if (check_failures() > 5) return;
  }
  CHECK(clean == 3);
}

CASE(row18_one_allocation_fails) { run_out(1); }
CASE(row18_every_allocation_fails_from_some_point_on) { run_out(1000000); }

static void obliging(peer_link *link, void *unused) {
  (void)unused;
  if (peer_handshake(link, 0, 131072, 0)) peer_serve(link, PEER_LIVE, 20000);
}

/* Every size, because the encoded frames reach the end of what was allocated before at one of them. */
CASE(row18_a_publish_without_memory_ends) {
  static char body[3000];
  peer *p = peer_start(obliging, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_bytes_t bytes = {0, body};
  int sent = 1, status;
  if (c == NULL) return;
  check_allow_seconds(20);
  CHECK_STATUS(client_publish(c, 1, "a first one"), AMQP_STATUS_OK);
  for (; bytes.len <= sizeof body && check_failures() == 0; bytes.len++) {
    failing = 1000000;
    allowed = 0;
    status = amqp_basic_publish(c, 1, client_bytes(""), client_bytes("q"), 0, 0, NULL, bytes);
    allowed = -1;
    if (status == AMQP_STATUS_OK) sent++;
    CHECK(status == AMQP_STATUS_OK || status == AMQP_STATUS_NO_MEMORY);
  }
  CHECK(amqp_basic_qos(c, 1, 0, 1, 0) != NULL);   /* still in step: what was refused was refused whole */
  CHECK_INT(peer_seen(p)->publishes, sent);
  CHECK_INT(peer_seen(p)->malformed, 0);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- what a call takes off the wire and cannot keep is not lost ---- */

enum { IN_PARTS = 6000 };

static void two_acks(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_handshake(link, 0, 131072, 0) || !peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 5000)) return;
  peer_cork(link);
  peer_answer(link);
  peer_send_ack(link, 1, 7, 0);
  peer_send_ack(link, 1, 8, 0);
  peer_uncork(link);
  peer_serve(link, PEER_LIVE, 20000);
}

/* On a channel that has no memory of its own yet. */
static void message_in_two_parts(peer_link *link, void *unused) {
  static char body[IN_PARTS] = "1";
  (void)unused;
  if (!peer_handshake(link, 0, 131072, 0) || !peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 5000)) return;
  peer_cork(link);
  peer_answer(link);
  peer_send_deliver(link, 2, 1);
  peer_send_header(link, 2, 2 * sizeof body, NULL, 0);
  peer_send_body(link, 2, body, sizeof body);
  peer_uncork(link);
  if (!peer_serve_until_go(link, PEER_LIVE, 20000)) return;
  body[0] = '2';
  peer_send_body(link, 2, body, sizeof body);
  peer_serve(link, PEER_LIVE, 20000);
}

/* Each allocation of a call fails in its turn, alone and with all after it, until there is none left to fail. */
static void at_each_allocation(peer_script script, void (*run)(amqp_connection_state_t c, peer *p)) {
  long point, count;
  int is_over;
  for (count = 1; count <= 1000; count += 999) {
    for (point = 0, is_over = 0; !is_over && point < 40 && check_failures() == 0; point++) {
      peer *p = peer_start(script, NULL);
      amqp_connection_state_t c = client_open(p, 0);
      if (c == NULL) return;
      refused = 0;
      failing = count;
      allowed = point;
      run(c, p);
      allowed = -1;
      is_over = refused == 0;
      if (check_failures() > 0) printf("  with allocation %ld and %ld more failing\n", point, count - 1);
      amqp_destroy_connection(c);
      peer_stop(p);
    }
    CHECK(is_over || check_failures() > 0);
  }
}

static void two_acks_are_there(amqp_connection_state_t c) {
  amqp_frame_t frame;
  uint64_t tag;
  for (tag = 7; tag <= 8; tag++) {
    if (!CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, client_seconds(5)), AMQP_STATUS_OK)) return;
    if (!CHECK_INT(frame.payload.method.id, AMQP_BASIC_ACK_METHOD)) return;
    CHECK_INT(((amqp_basic_ack_t *)frame.payload.method.decoded)->delivery_tag, tag);
  }
}

static void consume_then_wait_for_acks(amqp_connection_state_t c, peer *p) {
  amqp_envelope_t envelope;
  int status = client_reply_status(amqp_consume_message(c, &envelope, client_seconds(5), 0));
  (void)p;
  allowed = -1;
  CHECK(status == AMQP_STATUS_UNEXPECTED_STATE || (status == AMQP_STATUS_NO_MEMORY && refused > 0));
  two_acks_are_there(c);
}

static void rpc_then_wait_for_acks(amqp_connection_state_t c, peer *p) {
  void *answer = amqp_basic_qos(c, 1, 0, 1, 0);
  (void)p;
  allowed = -1;
  CHECK_STATUS(client_reply_status(amqp_get_rpc_reply(c)), answer != NULL ? AMQP_STATUS_OK : AMQP_STATUS_NO_MEMORY);
  two_acks_are_there(c);
}

/* A program that ran into its time limit in the middle of a message and then reads on by frames. */
static void wait_for_the_frames_of_a_message(amqp_connection_state_t c, peer *p) {
  static const int types[] = {AMQP_FRAME_METHOD, AMQP_FRAME_HEADER, AMQP_FRAME_BODY, AMQP_FRAME_BODY};
  long point = allowed;
  amqp_envelope_t envelope;
  amqp_frame_t frame;
  int i, status;
  allowed = -1;
  CHECK_STATUS(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(0.2), 0)), AMQP_STATUS_TIMEOUT);
  allowed = point;
  status = amqp_simple_wait_frame_noblock(c, &frame, client_seconds(0.2));
  allowed = -1;
  if (status != AMQP_STATUS_OK && !CHECK_STATUS(status, AMQP_STATUS_NO_MEMORY)) return;
  peer_go(p);
  for (i = status == AMQP_STATUS_OK ? 1 : 0; i < 4; i++) {
    if (!CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, client_seconds(5)), AMQP_STATUS_OK)) return;
    if (!CHECK_INT(frame.frame_type, types[i])) return;
    if (i < 2) continue;
    CHECK_INT(frame.payload.body_fragment.len, IN_PARTS);
    CHECK_INT(*(char *)frame.payload.body_fragment.bytes, i == 2 ? '1' : '2');
  }
}

static void consume_until_it_is_whole(amqp_connection_state_t c, peer *p) {
  amqp_envelope_t envelope;
  int status;
  peer_go(p);
  status = client_reply_status(amqp_consume_message(c, &envelope, client_seconds(5), 0));
  allowed = -1;
  if (status == AMQP_STATUS_NO_MEMORY)
    status = client_reply_status(amqp_consume_message(c, &envelope, client_seconds(5), 0));
  if (!CHECK_STATUS(status, AMQP_STATUS_OK)) return;
  if (CHECK_INT(envelope.message.body.len, 2 * IN_PARTS))
    CHECK_INT(((char *)envelope.message.body.bytes)[IN_PARTS], '2');
  amqp_destroy_envelope(&envelope);
}

/* Frames so large that they are received into the memory of their message. */
enum { LARGE = 100000 };

static void large_message(peer_link *link, void *unused) {
  static char body[LARGE];
  int part;
  (void)unused;
  if (!peer_handshake(link, 0, 131072, 0) || !peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 5000)) return;
  peer_cork(link);
  peer_answer(link);
  peer_send_deliver(link, 2, 1);
  peer_send_header(link, 2, 3 * sizeof body, NULL, 0);
  for (part = 0; part < 3; part++) {
    memset(body, '1' + part, sizeof body);
    peer_send_body(link, 2, body, sizeof body);
  }
  peer_uncork(link);
  peer_serve(link, PEER_LIVE, 20000);
}

static void consume_a_large_message(amqp_connection_state_t c, peer *p) {
  amqp_envelope_t envelope;
  int status, part, attempt;
  (void)p;
  for (attempt = 0, status = AMQP_STATUS_NO_MEMORY; attempt < 2 && status == AMQP_STATUS_NO_MEMORY; attempt++) {
    status = client_reply_status(amqp_consume_message(c, &envelope, client_seconds(5), 0));
    allowed = -1;
  }
  if (!CHECK_STATUS(status, AMQP_STATUS_OK)) return;
  if (CHECK_INT(envelope.message.body.len, 3 * LARGE)) {
    for (part = 0; part < 3 * LARGE; part++) {
      if (!CHECK_INT(((char *)envelope.message.body.bytes)[part], '1' + part / LARGE)) break;
    }
  }
  amqp_destroy_envelope(&envelope);
}

CASE(row18_no_ack_is_lost_by_a_consume_without_memory) { at_each_allocation(two_acks, consume_then_wait_for_acks); }
CASE(row18_no_ack_is_lost_by_an_rpc_without_memory) { at_each_allocation(two_acks, rpc_then_wait_for_acks); }
CASE(row18_no_message_is_lost_by_a_consume_without_memory) {
  at_each_allocation(message_in_two_parts, consume_until_it_is_whole);
}
CASE(row18_no_large_message_is_lost_by_a_consume_without_memory) {
  at_each_allocation(large_message, consume_a_large_message);
}
CASE(row18_no_frame_of_half_a_message_is_lost_or_doubled_without_memory) {
  at_each_allocation(message_in_two_parts, wait_for_the_frames_of_a_message);
}

/* The program passes again what was not taken, and nothing else. */
CASE(row18_handle_input_without_memory_takes_nothing_twice) {
  static char frames[] = "\x01\0\x01\0\0\0\x04\0\x14\0\x29\xCE\x01\0\x01\0\0\0\x04\0\x14\0\x29\xCE";
  int point, calls, found, status;
  refused = 1;
  for (point = 0; refused > 0 && point < 40 && check_failures() == 0; point++) {
    amqp_connection_state_t c = amqp_new_connection();
    amqp_bytes_t bytes = {24, frames};
    refused = 0;
    failing = 1;
    allowed = point;
    for (calls = found = 0; calls < 6; calls++) {
      amqp_frame_t frame;
      status = amqp_handle_input(c, bytes, &frame);
      if (status == AMQP_STATUS_NO_MEMORY && refused > 0) continue;
      if (!CHECK_BETWEEN(status, 0, bytes.len)) break;
      bytes.bytes = (char *)bytes.bytes + status;
      bytes.len -= (size_t)status;
      if (frame.frame_type == AMQP_FRAME_METHOD) found++;
    }
    allowed = -1;
    CHECK_INT(found, 2);
    CHECK_INT(bytes.len, 0);
    amqp_destroy_connection(c);
  }
  CHECK_INT(refused, 0);
}

CASE(pools_and_tables_without_memory) {
  amqp_pool_t pool;
  amqp_table_t clone, table;
  amqp_table_entry_t entry;
  amqp_bytes_t bytes;
  memset(&entry, 0, sizeof entry);
  entry.key = client_bytes("key");
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = client_bytes("value");
  table.num_entries = 1;
  table.entries = &entry;
  init_amqp_pool(&pool, 4096);
  failing = 1000000;
  allowed = 0;
  CHECK(amqp_pool_alloc(&pool, 10) == NULL);
  CHECK(amqp_pool_alloc(&pool, 100000) == NULL);
  amqp_pool_alloc_bytes(&pool, 100, &bytes);
  CHECK(bytes.bytes == NULL);
  CHECK_STATUS(amqp_table_clone(&table, &clone, &pool), AMQP_STATUS_NO_MEMORY);
  CHECK(amqp_bytes_malloc(100).bytes == NULL);
  allowed = -1;
  CHECK(amqp_pool_alloc(&pool, 10) != NULL);
  CHECK_STATUS(amqp_table_clone(&table, &clone, &pool), AMQP_STATUS_OK);
  empty_amqp_pool(&pool);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
