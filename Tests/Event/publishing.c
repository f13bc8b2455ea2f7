/* What becomes of messages: one outcome each, order, limits, and when they leave. */
#include <stdlib.h>
#include <string.h>

#include "session.h"

CASE(each_message_is_confirmed) {
  peer *p = peer_start(peer_ordinary, NULL);
  session *s = session_with_channel(p, 1);
  amqp_event_stats_t stats;
  int i;
  for (i = 0; i < 100; i++) {
    promise *m = promise_publish(s, "q", "m");
    CHECK_STATUS(m->refused, AMQP_STATUS_OK);
    CHECK_INT(m->sequence, i + 1);
  }
  CHECK_INT(amqp_event_outstanding(s->channel), 100);
  CHECK(session_run(s, &s->promises[s->promise_count - 1].kept, 1, 5000));
  CHECK(promises_kept(s));
  CHECK_INT(amqp_event_outstanding(s->channel), 0);
  for (i = 0; i < 100; i++) {
    CHECK_INT(s->promises[2 + i].outcome, AMQP_EVENT_ACKED);
    CHECK_INT(s->promises[2 + i].delivery_tag, i + 1);
  }
  stats.size = sizeof stats;
  CHECK_STATUS(CALL(amqp_event_connection_stats(s->connection, &stats)), AMQP_STATUS_OK);
  CHECK_INT(stats.published, 100);
  CHECK_INT(stats.confirmed, 100);
  session_close(s);
  CHECK_INT(peer_seen(p)->malformed, 0);
  peer_stop(p);
}

static void answers_in_every_way(peer_link *link, void *unused) {
  peer_buffer nack = {{0}, 0};
  (void)unused;
  if (!peer_open_channels(link, 1) || !peer_serve_until_go(link, PEER_LIVE, 10000)) return;
  peer_put64(&nack, 5);
  peer_put8(&nack, 0);
  peer_cork(link);
  peer_send_ack(link, 1, 2, 0);                                        /* 2 alone, before 1 */
  peer_send_ack(link, 1, 4, 1);                                        /* 1, 3 and 4 */
  peer_send_method(link, 1, AMQP_BASIC_NACK_METHOD, nack.bytes, nack.size); /* 5 */
  peer_return(link, 1, 312, "NO_ROUTE", "six", 3);                     /* 6, then its ack */
  peer_send_ack(link, 1, 6, 0);
  peer_uncork(link);
  if (!peer_serve_until_go(link, PEER_LIVE, 10000)) return;
  peer_send_channel_close(link, 1, 404, "NOT_FOUND - no exchange");    /* 7 is lost */
  peer_serve(link, PEER_LIVE, 10000);
}

CASE(every_outcome_comes_to_the_message_that_it_is_about) {
  static const char *const bodies[] = {"one", "two", "three", "four", "five", "six", "seven"};
  static const amqp_event_outcome_t expected[] = {AMQP_EVENT_ACKED, AMQP_EVENT_ACKED, AMQP_EVENT_ACKED,   AMQP_EVENT_ACKED,
                                                  AMQP_EVENT_NACKED, AMQP_EVENT_RETURNED, AMQP_EVENT_LOST};
  peer *p = peer_start(answers_in_every_way, NULL);
  session *s = session_with_channel(p, 1);
  promise *m[7];
  int i;
  for (i = 0; i < 7; i++) m[i] = promise_publish(s, "a.routing.key", bodies[i]);
  session_idle(s, 20);
  peer_go(p);
  CHECK(session_run(s, &m[5]->kept, 1, 5000));
  CHECK_INT(m[6]->kept, 0);
  CHECK_INT(amqp_event_outstanding(s->channel), 1);
  peer_go(p);
  CHECK(session_run(s, &s->channel_closed, 1, 5000));
  for (i = 0; i < 7; i++) {
    CHECK_INT(m[i]->kept, 1);
    CHECK_INT(m[i]->outcome, expected[i]);
  }
  CHECK_INT(m[0]->multiple, 1);
  CHECK_INT(m[1]->multiple, 0);
  CHECK_TEXT(m[5]->body, "six");
  CHECK_TEXT(m[5]->name, "NO_ROUTE");
  CHECK_INT(m[6]->reply_code, 404);
  CHECK_INT(s->returns, 0);
  session_close(s);
  peer_stop(p);
}

