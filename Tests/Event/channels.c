/* Operations on channels: pipelined, each with its own answer, refused, late, and after a close. */
#include <string.h>

#include "session.h"

CASE(every_operation_has_its_answer) {
  peer *p = peer_start(peer_ordinary, NULL);
  session *s = session_with_channel(p, 0);
  amqp_event_channel_t *c = s->channel;
  amqp_bytes_t q = client_bytes("q"), x = client_bytes("x"), none = amqp_empty_bytes;
  promise *all[16];
  size_t n = 0, i;
  CHECK_INT(amqp_event_channel_number(c), 1);
  CHECK(amqp_event_channel_connection(c) == s->connection);
#define ANSWERED(name, call) \
  (all[n] = promised(s, name), CHECK_STATUS(ACCEPT(all[n], call), AMQP_STATUS_OK), n++)
  ANSWERED("qos", amqp_event_qos(c, 10, promise_done, all[n]));
  ANSWERED("exchange.declare", amqp_event_exchange_declare(c, x, client_bytes("topic"), AMQP_EVENT_DURABLE, NULL, promise_done, all[n]));
  ANSWERED("exchange.bind", amqp_event_exchange_bind(c, x, client_bytes("amq.topic"), none, NULL, promise_done, all[n]));
  ANSWERED("exchange.unbind", amqp_event_exchange_unbind(c, x, client_bytes("amq.topic"), none, NULL, promise_done, all[n]));
  ANSWERED("queue.declare", amqp_event_queue_declare(c, q, NULL, promise_queue_done, all[n]));
  ANSWERED("queue.bind", amqp_event_queue_bind(c, q, x, client_bytes("k"), NULL, promise_done, all[n]));
  ANSWERED("queue.unbind", amqp_event_queue_unbind(c, q, x, client_bytes("k"), NULL, promise_done, all[n]));
  ANSWERED("queue.purge", amqp_event_queue_purge(c, q, promise_queue_done, all[n]));
  ANSWERED("queue.delete", amqp_event_queue_delete(c, q, 1, 1, promise_queue_done, all[n]));
  ANSWERED("exchange.delete", amqp_event_exchange_delete(c, x, 1, promise_done, all[n]));
  ANSWERED("get", amqp_event_get(c, q, 1, promise_get_done, all[n]));
  ANSWERED("tx.select", amqp_event_tx_select(c, promise_done, all[n]));
  ANSWERED("tx.commit", amqp_event_tx_commit(c, promise_done, all[n]));
  ANSWERED("tx.rollback", amqp_event_tx_rollback(c, promise_done, all[n]));
  CHECK(session_run(s, &all[n - 1]->kept, 1, 5000));
  for (i = 0; i < n; i++) {
    CHECK_INT(all[i]->kept, 1);
    CHECK_STATUS(all[i]->status, 0);
  }
  CHECK_TEXT(all[4]->name, "q");
  CHECK_INT(all[4]->message_count, 7);
  CHECK_INT(all[4]->consumer_count, 3);
  CHECK_INT(all[7]->message_count, 5);
  CHECK_INT(all[8]->message_count, 5);
  session_close(s);
  CHECK(peer_join(p, 5000));
  CHECK_INT(peer_seen(p)->malformed, 0);
  peer_stop(p);
}

static void answers_nothing_until_told(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_open_channels(link, 1) || !peer_serve_until_go(link, PEER_READ, 10000)) return;
  peer_cork(link);
  peer_send_method(link, 1, AMQP_BASIC_QOS_OK_METHOD, NULL, 0);
  peer_send_method(link, 1, AMQP_QUEUE_BIND_OK_METHOD, NULL, 0);
  peer_send_channel_close(link, 1, 404, "NOT_FOUND - no queue");
  peer_uncork(link);
  peer_serve(link, PEER_LIVE, 10000);
}

