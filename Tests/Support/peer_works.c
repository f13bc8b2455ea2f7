/* The tools of the suites themselves: the peer, its record, and what a case relies on. */
#include <string.h>

#include "client.h"

static void deliver_and_beat(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_handshake(link, 2047, 131072, 2)) return;
  if (!peer_serve_until(link, PEER_METHOD(60, 20), 5000)) return;
  peer_cork(link);
  peer_answer(link);
  peer_deliver(link, 1, 1, "hello", 5);
  peer_uncork(link);
  peer_reached(link, 1);
  peer_serve(link, PEER_LIVE | PEER_CONFIRM, 10000);
}

CASE(a_session_is_answered_and_recorded) {
  peer *p = peer_start(deliver_and_beat, NULL);
  amqp_connection_state_t c = client_open(p, 2);
  amqp_envelope_t envelope;
  const peer_frame *frame;
  if (c == NULL) return;
  CHECK(amqp_basic_consume(c, 1, client_bytes("q"), client_bytes("t"), 0, 1, 0, amqp_empty_table) != NULL);
  CHECK(peer_wait(p, 1, 5000));
  CHECK_INT(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(5), 0)), 0);
  CHECK(client_bytes_equal(envelope.message.body, "hello"));
  amqp_destroy_envelope(&envelope);
  CHECK_STATUS(client_publish(c, 1, "back"), AMQP_STATUS_OK);
  CHECK_INT(client_reply_status(amqp_connection_close(c, 200)), 0);
  amqp_destroy_connection(c);
  CHECK(peer_join(p, 5000));
  CHECK_INT(peer_seen(p)->heartbeat, 2);
  CHECK_INT(peer_seen(p)->publishes, 1);
  CHECK_INT(peer_seen(p)->malformed, 0);
  CHECK_INT(peer_count(p, AMQP_BASIC_PUBLISH_METHOD), 1);
  frame = peer_find(p, AMQP_BASIC_CONSUME_METHOD, 0);
  CHECK(frame != NULL && frame->channel == 1);
  CHECK(frame != NULL && memcmp(peer_seen(p)->bytes + frame->offset + 4, "\0\0\1q\1t", 6) == 0);
  peer_stop(p);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
