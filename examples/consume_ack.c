/* Consumes messages and acknowledges each one after it has been dealt with, so that none is lost when this program
 * dies.
 *
 * Type:     consume_ack [host [port [queue [messages [seconds]]]]]
 *           consume_ack localhost 5672 greetings 3 10
 * You see:  one line per message
 *               message 1 from exchange "" with routing key "greetings": 12 bytes of text/plain: Hello, world
 *           and, after that many messages or when none came for so many seconds,
 *               3 messages acknowledged
 *           A message that was delivered before and not acknowledged says "(again)".
 */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <ctype.h>
#include <stdio.h>
#include <sys/time.h>

#include "common.h"

enum { prefetch = 20, shown_bytes = 60 };

static void show(const amqp_envelope_t *envelope) {
  const amqp_message_t *message = &envelope->message;
  const unsigned char *byte = message->body.bytes;
  size_t i;
  printf("message %llu%s from exchange \"%.*s\" with routing key \"%.*s\": %zu bytes",
         (unsigned long long)envelope->delivery_tag, envelope->redelivered ? " (again)" : "",
         (int)envelope->exchange.len, (char *)envelope->exchange.bytes, (int)envelope->routing_key.len,
         (char *)envelope->routing_key.bytes, message->body.len);
  if (message->properties._flags & AMQP_BASIC_CONTENT_TYPE_FLAG) {
    printf(" of %.*s", (int)message->properties.content_type.len, (char *)message->properties.content_type.bytes);
  }
  printf(": ");
  for (i = 0; i < message->body.len && i < shown_bytes; ++i) {
    putchar(isprint(byte[i]) ? byte[i] : '.');
  }
  printf(i < message->body.len ? "...\n" : "\n");
}

int main(int argc, char **argv) {
  const char *host = argument(argc, argv, 1, "localhost");
  int port = (int)number_argument(argc, argv, 2, 5672, 1, 65535);
  const char *queue = argument(argc, argv, 3, "greetings");
  long wanted = number_argument(argc, argv, 4, 10, 1, 1000000000);
  struct timeval patience = {number_argument(argc, argv, 5, 30, 0, 1000000), 0};

  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = connection != NULL ? amqp_tcp_socket_new(connection) : NULL;
  long dealt_with = 0;

  if (socket == NULL) {
    fail("no memory for a connection");
  }
  check_status(amqp_socket_open(socket, host, port), "connect");
  check_reply(amqp_login(connection, "/", AMQP_DEFAULT_MAX_CHANNELS, AMQP_DEFAULT_FRAME_SIZE, 10,
                         AMQP_SASL_METHOD_PLAIN, "guest", "guest"),
              "log in");
  amqp_channel_open(connection, 1);
  check_last_reply(connection, "open a channel");
  amqp_queue_declare(connection, 1, amqp_cstring_bytes(queue), 0, 0, 0, 0, amqp_empty_table);
  check_last_reply(connection, "declare the queue");

  /* Without a prefetch limit the broker would send the whole queue at once. */
  amqp_basic_qos(connection, 1, 0, prefetch, 0);
  check_last_reply(connection, "set the prefetch limit");
  amqp_basic_consume(connection, 1, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
  check_last_reply(connection, "start a consumer");

  while (dealt_with < wanted) {
    amqp_envelope_t envelope;
    amqp_rpc_reply_t reply;

    /* Decoded frames live in memory of the connection; this gives back what is no longer needed. */
    amqp_maybe_release_buffers(connection);
    reply = amqp_consume_message(connection, &envelope, &patience, 0);
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && reply.library_error == AMQP_STATUS_TIMEOUT) {
      break;
    }
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && reply.library_error == AMQP_STATUS_UNEXPECTED_STATE) {
      /* Something other than a delivery came: it is still there to be read. */
      amqp_frame_t frame;
      check_status(amqp_simple_wait_frame(connection, &frame), "read a frame");
      fail("%s", frame_text(&frame));
    }
    check_reply(reply, "consume");

    show(&envelope);
    check_status(amqp_basic_ack(connection, envelope.channel, envelope.delivery_tag, 0), "acknowledge");
    amqp_destroy_envelope(&envelope);
    dealt_with += 1;
  }

  check_reply(amqp_channel_close(connection, 1, AMQP_REPLY_SUCCESS), "close the channel");
  check_reply(amqp_connection_close(connection, AMQP_REPLY_SUCCESS), "close the connection");
  check_status(amqp_destroy_connection(connection), "free the connection");
  printf("%ld messages acknowledged\n", dealt_with);
  return 0;
}
