/* A consumer that mostly sits idle, says what its connection does meanwhile, and notices when the broker has died.
 *
 * Type:     heartbeat_consumer [host [port [queue [heartbeat [wait]]]]]
 *           heartbeat_consumer localhost 5672 idle 2
 *           heartbeat: seconds, 0 = none. wait: the longest that one wait for a message takes, in seconds; 0 = no
 *           limit.
 * You see:  12:00:00.000  connected; heartbeat every 2 s agreed, so a broker that is silent for 4 s is dead
 *           12:00:01.002  idle for 1.0 s; last byte in 0.4 s ago, last byte out 0.9 s ago
 *           12:00:05.120  message: 5 bytes: hello
 *
 *           Pull the plug of the broker's host (or stop its process with `kill -STOP`): nothing closes the
 *           connection, and without heartbeats a consumer would wait for ever. With them, after twice the heartbeat:
 *
 *           12:00:31.437  the broker is dead: not a byte from it for 4.1 s; the library says: heartbeat timeout, ...
 *
 * Code:     0 after Ctrl-C, 3 when the broker was found dead, 1 for anything else that ended the connection.
 *
 * "last byte in" and "last byte out" are the kernel's own figures for the socket (Linux), not the library's word:
 * while no message passes, the bytes are heartbeats. This program does nothing for them: the library sends and
 * watches them inside amqp_consume_message. With wait = 0 it prints a line only when something happens.
 */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* for struct tcp_info */
#endif
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "common.h"

enum { code_broker_dead = 3 };

/* When the last bytes passed, by the clock of seconds_now. */
struct traffic {
  double in, out;
};

static volatile sig_atomic_t interrupted;

static void interrupt(int signal_number) {
  (void)signal_number;
  interrupted = 1;
}

/* One line with the time of day before it. */
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
static void say(const char *format, ...) {
  struct timespec now;
  struct tm parts;
  va_list arguments;
  if (clock_gettime(CLOCK_REALTIME, &now) == 0 && localtime_r(&now.tv_sec, &parts) != NULL) {
    printf("%02d:%02d:%02d.%03ld  ", parts.tm_hour, parts.tm_min, parts.tm_sec, now.tv_nsec / 1000000);
  }
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  putchar('\n');
  fflush(stdout);
}

/* Asks the kernel. Leaves `traffic` as it was when there is no socket any more. */
static void look_at(amqp_connection_state_t connection, struct traffic *traffic) {
  struct tcp_info info;
  socklen_t length = sizeof info;
  double now;
  int descriptor = amqp_get_sockfd(connection);
  if (descriptor >= 0 && getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &length) == 0) {
    now = seconds_now();
    traffic->in = now - info.tcpi_last_data_recv / 1e3;
    traffic->out = now - info.tcpi_last_data_sent / 1e3;
  }
}

