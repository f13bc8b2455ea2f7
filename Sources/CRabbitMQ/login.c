// The two variadic functions of the ABI, which Swift cannot define: they unpack their arguments and call the driver.

#include <stdarg.h>

#include "amqp.h"

// In Exports/AMQP/Login.swift. What is passed as NULL there was not passed here.
amqp_rpc_reply_t pulse_login(amqp_connection_state_t state, const char *vhost, int channel_max, int frame_max,
                             int heartbeat, const amqp_table_t *properties, amqp_sasl_method_enum sasl_method,
                             const char *identity, const char *password);

// How many strings follow sasl_method; for a method that is not known none may be read.
static int count_credentials(amqp_sasl_method_enum sasl_method) {
  switch (sasl_method) {
    case AMQP_SASL_METHOD_PLAIN:
      return 2;
    case AMQP_SASL_METHOD_EXTERNAL:
      return 1;
    default:
      return 0;
  }
}

static amqp_rpc_reply_t login(amqp_connection_state_t state, const char *vhost, int channel_max, int frame_max,
                              int heartbeat, const amqp_table_t *properties, amqp_sasl_method_enum sasl_method,
                              va_list arguments) {
  const int count = count_credentials(sasl_method);
  const char *identity = count >= 1 ? va_arg(arguments, const char *) : NULL;
  const char *password = count >= 2 ? va_arg(arguments, const char *) : NULL;
  return pulse_login(state, vhost, channel_max, frame_max, heartbeat, properties, sasl_method, identity, password);
}

amqp_rpc_reply_t amqp_login(amqp_connection_state_t state, char const *vhost, int channel_max, int frame_max,
                            int heartbeat, amqp_sasl_method_enum sasl_method, ...) {
  va_list arguments;
  va_start(arguments, sasl_method);
  amqp_rpc_reply_t reply = login(state, vhost, channel_max, frame_max, heartbeat, NULL, sasl_method, arguments);
  va_end(arguments);
  return reply;
}

amqp_rpc_reply_t amqp_login_with_properties(amqp_connection_state_t state, char const *vhost, int channel_max,
                                            int frame_max, int heartbeat, const amqp_table_t *properties,
                                            amqp_sasl_method_enum sasl_method, ...) {
  va_list arguments;
  va_start(arguments, sasl_method);
  amqp_rpc_reply_t reply = login(state, vhost, channel_max, frame_max, heartbeat, properties, sasl_method, arguments);
  va_end(arguments);
  return reply;
}
