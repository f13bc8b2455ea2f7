/*
 * The heartbeat table: every call that waits, sends or polls, against a living and against a mute peer, H = 2 seconds.
 *
 *   live   The peer reads and sends heartbeats but gives the call nothing for five seconds. The client is never silent for longer
 *          than H/2, give or take the slack, and nothing fails. (publish_blocked: the peer reads nothing but sends
 *          heartbeats, a broker in an alarm: there the publisher has to survive, whatever the peer cannot see.)
 *   mute   The peer neither reads nor sends any more; its socket stays open, as after a power cut. The call says
 *          AMQP_STATUS_HEARTBEAT_TIMEOUT between 2H and 2H + 0.7 seconds after the peer's last byte, the descriptor is gone, and later
 *          calls say the same. (Polls have no status: they hang up, and the next call says it.)
 *
 *   heartbeat_table CASE live|mute     one cell
 *   heartbeat_table --table            every cell at the same time, each in a process of its own, as a table
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"

#define H 2
#define LIVE_MILLISECONDS 5000
#define ALARM_MILLISECONDS (4 * H * 1000 + 500)
#define GIVE_UP_MILLISECONDS 10000
#define SILENCE_SLACK_MILLISECONDS 350
#define DEATH_SLACK_MILLISECONDS 700

typedef amqp_connection_state_t connection;
typedef int (*call)(connection c);   /* one call: its status; AMQP_STATUS_TIMEOUT of a short wait counts as fine */

/* How the peer ends the call of a living connection after five seconds. */
typedef enum { BY_MESSAGE, BY_CONTENT, BY_ACK, BY_ANSWER, BY_ITSELF } ending;

/* ---- waits ---- */

static int wait_frame(connection c) {
  amqp_frame_t frame;
  return amqp_simple_wait_frame(c, &frame);
}

static int wait_frame_noblock(connection c) {
  amqp_frame_t frame;
  return amqp_simple_wait_frame_noblock(c, &frame, client_seconds(30));
}

static int wait_frame_noblock_short(connection c) {
  amqp_frame_t frame;
  return amqp_simple_wait_frame_noblock(c, &frame, client_seconds(0.02));
}

static int wait_frame_noblock_zero(connection c) {
  amqp_frame_t frame;
  int status = amqp_simple_wait_frame_noblock(c, &frame, client_seconds(0));
  peer_sleep(20);
  return status;
}

static int wait_method(connection c) {
  amqp_method_t method;
  return amqp_simple_wait_method(c, 1, AMQP_BASIC_DELIVER_METHOD, &method);
}

static int consume_for(connection c, struct timeval *timeout) {
  amqp_envelope_t envelope;
  int status = client_reply_status(amqp_consume_message(c, &envelope, timeout, 0));
  if (status == 0) amqp_destroy_envelope(&envelope);
  return status;
}

static int consume_message(connection c) { return consume_for(c, NULL); }
static int consume_message_short(connection c) { return consume_for(c, client_seconds(0.02)); }

static int read_message(connection c) {
  amqp_message_t message;
  int status = client_reply_status(amqp_read_message(c, 1, &message, 0));
  if (status == 0) amqp_destroy_message(&message);
  return status;
}

static int confirm_wait(connection c) {
  amqp_publisher_confirm_t confirm;
  return client_reply_status(amqp_publisher_confirm_wait(c, NULL, &confirm));
}

/* ---- calls that wait for an answer ---- */

static int simple_rpc(connection c) {
  amqp_method_number_t replies[] = {AMQP_BASIC_QOS_OK_METHOD, 0};
  amqp_basic_qos_t qos;
  memset(&qos, 0, sizeof qos);
  qos.prefetch_count = 1;
  return client_reply_status(amqp_simple_rpc(c, 1, AMQP_BASIC_QOS_METHOD, replies, &qos));
}

static int decoded(connection c, void *reply) {
  return reply != NULL ? AMQP_STATUS_OK : client_reply_status(amqp_get_rpc_reply(c));
}

static int simple_rpc_decoded(connection c) {
  amqp_basic_qos_t qos;
  memset(&qos, 0, sizeof qos);
  return decoded(c, amqp_simple_rpc_decoded(c, 1, AMQP_BASIC_QOS_METHOD, AMQP_BASIC_QOS_OK_METHOD, &qos));
}

static int queue_declare(connection c) {
  return decoded(c, amqp_queue_declare(c, 1, client_bytes("q"), 0, 0, 0, 1, amqp_empty_table));
}

