/* Programs with a loop of their own: how long they may sleep, and what one call does when they wake. */
#include <amqp_heartbeat.h>
#include <poll.h>
#include <string.h>

#include "client.h"

#define H 1

typedef struct plan {
  int heartbeat, flags, milliseconds, then;
} plan;

static void planned(peer_link *link, void *argument) {
  const plan *p = argument;
  if (!peer_handshake(link, 0, 131072, (uint16_t)p->heartbeat)) return;
  if (!peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 10000)) return;
  peer_answer(link);
  peer_watch(link);
  peer_reached(link, 1);
  if (!peer_serve(link, p->flags, p->milliseconds)) return;
  peer_reached(link, 2);
  if (p->then == PEER_READ)
    peer_end(link);
  else
    peer_serve(link, p->then, 60000);
}

/* The loop that the header describes, for `milliseconds` or until the connection is over. */
static int loop(amqp_connection_state_t c, int milliseconds, int *wakes, int *messages) {
  int64_t begun = peer_now();
  int status;
  *wakes = *messages = 0;
  while ((status = amqp_heartbeat_service(c)) == AMQP_STATUS_OK && elapsed_milliseconds(begun) < milliseconds) {
    struct pollfd entry = {amqp_get_sockfd(c), POLLIN, 0};
    struct timeval sleep;
    for (;;) {
      amqp_envelope_t envelope;
      int taken = client_reply_status(amqp_consume_message(c, &envelope, client_seconds(0), 0));
      if (taken == AMQP_STATUS_TIMEOUT && amqp_data_in_buffer(c)) continue;
      if (taken != AMQP_STATUS_OK) break;
      amqp_destroy_envelope(&envelope);
      ++*messages;
    }
    CHECK_STATUS(amqp_heartbeat_next(c, &sleep), AMQP_STATUS_OK);
    poll(&entry, 1, (int)(sleep.tv_sec * 1000 + (sleep.tv_usec + 999) / 1000));
    ++*wakes;
  }
  return status;
}

