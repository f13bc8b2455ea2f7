/* Carries messages from a queue of one broker to a queue of another and loses none.
 *
 * Type:     event_bridge from-url from-queue to-url to-queue
 *           event_bridge amqp://guest:guest@one jobs amqp://guest:guest@two jobs
 * You see:  12:00:00.000  from: connected, heartbeat 60 s
 *           12:00:00.002  to: connected, heartbeat 60 s
 *           12:00:10.000  10000 messages carried, 0 put back, 200 on their way
 * Code:     0 after Ctrl-C, 1 when a connection ended otherwise.
 *
 * A message is acknowledged at its source when the target has confirmed it, and put back otherwise. While the target takes
 * nothing, because it is away, blocked or slow, the consumer is paused; the prefetch count bounds what is on its way. If
 * either broker is lost between the two steps, the message is carried twice.
 */
#include <event2/event_struct.h>
#include <stdio.h>

#include "event_common.h"

enum { PREFETCH = 200, SOURCE = 0, TARGET = 1 };

static struct {
  struct event_program programs[2];
  amqp_event_channel_t *from, *to;
  amqp_event_consumer_t *consumer;
  const char *from_queue, *to_queue;
  int paused;
  unsigned long carried, put_back, on_their_way;
} bridge;

static void put_back(uint64_t delivery_tag) {
  bridge.put_back += 1;
  /* Refused when the source was lost meanwhile: then it has put the message back itself. */
  amqp_event_nack(bridge.from, delivery_tag, 0, 1);
}

static void on_confirm(amqp_event_channel_t *channel, const amqp_event_confirm_t *confirm, void *ctx) {
  uint64_t delivery_tag = (uint64_t)(size_t)ctx;
  (void)channel;
  bridge.on_their_way -= 1;
  if (confirm->outcome == AMQP_EVENT_ACKED) {
    bridge.carried += 1;
    amqp_event_ack(bridge.from, delivery_tag, 0);
  } else {
    put_back(delivery_tag);
  }
}

static void on_message(amqp_event_consumer_t *consumer, const amqp_event_message_t *message, void *ctx) {
  (void)ctx;
  if (!amqp_event_can_publish(bridge.to) && !bridge.paused) {
    bridge.paused = amqp_event_pause(consumer) == AMQP_STATUS_OK;
  }
  if (amqp_event_publish(bridge.to, amqp_empty_bytes, amqp_cstring_bytes(bridge.to_queue), 1, message->properties,
                         message->body, on_confirm, (void *)(size_t)message->delivery_tag, NULL) == AMQP_STATUS_OK) {
    bridge.on_their_way += 1;
  } else {
    put_back(message->delivery_tag);
  }
}

static void on_writable(amqp_event_channel_t *channel, void *ctx) {
  (void)channel, (void)ctx;
  if (bridge.paused && amqp_event_resume(bridge.consumer) == AMQP_STATUS_OK) bridge.paused = 0;
}

/* The handles are gone after these. Nothing is carried without them, so the program ends. */
static void on_channel_closed(amqp_event_channel_t *channel, const amqp_event_error_t *error, void *ctx) {
  (void)error, (void)ctx;
  if (channel == bridge.from) bridge.from = NULL;
  if (channel == bridge.to) bridge.to = NULL;
  if (error != NULL) say("a channel is closed: %s", error->text);
  event_base_loopexit(bridge.programs[SOURCE].base, NULL);
}

static void on_cancelled(amqp_event_consumer_t *consumer, const amqp_event_error_t *error, void *ctx) {
  (void)consumer, (void)error, (void)ctx;
  bridge.consumer = NULL;
  event_base_loopexit(bridge.programs[SOURCE].base, NULL);
}

/* Begins to consume when both ends are there. */
static void on_ready(amqp_event_connection_t *connection, void *ctx) {
  amqp_event_channel_callbacks_t callbacks = {sizeof callbacks, on_channel_closed, NULL, NULL, on_writable};
  amqp_event_channel_t *channel;
  saying_callbacks().on_ready(connection, ctx);
  check_status(amqp_event_channel_open(connection, NULL, NULL, &channel), "open a channel");
  amqp_event_channel_set_callbacks(channel, &callbacks, NULL);
  if (ctx == &bridge.programs[SOURCE]) {
    bridge.from = channel;
    check_status(amqp_event_qos(channel, PREFETCH, NULL, NULL), "set the prefetch limit");
    check_status(amqp_event_queue_declare(channel, amqp_cstring_bytes(bridge.from_queue), NULL, NULL, NULL), "declare");
  } else {
    bridge.to = channel;
    check_status(amqp_event_queue_declare(channel, amqp_cstring_bytes(bridge.to_queue), NULL, NULL, NULL), "declare");
    check_status(amqp_event_confirm_select(channel, NULL, NULL), "turn confirms on");
  }
  if (bridge.from != NULL && bridge.to != NULL) {
    check_status(amqp_event_consume(bridge.from, amqp_cstring_bytes(bridge.from_queue), NULL, on_message, on_cancelled,
                                    NULL, &bridge.consumer),
                 "consume");
  }
}

static void report(evutil_socket_t unused, short what, void *ctx) {
  (void)unused, (void)what, (void)ctx;
  say("%lu messages carried, %lu put back, %lu on their way", bridge.carried, bridge.put_back, bridge.on_their_way);
}

int main(int argc, char **argv) {
  struct event_base *base = event_base_new();
  struct timeval interval = {10, 0};
  amqp_event_connection_callbacks_t callbacks = saying_callbacks();
  struct event clock;
  int end, failed;
  if (argc != 5) fail("usage: event_bridge from-url from-queue to-url to-queue");
  if (event_assign(&clock, base, -1, EV_PERSIST, report, NULL) != 0) fail("cannot make a clock");
  event_add(&clock, &interval);
  bridge.from_queue = argv[2];
  bridge.to_queue = argv[4];
  callbacks.on_ready = on_ready;
  for (end = SOURCE; end <= TARGET; end += 1) {
    struct event_program program = {base, end == SOURCE ? "from" : "to", NULL, 0};
    bridge.programs[end] = program;
    event_program_open(&bridge.programs[end], event_program_options(argv[end == SOURCE ? 1 : 3], 0), &callbacks);
  }
  failed = event_program_run(bridge.programs, 2);
  report(-1, 0, NULL);
  return failed;
}
