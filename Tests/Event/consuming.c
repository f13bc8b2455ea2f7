/* Messages of all sizes, in one piece and in many; acknowledgements; the end of consumers. */
#include <string.h>

#include "session.h"

/* A body whose octets sum up to a known number. */
static char *patterned(char *bytes, size_t size, unsigned long *sum) {
  size_t i;
  for (i = 0, *sum = 0; i < size; i++) {
    bytes[i] = (char)(i * 7 + i / 251);
    *sum += (unsigned char)bytes[i];
  }
  return bytes;
}

enum { LARGE = 3 << 20 };
static char large[LARGE];

static int until_consumed(peer_link *link) {
  if (!peer_open_channels(link, 1) || !peer_serve_until(link, AMQP_BASIC_CONSUME_METHOD, 10000)) return 0;
  peer_answer(link);
  return 1;
}

static const size_t sizes[] = {0, 1, 100, 131064, 131065, 500000, LARGE};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void delivers_sizes(peer_link *link, void *unused) {
  unsigned long sum;
  size_t i;
  (void)unused;
  if (!until_consumed(link)) return;
  for (i = 0; i < SIZES; i++) {
    peer_deliver(link, 1, i + 1, patterned(large, sizes[i], &sum), sizes[i]);
    peer_serve_until_go(link, PEER_LIVE, 10000);
  }
  peer_serve(link, PEER_LIVE, 10000);
}

CASE(messages_of_all_sizes_arrive_whole) {
  peer *p = peer_start(delivers_sizes, NULL);
  session *s = session_with_channel(p, 0);
  unsigned long sum;
  int i;
  s->acknowledges = 1;
  session_consume(s, "q");
  for (i = 0; i < SIZES; i++) {
    if (!CHECK(session_run(s, &s->messages, i + 1, 10000))) break;
    patterned(large, sizes[i], &sum);
    CHECK_INT(s->body_size, sizes[i]);
    CHECK_INT(s->delivery_tag & 0xFFFFFFFF, i + 1);
    peer_go(p);
  }
  session_idle(s, 20);
  session_close(s);
  CHECK_INT(peer_count(p, AMQP_BASIC_ACK_METHOD), SIZES);
  peer_stop(p);
}

static void delivers_in_pieces(peer_link *link, void *argument) {
  static const uint8_t text[] = "in pieces";
  size_t piece = *(size_t *)argument, at;
  uint8_t *all;
  if (!until_consumed(link)) return;
  peer_cork(link);
  peer_deliver(link, 1, 1, text, 9);
  peer_deliver(link, 1, 2, "two", 3);
  peer_send_heartbeat(link);
  peer_deliver(link, 1, 3, "three", 5);
  all = peer_corked(link, &at);
  peer_send_pieces(link, all, at, piece);
  peer_serve(link, PEER_LIVE, 10000);
}

CASE(messages_arrive_in_pieces_of_any_size) {
  size_t piece;
  for (piece = 1; piece <= 64; piece = piece < 8 ? piece + 1 : piece * 2 - 1) {
    peer *p = peer_start(delivers_in_pieces, &piece);
    session *s = session_with_channel(p, 0);
    session_consume(s, "q");
    CHECK(session_run(s, &s->messages, 3, 20000));
    CHECK_TEXT(s->body, "three");
    session_close(s);
    peer_stop(p);
  }
}

static void exceeds(peer_link *link, void *unused) {
  (void)unused;
  if (!until_consumed(link)) return;
  peer_send_deliver(link, 1, 1);
  peer_send_header(link, 1, (uint64_t)1 << 40, NULL, 0);
  peer_serve(link, PEER_LIVE, 10000);
}

CASE(a_body_beyond_the_limit_ends_the_connection) {
  peer *p = peer_start(exceeds, NULL);
  session *s = session_with_channel(p, 0);
  session_consume(s, "q");
  CHECK(session_run(s, &s->lost, 1, 5000));
  CHECK_INT(s->messages, 0);
  session_end(s);
  peer_stop(p);
}

CASE(acknowledgements_are_sent_as_asked) {
  peer *p = peer_start(delivers_sizes, NULL);
  session *s = session_with_channel(p, 0);
  const peer_frame *frame;
  session_consume(s, "q");
  CHECK(session_run(s, &s->messages, 1, 5000));
  CHECK_STATUS(CALL(amqp_event_nack(s->channel, s->delivery_tag, 0, 1)), AMQP_STATUS_OK);
  peer_go(p);
  CHECK(session_run(s, &s->messages, 2, 5000));
  CHECK_STATUS(CALL(amqp_event_reject(s->channel, s->delivery_tag, 1)), AMQP_STATUS_OK);
  peer_go(p);
  CHECK(session_run(s, &s->messages, 3, 5000));
  CHECK_STATUS(CALL(amqp_event_ack(s->channel, s->delivery_tag, 1)), AMQP_STATUS_OK);
  CHECK_STATUS(CALL(amqp_event_ack(s->channel, 0, 1)), AMQP_STATUS_OK);
  session_idle(s, 20);
  frame = peer_find(p, AMQP_BASIC_NACK_METHOD, 0);
  CHECK(frame != NULL && memcmp(peer_seen(p)->bytes + frame->offset + 4, "\0\0\0\0\0\0\0\1\2", 9) == 0);
  frame = peer_find(p, AMQP_BASIC_REJECT_METHOD, 0);
  CHECK(frame != NULL && memcmp(peer_seen(p)->bytes + frame->offset + 4, "\0\0\0\0\0\0\0\2\1", 9) == 0);
  frame = peer_find(p, AMQP_BASIC_ACK_METHOD, 0);
  CHECK(frame != NULL && memcmp(peer_seen(p)->bytes + frame->offset + 4, "\0\0\0\0\0\0\0\3\1", 9) == 0);
  frame = peer_find(p, AMQP_BASIC_ACK_METHOD, 1);
  CHECK(frame != NULL && memcmp(peer_seen(p)->bytes + frame->offset + 4, "\0\0\0\0\0\0\0\0\1", 9) == 0);
  session_end(s);
  peer_stop(p);
}

