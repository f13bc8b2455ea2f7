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
