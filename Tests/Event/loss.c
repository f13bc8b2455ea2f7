/* Losing the broker: heartbeats, what recovery brings back, other hosts, and a cut after every byte. */
#include <string.h>

#include "session.h"

/* ---- heartbeats ---- */

static void falls_silent(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_handshake(link, 0, 131072, 1)) return;
  peer_serve(link, PEER_LIVE, 3000);
  peer_reached(link, 1);
  peer_serve(link, PEER_READ, 20000);
}

CASE(heartbeats_are_sent_and_missed) {
  peer *p = peer_start(falls_silent, NULL);
  session *s = session_ready(p);
  amqp_event_stats_t stats;
  int64_t silent_since;
  stats.size = sizeof stats;
  CHECK_INT(amqp_event_connection_heartbeat(s->connection), 1);
  session_idle(s, 2500);
  CHECK_INT(s->lost, 0);
  CHECK(peer_seen(p)->heartbeats >= 4);
  CHECK_BETWEEN(peer_seen(p)->longest_silence / 1000000, 0, 900);
  CHECK_STATUS(CALL(amqp_event_connection_stats(s->connection, &stats)), AMQP_STATUS_OK);
  CHECK(stats.heartbeats_sent >= 4 && stats.heartbeats_received >= 4);
  CHECK(session_run(s, &s->lost, 1, 8000));
  silent_since = peer_seen(p)->last_sent_at;
  CHECK_BETWEEN(elapsed_milliseconds(silent_since), 1950, 2900);
  CHECK_STATUS(s->lost_told.status, AMQP_STATUS_HEARTBEAT_TIMEOUT);
  CHECK_INT(s->lost_told.kind, AMQP_EVENT_ERROR_TIMEOUT);
  CHECK_INT(s->lost_told.can_retry, 1);
  session_end(s);
  peer_stop(p);
}

CASE(the_broker_proposes_the_heartbeat) {
  peer *p = peer_start(falls_silent, NULL);
  session *s = session_new(p);
  amqp_event_options_set_heartbeat(s->options, 30);
  session_open(s);
  CHECK(session_run(s, &s->ready, 1, 5000));
  CHECK_INT(amqp_event_connection_heartbeat(s->connection), 1);
  CHECK_INT(peer_seen(p)->heartbeat, 1);
  session_end(s);
  peer_stop(p);
}

/* ---- what comes back ---- */

/* Serves one connection until told, then resets it; then others without end. Queues without a name get another one each time. */
static void lost_once(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_handshake(link, 0, 131072, 0)) return;
  if (!peer_serve_until_go(link, PEER_LIVE, 10000)) return;
  peer_deliver(link, 1, 1, "before", 6);
  if (!peer_serve_until_go(link, PEER_LIVE, 10000)) return;
  peer_reset(link);
  if (!peer_accept(link, 20000) || !peer_handshake(link, 0, 131072, 0)) return;
  if (!peer_serve_until(link, AMQP_BASIC_CONSUME_METHOD, 10000)) return;
  peer_answer(link);
  peer_reached(link, 2);
  peer_deliver(link, 1, 1, "after", 5);
  peer_serve(link, PEER_LIVE | PEER_CONFIRM, 20000);
}

/* Where in the record the client has first sent a method after its nth connection.open; 0: it has not. */
static uint32_t sent_after(const peer *p, unsigned connection, uint32_t method) {
  const peer_record *seen = peer_seen(p);
  const peer_frame *open = peer_find(p, AMQP_CONNECTION_OPEN_METHOD, connection);
  uint32_t at;
  if (!CHECK(open != NULL)) return 0;
  for (at = (uint32_t)(open - seen->frames) + 1; at < seen->frame_count; at++)
    if (seen->frames[at].type == PEER_FRAME_METHOD && seen->frames[at].id == method) return at;
  return 0;
}

