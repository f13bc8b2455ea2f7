/*
 * Heartbeat rules that are not a cell of the table: what the application sees of heartbeats (nothing), what a death keeps, how
 * a blocked publisher lives, and when a living peer must not be declared dead.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "client.h"

#define H 2

typedef struct plan {
  int heartbeat, flags, milliseconds;
} plan;

/* Login, channel 1, then stage 1; what the plan says, stage 2; then live. */
static void planned(peer_link *link, void *argument) {
  const plan *p = argument;
  if (!peer_handshake(link, 0, 131072, (uint16_t)p->heartbeat)) return;
  if (!peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 10000)) return;
  peer_answer(link);
  peer_reached(link, 1);
  if (!peer_serve(link, p->flags, p->milliseconds)) return;
  peer_reached(link, 2);
  peer_serve(link, PEER_LIVE, 30000);
}

/* ---- heartbeat frames stay inside the library ---- */

static void beat_then_acknowledge(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_handshake(link, 0, 131072, H)) return;
  if (!peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 10000)) return;
  peer_answer(link);
  if (!peer_serve_until_go(link, PEER_LIVE, 20000)) return;
  peer_send_ack(link, 1, 7, 0);
  peer_reached(link, 1);
  peer_serve(link, PEER_LIVE, 30000);
}

/* A program that only publishes, for longer than twice 2H: the library has to look at its input now and then, where nothing but
 * heartbeats has come, and must keep them to itself. */
CASE(heartbeats_never_reach_a_publishing_application) {
  peer *p = peer_start(beat_then_acknowledge, NULL);
  amqp_connection_state_t c = client_open(p, H);
  int64_t begun;
  int i, acks = 0, enqueued = 0, status;
  if (c == NULL) return;
  for (begun = peer_now(); elapsed_milliseconds(begun) < 4 * H * 1000 + 1000;) {
    CHECK_STATUS(client_publish(c, 1, "x"), AMQP_STATUS_OK);
    enqueued += amqp_frames_enqueued(c) ? 1 : 0;
    peer_sleep(50);
  }
  CHECK_INT(enqueued, 0);
  peer_go(p);
  CHECK(peer_wait(p, 1, 5000));
  for (i = 0; i < 200; i++) {
    amqp_frame_t frame;
    frame.frame_type = 0;
    status = amqp_simple_wait_frame_noblock(c, &frame, client_seconds(0.1));
    if (status == AMQP_STATUS_TIMEOUT) break;
    if (!CHECK_STATUS(status, AMQP_STATUS_OK)) break;
    if (!CHECK_INT(frame.frame_type, AMQP_FRAME_METHOD)) break;
    if (frame.payload.method.id == AMQP_BASIC_ACK_METHOD) acks++;
  }
  CHECK_INT(acks, 1);
  amqp_destroy_connection(c);
  peer_stop(p);
}

static void confirms_among_heartbeats(peer_link *link, void *unused) {
  int i;
  (void)unused;
  if (!peer_handshake(link, 0, 131072, H)) return;
  if (!peer_serve_until(link, AMQP_CONFIRM_SELECT_METHOD, 10000)) return;
  peer_answer(link);
  for (i = 0; i < 400 && link != NULL; i++) {
    peer_send_heartbeat(link);
    if (!peer_serve(link, PEER_READ | PEER_CONFIRM, 5)) return;
  }
}

