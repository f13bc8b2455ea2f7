/* Freeing and closing inside every callback, and a loss after every byte: a session in which everything happens is run again and again,
 * each time with the blow at another place. The rules of session.h must hold every time. */
#include <stdio.h>
#include <string.h>

#include "session.h"

/* ---- a session in which every callback comes ---- */

static void everything_happens(peer_link *link) {
  static const char reason[] = "\12low memory";
  peer_buffer b = {{0}, 0};
  if (!peer_serve_until(link, AMQP_BASIC_CONSUME_METHOD, 2000)) return;
  peer_cork(link);
  peer_answer(link);
  peer_deliver(link, 1, 1, "one", 3);
  peer_deliver(link, 1, 2, "two", 3);
  peer_send_deliver(link, 1, 3);
  peer_send_header(link, 1, 10, NULL, 0);
  peer_send_body(link, 1, "three", 5);
  peer_uncork(link);
  if (!peer_serve_until(link, AMQP_BASIC_GET_METHOD, 2000)) return;
  peer_cork(link);
  peer_send_body(link, 1, "three", 5);
  peer_get_ok(link, 1, 4, 0, "got", 3);
  peer_return(link, 1, 312, "NO_ROUTE", "back", 4);
  peer_send_ack(link, 1, 1, 0);
  peer_send_ack(link, 1, 3, 1);
  peer_send_method(link, 1, AMQP_CHANNEL_FLOW_METHOD, "\0", 1);
  peer_send_method(link, 1, AMQP_CHANNEL_FLOW_METHOD, "\1", 1);
  peer_send_method(link, 0, PEER_METHOD(10, 60), reason, sizeof reason - 1);
  peer_send_method(link, 0, PEER_METHOD(10, 61), NULL, 0);
  peer_uncork(link);
  if (!peer_serve(link, PEER_LIVE, 30)) return;
  peer_reset(link);                                 /* with one publish unconfirmed */
  if (!peer_accept(link, 1000) || !peer_handshake(link, 0, 131072, 0)) return;
  if (!peer_serve_until(link, AMQP_BASIC_CONSUME_METHOD, 2000)) return;
  peer_answer(link);
  peer_deliver(link, 1, 1, "again", 5);
  peer_put_shortstr(&b, peer_consumer_tag(link));
  peer_put8(&b, 1);
  peer_send_method(link, 1, AMQP_BASIC_CANCEL_METHOD, b.bytes, b.size);
  if (!peer_serve(link, PEER_LIVE, 30)) return;
  peer_send_channel_close(link, 1, 406, "PRECONDITION_FAILED - enough");
  peer_serve(link, PEER_LIVE, 5000);
}

static void everything_script(peer_link *link, void *unused) {
  (void)unused;
  if (peer_handshake(link, 0, 131072, 0)) everything_happens(link);
  while (peer_accept(link, 1000)) peer_ordinary(link, NULL);
}

static void release_nothing(void *bytes, size_t length, void *ctx) {
  (void)bytes, (void)length;
  session_passing(((promise *)ctx)->session);
}

static void post_passes(amqp_event_connection_t *connection, void *ctx) {
  promise *p = ctx;
  (void)connection;
  p->kept++;
  session_passing(p->session);
}

static void do_everything(session *s) {
  promise *p = promised(s, "post");
  int i;
  ACCEPT(p, amqp_event_post(s->connection, post_passes, p));
  p = promised(s, "update-secret");
  ACCEPT(p, amqp_event_connection_update_secret(s->connection, client_bytes("t"), client_bytes(""), promise_connection_done, p));
  session_open_channel(s);
  p = promised(s, "confirm");
  ACCEPT(p, amqp_event_confirm_select(s->channel, promise_done, p));
  p = promised(s, "qos");
  ACCEPT(p, amqp_event_qos(s->channel, 10, promise_done, p));
  p = promised(s, "declare");
  ACCEPT(p, amqp_event_queue_declare(s->channel, client_bytes("q"), NULL, promise_queue_done, p));
  p = promised(s, "bind");
  ACCEPT(p, amqp_event_queue_bind(s->channel, client_bytes("q"), client_bytes("amq.fanout"), amqp_empty_bytes, NULL, promise_done, p));
  session_consume(s, "q");
  for (i = 0; i < 3; i++) promise_publish(s, "a.routing.key", "m");
  p = promised(s, "publish_ref");
  ACCEPT(p, amqp_event_publish_ref(s->channel, amqp_empty_bytes, client_bytes("k"), 0, NULL, client_bytes("by reference"), release_nothing,
                                   p, promise_confirm, p, &p->sequence));
  p = promised(s, "drain");
  ACCEPT(p, amqp_event_drain(s->channel, 0, promise_done, p));
  p = promised(s, "get");
  ACCEPT(p, amqp_event_get(s->channel, client_bytes("q"), 0, promise_get_done, p));
}

static void free_it(session *s) {
  amqp_event_connection_t *c = s->connection;
  s->connection = NULL;
  if (c != NULL) CALL((amqp_event_connection_free(c), 0));
}

static void free_it_and_leave(session *s) {
  free_it(s);
  event_base_loopbreak(s->base);
}

static void close_it(session *s) {
  if (s->connection != NULL) CALL(amqp_event_connection_close(s->connection, 200, NULL));
}

static void close_channel(session *s) {
  if (s->channel != NULL) CALL(amqp_event_channel_close(s->channel));
}

static void cancel_consumer(session *s) {
  if (s->consumer != NULL) CALL(amqp_event_cancel(s->consumer));
}

static void close_and_free(session *s) {
  close_channel(s);
  close_it(s);
  free_it(s);
}