static int basic_get(connection c) { return client_reply_status(amqp_basic_get(c, 1, client_bytes("q"), 1)); }
static int channel_close(connection c) { return client_reply_status(amqp_channel_close(c, 1, 200)); }
static int connection_close(connection c) { return client_reply_status(amqp_connection_close(c, 200)); }

/* ---- sends ---- */

static int publish(connection c) { return client_publish(c, 1, "a message"); }

static int publish_blocked(connection c) {
  static char body[100000];
  amqp_bytes_t bytes;
  bytes.bytes = body;
  bytes.len = sizeof body;
  return amqp_basic_publish(c, 1, client_bytes(""), client_bytes("q"), 0, 0, NULL, bytes);
}

static int ack(connection c) { return amqp_basic_ack(c, 1, 1, 0); }
static int nack(connection c) { return amqp_basic_nack(c, 1, 1, 0, 0); }
static int reject(connection c) { return amqp_basic_reject(c, 1, 1, 0); }

static int send_method(connection c) {
  amqp_channel_flow_ok_t flow_ok;
  flow_ok.active = 1;
  return amqp_send_method(c, 1, AMQP_CHANNEL_FLOW_OK_METHOD, &flow_ok);
}

static int send_frame(connection c) {
  amqp_channel_flow_ok_t flow_ok;
  amqp_frame_t frame;
  flow_ok.active = 1;
  memset(&frame, 0, sizeof frame);
  frame.frame_type = AMQP_FRAME_METHOD;
  frame.channel = 1;
  frame.payload.method.id = AMQP_CHANNEL_FLOW_OK_METHOD;
  frame.payload.method.decoded = &flow_ok;
  return amqp_send_frame(c, &frame);
}

/* ---- polls: a connection that was hung up is the only thing they can show ---- */

static int frames_enqueued(connection c) {
  amqp_frames_enqueued(c);
  return amqp_get_sockfd(c) < 0 ? AMQP_STATUS_HEARTBEAT_TIMEOUT : AMQP_STATUS_OK;
}

static int data_in_buffer(connection c) {
  amqp_data_in_buffer(c);
  return amqp_get_sockfd(c) < 0 ? AMQP_STATUS_HEARTBEAT_TIMEOUT : AMQP_STATUS_OK;
}

/* ---- the table ---- */

enum { ONCE = 0, LOOP = 1, ALARM = 2, HALF_READ = 4, NEEDS_CONFIRM_WAIT = 8 };

typedef struct row {
  const char *name;
  call call;
  ending ending;
  int flags;
} row;

static const row rows[] = {
    {"simple_wait_frame", wait_frame, BY_MESSAGE, ONCE},
    {"wait_frame_noblock", wait_frame_noblock, BY_MESSAGE, ONCE},
    {"wait_frame_noblock_short", wait_frame_noblock_short, BY_ITSELF, LOOP},
    {"wait_frame_noblock_zero", wait_frame_noblock_zero, BY_ITSELF, LOOP},
    {"simple_wait_method", wait_method, BY_MESSAGE, ONCE},
    {"consume_message", consume_message, BY_MESSAGE, ONCE},
    {"consume_message_short", consume_message_short, BY_ITSELF, LOOP},
    {"read_message", read_message, BY_CONTENT, ONCE | HALF_READ},
    {"publisher_confirm_wait", confirm_wait, BY_ACK, ONCE | NEEDS_CONFIRM_WAIT},
    {"simple_rpc", simple_rpc, BY_ANSWER, ONCE},
    {"simple_rpc_decoded", simple_rpc_decoded, BY_ANSWER, ONCE},
    {"queue_declare", queue_declare, BY_ANSWER, ONCE},
    {"basic_get", basic_get, BY_ANSWER, ONCE},
    {"channel_close", channel_close, BY_ANSWER, ONCE},
    {"connection_close", connection_close, BY_ANSWER, ONCE},
    {"basic_publish", publish, BY_ITSELF, LOOP},
    {"basic_publish_blocked", publish_blocked, BY_ITSELF, LOOP | ALARM},
    {"basic_ack", ack, BY_ITSELF, LOOP},
    {"basic_nack", nack, BY_ITSELF, LOOP},
    {"basic_reject", reject, BY_ITSELF, LOOP},
    {"send_method", send_method, BY_ITSELF, LOOP},
    {"send_frame", send_frame, BY_ITSELF, LOOP},
    {"frames_enqueued", frames_enqueued, BY_ITSELF, LOOP},
    {"data_in_buffer", data_in_buffer, BY_ITSELF, LOOP},
};
#define ROWS ((int)(sizeof rows / sizeof *rows))

