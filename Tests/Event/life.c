/* The life of a connection: to be ready, to close, to fail, to be freed in every state, and what it tells meanwhile. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

CASE(a_connection_becomes_ready_and_closes) {
  peer *p = peer_start(peer_ordinary, NULL);
  session *s = session_new(p);
  amqp_event_connection_t *c;
  const peer_frame *frame;
  session_open(s);
  c = s->connection;
  CHECK_INT(s->ready, 0);
  CHECK_STATUS(CALL(amqp_event_connection_open(c)), AMQP_STATUS_UNEXPECTED_STATE);
  CHECK(session_run(s, &s->ready, 1, 5000));
  CHECK_INT(amqp_event_connection_heartbeat(c), 0);
  CHECK(amqp_event_connection_last_error(c) == NULL);
  CHECK(amqp_event_connection_server_properties(c) != NULL &&
        amqp_event_connection_server_properties(c)->num_entries >= 2);
  CHECK_STATUS(CALL(amqp_event_connection_close(c, 200, "good bye")), AMQP_STATUS_OK);
  CHECK_INT(amqp_event_connection_state(c), AMQP_EVENT_STATE_CLOSING);
  CHECK_STATUS(CALL(amqp_event_connection_close(c, 200, NULL)), AMQP_STATUS_UNEXPECTED_STATE);
  CHECK(session_run(s, &s->closed, 1, 5000));
  CHECK_STATUS(s->closed_told.status, 0);
  CHECK_INT(amqp_event_connection_state(c), AMQP_EVENT_STATE_CLOSED);
  CHECK_STATUS(CALL(amqp_event_connection_close(c, 200, NULL)), AMQP_STATUS_UNEXPECTED_STATE);
  session_end(s);
  CHECK(peer_join(p, 5000));
  frame = peer_find(p, AMQP_CONNECTION_CLOSE_METHOD, 0);
  CHECK(frame != NULL && memcmp(peer_seen(p)->bytes + frame->offset + 4, "\0\310\10good bye\0\0\0\0", 15) == 0);
  CHECK_INT(peer_seen(p)->malformed, 0);
  peer_stop(p);
}

CASE(a_connection_that_was_never_opened_is_freed) {
  session *s = session_new(NULL);
  s->connection = amqp_event_connection_new(s->base, s->options);
  CHECK(s->connection != NULL);
  CHECK_INT(amqp_event_connection_state(s->connection), AMQP_EVENT_STATE_IDLE);
  CHECK_STATUS(CALL(amqp_event_connection_close(s->connection, 200, NULL)), AMQP_STATUS_UNEXPECTED_STATE);
  session_end(s);
}

/* A port where nothing listens. */
static int closed_port(void) {
  peer *p = peer_start(peer_ordinary, NULL);
  int port = peer_port(p);
  peer_stop(p);
  return port;
}

CASE(attempts_have_an_end) {
  session *s = session_new(NULL);
  amqp_event_options_add_host(s->options, "127.0.0.1", closed_port());
  amqp_event_options_set_reconnect(s->options, 20, 100, 0, 3);
  session_open(s);
  CHECK(session_run(s, &s->closed, 1, 5000));
  CHECK_INT(s->ready, 0);
  CHECK_INT(s->lost, 0);
  CHECK(s->closed_told.status != 0);
  CHECK_INT(s->closed_told.kind, AMQP_EVENT_ERROR_OS);
  CHECK_INT(s->closed_told.os_error, ECONNREFUSED);
  CHECK_INT(s->closed_told.can_retry, 1);
  CHECK(amqp_event_connection_last_error(s->connection) != NULL);
  session_end(s);
}

static void refuse_login(peer_link *link, void *unused) {
  (void)unused;
  do {
    if (!peer_expect_protocol_header(link)) return;
    peer_send_start(link, "PLAIN");
    if (!peer_expect(link, AMQP_CONNECTION_START_OK_METHOD, 5000)) return;
    peer_send_connection_close(link, 403, "ACCESS_REFUSED - go away");
    peer_serve(link, PEER_READ, 2000);
  } while (peer_accept(link, 20000));
}

CASE(a_refused_login_is_not_tried_for_ever) {
  peer *p = peer_start(refuse_login, NULL);
  session *s = session_new(p);
  session_open(s);
  CHECK(session_run(s, &s->closed, 1, 10000));
  CHECK_INT(s->closed_told.kind, AMQP_EVENT_ERROR_CONNECTION_CLOSE);
  CHECK_INT(s->closed_told.reply_code, 403);
  /* Another host, or new credentials, could be taken; the same words are not said for ever. */
  CHECK_BETWEEN(peer_count(p, AMQP_CONNECTION_START_OK_METHOD), 1, 10);
  CHECK(strstr(s->closed_told.text, "go away") != NULL);
  session_end(s);
  peer_stop(p);
}

/* ---- free in every state ---- */

