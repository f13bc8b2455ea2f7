/* Rows 19 (body_size), 22 and 23: what a connection takes of the process's memory, and of its time for giving it back. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "client.h"

#define MEGABYTE (1024 * 1024)

static size_t allocated(void) {
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

static void obliging(peer_link *link, void *unused) {
  (void)unused;
  if (peer_handshake(link, 0, 131072, 0)) peer_serve(link, PEER_LIVE, 60000);
}

/* ---- 22: a page per channel ---- */

CASE(row22_memory_of_closed_channels_is_given_back) {
  peer *p = peer_start(obliging, NULL);
  amqp_connection_state_t c = client_login(p, 0);
  size_t before;
  int channel;
  if (c == NULL) return;
  before = allocated();
  for (channel = 1; channel <= 1000; channel++) CHECK(amqp_channel_open(c, (amqp_channel_t)channel) != NULL);
  for (channel = 1; channel <= 1000; channel++) CHECK_INT(client_reply_status(amqp_channel_close(c, (amqp_channel_t)channel, 200)), 0);
  amqp_maybe_release_buffers(c);
  CHECK_BETWEEN((allocated() - before) / 1024, 0, 16 * 1024);   /* KiB; a page of frame_max each would be 128 MiB */
  amqp_destroy_connection(c);
  CHECK(allocated() < before + MEGABYTE);
  peer_stop(p);
}

