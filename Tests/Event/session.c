/* The sessions of session.h. */
#include "session.h"

#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int session_calling;

int session_left(int status) {
  session_calling--;
  return status;
}

void session_passing(session *s) {
  CHECK(session_calling == 0);
  CHECK(s->closed == 0);
  s->passed++;
  if (s->passed == s->strike_at && s->strike != NULL) s->strike(s);
}

static void listen_to(told *told, const amqp_event_error_t *error) {
  memset(told, 0, sizeof *told);
  if (error == NULL) return;
  CHECK(error->text != NULL && error->status != 0 && error->kind != AMQP_EVENT_ERROR_NONE);
  told->status = error->status;
  told->os_error = error->os_error;
  told->can_retry = error->can_retry;
  told->reply_code = error->reply_code;
  told->kind = error->kind;
  if (error->text != NULL) snprintf(told->text, sizeof told->text, "%s", error->text);
}

static void keep_text(char *out, size_t room, amqp_bytes_t bytes) {
  size_t size = bytes.len < room - 1 ? bytes.len : room - 1;
  if (size > 0) memcpy(out, bytes.bytes, size);
  out[size] = 0;
}

/* ---- callbacks of the connection ---- */

static void on_ready(amqp_event_connection_t *connection, void *ctx) {
  session *s = ctx;
  CHECK(s->connection == NULL || connection == s->connection);
  CHECK_INT(s->ready++, 0);
  CHECK_INT(amqp_event_connection_state(connection), AMQP_EVENT_STATE_READY);
  if (s->on_ready != NULL) s->on_ready(s);
  session_passing(s);
}

static void on_lost(amqp_event_connection_t *connection, const amqp_event_error_t *error, void *ctx) {
  session *s = ctx;
  (void)connection;
  CHECK(!s->is_away);
  CHECK(error != NULL);
  s->is_away = 1;
  s->lost++;
  listen_to(&s->lost_told, error);
  session_passing(s);
}

static void on_recovering(amqp_event_connection_t *connection, int attempt, const char *host, int port, void *ctx) {
  session *s = ctx;
  (void)connection;
  CHECK(s->is_away);
  s->recovering++;
  s->attempt = attempt;
  s->port = port;
  snprintf(s->host, sizeof s->host, "%s", host);
  session_passing(s);
}

static void on_recovered(amqp_event_connection_t *connection, const amqp_event_error_t *error, void *ctx) {
  session *s = ctx;
  CHECK(s->is_away);
  CHECK_INT(amqp_event_connection_state(connection), AMQP_EVENT_STATE_READY);
  s->is_away = 0;
  s->recovered++;
  listen_to(&s->recovered_told, error);
  session_passing(s);
}

static void on_blocked(amqp_event_connection_t *connection, amqp_bytes_t reason, void *ctx) {
  session *s = ctx;
  CHECK(amqp_event_connection_is_blocked(connection));
  s->blocked++;
  keep_text(s->reason, sizeof s->reason, reason);
  session_passing(s);
}

static void on_unblocked(amqp_event_connection_t *connection, void *ctx) {
  session *s = ctx;
  CHECK(!amqp_event_connection_is_blocked(connection));
  s->unblocked++;
  session_passing(s);
}

static void on_closed(amqp_event_connection_t *connection, const amqp_event_error_t *error, void *ctx) {
  session *s = ctx;
  (void)connection;
  session_passing(s);
  CHECK_INT(s->closed++, 0);
  CHECK_INT(promises_kept(s), 1);
  CHECK(s->channel == NULL);
  CHECK(s->consumer == NULL);
  listen_to(&s->closed_told, error);
}

/* ---- callbacks of the channel and the consumer ---- */

static void on_channel_closed(amqp_event_channel_t *channel, const amqp_event_error_t *error, void *ctx) {
  session *s = ctx;
  CHECK(channel == s->channel);
  CHECK(s->consumer == NULL);
  s->channel_closed++;
  listen_to(&s->channel_told, error);
  session_passing(s);
  s->channel = NULL;
}

static void on_return(amqp_event_channel_t *channel, const amqp_event_message_t *message, void *ctx) {
  session *s = ctx;
  (void)channel;
  CHECK(message->reply_code != 0);
  s->returns++;
  keep_text(s->body, sizeof s->body, message->body);
  session_passing(s);
}

static void on_flow(amqp_event_channel_t *channel, amqp_boolean_t active, void *ctx) {
  session *s = ctx;
  (void)channel;
  s->flows++;
  s->flow_active = active;
  session_passing(s);
}

static void on_writable(amqp_event_channel_t *channel, void *ctx) {
  session *s = ctx;
  CHECK(amqp_event_can_publish(channel));
  s->writable++;
  session_passing(s);
}

