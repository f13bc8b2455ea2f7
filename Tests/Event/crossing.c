/* Calls that cross what happens on the wire: a loss, an answer that never comes, a recovery that is under way. */
#include "session.h"

/* Served until told, then reset without another word; each connection after that is an ordinary one. */
static void is_reset_once(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_handshake(link, 2047, 131072, 0) || !peer_serve_until_go(link, PEER_LIVE, 10000)) return;
  peer_serve_until_go(link, PEER_READ, 10000);
  peer_reset(link);
  while (peer_accept(link, 20000)) peer_ordinary(link, NULL);
}

/* ---- another channel's handles, in the callbacks of a loss ---- */

typedef struct other {
  amqp_event_channel_t *channel;
  amqp_event_consumer_t *consumer;
  int channel_closed, cancelled, done;
} other;

static void other_closed(amqp_event_channel_t *channel, const amqp_event_error_t *error, void *ctx) {
  other *o = ctx;
  (void)channel, (void)error;
  o->channel_closed++;
}

static void other_cancelled(amqp_event_consumer_t *consumer, const amqp_event_error_t *error, void *ctx) {
  other *o = ctx;
  (void)consumer, (void)error;
  o->cancelled++;
}

static void other_message(amqp_event_consumer_t *consumer, const amqp_event_message_t *message, void *ctx) {
  (void)consumer, (void)message, (void)ctx;
}

static void closes_the_other(amqp_event_channel_t *channel, const amqp_event_error_t *error, void *ctx) {
  other *o = ctx;
  (void)channel;
  CHECK(error != NULL);
  o->done++;
  if (o->consumer != NULL) {
    CHECK_STATUS(amqp_event_cancel(o->consumer), AMQP_STATUS_OK);
  } else {
    CHECK_STATUS(amqp_event_channel_close(o->channel), AMQP_STATUS_OK);
  }
}

static void cross_a_loss(int by_cancel) {
  peer *p = peer_start(is_reset_once, NULL);
  session *s = session_with_channel(p, 0);
  amqp_event_channel_callbacks_t callbacks = {sizeof callbacks, other_closed, NULL, NULL, NULL};
  other o = {0};
  promise *answered = promised(s, "qos");
  CHECK_STATUS(amqp_event_channel_open(s->connection, NULL, NULL, &o.channel), AMQP_STATUS_OK);
  amqp_event_channel_set_callbacks(o.channel, &callbacks, &o);
  if (by_cancel)
    CHECK_STATUS(amqp_event_consume(o.channel, client_bytes("q"), NULL, other_message, other_cancelled, &o, &o.consumer),
                 AMQP_STATUS_OK);
  CHECK_STATUS(ACCEPT(answered, amqp_event_qos(o.channel, 1, promise_done, answered)), AMQP_STATUS_OK);
  CHECK(session_run(s, &answered->kept, 1, 5000));
  peer_go(p);
  session_idle(s, 50);
  CHECK_STATUS(amqp_event_qos(s->channel, 1, closes_the_other, &o), AMQP_STATUS_OK);
  session_idle(s, 50);
  peer_go(p);
  CHECK(session_run(s, &s->recovered, 1, 5000));
  CHECK_INT(o.done, 1);
  CHECK_INT(by_cancel ? o.cancelled : o.channel_closed, 1);
  /* The first attempt succeeds: what was asked for during the loss is not sent before the next protocol header. */
  CHECK_INT(s->recovering, 1);
  CHECK_INT(peer_count(p, AMQP_BASIC_CONSUME_METHOD), by_cancel ? 1 : 0);
  session_close(s);
  peer_stop(p);
}

CASE(a_channel_is_closed_in_the_loss_of_another) { cross_a_loss(0); }
CASE(a_consumer_is_cancelled_in_the_loss_of_another_channel) { cross_a_loss(1); }

/* ---- consumers ---- */