CASE(heartbeats_do_not_wedge_confirm_wait) {
  peer *p;
  amqp_connection_state_t c;
  amqp_publisher_confirm_t confirm;
  int i;
  if (amqp_publisher_confirm_wait == NULL) {
    CHECK(!"this library has no amqp_publisher_confirm_wait");
    return;
  }
  p = peer_start(confirms_among_heartbeats, NULL);
  c = client_open(p, H);
  if (c == NULL) return;
  CHECK(amqp_confirm_select(c, 1) != NULL);
  for (i = 1; i <= 50; i++) {
    CHECK_STATUS(client_publish(c, 1, "x"), AMQP_STATUS_OK);
    peer_sleep(5);
    if (!CHECK_INT(client_reply_status(amqp_publisher_confirm_wait(c, client_seconds(5), &confirm)), 0)) break;
    CHECK_INT(confirm.method, AMQP_BASIC_ACK_METHOD);
    CHECK_INT(confirm.channel, 1);
    if (!CHECK_INT(confirm.payload.ack.delivery_tag, i)) break;
  }
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- raw heartbeats ---- */

CASE(raw_heartbeat_through_send_frame_resets_the_clock) {
  plan how = {H, PEER_LIVE, 5000};
  peer *p = peer_start(planned, &how);
  amqp_connection_state_t c = client_open(p, H);
  amqp_frame_t frame;
  int64_t begun;
  uint64_t sent = 0;
  if (c == NULL) return;
  memset(&frame, 0, sizeof frame);
  frame.frame_type = AMQP_FRAME_HEARTBEAT;
  for (begun = peer_now(); elapsed_milliseconds(begun) < 4000; sent++) {
    CHECK_STATUS(amqp_send_frame(c, &frame), AMQP_STATUS_OK);
    amqp_frames_enqueued(c);
    peer_sleep(400);
    amqp_frames_enqueued(c);
  }
  peer_sleep(50);
  CHECK_INT(peer_seen(p)->heartbeats, sent);   /* none of the library's own: they were not due */
  CHECK_INT(peer_seen(p)->malformed, 0);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(no_heartbeats_when_off) {
  plan how = {0, PEER_LIVE, 3000};
  peer *p = peer_start(planned, &how);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_frame_t frame;
  if (c == NULL) return;
  CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, client_seconds(5)), AMQP_STATUS_TIMEOUT);
  CHECK_INT(peer_seen(p)->heartbeats, 0);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- a zero timeout never blocks ---- */

static void alarmed(peer_link *link, void *unused) {
  (void)unused;
  peer_set_receive_buffer(link, 65536);
  if (!peer_handshake(link, 0, 131072, H)) return;
  if (!peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 10000)) return;
  peer_answer(link);
  peer_reached(link, 1);
  peer_serve(link, PEER_ALARM, 12000);
  peer_reached(link, 2);
  peer_serve(link, PEER_MUTE, 30000);
}

