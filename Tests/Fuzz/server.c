/* A broker that, once it has let the client in, says anything; and a client that makes any calls. */
#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  input from = input_of(data, size), choices;
  size_t calls = take(&from, 1) % 48;
  wire w;
  choices = from;
  if (calls > (size_t)(choices.end - choices.at)) calls = (size_t)(choices.end - choices.at);
  choices.end = choices.at + calls;
  from.at = choices.end;
  w = wire_with(rest(&from), 1);
  require_equal(amqp_login(w.connection, "/", 0, 4096, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest").reply_type,
                AMQP_RESPONSE_NORMAL, "the login");
  require(amqp_channel_open(w.connection, 1) != NULL, "the channel");
  wire_drain(&w);
  while (choices.at < choices.end) call_something(&w, &choices);
  wire_end(&w);
  return 0;
}
