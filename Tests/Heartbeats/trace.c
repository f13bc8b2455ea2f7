/* The trace: what is told of a session, and what is never told. Each case is a process of its own, which reads the environment
 * anew. Times differ from run to run and are only looked at for their form. */
#include <sys/stat.h>

#include "trace_lines.h"

#define BODY "a body of nobody's business"

/* ---- callback ---- */

static volatile int told, told_heartbeats;
static char last_told[256];
static amqp_connection_state_t told_of;

static void hear(amqp_connection_state_t state, const char *line, void *context) {
  told_of = state;
  snprintf(last_told, sizeof last_told, "%s", line);
  if (strstr(line, "--> heartbeat") != NULL) told_heartbeats++;
  ++*(volatile int *)context;
}

/* ---- sessions ---- */

static amqp_connection_state_t connect_and_log_in(const peer *p, int heartbeat) {
  amqp_connection_state_t c = client_connect(p);
  if (c == NULL) return NULL;
  CHECK_INT(client_reply_status(amqp_login(c, "/", 0, 131072, heartbeat, AMQP_SASL_METHOD_PLAIN, "guest", PASSWORD)), 0);
  return c;
}

static void serve_session(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_handshake(link, 0, 131072, 0)) return;
  if (!peer_serve_until(link, AMQP_BASIC_CONSUME_METHOD, 10000)) return;
  peer_answer(link);
  peer_deliver(link, 1, 1, BODY, strlen(BODY));
  peer_serve(link, PEER_LIVE, 20000);
}

/* The properties of the client, its version among them, are in start-ok: how long that is, is not of interest. */
static const char *const session[] = {
    "state  new ==> connected",
    "--> protocol header",
    "state  connected ==> headerSent",
    "<-- connection.start channel 0, 155 bytes",
    "state  awaitingStart ==> awaitingTune",
    "--> connection.start-ok channel 0, ",
    "<-- connection.tune channel 0, 12 bytes",
    "state  awaitingTune ==> awaitingOpenOk",
    "--> connection.tune-ok channel 0, 12 bytes",
    "--> connection.open channel 0, 8 bytes",
    "<-- connection.open-ok channel 0, 5 bytes",
    "state  awaitingOpenOk ==> open",
    "state  headerSent ==> open",
    "--> channel.open channel 1, 5 bytes",
    "<-- channel.open-ok channel 1, 8 bytes",
    "--> queue.declare channel 1, 27 bytes",
    "<-- queue.declare-ok channel 1, 28 bytes",
    "--> basic.publish channel 1, 14 bytes",
    "--> content header channel 1, 14 bytes, body size 27",
    "--> body channel 1, 27 bytes",
    "--> basic.publish channel 1, 14 bytes",
    "--> content header channel 1, 14 bytes, body size 300000",
    "--> body channel 1, 131064 bytes",
    "--> body channel 1, 131064 bytes",
    "--> body channel 1, 37872 bytes",
    "--> basic.publish channel 1, 14 bytes",
    "--> content header channel 1, 14 bytes, body size 0",
    "--> basic.consume channel 1, 28 bytes",
    "<-- basic.consume-ok channel 1, 18 bytes",
    "<-- basic.deliver channel 1, 53 bytes",
    "<-- content header channel 1, 26 bytes, body size 27",
    "<-- body channel 1, 27 bytes",
    "--> basic.ack channel 1, 13 bytes",
    "--> channel.close channel 1, 14 bytes, reply code 200",
    "<-- channel.close-ok channel 1, 4 bytes",
    "--> connection.close channel 0, 14 bytes, reply code 200",
    "<-- connection.close-ok channel 0, 4 bytes",
    "destroyed by the program",
};
#define SESSION_LINES ((int)(sizeof session / sizeof *session))

/* The session above; answers its descriptor. */
static int run_session(peer *p, amqp_connection_state_t c) {
  static char large[300000];
  amqp_envelope_t envelope;
  int descriptor = amqp_get_sockfd(c);
  memset(large, 'z', sizeof large);
  CHECK(amqp_channel_open(c, 1) != NULL);
  CHECK(amqp_queue_declare(c, 1, client_bytes("queue-of-nobody"), 0, 0, 0, 0, amqp_empty_table) != NULL);
  CHECK_STATUS(client_publish(c, 1, BODY), 0);
  CHECK_STATUS(client_publish(c, 1, large), 0);
  CHECK_STATUS(client_publish(c, 1, ""), 0);
  CHECK(amqp_basic_consume(c, 1, client_bytes("queue-of-nobody"), amqp_empty_bytes, 0, 0, 0, amqp_empty_table) != NULL);
  CHECK_INT(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(10), 0)), 0);
  CHECK(client_bytes_equal(envelope.message.body, BODY));
  amqp_destroy_envelope(&envelope);
  CHECK_STATUS(amqp_basic_ack(c, 1, 1, 0), 0);
  CHECK_INT(client_reply_status(amqp_channel_close(c, 1, AMQP_REPLY_SUCCESS)), 0);
  CHECK_INT(client_reply_status(amqp_connection_close(c, AMQP_REPLY_SUCCESS)), 0);
  amqp_destroy_connection(c);
  peer_stop(p);
  return descriptor;
}

