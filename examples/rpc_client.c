/* Asks a question and waits for the answer. The other half is rpc_server.
 *
 * Type:     rpc_client [host [port [queue [text [seconds]]]]]
 *           rpc_client localhost 5672 capitals hello 5
 * You see:  HELLO
 *           or, with code 1,  no answer within 5 s, or, if no such queue exists,  nobody serves "capitals"
 *
 * The answer comes to a queue of our own, which the broker names and deletes with the connection. The correlation id
 * tells our answer from a late one to an earlier question. The question is "mandatory": if no queue takes it, it
 * comes back.
 */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "common.h"

static int same(amqp_bytes_t bytes, const char *text) {
  return bytes.len == strlen(text) && memcmp(bytes.bytes, text, bytes.len) == 0;
}

static void ask(amqp_connection_state_t connection, const char *queue, const char *text, amqp_bytes_t reply_to,
                const char *correlation_id) {
  amqp_basic_properties_t properties;
  memset(&properties, 0, sizeof properties);
  properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_REPLY_TO_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG;
  properties.content_type = amqp_cstring_bytes("text/plain");
  properties.reply_to = reply_to;
  properties.correlation_id = amqp_cstring_bytes(correlation_id);
  check_status(amqp_basic_publish(connection, 1, amqp_empty_bytes, amqp_cstring_bytes(queue), 1, 0, &properties,
                                  amqp_cstring_bytes(text)),
               "ask");
}

/* Prints the answer. Ends the program if there is none. */
static void await_answer(amqp_connection_state_t connection, const char *queue, const char *correlation_id,
                         long seconds) {
  double due = seconds_now() + (double)seconds;
  for (;;) {
    double left = due - seconds_now();
    struct timeval timeout;
    amqp_envelope_t envelope;
    amqp_rpc_reply_t reply;
    int ours;
    if (left < 0) {
      left = 0;
    }
    timeout.tv_sec = (long)left;
    timeout.tv_usec = (long)((left - (double)timeout.tv_sec) * 1e6);
    reply = amqp_consume_message(connection, &envelope, &timeout, 0);
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && reply.library_error == AMQP_STATUS_TIMEOUT) {
      fail("no answer within %ld s", seconds);
    }
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && reply.library_error == AMQP_STATUS_UNEXPECTED_STATE) {
      amqp_frame_t frame;
      check_status(amqp_simple_wait_frame(connection, &frame), "read a frame");
      if (frame.frame_type == AMQP_FRAME_METHOD && frame.payload.method.id == AMQP_BASIC_RETURN_METHOD) {
        fail("nobody serves \"%s\"", queue);
      }
      fail("%s", frame_text(&frame));
    }
    check_reply(reply, "wait for the answer");
    ours = (envelope.message.properties._flags & AMQP_BASIC_CORRELATION_ID_FLAG) &&
           same(envelope.message.properties.correlation_id, correlation_id);
    if (ours) {
      printf("%.*s\n", (int)envelope.message.body.len, (char *)envelope.message.body.bytes);
    }
    amqp_destroy_envelope(&envelope);
    if (ours) {
      return;
    }
  }
}

int main(int argc, char **argv) {
  const char *host = argument(argc, argv, 1, "localhost");
  int port = (int)number_argument(argc, argv, 2, 5672, 1, 65535);
  const char *queue = argument(argc, argv, 3, "capitals");
  const char *text = argument(argc, argv, 4, "hello");
  long seconds = number_argument(argc, argv, 5, 5, 0, 1000000);

  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = connection != NULL ? amqp_tcp_socket_new(connection) : NULL;
  amqp_queue_declare_ok_t *declared;
  amqp_bytes_t reply_to;
  char correlation_id[32];

  if (socket == NULL) {
    fail("no memory for a connection");
  }
  check_status(amqp_socket_open(socket, host, port), "connect");
  check_reply(amqp_login(connection, "/", AMQP_DEFAULT_MAX_CHANNELS, AMQP_DEFAULT_FRAME_SIZE, 60,
                         AMQP_SASL_METHOD_PLAIN, "guest", "guest"),
              "log in");
  amqp_channel_open(connection, 1);
  check_last_reply(connection, "open a channel");

  /* No name, exclusive, deleted with its last consumer. */
  declared = amqp_queue_declare(connection, 1, amqp_empty_bytes, 0, 0, 1, 1, amqp_empty_table);
  check_last_reply(connection, "declare a queue for the answer");
  reply_to = amqp_bytes_malloc_dup(declared->queue);
  if (reply_to.bytes == NULL) {
    fail("no memory for the name of the queue");
  }
  amqp_basic_consume(connection, 1, reply_to, amqp_empty_bytes, 0, 1, 1, amqp_empty_table);
  check_last_reply(connection, "start a consumer");

  snprintf(correlation_id, sizeof correlation_id, "%ld-1", (long)getpid());
  ask(connection, queue, text, reply_to, correlation_id);
  await_answer(connection, queue, correlation_id, seconds);

  amqp_bytes_free(reply_to);
  check_reply(amqp_channel_close(connection, 1, AMQP_REPLY_SUCCESS), "close the channel");
  check_reply(amqp_connection_close(connection, AMQP_REPLY_SUCCESS), "close the connection");
  check_status(amqp_destroy_connection(connection), "free the connection");
  return 0;
}