CASE(requests_are_sent_together_and_fail_together) {
  peer *p = peer_start(answers_nothing_until_told, NULL);
  session *s = session_with_channel(p, 0);
  promise *ops[5];
  int64_t first;
  int i;
  for (i = 0; i < 5; i++) ops[i] = promised(s, "operation");
  ACCEPT(ops[0], amqp_event_qos(s->channel, 1, promise_done, ops[0]));
  ACCEPT(ops[1], amqp_event_queue_bind(s->channel, client_bytes("q"), client_bytes("x"), amqp_empty_bytes, NULL, promise_done, ops[1]));
  ACCEPT(ops[2], amqp_event_queue_declare(s->channel, client_bytes("q"), NULL, promise_queue_done, ops[2]));
  ACCEPT(ops[3], amqp_event_get(s->channel, client_bytes("q"), 0, promise_get_done, ops[3]));
  ACCEPT(ops[4], amqp_event_confirm_select(s->channel, promise_done, ops[4]));
  session_idle(s, 100);
  CHECK_INT(peer_count(p, AMQP_CONFIRM_SELECT_METHOD), 1);
  first = peer_find(p, AMQP_BASIC_QOS_METHOD, 0)->at;
  CHECK_INT(peer_find(p, AMQP_CONFIRM_SELECT_METHOD, 0)->at, first);
  peer_go(p);
  CHECK(session_run(s, &s->channel_closed, 1, 5000));
  CHECK(promises_kept(s));
  CHECK_STATUS(ops[0]->status, 0);
  CHECK_STATUS(ops[1]->status, 0);
  for (i = 2; i < 5; i++) {
    CHECK_INT(ops[i]->reply_code, 404);
    CHECK_INT(ops[i]->kind, AMQP_EVENT_ERROR_CHANNEL_CLOSE);
  }
  CHECK_INT(s->channel_told.reply_code, 404);
  CHECK(strstr(s->channel_told.text, "no queue") != NULL);
  CHECK_INT(s->lost, 0);
  session_open_channel(s);
  session_idle(s, 100);
  CHECK_INT(peer_count(p, AMQP_CHANNEL_CLOSE_OK_METHOD), 1);
  session_close(s);
  peer_stop(p);
}

static void answers_late(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_open_channels(link, 1) || !peer_expect(link, AMQP_BASIC_QOS_METHOD, 5000)) return;
  peer_serve_until_go(link, PEER_MUTE, 5000);
  peer_answer(link);
  peer_serve(link, PEER_LIVE, 10000);
}

CASE(a_late_answer_belongs_to_nobody) {
  peer *p = peer_start(answers_late, NULL);
  session *s = session_new(p);
  promise *late, *next;
  amqp_event_options_set_timeouts(s->options, 1000, 1000, 200, 1000, 0);
  session_open(s);
  CHECK(session_run(s, &s->ready, 1, 5000));
  session_open_channel(s);
  late = promised(s, "qos");
  ACCEPT(late, amqp_event_qos(s->channel, 1, promise_done, late));
  CHECK(session_run(s, &late->kept, 1, 5000));
  CHECK_STATUS(late->status, AMQP_STATUS_TIMEOUT);
  CHECK_INT(late->kind, AMQP_EVENT_ERROR_TIMEOUT);
  peer_go(p);
  next = promised(s, "declare");
  ACCEPT(next, amqp_event_queue_declare(s->channel, client_bytes("q"), NULL, promise_queue_done, next));
  CHECK(session_run(s, &next->kept, 1, 5000));
  CHECK_STATUS(next->status, 0);
  CHECK_TEXT(next->name, "q");
  session_close(s);
  peer_stop(p);
}

