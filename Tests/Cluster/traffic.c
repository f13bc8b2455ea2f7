/*
 * Traffic through a cluster by the event API, which accounts for every message.
 *
 *   traffic QUEUE MESSAGES RATE HEARTBEAT PORT...
 *
 * One connection publishes with confirms, another consumes, both on one loop; each knows all nodes. A message that was not acked is
 * published again. Commands come on standard input, one a line:
 *
 *   mark NAME   ends a span of time and prints its longest pauses:  span NAME acked MS consumed MS recovered MS lost N
 *   where       prints the ports of the nodes that serve now:       where PUBLISHER CONSUMER
 *   end         no new messages once MESSAGES are published; then the account, and the end
 *
 * Theory of operation: an *attempt* is one accepted publish; its outcome callback gets the attempt, and counts. A message, told by
 * the number that is its body, is acked by one of its attempts and counts how often it was consumed. At the end every attempt must
 * have had exactly one outcome, and every message have been acked and consumed.
 *
 * RabbitMQ 3.10 keeps for each channel which node leads a queue. A channel that asks between the death of the leader and the
 * election of another gets every publish nacked until the dead node is back: so after a nack the publisher takes a new channel.
 */
#define _GNU_SOURCE
#include <amqp_event.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum { TICK_MILLISECONDS = 5, PREFETCH = 500, PATIENCE_SECONDS = 90, REOPEN_MILLISECONDS = 300, OUTCOMES = AMQP_EVENT_CANCELLED + 1 };

/* How long something has been going on without a pause. */
struct pulse {
  int64_t last, longest_pause;
};

struct end {
  const char *name;
  amqp_event_connection_t *connection;
  amqp_event_channel_t *channel;
  int port, attempted_port;
  int ready, lost, recovered, closed;
  int is_away;
  int64_t lost_at, longest_recovery;
};

struct attempt {
  uint32_t message;
  uint8_t outcomes;
};

static struct {
  struct event_base *base;
  struct end publisher, consumer;
  const char *queue;
  char **ports;
  int port_count, heartbeat;
  long wanted, rate, published, unacked, unconsumed;
  int64_t started;
  struct attempt *attempts;
  size_t attempt_count, attempt_room;
  uint8_t *acked, *consumed;
  size_t message_room;
  uint32_t *again; /* messages to publish again */
  size_t again_count, again_room;
  unsigned long outcomes[OUTCOMES], duplicates, strange;
  struct pulse acks, deliveries;
  int ending, was_nacked;
  int64_t ended_at, reopened_at;
} t;

static int64_t now_milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
  va_list arguments;
  printf("%9.3f ", (double)(now_milliseconds() - t.started) / 1000);
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  putchar('\n');
}

__attribute__((format(printf, 1, 2))) static void strange(const char *format, ...) {
  va_list arguments;
  t.strange += 1;
  printf("STRANGE ");
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  putchar('\n');
}

/* Room for `count` items, zeroed beyond the old ones. */
static void *claim(void *items, size_t *room, size_t count, size_t size) {
  size_t wanted = *room;
  char *more;
  if (count <= *room) return items;
  while (wanted < count) wanted = wanted == 0 ? 65536 : 2 * wanted;
  more = realloc(items, wanted * size);
  if (more == NULL) exit(3);
  memset(more + *room * size, 0, (wanted - *room) * size);
  *room = wanted;
  return more;
}

static void beat(struct pulse *pulse) {
  int64_t now = now_milliseconds();
  if (now - pulse->last > pulse->longest_pause) pulse->longest_pause = now - pulse->last;
  pulse->last = now;
}

/* ---- publishing ---- */

static void publish_again(uint32_t message) {
  t.again = claim(t.again, &t.again_room, t.again_count + 1, sizeof *t.again);
  t.again[t.again_count++] = message;
}

static void on_confirm(amqp_event_channel_t *channel, const amqp_event_confirm_t *confirm, void *ctx) {
  struct attempt *attempt = &t.attempts[(size_t)ctx];
  (void)channel;
  attempt->outcomes += 1;
  if (attempt->outcomes > 1) strange("attempt %zu has its outcome number %d", (size_t)ctx, attempt->outcomes);
  if (t.publisher.closed) strange("an outcome after on_closed");
  if (confirm->outcome <= 0 || (int)confirm->outcome >= OUTCOMES) {
    strange("outcome %d", (int)confirm->outcome);
    return;
  }
  t.outcomes[confirm->outcome] += 1;
  if (confirm->outcome == AMQP_EVENT_NACKED) t.was_nacked = 1;
  if (confirm->outcome != AMQP_EVENT_ACKED) {
    publish_again(attempt->message);
    return;
  }
  beat(&t.acks);
  if (!t.acked[attempt->message]) {
    t.acked[attempt->message] = 1;
    t.unacked -= 1;
  }
}

