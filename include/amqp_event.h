/* SPDX-License-Identifier: MIT */

/**
 * @file amqp_event.h
 * An AMQP client on your libevent loop: it never waits, services its
 * heartbeats, and comes back after a loss with everything that was declared
 * through it.
 *
 *     static void on_message(amqp_event_consumer_t *consumer,
 *                            const amqp_event_message_t *message, void *ctx) {
 *       handle(message->body);
 *       amqp_event_ack(amqp_event_consumer_channel(consumer),
 *                      message->delivery_tag, 0);
 *     }
 *
 *     static void on_ready(amqp_event_connection_t *connection, void *ctx) {
 *       amqp_event_channel_t *channel;
 *       amqp_event_consumer_t *consumer;
 *       amqp_event_channel_open(connection, NULL, NULL, &channel);
 *       amqp_event_qos(channel, 100, NULL, NULL);
 *       amqp_event_queue_declare(channel, amqp_literal_bytes("jobs"), NULL, NULL,
 *                                NULL);
 *       amqp_event_consume(channel, amqp_literal_bytes("jobs"), NULL,
 *                          on_message, NULL, NULL, &consumer);
 *     }
 *
 *     int main(void) {
 *       struct event_base *base = event_base_new();
 *       amqp_event_options_t *options = amqp_event_options_new();
 *       amqp_event_options_set_url(options, "amqp://guest:guest@localhost");
 *       amqp_event_connection_t *connection =
 *           amqp_event_connection_new(base, options);
 *       amqp_event_connection_callbacks_t callbacks = {sizeof callbacks};
 *       callbacks.on_ready = on_ready;
 *       amqp_event_connection_set_callbacks(connection, &callbacks, NULL);
 *       amqp_event_connection_open(connection);
 *       event_base_dispatch(base);
 *     }
 *
 * That program survives restarts of its broker. Link with
 * `-lrabbitmq -levent_core`.
 *
 * **A tour.** Options say where to connect, how to log in and what to do after
 * a loss. A connection belongs to one event_base. amqp_event_connection_open()
 * connects; `on_ready` says that it is logged in. Then open channels and use
 * them at once: operations on a channel are sent in the order of the calls, and
 * need not wait for one another. After a loss `on_lost` comes, then
 * `on_recovering` before each attempt, then `on_recovered`: channels, what was
 * declared and the consumers are there again, and the handles are the same.
 * `on_closed` is the last word of a connection.
 *
 * **No call waits.** A call answers AMQP_STATUS_OK, and then it was *accepted*,
 * or a negative status, and then nothing happened. Besides its own list every
 * call may answer AMQP_STATUS_INVALID_PARAMETER (a handle or a required pointer
 * is NULL, a name is above 255 bytes, a number out of its range) and
 * AMQP_STATUS_NO_MEMORY; every call on a channel AMQP_STATUS_CONNECTION_CLOSED
 * (lost and not recovered yet: come again in `on_recovered`, or when
 * `on_writable` says so) and AMQP_STATUS_UNEXPECTED_STATE (the channel or
 * consumer is closed or closing).
 *
 * **Every accepted operation completes exactly once**: done, refused by the
 * broker, lost with the connection, timed out, or cancelled by close and free.
 * A `done` callback may be NULL. Its `error` is NULL for success. What a loss
 * met before its answer has completed as lost and is not brought back: a program
 * that must be sure asks again, in `on_recovered` for example; a channel whose
 * opening was not answered ends.
 *
 * **Callbacks** come from the loop, never from inside a call of yours. Inside a
 * callback every function of this header may be called, closing and freeing
 * anything included; a handle stays valid until the callback that got it has
 * returned. What a callback gets by pointer (messages, errors, bytes) is
 * borrowed until it returns.
 *
 * **Lifetimes.** What you pass in is copied, save for
 * amqp_event_publish_ref(). A channel's handle is valid until its `on_closed`
 * has returned, a consumer's until its `on_cancelled` has returned, a
 * connection's until amqp_event_connection_free(). Where no such callback is
 * set, the handle is gone at that same moment.
 *
 * **Threads.** All calls on a connection, its channels and consumers come from
 * the thread that runs its base, save amqp_event_post(), which any thread may
 * call. Different connections are independent. After fork() the child must not
 * use the parent's connections.
 *
 * Times are in milliseconds. Numbers in brackets are sections of the AMQP 0-9-1
 * specification.
 */

#ifndef AMQP_EVENT_H
#define AMQP_EVENT_H

#include "amqp.h"

AMQP_BEGIN_DECLS

struct event_base; /* of libevent */
struct ssl_ctx_st; /* SSL_CTX of OpenSSL */

/** How to connect, and what to do after a loss. */
typedef struct amqp_event_options_t_ amqp_event_options_t;
/** A connection to one of the hosts of its options. */
typedef struct amqp_event_connection_t_ amqp_event_connection_t;
/** A channel of a connection [2.2.1]. */
typedef struct amqp_event_channel_t_ amqp_event_channel_t;
/** A consumer of a channel. */
typedef struct amqp_event_consumer_t_ amqp_event_consumer_t;