/* Lets the client come as far as the argument says, and then does nothing. */
static void stop_at(peer_link *link, void *argument) {
  int steps = *(int *)argument;
  if (steps >= 1 && peer_expect_protocol_header(link)) peer_send_start(link, "PLAIN");
  if (steps >= 2 && peer_expect(link, AMQP_CONNECTION_START_OK_METHOD, 5000)) peer_send_tune(link, 0, 131072, 0);
  if (steps >= 3 && peer_expect(link, AMQP_CONNECTION_OPEN_METHOD, 5000)) peer_answer(link);
  if (steps >= 4) {
    peer_serve_until_go(link, PEER_LIVE, 5000);
    peer_reset(link);
    return;
  }
  peer_serve(link, PEER_READ, 20000);
}

/* Freed at this step; with `turns`, the loop goes on, else only event_base_free is left to finish. */
static void free_at(int step, int turns) {
  peer *p = peer_start(stop_at, &step);
  session *s = session_new(p);
  amqp_event_connection_t *c;
  amqp_event_options_set_reconnect(s->options, 60000, 60000, 0, 0);
  session_open(s);
  if (step >= 3) CHECK(session_run(s, &s->ready, 1, 5000));
  if (step >= 3) session_open_channel(s);
  if (step == 4) {
    peer_go(p);
    CHECK(session_run(s, &s->lost, 1, 5000));
    CHECK_INT(amqp_event_connection_state(s->connection), AMQP_EVENT_STATE_WAITING);
  } else if (step == 5) {
    CALL(amqp_event_connection_close(s->connection, 200, NULL));
    CHECK_INT(amqp_event_connection_state(s->connection), AMQP_EVENT_STATE_CLOSING);
  } else if (step > 0) {
    session_idle(s, 50);
  }
  c = s->connection;
  s->connection = NULL;
  CALL((amqp_event_connection_free(c), 0));
  if (turns) CHECK(session_run(s, &s->closed, 1, 1000));
  session_end(s);
  peer_stop(p);
}

CASE(freed_in_every_state) {
  int step;
  for (step = 0; step <= 5; step++) free_at(step, 1);
}

CASE(freed_in_every_state_without_another_turn) {
  int step;
  for (step = 0; step <= 5; step++) free_at(step, 0);
}

CASE(freed_while_its_name_is_looked_up) {
  int turns;
  for (turns = 0; turns < 2; turns++) {
    session *s = session_new(NULL);
    amqp_event_connection_t *c;
    amqp_event_options_add_host(s->options, "no-such-host.invalid", 5672);
    session_open(s);
    CHECK_INT(amqp_event_connection_state(s->connection), AMQP_EVENT_STATE_RESOLVING);
    c = s->connection;
    s->connection = NULL;
    CALL((amqp_event_connection_free(c), 0));
    if (turns) CHECK(session_run(s, &s->closed, 1, 1000));
    session_end(s);
  }
}

CASE(a_name_is_looked_up) {
  peer *p = peer_start(peer_ordinary, NULL);
  session *s = session_new(NULL);
  amqp_event_options_add_host(s->options, "localhost", peer_port(p));
  session_open(s);
  CHECK(session_run(s, &s->ready, 1, 5000));
  session_close(s);
  peer_stop(p);
}

/* ---- alarms of the broker ---- */

static void blocks(peer_link *link, void *unused) {
  static const char reason[] = "\12low memory";
  (void)unused;
  if (!peer_handshake(link, 0, 131072, 0)) return;
  if (!peer_serve_until_go(link, PEER_LIVE, 5000)) return;
  peer_send_method(link, 0, PEER_METHOD(10, 60), reason, sizeof reason - 1);
  if (!peer_serve_until_go(link, PEER_LIVE, 5000)) return;
  peer_send_method(link, 0, PEER_METHOD(10, 61), NULL, 0);
  peer_serve(link, PEER_LIVE, 20000);
}

CASE(a_blocked_connection_says_so_and_publishes_later) {
  peer *p = peer_start(blocks, NULL);
  session *s = session_with_channel(p, 0);
  CHECK_INT(amqp_event_can_publish(s->channel), 1);
  peer_go(p);
  CHECK(session_run(s, &s->blocked, 1, 5000));
  CHECK_TEXT(s->reason, "low memory");
  CHECK_INT(amqp_event_connection_is_blocked(s->connection), 1);
  CHECK_INT(amqp_event_can_publish(s->channel), 0);
  peer_go(p);
  CHECK(session_run(s, &s->writable, 1, 5000));
  CHECK_INT(s->unblocked, 1);
  CHECK_INT(amqp_event_connection_is_blocked(s->connection), 0);
  session_close(s);
  peer_stop(p);
}

