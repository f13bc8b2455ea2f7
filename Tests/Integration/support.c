#define _GNU_SOURCE
#include "support.h"

#include <amqp_ssl_socket.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

const char *broker_host = "127.0.0.1";
int broker_port;
confirm_wait_function confirm_wait;
update_secret_function update_secret;

extern const char *case_name, *event_directory;

void give_up(const char *file, int line, const char *format, ...) {
  const char *slash = strrchr(file, '/');
  va_list arguments;
  fprintf(stderr, "%s:%d: ", slash != NULL ? slash + 1 : file, line);
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(exit_failed);
}

static const char *described(amqp_rpc_reply_t reply) {
  static char text[400];
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) {
    snprintf(text, sizeof text, "library error %d, %s", reply.library_error, amqp_error_string2(reply.library_error));
  } else if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
    amqp_channel_close_t *close = reply.reply.decoded;
    snprintf(text, sizeof text, "channel.close %d %.*s", close->reply_code, (int)close->reply_text.len,
             (char *)close->reply_text.bytes);
  } else if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
    amqp_connection_close_t *close = reply.reply.decoded;
    snprintf(text, sizeof text, "connection.close %d %.*s", close->reply_code, (int)close->reply_text.len,
             (char *)close->reply_text.bytes);
  } else {
    snprintf(text, sizeof text, "reply type %d, method 0x%x", (int)reply.reply_type, (unsigned)reply.reply.id);
  }
  return text;
}

void require_reply(const char *file, int line, const char *what, amqp_rpc_reply_t reply) {
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
    give_up(file, line, "%s: %s", what, described(reply));
  }
}

void require_library_error(const char *file, int line, const char *what, amqp_rpc_reply_t reply, int code) {
  if (reply.reply_type != AMQP_RESPONSE_LIBRARY_EXCEPTION || reply.library_error != code) {
    give_up(file, line, "%s: %s; expected library error %d, %s", what, described(reply), code,
            amqp_error_string2(code));
  }
}

void require_closed(const char *file, int line, amqp_rpc_reply_t reply, amqp_method_number_t method, int code) {
  int seen = 0;
  if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.id == method && reply.reply.decoded != NULL) {
    seen = method == AMQP_CHANNEL_CLOSE_METHOD ? ((amqp_channel_close_t *)reply.reply.decoded)->reply_code
                                               : ((amqp_connection_close_t *)reply.reply.decoded)->reply_code;
  }
  if (seen != code) {
    give_up(file, line, "%s; expected %s with code %d", described(reply), amqp_method_name(method), code);
  }
}

amqp_connection_state_t connected(void) {
  amqp_connection_state_t connection = amqp_new_connection();
  const char *certificates = getenv("INTEGRATION_TLS");
  amqp_socket_t *socket;
  REQUIRE(connection != NULL);
  socket = certificates != NULL ? amqp_ssl_socket_new(connection) : amqp_tcp_socket_new(connection);
  REQUIRE(socket != NULL);
  if (certificates != NULL) {
    char path[500];
    snprintf(path, sizeof path, "%s/ca.pem", certificates);
    REQUIRE_OK(amqp_ssl_socket_set_cacert(socket, path));
  }
  REQUIRE_OK(amqp_socket_open(socket, broker_host, broker_port));
  return connection;
}

amqp_rpc_reply_t login(amqp_connection_state_t connection, const char *vhost, const char *password) {
  return amqp_login(connection, vhost, 0, AMQP_DEFAULT_FRAME_SIZE, 0, AMQP_SASL_METHOD_PLAIN, "guest", password);
}

amqp_connection_state_t logged_in(int heartbeat_seconds, int frame_max) {
  amqp_connection_state_t connection = connected();
  REQUIRE_REPLY(amqp_login(connection, "/", 0, frame_max != 0 ? frame_max : AMQP_DEFAULT_FRAME_SIZE, heartbeat_seconds,
                           AMQP_SASL_METHOD_PLAIN, "guest", "guest"));
  REQUIRE_EQUAL(amqp_get_heartbeat(connection), heartbeat_seconds);
  REQUIRE(amqp_channel_open(connection, 1) != NULL);
  REQUIRE_DONE(connection);
  return connection;
}

void farewell(amqp_connection_state_t connection) {
  REQUIRE_REPLY(amqp_channel_close(connection, 1, AMQP_REPLY_SUCCESS));
  REQUIRE_REPLY(amqp_connection_close(connection, AMQP_REPLY_SUCCESS));
  REQUIRE_OK(amqp_destroy_connection(connection));
}

amqp_bytes_t own_queue_with(amqp_connection_state_t connection, amqp_channel_t channel, amqp_table_t arguments) {
  static int number;
  char name[128];
  amqp_bytes_t queue;
  amqp_queue_declare_ok_t *declared;
  snprintf(name, sizeof name, "%s.%ld.%d", case_name, (long)getpid(), ++number);
  declared = amqp_queue_declare(connection, channel, amqp_cstring_bytes(name), 0, 0, 1, 1, arguments);
  REQUIRE_DONE(connection);
  REQUIRE(declared != NULL);
  REQUIRE(bytes_equal(declared->queue, name));
  REQUIRE_EQUAL(declared->message_count, 0);
  queue = amqp_bytes_malloc_dup(declared->queue);
  REQUIRE(queue.bytes != NULL);
  return queue;
}