/** Statuses that this header adds to #amqp_status_enum; amqp_error_string2()
 *  knows them. */
typedef enum amqp_event_status_enum_ {
  /** The write limit is reached: come again in `on_writable`. */
  AMQP_EVENT_STATUS_FULL = -0x0300,
  /** A delivery tag from before a recovery: the broker has given that message
   *  to somebody again. */
  AMQP_EVENT_STATUS_STALE = -0x0301,
  /** The broker refused: see the reply code. */
  AMQP_EVENT_STATUS_REFUSED = -0x0302,
  /** Ended by amqp_event_connection_close(), amqp_event_connection_free(),
   *  amqp_event_channel_close() or amqp_event_cancel(). */
  AMQP_EVENT_STATUS_CANCELLED = -0x0303
} amqp_event_status_enum;

/** Where an error comes from. */
typedef enum amqp_event_error_kind_t_ {
  AMQP_EVENT_ERROR_NONE = 0,         /**< no error */
  AMQP_EVENT_ERROR_LIBRARY,          /**< this library or this program */
  AMQP_EVENT_ERROR_OS,               /**< the operating system: see os_error */
  AMQP_EVENT_ERROR_TLS,              /**< OpenSSL */
  AMQP_EVENT_ERROR_CHANNEL_CLOSE,    /**< channel.close of the broker */
  AMQP_EVENT_ERROR_CONNECTION_CLOSE, /**< connection.close of the broker */
  AMQP_EVENT_ERROR_TIMEOUT           /**< a time limit or the heartbeat */
} amqp_event_error_kind_t;

/** What went wrong. Later versions may add members at the end. */
typedef struct amqp_event_error_t_ {
  int status; /**< an #amqp_status_enum or #amqp_event_status_enum value */
  amqp_event_error_kind_t kind; /**< where it comes from */
  uint16_t reply_code;          /**< of the broker's close [1.1]; else 0 */
  uint16_t class_id;            /**< of the method that it is about; else 0 */
  uint16_t method_id;           /**< of the method that it is about; else 0 */
  int os_error;                 /**< errno; else 0 */
  amqp_boolean_t can_retry;     /**< whether the same may succeed later */
  const char *text;             /**< one line to log, the broker's reply text
                                     included; never NULL */
} amqp_event_error_t;

/** A message in a callback. All of it is borrowed until the callback returns. */
typedef struct amqp_event_message_t_ {
  uint64_t delivery_tag;      /**< for amqp_event_ack() and its like */
  amqp_boolean_t redelivered; /**< whether it was delivered before */
  amqp_bytes_t consumer_tag;  /**< empty for a got or returned message */
  amqp_bytes_t exchange;      /**< where it was published to; may be empty */
  amqp_bytes_t routing_key;   /**< the key it was published with */
  const amqp_basic_properties_t *properties; /**< never NULL */
  amqp_bytes_t body;                         /**< in one piece; may be empty */
  uint32_t message_count;  /**< left in the queue, for amqp_event_get() */
  uint16_t reply_code;     /**< why it was returned; else 0 */
  amqp_bytes_t reply_text; /**< why it was returned; else empty */
} amqp_event_message_t;

/* ===== Options ============================================================
 *
 * A new object has the defaults named below. Setters copy what they are given
 * and answer AMQP_STATUS_OK, AMQP_STATUS_INVALID_PARAMETER or
 * AMQP_STATUS_NO_MEMORY. A connection copies its options when it is made, so
 * that they may be changed, used again and freed. */

/**
 * @return new options, freed by amqp_event_options_free(); NULL without memory
 */
AMQP_PUBLIC_FUNCTION
amqp_event_options_t *AMQP_CALL amqp_event_options_new(void);

/** @param options  freed; NULL is allowed */
AMQP_PUBLIC_FUNCTION
void AMQP_CALL amqp_event_options_free(amqp_event_options_t *options);

/**
 * Sets the login, the vhost, the use of TLS, and the one host and port by an
 * URL as amqp_parse_url() takes it. Hosts that were there before are dropped.
 * @param url  "amqp://user:password@host:port/vhost", or amqps
 * @return also AMQP_STATUS_BAD_URL: nothing was changed
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_options_set_url(amqp_event_options_t *options,
                                         const char *url);

/**
 * Adds a host. They are tried in turn, each with its share of the connect time
 * limit; after a loss the next one comes first. Without any: localhost.
 * @param host  a name or an address
 * @param port  1 to 65535; 0: 5672, with TLS 5671
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_options_add_host(amqp_event_options_t *options,
                                          const char *host, int port);

/** @param vhost  the virtual host; "/" unless told [connection.open] */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_options_set_vhost(amqp_event_options_t *options,
                                           const char *vhost);

/** Logs in by PLAIN. "guest" and "guest" unless told. */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_options_set_login(amqp_event_options_t *options,
                                           const char *user,
                                           const char *password);

/**
 * Logs in by EXTERNAL: the broker takes the identity from the TLS certificate.
 * @param identity  whom to be; NULL or "": the certificate's
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_options_set_sasl_external(
    amqp_event_options_t *options, const char *identity);

/** What a credentials callback fills in: strings that it owns, copied when it
 *  returns. They are set to the user and password of the options before. */
