/* A consumer that stays: after each loss it is there again, with its queue, and says what happened.
 *
 * Type:     event_consumer [url [queue [heartbeat]]]
 *           event_consumer amqp://guest:guest@localhost jobs 5
 * You see:  12:00:00.000  consumer: connected, heartbeat 5 s
 *           12:00:00.004  consuming from "jobs", which holds 0 messages
 *           12:00:03.120  message 1: 5 bytes: hello
 *
 *           Restart the broker, or pull its plug:
 *
 *           12:00:31.437  consumer: lost: ...
 *           12:00:31.640  consumer: attempt 1, localhost:5672
 *           12:00:37.010  consumer: recovered
 *
 * Code:     0 after Ctrl-C, 1 when the connection ended otherwise.
 *
 * What it declares in on_ready comes back after a loss without another line here: the channel, its prefetch count, the queue and
 * the consumer.
 */
#include <stdio.h>

#include "event_common.h"

static const char *queue;

static void on_message(amqp_event_consumer_t *consumer, const amqp_event_message_t *message, void *ctx) {
  int shown = message->body.len < 60 ? (int)message->body.len : 60;
  (void)ctx;
  say("message %llu: %zu bytes: %.*s%s", (unsigned long long)message->delivery_tag, message->body.len, shown,
      (char *)message->body.bytes, message->redelivered ? " (again)" : "");
  /* A message that cannot be acknowledged, because its connection is lost, comes again. */
  amqp_event_ack(amqp_event_consumer_channel(consumer), message->delivery_tag, 0);
}

static void on_cancelled(amqp_event_consumer_t *consumer, const amqp_event_error_t *error, void *ctx) {
  struct event_program *program = ctx;
  (void)consumer;
  if (error != NULL && error->status != AMQP_EVENT_STATUS_CANCELLED) {
    say("the consumer has ended: %s", error->text);
    program->failed = 1;
    event_base_loopexit(program->base, NULL);
  }
}

static void on_declared(amqp_event_channel_t *channel, const amqp_event_error_t *error, amqp_bytes_t name,
                        uint32_t messages, uint32_t consumers, void *ctx) {
  (void)channel, (void)consumers, (void)ctx;
  if (error != NULL) {
    say("the queue cannot be declared: %s", error->text);
  } else {
    say("consuming from \"%.*s\", which holds %u messages", (int)name.len, (char *)name.bytes, (unsigned)messages);
  }
}

static void on_ready(amqp_event_connection_t *connection, void *ctx) {
  amqp_event_channel_t *channel;
  saying_callbacks().on_ready(connection, ctx);
  /* Four requests, sent together; each follows the one before without waiting for its answer. */
  check_status(amqp_event_channel_open(connection, NULL, NULL, &channel), "open a channel");
  check_status(amqp_event_qos(channel, 100, NULL, NULL), "set the prefetch limit");
  check_status(amqp_event_queue_declare(channel, amqp_cstring_bytes(queue), NULL, on_declared, NULL), "declare");
  check_status(amqp_event_consume(channel, amqp_cstring_bytes(queue), NULL, on_message, on_cancelled, ctx, NULL),
               "consume");
}

int main(int argc, char **argv) {
  const char *url = argument(argc, argv, 1, "amqp://guest:guest@localhost");
  int heartbeat = (int)number_argument(argc, argv, 3, 0, 0, 65535);
  amqp_event_connection_callbacks_t callbacks = saying_callbacks();
  struct event_program program = {event_base_new(), "consumer", NULL, 0};
  queue = argument(argc, argv, 2, "jobs");
  callbacks.on_ready = on_ready;
  event_program_open(&program, event_program_options(url, heartbeat), &callbacks);
  return event_program_run(&program, 1);
}