/* Fills the socket behind the library's back with whole heartbeat frames, until the kernel takes no more. */
static void fill_socket(int fd) {
  static const uint8_t heartbeat[8] = {8, 0, 0, 0, 0, 0, 0, 0xCE};
  uint8_t block[8192];
  size_t i;
  int refused = 0;
  for (i = 0; i < sizeof block; i += 8) memcpy(block + i, heartbeat, 8);
  while (refused < 20) {
    if (send(fd, block, sizeof block, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
      refused++;
      peer_sleep(10);
    }
  }
  while (send(fd, block, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1) continue;
}

CASE(zero_timeout_never_blocks_to_send_a_heartbeat) {
  peer *p = peer_start(alarmed, NULL);
  amqp_connection_state_t c = client_open(p, H);
  amqp_frame_t frame;
  int i;
  if (c == NULL) return;
  CHECK(peer_wait(p, 1, 5000));
  fill_socket(amqp_get_sockfd(c));
  peer_sleep(H * 1000 + 200);   /* now a heartbeat is due by anybody's rule */
  fill_socket(amqp_get_sockfd(c));
  for (i = 0; i < 5; i++) {
    int64_t begun = peer_now();
    int status = amqp_simple_wait_frame_noblock(c, &frame, client_seconds(0));
    CHECK_BETWEEN(elapsed_milliseconds(begun), 0, 300);
    CHECK_STATUS(status, AMQP_STATUS_TIMEOUT);
    peer_sleep(100);
  }
  CHECK(amqp_get_sockfd(c) >= 0);   /* a heartbeat that cannot be written does not close the connection */
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- death ---- */

static void queue_then_mute(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_handshake(link, 0, 131072, H)) return;
  if (!peer_serve_until(link, AMQP_BASIC_QOS_METHOD, 10000)) return;
  peer_cork(link);   /* two messages that the RPC has to queue, and one that stays in the socket */
  peer_deliver(link, 1, 1, "one", 3);
  peer_deliver(link, 1, 2, "two", 3);
  peer_answer(link);
  peer_uncork(link);
  peer_serve(link, PEER_MUTE, 100);
  peer_deliver(link, 1, 3, "three", 5);
  peer_reached(link, 1);
  peer_serve(link, PEER_MUTE, 60000);
}

CASE(what_was_received_before_death_comes_out_first) {
  static const char *const bodies[] = {"one", "two", "three"};
  peer *p = peer_start(queue_then_mute, NULL);
  amqp_connection_state_t c = client_open(p, H);
  amqp_envelope_t envelope;
  int i;
  if (c == NULL) return;
  CHECK(amqp_basic_qos(c, 1, 0, 10, 0) != NULL);
  CHECK(peer_wait(p, 1, 5000));
  peer_sleep(2 * H * 1000 + 800);
  for (i = 0; i < 3; i++) {
    if (!CHECK_INT(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(1), 0)), 0)) break;
    CHECK(client_bytes_equal(envelope.message.body, bodies[i]));
    amqp_destroy_envelope(&envelope);
  }
  CHECK_STATUS(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(1), 0)),
               AMQP_STATUS_HEARTBEAT_TIMEOUT);
  CHECK_INT(amqp_get_sockfd(c), -1);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(calls_that_send_report_death_at_once) {
  peer *p = peer_start(queue_then_mute, NULL);
  amqp_connection_state_t c = client_open(p, H);
  amqp_frame_t frame;
  int frames = 0, status = 0;
  if (c == NULL) return;
  CHECK(amqp_basic_qos(c, 1, 0, 10, 0) != NULL);
  CHECK(peer_wait(p, 1, 5000));
  peer_sleep(2 * H * 1000 + 800);
  CHECK_STATUS(amqp_basic_ack(c, 1, 1, 0), AMQP_STATUS_HEARTBEAT_TIMEOUT);
  CHECK_STATUS(client_publish(c, 1, "x"), AMQP_STATUS_HEARTBEAT_TIMEOUT);
  while (frames < 20 && (status = amqp_simple_wait_frame_noblock(c, &frame, client_seconds(0))) == AMQP_STATUS_OK) frames++;
  CHECK(frames >= 6);   /* the two queued messages at least */
  CHECK_STATUS(status, AMQP_STATUS_HEARTBEAT_TIMEOUT);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(blocked_publisher_survives_an_alarm_and_reports_death) {
  peer *p = peer_start(alarmed, NULL);
  amqp_connection_state_t c = client_open(p, H);
  static char body[200000];
  amqp_bytes_t bytes = {sizeof body, body};
  int status, count = 0;
  if (c == NULL) return;
  check_allow_seconds(50);
  CHECK(peer_wait(p, 1, 5000));
  do {
    status = amqp_basic_publish(c, 1, client_bytes(""), client_bytes("q"), 0, 0, NULL, bytes);
    count++;
  } while (status == AMQP_STATUS_OK && count < 10000);
  CHECK(peer_seen(p)->stage == 2);   /* not before the alarm, twelve seconds long, was over */
  CHECK_STATUS(status, AMQP_STATUS_HEARTBEAT_TIMEOUT);
  CHECK_BETWEEN(elapsed_milliseconds(peer_seen(p)->last_sent_at), 2 * H * 1000 - 5, 2 * H * 1000 + 700);
  CHECK_INT(amqp_get_sockfd(c), -1);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- no false alarm ---- */

CASE(busy_program_with_a_living_peer_is_not_torn_down) {
  plan how = {H, PEER_LIVE, 6000};
  peer *p = peer_start(planned, &how);
  amqp_connection_state_t c = client_open(p, H);
  amqp_frame_t frame;
  if (c == NULL) return;
  peer_sleep(2 * H * 1000 + 1000);   /* busy elsewhere for longer than 2H */
  CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, client_seconds(0.1)), AMQP_STATUS_TIMEOUT);
  CHECK_STATUS(client_publish(c, 1, "x"), AMQP_STATUS_OK);
  CHECK(amqp_basic_qos(c, 1, 0, 1, 0) != NULL);
  amqp_destroy_connection(c);
  peer_stop(p);
}