typedef struct amqp_event_credentials_t_ {
  const char *user;
  const char *password;
} amqp_event_credentials_t;

/** Asked before each login, for tokens that expire. Answers 0 to go on, else
 *  the attempt has failed with AMQP_STATUS_UNEXPECTED_STATE. */
typedef int (*amqp_event_credentials_callback)(
    amqp_event_connection_t *connection, amqp_event_credentials_t *credentials,
    void *ctx);

/** @param callback  NULL: none, which is the default */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_options_set_credentials_callback(
    amqp_event_options_t *options, amqp_event_credentials_callback callback,
    void *ctx);

/**
 * The heartbeat to ask for [4.2.7]. As RabbitMQ's own clients negotiate: if
 * either side says 0 the other's value holds, else the smaller one.
 * @param seconds  0 to 65535; 0, which is the default: what the broker proposes
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_options_set_heartbeat(amqp_event_options_t *options,
                                               int seconds);

/** @param name  shown by the broker's management; NULL: none, the default */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_options_set_connection_name(
    amqp_event_options_t *options, const char *name);

/** Sets a text in the client properties of connection.start-ok. */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_options_set_client_property(
    amqp_event_options_t *options, const char *name, const char *value);

/** @param bytes  the largest frame to agree to, at least 4096; 131072 unless
 *                told */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_options_set_frame_max(amqp_event_options_t *options,
                                               int bytes);

/** @param channels  the most channels to agree to, 1 to 65535; 2047 unless
 *                   told */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_options_set_channel_max(amqp_event_options_t *options,
                                                 int channels);

/**
 * Uses TLS. The files, in PEM form, are read when the connection is made.
 * @param ca    whom to trust; NULL: the authorities of the system
 * @param cert  the certificate of this side, with its chain; NULL: none
 * @param key   its key; NULL exactly when `cert` is
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_options_set_tls(amqp_event_options_t *options,
                                         const char *ca, const char *cert,
                                         const char *key);

/** Uses TLS with a context of yours, of which a reference is kept. NULL: TLS
 *  is not used. */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_options_set_tls_context(amqp_event_options_t *options,
                                                 struct ssl_ctx_st *context);

/** Whether TLS verifies the broker's certificate and that it is for the host
 *  that was asked for. Both on unless told. */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_options_set_verify(amqp_event_options_t *options,
                                            amqp_boolean_t peer,
                                            amqp_boolean_t host);

/**
 * Time limits in milliseconds; 0: none.
 * @param connect    name, TCP and TLS, for one round over all hosts; 10000
 * @param handshake  from the protocol header to connection.open-ok; 10000
 * @param rpc        from a request to its reply, for every operation that has
 *                   one; 60000
 * @param close      for the broker's answer to a close; 5000
 * @param blocked    how long the broker may block the connection by its alarm
 *                   before it counts as lost; 0
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_options_set_timeouts(amqp_event_options_t *options,
                                              int connect, int handshake,
                                              int rpc, int close, int blocked);

/** @param milliseconds  how long a publish may wait for its confirm; 0, which
 *                       is the default: for ever */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_options_set_confirm_timeout(
    amqp_event_options_t *options, int milliseconds);

/** TCP keepalive, on top of heartbeats. Off unless told.
 *  @param seconds  of silence before the first probe, and between probes; 0:
 *                  off */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_options_set_keepalive(amqp_event_options_t *options,
                                               int seconds);

/**
 * The waits between attempts to connect.
 * @param first     milliseconds before the first attempt after a loss; 500
 * @param longest   milliseconds; the wait doubles until there; 30000
 * @param jitter    percent, 0 to 100, by which a wait is shortened at random,
 *                  so that many clients do not come at once; 30
 * @param attempts  rounds over all hosts, after which it is closed; 0, which is
 *                  the default: no limit. The first connect counts alike.
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_options_set_reconnect(amqp_event_options_t *options,
                                               int first, int longest,
                                               int jitter, int attempts);

/** What comes back after a loss. */
typedef enum amqp_event_recovery_t_ {
  AMQP_EVENT_RECOVERY_NONE = 0,   /**< nothing: a loss closes the connection */
  AMQP_EVENT_RECOVERY_CONNECTION, /**< the login; channels are closed */
  AMQP_EVENT_RECOVERY_TOPOLOGY    /**< all that was declared; the default */
} amqp_event_recovery_t;

AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_options_set_recovery(amqp_event_options_t *options,
                                              amqp_event_recovery_t recovery);

/**
 * How many bytes may wait to be written.
 * @param high  from here on amqp_event_can_publish() says no; 1 MiB
 * @param low   `on_writable` comes when no more than this is left; 256 KiB
 * @param max   publishes that would exceed it are refused; 16 MiB. One message
 *              is taken when nothing waits, whatever its size.
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_options_set_write_limits(amqp_event_options_t *options,
                                                  size_t high, size_t low,
                                                  size_t max);

/** @param bytes  a larger body ends the connection as the broker's fault; 0:
 *                no limit; 128 MiB unless told */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_options_set_body_max(amqp_event_options_t *options,
                                              uint64_t bytes);

