/* The ends of a connection over TLS, heartbeats in full sockets, and what a program that polls can rely on. */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tls.h"

enum { GOOD = AMQP_STATUS_OK };

/* ---- ends ---- */

static void close_script(peer_link *link, void *unused) {
  (void)unused;
  peer_handshake(link, 0, 131072, 0);
  peer_serve_until_go(link, PEER_LIVE, 20000);
  peer_end(link);
}

/* A broker that goes without a word of TLS has closed the connection, as one that says goodbye has. */
CASE(the_end_with_and_without_a_goodbye) {
  relay_options kinds[] = {{.version = 12}, {.version = 12, .abrupt = 1}, {.version = 13}, {.version = 13, .abrupt = 1}};
  int i;
  for (i = 0; i < 4; i++) {
    behind b = behind_start(&kinds[i], close_script, NULL);
    amqp_connection_state_t connection = behind_open(b, 0);
    amqp_frame_t frame;
    if (connection == NULL) continue;
    CHECK_STATUS(amqp_simple_wait_frame_noblock(connection, &frame, client_seconds(0.1)), AMQP_STATUS_TIMEOUT);
    peer_go(b.peer);
    CHECK_STATUS(amqp_simple_wait_frame(connection, &frame), AMQP_STATUS_CONNECTION_CLOSED);
    CHECK_NO_ERROR_LEFT();
    amqp_destroy_connection(connection);
    behind_stop(b);
  }
}

CASE(we_say_goodbye) {
  relay_options kinds[] = {{.version = 12}, {.version = 13}};
  int i, tries;
  for (i = 0; i < 2; i++) {
    behind b = behind_start(&kinds[i], serve_script, NULL);
    amqp_connection_state_t connection = behind_open(b, 0);
    CHECK_INT(relay_seen(b.relay)->close_notify, 0);
    amqp_destroy_connection(connection);
    CHECK_NO_ERROR_LEFT();
    for (tries = 0; tries < 200 && !relay_seen(b.relay)->close_notify; tries++) peer_sleep(5);
    CHECK_INT(relay_seen(b.relay)->close_notify, 1);
    behind_stop(b);
  }
}

/* A child that was forked tidies up its copies: the parent's connection goes on. */
CASE(a_forked_child_does_not_end_the_connection) {
  behind b = behind_start(NULL, serve_script, NULL);
  amqp_connection_state_t connection = behind_open(b, 0);
  int status;
  pid_t child;
  fflush(NULL);
  child = fork();
  if (child == 0) {
    amqp_destroy_connection(connection);
    _exit(0);
  }
  waitpid(child, &status, 0);
  peer_sleep(50);
  CHECK_INT(relay_seen(b.relay)->close_notify, 0);
  CHECK(amqp_queue_declare(connection, 1, client_bytes("q"), 0, 0, 0, 1, amqp_empty_table) != NULL);
  amqp_destroy_connection(connection);
  behind_stop(b);
}

CASE(a_publish_after_idle_finds_the_end) {
  relay_options kinds[] = {{.version = 12}, {.version = 13, .abrupt = 1}};
  int i;
  for (i = 0; i < 2; i++) {
    behind b = behind_start(&kinds[i], close_script, NULL);
    amqp_connection_state_t connection = behind_open(b, 0);
    peer_go(b.peer);
    peer_sleep(1200);
    CHECK_STATUS(client_publish(connection, 1, "lost"), AMQP_STATUS_CONNECTION_CLOSED);
    CHECK_NO_ERROR_LEFT();
    amqp_destroy_connection(connection);
    behind_stop(b);
  }
}

static void farewell_script(peer_link *link, void *unused) {
  int i;
  (void)unused;
  peer_handshake(link, 0, 131072, 0);
  peer_serve_until_go(link, PEER_LIVE, 20000);
  for (i = 0; i < 3; i++) {
    peer_send_heartbeat(link);
    peer_sleep(20);   /* each in a record of its own */
  }
  peer_send_connection_close(link, 320, "CONNECTION_FORCED");
  peer_serve(link, PEER_READ, 20000);
}