CASE(the_blocked_time_limit_ends_a_connection) {
  peer *p = peer_start(blocks, NULL);
  session *s = session_new(p);
  amqp_event_options_set_timeouts(s->options, 1000, 1000, 1000, 1000, 300);
  session_open(s);
  CHECK(session_run(s, &s->ready, 1, 5000));
  peer_go(p);
  CHECK(session_run(s, &s->blocked, 1, 5000));
  CHECK(session_run(s, &s->lost, 1, 3000));
  CHECK_INT(s->lost_told.kind, AMQP_EVENT_ERROR_TIMEOUT);
  session_end(s);
  peer_stop(p);
}

/* ---- secrets ---- */

CASE(a_secret_is_updated) {
  peer *p = peer_start(peer_ordinary, NULL);
  session *s = session_ready(p);
  promise *updated = promised(s, "update-secret");
  const peer_frame *frame;
  CHECK_STATUS(ACCEPT(updated, amqp_event_connection_update_secret(s->connection, client_bytes("token 2"), client_bytes("expired"),
                                                                   promise_connection_done, updated)),
               AMQP_STATUS_OK);
  CHECK(session_run(s, &updated->kept, 1, 5000));
  CHECK_STATUS(updated->status, 0);
  session_close(s);
  frame = peer_find(p, PEER_METHOD(10, 70), 0);
  CHECK(frame != NULL && memcmp(peer_seen(p)->bytes + frame->offset + 4, "\0\0\0\7token 2\7expired", 19) == 0);
  peer_stop(p);
}

static int tell_credentials(amqp_event_connection_t *connection, amqp_event_credentials_t *credentials, void *ctx) {
  static char password[16];
  (void)connection;
  CHECK_TEXT(credentials->user, "guest");
  *(int *)ctx += 1;
  password[0] = 't', password[1] = (char)('0' + *(int *)ctx);
  credentials->password = password;
  return *(int *)ctx == 3;
}

CASE(credentials_are_asked_for_before_each_login) {
  peer *p = peer_start(peer_ordinary_again_and_again, NULL);
  session *s = session_new(p);
  int asked = 0;
  amqp_event_options_set_credentials_callback(s->options, tell_credentials, &asked);
  session_open(s);
  CHECK(session_run(s, &s->ready, 1, 5000));
  CHECK_INT(asked, 1);
  CHECK(memmem(peer_seen(p)->bytes, peer_seen(p)->byte_count, "\0guest\0t1", 9) != NULL);
  session_close(s);
  peer_stop(p);
}

/* ---- post ---- */

enum { POSTERS = 4, POSTS = 500 };
static struct poster {
  session *s;
  pthread_t thread;
  int posted, ran, wrong;
  pthread_t loop;
} posters[POSTERS];
static int posts_run;

static void posted_work(amqp_event_connection_t *connection, void *ctx) {
  struct poster *poster = &posters[(size_t)ctx % POSTERS];
  (void)connection;
  if ((int)((size_t)ctx / POSTERS) != poster->ran || !pthread_equal(pthread_self(), poster->loop) || session_calling)
    poster->wrong = 1;
  poster->ran++;
  posts_run++;
}

static void *post_much(void *ctx) {
  struct poster *poster = ctx;
  size_t i, self = (size_t)(poster - posters);
  for (i = 0; i < POSTS; i++) poster->posted += amqp_event_post(poster->s->connection, posted_work, (void *)(i * POSTERS + self)) == 0;
  return NULL;
}

CASE(work_is_posted_from_other_threads) {
  peer *p = peer_start(peer_ordinary, NULL);
  session *s = session_ready(p);
  size_t i;
  for (i = 0; i < POSTERS; i++) {
    posters[i].s = s;
    posters[i].loop = pthread_self();
    CHECK_INT(pthread_create(&posters[i].thread, NULL, post_much, &posters[i]), 0);
  }
  CHECK(session_run(s, &posts_run, POSTERS * POSTS, 10000));
  for (i = 0; i < POSTERS; i++) {
    pthread_join(posters[i].thread, NULL);
    CHECK_INT(posters[i].posted, POSTS);
    CHECK_INT(posters[i].ran, POSTS);
    CHECK(!posters[i].wrong);
  }
  session_close(s);
  peer_stop(p);
}

static void count_post(amqp_event_connection_t *connection, void *ctx) {
  session *s = ctx;
  (void)connection;
  CHECK_INT(s->closed, 0);
  posts_run++;
}

CASE(posted_work_runs_before_the_end) {
  peer *p = peer_start(peer_ordinary, NULL);
  session *s = session_ready(p);
  amqp_event_connection_t *c = s->connection;
  posts_run = 0;
  CHECK_STATUS(CALL(amqp_event_post(c, count_post, s)), AMQP_STATUS_OK);
  CHECK_STATUS(CALL(amqp_event_post(c, count_post, s)), AMQP_STATUS_OK);
  s->connection = NULL;
  CALL((amqp_event_connection_free(c), 0));
  CHECK(session_run(s, &s->closed, 1, 1000));
  CHECK_INT(posts_run, 2);
  session_end(s);
  peer_stop(p);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