/** Gets a line, without newline, for each change of state, frame sent, frame
 *  received and loss; never a password nor a body. */
typedef void (*amqp_event_trace_callback)(amqp_event_connection_t *connection,
                                          const char *line, void *ctx);

/** @param callback  must not call this library; NULL: none, the default. The
 *                   variable LIBRABBITMQ_TRACE works as well. */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_options_set_trace(amqp_event_options_t *options,
                                           amqp_event_trace_callback callback,
                                           void *ctx);

/* ===== Connection ========================================================= */

/** Where a connection is in its life. docs/EVENTS.md has the diagram. */
typedef enum amqp_event_state_t_ {
  AMQP_EVENT_STATE_IDLE = 0,   /**< made, not opened */
  AMQP_EVENT_STATE_RESOLVING,  /**< looking up the name of a host */
  AMQP_EVENT_STATE_CONNECTING, /**< TCP */
  AMQP_EVENT_STATE_SECURING,   /**< the TLS handshake */
  AMQP_EVENT_STATE_LOGGING_IN, /**< connection.start to open-ok [2.2.4] */
  AMQP_EVENT_STATE_RECOVERING, /**< channels, declarations, consumers */
  AMQP_EVENT_STATE_READY,      /**< usable */
  AMQP_EVENT_STATE_WAITING,    /**< lost, the next attempt is to come */
  AMQP_EVENT_STATE_CLOSING,    /**< asked to close */
  AMQP_EVENT_STATE_CLOSED      /**< the end */
} amqp_event_state_t;

/** What a connection tells. Set `size` to sizeof; any callback may be NULL. */
typedef struct amqp_event_connection_callbacks_t_ {
  size_t size; /**< sizeof(amqp_event_connection_callbacks_t) */
  /** Logged in for the first time. */
  void (*on_ready)(amqp_event_connection_t *connection, void *ctx);
  /** Lost, and recovery begins. Everything outstanding has completed. */
  void (*on_lost)(amqp_event_connection_t *connection,
                  const amqp_event_error_t *error, void *ctx);
  /** The `attempt`th round since the loss is about to try this host. */
  void (*on_recovering)(amqp_event_connection_t *connection, int attempt,
                        const char *host, int port, void *ctx);
  /** Usable again. `error`, unless NULL: the first declaration or consumer that
   *  the broker refused to bring back; its handle's own callbacks say so too. */
  void (*on_recovered)(amqp_event_connection_t *connection,
                       const amqp_event_error_t *error, void *ctx);
  /** The broker is short of memory or disk and takes no publishes (RabbitMQ
   *  extension connection.blocked). */
  void (*on_blocked)(amqp_event_connection_t *connection, amqp_bytes_t reason,
                     void *ctx);
  /** It takes them again. */
  void (*on_unblocked)(amqp_event_connection_t *connection, void *ctx);
  /** The end: exactly once after amqp_event_connection_open(), and the last
   *  callback. `error` is NULL after amqp_event_connection_close() and
   *  amqp_event_connection_free(). */
  void (*on_closed)(amqp_event_connection_t *connection,
                    const amqp_event_error_t *error, void *ctx);
} amqp_event_connection_callbacks_t;

/**
 * @param base     the loop; must outlive the connection. An event_base that is
 *                 freed earlier completes what amqp_event_connection_free() has
 *                 left to do
 * @param options  copied; NULL: all defaults
 * @return a connection, freed by amqp_event_connection_free(); NULL if base is
 *         NULL, there is no memory or descriptor, or TLS files cannot be used
 */
AMQP_PUBLIC_FUNCTION
amqp_event_connection_t *AMQP_CALL amqp_event_connection_new(
    struct event_base *base, const amqp_event_options_t *options);

/** Replaces all callbacks; NULL: none. */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_connection_set_callbacks(
    amqp_event_connection_t *connection,
    const amqp_event_connection_callbacks_t *callbacks, void *ctx);

/**
 * Starts to connect.
 * @return AMQP_STATUS_OK: `on_ready` or `on_closed` will come;
 *         AMQP_STATUS_UNEXPECTED_STATE: was opened before
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_connection_open(amqp_event_connection_t *connection);

/**
 * Says goodbye [connection.close]: what was accepted is written first, channels
 * and consumers end, then `on_closed` comes, at the latest after the close time
 * limit.
 * @param code  reply code, 200 for a normal end
 * @param text  reply text, at most 255 bytes; NULL: none
 * @return AMQP_STATUS_OK; AMQP_STATUS_UNEXPECTED_STATE: not opened, closing or
 *         closed
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_connection_close(amqp_event_connection_t *connection,
                                          int code, const char *text);

/**
 * Frees a connection in whatever state, with its channels and consumers. The
 * socket is closed at once; what is outstanding completes as
 * AMQP_EVENT_STATUS_CANCELLED from the loop, the callbacks get the handles,
 * `on_closed` comes last, then the memory goes. Nothing but what a callback
 * offers may be called with it any more.
 * @param connection  NULL is allowed
 */