/* 0: not accepted. */
static int publish(uint32_t message) {
  char body[16];
  int status;
  snprintf(body, sizeof body, "%u", (unsigned)message);
  t.attempts = claim(t.attempts, &t.attempt_room, t.attempt_count + 1, sizeof *t.attempts);
  t.attempts[t.attempt_count].message = message;
  status = amqp_event_publish(t.publisher.channel, amqp_empty_bytes, amqp_cstring_bytes(t.queue), 1, NULL,
                              amqp_cstring_bytes(body), on_confirm, (void *)t.attempt_count, NULL);
  if (status != AMQP_STATUS_OK) return 0;
  t.attempt_count += 1;
  return 1;
}

static void tick(evutil_socket_t unused, short what, void *ctx) {
  long due = (long)((now_milliseconds() - t.started) * t.rate / 1000), together = t.rate / 4;
  (void)unused, (void)what, (void)ctx;
  if (t.was_nacked) {
    if (now_milliseconds() - t.reopened_at < REOPEN_MILLISECONDS) return;
    if (t.publisher.channel != NULL && amqp_event_channel_close(t.publisher.channel) == AMQP_STATUS_OK) {
      t.was_nacked = 0;
      t.reopened_at = now_milliseconds();
      say("nacked: another channel");
    }
  }
  while (amqp_event_can_publish(t.publisher.channel) && together-- > 0) {
    if (t.again_count > 0) {
      if (!publish(t.again[t.again_count - 1])) break;
      t.again_count -= 1;
    } else if (t.published < due && !(t.ending && t.published >= t.wanted)) {
      size_t room = t.message_room;
      t.acked = claim(t.acked, &room, (size_t)t.published + 1, 1);
      t.consumed = claim(t.consumed, &t.message_room, (size_t)t.published + 1, 1);
      if (!publish((uint32_t)t.published)) break;
      t.published += 1;
      t.unacked += 1;
      t.unconsumed += 1;
    } else {
      break;
    }
  }
  if (t.ending && t.published >= t.wanted &&
      ((t.unacked == 0 && t.unconsumed == 0) || now_milliseconds() - t.ended_at > PATIENCE_SECONDS * 1000)) {
    event_base_loopbreak(t.base);
  }
}

/* ---- consuming ---- */

static void on_message(amqp_event_consumer_t *consumer, const amqp_event_message_t *message, void *ctx) {
  char text[16] = "";
  unsigned long number;
  (void)ctx;
  if (message->body.len < sizeof text) memcpy(text, message->body.bytes, message->body.len);
  number = strtoul(text, NULL, 10);
  if (text[0] == 0 || number >= (unsigned long)t.published) {
    strange("a message that nobody published: %s", text);
  } else {
    if (t.consumed[number] == 0)
      t.unconsumed -= 1;
    else
      t.duplicates += 1;
    if (t.consumed[number] < 255) t.consumed[number] += 1;
  }
  beat(&t.deliveries);
  amqp_event_ack(amqp_event_consumer_channel(consumer), message->delivery_tag, 0);
}

static void on_cancelled(amqp_event_consumer_t *consumer, const amqp_event_error_t *error, void *ctx) {
  (void)consumer, (void)ctx;
  if (!t.consumer.closed && !t.ending) strange("the consumer ends: %s", error ? error->text : "no error");
}

/* ---- connections ---- */

static void require(int status, const char *what) {
  if (status != AMQP_STATUS_OK) strange("%s: %s", what, amqp_error_string2(status));
}

static void open_channel(struct end *end);

static void on_channel_closed(amqp_event_channel_t *channel, const amqp_event_error_t *error, void *ctx) {
  struct end *end = ctx;
  (void)channel;
  end->channel = NULL;
  if (error != NULL && error->status != AMQP_EVENT_STATUS_CANCELLED) strange("%s: the channel ends: %s", end->name, error->text);
  if (end == &t.publisher && amqp_event_connection_state(end->connection) == AMQP_EVENT_STATE_READY) open_channel(end);
}

static void open_channel(struct end *end) {
  amqp_event_channel_callbacks_t callbacks = {sizeof callbacks, on_channel_closed, NULL, NULL, NULL};
  require(amqp_event_channel_open(end->connection, NULL, NULL, &end->channel), "channel.open");
  require(amqp_event_channel_set_callbacks(end->channel, &callbacks, end), "callbacks");
  if (end == &t.publisher) require(amqp_event_confirm_select(end->channel, NULL, NULL), "confirm.select");
}

static void connect_end(struct end *end, const char *name, int first);