/* Until told, and then too late. */
static void confirms_nothing(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_open_channels(link, 1) || !peer_serve_until_go(link, PEER_LIVE, 20000)) return;
  peer_send_ack(link, 1, 1, 0);
  peer_send_ack(link, 1, 3, 1);
  peer_serve(link, PEER_LIVE, 20000);
}

CASE(a_confirm_that_does_not_come_times_out) {
  peer *p = peer_start(confirms_nothing, NULL);
  session *s = session_new(p);
  promise *m[3];
  int64_t since;
  amqp_event_options_set_confirm_timeout(s->options, 200);
  session_open(s);
  CHECK(session_run(s, &s->ready, 1, 5000));
  session_open_channel(s);
  CALL(amqp_event_confirm_select(s->channel, NULL, NULL));
  session_idle(s, 20);
  since = peer_now();
  m[0] = promise_publish(s, "q", "one");
  session_idle(s, 100);
  m[1] = promise_publish(s, "q", "two");
  CHECK(session_run(s, &m[0]->kept, 1, 5000));
  CHECK_BETWEEN(elapsed_milliseconds(since), 195, 1500);
  CHECK_INT(m[0]->outcome, AMQP_EVENT_TIMED_OUT);
  CHECK(session_run(s, &m[1]->kept, 1, 5000));
  CHECK_INT(m[1]->outcome, AMQP_EVENT_TIMED_OUT);
  CHECK_INT(amqp_event_outstanding(s->channel), 0);
  m[2] = promise_publish(s, "q", "three");
  session_idle(s, 20);
  peer_go(p);
  CHECK(session_run(s, &m[2]->kept, 1, 5000));
  CHECK_INT(m[2]->outcome, AMQP_EVENT_ACKED);
  CHECK_INT(s->lost, 0);
  session_close(s);
  peer_stop(p);
}

CASE(free_cancels_what_is_outstanding) {
  peer *p = peer_start(confirms_nothing, NULL);
  session *s = session_with_channel(p, 1);
  promise *m = promise_publish(s, "q", "m"), *drained = promised(s, "drain");
  ACCEPT(drained, amqp_event_drain(s->channel, 0, promise_done, drained));
  session_idle(s, 20);
  CALL((amqp_event_connection_free(s->connection), 0));
  s->connection = NULL;
  CHECK_INT(m->kept, 0);
  CHECK(session_run(s, &s->closed, 1, 1000));
  CHECK_INT(m->outcome, AMQP_EVENT_CANCELLED);
  CHECK_STATUS(drained->status, AMQP_EVENT_STATUS_CANCELLED);
  session_end(s);
  peer_stop(p);
}

/* ---- drain ---- */

CASE(drain_waits_for_what_was_published_before) {
  peer *p = peer_start(answers_in_every_way, NULL);
  session *s = session_with_channel(p, 1);
  promise *drained = promised(s, "drain"), *late = promised(s, "drain"), *empty = promised(s, "drain");
  promise *m[7];
  int i;
  ACCEPT(empty, amqp_event_drain(s->channel, 0, promise_done, empty));
  CHECK(session_run(s, &empty->kept, 1, 1000));
  CHECK_STATUS(empty->status, 0);
  for (i = 0; i < 6; i++) m[i] = promise_publish(s, "a.routing.key", "m");
  ACCEPT(drained, amqp_event_drain(s->channel, 0, promise_done, drained));
  m[6] = promise_publish(s, "q", "after");
  ACCEPT(late, amqp_event_drain(s->channel, 150, promise_done, late));
  session_idle(s, 50);
  CHECK_INT(drained->kept, 0);
  peer_go(p);
  CHECK(session_run(s, &drained->kept, 1, 5000));
  CHECK_STATUS(drained->status, 0);
  CHECK_INT(m[5]->kept, 1);
  CHECK_INT(m[6]->kept, 0);
  CHECK(session_run(s, &late->kept, 1, 5000));
  CHECK_STATUS(late->status, AMQP_STATUS_TIMEOUT);
  session_end(s);
  peer_stop(p);
}

/* ---- limits ---- */