static void start_consumer(amqp_connection_state_t connection, const char *host, int port, const char *queue,
                           int heartbeat) {
  amqp_socket_t *socket = amqp_tcp_socket_new(connection);
  if (socket == NULL) {
    fail("no memory for a connection");
  }
  check_status(amqp_socket_open(socket, host, port), "connect");
  check_reply(amqp_login(connection, "/", AMQP_DEFAULT_MAX_CHANNELS, AMQP_DEFAULT_FRAME_SIZE, heartbeat,
                         AMQP_SASL_METHOD_PLAIN, "guest", "guest"),
              "log in");
  amqp_channel_open(connection, 1);
  check_last_reply(connection, "open a channel");
  amqp_queue_declare(connection, 1, amqp_cstring_bytes(queue), 0, 0, 0, 0, amqp_empty_table);
  check_last_reply(connection, "declare the queue");
  amqp_basic_qos(connection, 1, 0, 20, 0);
  check_last_reply(connection, "set the prefetch limit");
  amqp_basic_consume(connection, 1, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
  check_last_reply(connection, "start a consumer");
}

/* Consumes until interrupted, or until the broker dies: the code for the end of the program. */
static int consume(amqp_connection_state_t connection, long wait_seconds) {
  struct traffic traffic;
  double idle_since = seconds_now();
  traffic.in = traffic.out = idle_since;

  while (!interrupted) {
    struct timeval wait;
    amqp_envelope_t envelope;
    amqp_rpc_reply_t reply;

    wait.tv_sec = wait_seconds;
    wait.tv_usec = 0;
    look_at(connection, &traffic);
    amqp_maybe_release_buffers(connection);
    reply = amqp_consume_message(connection, &envelope, wait_seconds > 0 ? &wait : NULL, 0);

    if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
      say("message: %zu bytes: %.*s", envelope.message.body.len, (int)envelope.message.body.len,
          (char *)envelope.message.body.bytes);
      check_status(amqp_basic_ack(connection, envelope.channel, envelope.delivery_tag, 0), "acknowledge");
      amqp_destroy_envelope(&envelope);
      idle_since = seconds_now();
      continue;
    }
    if (reply.reply_type != AMQP_RESPONSE_LIBRARY_EXCEPTION) {
      check_reply(reply, "consume");
    }
    switch (reply.library_error) {
      case AMQP_STATUS_TIMEOUT: {
        double now;
        look_at(connection, &traffic);
        now = seconds_now();
        say("idle for %.1f s; last byte in %.1f s ago, last byte out %.1f s ago", now - idle_since, now - traffic.in,
            now - traffic.out);
        break;
      }
      case AMQP_STATUS_HEARTBEAT_TIMEOUT:
        if (wait_seconds > 0) {
          say("the broker is dead: not a byte from it for %.2f s; the library says: %s", seconds_now() - traffic.in,
              reply_text(reply));
        } else {
          say("the broker is dead; the library says: %s", reply_text(reply));
        }
        return code_broker_dead;
      case AMQP_STATUS_UNEXPECTED_STATE: {
        amqp_frame_t frame;
        check_status(amqp_simple_wait_frame(connection, &frame), "read a frame");
        say("%s", frame_text(&frame));
        return 1;
      }
      default:
        say("the connection is lost: %s", reply_text(reply));
        return 1;
    }
  }
  return 0;
}

int main(int argc, char **argv) {
  const char *host = argument(argc, argv, 1, "localhost");
  int port = (int)number_argument(argc, argv, 2, 5672, 1, 65535);
  const char *queue = argument(argc, argv, 3, "idle");
  int heartbeat = (int)number_argument(argc, argv, 4, 2, 0, 65535);
  long wait_seconds = number_argument(argc, argv, 5, 1, 0, 1000000);

  amqp_connection_state_t connection = amqp_new_connection();
  struct sigaction action;
  int code;

  if (connection == NULL) {
    fail("no memory for a connection");
  }
  memset(&action, 0, sizeof action);
  action.sa_handler = interrupt;
  if (sigaction(SIGINT, &action, NULL) != 0 || sigaction(SIGTERM, &action, NULL) != 0) {
    fail("cannot catch Ctrl-C");
  }

  start_consumer(connection, host, port, queue, heartbeat);
  heartbeat = amqp_get_heartbeat(connection);
  if (heartbeat > 0) {
    say("connected; heartbeat every %d s agreed, so a broker that is silent for %d s is dead", heartbeat,
        2 * heartbeat);
  } else {
    say("connected; no heartbeat agreed, so a broker that dies will not be noticed");
  }

  code = consume(connection, wait_seconds);
  if (code == 0) {
    say("interrupted; closing");
    check_reply(amqp_connection_close(connection, AMQP_REPLY_SUCCESS), "close the connection");
  }
  /* There is nobody left to close a dead connection with: it is only freed. */
  check_status(amqp_destroy_connection(connection), "free the connection");
  return code;
}
