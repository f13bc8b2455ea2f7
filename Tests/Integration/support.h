/* What the cases of the integration suite share: connections, checks that end the case, bodies that can be verified,
   and the signs by which the cases and the script `run` wait for each other. */
#ifndef INTEGRATION_SUPPORT_H
#define INTEGRATION_SUPPORT_H

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>

enum { exit_passed = 0, exit_failed = 1, exit_skipped = 77 };

/* Functions that API level 0.16 added: NULL in an older library, whose cases are then skipped. */
typedef amqp_rpc_reply_t (*confirm_wait_function)(amqp_connection_state_t, const struct timeval *,
                                                  amqp_publisher_confirm_t *);
typedef amqp_connection_update_secret_ok_t *(*update_secret_function)(amqp_connection_state_t, amqp_channel_t,
                                                                      amqp_bytes_t, amqp_bytes_t);
extern confirm_wait_function confirm_wait;
extern update_secret_function update_secret;

extern const char *broker_host;
extern int broker_port;

/* Ends the case as failed, with one line on standard error. */
void give_up(const char *file, int line, const char *format, ...) __attribute__((noreturn, format(printf, 3, 4)));

#define FAIL(...) give_up(__FILE__, __LINE__, __VA_ARGS__)
#define REQUIRE(condition) \
  do { \
    if (!(condition)) { \
      FAIL("not so: %s", #condition); \
    } \
  } while (0)
#define REQUIRE_EQUAL(left, right) \
  do { \
    long long left_value = (long long)(left), right_value = (long long)(right); \
    if (left_value != right_value) { \
      FAIL("%s is %lld, expected %s = %lld", #left, left_value, #right, right_value); \
    } \
  } while (0)
#define REQUIRE_OK(call) \
  do { \
    int status_value = (call); \
    if (status_value != AMQP_STATUS_OK) { \
      FAIL("%s: %d %s", #call, status_value, amqp_error_string2(status_value)); \
    } \
  } while (0)
#define REQUIRE_REPLY(reply) require_reply(__FILE__, __LINE__, #reply, (reply))
#define REQUIRE_DONE(connection) require_reply(__FILE__, __LINE__, "the last RPC", amqp_get_rpc_reply(connection))
/* The call failed within the library, with this code. */
#define REQUIRE_LIBRARY_ERROR(reply, code) require_library_error(__FILE__, __LINE__, #reply, (reply), (code))
/* The broker closed the channel or the connection with this reply code. */
#define REQUIRE_CHANNEL_CLOSED(reply, code) \
  require_closed(__FILE__, __LINE__, (reply), AMQP_CHANNEL_CLOSE_METHOD, (code))
#define REQUIRE_CONNECTION_CLOSED(reply, code) \
  require_closed(__FILE__, __LINE__, (reply), AMQP_CONNECTION_CLOSE_METHOD, (code))

void require_reply(const char *file, int line, const char *what, amqp_rpc_reply_t reply);
void require_library_error(const char *file, int line, const char *what, amqp_rpc_reply_t reply, int code);
void require_closed(const char *file, int line, amqp_rpc_reply_t reply, amqp_method_number_t method, int code);

/* A connection that is open but not logged in. */
amqp_connection_state_t connected(void);
/* Logged in as guest, with channel 1 open. 0 = the default for frame_max. */
amqp_connection_state_t logged_in(int heartbeat_seconds, int frame_max);
amqp_rpc_reply_t login(amqp_connection_state_t connection, const char *vhost, const char *password);
/* Closes and frees: every step must succeed. */
void farewell(amqp_connection_state_t connection);

/* A queue that vanishes with its connection, named after the case. Freed by nobody: a case is a short life. */
amqp_bytes_t own_queue(amqp_connection_state_t connection, amqp_channel_t channel);
amqp_bytes_t own_queue_with(amqp_connection_state_t connection, amqp_channel_t channel, amqp_table_t arguments);
/* The queue comes to hold exactly so many messages. It may take a moment: RabbitMQ answers a passive declaration ahead
   of messages that the queue has still to take in. */
void require_queue_length(amqp_connection_state_t connection, amqp_bytes_t queue, uint32_t expected);
/* The broker answers. */
void require_service(amqp_connection_state_t connection, amqp_bytes_t queue);

void start_consumer(amqp_connection_state_t connection, amqp_channel_t channel, amqp_bytes_t queue, int no_ack);
void publish(amqp_connection_state_t connection, amqp_channel_t channel, amqp_bytes_t queue, amqp_bytes_t body);
/* Takes the next delivery within 30 s; the caller destroys the envelope. */
void consume(amqp_connection_state_t connection, amqp_envelope_t *envelope);
/* The next frame must be this method; the decoded arguments. */
void *next_method(amqp_connection_state_t connection, amqp_channel_t channel, amqp_method_number_t id);

int bytes_equal(amqp_bytes_t bytes, const char *text);
/* Bytes that depend on the seed: a shifted, swapped or repeated piece changes the checksum. */
amqp_bytes_t patterned(size_t size, uint64_t seed);
uint64_t checksum(amqp_bytes_t bytes);

double seconds_now(void);
void sleep_seconds(double seconds);
struct timeval as_timeval(double seconds);

/* Says to `run` that this case has come as far as it can without the event that the script makes. */
void announce_ready(void);
/* Waits for the event: "cut", "blocked", "unblocked" or "frozen". */
void await_event(const char *name);
int event_happened(const char *name);

/* The cases, by file. */
typedef void (*case_function)(void);
struct test_case {
  const char *name, *group;
  int mended; /* true only with a fault of rabbitmq-c mended, or needs API level 0.16 */
  case_function run;
};
extern const struct test_case body_cases[], refusal_cases[], operation_cases[], content_cases[], heartbeat_cases[], tls_cases[];

#endif