/* The consumer comes when the queue is there: two that declare a new quorum queue at once are too much for the broker. */
static void on_declared(amqp_event_channel_t *channel, const amqp_event_error_t *error, amqp_bytes_t queue, uint32_t messages,
                        uint32_t consumers, void *ctx) {
  (void)channel, (void)queue, (void)messages, (void)consumers, (void)ctx;
  if (error != NULL) strange("the queue is not declared: %s", error->text);
  if (t.consumer.connection == NULL) connect_end(&t.consumer, "consumer", 1);
}

static void on_ready(amqp_event_connection_t *connection, void *ctx) {
  struct end *end = ctx;
  amqp_table_entry_t quorum = {amqp_literal_bytes("x-queue-type"), {AMQP_FIELD_KIND_UTF8, {0}}};
  amqp_event_queue_options_t options = {sizeof options, AMQP_EVENT_DURABLE, {1, &quorum}};
  quorum.value.value.bytes = amqp_literal_bytes("quorum");
  if (end->ready++ > 0) strange("%s: ready twice", end->name);
  end->port = end->attempted_port;
  (void)connection;
  say("%s ready", end->name);
  open_channel(end);
  require(amqp_event_queue_declare(end->channel, amqp_cstring_bytes(t.queue), &options, on_declared, NULL), "queue.declare");
  if (end == &t.publisher) return;
  require(amqp_event_qos(end->channel, PREFETCH, NULL, NULL), "basic.qos");
  require(amqp_event_consume(end->channel, amqp_cstring_bytes(t.queue), NULL, on_message, on_cancelled, NULL, NULL), "consume");
}

static void on_lost(amqp_event_connection_t *connection, const amqp_event_error_t *error, void *ctx) {
  struct end *end = ctx;
  (void)connection;
  if (end->is_away) strange("%s: lost twice", end->name);
  end->is_away = 1;
  end->lost += 1;
  end->lost_at = now_milliseconds();
  say("%s lost: %s", end->name, error->text);
}

static void on_recovering(amqp_event_connection_t *connection, int attempt, const char *host, int port, void *ctx) {
  struct end *end = ctx;
  (void)connection, (void)host;
  if (!end->is_away) strange("%s: recovers without a loss", end->name);
  end->attempted_port = port;
  say("%s attempt %d at %d", end->name, attempt, port);
}

static void on_recovered(amqp_event_connection_t *connection, const amqp_event_error_t *error, void *ctx) {
  struct end *end = ctx;
  int64_t took = now_milliseconds() - end->lost_at;
  (void)connection;
  if (!end->is_away) strange("%s: recovered without a loss", end->name);
  if (error != NULL) strange("%s: not all recovered: %s", end->name, error->text);
  end->is_away = 0;
  end->recovered += 1;
  end->port = end->attempted_port;
  /* Its close had not been answered when the connection was lost. */
  if (end == &t.publisher && end->channel == NULL) open_channel(end);
  if (took > end->longest_recovery) end->longest_recovery = took;
  say("%s recovered after %lld ms", end->name, (long long)took);
}

static void on_closed(amqp_event_connection_t *connection, const amqp_event_error_t *error, void *ctx) {
  struct end *end = ctx;
  (void)connection;
  if (end->closed++ > 0) strange("%s: closed twice", end->name);
  if (error != NULL) strange("%s: closed: %s", end->name, error->text);
  if (t.publisher.closed && t.consumer.closed) event_base_loopbreak(t.base);
}

static void connect_end(struct end *end, const char *name, int first) {
  amqp_event_connection_callbacks_t callbacks = {sizeof callbacks, on_ready, on_lost, on_recovering,
                                                 on_recovered,     NULL,     NULL,    on_closed};
  amqp_event_options_t *options = amqp_event_options_new();
  int i;
  end->name = name;
  for (i = 0; i < t.port_count; i++)
    require(amqp_event_options_add_host(options, "127.0.0.1", atoi(t.ports[(first + i) % t.port_count])), "add_host");
  end->attempted_port = atoi(t.ports[first % t.port_count]);
  amqp_event_options_set_heartbeat(options, t.heartbeat);
  amqp_event_options_set_connection_name(options, name);
  amqp_event_options_set_timeouts(options, 3000, 3000, 20000, 3000, 0);
  amqp_event_options_set_confirm_timeout(options, 20000);
  amqp_event_options_set_reconnect(options, 500, 2000, 30, 0);
  end->connection = amqp_event_connection_new(t.base, options);
  amqp_event_options_free(options);
  if (end->connection == NULL) exit(3);
  amqp_event_connection_set_callbacks(end->connection, &callbacks, end);
  require(amqp_event_connection_open(end->connection), "open");
}