static void flood(peer_link *link, void *unused) {
  static char body[1000];
  int i;
  (void)unused;
  if (!peer_handshake(link, 0, 131072, H)) return;
  if (!peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 10000)) return;
  peer_answer(link);
  for (i = 1; i <= 20000; i++) {   /* far more than the buffers of both ends hold: the peer blocks */
    peer_deliver(link, 1, (uint64_t)i, body, sizeof body);
    if (i == 100) peer_reached(link, 1);
  }
  peer_reached(link, 2);
  peer_serve(link, PEER_LIVE, 30000);
}

CASE(a_peer_blocked_by_a_full_receive_buffer_is_alive) {
  peer *p = peer_start(flood, NULL);
  amqp_connection_state_t c = client_open(p, H);
  amqp_envelope_t envelope;
  int64_t begun;
  int i;
  if (c == NULL) return;
  CHECK(peer_wait(p, 1, 5000));
  for (begun = peer_now(); elapsed_milliseconds(begun) < 2 * H * 1000 + 2000;) {
    amqp_frames_enqueued(c);
    peer_sleep(100);
  }
  CHECK(peer_seen(p)->stage == 1);
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

static void leave_bytes(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_handshake(link, 0, 131072, H)) return;
  if (!peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 10000)) return;
  peer_answer(link);
  peer_serve(link, PEER_MUTE, 50);
  peer_deliver(link, 1, 1, "unread", 6);
  peer_reached(link, 1);
  peer_serve(link, PEER_LIVE, 30000);
}

CASE(polls_never_read_the_socket) {
  peer *p = peer_start(leave_bytes, NULL);
  amqp_connection_state_t c = client_open(p, H);
  int64_t begun;
  int before = 0, after = 0;
  if (c == NULL) return;
  CHECK(peer_wait(p, 1, 5000));
  peer_sleep(20);
  ioctl(amqp_get_sockfd(c), FIONREAD, &before);
  CHECK(before > 0);
  for (begun = peer_now(); elapsed_milliseconds(begun) < 3000;) {
    CHECK_INT(amqp_frames_enqueued(c), 0);
    CHECK_INT(amqp_data_in_buffer(c), 0);
    ioctl(amqp_get_sockfd(c), FIONREAD, &after);
    if (!CHECK(after >= before)) break;
    peer_sleep(50);
  }
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- serviced although something is buffered ---- */

static void keep_queued(peer_link *link, void *unused) {
  int i;
  (void)unused;
  if (!peer_handshake(link, 0, 131072, H)) return;
  if (!peer_serve_until(link, AMQP_BASIC_QOS_METHOD, 10000)) return;
  peer_cork(link);
  for (i = 1; i <= 100; i++) peer_deliver(link, 1, (uint64_t)i, "queued", 6);
  peer_answer(link);
  peer_uncork(link);
  peer_watch(link);
  peer_serve(link, PEER_READ | PEER_BEAT, 5000);
  peer_reached(link, 1);
  peer_serve(link, PEER_LIVE, 30000);
}

CASE(heartbeats_go_out_while_frames_are_queued) {
  peer *p = peer_start(keep_queued, NULL);
  amqp_connection_state_t c = client_open(p, H);
  amqp_envelope_t envelope;
  if (c == NULL) return;
  CHECK(amqp_basic_qos(c, 1, 0, 100, 0) != NULL);
  while (peer_seen(p)->stage < 1) {   /* a slow consumer: a message every 60 ms, all of them from the queue */
    CHECK_INT(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(1), 0)), 0);
    amqp_destroy_envelope(&envelope);
    if (check_failures()) break;
    peer_sleep(60);
  }
  CHECK_BETWEEN(peer_seen(p)->longest_silence / 1000000, 0, H * 500 + 350);
  amqp_destroy_connection(c);
  peer_stop(p);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