AMQP_PUBLIC_FUNCTION
void AMQP_CALL amqp_event_connection_free(amqp_event_connection_t *connection);

/** @return where it is in its life; AMQP_EVENT_STATE_CLOSED for NULL */
AMQP_PUBLIC_FUNCTION
amqp_event_state_t AMQP_CALL
amqp_event_connection_state(const amqp_event_connection_t *connection);

/** @return a word for logs, static; "unknown" for another number */
AMQP_PUBLIC_FUNCTION
const char *AMQP_CALL amqp_event_state_name(amqp_event_state_t state);

/** @return why it was lost or closed last, valid until the next loss; NULL:
 *          never */
AMQP_PUBLIC_FUNCTION
const amqp_event_error_t *AMQP_CALL
amqp_event_connection_last_error(const amqp_event_connection_t *connection);

/** @return the negotiated heartbeat in seconds; 0: off or not logged in */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL
amqp_event_connection_heartbeat(const amqp_event_connection_t *connection);

/** @return whether the broker has blocked publishes */
AMQP_PUBLIC_FUNCTION
amqp_boolean_t AMQP_CALL
amqp_event_connection_is_blocked(const amqp_event_connection_t *connection);

/** @return connection.start's server-properties, valid until the connection is
 *          lost; NULL: not logged in */
AMQP_PUBLIC_FUNCTION
const amqp_table_t *AMQP_CALL
amqp_event_connection_server_properties(
    const amqp_event_connection_t *connection);

/** Counters since the connection was made. */
typedef struct amqp_event_stats_t_ {
  size_t size;                  /**< set to sizeof(amqp_event_stats_t) */
  uint64_t bytes_sent;          /**< octets of AMQP */
  uint64_t bytes_received;      /**< octets of AMQP */
  uint64_t heartbeats_sent;     /**< frames */
  uint64_t heartbeats_received; /**< frames */
  uint64_t published;           /**< messages accepted */
  uint64_t confirmed;           /**< of these: acked by the broker */
  uint64_t nacked;              /**< of these: nacked by the broker */
  uint64_t returned;            /**< of these: returned as unroutable */
  uint64_t lost;                /**< of these: lost, timed out or cancelled */
  uint64_t delivered;           /**< messages given to on_message and get */
  uint64_t recoveries;          /**< times that on_recovered came */
  uint64_t bytes_waiting;       /**< octets not written yet, now */
  uint64_t milliseconds_since_sent;     /**< since the last octet out */
  uint64_t milliseconds_since_received; /**< since the last octet in */
} amqp_event_stats_t;

/**
 * @param stats  `size` set by the caller; no more than that is written
 * @return AMQP_STATUS_OK; AMQP_STATUS_INVALID_PARAMETER also for a size smaller
 *         than that of the first version
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_connection_stats(
    const amqp_event_connection_t *connection, amqp_event_stats_t *stats);

/** How an operation of a connection ended; `error` is NULL for success. */
typedef void (*amqp_event_connection_done)(amqp_event_connection_t *connection,
                                           const amqp_event_error_t *error,
                                           void *ctx);

/**
 * Gives the broker a new secret, such as a token, before the old one expires
 * (RabbitMQ extension connection.update-secret).
 * @return AMQP_STATUS_OK; AMQP_STATUS_CONNECTION_CLOSED,
 *         AMQP_STATUS_UNEXPECTED_STATE: not ready
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_connection_update_secret(
    amqp_event_connection_t *connection, amqp_bytes_t secret,
    amqp_bytes_t reason, amqp_event_connection_done done, void *ctx);

/** A piece of work for the loop's thread. `connection` is as it was given to
 *  amqp_event_post(). */
typedef void (*amqp_event_work)(amqp_event_connection_t *connection, void *ctx);

/**
 * Runs a piece of work on the thread of the loop, in the order of the posts.
 * The one function that any thread may call. It runs exactly once, at the
 * latest when the connection is freed; when `on_closed` has come, perhaps not
 * before. A connection that is not closed keeps its loop running for it.
 * @return AMQP_STATUS_OK; AMQP_STATUS_UNEXPECTED_STATE: is being freed. The
 *         caller makes sure that the connection is not gone altogether.
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_post(amqp_event_connection_t *connection,
                              amqp_event_work work, void *ctx);

/* ===== Channel ============================================================ */

/** How an operation of a channel ended; `error` is NULL for success. */
typedef void (*amqp_event_done)(amqp_event_channel_t *channel,
                                const amqp_event_error_t *error, void *ctx);

/**
 * Opens a channel [channel.open]; it may be used at once.
 * @param channel  out: the handle, valid until the channel's `on_closed` has
 *                 returned
 * @return AMQP_STATUS_OK; AMQP_STATUS_CONNECTION_CLOSED,
 *         AMQP_STATUS_UNEXPECTED_STATE: not ready; AMQP_EVENT_STATUS_FULL: no
 *         channel number is free
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_channel_open(amqp_event_connection_t *connection,
                                      amqp_event_done done, void *ctx,
                                      amqp_event_channel_t **channel);

/** Closes a channel [channel.close]: what was sent is answered first, then its
 *  `on_closed` comes, without an error. */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_channel_close(amqp_event_channel_t *channel);

