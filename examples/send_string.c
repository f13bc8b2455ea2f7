/* Sends one string and ends.
 *
 * Type:     send_string [host [port [exchange [routing-key [text]]]]]
 *           send_string localhost 5672 "" greetings "Hello, world"
 * You see:  sent 12 bytes to exchange "" with routing key "greetings"
 *
 * The exchange "" is the default one: it delivers to the queue that the routing key names. A message that no queue
 * takes is dropped by the broker, and nobody is told; publisher_confirms shows how to be told.
 */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <string.h>

#include "common.h"

int main(int argc, char **argv) {
  const char *host = argument(argc, argv, 1, "localhost");
  int port = (int)number_argument(argc, argv, 2, 5672, 1, 65535);
  const char *exchange = argument(argc, argv, 3, "");
  const char *routing_key = argument(argc, argv, 4, "greetings");
  const char *text = argument(argc, argv, 5, "Hello, world");

  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = connection != NULL ? amqp_tcp_socket_new(connection) : NULL;
  amqp_basic_properties_t properties;

  if (socket == NULL) {
    fail("no memory for a connection");
  }
  check_status(amqp_socket_open(socket, host, port), "connect");
  check_reply(amqp_login(connection, "/", AMQP_DEFAULT_MAX_CHANNELS, AMQP_DEFAULT_FRAME_SIZE, 60,
                         AMQP_SASL_METHOD_PLAIN, "guest", "guest"),
              "log in");
  amqp_channel_open(connection, 1);
  check_last_reply(connection, "open a channel");

  /* Only the properties whose flag is set are sent. A persistent message survives a restart of the broker, if its
     queue is durable. */
  memset(&properties, 0, sizeof properties);
  properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG;
  properties.content_type = amqp_cstring_bytes("text/plain");
  properties.delivery_mode = AMQP_DELIVERY_PERSISTENT;
  check_status(amqp_basic_publish(connection, 1, amqp_cstring_bytes(exchange), amqp_cstring_bytes(routing_key), 0, 0,
                                  &properties, amqp_cstring_bytes(text)),
               "publish");

  /* The broker answers a close only after all that came before it, so an exchange that does not exist is reported
     here. */
  check_reply(amqp_channel_close(connection, 1, AMQP_REPLY_SUCCESS), "close the channel");
  check_reply(amqp_connection_close(connection, AMQP_REPLY_SUCCESS), "close the connection");
  check_status(amqp_destroy_connection(connection), "free the connection");
  printf("sent %zu bytes to exchange \"%s\" with routing key \"%s\"\n", strlen(text), exchange, routing_key);
  return 0;
}
