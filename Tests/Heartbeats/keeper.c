/* Heartbeats in the background: what the thread does for a program that is busy, and which peers it finds dead. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "keeper_support.h"

/* ---- it keeps ---- */

CASE(a_busy_program_is_kept_for_six_intervals) {
  peer *p = peer_start(planned, &live);
  amqp_connection_state_t c = kept(p, H);
  amqp_heartbeat_stats_t stats = {.size = sizeof stats};
  if (c == NULL) return;
  peer_sleep(6 * H * 1000);
  CHECK_BETWEEN(peer_seen(p)->longest_silence / 1000000, 300, H * 1000);
  CHECK_BETWEEN(peer_seen(p)->heartbeats, 10, 18);
  CHECK_INT(peer_seen(p)->malformed, 0);
  CHECK_STATUS(amqp_heartbeat_stats(c, &stats), AMQP_STATUS_OK);
  CHECK_INT(stats.sent, peer_seen(p)->heartbeats);
  CHECK_INT(stats.received, 0);   /* it does not read */
  CHECK_INT(stats.interval_seconds, H);
  CHECK_STATUS(client_publish(c, 1, "x"), AMQP_STATUS_OK);
  CHECK(amqp_basic_qos(c, 1, 0, 1, 0) != NULL);
  CHECK_STATUS(amqp_heartbeat_stats(c, &stats), AMQP_STATUS_OK);
  CHECK_BETWEEN(stats.received, 10, 13);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(without_it_a_busy_program_is_silent) {
  peer *p = peer_start(planned, &live);
  amqp_connection_state_t c = client_open(p, H);
  if (c == NULL) return;
  peer_sleep(3 * H * 1000);
  CHECK_INT(peer_seen(p)->heartbeats, 0);
  CHECK_INT(threads(), 1);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(it_may_be_asked_for_before_the_login) {
  peer *p = peer_start(planned, &live);
  amqp_connection_state_t c = client_connect(p);
  if (c == NULL) return;
  CHECK_STATUS(amqp_heartbeat_background(c, 1), AMQP_STATUS_OK);
  CHECK_INT(threads(), 1);
  CHECK_INT(amqp_login(c, "/", 0, 131072, H, AMQP_SASL_METHOD_PLAIN, "guest", "guest").reply_type, AMQP_RESPONSE_NORMAL);
  CHECK_INT(threads(), 2);
  CHECK(amqp_channel_open(c, 1) != NULL);
  peer_sleep(2 * H * 1000);
  CHECK_BETWEEN(peer_seen(p)->heartbeats, 3, 6);
  amqp_destroy_connection(c);
  CHECK_INT(threads_become(1), 1);
  peer_stop(p);
}

CASE(the_wish_outlives_a_new_socket) {
  peer *p = peer_start(again_and_again, NULL);
  amqp_connection_state_t c = client_login(p, H);
  amqp_socket_t *socket;
  if (c == NULL) return;
  CHECK_STATUS(amqp_heartbeat_background(c, 1), AMQP_STATUS_OK);
  if (client_open_otherwise != NULL) {
    CHECK_STATUS(client_open_otherwise(c, peer_port(p)), AMQP_STATUS_OK);
  } else {
    socket = amqp_tcp_socket_new(c);
    CHECK_INT(threads_become(1), 1);
    CHECK_STATUS(amqp_socket_open(socket, "127.0.0.1", peer_port(p)), AMQP_STATUS_OK);
  }
  CHECK_INT(amqp_login(c, "/", 0, 131072, H, AMQP_SASL_METHOD_PLAIN, "guest", "guest").reply_type, AMQP_RESPONSE_NORMAL);
  CHECK_INT(threads(), 2);
  peer_sleep(4 * H * 1000);
  CHECK_STATUS(amqp_heartbeat_service(c), AMQP_STATUS_OK);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* On the same socket, and without a call in between. */
CASE(a_program_connects_anew_after_a_death) {
  peer *p = peer_start(planned, &dead), *other = peer_start(planned, &live);
  amqp_connection_state_t c;
  struct pollfd entry = {-1, POLLIN, 0};
  if (client_open_otherwise != NULL) check_skip("for TCP");
  c = kept(p, H);
  if (c == NULL) return;
  entry.fd = amqp_get_sockfd(c);
  CHECK_INT(poll(&entry, 1, 4 * H * 1000), 1);
  CHECK_INT(amqp_get_sockfd(c), -1);
  CHECK_STATUS(amqp_socket_open(amqp_get_socket(c), "127.0.0.1", peer_port(other)), AMQP_STATUS_OK);
  CHECK_INT(amqp_login(c, "/", 0, 131072, H, AMQP_SASL_METHOD_PLAIN, "guest", "guest").reply_type, AMQP_RESPONSE_NORMAL);
  CHECK_INT(threads_become(2), 2);
  amqp_destroy_connection(c);
  peer_stop(p);
  peer_stop(other);
}

CASE(off_ends_it) {
  peer *p = peer_start(planned, &live);
  amqp_connection_state_t c = kept(p, H);
  uint64_t heartbeats;
  if (c == NULL) return;
  CHECK_INT(threads(), 2);
  CHECK_STATUS(amqp_heartbeat_background(c, 0), AMQP_STATUS_OK);
  CHECK_INT(threads_become(1), 1);
  heartbeats = peer_seen(p)->heartbeats;
  peer_sleep(2 * H * 1000);
  CHECK_INT(peer_seen(p)->heartbeats, heartbeats);
  CHECK_STATUS(amqp_heartbeat_background(c, 1), AMQP_STATUS_OK);
  CHECK_INT(threads(), 2);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(there_is_nothing_to_do_where_heartbeats_are_off) {
  peer *p = peer_start(planned, &off);
  amqp_connection_state_t c = kept(p, 0);
  if (c == NULL) return;
  CHECK_INT(threads(), 1);
  amqp_destroy_connection(c);
  CHECK_STATUS(amqp_heartbeat_background(NULL, 1), AMQP_STATUS_INVALID_PARAMETER);
  peer_stop(p);
}

/* ---- the environment ---- */

CASE(the_variable_speaks_for_programs_that_say_nothing) {
  peer *p, *other;
  amqp_connection_state_t c, silent;
  setenv("LIBRABBITMQ_HEARTBEAT_BACKGROUND", "1", 1);
  p = peer_start(planned, &live);
  other = peer_start(planned, &live);
  c = client_open(p, H);
  silent = client_connect(other);
  if (c == NULL || silent == NULL) return;
  CHECK_STATUS(amqp_heartbeat_background(silent, 0), AMQP_STATUS_OK);   /* the program's word counts */
  CHECK_INT(amqp_login(silent, "/", 0, 131072, H, AMQP_SASL_METHOD_PLAIN, "guest", "guest").reply_type,
            AMQP_RESPONSE_NORMAL);
  CHECK(amqp_channel_open(silent, 1) != NULL);
  peer_sleep(2 * H * 1000);
  CHECK_BETWEEN(peer_seen(p)->heartbeats, 3, 6);
  CHECK_INT(peer_seen(other)->heartbeats, 0);
  amqp_destroy_connection(c);
  amqp_destroy_connection(silent);
  peer_stop(p);
  peer_stop(other);
}

/* ---- a dead peer ---- */

CASE(a_dead_peer_wakes_the_programs_own_poll) {
  peer *p = peer_start(planned, &dead);
  amqp_connection_state_t c = kept(p, H);
  struct pollfd entry;
  amqp_envelope_t envelope;
  int i;
  if (c == NULL) return;
  entry.fd = amqp_get_sockfd(c);
  entry.events = POLLIN;
  CHECK_INT(poll(&entry, 1, 10000), 1);
  CHECK_BETWEEN(elapsed_milliseconds(peer_seen(p)->last_sent_at), 2 * H * 1000 - 5, 2 * H * 1000 + 700);
  CHECK_INT(amqp_get_sockfd(c), -1);
  CHECK(fcntl(entry.fd, F_GETFD) >= 0);   /* the number is nobody else's yet */
  CHECK_INT(threads_become(1), 1);
  for (i = 0; i < 2; i++)
    CHECK_STATUS(client_reply_status(amqp_consume_message(c, &envelope, NULL, 0)), AMQP_STATUS_HEARTBEAT_TIMEOUT);
  CHECK(fcntl(entry.fd, F_GETFD) < 0);
  CHECK_STATUS(client_publish(c, 1, "x"), AMQP_STATUS_HEARTBEAT_TIMEOUT);
  CHECK_STATUS(amqp_heartbeat_service(c), AMQP_STATUS_HEARTBEAT_TIMEOUT);
  CHECK_STATUS(amqp_heartbeat_background(c, 1), AMQP_STATUS_OK);
  CHECK_INT(threads(), 1);
  amqp_destroy_connection(c);
  peer_stop(p);
}

static void deliver_then_mute(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_handshake(link, 0, 131072, H)) return;
  if (!peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 10000)) return;
  peer_answer(link);
  peer_deliver(link, 1, 1, "last words", 10);
  peer_reached(link, 1);
  peer_serve(link, PEER_MUTE, 60000);
}

CASE(what_a_dead_peer_had_said_comes_first) {
  peer *p = peer_start(deliver_then_mute, NULL);
  amqp_connection_state_t c = kept(p, H);
  amqp_envelope_t envelope;
  if (c == NULL) return;
  CHECK(peer_wait(p, 1, 5000));
  peer_sleep(3 * H * 1000 + 500);
  CHECK_INT(amqp_get_sockfd(c), -1);
  if (CHECK_INT(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(1), 0)), 0)) {
    CHECK(client_bytes_equal(envelope.message.body, "last words"));
    amqp_destroy_envelope(&envelope);
  }
  CHECK_STATUS(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(1), 0)),
               AMQP_STATUS_HEARTBEAT_TIMEOUT);
  amqp_destroy_connection(c);
  peer_stop(p);
}