/* It is found without being taken out of the descriptor, which a program may be polling. */
CASE(a_publish_after_idle_finds_a_close_and_leaves_it_pollable) {
  relay_options kinds[] = {{.version = 12}, {.version = 13}};
  int i;
  for (i = 0; i < 2; i++) {
    behind b = behind_start(&kinds[i], farewell_script, NULL);
    amqp_connection_state_t connection = behind_open(b, 0);
    struct pollfd entry;
    amqp_frame_t frame;
    peer_go(b.peer);
    peer_sleep(1300);
    CHECK_STATUS(client_publish(connection, 1, "lost"), AMQP_STATUS_CONNECTION_CLOSED);
    CHECK_STATUS(client_publish(connection, 1, "lost again"), AMQP_STATUS_CONNECTION_CLOSED);
    entry.fd = amqp_get_sockfd(connection), entry.events = POLLIN;
    CHECK_INT(poll(&entry, 1, 0), 1);
    CHECK_STATUS(amqp_simple_wait_frame_noblock(connection, &frame, client_seconds(0)), GOOD);
    CHECK_INT(frame.frame_type, AMQP_FRAME_METHOD);
    CHECK_INT(frame.payload.method.id, AMQP_CONNECTION_CLOSE_METHOD);
    CHECK_INT(peer_seen(b.peer)->publishes, 0);
    CHECK_NO_ERROR_LEFT();
    amqp_destroy_connection(connection);
    behind_stop(b);
  }
}

/* The same look finds nothing wrong: then what it saw must come whole and in order all the same. */
static void chatter_script(peer_link *link, void *unused) {
  static uint8_t body[40000];
  uint64_t tag = 0;
  int round;
  (void)unused;
  peer_handshake(link, 0, 131072, 0);
  peer_serve_until(link, AMQP_BASIC_CONSUME_METHOD, 10000);
  peer_answer(link);
  for (round = 0; round < 3; round++) {
    size_t k, size = round == 0 ? 10 : round == 1 ? 3000 : sizeof body;
    if (!peer_serve_until_go(link, PEER_LIVE, 20000)) return;
    for (k = 0; k < size; k++) body[k] = octet(k);
    for (k = 0; k < 4; k++) peer_deliver(link, 1, ++tag, body, size);
  }
  peer_serve(link, PEER_LIVE, 20000);
}

CASE(a_look_ahead_loses_nothing) {
  relay_options kinds[] = {{.version = 12}, {.version = 13}};
  int i, round, k;
  for (i = 0; i < 2; i++) {
    behind b = behind_start(&kinds[i], chatter_script, NULL);
    amqp_connection_state_t connection = behind_open(b, 0);
    uint64_t tag = 0;
    amqp_basic_consume(connection, 1, client_bytes("q"), client_bytes("tag"), 0, 1, 0, amqp_empty_table);
    for (round = 0; round < 3; round++) {
      peer_go(b.peer);
      peer_sleep(1200);
      CHECK_STATUS(client_publish(connection, 1, "between"), GOOD);
      peer_sleep(1100);
      CHECK_STATUS(client_publish(connection, 1, "between"), GOOD);
      for (k = 0; k < 4; k++) {
        amqp_envelope_t envelope;
        amqp_maybe_release_buffers(connection);
        if (!CHECK_INT(client_reply_status(amqp_consume_message(connection, &envelope, client_seconds(5), 0)), 0)) break;
        CHECK_INT(envelope.delivery_tag, ++tag);
        check_body(&envelope, round == 0 ? 10 : round == 1 ? 3000 : 40000);
        amqp_destroy_envelope(&envelope);
      }
    }
    amqp_destroy_connection(connection);
    behind_stop(b);
  }
}

/* ---- heartbeats through a full socket ---- */

static void beat_script(peer_link *link, void *unused) {
  (void)unused;
  peer_handshake(link, 0, 131072, 2);
  peer_serve(link, PEER_LIVE, 30000);
}

