/* Listens on a queue until Ctrl-C, and leaves in good order.
 *
 * Type:     listen_queue [host [port [queue]]]
 *           listen_queue localhost 5672 greetings
 * You see:  listening on "greetings" as consumer "amq.ctag-..."; Ctrl-C ends
 *           one line per message: its routing key and its body, then after Ctrl-C
 *           cancelled; 3 messages heard
 *
 * Messages are taken without acknowledgement: simple and fast, and what has been sent to this program is lost if it
 * dies. consume_ack shows the other way. The wait ends every second to look whether Ctrl-C was pressed: no other way
 * is free of a race, since a signal may come just before the wait begins.
 */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "common.h"

static volatile sig_atomic_t interrupted;

static void interrupt(int signal_number) {
  (void)signal_number;
  interrupted = 1;
}

/* Deals with a frame that is not a delivery. Only one kind is harmless: messages of ours that came back. We send
   none, but a program that publishes on the same connection would read them here. */
static void read_other_frame(amqp_connection_state_t connection) {
  amqp_frame_t frame;
  check_status(amqp_simple_wait_frame(connection, &frame), "read a frame");
  if (frame.frame_type == AMQP_FRAME_METHOD && frame.payload.method.id == AMQP_BASIC_RETURN_METHOD) {
    amqp_message_t message;
    check_reply(amqp_read_message(connection, frame.channel, &message, 0), "read a returned message");
    amqp_destroy_message(&message);
    return;
  }
  fail("%s", frame_text(&frame));
}

int main(int argc, char **argv) {
  const char *host = argument(argc, argv, 1, "localhost");
  int port = (int)number_argument(argc, argv, 2, 5672, 1, 65535);
  const char *queue = argument(argc, argv, 3, "greetings");

  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = connection != NULL ? amqp_tcp_socket_new(connection) : NULL;
  amqp_basic_consume_ok_t *consumer;
  amqp_bytes_t consumer_tag;
  struct sigaction action;
  unsigned long heard = 0;

  if (socket == NULL) {
    fail("no memory for a connection");
  }
  memset(&action, 0, sizeof action);
  action.sa_handler = interrupt;
  if (sigaction(SIGINT, &action, NULL) != 0 || sigaction(SIGTERM, &action, NULL) != 0) {
    fail("cannot catch Ctrl-C");
  }

  check_status(amqp_socket_open(socket, host, port), "connect");
  check_reply(amqp_login(connection, "/", AMQP_DEFAULT_MAX_CHANNELS, AMQP_DEFAULT_FRAME_SIZE, 10,
                         AMQP_SASL_METHOD_PLAIN, "guest", "guest"),
              "log in");
  amqp_channel_open(connection, 1);
  check_last_reply(connection, "open a channel");
  amqp_queue_declare(connection, 1, amqp_cstring_bytes(queue), 0, 0, 0, 0, amqp_empty_table);
  check_last_reply(connection, "declare the queue");
  consumer = amqp_basic_consume(connection, 1, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 1, 0, amqp_empty_table);
  check_last_reply(connection, "start a consumer");
  /* The broker chose the tag. What the call returned is the connection's, and released below; a copy is ours. */
  consumer_tag = amqp_bytes_malloc_dup(consumer->consumer_tag);
  if (consumer_tag.bytes == NULL) {
    fail("no memory for the consumer tag");
  }
  printf("listening on \"%s\" as consumer \"%.*s\"; Ctrl-C ends\n", queue, (int)consumer_tag.len,
         (char *)consumer_tag.bytes);
  fflush(stdout);

  while (!interrupted) {
    struct timeval second = {1, 0};
    amqp_envelope_t envelope;
    amqp_rpc_reply_t reply;
    amqp_maybe_release_buffers(connection);
    reply = amqp_consume_message(connection, &envelope, &second, 0);
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) {
      if (reply.library_error == AMQP_STATUS_TIMEOUT) {
        continue;
      }
      if (reply.library_error == AMQP_STATUS_UNEXPECTED_STATE) {
        read_other_frame(connection);
        continue;
      }
    }
    check_reply(reply, "consume");
    printf("%.*s: %.*s\n", (int)envelope.routing_key.len, (char *)envelope.routing_key.bytes,
           (int)envelope.message.body.len, (char *)envelope.message.body.bytes);
    fflush(stdout);
    amqp_destroy_envelope(&envelope);
    heard += 1;
  }

  amqp_basic_cancel(connection, 1, consumer_tag);
  check_last_reply(connection, "cancel the consumer");
  amqp_bytes_free(consumer_tag);
  check_reply(amqp_channel_close(connection, 1, AMQP_REPLY_SUCCESS), "close the channel");
  check_reply(amqp_connection_close(connection, AMQP_REPLY_SUCCESS), "close the connection");
  check_status(amqp_destroy_connection(connection), "free the connection");
  printf("cancelled; %lu messages heard\n", heard);
  return 0;
}