CASE(both_ends_live_for_six_intervals) {
  plan how = {H, PEER_LIVE, 60000, 0};
  peer *p = peer_start(planned, &how);
  amqp_connection_state_t c = client_open(p, H);
  amqp_heartbeat_stats_t stats = {.size = sizeof stats};
  int wakes, messages;
  if (c == NULL) return;
  CHECK_STATUS(loop(c, 6 * H * 1000, &wakes, &messages), AMQP_STATUS_OK);
  CHECK_BETWEEN(peer_seen(p)->longest_silence / 1000000, 300, H * 1000);
  CHECK_BETWEEN(wakes, 12, 60);   /* it sleeps in between */
  CHECK_INT(messages, 0);
  CHECK_STATUS(amqp_heartbeat_stats(c, &stats), AMQP_STATUS_OK);
  CHECK_BETWEEN(stats.received, 10, 14);
  CHECK_BETWEEN(stats.sent, 10, 14);
  CHECK_BETWEEN(stats.milliseconds_since_received, 0, 800);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(a_silent_peer_is_dead_after_two_intervals) {
  plan how = {H, PEER_READ, 60000, 0};
  peer *p = peer_start(planned, &how);
  amqp_connection_state_t c = client_open(p, H);
  int wakes, messages;
  if (c == NULL) return;
  CHECK_STATUS(loop(c, 10 * H * 1000, &wakes, &messages), AMQP_STATUS_HEARTBEAT_TIMEOUT);
  CHECK_BETWEEN(elapsed_milliseconds(peer_seen(p)->last_sent_at), 2 * H * 1000 - 5, 2 * H * 1000 + 700);
  CHECK_INT(amqp_get_sockfd(c), -1);
  CHECK_STATUS(amqp_heartbeat_service(c), AMQP_STATUS_HEARTBEAT_TIMEOUT);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(the_end_of_the_connection_is_told) {
  plan how = {H, PEER_LIVE, 500, PEER_READ};
  peer *p = peer_start(planned, &how);
  amqp_connection_state_t c = client_open(p, H);
  int wakes, messages;
  if (c == NULL) return;
  CHECK_STATUS(loop(c, 10 * H * 1000, &wakes, &messages), AMQP_STATUS_CONNECTION_CLOSED);
  CHECK_STATUS(amqp_heartbeat_service(c), AMQP_STATUS_CONNECTION_CLOSED);
  amqp_destroy_connection(c);
  peer_stop(p);
}

static void deliveries(peer_link *link, void *unused) {
  uint64_t i;
  (void)unused;
  if (!peer_handshake(link, 0, 131072, H)) return;
  if (!peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 10000)) return;
  peer_answer(link);
  for (i = 1; i <= 100; i++) {
    peer_deliver(link, 1, i, "message", 7);
    if (i % 10 == 0) peer_serve(link, PEER_LIVE, 100);
  }
  peer_serve(link, PEER_LIVE, 30000);
}

CASE(what_a_service_has_read_is_there_for_the_program) {
  peer *p = peer_start(deliveries, NULL);
  amqp_connection_state_t c = client_open(p, H);
  int wakes, messages;
  if (c == NULL) return;
  CHECK_STATUS(loop(c, 2500, &wakes, &messages), AMQP_STATUS_OK);
  CHECK_INT(messages, 100);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(a_program_without_heartbeats_may_sleep_for_a_day) {
  plan how = {0, PEER_LIVE, 60000, 0};
  peer *p = peer_start(planned, &how);
  amqp_connection_state_t c = client_open(p, 0);
  struct timeval sleep = {0, 0};
  if (c == NULL) return;
  CHECK_STATUS(amqp_heartbeat_service(c), AMQP_STATUS_OK);
  CHECK_STATUS(amqp_heartbeat_next(c, &sleep), AMQP_STATUS_OK);
  CHECK_INT(sleep.tv_sec, 86400);
  CHECK_INT(sleep.tv_usec, 0);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(what_cannot_be_asked_is_refused) {
  amqp_connection_state_t c = amqp_new_connection();
  amqp_heartbeat_stats_t stats;
  struct timeval sleep = {7, 7};
  CHECK_STATUS(amqp_heartbeat_service(NULL), AMQP_STATUS_INVALID_PARAMETER);
  CHECK_STATUS(amqp_heartbeat_next(NULL, &sleep), AMQP_STATUS_INVALID_PARAMETER);
  CHECK_INT(sleep.tv_sec, 7);
  CHECK_STATUS(amqp_heartbeat_next(c, NULL), AMQP_STATUS_INVALID_PARAMETER);
  CHECK_STATUS(amqp_heartbeat_stats(c, NULL), AMQP_STATUS_INVALID_PARAMETER);
  CHECK_STATUS(amqp_heartbeat_service(c), AMQP_STATUS_SOCKET_CLOSED);
  memset(&stats, 0xAA, sizeof stats);
  stats.size = sizeof stats - 1;
  CHECK_STATUS(amqp_heartbeat_stats(c, &stats), AMQP_STATUS_INVALID_PARAMETER);
  CHECK_STATUS(amqp_heartbeat_stats(NULL, &stats), AMQP_STATUS_INVALID_PARAMETER);
  CHECK_INT(stats.sent, 0xAAAAAAAAAAAAAAAA);
  stats.size = sizeof stats;
  CHECK_STATUS(amqp_heartbeat_stats(c, &stats), AMQP_STATUS_OK);
  CHECK_INT(stats.sent | stats.received | stats.milliseconds_since_sent | stats.milliseconds_since_received |
            stats.interval_seconds, 0);
  amqp_destroy_connection(c);
}

/* A program of a later version, whose struct is longer. */
CASE(a_longer_struct_is_filled_as_far_as_it_is_known) {
  struct {
    amqp_heartbeat_stats_t known;
    uint64_t later;
  } stats;
  plan how = {H, PEER_LIVE, 60000, 0};
  peer *p = peer_start(planned, &how);
  amqp_connection_state_t c = client_open(p, H);
  if (c == NULL) return;
  memset(&stats, 0xAA, sizeof stats);
  stats.known.size = sizeof stats;
  CHECK_STATUS(amqp_heartbeat_stats(c, &stats.known), AMQP_STATUS_OK);
  CHECK_INT(stats.known.size, sizeof stats.known);
  CHECK_INT(stats.known.interval_seconds, H);
  CHECK_INT(stats.later, 0xAAAAAAAAAAAAAAAA);
  amqp_destroy_connection(c);
  peer_stop(p);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
