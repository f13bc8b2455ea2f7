/* A broker that says anything from the first byte on, and a login with any client properties. */
#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  input from = input_of(data, size), choices;
  unsigned how = take(&from, 1);
  amqp_bytes_t encoded = rest(&from);
  amqp_table_t properties = {0, NULL};
  amqp_rpc_reply_t reply;
  amqp_pool_t pool;
  size_t offset = 0;
  wire w;
  init_amqp_pool(&pool, 512);
  if (how & 1 && amqp_decode_table(encoded, &pool, &properties, &offset) == AMQP_STATUS_OK) from.at += offset;
  choices = from;
  w = wire_with(rest(&from), 0);
  reply = how & 2 ? amqp_login_with_properties(w.connection, "/", 0, 4096, 0, &properties, AMQP_SASL_METHOD_EXTERNAL, "me")
                  : amqp_login_with_properties(w.connection, "/", 0, 4096, 0, &properties, AMQP_SASL_METHOD_PLAIN, "me", "secret");
  wire_drain(&w);
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
    require(reply.reply_type != AMQP_RESPONSE_NONE, "a login without an answer");
    call_something(&w, &choices);
  } else {
    amqp_table_t *server = amqp_get_server_properties(w.connection), *client = amqp_get_client_properties(w.connection);
    static uint8_t room_bytes[1 << 17];
    amqp_bytes_t room = {sizeof room_bytes, room_bytes};
    offset = 0;
    require(amqp_encode_table(room, client, &offset) == AMQP_STATUS_OK, "client properties");
    offset = 0;
    require(amqp_encode_table(room, server, &offset) != AMQP_STATUS_INVALID_PARAMETER, "server properties");
    call_something(&w, &choices);
    call_something(&w, &choices);
  }
  wire_end(&w);
  empty_amqp_pool(&pool);
  return 0;
}