static void closes_late(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_open_channels(link, 1) || !peer_serve_until(link, AMQP_CONFIRM_SELECT_METHOD, 5000)) return;
  peer_answer(link);
  if (!peer_serve_until(link, AMQP_CHANNEL_CLOSE_METHOD, 5000)) return;
  peer_serve_until_go(link, PEER_MUTE, 5000);
  peer_send_ack(link, 1, 1, 0);
  peer_deliver(link, 1, 1, "late", 4);
  peer_send_channel_close(link, 1, 404, "NOT_FOUND - late too");
  peer_serve(link, PEER_LIVE, 30);
  peer_send_method(link, 1, AMQP_CHANNEL_CLOSE_OK_METHOD, NULL, 0);
  peer_serve(link, PEER_LIVE, 10000);
}

CASE(a_close_that_is_answered_late_harms_nobody) {
  peer *p = peer_start(closes_late, NULL);
  session *s = session_new(p);
  promise *published;
  amqp_event_options_set_timeouts(s->options, 1000, 1000, 1000, 150, 0);
  session_open(s);
  CHECK(session_run(s, &s->ready, 1, 5000));
  session_open_channel(s);
  CALL(amqp_event_confirm_select(s->channel, NULL, NULL));
  session_idle(s, 50);
  published = promise_publish(s, "q", "m");
  CALL(amqp_event_channel_close(s->channel));
  CHECK(session_run(s, &s->channel_closed, 1, 5000));
  CHECK_INT(published->outcome, AMQP_EVENT_CANCELLED);
  session_open_channel(s);
  CHECK_INT(amqp_event_channel_number(s->channel), 2);
  peer_go(p);
  session_idle(s, 150);
  CHECK_INT(s->lost, 0);
  CALL(amqp_event_channel_close(s->channel));
  CHECK(session_run(s, &s->channel_closed, 2, 5000));
  session_open_channel(s);
  CHECK_INT(amqp_event_channel_number(s->channel), 1);
  session_idle(s, 20);
  session_close(s);
  peer_stop(p);
}

CASE(close_of_a_channel_waits_for_what_was_sent) {
  peer *p = peer_start(peer_ordinary, NULL);
  session *s = session_with_channel(p, 1);
  promise *declared = promised(s, "declare"), *published;
  ACCEPT(declared, amqp_event_queue_declare(s->channel, client_bytes("q"), NULL, promise_queue_done, declared));
  published = promise_publish(s, "q", "m");
  CHECK_STATUS(CALL(amqp_event_channel_close(s->channel)), AMQP_STATUS_OK);
  CHECK_STATUS(CALL(amqp_event_channel_close(s->channel)), AMQP_STATUS_UNEXPECTED_STATE);
  CHECK_STATUS(CALL(amqp_event_qos(s->channel, 1, NULL, NULL)), AMQP_STATUS_UNEXPECTED_STATE);
  CHECK(session_run(s, &s->channel_closed, 1, 5000));
  CHECK_STATUS(s->channel_told.status, 0);
  CHECK_STATUS(declared->status, 0);
  CHECK_INT(published->kept, 1);
  CHECK_INT(s->lost, 0);
  session_close(s);
  peer_stop(p);
}

CASE(channels_end_with_their_connection) {
  peer *p = peer_start(answers_nothing_until_told, NULL);
  session *s = session_with_channel(p, 0);
  promise *never = promised(s, "qos");
  ACCEPT(never, amqp_event_qos(s->channel, 1, promise_done, never));
  CALL((amqp_event_connection_free(s->connection), 0));
  s->connection = NULL;
  CHECK_INT(never->kept, 0);
  CHECK(session_run(s, &s->closed, 1, 1000));
  CHECK_INT(never->kept, 1);
  CHECK_STATUS(never->status, AMQP_EVENT_STATUS_CANCELLED);
  CHECK_INT(s->channel_closed, 1);
  session_end(s);
  peer_stop(p);
}

enum { MANY_CHANNELS = 200 };