/** What a channel tells. Set `size` to sizeof; any callback may be NULL. */
typedef struct amqp_event_channel_callbacks_t_ {
  size_t size; /**< sizeof(amqp_event_channel_callbacks_t) */
  /** The end: exactly once and the last callback of the channel. `error` is
   *  NULL after amqp_event_channel_close(). */
  void (*on_closed)(amqp_event_channel_t *channel,
                    const amqp_event_error_t *error, void *ctx);
  /** A message that could not be routed came back [basic.return], outside of
   *  confirm mode or without a confirm callback of its own. */
  void (*on_return)(amqp_event_channel_t *channel,
                    const amqp_event_message_t *message, void *ctx);
  /** The broker stopped (0) or resumed (1) the flow of publishes
   *  [channel.flow]. It was answered. */
  void (*on_flow)(amqp_event_channel_t *channel, amqp_boolean_t active,
                  void *ctx);
  /** amqp_event_can_publish() says yes again. */
  void (*on_writable)(amqp_event_channel_t *channel, void *ctx);
} amqp_event_channel_callbacks_t;

/** Replaces all callbacks; NULL: none. */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_channel_set_callbacks(
    amqp_event_channel_t *channel,
    const amqp_event_channel_callbacks_t *callbacks, void *ctx);

/** @return its connection; NULL for NULL */
AMQP_PUBLIC_FUNCTION
amqp_event_connection_t *AMQP_CALL
amqp_event_channel_connection(const amqp_event_channel_t *channel);

/** @return its number on the wire, 1 to 65535; 0 for NULL */
AMQP_PUBLIC_FUNCTION
amqp_channel_t AMQP_CALL
amqp_event_channel_number(const amqp_event_channel_t *channel);

/** @param prefetch_count  unacknowledged messages per consumer; 0: no limit
 *                         [basic.qos] */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_qos(amqp_event_channel_t *channel,
                             uint16_t prefetch_count, amqp_event_done done,
                             void *ctx);

/** Flags of amqp_event_exchange_declare() and amqp_event_queue_declare(). */
enum {
  AMQP_EVENT_PASSIVE = 1,    /**< only see whether it exists */
  AMQP_EVENT_DURABLE = 2,    /**< survives a restart of the broker */
  AMQP_EVENT_EXCLUSIVE = 4,  /**< queues: for this connection alone */
  AMQP_EVENT_AUTO_DELETE = 8,/**< goes with its last user */
  AMQP_EVENT_INTERNAL = 16   /**< exchanges: only other exchanges publish */
};

/** [exchange.declare]
 *  @param flags  of the above */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_exchange_declare(
    amqp_event_channel_t *channel, amqp_bytes_t exchange, amqp_bytes_t type,
    int flags, const amqp_table_t *arguments, amqp_event_done done, void *ctx);

/** [exchange.delete] */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_exchange_delete(amqp_event_channel_t *channel,
                                         amqp_bytes_t exchange,
                                         amqp_boolean_t if_unused,
                                         amqp_event_done done, void *ctx);

/** RabbitMQ extension exchange.bind. `arguments` NULL: none. */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_exchange_bind(
    amqp_event_channel_t *channel, amqp_bytes_t destination,
    amqp_bytes_t source, amqp_bytes_t routing_key,
    const amqp_table_t *arguments, amqp_event_done done, void *ctx);

/** RabbitMQ extension exchange.unbind. */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_exchange_unbind(
    amqp_event_channel_t *channel, amqp_bytes_t destination,
    amqp_bytes_t source, amqp_bytes_t routing_key,
    const amqp_table_t *arguments, amqp_event_done done, void *ctx);

/** How queue.declare, .delete and .purge ended. `queue` is the name, which the
 *  broker has chosen if none was given. Of an error, name and counts are empty
 *  and 0. */
typedef void (*amqp_event_queue_done)(amqp_event_channel_t *channel,
                                      const amqp_event_error_t *error,
                                      amqp_bytes_t queue,
                                      uint32_t message_count,
                                      uint32_t consumer_count, void *ctx);

/** What to declare, beyond the name. Set `size` to sizeof. */
typedef struct amqp_event_queue_options_t_ {
  size_t size;             /**< sizeof(amqp_event_queue_options_t) */
  int flags;               /**< of AMQP_EVENT_PASSIVE and its like */
  amqp_table_t arguments;  /**< such as x-queue-type */
} amqp_event_queue_options_t;

/**
 * [queue.declare]
 * @param queue    empty: the broker chooses a name, and another one at each
 *                 recovery, which bindings and consumers follow. An empty name
 *                 in a later call means the last queue declared on the channel.
 * @param options  NULL: durable, without arguments
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_queue_declare(
    amqp_event_channel_t *channel, amqp_bytes_t queue,
    const amqp_event_queue_options_t *options, amqp_event_queue_done done,
    void *ctx);

/** [queue.delete] The callback gets the number of messages that went. */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_queue_delete(amqp_event_channel_t *channel,
                                      amqp_bytes_t queue,
                                      amqp_boolean_t if_unused,
                                      amqp_boolean_t if_empty,
                                      amqp_event_queue_done done, void *ctx);

