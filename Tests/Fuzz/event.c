/*
 * The event API: options of any value, and a broker that says anything, with or without letting the client in. The broker is a
 * socket of this program; the loop is turned until the stream's end has been noticed. Whatever came, `on_closed` comes once.
 */
#include <amqp_event.h>
#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire.h"

enum { TURNS = 3000 };
static int closed;

static void on_closed(amqp_event_connection_t *connection, const amqp_event_error_t *error, void *context) {
  (void)connection, (void)error, (void)context;
  closed++;
}

static int listener_on(struct sockaddr_in *address) {
  socklen_t size = sizeof *address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  memset(address, 0, sizeof *address);
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  require(listener >= 0 && bind(listener, (struct sockaddr *)address, size) == 0 && listen(listener, 4) == 0 &&
              getsockname(listener, (struct sockaddr *)address, &size) == 0,
          "no listener");
  return listener;
}

/* Each answers a status: refused is as good as taken. */
static void set_options(amqp_event_options_t *options, input *choices) {
  unsigned count = take(choices, 1) % 8;
  for (; count > 0; count--) {
    char text[8];
    int number, status = 0, i;
    unsigned which = take(choices, 1) % 14;
    number = (int)take(choices, 4);
    for (i = 0; i < 7; i++) text[i] = (char)take(choices, 1);
    text[7] = 0;
    switch (which) {
      case 0: {   /* in others, or the client would go to hosts that are not ours */
        amqp_event_options_t *others = amqp_event_options_new();
        status = amqp_event_options_set_url(others, text);
        amqp_event_options_free(others);
        break;
      }
      case 1: status = amqp_event_options_set_vhost(options, text); break;
      case 2: status = amqp_event_options_set_login(options, text, text + 3); break;
      case 3: status = amqp_event_options_set_sasl_external(options, text); break;
      case 4: status = amqp_event_options_set_connection_name(options, text); break;
      case 5: status = amqp_event_options_set_client_property(options, text, text + 2); break;
      case 6: status = amqp_event_options_set_frame_max(options, number); break;
      case 7: status = amqp_event_options_set_channel_max(options, number); break;
      case 8: status = amqp_event_options_set_heartbeat(options, number); break;
      case 9: status = amqp_event_options_set_timeouts(options, number, number, number, number, number); break;
      case 10: status = amqp_event_options_set_write_limits(options, (size_t)number, (size_t)number / 2, (size_t)number * 2); break;
      case 11: status = amqp_event_options_set_body_max(options, (uint64_t)(unsigned)number); break;
      case 12: status = amqp_event_options_set_reconnect(options, number, number, number, number); break;
      default: status = amqp_event_options_set_keepalive(options, number); break;
    }
    require(status <= 0, "a status above 0");
  }
}

static void turn(struct event_base *base, int listener, int *broker, amqp_bytes_t bytes, int with_handshake) {
  if (*broker < 0) {
    *broker = accept(listener, NULL, NULL);
    if (*broker >= 0) {
      struct linger at_once = {1, 0};
      setsockopt(*broker, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      wire_say(*broker, bytes, with_handshake);
    }
  } else {
    char sink[4096];
    while (recv(*broker, sink, sizeof sink, MSG_DONTWAIT) > 0) continue;
  }
  event_base_loop(base, EVLOOP_NONBLOCK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const amqp_event_connection_callbacks_t callbacks = {.size = sizeof callbacks, .on_closed = on_closed};
  input from = input_of(data, size);
  unsigned how = take(&from, 1);
  struct event_base *base = event_base_new();
  amqp_event_options_t *options = amqp_event_options_new();
  amqp_event_connection_t *connection;
  amqp_event_channel_t *channel;
  struct sockaddr_in address;
  int listener = listener_on(&address), broker = -1, turns, is_opened;
  if (how & 1) set_options(options, &from);
  require_equal(amqp_event_options_add_host(options, "127.0.0.1", ntohs(address.sin_port)), AMQP_STATUS_OK, "the host");
  amqp_event_options_set_recovery(options, AMQP_EVENT_RECOVERY_NONE);
  connection = amqp_event_connection_new(base, options);
  amqp_event_options_free(options);
  require(connection != NULL, "no connection");
  closed = 0;
  amqp_event_connection_set_callbacks(connection, &callbacks, NULL);
  is_opened = amqp_event_connection_open(connection) == AMQP_STATUS_OK;
  for (turns = 0; turns < TURNS && closed == 0; turns++) {
    turn(base, listener, &broker, rest(&from), !(how & 2));
    if (turns == 5 && amqp_event_channel_open(connection, NULL, NULL, &channel) == AMQP_STATUS_OK) {
      amqp_event_qos(channel, 10, NULL, NULL);
      if (how & 4) amqp_event_tx_select(channel, NULL, NULL);
      if (how & 8) amqp_event_exchange_declare(channel, amqp_cstring_bytes("x"), amqp_cstring_bytes("fanout"), 0, NULL, NULL, NULL);
      if (how & 16) amqp_event_channel_close(channel);
    }
    if (turns == 8 && how & 32) amqp_event_connection_close(connection, 200, NULL);
  }
  amqp_event_connection_free(connection);
  for (turns = 0; turns < 20; turns++) event_base_loop(base, EVLOOP_NONBLOCK);
  require_equal(closed, is_opened, "on_closed comes once");
  event_base_free(base);
  if (broker >= 0) close(broker);
  close(listener);
  return 0;
}