CASE(a_consumer_that_is_resumed_at_a_loss_comes_back_once) {
  peer *p = peer_start(is_reset_once, NULL);
  session *s = session_with_channel(p, 0);
  session_consume(s, "q");
  CHECK(session_run(s, &s->consuming, 1, 5000));
  peer_go(p);
  session_idle(s, 50);
  CHECK_STATUS(CALL(amqp_event_pause(s->consumer)), AMQP_STATUS_OK);
  CHECK_STATUS(CALL(amqp_event_resume(s->consumer)), AMQP_STATUS_OK);
  session_idle(s, 50);
  peer_go(p);
  CHECK(session_run(s, &s->recovered, 1, 5000));
  /* Once at first, once resumed, once recovered: the broker takes no tag twice. */
  CHECK_INT(peer_count(p, AMQP_BASIC_CONSUME_METHOD), 3);
  CHECK_INT(s->consuming, 2);
  session_close(s);
  peer_stop(p);
}

static void answers_no_cancel(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_handshake(link, 2047, 131072, 0) || !peer_serve_until(link, AMQP_BASIC_CANCEL_METHOD, 10000)) return;
  peer_serve(link, PEER_LIVE, 10000);
}

CASE(a_cancel_that_is_not_answered_has_its_end) {
  peer *p = peer_start(answers_no_cancel, NULL);
  session *s = session_new(p);
  CHECK_STATUS(amqp_event_options_set_timeouts(s->options, 5000, 5000, 300, 5000, 0), AMQP_STATUS_OK);
  session_open(s);
  CHECK(session_run(s, &s->ready, 1, 5000));
  session_open_channel(s);
  session_consume(s, "q");
  CHECK(session_run(s, &s->consuming, 1, 5000));
  CHECK_STATUS(CALL(amqp_event_cancel(s->consumer)), AMQP_STATUS_OK);
  CHECK(session_run(s, &s->cancelled, 1, 3000));
  CHECK_STATUS(s->cancelled_told.status, 0);
  CHECK_INT(s->lost, 0);
  session_close(s);
  peer_stop(p);
}

/* As RabbitMQ does it: the queue's own process replies to basic.consume and basic.cancel, later than the channel's to what follows. */
static void replies_late(peer_link *link, void *unused) {
  peer_buffer tag = {{0}, 0};
  uint16_t channel;
  (void)unused;
  if (!peer_handshake(link, 2047, 131072, 0) || !peer_serve_until(link, AMQP_BASIC_CONSUME_METHOD, 10000)) return;
  channel = peer_channel(link);
  peer_put_shortstr(&tag, "c1");
  if (!peer_serve_until(link, AMQP_BASIC_QOS_METHOD, 10000)) return;
  peer_answer(link);
  peer_send_method(link, channel, AMQP_BASIC_CONSUME_OK_METHOD, tag.bytes, tag.size);
  if (!peer_serve_until(link, AMQP_BASIC_CANCEL_METHOD, 10000)) return;
  if (!peer_serve_until(link, AMQP_BASIC_QOS_METHOD, 10000)) return;
  peer_answer(link);
  peer_send_method(link, channel, AMQP_BASIC_CANCEL_OK_METHOD, tag.bytes, tag.size);
  peer_serve(link, PEER_LIVE, 10000);
}

CASE(a_reply_of_a_queue_may_be_overtaken) {
  peer *p = peer_start(replies_late, NULL);
  session *s = session_ready(p);
  promise *limited[2];
  session_open_channel(s);
  session_consume(s, "q");
  limited[0] = promised(s, "qos behind consume");
  CHECK_STATUS(ACCEPT(limited[0], amqp_event_qos(s->channel, 1, promise_done, limited[0])), AMQP_STATUS_OK);
  CHECK(session_run(s, &s->consuming, 1, 5000));
  CHECK_INT(limited[0]->kept, 1);
  CHECK_STATUS(CALL(amqp_event_cancel(s->consumer)), AMQP_STATUS_OK);
  limited[1] = promised(s, "qos behind cancel");
  CHECK_STATUS(ACCEPT(limited[1], amqp_event_qos(s->channel, 2, promise_done, limited[1])), AMQP_STATUS_OK);
  CHECK(session_run(s, &s->cancelled, 1, 5000));
  CHECK_INT(limited[1]->kept, 1);
  CHECK_STATUS(limited[1]->status, 0);
  CHECK_INT(s->lost, 0);
  session_close(s);
  peer_stop(p);
}

/* ---- writing ---- */

