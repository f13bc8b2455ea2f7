/* A worker that needs longer for a message than a broker waits for a heartbeat, and makes no call of the library
 * meanwhile. One line, amqp_heartbeat_background, keeps its connection.
 *
 * Type:     busy_worker [host [port [queue [heartbeat [work [messages]]]]]]
 *           busy_worker localhost 5672 work 2 12 1
 *           heartbeat, work: seconds; work: how long one message takes. And in another terminal:
 *           send_string localhost 5672 "" work "a long job"
 * You see:  waiting for work; heartbeat every 2 s
 *           working for 12 s: a long job
 *           done and acknowledged; 11 heartbeats were sent meanwhile
 *           Without that line the broker cuts the connection after 2 to 3 heartbeats, the acknowledgement fails, and the
 *           next worker gets the same message again.
 *
 *           Freeze the broker during the work (kill -STOP): the background thread notices after 4 s, hangs up, and
 *           the worker need not finish in vain:
 *           lost the broker while working: heartbeat timeout, connection closed
 *
 * Code:     0 after so many messages (0: it goes on for ever), 3 when the broker was found dead, 1 for anything else.
 */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* for POLLRDHUP */
#endif
#include <amqp.h>
#include <amqp_heartbeat.h>
#include <amqp_tcp_socket.h>
#include <poll.h>
#include <stdio.h>
#include <sys/time.h>

#include "common.h"

enum { code_broker_dead = 3, step_milliseconds = 100 };

static amqp_connection_state_t start_consumer(const char *host, int port, const char *queue, int heartbeat) {
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = connection != NULL ? amqp_tcp_socket_new(connection) : NULL;
  if (socket == NULL) {
    fail("no memory for a connection");
  }
  check_status(amqp_socket_open(socket, host, port), "connect");
  check_reply(amqp_login(connection, "/", AMQP_DEFAULT_MAX_CHANNELS, AMQP_DEFAULT_FRAME_SIZE, heartbeat,
                         AMQP_SASL_METHOD_PLAIN, "guest", "guest"),
              "log in");
  check_status(amqp_heartbeat_background(connection, 1), "have heartbeats sent in the background");
  amqp_channel_open(connection, 1);
  check_last_reply(connection, "open a channel");
  amqp_queue_declare(connection, 1, amqp_cstring_bytes(queue), 0, 0, 0, 0, amqp_empty_table);
  check_last_reply(connection, "declare the queue");
  amqp_basic_qos(connection, 1, 0, 1, 0);
  check_last_reply(connection, "set the prefetch limit");
  amqp_basic_consume(connection, 1, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
  check_last_reply(connection, "start a consumer");
  return connection;
}

static unsigned long long heartbeats_sent(amqp_connection_state_t connection) {
  amqp_heartbeat_stats_t stats;
  stats.size = sizeof stats;
  check_status(amqp_heartbeat_stats(connection, &stats), "look at the heartbeats");
  return stats.sent;
}

/* The work: a calculation in steps, here a sleep. Between two steps a glance at the descriptor, which is no call of the
 * library, tells whether somebody has hung up. 0: it was given up. */
static int work(int descriptor, double seconds) {
  double end = seconds_now() + seconds;
  struct pollfd hung_up;
  hung_up.fd = descriptor;
  hung_up.events = POLLRDHUP;
  while (seconds_now() < end) {
    if (poll(&hung_up, 1, step_milliseconds) > 0) {
      return 0;
    }
  }
  return 1;
}

/* The library knows why the descriptor was hung up. */
static int lost_while_working(amqp_connection_state_t connection) {
  struct timeval at_once = {0, 0};
  amqp_envelope_t envelope;
  amqp_rpc_reply_t reply = amqp_consume_message(connection, &envelope, &at_once, 0);
  printf("lost the broker while working: %s\n", reply_text(reply));
  return reply.library_error == AMQP_STATUS_HEARTBEAT_TIMEOUT ? code_broker_dead : 1;
}

int main(int argc, char **argv) {
  const char *host = argument(argc, argv, 1, "localhost");
  int port = (int)number_argument(argc, argv, 2, 5672, 1, 65535);
  const char *queue = argument(argc, argv, 3, "work");
  int heartbeat = (int)number_argument(argc, argv, 4, 2, 0, 65535);
  long work_seconds = number_argument(argc, argv, 5, 12, 0, 86400);
  long messages = number_argument(argc, argv, 6, 0, 0, 1000000);
  amqp_connection_state_t connection = start_consumer(host, port, queue, heartbeat);
  long done;

  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("waiting for work; heartbeat every %d s\n", amqp_get_heartbeat(connection));
  for (done = 0; messages == 0 || done < messages; ++done) {
    amqp_envelope_t envelope;
    unsigned long long before;

    amqp_maybe_release_buffers(connection);
    check_reply(amqp_consume_message(connection, &envelope, NULL, 0), "wait for work");
    printf("working for %ld s: %.*s\n", work_seconds, (int)envelope.message.body.len,
           (char *)envelope.message.body.bytes);
    before = heartbeats_sent(connection);
    if (!work(amqp_get_sockfd(connection), (double)work_seconds)) {
      return lost_while_working(connection);
    }
    check_status(amqp_basic_ack(connection, 1, envelope.delivery_tag, 0), "acknowledge");
    printf("done and acknowledged; %llu heartbeats were sent meanwhile\n", heartbeats_sent(connection) - before);
    amqp_destroy_envelope(&envelope);
  }
  check_reply(amqp_connection_close(connection, AMQP_REPLY_SUCCESS), "close the connection");
  check_status(amqp_destroy_connection(connection), "free the connection");
  return 0;
}