static void reads_when_told(peer_link *link, void *unused) {
  (void)unused;
  peer_set_receive_buffer(link, 65536);
  if (!peer_open_channels(link, 1) || !peer_serve_until_go(link, PEER_LIVE, 20000)) return;
  peer_reached(link, 1);
  if (!peer_serve_until_go(link, PEER_MUTE, 20000)) return;
  peer_set_recording(link, 0);
  peer_serve(link, PEER_LIVE, 20000);
}

CASE(a_slow_broker_stops_publishing_and_starts_it_again) {
  peer *p = peer_start(reads_when_told, NULL);
  session *s = session_new(p);
  amqp_bytes_t body = amqp_bytes_malloc(100000);
  amqp_event_stats_t stats;
  int accepted = 0, status, i, welcome = 0;
  memset(body.bytes, 'b', body.len);
  amqp_event_options_set_write_limits(s->options, 1 << 20, 1 << 18, 4 << 20);
  session_open(s);
  CHECK(session_run(s, &s->ready, 1, 5000));
  session_open_channel(s);
  session_idle(s, 50);
  peer_go(p);
  CHECK(peer_wait(p, 1, 5000));
  for (i = 0; i < 2000; i++) {
    welcome += amqp_event_can_publish(s->channel);
    status = CALL(amqp_event_publish(s->channel, amqp_empty_bytes, client_bytes("q"), 0, NULL, body, NULL, NULL, NULL));
    if (status != AMQP_STATUS_OK) break;
    accepted++;
    if (i % 10 == 0) session_idle(s, 1);
  }
  CHECK_STATUS(status, AMQP_EVENT_STATUS_FULL);
  CHECK(welcome < accepted);
  CHECK_INT(amqp_event_can_publish(s->channel), 0);
  stats.size = sizeof stats;
  CALL(amqp_event_connection_stats(s->connection, &stats));
  CHECK(stats.bytes_waiting <= 4 << 20);
  CHECK(stats.bytes_waiting >= (4 << 20) - 200000);
  peer_go(p);
  CHECK(session_run(s, &s->writable, 1, 20000));
  CALL(amqp_event_connection_stats(s->connection, &stats));
  CHECK(stats.bytes_waiting <= 1 << 18);
  session_close(s);
  CHECK_INT(peer_seen(p)->publishes, accepted);
  CHECK_INT(peer_seen(p)->malformed, 0);
  amqp_bytes_free(body);
  peer_stop(p);
}

static int released;
static void *released_bytes;
static void release(void *bytes, size_t length, void *ctx) {
  CHECK(session_calling == 0);
  CHECK(length > 0);
  CHECK_INT(((promise *)ctx)->kept, 0);
  released_bytes = bytes;
  released++;
}

CASE(a_body_by_reference_is_released_once) {
  peer *p = peer_start(peer_ordinary, NULL);
  session *s = session_with_channel(p, 1);
  amqp_bytes_t body = amqp_bytes_malloc(1 << 20);
  promise *m = promised(s, "publish_ref"), *refused = promised(s, "publish_ref");
  memset(body.bytes, 'b', body.len);
  ACCEPT(m, amqp_event_publish_ref(s->channel, amqp_empty_bytes, client_bytes("q"), 0, NULL, body, release, m, promise_confirm, m,
                                   &m->sequence));
  CHECK_STATUS(m->refused, AMQP_STATUS_OK);
  CHECK_INT(released, 0);
  CHECK(session_run(s, &m->kept, 1, 5000));
  CHECK_INT(released, 1);
  CHECK(released_bytes == body.bytes);
  CHECK_INT(m->outcome, AMQP_EVENT_ACKED);
  CALL(amqp_event_channel_close(s->channel));
  ACCEPT(refused, amqp_event_publish_ref(s->channel, amqp_empty_bytes, client_bytes("q"), 0, NULL, body, release, refused,
                                         promise_confirm, refused, NULL));
  CHECK_STATUS(refused->refused, AMQP_STATUS_UNEXPECTED_STATE);
  session_close(s);
  CHECK_INT(released, 1);
  CHECK_INT(peer_seen(p)->publishes, 1);
  amqp_bytes_free(body);
  peer_stop(p);
}