CASE(channels_declarations_and_consumers_come_back) {
  peer *p = peer_start(lost_once, NULL);
  session *s = session_with_channel(p, 1);
  promise *lost;
  uint64_t old_tag;
  uint32_t declared[4];
  CHECK_STATUS(CALL(amqp_event_qos(s->channel, 7, NULL, NULL)), AMQP_STATUS_OK);
  CHECK_STATUS(CALL(amqp_event_exchange_declare(s->channel, client_bytes("an.exchange"), client_bytes("fanout"), 0, NULL, NULL, NULL)),
               AMQP_STATUS_OK);
  CHECK_STATUS(CALL(amqp_event_queue_declare(s->channel, client_bytes("q"), NULL, NULL, NULL)), AMQP_STATUS_OK);
  CHECK_STATUS(CALL(amqp_event_queue_bind(s->channel, client_bytes("q"), client_bytes("an.exchange"), amqp_empty_bytes, NULL, NULL, NULL)),
               AMQP_STATUS_OK);
  session_consume(s, "q");
  CHECK(session_run(s, &s->consuming, 1, 5000));
  peer_go(p);
  CHECK(session_run(s, &s->messages, 1, 5000));
  old_tag = s->delivery_tag;
  lost = promise_publish(s, "q", "never confirmed");
  session_idle(s, 50);
  peer_go(p);
  CHECK(session_run(s, &s->lost, 1, 5000));
  CHECK_INT(lost->kept, 1);
  CHECK_INT(lost->outcome, AMQP_EVENT_LOST);
  CHECK_STATUS(CALL(amqp_event_ack(s->channel, old_tag, 0)), AMQP_EVENT_STATUS_STALE);
  CHECK_STATUS(CALL(amqp_event_qos(s->channel, 8, NULL, NULL)), AMQP_STATUS_CONNECTION_CLOSED);
  CHECK(session_run(s, &s->recovered, 1, 5000));
  CHECK_STATUS(s->recovered_told.status, 0);
  CHECK_INT(s->recovering, 1);
  declared[0] = sent_after(p, 1, AMQP_EXCHANGE_DECLARE_METHOD);
  declared[1] = sent_after(p, 1, AMQP_QUEUE_DECLARE_METHOD);
  declared[2] = sent_after(p, 1, AMQP_QUEUE_BIND_METHOD);
  declared[3] = sent_after(p, 1, AMQP_BASIC_CONSUME_METHOD);
  CHECK(0 < declared[0] && declared[0] < declared[1] && declared[1] < declared[2] && declared[2] < declared[3]);
  CHECK(sent_after(p, 1, AMQP_BASIC_QOS_METHOD) > 0 && sent_after(p, 1, AMQP_BASIC_QOS_METHOD) < declared[3]);
  CHECK(sent_after(p, 1, AMQP_CONFIRM_SELECT_METHOD) > 0);
  CHECK(session_run(s, &s->messages, 2, 5000));
  CHECK_TEXT(s->body, "after");
  CHECK_STATUS(CALL(amqp_event_ack(s->channel, old_tag, 0)), AMQP_EVENT_STATUS_STALE);
  CHECK_STATUS(CALL(amqp_event_ack(s->channel, s->delivery_tag, 0)), AMQP_STATUS_OK);
  lost = promise_publish(s, "q", "confirmed");
  CHECK_INT(lost->sequence, 2);
  CHECK(session_run(s, &lost->kept, 1, 5000));
  CHECK_INT(lost->outcome, AMQP_EVENT_ACKED);
  CHECK_INT(lost->delivery_tag, 1);
  session_close(s);
  CHECK_INT(peer_count(p, AMQP_BASIC_ACK_METHOD), 1);
  peer_stop(p);
}

CASE(what_was_deleted_stays_deleted) {
  peer *p = peer_start(lost_once, NULL);
  session *s = session_with_channel(p, 0);
  CALL(amqp_event_exchange_declare(s->channel, client_bytes("x"), client_bytes("fanout"), 0, NULL, NULL, NULL));
  CALL(amqp_event_queue_declare(s->channel, client_bytes("gone"), NULL, NULL, NULL));
  CALL(amqp_event_queue_bind(s->channel, client_bytes("gone"), client_bytes("x"), amqp_empty_bytes, NULL, NULL, NULL));
  CALL(amqp_event_queue_declare(s->channel, client_bytes("q"), NULL, NULL, NULL));
  CALL(amqp_event_queue_bind(s->channel, client_bytes("q"), client_bytes("x"), client_bytes("k"), NULL, NULL, NULL));
  CALL(amqp_event_queue_unbind(s->channel, client_bytes("q"), client_bytes("x"), client_bytes("k"), NULL, NULL, NULL));
  CALL(amqp_event_queue_delete(s->channel, client_bytes("gone"), 0, 0, NULL, NULL));
  CALL(amqp_event_exchange_delete(s->channel, client_bytes("x"), 0, NULL, NULL));
  session_consume(s, "q");
  CHECK(session_run(s, &s->consuming, 1, 5000));
  peer_go(p);
  peer_go(p);
  CHECK(session_run(s, &s->recovered, 1, 5000));
  CHECK(sent_after(p, 1, AMQP_QUEUE_DECLARE_METHOD) > 0);
  CHECK_INT(peer_count(p, AMQP_QUEUE_DECLARE_METHOD), 3);
  CHECK_INT(sent_after(p, 1, AMQP_EXCHANGE_DECLARE_METHOD), 0);
  CHECK_INT(sent_after(p, 1, AMQP_QUEUE_BIND_METHOD), 0);
  CHECK_INT(sent_after(p, 1, AMQP_BASIC_QOS_METHOD), 0);
  session_close(s);
  peer_stop(p);
}

/* Two connections; on each, the queue without a name gets one that says which. */
static void names_queues(peer_link *link, void *unused) {
  static const char *const names[] = {"amq.gen-one", "amq.gen-two"};
  int i;
  (void)unused;
  for (i = 0; i < 2; i++) {
    peer_buffer b = {{0}, 0};
    if (i > 0 && !peer_accept(link, 20000)) return;
    if (!peer_handshake(link, 0, 131072, 0) || !peer_serve_until(link, AMQP_QUEUE_DECLARE_METHOD, 10000)) return;
    peer_put_shortstr(&b, names[i]);
    peer_put64(&b, 0);
    peer_send_method(link, peer_channel(link), AMQP_QUEUE_DECLARE_OK_METHOD, b.bytes, b.size);
    if (!peer_serve_until_go(link, PEER_LIVE, 20000)) return;
    peer_reset(link);
  }
}