/* ---- commands and the account ---- */

static void mark(const char *name) {
  struct end *ends[] = {&t.publisher, &t.consumer};
  int64_t recovery = -1;
  int i;
  beat(&t.acks);
  beat(&t.deliveries);
  for (i = 0; i < 2; i++) {
    if (ends[i]->longest_recovery > recovery) recovery = ends[i]->longest_recovery;
    ends[i]->longest_recovery = -1;
  }
  printf("span %s acked %lld consumed %lld recovered %lld lost %lu\n", name, (long long)t.acks.longest_pause,
         (long long)t.deliveries.longest_pause, (long long)recovery, t.outcomes[AMQP_EVENT_LOST]);
  t.acks.longest_pause = t.deliveries.longest_pause = 0;
}

static void command(evutil_socket_t input, short what, void *ctx) {
  static char line[256];
  static size_t length;
  ssize_t n = read(input, line + length, sizeof line - 1 - length);
  char *end;
  (void)what, (void)ctx;
  if (n <= 0) {
    strange("standard input has ended");
    event_base_loopbreak(t.base);
    return;
  }
  length += (size_t)n;
  while (line[length] = 0, (end = strchr(line, '\n')) != NULL) {
    *end = 0;
    if (strncmp(line, "mark ", 5) == 0) mark(line + 5);
    if (strcmp(line, "where") == 0) printf("where %d %d\n", t.publisher.port, t.consumer.port);
    if (strcmp(line, "end") == 0) t.ending = 1, t.ended_at = now_milliseconds();
    length -= (size_t)(end + 1 - line);
    memmove(line, end + 1, length);
  }
}

static int account(void) {
  unsigned long without_outcome = 0, unacked = 0, unconsumed = 0, twice = 0;
  size_t i;
  for (i = 0; i < t.attempt_count; i++) {
    without_outcome += t.attempts[i].outcomes == 0;
    twice += t.attempts[i].outcomes > 1;
  }
  for (i = 0; i < (size_t)t.published; i++) {
    unacked += !t.acked[i];
    unconsumed += t.acked[i] && t.consumed[i] == 0;
  }
  printf("account messages %ld attempts %zu acked %lu nacked %lu returned %lu lost %lu timed_out %lu cancelled %lu\n", t.published,
         t.attempt_count, t.outcomes[AMQP_EVENT_ACKED], t.outcomes[AMQP_EVENT_NACKED], t.outcomes[AMQP_EVENT_RETURNED],
         t.outcomes[AMQP_EVENT_LOST], t.outcomes[AMQP_EVENT_TIMED_OUT], t.outcomes[AMQP_EVENT_CANCELLED]);
  printf("account consumed_again %lu losses %d recoveries %d\n", t.duplicates, t.publisher.lost + t.consumer.lost,
         t.publisher.recovered + t.consumer.recovered);
  printf("faults without_outcome %lu two_outcomes %lu never_acked %lu acked_not_consumed %lu strange %lu\n", without_outcome, twice,
         unacked, unconsumed, t.strange);
  return without_outcome || twice || unacked || unconsumed || t.strange;
}

int main(int argc, char **argv) {
  struct timeval interval = {0, TICK_MILLISECONDS * 1000};
  struct event clock, input;
  int status;
  check_loaded_library();
  if (argc < 6) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  t.queue = argv[1];
  t.wanted = atol(argv[2]);
  t.rate = atol(argv[3]);
  t.base = event_base_new();
  t.started = t.acks.last = t.deliveries.last = now_milliseconds();
  t.heartbeat = atoi(argv[4]);
  t.ports = argv + 5;
  t.port_count = argc - 5;
  connect_end(&t.publisher, "publisher", 0);
  event_assign(&clock, t.base, -1, EV_PERSIST, tick, NULL);
  event_assign(&input, t.base, 0, EV_READ | EV_PERSIST, command, NULL);
  event_add(&clock, &interval);
  event_add(&input, NULL);
  event_base_dispatch(t.base);
  event_del(&clock);
  event_del(&input);
  t.ending = 1;
  amqp_event_connection_close(t.publisher.connection, AMQP_REPLY_SUCCESS, NULL);
  amqp_event_connection_close(t.consumer.connection, AMQP_REPLY_SUCCESS, NULL);
  if (!t.publisher.closed || !t.consumer.closed) event_base_dispatch(t.base);
  amqp_event_connection_free(t.publisher.connection);
  amqp_event_connection_free(t.consumer.connection);
  event_base_free(t.base);
  if (t.publisher.closed != 1 || t.consumer.closed != 1) strange("on_closed did not come exactly once");
  status = account();
  free(t.attempts), free(t.acked), free(t.consumed), free(t.again);
  return status;
}