static void *publish_until_it_fails(void *argument) {
  amqp_connection_state_t c = argument;
  static char body[100000];
  amqp_bytes_t bytes = {sizeof body, body};
  int status;
  do status = amqp_basic_publish(c, 1, client_bytes(""), client_bytes("q"), 0, 0, NULL, bytes);
  while (status == AMQP_STATUS_OK);
  return (void *)(intptr_t)status;
}

CASE(all_who_wait_hear_of_a_death) {
  peer *p = peer_start(planned, &dead);
  amqp_connection_state_t c = kept(p, H);
  amqp_envelope_t envelope;
  pthread_t publisher;
  void *status;
  if (c == NULL) return;
  pthread_create(&publisher, NULL, publish_until_it_fails, c);
  CHECK_STATUS(client_reply_status(amqp_consume_message(c, &envelope, NULL, 0)), AMQP_STATUS_HEARTBEAT_TIMEOUT);
  pthread_join(publisher, &status);
  CHECK_STATUS((int)(intptr_t)status, AMQP_STATUS_HEARTBEAT_TIMEOUT);
  CHECK_INT(amqp_get_sockfd(c), -1);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- a living one ---- */

CASE(a_peer_in_an_alarm_is_alive) {
  peer *p = peer_start(planned, &alarmed);
  amqp_connection_state_t c = kept(p, H);
  if (c == NULL) return;
  peer_sleep(6 * H * 1000);
  CHECK(amqp_get_sockfd(c) >= 0);
  CHECK_STATUS(amqp_heartbeat_service(c), AMQP_STATUS_OK);
  amqp_destroy_connection(c);
  peer_stop(p);
}

static void flood(peer_link *link, void *unused) {
  static char body[1000];
  uint64_t i;
  (void)unused;
  if (!peer_handshake(link, 0, 131072, H)) return;
  if (!peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 10000)) return;
  peer_answer(link);
  peer_reached(link, 1);
  for (i = 1; i <= 20000; i++) peer_deliver(link, 1, i, body, sizeof body);   /* more than the buffers of both ends hold */
  peer_reached(link, 2);
  peer_serve(link, PEER_LIVE, 30000);
}

CASE(a_peer_whose_data_nobody_reads_is_alive) {
  peer *p = peer_start(flood, NULL);
  amqp_connection_state_t c = kept(p, H);
  amqp_envelope_t envelope;
  int i;
  if (c == NULL) return;
  CHECK(peer_wait(p, 1, 5000));
  peer_sleep(6 * H * 1000);
  CHECK_INT(peer_seen(p)->stage, 1);   /* it is blocked */
  CHECK(amqp_get_sockfd(c) >= 0);
  for (i = 1; i <= 20000; i++) {
    amqp_maybe_release_buffers(c);
    if (!CHECK_INT(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(5), 0)), 0)) break;
    if (!CHECK_INT(envelope.delivery_tag, i)) break;
    amqp_destroy_envelope(&envelope);
  }
  amqp_destroy_connection(c);
  peer_stop(p);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