CASE(a_queue_named_by_the_broker_gets_another_name) {
  peer *p = peer_start(names_queues, NULL);
  session *s = session_with_channel(p, 0);
  promise *declared = promised(s, "declare");
  const peer_frame *frame;
  CHECK_STATUS(ACCEPT(declared, amqp_event_queue_declare(s->channel, amqp_empty_bytes, NULL, promise_queue_done, declared)),
               AMQP_STATUS_OK);
  CHECK(session_run(s, &declared->kept, 1, 5000));
  CHECK_TEXT(declared->name, "amq.gen-one");
  CALL(amqp_event_queue_bind(s->channel, client_bytes(declared->name), client_bytes("amq.fanout"), amqp_empty_bytes, NULL, NULL, NULL));
  session_consume(s, declared->name);
  CHECK(session_run(s, &s->consuming, 1, 5000));
  peer_go(p);
  CHECK(session_run(s, &s->recovered, 1, 5000));
  frame = peer_find(p, AMQP_QUEUE_DECLARE_METHOD, 1);
  CHECK(frame != NULL && peer_seen(p)->bytes[frame->offset + 6] == 0);
  frame = peer_find(p, AMQP_QUEUE_BIND_METHOD, 1);
  CHECK(frame != NULL && memcmp(peer_seen(p)->bytes + frame->offset + 6, "\13amq.gen-two", 12) == 0);
  frame = peer_find(p, AMQP_BASIC_CONSUME_METHOD, 1);
  CHECK(frame != NULL && memcmp(peer_seen(p)->bytes + frame->offset + 6, "\13amq.gen-two", 12) == 0);
  session_end(s);
  peer_stop(p);
}

CASE(without_recovery_a_loss_is_the_end) {
  peer *p = peer_start(lost_once, NULL);
  session *s = session_new(p);
  amqp_event_options_set_recovery(s->options, AMQP_EVENT_RECOVERY_NONE);
  session_open(s);
  CHECK(session_run(s, &s->ready, 1, 5000));
  peer_go(p);
  peer_go(p);
  CHECK(session_run(s, &s->closed, 1, 5000));
  CHECK_INT(s->lost, 0);
  CHECK(s->closed_told.status != 0);
  session_end(s);
  peer_stop(p);
}

CASE(recovery_of_the_connection_alone_closes_channels) {
  peer *p = peer_start(peer_ordinary_again_and_again, NULL);
  session *s = session_new(p);
  amqp_event_options_set_recovery(s->options, AMQP_EVENT_RECOVERY_CONNECTION);
  session_open(s);
  CHECK(session_run(s, &s->ready, 1, 5000));
  session_open_channel(s);
  session_idle(s, 50);
  peer_stop(p);
  CHECK(session_run(s, &s->lost, 1, 5000));
  CHECK_INT(s->channel_closed, 1);
  CHECK(s->channel_told.status != 0);
  session_end(s);
}

CASE(another_host_takes_over) {
  peer *first = peer_start(peer_ordinary, NULL), *second = peer_start(peer_ordinary, NULL);
  session *s = session_new(first);
  amqp_event_options_add_host(s->options, "127.0.0.1", peer_port(second));
  session_open(s);
  CHECK(session_run(s, &s->ready, 1, 5000));
  CHECK(peer_seen(first)->accepted_at != 0 && peer_seen(second)->accepted_at == 0);
  peer_stop(first);
  CHECK(session_run(s, &s->recovered, 1, 5000));
  CHECK_INT(s->attempt, 1);
  CHECK_TEXT(s->host, "127.0.0.1");
  CHECK_INT(s->port, peer_port(second));
  session_close(s);
  peer_stop(second);
}

static void closes_by_force(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_handshake(link, 0, 131072, 0) || !peer_serve_until_go(link, PEER_LIVE, 10000)) return;
  peer_send_connection_close(link, 320, "CONNECTION_FORCED - go");
  peer_serve(link, PEER_READ, 5000);
  while (peer_accept(link, 20000)) peer_ordinary(link, NULL);
}

CASE(a_forced_close_is_recovered_from) {
  peer *p = peer_start(closes_by_force, NULL);
  session *s = session_with_channel(p, 0);
  peer_go(p);
  CHECK(session_run(s, &s->recovered, 1, 5000));
  CHECK_INT(s->lost_told.reply_code, 320);
  CHECK_INT(s->lost_told.kind, AMQP_EVENT_ERROR_CONNECTION_CLOSE);
  CHECK_INT(s->lost_told.can_retry, 1);
  CHECK_INT(peer_count(p, AMQP_CONNECTION_CLOSE_OK_METHOD), 1);
  CHECK_INT(s->channel_closed, 0);
  session_close(s);
  peer_stop(p);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