static void reads_when_told(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_handshake(link, 2047, 131072, 0) || !peer_serve_until_go(link, PEER_LIVE, 10000)) return;
  if (!peer_await_go(link, 20000)) return;
  peer_set_recording(link, 0);
  peer_serve(link, PEER_LIVE, 20000);
}

typedef struct writer {
  amqp_event_channel_t *channel;
  size_t refill;
  int writable;
} writer;

static char much[1 << 20];

static void writes_once_more(amqp_event_channel_t *channel, void *ctx) {
  writer *w = ctx;
  amqp_bytes_t body = {w->refill, much};
  w->writable++;
  if (w->refill > 0)
    CHECK_STATUS(amqp_event_publish(channel, amqp_empty_bytes, client_bytes("q"), 0, NULL, body, NULL, NULL, NULL), AMQP_STATUS_OK);
}

CASE(each_channel_that_was_told_no_is_told_yes) {
  peer *p = peer_start(reads_when_told, NULL);
  session *s = session_new(p);
  amqp_event_channel_callbacks_t callbacks = {sizeof callbacks, NULL, NULL, NULL, writes_once_more};
  writer writers[2] = {{NULL, sizeof much, 0}, {NULL, 0, 0}};
  amqp_bytes_t body = {sizeof much, much};
  int i;
  CHECK_STATUS(amqp_event_options_set_write_limits(s->options, 65536, 4096, 64 << 20), AMQP_STATUS_OK);
  session_open(s);
  CHECK(session_run(s, &s->ready, 1, 5000));
  for (i = 0; i < 2; i++) {
    CHECK_STATUS(amqp_event_channel_open(s->connection, NULL, NULL, &writers[i].channel), AMQP_STATUS_OK);
    amqp_event_channel_set_callbacks(writers[i].channel, &callbacks, &writers[i]);
  }
  session_idle(s, 100);
  peer_go(p);
  for (i = 0; i < 16; i++)
    CHECK_STATUS(amqp_event_publish(writers[0].channel, amqp_empty_bytes, client_bytes("q"), 0, NULL, body, NULL, NULL, NULL),
                 AMQP_STATUS_OK);
  session_idle(s, 100);
  CHECK(!amqp_event_can_publish(writers[0].channel) && !amqp_event_can_publish(writers[1].channel));
  peer_go(p);
  CHECK(session_run(s, &writers[0].writable, 1, 10000));
  CHECK(session_run(s, &writers[1].writable, 1, 3000));
  session_end(s);
  peer_stop(p);
}

/* ---- the end ---- */

static void opens_another(amqp_event_channel_t *channel, const amqp_event_error_t *error, void *ctx) {
  session *s = ctx;
  promise *opened = promised(s, "channel.open in the end");
  amqp_event_channel_t *another;
  (void)error;
  ACCEPT(opened, amqp_event_channel_open(amqp_event_channel_connection(channel), promise_done, opened, &another));
}

CASE(nothing_is_opened_on_a_connection_that_is_freed) {
  peer *p = peer_start(peer_ordinary, NULL);
  session *s = session_ready(p);
  amqp_event_channel_callbacks_t callbacks = {sizeof callbacks, opens_another, NULL, NULL, NULL};
  amqp_event_channel_t *channels[2];
  int i;
  for (i = 0; i < 2; i++) {
    CHECK_STATUS(amqp_event_channel_open(s->connection, NULL, NULL, &channels[i]), AMQP_STATUS_OK);
    amqp_event_channel_set_callbacks(channels[i], &callbacks, s);
  }
  session_idle(s, 100);
  /* Says which promise was not kept. */
  session_end(s);
  peer_stop(p);
}

/* ---- a recovery under way ---- */

/* Holds back the answer to the first declaration of the second connection. */
static void declares_slowly(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_handshake(link, 2047, 131072, 0) || !peer_serve_until_go(link, PEER_LIVE, 10000)) return;
  peer_reset(link);
  if (!peer_accept(link, 20000) || !peer_handshake(link, 2047, 131072, 0)) return;
  if (!peer_serve_until(link, AMQP_QUEUE_DECLARE_METHOD, 10000)) return;
  peer_reached(link, 1);
  if (!peer_await_go(link, 10000)) return;
  peer_answer(link);
  peer_serve(link, PEER_LIVE, 10000);
}