static int traced_session(void) {
  peer *p = peer_start(serve_session, NULL);
  amqp_connection_state_t c = connect_and_log_in(p, 0);
  return c == NULL ? -1 : run_session(p, c);
}

CASE(whole_session) {
  static const char *const secrets[] = {PASSWORD, "guest", BODY, "zzz", "nobody", "a.key", "text/plain"};
  int i, descriptor;
  unsigned s;
  struct stat status;
  make_path();
  setenv("LIBRABBITMQ_TRACE", path, 1);
  descriptor = traced_session();
  CHECK_INT(stat(path, &status), 0);
  CHECK_INT(status.st_mode & 07777, 0600);
  read_file();
  CHECK_INT(line_count, SESSION_LINES);
  for (i = 0; i < line_count && i < SESSION_LINES; i++) {
    if (session[i][strlen(session[i]) - 1] == ' ')
      CHECK(strncmp(lines[i].what, session[i], strlen(session[i])) == 0);
    else
      CHECK_TEXT(lines[i].what, session[i]);
    CHECK_INT(lines[i].descriptor, descriptor);
  }
  for (i = 0; i < line_count; i++)
    for (s = 0; s < sizeof secrets / sizeof *secrets; s++) CHECK(strstr(lines[i].what, secrets[s]) == NULL);
  remove_path();
}

CASE(callback) {
  peer *p = peer_start(serve_session, NULL);
  volatile int other = 0;
  amqp_connection_state_t c;
  unsetenv("LIBRABBITMQ_TRACE");
  CHECK_STATUS(amqp_heartbeat_trace(NULL, hear, (void *)&told), AMQP_STATUS_INVALID_PARAMETER);
  c = client_connect(p);
  if (c == NULL) return;
  CHECK_STATUS(amqp_heartbeat_trace(c, hear, (void *)&told), AMQP_STATUS_OK);
  CHECK_INT(client_reply_status(amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", PASSWORD)), 0);
  CHECK_INT(told, 12);                 /* those of the session above but the first */
  CHECK(told_of == c);
  CHECK(strlen(last_told) > 20 && strcmp(last_told + strlen(last_told) - 26, "state  headerSent ==> open") == 0);
  CHECK_STATUS(amqp_heartbeat_trace(c, hear, (void *)&other), AMQP_STATUS_OK);
  CHECK(amqp_channel_open(c, 1) != NULL);
  CHECK_INT(told, 12);
  CHECK_INT(other, 2);
  CHECK_STATUS(amqp_heartbeat_trace(c, NULL, NULL), AMQP_STATUS_OK);
  CHECK_STATUS(client_publish(c, 1, BODY), 0);
  CHECK_INT(told + other, 14);
  amqp_destroy_connection(c);
  CHECK_INT(told + other, 14);
  peer_stop(p);
}

/* Lines go to both; a callback that goes leaves the file. */
CASE(callback_beside_a_file) {
  peer *p = peer_start(serve_session, NULL);
  amqp_connection_state_t c;
  make_path();
  setenv("LIBRABBITMQ_TRACE", path, 1);
  c = client_connect(p);
  if (c == NULL) return;
  amqp_heartbeat_trace(c, hear, (void *)&told);
  CHECK_INT(client_reply_status(amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", PASSWORD)), 0);
  amqp_heartbeat_trace(c, NULL, NULL);
  run_session(p, c);
  CHECK_INT(told, 12);
  read_file();
  CHECK_INT(line_count, SESSION_LINES);
  remove_path();
}

/* ---- heartbeats and deaths ---- */

static void beat_once_then_fall_silent(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_handshake(link, 0, 131072, 1)) return;
  peer_send_heartbeat(link);
  peer_serve(link, PEER_READ, 20000);
}

CASE(heartbeats_and_death) {
  peer *p = peer_start(beat_once_then_fall_silent, NULL);
  amqp_connection_state_t c;
  amqp_frame_t frame;
  int death;
  make_path();
  setenv("LIBRABBITMQ_TRACE", path, 1);
  c = connect_and_log_in(p, 1);
  if (c == NULL) return;
  CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, client_seconds(20)), AMQP_STATUS_HEARTBEAT_TIMEOUT);
  amqp_destroy_connection(c);
  read_file();
  CHECK_INT(count_lines("<-- heartbeat"), 1);
  CHECK_BETWEEN(count_lines("--> heartbeat"), 2, 5);
  death = find_line("nothing received for 2 s: peer dead");
  if (CHECK(death >= 0)) {
    CHECK_TEXT(lines[death + 1].what, "state  open ==> closed: heartbeat timeout, connection closed");
    CHECK_TEXT(lines[death + 2].what, "destroyed by the program");
    CHECK_INT(line_count, death + 3);
  }
  peer_stop(p);
  remove_path();
}

static void close_with_reason(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_handshake(link, 0, 131072, 0)) return;
  peer_send_connection_close(link, 320, "a text that may name a queue");
  peer_end(link);
}