static void on_message(amqp_event_consumer_t *consumer, const amqp_event_message_t *message, void *ctx) {
  session *s = ctx;
  size_t i;
  CHECK(message->properties != NULL);
  s->messages++;
  s->delivery_tag = message->delivery_tag;
  s->redelivered = message->redelivered;
  s->body_size = message->body.len;
  s->body_sum = 0;
  for (i = 0; i < message->body.len; i++) s->body_sum += ((const unsigned char *)message->body.bytes)[i];
  keep_text(s->body, sizeof s->body, message->body);
  if (s->acknowledges)
    CHECK_STATUS(CALL(amqp_event_ack(amqp_event_consumer_channel(consumer), message->delivery_tag, 0)), AMQP_STATUS_OK);
  session_passing(s);
  /* Borrowed until this returns, whatever was done inside. */
  CHECK(message->body.len == s->body_size);
  for (i = 0; i < message->body.len; i++) s->body_sum -= ((const unsigned char *)message->body.bytes)[i];
  CHECK_INT(s->body_sum, 0);
}

static void on_cancelled(amqp_event_consumer_t *consumer, const amqp_event_error_t *error, void *ctx) {
  session *s = ctx;
  CHECK(consumer == s->consumer);
  s->cancelled++;
  listen_to(&s->cancelled_told, error);
  session_passing(s);
  s->consumer = NULL;
}

static void on_consuming(amqp_event_consumer_t *consumer, void *ctx) {
  session *s = ctx;
  (void)consumer;
  s->consuming++;
  session_passing(s);
}

/* ---- sessions ---- */

session *session_new(const peer *p) {
  session *s = calloc(1, sizeof *s);
  if (s == NULL) abort();
  s->base = event_base_new();
  s->options = amqp_event_options_new();
  CHECK(s->base != NULL && s->options != NULL);
  if (p != NULL) CHECK_STATUS(amqp_event_options_add_host(s->options, "127.0.0.1", peer_port(p)), AMQP_STATUS_OK);
  CHECK_STATUS(amqp_event_options_set_reconnect(s->options, 20, 200, 0, 0), AMQP_STATUS_OK);
  return s;
}

void session_open(session *s) {
  amqp_event_connection_callbacks_t callbacks = {sizeof callbacks, on_ready,   on_lost,      on_recovering,
                                                 on_recovered,     on_blocked, on_unblocked, on_closed};
  s->connection = amqp_event_connection_new(s->base, s->options);
  if (!CHECK(s->connection != NULL)) exit(1);
  amqp_event_options_free(s->options);
  s->options = NULL;
  CHECK_STATUS(CALL(amqp_event_connection_set_callbacks(s->connection, &callbacks, s)), AMQP_STATUS_OK);
  CHECK_STATUS(CALL(amqp_event_connection_open(s->connection)), AMQP_STATUS_OK);
  s->opened = 1;
}

session *session_ready(const peer *p) {
  session *s = session_new(p);
  session_open(s);
  if (!CHECK(session_run(s, &s->ready, 1, 10000))) exit(1);
  return s;
}

void session_open_channel(session *s) {
  amqp_event_channel_callbacks_t callbacks = {sizeof callbacks, on_channel_closed, on_return, on_flow, on_writable};
  promise *opened = promised(s, "channel.open");
  if (!CHECK_STATUS(ACCEPT(opened, amqp_event_channel_open(s->connection, promise_done, opened, &s->channel)), AMQP_STATUS_OK))
    return;
  CHECK_STATUS(CALL(amqp_event_channel_set_callbacks(s->channel, &callbacks, s)), AMQP_STATUS_OK);
}

session *session_with_channel(const peer *p, int confirms) {
  session *s = session_ready(p);
  promise *selected;
  session_open_channel(s);
  if (confirms) {
    selected = promised(s, "confirm.select");
    CHECK_STATUS(ACCEPT(selected, amqp_event_confirm_select(s->channel, promise_done, selected)), AMQP_STATUS_OK);
    CHECK(session_run(s, &selected->kept, 1, 5000));
  } else {
    CHECK(session_run(s, &s->promises[0].kept, 1, 5000));
  }
  return s;
}

void session_consume(session *s, const char *queue) {
  amqp_event_consume_options_t options = {sizeof options, {0, NULL}, 0, 0, 0, {0, NULL}, on_consuming};
  CHECK_STATUS(CALL(amqp_event_consume(s->channel, client_bytes(queue), &options, on_message, on_cancelled, s, &s->consumer)),
               AMQP_STATUS_OK);
}

static void nothing(evutil_socket_t unused, short what, void *ctx) { (void)unused, (void)what, (void)ctx; }

int session_run(session *s, const int *counter, int wanted, int milliseconds) {
  int64_t until = peer_now() + milliseconds * INT64_C(1000000), left;
  struct event end;
  event_assign(&end, s->base, -1, 0, nothing, NULL);
  while (*counter < wanted && (left = until - peer_now()) > 0) {
    struct timeval limit = {left / 1000000000, left / 1000 % 1000000};
    event_add(&end, &limit);
    event_base_loop(s->base, EVLOOP_ONCE);
  }
  event_del(&end);
  return *counter >= wanted;
}