/* ---- get ---- */

static void serves_get(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_open_channels(link, 1) || !peer_serve_until(link, AMQP_BASIC_GET_METHOD, 10000)) return;
  peer_get_ok(link, 1, 1, 41, "got", 3);
  if (!peer_serve_until(link, AMQP_BASIC_GET_METHOD, 10000)) return;
  peer_get_ok(link, 1, 2, 40, "", 0);
  peer_serve(link, PEER_LIVE, 10000);
}

CASE(a_message_is_got) {
  peer *p = peer_start(serves_get, NULL);
  session *s = session_with_channel(p, 0);
  promise *got[3];
  int i;
  for (i = 0; i < 3; i++) {
    got[i] = promised(s, "get");
    ACCEPT(got[i], amqp_event_get(s->channel, client_bytes("q"), 0, promise_get_done, got[i]));
  }
  CHECK(session_run(s, &got[2]->kept, 1, 5000));
  CHECK_TEXT(got[0]->body, "got");
  CHECK_INT(got[0]->message_count, 41);
  CHECK(got[1]->delivery_tag != 0 && got[1]->body_size == 0);
  CHECK(got[2]->delivery_tag == 0);
  CHECK_STATUS(CALL(amqp_event_ack(s->channel, got[0]->delivery_tag, 0)), AMQP_STATUS_OK);
  session_close(s);
  peer_stop(p);
}

/* ---- the end of a consumer ---- */

CASE(a_consumer_is_cancelled) {
  peer *p = peer_start(peer_ordinary, NULL);
  session *s = session_with_channel(p, 0);
  session_consume(s, "q");
  CHECK(amqp_event_consumer_channel(s->consumer) == s->channel);
  CHECK(amqp_event_consumer_tag(s->consumer).len > 0);
  CHECK(session_run(s, &s->consuming, 1, 5000));
  CHECK_STATUS(CALL(amqp_event_cancel(s->consumer)), AMQP_STATUS_OK);
  CHECK_STATUS(CALL(amqp_event_cancel(s->consumer)), AMQP_STATUS_UNEXPECTED_STATE);
  CHECK(session_run(s, &s->cancelled, 1, 5000));
  CHECK_STATUS(s->cancelled_told.status, 0);
  session_close(s);
  peer_stop(p);
}

static void cancels(peer_link *link, void *unused) {
  peer_buffer b = {{0}, 0};
  (void)unused;
  if (!until_consumed(link) || !peer_serve_until_go(link, PEER_LIVE, 10000)) return;
  peer_put_shortstr(&b, peer_consumer_tag(link));
  peer_put8(&b, 1);
  peer_send_method(link, 1, AMQP_BASIC_CANCEL_METHOD, b.bytes, b.size);
  peer_serve_until_go(link, PEER_LIVE, 10000);
  peer_reset(link);
  if (peer_accept(link, 10000)) peer_ordinary(link, NULL);
}

CASE(the_broker_cancels_a_consumer) {
  peer *p = peer_start(cancels, NULL);
  session *s = session_with_channel(p, 0);
  session_consume(s, "q");
  CHECK(session_run(s, &s->consuming, 1, 5000));
  peer_go(p);
  CHECK(session_run(s, &s->cancelled, 1, 5000));
  CHECK_STATUS(s->cancelled_told.status, AMQP_EVENT_STATUS_REFUSED);
  CHECK_INT(s->cancelled_told.reply_code, 0);
  peer_go(p);
  CHECK(session_run(s, &s->recovered, 1, 5000));
  CHECK_INT(peer_count(p, AMQP_BASIC_CONSUME_METHOD), 1);
  session_close(s);
  peer_stop(p);
}

CASE(a_consumer_is_paused_and_resumed) {
  peer *p = peer_start(peer_ordinary, NULL);
  session *s = session_with_channel(p, 0);
  amqp_event_consumer_t *handle;
  session_consume(s, "q");
  handle = s->consumer;
  CHECK(session_run(s, &s->consuming, 1, 5000));
  CHECK_STATUS(CALL(amqp_event_pause(s->consumer)), AMQP_STATUS_OK);
  session_idle(s, 50);
  CHECK_INT(peer_count(p, AMQP_BASIC_CANCEL_METHOD), 1);
  CHECK_INT(s->cancelled, 0);
  CHECK_STATUS(CALL(amqp_event_resume(s->consumer)), AMQP_STATUS_OK);
  session_idle(s, 50);
  CHECK_INT(peer_count(p, AMQP_BASIC_CONSUME_METHOD), 2);
  CHECK(s->consumer == handle);
  CALL(amqp_event_cancel(s->consumer));
  CHECK(session_run(s, &s->cancelled, 1, 5000));
  session_close(s);
  peer_stop(p);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
