/* A publisher that loses nothing: what the broker has not confirmed is published again.
 *
 * Type:     event_publisher [url [queue [messages per second [messages]]]]
 *           event_publisher amqp://guest:guest@localhost jobs 10 100
 *           messages: 0, which is the default: until Ctrl-C.
 * You see:  12:00:00.000  publisher: connected, heartbeat 60 s
 *           12:00:31.437  publisher: lost: ...
 *           12:00:31.437  message 313: lost, will be published again
 *           12:00:37.010  publisher: recovered
 *           12:01:00.000  600 messages confirmed, 1 of them at another attempt; 0 are open
 * Code:     0 when all were confirmed, else 1.
 * One that is lost before its confirm may be in the queue all the same, and so twice: confirms give "at least once".
 */
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>

#include "event_common.h"

struct message {
  struct message *next;
  unsigned long number;
  int attempts;
};

static struct {
  struct event_program program;
  amqp_event_channel_t *channel;
  struct message *waiting; /* to be published again */
  const char *queue;
  unsigned long total, made, open, confirmed, repeated;
} publisher;

static void on_confirm(amqp_event_channel_t *channel, const amqp_event_confirm_t *confirm, void *ctx) {
  static const char *const words[] = {"", "acked", "nacked", "returned", "lost", "timed out", "cancelled"};
  struct message *message = ctx;
  (void)channel;
  publisher.open -= 1;
  if (confirm->outcome == AMQP_EVENT_ACKED) {
    publisher.confirmed += 1;
    publisher.repeated += message->attempts > 1;
    free(message);
    if (publisher.confirmed == publisher.total) {
      amqp_event_connection_close(publisher.program.connection, AMQP_REPLY_SUCCESS, NULL);
    }
  } else {
    say("message %lu: %s, will be published again", message->number, words[confirm->outcome]);
    message->next = publisher.waiting;
    publisher.waiting = message;
  }
}

static struct message *next_message(void) {
  struct message *message = publisher.waiting;
  if (message != NULL) {
    publisher.waiting = message->next;
  } else if (publisher.total == 0 || publisher.made < publisher.total) {
    message = calloc(1, sizeof *message);
    if (message != NULL) message->number = publisher.made += 1;
  }
  return message;
}

/* At each tick of the clock. While the connection is away, or has enough to write, nothing is published. */
static void publish_one(evutil_socket_t unused, short what, void *ctx) {
  struct message *message;
  char body[40];
  (void)unused, (void)what, (void)ctx;
  if (!amqp_event_can_publish(publisher.channel) || (message = next_message()) == NULL) return;
  snprintf(body, sizeof body, "message %lu", message->number);
  if (amqp_event_publish(publisher.channel, amqp_empty_bytes, amqp_cstring_bytes(publisher.queue), 1, NULL,
                         amqp_cstring_bytes(body), on_confirm, message, NULL) == AMQP_STATUS_OK) {
    message->attempts += 1;
    publisher.open += 1;
  } else {
    message->next = publisher.waiting;
    publisher.waiting = message;
  }
}

/* The handle is gone after this. */
static void on_channel_closed(amqp_event_channel_t *channel, const amqp_event_error_t *error, void *ctx) {
  (void)channel, (void)ctx;
  publisher.channel = NULL;
  if (error != NULL) {
    say("the channel is closed: %s", error->text);
    amqp_event_connection_close(publisher.program.connection, AMQP_REPLY_SUCCESS, NULL);
  }
}

static void on_ready(amqp_event_connection_t *connection, void *ctx) {
  amqp_event_channel_callbacks_t callbacks = {sizeof callbacks, on_channel_closed, NULL, NULL, NULL};
  saying_callbacks().on_ready(connection, ctx);
  check_status(amqp_event_channel_open(connection, NULL, NULL, &publisher.channel), "open a channel");
  amqp_event_channel_set_callbacks(publisher.channel, &callbacks, NULL);
  check_status(amqp_event_queue_declare(publisher.channel, amqp_cstring_bytes(publisher.queue), NULL, NULL, NULL), "declare");
  check_status(amqp_event_confirm_select(publisher.channel, NULL, NULL), "turn confirms on");
}

int main(int argc, char **argv) {
  const char *url = argument(argc, argv, 1, "amqp://guest:guest@localhost");
  long rate = number_argument(argc, argv, 3, 10, 1, 100000);
  struct timeval interval = {rate == 1, rate == 1 ? 0 : 1000000 / rate};
  amqp_event_connection_callbacks_t callbacks = saying_callbacks();
  struct event clock;
  int failed;
  publisher.queue = argument(argc, argv, 2, "jobs");
  publisher.total = (unsigned long)number_argument(argc, argv, 4, 0, 0, 1000000000);
  publisher.program.base = event_base_new();
  publisher.program.name = "publisher";
  callbacks.on_ready = on_ready;
  event_program_open(&publisher.program, event_program_options(url, 0), &callbacks);
  event_assign(&clock, publisher.program.base, -1, EV_PERSIST, publish_one, NULL);
  event_add(&clock, &interval);
  failed = event_program_run(&publisher.program, 1);
  say("%lu messages confirmed, %lu of them at another attempt; %lu are open", publisher.confirmed, publisher.repeated,
      publisher.made - publisher.confirmed);
  return failed || publisher.made != publisher.confirmed;
}