CASE(row22_a_thousand_idle_channels_are_not_a_thousand_frames) {
  peer *p = peer_start(obliging, NULL);
  amqp_connection_state_t c = client_login(p, 0);
  size_t before;
  int channel;
  if (c == NULL) return;
  before = allocated();
  for (channel = 1; channel <= 1000; channel++) {
    CHECK(amqp_channel_open(c, (amqp_channel_t)channel) != NULL);
    amqp_maybe_release_buffers_on_channel(c, (amqp_channel_t)channel);
  }
  CHECK_BETWEEN((allocated() - before) / 1024, 0, 32 * 1024);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- 22: what is refused takes nothing ---- */

CASE(row22_a_refused_argument_is_not_a_reason_to_grow) {
  static char name[300];
  amqp_bytes_t bytes = {sizeof name, name};
  peer *p = peer_start(obliging, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  size_t before;
  if (c == NULL) return;
  CHECK_STATUS(amqp_tune_connection(c, 0, 64 * MEGABYTE, 0), AMQP_STATUS_OK);
  CHECK_STATUS(client_publish(c, 1, "fine"), AMQP_STATUS_OK);
  before = allocated();
  CHECK(amqp_basic_publish(c, 1, bytes, client_bytes("q"), 0, 0, NULL, client_bytes("x")) < 0);
  CHECK(amqp_exchange_delete(c, 1, bytes, 0) == NULL);
  CHECK(allocated() < before + MEGABYTE);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- 23: recycling is linear ---- */

static void queue_many(peer_link *link, void *unused) {
  int i;
  (void)unused;
  if (!peer_handshake(link, 0, 131072, 0)) return;
  if (!peer_serve_until(link, AMQP_BASIC_QOS_METHOD, 60000)) return;
  peer_cork(link);
  for (i = 0; i < 20000; i++) peer_send_ack(link, 1, (uint64_t)i + 1, 0);
  peer_answer(link);
  peer_uncork(link);
  peer_serve(link, PEER_LIVE, 60000);
}

CASE(row23_recycling_thousands_of_channels_is_linear) {
  peer *p = peer_start(queue_many, NULL);
  amqp_connection_state_t c = client_login(p, 0);
  int64_t begun;
  int channel, i;
  if (c == NULL) return;
  for (channel = 2; channel <= 4000; channel++) CHECK(amqp_channel_open(c, (amqp_channel_t)channel) != NULL);
  CHECK(amqp_basic_qos(c, 4000, 0, 1, 0) != NULL);   /* and with it 20,000 frames into the queue */
  CHECK(amqp_frames_enqueued(c));
  begun = peer_now();
  for (i = 0; i < 20; i++) amqp_maybe_release_buffers(c);
  CHECK_BETWEEN(elapsed_milliseconds(begun), 0, 1000);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- 19: body_size is a claim, not a fact ---- */

static void claims(peer_link *link, void *body_size) {
  if (!peer_handshake(link, 0, 131072, 0)) return;
  if (!peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 10000)) return;
  peer_answer(link);
  peer_send_deliver(link, 1, 1);
  peer_send_header(link, 1, *(uint64_t *)body_size, NULL, 0);
  peer_send_body(link, 1, "some of it", 10);
  peer_serve(link, PEER_LIVE, 20000);
}

static void claim(uint64_t body_size, int expected, int otherwise) {
  peer *p = peer_start(claims, &body_size);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_envelope_t envelope;
  struct rusage before, after;
  int status;
  if (c == NULL) return;
  check_allow_seconds(8);
  CHECK_STATUS(amqp_set_rpc_timeout(c, client_seconds(1)), AMQP_STATUS_OK);
  getrusage(RUSAGE_SELF, &before);
  status = client_reply_status(amqp_consume_message(c, &envelope, client_seconds(1), 0));
  getrusage(RUSAGE_SELF, &after);
  CHECK(status == expected || status == otherwise);
  CHECK(after.ru_maxrss - before.ru_maxrss < 64 * 1024);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(row19_a_claimed_gigabyte_is_not_allocated) {
  struct rlimit limit = {512u * MEGABYTE, RLIM_INFINITY};
  setrlimit(RLIMIT_AS, &limit);
  claim(1024u * MEGABYTE, AMQP_STATUS_TIMEOUT, AMQP_STATUS_TIMEOUT);
}

/* Nothing can hold it: waiting for it and refusing it are both right, falling over is not. */
CASE(row19_the_largest_claim_there_is) { claim(UINT64_MAX, AMQP_STATUS_TIMEOUT, AMQP_STATUS_BAD_AMQP_DATA); }
CASE(row19_a_claim_of_half_the_address_space) { claim(UINT64_C(1) << 62, AMQP_STATUS_TIMEOUT, AMQP_STATUS_BAD_AMQP_DATA); }

static void sends_more_than_claimed(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_handshake(link, 0, 131072, 0)) return;
  if (!peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 10000)) return;
  peer_answer(link);
  peer_send_deliver(link, 1, 1);
  peer_send_header(link, 1, 4, NULL, 0);
  peer_send_body(link, 1, "four and some more", 18);
  peer_serve(link, PEER_LIVE, 20000);
}

CASE(a_body_longer_than_claimed_is_bad_data) {
  peer *p = peer_start(sends_more_than_claimed, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_envelope_t envelope;
  if (c == NULL) return;
  CHECK_STATUS(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(2), 0)), AMQP_STATUS_BAD_AMQP_DATA);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- a long life takes no more memory than a short one ---- */

static void many_messages(peer_link *link, void *unused) {
  static char body[300];
  int i;
  (void)unused;
  if (!peer_handshake(link, 0, 131072, 0)) return;
  if (!peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 10000)) return;
  peer_answer(link);
  for (i = 1; i <= 30000; i++) peer_deliver(link, 1, (uint64_t)i, body, sizeof body);
  peer_serve(link, PEER_LIVE, 20000);
}

CASE(consuming_and_releasing_does_not_grow) {
  peer *p = peer_start(many_messages, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_envelope_t envelope;
  size_t early = 0;
  int i;
  if (c == NULL) return;
  for (i = 1; i <= 30000; i++) {
    amqp_maybe_release_buffers(c);
    if (!CHECK_INT(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(10), 0)), 0)) break;
    amqp_destroy_envelope(&envelope);
    if (i == 2000) early = allocated();
  }
  CHECK(allocated() < early + MEGABYTE);
  amqp_destroy_connection(c);
  peer_stop(p);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
