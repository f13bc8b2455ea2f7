/* A program with a loop of its own: one poll() over standard input and two connections, which are kept alive and watched
 * by two calls, amqp_heartbeat_service and amqp_heartbeat_next. No thread, and nothing ever waits but poll().
 *
 * Type:     own_poll_loop [host [port [queue [heartbeat]]]]
 *           own_poll_loop localhost 5672 lines 2
 *           and then lines of text; Ctrl-D ends it.
 * You see:  connected twice; heartbeats every 2 s and 2 s
 *           Each line that you type goes out over the first connection and comes back over the second:
 *               hello
 *               message: hello
 *           Type nothing for as long as you like: both connections stay. Freeze the broker (kill -STOP), and after
 *           twice the heartbeat:
 *               sending connection: heartbeat timeout, connection closed
 *
 * Code:     0 after the end of the input, 3 when the broker was found dead, 1 for anything else.
 */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include <amqp.h>
#include <amqp_heartbeat.h>
#include <amqp_tcp_socket.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "common.h"

enum { code_broker_dead = 3 };

static const struct timeval at_once = {0, 0};

static amqp_connection_state_t open_connection(const char *host, int port, const char *queue, int heartbeat) {
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = connection != NULL ? amqp_tcp_socket_new(connection) : NULL;
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
  return connection;
}

/* What heartbeats need, whatever woke the loop. */
static void service(amqp_connection_state_t connection, const char *name) {
  int status = amqp_heartbeat_service(connection);
  if (status == AMQP_STATUS_HEARTBEAT_TIMEOUT) {
    printf("%s: %s\n", name, amqp_error_string2(status));
    exit(code_broker_dead);
  }
  check_status(status, name);
}

/* Everything that has arrived. The broker has nothing to say on the sending connection, unless something is wrong. */
static void take_messages(amqp_connection_state_t connection) {
  for (;;) {
    amqp_envelope_t envelope;
    amqp_rpc_reply_t reply;
    amqp_maybe_release_buffers(connection);
    reply = amqp_consume_message(connection, &envelope, &at_once, 0);
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && reply.library_error == AMQP_STATUS_TIMEOUT) {
      return;
    }
    check_reply(reply, "receive");
    printf("message: %.*s\n", (int)envelope.message.body.len, (char *)envelope.message.body.bytes);
    amqp_destroy_envelope(&envelope);
  }
}

/* What was typed, without the end of its line. 0: there will be no more. */
static int send_line(amqp_connection_state_t connection, const char *queue) {
  char line[1024];
  amqp_bytes_t body;
  ssize_t length = read(STDIN_FILENO, line, sizeof line);
  if (length <= 0) {
    return 0;
  }
  body.bytes = line;
  body.len = (size_t)length - (line[length - 1] == '\n');
  check_status(amqp_basic_publish(connection, 1, amqp_empty_bytes, amqp_cstring_bytes(queue), 0, 0, NULL, body),
               "publish");
  return 1;
}

static int milliseconds_until_heartbeat(amqp_connection_state_t connection) {
  struct timeval left;
  check_status(amqp_heartbeat_next(connection, &left), "ask for the next heartbeat");
  return (int)(left.tv_sec * 1000 + (left.tv_usec + 999) / 1000);
}

int main(int argc, char **argv) {
  const char *host = argument(argc, argv, 1, "localhost");
  int port = (int)number_argument(argc, argv, 2, 5672, 1, 65535);
  const char *queue = argument(argc, argv, 3, "lines");
  int heartbeat = (int)number_argument(argc, argv, 4, 2, 0, 65535);
  amqp_connection_state_t sending = open_connection(host, port, queue, heartbeat);
  amqp_connection_state_t receiving = open_connection(host, port, queue, heartbeat);
  struct pollfd sources[3];

  amqp_basic_consume(receiving, 1, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 1, 0, amqp_empty_table);
  check_last_reply(receiving, "start a consumer");
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("connected twice; heartbeats every %d s and %d s\n", amqp_get_heartbeat(sending),
         amqp_get_heartbeat(receiving));

  sources[0].fd = STDIN_FILENO;
  sources[1].fd = amqp_get_sockfd(sending);
  sources[2].fd = amqp_get_sockfd(receiving);
  sources[0].events = sources[1].events = sources[2].events = POLLIN;
  for (;;) {
    int one, other;
    service(sending, "sending connection");
    service(receiving, "receiving connection");
    /* The calls above may have read what poll() would have told of: first take it, then sleep. */
    take_messages(sending);
    take_messages(receiving);
    one = milliseconds_until_heartbeat(sending);
    other = milliseconds_until_heartbeat(receiving);
    if (poll(sources, 3, one < other ? one : other) > 0 && sources[0].revents != 0 && !send_line(sending, queue)) {
      break;
    }
  }

  check_reply(amqp_connection_close(sending, AMQP_REPLY_SUCCESS), "close the sending connection");
  take_messages(receiving);
  check_reply(amqp_connection_close(receiving, AMQP_REPLY_SUCCESS), "close the receiving connection");
  check_status(amqp_destroy_connection(sending), "free the sending connection");
  check_status(amqp_destroy_connection(receiving), "free the receiving connection");
  return 0;
}
