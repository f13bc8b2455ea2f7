/* Connects, logs in and asks one question, each within a time that it sets, and says which step took how long.
 *
 * Type:     connect_timeout [host [port [seconds]]]
 *           connect_timeout 192.0.2.1 5672 2          (an address that nobody answers at)
 * You see:  connect: 0.001 s
 *           log in: 0.012 s, to RabbitMQ 3.10.8
 *           open a channel: 0.002 s
 *           or, with code 1,  connect: request timed out after 2.001 s
 *
 * The three limits are separate. amqp_socket_open_noblock bounds the connection (in spite of its name it does wait),
 * the handshake timeout bounds amqp_login, the RPC timeout bounds every call that waits for an answer of the broker.
 * After an RPC has timed out the connection is of no more use: its answer might come later and be taken for
 * another's.
 */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "common.h"

/* Text that the broker says about itself, or "?". */
static amqp_bytes_t server_property(amqp_connection_state_t connection, const char *name) {
  const amqp_table_t *table = amqp_get_server_properties(connection);
  int i;
  for (i = 0; table != NULL && i < table->num_entries; ++i) {
    const amqp_table_entry_t *entry = &table->entries[i];
    if (entry->key.len == strlen(name) && memcmp(entry->key.bytes, name, entry->key.len) == 0 &&
        entry->value.kind == AMQP_FIELD_KIND_UTF8) {
      return entry->value.value.bytes;
    }
  }
  return amqp_cstring_bytes("?");
}

int main(int argc, char **argv) {
  const char *host = argument(argc, argv, 1, "localhost");
  int port = (int)number_argument(argc, argv, 2, 5672, 1, 65535);
  struct timeval limit = {number_argument(argc, argv, 3, 5, 0, 1000000), 0};

  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = connection != NULL ? amqp_tcp_socket_new(connection) : NULL;
  amqp_bytes_t product, version;
  amqp_rpc_reply_t reply;
  double began;
  int status;

  if (socket == NULL) {
    fail("no memory for a connection");
  }
  began = seconds_now();
  status = amqp_socket_open_noblock(socket, host, port, &limit);
  if (status != AMQP_STATUS_OK) {
    fail("connect: %s after %.3f s", amqp_error_string2(status), seconds_now() - began);
  }
  printf("connect: %.3f s\n", seconds_now() - began);

  check_status(amqp_set_handshake_timeout(connection, &limit), "set the handshake timeout");
  check_status(amqp_set_rpc_timeout(connection, &limit), "set the RPC timeout");

  began = seconds_now();
  reply = amqp_login(connection, "/", AMQP_DEFAULT_MAX_CHANNELS, AMQP_DEFAULT_FRAME_SIZE, 60,
                     AMQP_SASL_METHOD_PLAIN, "guest", "guest");
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
    fail("log in: %s after %.3f s", reply_text(reply), seconds_now() - began);
  }
  product = server_property(connection, "product");
  version = server_property(connection, "version");
  printf("log in: %.3f s, to %.*s %.*s\n", seconds_now() - began, (int)product.len, (char *)product.bytes,
         (int)version.len, (char *)version.bytes);

  began = seconds_now();
  amqp_channel_open(connection, 1);
  reply = amqp_get_rpc_reply(connection);
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
    fail("open a channel: %s after %.3f s", reply_text(reply), seconds_now() - began);
  }
  printf("open a channel: %.3f s\n", seconds_now() - began);

  check_reply(amqp_channel_close(connection, 1, AMQP_REPLY_SUCCESS), "close the channel");
  check_reply(amqp_connection_close(connection, AMQP_REPLY_SUCCESS), "close the connection");
  check_status(amqp_destroy_connection(connection), "free the connection");
  return 0;
}