/* No {0,0} wait blocks for a heartbeat, and one that cannot be written ends nothing. */
CASE(a_heartbeat_that_finds_no_room) {
  behind b = behind_start(NULL, beat_script, NULL);
  amqp_connection_state_t connection = behind_open(b, 2);
  char junk[4096];
  amqp_frame_t frame;
  int i, refused = 0;
  memset(junk, 0, sizeof junk);
  if (connection == NULL) return;
  relay_set_deaf(b.relay, 1);
  peer_sleep(100);
  while (refused < 20) {
    if (send(amqp_get_sockfd(connection), junk, sizeof junk, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
      refused++;
      peer_sleep(10);
    }
  }
  peer_sleep(1000);
  while (send(amqp_get_sockfd(connection), junk, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1) continue;
  for (i = 0; i < 40; i++) {
    int64_t began = peer_now();
    CHECK_STATUS(amqp_simple_wait_frame_noblock(connection, &frame, client_seconds(0)), AMQP_STATUS_TIMEOUT);
    CHECK_BETWEEN(elapsed_milliseconds(began), 0, 300);
    peer_sleep(100);
  }
  CHECK(amqp_get_sockfd(connection) >= 0);
  amqp_destroy_connection(connection);
  behind_stop(b);
}

/* A heartbeat that went out in part is completed by what follows, which is not damaged by it. */
CASE(a_heartbeat_in_pieces) {
  behind b = behind_start(NULL, beat_script, NULL);
  amqp_connection_state_t connection = behind_open(b, 2);
  amqp_bytes_t body = filled(3000);
  amqp_frame_t frame;
  int i, published = 0, tries;
  if (connection == NULL) return;
  narrow(connection);
  for (i = 0; i < 12; i++) {
    int k;
    relay_set_deaf(b.relay, 1);
    /* Small messages until the socket is all but full, then heartbeats. */
    for (k = 0; k < 4; k++, published++) {
      struct pollfd entry = {amqp_get_sockfd(connection), POLLOUT, 0};
      if (poll(&entry, 1, 0) != 1) break;
      CHECK_STATUS(amqp_basic_publish(connection, 1, amqp_empty_bytes, client_bytes("key"), 0, 0, NULL, body), GOOD);
    }
    for (k = 0; k < 3; k++) {
      CHECK_STATUS(amqp_simple_wait_frame_noblock(connection, &frame, client_seconds(0.4)), AMQP_STATUS_TIMEOUT);
    }
    relay_set_deaf(b.relay, 0);
    CHECK_STATUS(amqp_basic_publish(connection, 1, amqp_empty_bytes, client_bytes("key"), 0, 0, NULL, body), GOOD);
    published++;
  }
  for (tries = 0; tries < 500 && peer_seen(b.peer)->publishes < (unsigned)published; tries++) peer_sleep(10);
  CHECK_INT(peer_seen(b.peer)->publishes, published);
  CHECK_INT(peer_seen(b.peer)->malformed, 0);
  amqp_bytes_free(body);
  amqp_destroy_connection(connection);
  behind_stop(b);
}

/* ---- polling ---- */

static void burst_script(peer_link *link, void *unused) {
  static uint8_t body[100000];
  uint64_t tag;
  (void)unused;
  peer_handshake(link, 0, 131072, 0);
  peer_serve_until(link, AMQP_BASIC_CONSUME_METHOD, 10000);
  peer_answer(link);
  for (tag = 1; tag <= 400; tag++) peer_deliver(link, 1, tag, body, tag % 7 == 0 ? 90000 : tag * 37 % 5000);
  peer_serve(link, PEER_LIVE, 20000);
}

/* The way of programs with a loop of their own: consume only when something is queued, buffered or readable. */
CASE(a_program_that_polls_is_not_left_waiting) {
  relay_options kinds[] = {{.version = 12, .roomy = 1}, {.version = 13, .roomy = 1}};
  int i, received;
  for (i = 0; i < 2; i++) {
    behind b = behind_start(&kinds[i], burst_script, NULL);
    amqp_connection_state_t connection = behind_open(b, 0);
    amqp_basic_consume(connection, 1, client_bytes("q"), client_bytes("tag"), 0, 1, 0, amqp_empty_table);
    for (received = 0; received < 400; received++) {
      amqp_envelope_t envelope;
      if (!amqp_frames_enqueued(connection) && !amqp_data_in_buffer(connection)) {
        struct pollfd entry = {amqp_get_sockfd(connection), POLLIN, 0};
        if (!CHECK_INT(poll(&entry, 1, 3000), 1)) break;
      }
      amqp_maybe_release_buffers(connection);
      if (!CHECK_INT(client_reply_status(amqp_consume_message(connection, &envelope, NULL, 0)), 0)) break;
      CHECK_INT(envelope.delivery_tag, received + 1);
      amqp_destroy_envelope(&envelope);
    }
    CHECK_INT(received, 400);
    amqp_destroy_connection(connection);
    behind_stop(b);
  }
}

int main(int argc, char **argv) { return check_main(argc, argv); }
