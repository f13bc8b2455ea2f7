/* Answers requests: takes each message from a queue and sends its text, in capitals, to the queue that the message
 * names in reply_to. The other half is rpc_client.
 *
 * Type:     rpc_server [host [port [queue [requests]]]]         requests: end after so many; 0 = never
 *           rpc_server localhost 5672 capitals
 * You see:  serving "capitals"
 *           request 1: 5 bytes, answered to "amq.gen-..."
 *
 * A request is acknowledged after its answer was sent: if this program dies in between, another server gets the
 * request. So a request may be answered twice, and what a server does should bear that.
 */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common.h"

static void answer(amqp_connection_state_t connection, amqp_envelope_t *envelope) {
  const amqp_basic_properties_t *asked = &envelope->message.properties;
  amqp_bytes_t body = envelope->message.body;
  amqp_basic_properties_t properties;
  size_t i;

  /* The body in the envelope is ours until the envelope is destroyed: it may be changed in place. */
  for (i = 0; i < body.len; ++i) {
    ((char *)body.bytes)[i] = (char)toupper(((unsigned char *)body.bytes)[i]);
  }
  memset(&properties, 0, sizeof properties);
  properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG;
  properties.content_type = amqp_cstring_bytes("text/plain");
  if (asked->_flags & AMQP_BASIC_CORRELATION_ID_FLAG) {
    properties._flags |= AMQP_BASIC_CORRELATION_ID_FLAG;
    properties.correlation_id = asked->correlation_id;
  }
  check_status(amqp_basic_publish(connection, envelope->channel, amqp_empty_bytes, asked->reply_to, 0, 0,
                                  &properties, body),
               "answer");
}

int main(int argc, char **argv) {
  const char *host = argument(argc, argv, 1, "localhost");
  int port = (int)number_argument(argc, argv, 2, 5672, 1, 65535);
  const char *queue = argument(argc, argv, 3, "capitals");
  long limit = number_argument(argc, argv, 4, 0, 0, 1000000000);

  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = connection != NULL ? amqp_tcp_socket_new(connection) : NULL;
  long served = 0;

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
  /* One request at a time: with several servers each gets the next one when it is free. */
  amqp_basic_qos(connection, 1, 0, 1, 0);
  check_last_reply(connection, "set the prefetch limit");
  amqp_basic_consume(connection, 1, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
  check_last_reply(connection, "start a consumer");
  printf("serving \"%s\"\n", queue);
  fflush(stdout);

  while (limit == 0 || served < limit) {
    amqp_envelope_t envelope;
    amqp_rpc_reply_t reply;
    amqp_maybe_release_buffers(connection);
    /* No timeout: a server may wait for days. The heartbeat ends the wait if the broker dies. */
    reply = amqp_consume_message(connection, &envelope, NULL, 0);
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && reply.library_error == AMQP_STATUS_UNEXPECTED_STATE) {
      amqp_frame_t frame;
      check_status(amqp_simple_wait_frame(connection, &frame), "read a frame");
      fail("%s", frame_text(&frame));
    }
    check_reply(reply, "consume");
    served += 1;
    if (envelope.message.properties._flags & AMQP_BASIC_REPLY_TO_FLAG) {
      amqp_bytes_t reply_to = envelope.message.properties.reply_to;
      answer(connection, &envelope);
      printf("request %ld: %zu bytes, answered to \"%.*s\"\n", served, envelope.message.body.len, (int)reply_to.len,
             (char *)reply_to.bytes);
    } else {
      printf("request %ld: %zu bytes, wants no answer\n", served, envelope.message.body.len);
    }
    fflush(stdout);
    check_status(amqp_basic_ack(connection, envelope.channel, envelope.delivery_tag, 0), "acknowledge");
    amqp_destroy_envelope(&envelope);
  }

  check_reply(amqp_channel_close(connection, 1, AMQP_REPLY_SUCCESS), "close the channel");
  check_reply(amqp_connection_close(connection, AMQP_REPLY_SUCCESS), "close the connection");
  check_status(amqp_destroy_connection(connection), "free the connection");
  return 0;
}
