/* The beginnings of client.h. */
#include "client.h"

#include <string.h>

amqp_connection_state_t client_connect(const peer *p) {
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket;
  if (!CHECK(connection != NULL)) return NULL;
  if (client_open_otherwise != NULL) {
    if (CHECK_STATUS(client_open_otherwise(connection, peer_port(p)), AMQP_STATUS_OK)) return connection;
    amqp_destroy_connection(connection);
    return NULL;
  }
  socket = amqp_tcp_socket_new(connection);
  if (CHECK(socket != NULL) && CHECK_STATUS(amqp_socket_open(socket, "127.0.0.1", peer_port(p)), AMQP_STATUS_OK))
    return connection;
  amqp_destroy_connection(connection);
  return NULL;
}

amqp_connection_state_t client_login(const peer *p, int heartbeat) {
  amqp_connection_state_t connection = client_connect(p);
  amqp_rpc_reply_t reply;
  if (connection == NULL) return NULL;
  reply = amqp_login(connection, "/", 0, 131072, heartbeat, AMQP_SASL_METHOD_PLAIN, "guest", "guest");
  if (CHECK_INT(reply.reply_type, AMQP_RESPONSE_NORMAL)) return connection;
  amqp_destroy_connection(connection);
  return NULL;
}

amqp_connection_state_t client_open(const peer *p, int heartbeat) {
  amqp_connection_state_t connection = client_login(p, heartbeat);
  if (connection == NULL) return NULL;
  if (CHECK(amqp_channel_open(connection, 1) != NULL)) return connection;
  amqp_destroy_connection(connection);
  return NULL;
}

struct timeval *client_seconds(double seconds) {
  static struct timeval value;
  value.tv_sec = (long)seconds;
  value.tv_usec = (long)((seconds - (double)value.tv_sec) * 1e6);
  return &value;
}

int client_reply_status(amqp_rpc_reply_t reply) {
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) return 0;
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) return reply.library_error;
  return reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION ? 1 : 2;
}

amqp_bytes_t client_bytes(const char *text) {
  amqp_bytes_t bytes;
  bytes.len = strlen(text);
  bytes.bytes = (void *)text;
  return bytes;
}

int client_publish(amqp_connection_state_t connection, amqp_channel_t channel, const char *text) {
  return amqp_basic_publish(connection, channel, client_bytes(""), client_bytes("a.key"), 0, 0, NULL, client_bytes(text));
}

int client_bytes_equal(amqp_bytes_t bytes, const char *text) {
  return bytes.len == strlen(text) && (bytes.len == 0 || memcmp(bytes.bytes, text, bytes.len) == 0);
}

int64_t elapsed_milliseconds(int64_t since) { return (peer_now() - since) / 1000000; }