CASE(many_channels_keep_their_answers_apart) {
  peer *p = peer_start(peer_ordinary, NULL);
  session *s = session_ready(p);
  amqp_event_channel_t *channels[MANY_CHANNELS];
  promise *last = NULL;
  int i, round;
  for (i = 0; i < MANY_CHANNELS; i++)
    CHECK_STATUS(CALL(amqp_event_channel_open(s->connection, NULL, NULL, &channels[i])), AMQP_STATUS_OK);
  for (round = 0; round < 4; round++) {
    for (i = 0; i < MANY_CHANNELS; i++) {
      last = promised(s, "declare");
      CHECK_INT(amqp_event_channel_number(channels[i]), i + 1);
      ACCEPT(last, amqp_event_queue_declare(channels[i], client_bytes("q"), NULL, promise_queue_done, last));
    }
  }
  CHECK(session_run(s, &last->kept, 1, 10000));
  CHECK(promises_kept(s));
  session_close(s);
  peer_stop(p);
}

CASE(numbers_of_closed_channels_are_used_again) {
  peer *p = peer_start(peer_ordinary, NULL);
  session *s = session_new(p);
  amqp_event_channel_t *more = NULL;
  amqp_event_options_set_channel_max(s->options, 1);
  session_open(s);
  CHECK(session_run(s, &s->ready, 1, 5000));
  session_open_channel(s);
  CHECK_STATUS(CALL(amqp_event_channel_open(s->connection, NULL, NULL, &more)), AMQP_EVENT_STATUS_FULL);
  CALL(amqp_event_channel_close(s->channel));
  CHECK(session_run(s, &s->channel_closed, 1, 5000));
  session_idle(s, 20);
  session_open_channel(s);
  CHECK(s->channel != NULL);
  CHECK_INT(amqp_event_channel_number(s->channel), 1);
  session_close(s);
  peer_stop(p);
}

/* ---- what is not accepted ---- */

CASE(wrong_arguments_are_refused) {
  peer *p = peer_start(peer_ordinary, NULL);
  session *s = session_with_channel(p, 0);
  amqp_event_channel_t *c = s->channel;
  char long_text[257];
  amqp_bytes_t q = client_bytes("q"), none = amqp_empty_bytes, long_name = {256, long_text};
  amqp_event_stats_t stats;
  memset(long_text, 'x', 256);
  long_text[256] = 0;
#define INVALID(call) CHECK_STATUS(CALL(call), AMQP_STATUS_INVALID_PARAMETER)
  INVALID(amqp_event_qos(NULL, 1, NULL, NULL));
  INVALID(amqp_event_queue_declare(NULL, q, NULL, NULL, NULL));
  INVALID(amqp_event_queue_declare(c, long_name, NULL, NULL, NULL));
  INVALID(amqp_event_queue_bind(c, q, long_name, none, NULL, NULL, NULL));
  INVALID(amqp_event_exchange_declare(c, long_name, q, 0, NULL, NULL, NULL));
  INVALID(amqp_event_publish(NULL, none, q, 0, NULL, q, NULL, NULL, NULL));
  INVALID(amqp_event_publish(c, long_name, q, 0, NULL, q, NULL, NULL, NULL));
  INVALID(amqp_event_publish(c, none, long_name, 0, NULL, q, NULL, NULL, NULL));
  INVALID(amqp_event_consume(c, long_name, NULL, NULL, NULL, NULL, NULL));
  INVALID(amqp_event_consume(NULL, q, NULL, NULL, NULL, NULL, NULL));
  INVALID(amqp_event_cancel(NULL));
  INVALID(amqp_event_pause(NULL));
  INVALID(amqp_event_resume(NULL));
  INVALID(amqp_event_ack(NULL, 1, 0));
  INVALID(amqp_event_nack(NULL, 1, 0, 0));
  INVALID(amqp_event_reject(NULL, 1, 0));
  INVALID(amqp_event_get(c, long_name, 0, NULL, NULL));
  INVALID(amqp_event_drain(NULL, 0, NULL, NULL));
  INVALID(amqp_event_drain(c, -1, NULL, NULL));
  INVALID(amqp_event_channel_close(NULL));
  INVALID(amqp_event_channel_open(NULL, NULL, NULL, &c));
  INVALID(amqp_event_connection_open(NULL));
  INVALID(amqp_event_connection_close(NULL, 200, NULL));
  INVALID(amqp_event_connection_close(s->connection, 200, long_text));
  INVALID(amqp_event_connection_close(s->connection, 70000, NULL));
  INVALID(amqp_event_connection_set_callbacks(NULL, NULL, NULL));
  INVALID(amqp_event_connection_update_secret(NULL, q, q, NULL, NULL));
  INVALID(amqp_event_post(NULL, NULL, NULL));
  INVALID(amqp_event_post(s->connection, NULL, NULL));
  stats.size = 4;
  INVALID(amqp_event_connection_stats(s->connection, &stats));
  INVALID(amqp_event_connection_stats(s->connection, NULL));
  CHECK_STATUS(CALL(amqp_event_publish(s->channel, none, q, 0, NULL, q, promise_confirm, NULL, NULL)), AMQP_STATUS_UNEXPECTED_STATE);
  CHECK(amqp_event_connection_new(NULL, NULL) == NULL);
  CHECK_INT(amqp_event_connection_state(NULL), AMQP_EVENT_STATE_CLOSED);
  CHECK_INT(amqp_event_channel_number(NULL), 0);
  CHECK_INT(amqp_event_outstanding(NULL), 0);
  CHECK_INT(amqp_event_can_publish(NULL), 0);
  CHECK(amqp_event_channel_connection(NULL) == NULL);
  CHECK(amqp_event_consumer_channel(NULL) == NULL);
  CHECK_INT(amqp_event_consumer_tag(NULL).len, 0);
  CHECK_TEXT(amqp_event_state_name((amqp_event_state_t)99), "unknown");
  amqp_event_connection_free(NULL);
  amqp_event_options_free(NULL);
  session_close(s);
  CHECK_INT(peer_seen(p)->publishes, 0);
  peer_stop(p);
}