CASE(a_body_by_reference_is_released_after_a_free) {
  peer *p = peer_start(reads_when_told, NULL);
  session *s = session_with_channel(p, 1);
  amqp_bytes_t body = amqp_bytes_malloc(8 << 20);
  promise *m = promised(s, "publish_ref");
  memset(body.bytes, 'b', body.len);
  released = 0;
  peer_go(p);
  CHECK(peer_wait(p, 1, 5000));
  ACCEPT(m, amqp_event_publish_ref(s->channel, amqp_empty_bytes, client_bytes("q"), 0, NULL, body, release, m, promise_confirm, m,
                                   &m->sequence));
  session_idle(s, 30);
  CALL((amqp_event_connection_free(s->connection), 0));
  s->connection = NULL;
  CHECK_INT(released, 0);
  CHECK(session_run(s, &s->closed, 1, 1000));
  CHECK_INT(released, 1);
  CHECK_INT(m->outcome, AMQP_EVENT_CANCELLED);
  session_end(s);
  amqp_bytes_free(body);
  peer_stop(p);
}

static void sends_flow(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_open_channels(link, 1) || !peer_serve_until_go(link, PEER_LIVE, 5000)) return;
  peer_send_method(link, 1, AMQP_CHANNEL_FLOW_METHOD, "\0", 1);
  if (!peer_serve_until_go(link, PEER_LIVE, 5000)) return;
  peer_send_method(link, 1, AMQP_CHANNEL_FLOW_METHOD, "\1", 1);
  peer_serve(link, PEER_LIVE, 5000);
}

CASE(the_flow_is_stopped_and_resumed) {
  peer *p = peer_start(sends_flow, NULL);
  session *s = session_with_channel(p, 0);
  peer_go(p);
  CHECK(session_run(s, &s->flows, 1, 5000));
  CHECK_INT(s->flow_active, 0);
  CHECK_INT(amqp_event_can_publish(s->channel), 0);
  peer_go(p);
  CHECK(session_run(s, &s->writable, 1, 5000));
  CHECK_INT(s->flows, 2);
  CHECK_INT(s->flow_active, 1);
  session_close(s);
  CHECK_INT(peer_count(p, AMQP_CHANNEL_FLOW_OK_METHOD), 2);
  peer_stop(p);
}

/* ---- the trace ---- */

static char traced[8192];

static void keep_line(amqp_event_connection_t *connection, const char *line, void *ctx) {
  (void)connection, (void)ctx;
  CHECK_INT(strchr(line, '\n') != NULL, 0);
  if (strlen(traced) + strlen(line) + 2 < sizeof traced) strcat(strcat(traced, line), "\n");
}

CASE(the_trace_has_each_frame_and_no_secret) {
  static const char *const expected[] = {
    "<-- connection.start", "--> connection.start-ok", "--> connection.open", "--> channel.open channel 1",
    "--> confirm.select channel 1", "--> basic.publish channel 1", "--> content header channel 1, 14 bytes, body size 6",
    "--> body channel 1, 6 bytes", "<-- confirm.select-ok channel 1", "<-- basic.ack channel 1", "--> connection.close",
  };
  peer *p = peer_start(peer_ordinary, NULL);
  session *s = session_new(p);
  promise *selected, *published;
  const char *at = traced;
  size_t i;
  CHECK_STATUS(amqp_event_options_set_login(s->options, "somebody", "open sesame"), AMQP_STATUS_OK);
  CHECK_STATUS(amqp_event_options_set_trace(s->options, keep_line, NULL), AMQP_STATUS_OK);
  session_open(s);
  CHECK(session_run(s, &s->ready, 1, 5000));
  session_open_channel(s);
  selected = promised(s, "confirm.select");
  CHECK_STATUS(ACCEPT(selected, amqp_event_confirm_select(s->channel, promise_done, selected)), AMQP_STATUS_OK);
  published = promise_publish(s, "q", "secret");
  CHECK(session_run(s, &published->kept, 1, 5000));
  session_close(s);
  for (i = 0; i < sizeof expected / sizeof *expected; i++) {
    const char *found = strstr(at, expected[i]);
    if (!found) printf("no line has \"%s\" where it belongs:\n%s", expected[i], traced);
    CHECK(found != NULL);
    at = found;
  }
  CHECK(strstr(traced, "secret") == NULL);
  CHECK(strstr(traced, "sesame") == NULL);
  peer_stop(p);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