typedef struct scenario {
  const row *row;
  int is_mute;
} scenario;

enum { PREPARED = 1, STARTED = 2, WINDOW_OVER = 3 };

static void end_call(peer_link *link, ending how) {
  switch (how) {
    case BY_MESSAGE: peer_deliver(link, 1, 1, "late", 4); break;
    case BY_CONTENT:
      peer_send_header(link, 1, 4, NULL, 0);
      peer_send_body(link, 1, "late", 4);
      break;
    case BY_ACK: peer_send_ack(link, 1, 1, 0); break;
    case BY_ANSWER: peer_answer(link); break;
    case BY_ITSELF: break;
  }
}

static void script(peer_link *link, void *argument) {
  const scenario *s = argument;
  if (s->row->flags & ALARM) peer_set_receive_buffer(link, 65536);
  if (!peer_handshake(link, 0, 131072, H)) return;
  if (!peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 10000)) return;
  peer_answer(link);
  if (s->row->flags & HALF_READ) peer_send_deliver(link, 1, 1);
  peer_reached(link, PREPARED);
  if (!peer_serve_until_go(link, PEER_LIVE, 10000)) return;
  peer_reached(link, STARTED);
  if (s->is_mute) {
    peer_serve(link, PEER_MUTE, 60000);
    return;
  }
  peer_watch(link);
  if (s->row->flags & ALARM)
    peer_serve(link, PEER_ALARM, ALARM_MILLISECONDS);
  else
    peer_serve(link, PEER_READ | PEER_BEAT, LIVE_MILLISECONDS);
  peer_reached(link, WINDOW_OVER);
  end_call(link, s->row->ending);
  peer_serve(link, PEER_READ | PEER_BEAT, 30000);
}

static int is_fine(const row *r, int status) {
  return status == AMQP_STATUS_OK || ((r->flags & LOOP) && status == AMQP_STATUS_TIMEOUT);
}

/* Runs the call, again and again where it does not wait, until it fails or the window is over. */
static int run_call(const row *r, connection c, peer *p) {
  int64_t started = peer_now();
  int status;
  do {
    status = r->call(c);
    if ((r->flags & LOOP) && !(r->flags & ALARM)) peer_sleep(30);
  } while ((r->flags & LOOP) && is_fine(r, status) && peer_seen(p)->stage < WINDOW_OVER &&
           elapsed_milliseconds(started) < GIVE_UP_MILLISECONDS);
  return status;
}

static void check_sticky(connection c) {
  amqp_frame_t frame;
  CHECK_INT(amqp_get_sockfd(c), -1);
  CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, client_seconds(0)), AMQP_STATUS_HEARTBEAT_TIMEOUT);
  CHECK_STATUS(amqp_basic_ack(c, 1, 1, 0), AMQP_STATUS_HEARTBEAT_TIMEOUT);
  CHECK_STATUS(client_publish(c, 1, "x"), AMQP_STATUS_HEARTBEAT_TIMEOUT);
  CHECK_STATUS(queue_declare(c), AMQP_STATUS_HEARTBEAT_TIMEOUT);
  CHECK_STATUS(simple_rpc(c), AMQP_STATUS_HEARTBEAT_TIMEOUT);
  CHECK_STATUS(consume_message_short(c), AMQP_STATUS_HEARTBEAT_TIMEOUT);
}

typedef struct result {
  int done, failures, sticky_failures, status;
  int64_t milliseconds;   /* longest silence, or time to detect */
} result;

static result *current_result;