/* How many callbacks came. */
static int run_everything(void (*strike)(session *), int at) {
  peer *p = peer_start(everything_script, NULL);
  session *s = session_new(p);
  int failures = check_failures(), passed, enough = 0, i;
  amqp_event_options_set_reconnect(s->options, 5, 20, 0, 0);
  s->strike = strike;
  s->strike_at = at;
  s->on_ready = do_everything;
  session_open(s);
  /* Until all has happened, or the blow has ended it. */
  for (i = 0; i < 50 && !enough; i++) {
    if (strike == free_it_and_leave && s->connection == NULL) break;
    session_idle(s, 10);
    enough = s->closed > 0 || (s->channel == NULL && s->ready > 0 && !s->is_away);
  }
  if (strike == free_it_and_leave && s->connection == NULL) {
    session_end(s);
    passed = at;
  } else {
    if (s->connection != NULL && s->closed == 0) CALL(amqp_event_connection_close(s->connection, 200, NULL));
    CHECK(session_run(s, &s->closed, 1, 3000));
    passed = s->passed;
    session_end(s);
  }
  peer_stop(p);
  if (check_failures() > failures) printf("  that was with the blow at callback %d\n", at);
  return passed;
}

static void strike_everywhere(void (*strike)(session *)) {
  int at, total;
  check_allow_seconds(300);
  total = run_everything(NULL, 0);
  CHECK(total >= 25);
  for (at = 1; at <= total && check_failures() < 20; at++) run_everything(strike, at);
}

CASE(everything_happens_once) {
  peer *p = peer_start(everything_script, NULL);
  session *s = session_new(p);
  amqp_event_options_set_reconnect(s->options, 5, 20, 0, 0);
  s->on_ready = do_everything;
  session_open(s);
  CHECK(session_run(s, &s->channel_closed, 1, 5000));
  CHECK_INT(s->ready, 1);
  CHECK_INT(s->lost, 1);
  CHECK_INT(s->recovered, 1);
  CHECK_INT(s->blocked, 1);
  CHECK_INT(s->unblocked, 1);
  CHECK_INT(s->flows, 2);
  CHECK_INT(s->messages, 4);
  CHECK_INT(s->consuming, 2);
  CHECK_INT(s->cancelled, 1);
  CHECK_INT(s->channel_told.reply_code, 406);
  CHECK(promises_kept(s));
  session_close(s);
  peer_stop(p);
}

CASE(free_in_every_callback) { strike_everywhere(free_it); }
CASE(free_in_every_callback_without_another_turn) { strike_everywhere(free_it_and_leave); }
CASE(close_in_every_callback) { strike_everywhere(close_it); }
CASE(close_the_channel_in_every_callback) { strike_everywhere(close_channel); }
CASE(cancel_in_every_callback) { strike_everywhere(cancel_consumer); }
CASE(close_all_and_free_in_every_callback) { strike_everywhere(close_and_free); }

/* ---- a loss after every byte ---- */

static void cut_later_each_time(peer_link *link, void *unused) {
  size_t cut;
  (void)unused;
  for (cut = 0;; cut++) {
    peer_cut_after(link, cut, cut % 2 == 1);
    if (peer_handshake(link, 0, 131072, 0) && peer_serve_until(link, AMQP_BASIC_CONSUME_METHOD, 3000)) {
      peer_answer(link);
      peer_deliver(link, 1, 1, "a message", 9);
      if (!peer_was_cut(link) && peer_serve_until(link, AMQP_BASIC_PUBLISH_METHOD, 3000)) peer_send_ack(link, 1, 1, 0);
      if (!peer_was_cut(link)) break;
    }
    if (!peer_was_cut(link) || !peer_accept(link, 3000)) return;
  }
  peer_reached(link, 1);
  peer_serve(link, PEER_LIVE | PEER_CONFIRM, 20000);
}

static void publish_one(session *s) {
  if (s->promise_count < PROMISES_MAX) promise_publish(s, "q", "m");
}

/* What was asked for and not answered before a loss has ended with it; all else has come back. */
static void ask_for_what_is_missing(session *s) {
  promise *p;
  if (s->channel == NULL) {
    session_open_channel(s);
    CALL(amqp_event_confirm_select(s->channel, NULL, NULL));
    CALL(amqp_event_qos(s->channel, 10, NULL, NULL));
    p = promised(s, "declare");
    ACCEPT(p, amqp_event_queue_declare(s->channel, client_bytes("q"), NULL, promise_queue_done, p));
  }
  if (s->consumer == NULL) session_consume(s, "q");
  publish_one(s);
}

CASE(a_loss_after_every_byte) {
  peer *p = peer_start(cut_later_each_time, NULL);
  session *s = session_new(p);
  int published_after = 0;
  int64_t started = peer_now();
  check_allow_seconds(100);
  amqp_event_options_set_reconnect(s->options, 1, 3, 0, 0);
  s->on_ready = ask_for_what_is_missing;
  session_open(s);
  while (!peer_wait(p, 1, 0) && elapsed_milliseconds(started) < 90000) {
    session_idle(s, 1);
    if (s->recovered > published_after && !s->is_away) {
      published_after = s->recovered;
      ask_for_what_is_missing(s);
    }
  }
  CHECK(peer_wait(p, 1, 0));
  CHECK(s->lost > 100);
  CHECK(s->recovered > 30);
  /* Only until the answer to the first request for them has come. */
  CHECK_BETWEEN(s->channel_closed, 0, 30);
  CHECK_BETWEEN(s->cancelled, 0, 150);
  session_close(s);
  CHECK_INT(peer_seen(p)->malformed, 0);
  peer_stop(p);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