CASE(wrong_options_are_refused) {
  amqp_event_options_t *o = amqp_event_options_new();
#define REFUSED(call) CHECK_STATUS((call), AMQP_STATUS_INVALID_PARAMETER)
  REFUSED(amqp_event_options_add_host(o, NULL, 5672));
  REFUSED(amqp_event_options_add_host(o, "h", 65536));
  REFUSED(amqp_event_options_add_host(o, "h", -1));
  REFUSED(amqp_event_options_set_vhost(o, NULL));
  REFUSED(amqp_event_options_set_login(o, NULL, "p"));
  REFUSED(amqp_event_options_set_heartbeat(o, -1));
  REFUSED(amqp_event_options_set_heartbeat(o, 65536));
  REFUSED(amqp_event_options_set_frame_max(o, 4095));
  REFUSED(amqp_event_options_set_channel_max(o, 0));
  REFUSED(amqp_event_options_set_channel_max(o, 65536));
  REFUSED(amqp_event_options_set_tls(o, NULL, "cert", NULL));
  REFUSED(amqp_event_options_set_timeouts(o, -1, 0, 0, 0, 0));
  REFUSED(amqp_event_options_set_reconnect(o, 1, 1, 101, 0));
  REFUSED(amqp_event_options_set_reconnect(o, -1, 1, 0, 0));
  REFUSED(amqp_event_options_set_heartbeat(NULL, 1));
  CHECK_STATUS(amqp_event_options_set_url(o, "no url"), AMQP_STATUS_BAD_URL);
  REFUSED(amqp_event_options_set_url(o, NULL));
  CHECK_STATUS(amqp_event_options_set_url(o, "amqp://u:p@h:1/v"), AMQP_STATUS_OK);
  CHECK_STATUS(amqp_event_options_set_frame_max(o, 4096), AMQP_STATUS_OK);
  amqp_event_options_free(o);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