static void run_cell(const row *r, int is_mute) {
  scenario s;
  amqp_frame_t frame;
  connection c;
  peer *p;
  s.row = r;
  s.is_mute = is_mute;
  if ((r->flags & NEEDS_CONFIRM_WAIT) && amqp_publisher_confirm_wait == NULL) {
    CHECK(!"this library has no amqp_publisher_confirm_wait");
    return;
  }
  p = peer_start(script, &s);
  c = client_open(p, H);
  if (c == NULL || !CHECK(peer_wait(p, PREPARED, 5000))) return;
  if ((r->flags & HALF_READ) && !CHECK_STATUS(amqp_simple_wait_frame(c, &frame), AMQP_STATUS_OK)) return;
  peer_go(p);
  if (!CHECK(peer_wait(p, STARTED, 5000))) return;
  current_result->status = run_call(r, c, p);
  if (is_mute) {
    current_result->milliseconds = elapsed_milliseconds(peer_seen(p)->last_sent_at);
    CHECK_STATUS(current_result->status, AMQP_STATUS_HEARTBEAT_TIMEOUT);
    CHECK_BETWEEN(current_result->milliseconds, 2 * H * 1000 - 5, 2 * H * 1000 + DEATH_SLACK_MILLISECONDS);
    current_result->failures = check_failures();
    if (current_result->failures == 0) check_sticky(c);
    current_result->sticky_failures = check_failures() - current_result->failures;
  } else {
    current_result->milliseconds = peer_seen(p)->longest_silence / 1000000;
    CHECK(is_fine(r, current_result->status));
    if (!is_fine(r, current_result->status)) printf("    status %s\n", status_name(current_result->status));
    CHECK(peer_seen(p)->stage == WINDOW_OVER);
    if (!(r->flags & ALARM)) CHECK_BETWEEN(current_result->milliseconds, 0, H * 500 + SILENCE_SLACK_MILLISECONDS);
  }
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- the ways to run ---- */

typedef struct cell {
  const row *row;
  int is_mute;
} cell;

static int run_one(void *argument) {
  const cell *wanted = argument;
  static result own;
  current_result = &own;
  check_allow_seconds(25);
  run_cell(wanted->row, wanted->is_mute);
  printf("%s %s: %lld ms, %s\n", wanted->row->name, wanted->is_mute ? "mute" : "live", (long long)own.milliseconds,
         status_name(own.status));
  fflush(NULL);
  return check_failures() ? 1 : 0;
}

static int find_and_run(const char *name, const char *kind) {
  cell wanted;
  for (wanted.row = rows; wanted.row < rows + ROWS; wanted.row++) {
    if (strcmp(wanted.row->name, name) != 0) continue;
    wanted.is_mute = strcmp(kind, "mute") == 0;
    return check_run(run_one, &wanted);
  }
  printf("no such case: %s\n", name);
  return 2;
}

static void format_cell(const result *cell, char *text, size_t size) {
  if (!cell->done)
    snprintf(text, size, "FAIL (hung or crashed)");
  else
    snprintf(text, size, "%s %5.2f s  %s", cell->failures ? "FAIL" : "ok  ", (double)cell->milliseconds / 1000,
             cell->failures ? status_name(cell->status) : cell->sticky_failures ? "not sticky" : "");
}

static int run_table(void) {
  result(*cells)[2] =
      mmap(NULL, sizeof(result[ROWS][2]), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int i, kind, sticky = 0, passed[2] = {0, 0};
  char text[2][64];
  fflush(NULL);
  for (i = 0; i < ROWS; i++)
    for (kind = 0; kind < 2; kind++)
      if (fork() == 0) {
        if (freopen("/dev/null", "w", stdout) == NULL) _exit(1);
        current_result = &cells[i][kind];
        alarm(25);
        run_cell(&rows[i], kind);
        current_result->failures = check_failures() - current_result->sticky_failures;
        current_result->done = 1;
        _exit(0);
      }
  while (wait(NULL) > 0) continue;
  printf("H = %d s, library %s\n", H, loaded_library());
  printf("%-26s %-36s %s\n", "call", "live peer: longest silence", "mute peer: detected after");
  for (i = 0; i < ROWS; i++) {
    for (kind = 0; kind < 2; kind++) {
      format_cell(&cells[i][kind], text[kind], sizeof text[kind]);
      if (cells[i][kind].done && cells[i][kind].failures == 0) passed[kind]++;
    }
    if (cells[i][1].done && cells[i][1].failures + cells[i][1].sticky_failures == 0) sticky++;
    printf("%-26s %-36s %s\n", rows[i].name, text[0], text[1]);
  }
  printf("sends within H/2: %d of %d; detects a mute peer in 2H to 2H + 0.7 s: %d of %d, and says so ever after: %d\n",
         passed[0], ROWS, passed[1], ROWS, sticky);
  return passed[0] == ROWS && sticky == ROWS ? 0 : 1;
}

int main(int argc, char **argv) {
  check_loaded_library();
  if (argc == 2 && strcmp(argv[1], "--table") == 0) return run_table();
  if (argc == 3) return find_and_run(argv[1], argv[2]);
  printf("usage: heartbeat_table CASE live|mute, or --table\n");
  return 2;
}