amqp_bytes_t own_queue(amqp_connection_state_t connection, amqp_channel_t channel) {
  return own_queue_with(connection, channel, amqp_empty_table);
}

static uint32_t queue_length(amqp_connection_state_t connection, amqp_bytes_t queue) {
  amqp_queue_declare_ok_t *declared = amqp_queue_declare(connection, 1, queue, 1, 0, 0, 0, amqp_empty_table);
  REQUIRE_DONE(connection);
  return declared->message_count;
}

void require_queue_length(amqp_connection_state_t connection, amqp_bytes_t queue, uint32_t expected) {
  double limit = seconds_now() + 10;
  uint32_t seen;
  while ((seen = queue_length(connection, queue)) != expected && seconds_now() < limit) {
    sleep_seconds(0.02);
  }
  REQUIRE_EQUAL(seen, expected);
}

void require_service(amqp_connection_state_t connection, amqp_bytes_t queue) { queue_length(connection, queue); }

void start_consumer(amqp_connection_state_t connection, amqp_channel_t channel, amqp_bytes_t queue, int no_ack) {
  amqp_basic_consume_ok_t *started =
      amqp_basic_consume(connection, channel, queue, amqp_empty_bytes, 0, no_ack, 0, amqp_empty_table);
  REQUIRE_DONE(connection);
  REQUIRE(started != NULL && started->consumer_tag.len > 0);
}

void publish(amqp_connection_state_t connection, amqp_channel_t channel, amqp_bytes_t queue, amqp_bytes_t body) {
  REQUIRE_OK(amqp_basic_publish(connection, channel, amqp_empty_bytes, queue, 0, 0, NULL, body));
}

void consume(amqp_connection_state_t connection, amqp_envelope_t *envelope) {
  struct timeval limit = {30, 0};
  amqp_rpc_reply_t reply;
  amqp_maybe_release_buffers(connection);
  reply = amqp_consume_message(connection, envelope, &limit, 0);
  REQUIRE_REPLY(reply);
}

void *next_method(amqp_connection_state_t connection, amqp_channel_t channel, amqp_method_number_t id) {
  struct timeval limit = {30, 0};
  amqp_frame_t frame;
  REQUIRE_OK(amqp_simple_wait_frame_noblock(connection, &frame, &limit));
  REQUIRE_EQUAL(frame.frame_type, AMQP_FRAME_METHOD);
  if (frame.payload.method.id != id) {
    FAIL("method 0x%x came, expected %s", (unsigned)frame.payload.method.id, amqp_method_name(id));
  }
  REQUIRE_EQUAL(frame.channel, channel);
  return frame.payload.method.decoded;
}

int bytes_equal(amqp_bytes_t bytes, const char *text) {
  return bytes.len == strlen(text) && (bytes.len == 0 || memcmp(bytes.bytes, text, bytes.len) == 0);
}

static uint64_t next_random(uint64_t *state) {
  uint64_t x = *state;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return *state = x;
}

amqp_bytes_t patterned(size_t size, uint64_t seed) {
  uint64_t state = seed * 0x9E3779B97F4A7C15u + 1, word = 0;
  amqp_bytes_t body = amqp_bytes_malloc(size);
  unsigned char *byte = body.bytes;
  size_t i;
  REQUIRE(size == 0 || byte != NULL);
  for (i = 0; i < size; ++i) {
    if (i % 8 == 0) {
      word = next_random(&state);
    }
    byte[i] = (unsigned char)(word >> i % 8 * 8);
  }
  return body;
}

uint64_t checksum(amqp_bytes_t bytes) {
  const unsigned char *byte = bytes.bytes;
  uint64_t sum = 0xCBF29CE484222325u;
  size_t i;
  for (i = 0; i < bytes.len; ++i) {
    sum = (sum ^ byte[i]) * 0x100000001B3u;
  }
  return sum;
}

double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void sleep_seconds(double seconds) {
  struct timespec left;
  left.tv_sec = (time_t)seconds;
  left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

struct timeval as_timeval(double seconds) {
  struct timeval value;
  value.tv_sec = (long)seconds;
  value.tv_usec = (long)((seconds - (double)value.tv_sec) * 1e6);
  return value;
}

static void event_path(char *path, size_t size, const char *name) {
  snprintf(path, size, "%s/%s", event_directory, name);
}

void announce_ready(void) {
  char name[160], path[1024];
  FILE *file;
  snprintf(name, sizeof name, "%s.ready", case_name);
  event_path(path, sizeof path, name);
  file = fopen(path, "w");
  REQUIRE(file != NULL);
  fclose(file);
}

int event_happened(const char *name) {
  char path[1024];
  event_path(path, sizeof path, name);
  return access(path, F_OK) == 0;
}

void await_event(const char *name) {
  while (!event_happened(name)) {
    sleep_seconds(0.02);
  }
}
