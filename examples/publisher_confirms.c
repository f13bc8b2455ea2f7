/* Publishes and learns of every message what became of it: taken by the broker, refused by it, or sent to no queue.
 *
 * Type:     publisher_confirms [host [port [queue [messages [window]]]]]
 *           publisher_confirms localhost 5672 confirmed 1000 100
 *           window: at most so many messages are on their way without an answer.
 * You see:  1000 messages published: 1000 taken, 0 refused, 0 returned
 *           With code 1 unless all were taken. A queue whose name starts with "?" is not declared: all messages come
 *           back.
 *
 * The broker numbers the messages of a channel from 1 and answers with basic.ack or basic.nack, for one number or for
 * all up to it ("multiple"). A "mandatory" message that no queue takes is returned first, then acknowledged.
 */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "common.h"

struct publisher {
  amqp_connection_state_t connection;
  unsigned char *answered; /* one for each message, by its number */
  uint64_t published, oldest_open, open, taken, refused, returned;
};

/* An answer for `tag`, or for all messages up to it that have none yet. */
static void settle(struct publisher *publisher, uint64_t tag, int multiple, uint64_t *tally) {
  uint64_t number = multiple ? publisher->oldest_open : tag;
  if (tag == 0 || tag > publisher->published) {
    fail("the broker confirmed message %llu, which was not published", (unsigned long long)tag);
  }
  for (; number <= tag; ++number) {
    if (!publisher->answered[number]) {
      publisher->answered[number] = 1;
      publisher->open -= 1;
      *tally += 1;
    }
  }
  while (publisher->oldest_open <= publisher->published && publisher->answered[publisher->oldest_open]) {
    publisher->oldest_open += 1;
  }
}

/* Something that is not a confirmation waits to be read: a message that came back, or the broker closes. */
static void read_other_frame(struct publisher *publisher) {
  amqp_frame_t frame;
  check_status(amqp_simple_wait_frame(publisher->connection, &frame), "read a frame");
  if (frame.frame_type == AMQP_FRAME_METHOD && frame.payload.method.id == AMQP_BASIC_RETURN_METHOD) {
    const amqp_basic_return_t *why = frame.payload.method.decoded;
    amqp_message_t message;
    if (publisher->returned == 0) {
      printf("a message came back: %u %.*s\n", (unsigned)why->reply_code, (int)why->reply_text.len,
             (char *)why->reply_text.bytes);
    }
    check_reply(amqp_read_message(publisher->connection, frame.channel, &message, 0), "read the returned message");
    amqp_destroy_message(&message);
    publisher->returned += 1;
    return;
  }
  fail("%s", frame_text(&frame));
}

static void await_answer(struct publisher *publisher) {
  struct timeval patience = {30, 0};
  amqp_publisher_confirm_t confirm;
  amqp_rpc_reply_t reply;
  amqp_maybe_release_buffers(publisher->connection);
  reply = amqp_publisher_confirm_wait(publisher->connection, &patience, &confirm);
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && reply.library_error == AMQP_STATUS_UNEXPECTED_STATE) {
    read_other_frame(publisher);
    return;
  }
  check_reply(reply, "wait for a confirmation");
  switch (confirm.method) {
    case AMQP_BASIC_ACK_METHOD:
      settle(publisher, confirm.payload.ack.delivery_tag, confirm.payload.ack.multiple, &publisher->taken);
      break;
    case AMQP_BASIC_NACK_METHOD:
      settle(publisher, confirm.payload.nack.delivery_tag, confirm.payload.nack.multiple, &publisher->refused);
      break;
    case AMQP_BASIC_REJECT_METHOD:
      settle(publisher, confirm.payload.reject.delivery_tag, 0, &publisher->refused);
      break;
    default:
      fail("an unknown kind of confirmation");
  }
}

int main(int argc, char **argv) {
  const char *host = argument(argc, argv, 1, "localhost");
  int port = (int)number_argument(argc, argv, 2, 5672, 1, 65535);
  const char *queue = argument(argc, argv, 3, "confirmed");
  uint64_t count = (uint64_t)number_argument(argc, argv, 4, 1000, 1, 100000000);
  uint64_t window = (uint64_t)number_argument(argc, argv, 5, 100, 1, 100000000);

  struct publisher publisher;
  amqp_socket_t *socket;
  amqp_basic_properties_t properties;

  memset(&publisher, 0, sizeof publisher);
  publisher.connection = amqp_new_connection();
  publisher.answered = calloc((size_t)count + 1, 1);
  publisher.oldest_open = 1;
  socket = publisher.connection != NULL ? amqp_tcp_socket_new(publisher.connection) : NULL;
  if (socket == NULL || publisher.answered == NULL) {
    fail("no memory");
  }
  check_status(amqp_socket_open(socket, host, port), "connect");
  check_reply(amqp_login(publisher.connection, "/", AMQP_DEFAULT_MAX_CHANNELS, AMQP_DEFAULT_FRAME_SIZE, 10,
                         AMQP_SASL_METHOD_PLAIN, "guest", "guest"),
              "log in");
  amqp_channel_open(publisher.connection, 1);
  check_last_reply(publisher.connection, "open a channel");
  if (queue[0] != '?') {
    amqp_queue_declare(publisher.connection, 1, amqp_cstring_bytes(queue), 0, 0, 0, 0, amqp_empty_table);
    check_last_reply(publisher.connection, "declare the queue");
  }
  amqp_confirm_select(publisher.connection, 1);
  check_last_reply(publisher.connection, "ask for confirmations");

  memset(&properties, 0, sizeof properties);
  properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG;
  properties.delivery_mode = AMQP_DELIVERY_PERSISTENT;
  while (publisher.published < count || publisher.open > 0) {
    if (publisher.published < count && publisher.open < window) {
      char text[40];
      snprintf(text, sizeof text, "message %llu", (unsigned long long)publisher.published + 1);
      check_status(amqp_basic_publish(publisher.connection, 1, amqp_empty_bytes, amqp_cstring_bytes(queue), 1, 0,
                                      &properties, amqp_cstring_bytes(text)),
                   "publish");
      publisher.published += 1;
      publisher.open += 1;
    } else {
      await_answer(&publisher);
    }
  }

  check_reply(amqp_channel_close(publisher.connection, 1, AMQP_REPLY_SUCCESS), "close the channel");
  check_reply(amqp_connection_close(publisher.connection, AMQP_REPLY_SUCCESS), "close the connection");
  check_status(amqp_destroy_connection(publisher.connection), "free the connection");
  free(publisher.answered);
  /* A returned message is acknowledged as well: the broker has dealt with it. */
  printf("%llu messages published: %llu taken, %llu refused, %llu returned\n", (unsigned long long)publisher.published,
         (unsigned long long)(publisher.taken - publisher.returned), (unsigned long long)publisher.refused,
         (unsigned long long)publisher.returned);
  return publisher.taken - publisher.returned == publisher.published ? 0 : 1;
}