/** [queue.purge] The callback gets the number of messages that went. */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_queue_purge(amqp_event_channel_t *channel,
                                     amqp_bytes_t queue,
                                     amqp_event_queue_done done, void *ctx);

/** [queue.bind] `arguments` NULL: none. */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_queue_bind(amqp_event_channel_t *channel,
                                    amqp_bytes_t queue, amqp_bytes_t exchange,
                                    amqp_bytes_t routing_key,
                                    const amqp_table_t *arguments,
                                    amqp_event_done done, void *ctx);

/** [queue.unbind] */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_queue_unbind(amqp_event_channel_t *channel,
                                      amqp_bytes_t queue,
                                      amqp_bytes_t exchange,
                                      amqp_bytes_t routing_key,
                                      const amqp_table_t *arguments,
                                      amqp_event_done done, void *ctx);

/** [tx.select] Not with confirm mode. A transaction that is open when the
 *  connection is lost is lost with it. */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_tx_select(amqp_event_channel_t *channel,
                                   amqp_event_done done, void *ctx);
/** [tx.commit] */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_tx_commit(amqp_event_channel_t *channel,
                                   amqp_event_done done, void *ctx);
/** [tx.rollback] */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_tx_rollback(amqp_event_channel_t *channel,
                                     amqp_event_done done, void *ctx);

/* ===== Publishing ========================================================= */

/** Turns confirm mode on (RabbitMQ extension confirm.select). Messages
 *  published after this call, without waiting for `done`, are confirmed. */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_confirm_select(amqp_event_channel_t *channel,
                                        amqp_event_done done, void *ctx);

/** What became of a message. */
typedef enum amqp_event_outcome_t_ {
  AMQP_EVENT_ACKED = 1, /**< the broker has taken responsibility */
  AMQP_EVENT_NACKED,    /**< the broker could not */
  AMQP_EVENT_RETURNED,  /**< mandatory, and no queue to route it to */
  AMQP_EVENT_LOST,      /**< the connection or channel ended first: the broker
                             may or may not have it */
  AMQP_EVENT_TIMED_OUT, /**< no confirm within the confirm time limit */
  AMQP_EVENT_CANCELLED  /**< close or free came first: as LOST */
} amqp_event_outcome_t;

/** The outcome of one message. */
typedef struct amqp_event_confirm_t_ {
  amqp_event_outcome_t outcome; /**< what became of it */
  uint64_t sequence;            /**< as amqp_event_publish() gave it */
  uint64_t delivery_tag; /**< on the wire; counts from 1 after each recovery */
  amqp_boolean_t multiple; /**< whether it was confirmed with others */
  const amqp_event_message_t *returned; /**< for RETURNED; else NULL */
  const amqp_event_error_t *error;      /**< for LOST; else NULL */
} amqp_event_confirm_t;

/** Gets the outcome of one message, exactly once. */
typedef void (*amqp_event_confirm_callback)(
    amqp_event_channel_t *channel, const amqp_event_confirm_t *confirm,
    void *ctx);

/**
 * Publishes a message [basic.publish]. It is copied. All messages of one turn
 * of the loop leave together when your callback has returned.
 * @param mandatory   whether an unroutable message shall come back
 * @param properties  NULL: none
 * @param confirm     gets the outcome; NULL: none wanted. Needs confirm mode.
 * @param sequence    out: 1 for the first message of the channel's handle that
 *                    is published in confirm mode, and so on, over recoveries;
 *                    0 outside of confirm mode. NULL: not wanted
 * @return AMQP_STATUS_OK; AMQP_EVENT_STATUS_FULL: the write limit is reached;
 *         AMQP_STATUS_UNEXPECTED_STATE: a confirm callback without confirm
 *         mode; AMQP_STATUS_TABLE_TOO_BIG: the properties do not fit into a
 *         frame
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_publish(
    amqp_event_channel_t *channel, amqp_bytes_t exchange,
    amqp_bytes_t routing_key, amqp_boolean_t mandatory,
    const amqp_basic_properties_t *properties, amqp_bytes_t body,
    amqp_event_confirm_callback confirm, void *ctx, uint64_t *sequence);

/** Frees a body that was published by reference. */
typedef void (*amqp_event_release)(void *bytes, size_t length, void *ctx);

/**
 * As amqp_event_publish(), without a copy of the body, for large ones.
 * @param release  called from the loop when the body is not needed any more,
 *                 exactly once if the publish was accepted, and before its
 *                 confirm callback; after that only for a message that timed
 *                 out, or whose channel ended, while it waited to be written
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_publish_ref(
    amqp_event_channel_t *channel, amqp_bytes_t exchange,
    amqp_bytes_t routing_key, amqp_boolean_t mandatory,
    const amqp_basic_properties_t *properties, amqp_bytes_t body,
    amqp_event_release release, void *release_ctx,
    amqp_event_confirm_callback confirm, void *ctx, uint64_t *sequence);

/** @return how many messages have no outcome yet; 0 for NULL */
AMQP_PUBLIC_FUNCTION
size_t AMQP_CALL
amqp_event_outstanding(const amqp_event_channel_t *channel);