CASE(a_consumer_is_cancelled_while_its_queue_is_declared_again) {
  peer *p = peer_start(declares_slowly, NULL);
  session *s = session_with_channel(p, 0);
  amqp_event_queue_options_t passing = {sizeof passing, AMQP_EVENT_AUTO_DELETE, {0, NULL}};
  int waited = 0;
  CALL(amqp_event_queue_declare(s->channel, client_bytes("passing"), &passing, NULL, NULL));
  CALL(amqp_event_queue_declare(s->channel, client_bytes("lasting"), NULL, NULL, NULL));
  CALL(amqp_event_queue_bind(s->channel, client_bytes("lasting"), client_bytes("amq.fanout"), amqp_empty_bytes, NULL, NULL, NULL));
  session_consume(s, "passing");
  CHECK(session_run(s, &s->consuming, 1, 5000));
  peer_go(p);
  CHECK(session_run(s, &s->lost, 1, 5000));
  while (!peer_wait(p, 1, 0) && waited++ < 100) session_idle(s, 20);
  CHECK_STATUS(CALL(amqp_event_cancel(s->consumer)), AMQP_STATUS_OK);
  session_idle(s, 20);
  peer_go(p);
  CHECK(session_run(s, &s->recovered, 1, 5000));
  CHECK_INT(s->cancelled, 1);
  CHECK_INT(peer_count(p, AMQP_QUEUE_DECLARE_METHOD), 4);
  CHECK_INT(peer_count(p, AMQP_QUEUE_BIND_METHOD), 2);
  session_close(s);
  peer_stop(p);
}

/* The queue is held at first; then the channel of its first consumer fails while that consumer is started. */
static void holds_a_queue(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_handshake(link, 2047, 131072, 0) || !peer_serve_until_go(link, PEER_LIVE, 10000)) return;
  peer_reset(link);
  if (!peer_accept(link, 20000) || !peer_handshake(link, 2047, 131072, 0)) return;
  if (!peer_serve_until(link, AMQP_QUEUE_DECLARE_METHOD, 10000)) return;
  peer_send_channel_close(link, peer_channel(link), 405, "RESOURCE_LOCKED");
  if (!peer_serve_until(link, AMQP_BASIC_QOS_METHOD, 10000)) return;
  if (!peer_serve_until(link, AMQP_BASIC_CONSUME_METHOD, 10000)) return;
  peer_send_channel_close(link, peer_channel(link), 404, "NOT_FOUND");
  peer_serve(link, PEER_LIVE, 10000);
}

static void other_consuming(amqp_event_consumer_t *consumer, void *ctx) {
  other *o = ctx;
  (void)consumer;
  o->done++;
}

CASE(a_channel_that_fails_takes_no_step_of_a_recovery_along) {
  peer *p = peer_start(holds_a_queue, NULL);
  session *s = session_with_channel(p, 0);
  amqp_event_consume_options_t options = {sizeof options, {0, NULL}, 0, 0, 0, {0, NULL}, other_consuming};
  amqp_event_queue_options_t exclusive = {sizeof exclusive, AMQP_EVENT_EXCLUSIVE, {0, NULL}};
  other o = {0};
  promise *unanswered = promised(s, "qos");
  CALL(amqp_event_queue_declare(s->channel, client_bytes("held"), &exclusive, NULL, NULL));
  session_consume(s, "held");
  CHECK_STATUS(amqp_event_channel_open(s->connection, NULL, NULL, &o.channel), AMQP_STATUS_OK);
  CHECK_STATUS(amqp_event_consume(o.channel, client_bytes("held"), &options, other_message, other_cancelled, &o, &o.consumer),
               AMQP_STATUS_OK);
  CHECK(session_run(s, &o.done, 1, 5000));
  peer_go(p);
  CHECK(session_run(s, &s->recovered, 1, 5000));
  CHECK_STATUS(ACCEPT(unanswered, amqp_event_qos(s->channel, 1, promise_done, unanswered)), AMQP_STATUS_OK);
  CHECK(session_run(s, &s->channel_closed, 1, 5000));
  CHECK_INT(unanswered->reply_code, 404);
  /* The other consumer is there again all the same. */
  CHECK(session_run(s, &o.done, 2, 3000));
  session_close(s);
  peer_stop(p);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