void session_idle(session *s, int milliseconds) {
  int never = 0;
  session_run(s, &never, 1, milliseconds);
}

void session_close(session *s) {
  CHECK_STATUS(CALL(amqp_event_connection_close(s->connection, 200, "done")), AMQP_STATUS_OK);
  CHECK(session_run(s, &s->closed, 1, 10000));
  CHECK_STATUS(s->closed_told.status, 0);
  session_end(s);
}

void session_end(session *s) {
  int i;
  CALL((amqp_event_connection_free(s->connection), 0));
  amqp_event_options_free(s->options);
  event_base_free(s->base);
  if (s->opened) CHECK_INT(s->closed, 1);
  for (i = 0; i < s->promise_count; i++) {
    promise *p = &s->promises[i];
    if (p->kept != (p->refused ? 0 : 1))
      printf("  %s (%d): refused with %d, kept %d times\n", p->what, i, p->refused, p->kept);
    CHECK(p->kept == (p->refused ? 0 : 1));
  }
  free(s);
}

/* ---- promises ---- */

promise *promised(session *s, const char *what) {
  promise *p = &s->promises[s->promise_count++];
  if (s->promise_count > PROMISES_MAX) abort();
  p->session = s;
  p->what = what;
  return p;
}

int promises_kept(const session *s) {
  int i;
  for (i = 0; i < s->promise_count; i++) {
    if (s->promises[i].refused == 0 && s->promises[i].kept != 1) {
      printf("  %s (%d) was kept %d times\n", s->promises[i].what, i, s->promises[i].kept);
      return 0;
    }
  }
  return 1;
}

static void keep(promise *p, const amqp_event_error_t *error) {
  told told;
  p->kept++;
  listen_to(&told, error);
  p->status = told.status;
  p->reply_code = told.reply_code;
  p->kind = told.kind;
  session_passing(p->session);
}

static void take_message(promise *p, const amqp_event_message_t *message) {
  p->delivery_tag = message->delivery_tag;
  p->message_count = message->message_count;
  p->body_size = message->body.len;
  keep_text(p->body, sizeof p->body, message->body);
  keep_text(p->name, sizeof p->name, message->reply_text);
}

void promise_done(amqp_event_channel_t *channel, const amqp_event_error_t *error, void *ctx) {
  CHECK(channel != NULL);
  keep(ctx, error);
}

void promise_connection_done(amqp_event_connection_t *connection, const amqp_event_error_t *error, void *ctx) {
  CHECK(connection != NULL);
  keep(ctx, error);
}

void promise_queue_done(amqp_event_channel_t *channel, const amqp_event_error_t *error, amqp_bytes_t queue,
                        uint32_t message_count, uint32_t consumer_count, void *ctx) {
  promise *p = ctx;
  CHECK(channel != NULL);
  keep_text(p->name, sizeof p->name, queue);
  p->message_count = message_count;
  p->consumer_count = consumer_count;
  keep(p, error);
}

void promise_get_done(amqp_event_channel_t *channel, const amqp_event_error_t *error, const amqp_event_message_t *message,
                      void *ctx) {
  CHECK(channel != NULL);
  if (message != NULL) take_message(ctx, message);
  keep(ctx, error);
}

void promise_confirm(amqp_event_channel_t *channel, const amqp_event_confirm_t *confirm, void *ctx) {
  promise *p = ctx;
  CHECK(channel != NULL);
  CHECK_INT(confirm->sequence, p->sequence);
  CHECK((confirm->returned != NULL) == (confirm->outcome == AMQP_EVENT_RETURNED));
  if (confirm->returned != NULL) take_message(p, confirm->returned);
  if (confirm->outcome == AMQP_EVENT_LOST) CHECK(confirm->error != NULL);
  p->outcome = confirm->outcome;
  p->multiple = confirm->multiple;
  p->delivery_tag = confirm->delivery_tag;
  keep(p, confirm->error);
}

promise *promise_publish(session *s, const char *key, const char *body) {
  promise *p = promised(s, "publish");
  ACCEPT(p, amqp_event_publish(s->channel, amqp_empty_bytes, client_bytes(key), 1, NULL, client_bytes(body), promise_confirm, p,
                               &p->sequence));
  return p;
}

/* ---- peers ---- */

void peer_ordinary(peer_link *link, void *unused) {
  (void)unused;
  if (peer_handshake(link, 2047, 131072, 0)) peer_serve(link, PEER_LIVE | PEER_CONFIRM, 100000);
}

void peer_ordinary_again_and_again(peer_link *link, void *unused) {
  do {
    peer_ordinary(link, unused);
  } while (peer_accept(link, 20000));
}