/**
 * Tells when every message published until now has its outcome and was written.
 * @param milliseconds  after which `done` gets AMQP_STATUS_TIMEOUT; 0: no limit
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_drain(amqp_event_channel_t *channel, int milliseconds,
                               amqp_event_done done, void *ctx);

/** @return whether a publish is welcome: connected, not blocked, the flow is
 *          on, and less than the high limit waits to be written. After a no,
 *          `on_writable` comes. */
AMQP_PUBLIC_FUNCTION
amqp_boolean_t AMQP_CALL
amqp_event_can_publish(const amqp_event_channel_t *channel);

/* ===== Consuming ========================================================== */

/** Gets a message of a consumer. */
typedef void (*amqp_event_message_callback)(amqp_event_consumer_t *consumer,
                                            const amqp_event_message_t *message,
                                            void *ctx);

/** The end of a consumer: exactly once and its last callback. `error` is NULL
 *  after amqp_event_cancel(); AMQP_EVENT_STATUS_REFUSED without a reply code:
 *  the broker cancelled it, its queue is gone (RabbitMQ extension
 *  consumer_cancel_notify). */
typedef void (*amqp_event_cancelled_callback)(amqp_event_consumer_t *consumer,
                                              const amqp_event_error_t *error,
                                              void *ctx);

/** How to consume. Set `size` to sizeof. */
typedef struct amqp_event_consume_options_t_ {
  size_t size;              /**< sizeof(amqp_event_consume_options_t) */
  amqp_bytes_t consumer_tag; /**< empty: the library chooses one */
  amqp_boolean_t no_ack;     /**< messages need no amqp_event_ack() */
  amqp_boolean_t exclusive;  /**< no other consumer on the queue */
  amqp_boolean_t no_local;   /**< not for RabbitMQ, which ignores it */
  amqp_table_t arguments;    /**< such as x-priority */
  /** The broker has accepted it [basic.consume-ok]; also after a recovery. */
  void (*on_consuming)(amqp_event_consumer_t *consumer, void *ctx);
} amqp_event_consume_options_t;

/**
 * Starts to consume [basic.consume].
 * @param options       NULL: with acknowledgements, not exclusive
 * @param on_message    gets the messages
 * @param on_cancelled  gets the end; NULL: not wanted
 * @param consumer      out: the handle, valid until `on_cancelled` has
 *                      returned. NULL: not wanted
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_consume(amqp_event_channel_t *channel,
                                 amqp_bytes_t queue,
                                 const amqp_event_consume_options_t *options,
                                 amqp_event_message_callback on_message,
                                 amqp_event_cancelled_callback on_cancelled,
                                 void *ctx, amqp_event_consumer_t **consumer);

/** Ends a consumer [basic.cancel]. Messages that were on their way may still
 *  come until `on_cancelled`. */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_cancel(amqp_event_consumer_t *consumer);

/** Stops the messages of a consumer and keeps it. The broker is told to send no
 *  more [basic.cancel]; what was on its way still comes: with a prefetch count,
 *  no more than that. */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_pause(amqp_event_consumer_t *consumer);

/** Lets them come again. */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_resume(amqp_event_consumer_t *consumer);

/** @return its channel; NULL for NULL */
AMQP_PUBLIC_FUNCTION
amqp_event_channel_t *AMQP_CALL
amqp_event_consumer_channel(const amqp_event_consumer_t *consumer);

/** @return its tag, valid as long as the consumer; empty for NULL */
AMQP_PUBLIC_FUNCTION
amqp_bytes_t AMQP_CALL
amqp_event_consumer_tag(const amqp_event_consumer_t *consumer);

/**
 * [basic.ack]
 * @param delivery_tag  of a message of this channel
 * @param multiple      with all earlier ones; with tag 0: all
 * @return AMQP_STATUS_OK; AMQP_EVENT_STATUS_STALE: from before a recovery,
 *         nothing is sent, and the message comes again
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_ack(amqp_event_channel_t *channel,
                             uint64_t delivery_tag, amqp_boolean_t multiple);

/** RabbitMQ extension basic.nack: as amqp_event_ack(), for messages that were
 *  not handled.
 *  @param requeue  whether they go back into the queue; else they are dropped
 *                  or dead-lettered */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_nack(amqp_event_channel_t *channel,
                              uint64_t delivery_tag, amqp_boolean_t multiple,
                              amqp_boolean_t requeue);

/** [basic.reject] As amqp_event_nack() for one message. */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_reject(amqp_event_channel_t *channel,
                                uint64_t delivery_tag, amqp_boolean_t requeue);

/** What basic.get brought: a message, or NULL when the queue is empty. */
typedef void (*amqp_event_get_done)(amqp_event_channel_t *channel,
                                    const amqp_event_error_t *error,
                                    const amqp_event_message_t *message,
                                    void *ctx);

/** Gets one message [basic.get]. */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_event_get(amqp_event_channel_t *channel, amqp_bytes_t queue,
                             amqp_boolean_t no_ack, amqp_event_get_done done,
                             void *ctx);

AMQP_END_DECLS

#endif