CASE(broker_says_goodbye) {
  peer *p = peer_start(close_with_reason, NULL);
  amqp_connection_state_t c;
  amqp_frame_t frame;
  int goodbye;
  make_path();
  setenv("LIBRABBITMQ_TRACE", path, 1);
  c = connect_and_log_in(p, 0);
  if (c == NULL) return;
  CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, client_seconds(10)), AMQP_STATUS_OK);
  CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, client_seconds(10)), AMQP_STATUS_CONNECTION_CLOSED);
  read_file();
  goodbye = find_line("<-- connection.close channel 0, 39 bytes, reply code 320");
  if (CHECK(goodbye >= 0)) {
    CHECK_TEXT(lines[goodbye + 1].what, "state  open ==> closing");
    CHECK_TEXT(lines[goodbye + 2].what, "state  closing ==> inputEnded");
  }
  amqp_destroy_connection(c);
  peer_stop(p);
  remove_path();
}

static void talk_nonsense(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_handshake(link, 0, 131072, 0)) return;
  peer_send(link, "HTTP/1.1 400 Bad Request\r\n", 26);
  peer_serve(link, PEER_READ, 20000);
}

CASE(broker_talks_nonsense) {
  peer *p = peer_start(talk_nonsense, NULL);
  amqp_connection_state_t c;
  amqp_frame_t frame;
  make_path();
  setenv("LIBRABBITMQ_TRACE", path, 1);
  c = connect_and_log_in(p, 0);
  if (c == NULL) return;
  CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, client_seconds(10)), AMQP_STATUS_BAD_AMQP_DATA);
  amqp_destroy_connection(c);
  read_file();
  CHECK(find_line("state  open ==> closed: invalid AMQP data") > 0);
  peer_stop(p);
  remove_path();
}

static void refuse_the_login(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_expect_protocol_header(link)) return;
  peer_send_start(link, "AMQPLAIN");
  peer_serve(link, PEER_READ, 20000);
}

CASE(login_that_fails) {
  peer *p = peer_start(refuse_the_login, NULL);
  amqp_connection_state_t c;
  int failure;
  make_path();
  setenv("LIBRABBITMQ_TRACE", path, 1);
  c = client_connect(p);
  if (c == NULL) return;
  CHECK_INT(client_reply_status(amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", PASSWORD)),
            AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD);
  amqp_destroy_connection(c);
  read_file();
  failure = find_line("state  awaitingStart ==> failed: unsupported sasl method requested");
  if (CHECK(failure > 0))
    CHECK_TEXT(lines[failure + 1].what, "state  headerSent ==> closed: unsupported sasl method requested");
  peer_stop(p);
  remove_path();
}

/* The background thread calls the callback too. */
CASE(heartbeats_of_the_background) {
  peer *p = peer_start(beat_once_then_fall_silent, NULL);
  amqp_connection_state_t c = client_connect(p);
  int64_t begun = peer_now();
  if (c == NULL) return;
  amqp_heartbeat_trace(c, hear, (void *)&told);
  amqp_heartbeat_background(c, 1);
  CHECK_INT(client_reply_status(amqp_login(c, "/", 0, 131072, 1, AMQP_SASL_METHOD_PLAIN, "guest", PASSWORD)), 0);
  while (told_heartbeats == 0 && elapsed_milliseconds(begun) < 10000) peer_sleep(50);
  CHECK(told_heartbeats > 0);
  amqp_destroy_connection(c);
  peer_stop(p);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
