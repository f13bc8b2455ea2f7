/* SPDX-License-Identifier: MIT */

/**
 * @file amqp.h
 * An AMQP 0-9-1 client for C and C++: the rabbitmq-c interface, API level 0.16.
 *
 * A consumer, start to end (checks of the results left out):
 *
 *     #include <amqp.h>
 *     #include <amqp_tcp_socket.h>
 *
 *     int main(void) {
 *       amqp_connection_state_t connection = amqp_new_connection();
 *       amqp_socket_t *socket = amqp_tcp_socket_new(connection);
 *       amqp_socket_open(socket, "localhost", AMQP_PROTOCOL_PORT);
 *       amqp_login(connection, "/", 0, AMQP_DEFAULT_FRAME_SIZE, 30,
 *                  AMQP_SASL_METHOD_PLAIN, "guest", "guest");
 *       amqp_channel_open(connection, 1);
 *       amqp_queue_declare(connection, 1, amqp_literal_bytes("jobs"), 0, 1, 0,
 *                          0, amqp_empty_table);
 *       amqp_basic_consume(connection, 1, amqp_literal_bytes("jobs"),
 *                          amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
 *       amqp_envelope_t envelope;
 *       while (amqp_consume_message(connection, &envelope, NULL, 0)
 *                  .reply_type == AMQP_RESPONSE_NORMAL) {
 *         amqp_basic_ack(connection, 1, envelope.delivery_tag, 0);
 *         amqp_destroy_envelope(&envelope);
 *         amqp_maybe_release_buffers(connection);
 *       }
 *       amqp_destroy_connection(connection);
 *     }
 *
 * The sections follow the life of a program: types, pools, bytes, tables;
 * connection, socket, login, timeouts; RPC, publishing, consuming; releasing
 * memory, waiting for frames, raw frames; errors. The methods of the protocol
 * (amqp_queue_declare() and its like) are in amqp_framing.h, which this header
 * includes. Section numbers refer to the AMQP 0-9-1 specification ("1.x" to the
 * protocol reference, "2.x" and "4.x" to the main document); "RabbitMQ
 * extension" marks what the broker adds to it.
 *
 * **Two kinds of result.** A function that answers `int` returns 0
 * (AMQP_STATUS_OK) or a negative #amqp_status_enum value. A function that
 * answers #amqp_rpc_reply_t tells a reply of the broker from an error of this
 * library and from the broker closing the channel or the connection.
 *
 * **Connection statuses.** Every call that sends or receives can end in one of
 * these; a function's own list names only what comes on top:
 * - AMQP_STATUS_INVALID_PARAMETER: the handle or a required pointer is NULL;
 * - AMQP_STATUS_SOCKET_CLOSED: the connection has no open socket;
 * - AMQP_STATUS_CONNECTION_CLOSED: the broker ended the TCP connection; from a
 *   receiving call also after this side has closed the descriptor;
 * - AMQP_STATUS_SOCKET_ERROR, AMQP_STATUS_SSL_ERROR: the socket or TLS failed,
 *   which a broker that cuts the connection can bring about as well;
 * - AMQP_STATUS_HEARTBEAT_TIMEOUT: the broker fell silent (sticky);
 * - AMQP_STATUS_BAD_AMQP_DATA: the broker sent invalid bytes (sticky);
 * - AMQP_STATUS_UNKNOWN_CLASS, AMQP_STATUS_UNKNOWN_METHOD: the broker sent a
 *   content or method that this library does not know;
 * - AMQP_STATUS_NO_MEMORY: memory ran out.
 *
 * *Sticky*: the descriptor is closed (amqp_get_sockfd() answers -1) and every
 * later call on the connection answers the same status. What was received
 * before a heartbeat death is still handed out by the waiting calls first.
 *
 * **NULL.** A NULL handle is never dereferenced: status functions answer
 * AMQP_STATUS_INVALID_PARAMETER, reply functions a library exception with that
 * status, pointer functions NULL, amqp_get_sockfd() and
 * amqp_socket_get_sockfd() -1, other getters and booleans 0, and void functions
 * do nothing. The same holds for NULL where a pointer is required.
 *
 * **Heartbeats** (4.2.7). With a negotiated interval of H seconds, every call
 * that takes the connection and waits, polls, sends or receives first sends a
 * heartbeat if nothing was written for H/2, and goes on doing so while it
 * waits. A broker that is silent for 2 H is reported as
 * AMQP_STATUS_HEARTBEAT_TIMEOUT; before its first byte after connection.tune it
 * has 2.5 H. No call hands a received heartbeat to the program.
 *
 * **Time limits.** A `struct timeval *` that is NULL means no limit; {0, 0}
 * means "do what can be done at once" and never blocks; a tv_usec of a million
 * or more counts as the seconds it adds up to; a negative member is
 * AMQP_STATUS_INVALID_PARAMETER. Limits are measured on the monotonic clock.
 *
 * **Threads.** Different connections are independent. On one connection, one
 * thread may read while another publishes; all else needs the program's own
 * lock. See docs/OWNERSHIP.md, which also says who frees what.
 */

#ifndef AMQP_H
#define AMQP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

/* ===== Compiler and linkage =============================================== */

/** @name C linkage around the declarations for a C++ compiler. @{ */
#ifdef __cplusplus
#define AMQP_BEGIN_DECLS extern "C" {
#define AMQP_END_DECLS }
#else
#define AMQP_BEGIN_DECLS
#define AMQP_END_DECLS
#endif
/** @} */

/** Marks a symbol that the shared library exports. */
#if defined(__GNUC__)
#define AMQP_EXPORT __attribute__((visibility("default")))
#else
#define AMQP_EXPORT
#endif

/** Marks a symbol that stays inside the shared library. */
#if defined(__GNUC__)
#define AMQP_NO_EXPORT __attribute__((visibility("hidden")))
#else
#define AMQP_NO_EXPORT
#endif

/** Wraps the declaration of a function that has a successor. */
#if defined(__GNUC__)
#define AMQP_DEPRECATED(function) function __attribute__((__deprecated__))
#else
#define AMQP_DEPRECATED(function) function
#endif

/** Like #AMQP_EXPORT, for a function that has a successor. */
#if defined(__GNUC__)
#define AMQP_DEPRECATED_EXPORT AMQP_EXPORT __attribute__((__deprecated__))
#else
#define AMQP_DEPRECATED_EXPORT AMQP_EXPORT
#endif

/** An exported function. */
#define AMQP_PUBLIC_FUNCTION AMQP_EXPORT
/** An exported object. */
#define AMQP_PUBLIC_VARIABLE AMQP_EXPORT extern
/** Calling convention of every function: the platform's own. */
#define AMQP_CALL

AMQP_BEGIN_DECLS

/* ===== Version ============================================================ */

/** API level of these headers: major part. */
#define AMQP_VERSION_MAJOR 0
/** API level of these headers: minor part. */
#define AMQP_VERSION_MINOR 16
/** API level of these headers: patch part. */
#define AMQP_VERSION_PATCH 0
/** 1: a release; 0: a state between releases. */
#define AMQP_VERSION_IS_RELEASE 1

/**
 * Packs a version into one integer, so that versions compare with `<`: major in
 * bits 24-31, minor in 16-23, patch in 8-15, release flag in 0-7.
 */
#define AMQP_VERSION_CODE(major, minor, patch, release) \
  ((major << 24) | (minor << 16) | (patch << 8) | (release))

/** The API level of these headers as an #AMQP_VERSION_CODE. */
#define AMQP_VERSION                                        \
  AMQP_VERSION_CODE(AMQP_VERSION_MAJOR, AMQP_VERSION_MINOR, \
                    AMQP_VERSION_PATCH, AMQP_VERSION_IS_RELEASE)

/** Turns the value of a macro into a string literal. */
#define AMQ_STRINGIFY(s) AMQ_STRINGIFY_HELPER(s)
/** The second step of #AMQ_STRINGIFY. */
#define AMQ_STRINGIFY_HELPER(s) #s

/** "major.minor.patch". */
#define AMQ_VERSION_STRING          \
  AMQ_STRINGIFY(AMQP_VERSION_MAJOR) \
  "." AMQ_STRINGIFY(AMQP_VERSION_MINOR) "." AMQ_STRINGIFY(AMQP_VERSION_PATCH)

/** "major.minor.patch", with "-pre" between releases. */
#if AMQP_VERSION_IS_RELEASE
#define AMQP_VERSION_STRING AMQ_VERSION_STRING
#else
#define AMQP_VERSION_STRING AMQ_VERSION_STRING "-pre"
#endif

/**
 * The API level of the library that the program runs on.
 * @return its #AMQP_VERSION; compare with the macro to find a mismatch of
 *         header and library
 */
AMQP_PUBLIC_FUNCTION
uint32_t AMQP_CALL amqp_version_number(void);

/**
 * The API level of the library that the program runs on, as text.
 * @return its #AMQP_VERSION_STRING; static, never to be freed
 */
AMQP_PUBLIC_FUNCTION
char const *AMQP_CALL amqp_version(void);

/* ===== Usual arguments for amqp_login() =================================== */

/** frame_max in bytes: what RabbitMQ itself proposes. */
#define AMQP_DEFAULT_FRAME_SIZE 131072
/** channel_max: what RabbitMQ itself proposes. */
#define AMQP_DEFAULT_MAX_CHANNELS 2047
/** heartbeat: off. A program that waits for messages wants one, say 30 s. */
#define AMQP_DEFAULT_HEARTBEAT 0
/** The virtual host of a fresh RabbitMQ. */
#define AMQP_DEFAULT_VHOST "/"

/* ===== Basic types (4.2.5 Data Fields) ==================================== */

/** 0 is false, everything else true. */
typedef int amqp_boolean_t;

/** Class id in the upper, method id in the lower 16 bits: AMQP_..._METHOD. */
typedef uint32_t amqp_method_number_t;

/** The properties that are present: AMQP_BASIC_..._FLAG, or-ed. */
typedef uint32_t amqp_flags_t;

/** A channel number (4.2.3); 0 belongs to the connection itself. */
typedef uint16_t amqp_channel_t;

/**
 * Bytes in memory of someone else, not terminated by a NUL. Short strings carry
 * at most 255 bytes, long strings 2^32 - 1 (4.2.5.3).
 */
typedef struct amqp_bytes_t_ {
  size_t len;  /**< number of bytes */
  void *bytes; /**< the first of them; NULL only where len is 0 */
} amqp_bytes_t;

/** A decimal number: value / 10^decimals (4.2.5.5, field kind 'D'). */
typedef struct amqp_decimal_t_ {
  uint8_t decimals; /**< digits after the point */
  uint32_t value;   /**< all digits */
} amqp_decimal_t;

/** A field table: names with values, in the order of the wire (4.2.5.5). */
typedef struct amqp_table_t_ {
  int num_entries;                      /**< 0 or more */
  struct amqp_table_entry_t_ *entries;  /**< NULL only where there are none */
} amqp_table_t;

/** A field array: values without names (4.2.5.5). */
typedef struct amqp_array_t_ {
  int num_entries;                     /**< 0 or more */
  struct amqp_field_value_t_ *entries; /**< NULL only where there are none */
} amqp_array_t;

/** One value of a table or an array; `kind` says which member of it holds. */
typedef struct amqp_field_value_t_ {
  uint8_t kind; /**< an #amqp_field_value_kind_t */
  union {
    amqp_boolean_t boolean; /**< AMQP_FIELD_KIND_BOOLEAN */
    int8_t i8;              /**< AMQP_FIELD_KIND_I8 */
    uint8_t u8;             /**< AMQP_FIELD_KIND_U8 */
    int16_t i16;            /**< AMQP_FIELD_KIND_I16 */
    uint16_t u16;           /**< AMQP_FIELD_KIND_U16 */
    int32_t i32;            /**< AMQP_FIELD_KIND_I32 */
    uint32_t u32;           /**< AMQP_FIELD_KIND_U32 */
    int64_t i64;            /**< AMQP_FIELD_KIND_I64 */
    uint64_t u64;           /**< AMQP_FIELD_KIND_U64, _TIMESTAMP */
    float f32;              /**< AMQP_FIELD_KIND_F32 */
    double f64;             /**< AMQP_FIELD_KIND_F64 */
    amqp_decimal_t decimal; /**< AMQP_FIELD_KIND_DECIMAL */
    amqp_bytes_t bytes;     /**< AMQP_FIELD_KIND_UTF8, _BYTES */
    amqp_table_t table;     /**< AMQP_FIELD_KIND_TABLE */
    amqp_array_t array;     /**< AMQP_FIELD_KIND_ARRAY */
  } value;                  /**< nothing of it holds for _VOID */
} amqp_field_value_t;

/** A name with its value in a table. */
typedef struct amqp_table_entry_t_ {
  amqp_bytes_t key;         /**< short string: at most 255 bytes */
  amqp_field_value_t value; /**< the value */
} amqp_table_entry_t;

/**
 * Kinds of field values, as RabbitMQ writes them: its letters differ from those
 * of 4.2.5.5 in places ('s' is a 16 bit integer, not a short string).
 */
typedef enum {
  AMQP_FIELD_KIND_BOOLEAN = 't',   /**< true or false; value.boolean */
  AMQP_FIELD_KIND_I8 = 'b',        /**< signed 8 bit; value.i8 */
  AMQP_FIELD_KIND_U8 = 'B',        /**< unsigned 8 bit; value.u8 */
  AMQP_FIELD_KIND_I16 = 's',       /**< signed 16 bit; value.i16 */
  AMQP_FIELD_KIND_U16 = 'u',       /**< unsigned 16 bit; value.u16 */
  AMQP_FIELD_KIND_I32 = 'I',       /**< signed 32 bit; value.i32 */
  AMQP_FIELD_KIND_U32 = 'i',       /**< unsigned 32 bit; value.u32 */
  AMQP_FIELD_KIND_I64 = 'l',       /**< signed 64 bit; value.i64 */
  AMQP_FIELD_KIND_U64 = 'L',       /**< unsigned 64 bit; value.u64 */
  AMQP_FIELD_KIND_F32 = 'f',       /**< IEEE 754 single; value.f32 */
  AMQP_FIELD_KIND_F64 = 'd',       /**< IEEE 754 double; value.f64 */
  AMQP_FIELD_KIND_DECIMAL = 'D',   /**< scaled integer; value.decimal */
  AMQP_FIELD_KIND_UTF8 = 'S',      /**< long string; value.bytes */
  AMQP_FIELD_KIND_ARRAY = 'A',     /**< field array; value.array */
  AMQP_FIELD_KIND_TIMESTAMP = 'T', /**< seconds since 1970; value.u64 */
  AMQP_FIELD_KIND_TABLE = 'F',     /**< nested table; value.table */
  AMQP_FIELD_KIND_VOID = 'V',      /**< no value */
  AMQP_FIELD_KIND_BYTES = 'x'      /**< byte array; value.bytes */
} amqp_field_value_kind_t;

/** The blocks that a pool owns. Read and written by the pool functions only. */
typedef struct amqp_pool_blocklist_t_ {
  int num_blocks;   /**< number of blocks */
  void **blocklist; /**< the blocks, each from malloc() */
} amqp_pool_blocklist_t;

/**
 * A pool: memory that is handed out piece by piece and taken back all at once.
 * A program may keep pools of its own; the members belong to the functions.
 */
typedef struct amqp_pool_t_ {
  size_t pagesize;                    /**< bytes per page */
  amqp_pool_blocklist_t pages;        /**< pages, kept by recycling */
  amqp_pool_blocklist_t large_blocks; /**< pieces above pagesize, not kept */
  int next_page;                      /**< the page to take up next */
  char *alloc_block;                  /**< the page in use, or NULL */
  size_t alloc_used;                  /**< bytes of it handed out */
} amqp_pool_t;

/* ===== Methods, frames and replies ======================================== */

/** A method: its number and, decoded, its fields (2.2.1, 4.2.4). */
typedef struct amqp_method_t_ {
  amqp_method_number_t id; /**< AMQP_..._METHOD of amqp_framing.h */
  void *decoded; /**< the struct of that method; not looked at for sending a
                      method without fields */
} amqp_method_t;

/** One frame (4.2.3 General Frame Format). */
typedef struct amqp_frame_t_ {
  uint8_t frame_type; /**< AMQP_FRAME_METHOD, _HEADER or _BODY; for sending
                           also _HEARTBEAT; received also 'A', a protocol
                           header; 0 from amqp_handle_input(): no frame */
  amqp_channel_t channel; /**< 0 for methods of the connection */
  union {
    amqp_method_t method; /**< AMQP_FRAME_METHOD */
    struct {
      uint16_t class_id;  /**< AMQP_BASIC_CLASS */
      uint64_t body_size; /**< bytes of all the body frames that follow */
      void *decoded;      /**< an #amqp_basic_properties_t */
      amqp_bytes_t raw;   /**< received: the encoded properties */
    } properties;         /**< AMQP_FRAME_HEADER: a content header (4.2.6.1) */
    amqp_bytes_t body_fragment; /**< AMQP_FRAME_BODY (4.2.6.2) */
    struct {
      uint8_t transport_high;         /**< octet 5 */
      uint8_t transport_low;          /**< octet 6 */
      uint8_t protocol_version_major; /**< octet 7 */
      uint8_t protocol_version_minor; /**< octet 8 */
    } protocol_header; /**< 'A': the broker speaks another version (4.2.2) */
  } payload;           /**< which member holds depends on frame_type */
} amqp_frame_t;

/** How a conversation with the broker ended. */
typedef enum amqp_response_type_enum_ {
  AMQP_RESPONSE_NONE = 0, /**< there has been no RPC yet */
  AMQP_RESPONSE_NORMAL,   /**< the awaited reply came, or the call succeeded */
  AMQP_RESPONSE_LIBRARY_EXCEPTION, /**< failed on this side: library_error */
  AMQP_RESPONSE_SERVER_EXCEPTION   /**< the broker closed the channel or the
                                        connection: see reply */
} amqp_response_type_enum;

/** The result of a conversation with the broker. */
typedef struct amqp_rpc_reply_t_ {
  amqp_response_type_enum reply_type; /**< which member below to read */
  /**
   * NORMAL: the reply, its id 0 where there is none. SERVER_EXCEPTION:
   * AMQP_CHANNEL_CLOSE_METHOD or AMQP_CONNECTION_CLOSE_METHOD; `decoded` points
   * to the #amqp_channel_close_t or #amqp_connection_close_t with code and
   * text, in the pool of the channel (0 for connection.close). The program
   * answers with AMQP_CHANNEL_CLOSE_OK_METHOD by amqp_send_method() before it
   * opens the channel again; the library does not do so by itself.
   */
  amqp_method_t reply;
  int library_error; /**< LIBRARY_EXCEPTION: an #amqp_status_enum value */
} amqp_rpc_reply_t;

/** Ways to prove who one is at login (2.2.4, SASL). */
typedef enum amqp_sasl_method_enum_ {
  AMQP_SASL_METHOD_UNDEFINED = -1, /**< none: login refuses it */
  AMQP_SASL_METHOD_PLAIN = 0,      /**< name and password */
  AMQP_SASL_METHOD_EXTERNAL = 1    /**< by other means: a TLS certificate */
} amqp_sasl_method_enum;

/** Values of #amqp_basic_properties_t::delivery_mode. */
typedef enum {
  AMQP_DELIVERY_NONPERSISTENT = 1, /**< kept in memory */
  AMQP_DELIVERY_PERSISTENT = 2     /**< survives a restart in a durable queue */
} amqp_delivery_mode_enum;

/** A connection: made by amqp_new_connection(). Opaque. */
typedef struct amqp_connection_state_t_ *amqp_connection_state_t;

/** A connection's socket: made by amqp_tcp_socket_new() or
 *  amqp_ssl_socket_new(), owned by the connection. Opaque. */
typedef struct amqp_socket_t_ amqp_socket_t;

/* ===== Status codes ======================================================= */

/**
 * What a call answers: 0, or why it failed. "Usable" below means that the
 * connection can be used further.
 */
typedef enum amqp_status_enum_ {
  /** Done. */
  AMQP_STATUS_OK = 0x0,
  /** malloc() refused. Nothing was handed out. */
  AMQP_STATUS_NO_MEMORY = -0x0001,
  /**
   * From a receiving call: the broker broke the framing or a field (bad end
   * octet, unknown frame type, channel above channel_max, frame larger than
   * frame_max, short payload, heartbeat with payload or off channel 0). Sticky,
   * descriptor -1. From an encoder or a sending call: a string or a set of
   * fields does not fit; nothing was sent, usable. From a decoder: the bytes
   * are not what they claim to be.
   */
  AMQP_STATUS_BAD_AMQP_DATA = -0x0002,
  /** No such class: a content header that is not basic, or an id passed to
   *  amqp_decode_properties() or amqp_encode_properties(). */
  AMQP_STATUS_UNKNOWN_CLASS = -0x0003,
  /** No such method: received, or passed to a function that takes an id. */
  AMQP_STATUS_UNKNOWN_METHOD = -0x0004,
  /** The host name has no address, the resolver failed, or the port is
   *  negative. */
  AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED = -0x0005,
  /** The broker answered with a protocol header, or its connection.start names
   *  another version than 0-9. */
  AMQP_STATUS_INCOMPATIBLE_AMQP_VERSION = -0x0006,
  /** The broker ended the TCP connection, or had ended it before a publish was
   *  written. What it sent before can still be read by a waiting call. A
   *  receiving call says so, too, once this side has closed the descriptor. */
  AMQP_STATUS_CONNECTION_CLOSED = -0x0007,
  /** amqp_parse_url(): not a URL of the form that it knows. */
  AMQP_STATUS_BAD_URL = -0x0008,
  /** A system call on the socket failed: refused, reset, unreachable, or there
   *  is no such port. */
  AMQP_STATUS_SOCKET_ERROR = -0x0009,
  /** NULL where something is needed, or a number out of range. Nothing
   *  happened; usable. */
  AMQP_STATUS_INVALID_PARAMETER = -0x000A,
  /** A table does not fit into the buffer or the frame. Nothing was sent;
   *  usable. */
  AMQP_STATUS_TABLE_TOO_BIG = -0x000B,
  /** amqp_simple_wait_method(): another frame came. It is put back; usable. */
  AMQP_STATUS_WRONG_METHOD = -0x000C,
  /**
   * The time limit passed. From a waiting call: usable, nothing is lost, a
   * message half received is handed out whole later. From an RPC, the login or
   * a connect: the descriptor is closed.
   */
  AMQP_STATUS_TIMEOUT = -0x000D,
  /** Never returned: the clock does not fail, and a wait that does is
   *  AMQP_STATUS_SOCKET_ERROR. */
  AMQP_STATUS_TIMER_FAILURE = -0x000E,
  /** Nothing came from the broker for two heartbeat intervals. Sticky,
   *  descriptor -1. */
  AMQP_STATUS_HEARTBEAT_TIMEOUT = -0x000F,
  /** The next frame is not one that the call can handle. It is put back: take
   *  it with amqp_simple_wait_frame(); usable. Also: a call that is out of
   *  order, such as a second login. */
  AMQP_STATUS_UNEXPECTED_STATE = -0x0010,
  /** There is no open socket: never opened, or closed after an error. */
  AMQP_STATUS_SOCKET_CLOSED = -0x0011,
  /** The socket is open already. */
  AMQP_STATUS_SOCKET_INUSE = -0x0012,
  /** The broker does not offer the SASL mechanism that the login asks for. */
  AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD = -0x0013,
  /** The TLS library cannot do what was asked for, such as a TLS version. */
  AMQP_STATUS_UNSUPPORTED = -0x0014,
  /** Not a status: the first free value. */
  _AMQP_STATUS_NEXT_VALUE = -0x0015,

  /** A TCP failure without a code of its own. */
  AMQP_STATUS_TCP_ERROR = -0x0100,
  /** Never returned: there is no socket library to initialise. */
  AMQP_STATUS_TCP_SOCKETLIB_INIT_ERROR = -0x0101,
  /** Not a status: the first free value. */
  _AMQP_STATUS_TCP_NEXT_VALUE = -0x0102,

  /** TLS failed: a certificate or key that cannot be loaded, or a broken
   *  record. */
  AMQP_STATUS_SSL_ERROR = -0x0200,
  /** The broker's certificate is for another host. */
  AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED = -0x0201,
  /** The broker's certificate is not signed by a trusted authority. */
  AMQP_STATUS_SSL_PEER_VERIFY_FAILED = -0x0202,
  /** The TLS handshake failed for another reason. */
  AMQP_STATUS_SSL_CONNECTION_FAILED = -0x0203,
  /** amqp_set_ssl_engine(): no such engine, or it cannot be used. */
  AMQP_STATUS_SSL_SET_ENGINE_FAILED = -0x0204,
  /** The TLS library has no such facility: engines. */
  AMQP_STATUS_SSL_UNIMPLEMENTED = -0x0205,
  /** Not a status: the first free value. */
  _AMQP_STATUS_SSL_NEXT_VALUE = -0x0206
} amqp_status_enum;

AMQP_END_DECLS

#include "amqp_framing.h"

AMQP_BEGIN_DECLS

/* ===== Empty values ======================================================= */

/** No bytes: "none", "the default", or "let the broker choose". */
AMQP_PUBLIC_VARIABLE const amqp_bytes_t amqp_empty_bytes;
/** A table without entries: "no arguments". */
AMQP_PUBLIC_VARIABLE const amqp_table_t amqp_empty_table;
/** An array without entries. */
AMQP_PUBLIC_VARIABLE const amqp_array_t amqp_empty_array;

/** Former name of #amqp_empty_bytes. */
#define AMQP_EMPTY_BYTES amqp_empty_bytes
/** Former name of #amqp_empty_table. */
#define AMQP_EMPTY_TABLE amqp_empty_table
/** Former name of #amqp_empty_array. */
#define AMQP_EMPTY_ARRAY amqp_empty_array

/* ===== Pools ============================================================== */

/**
 * Makes an empty pool. Allocates nothing yet.
 * @param pool      uninitialised memory of the caller; a pool in use would leak
 * @param pagesize  bytes per page; 0 means 4096. Pieces above it are allocated
 *                  one by one.
 */
AMQP_PUBLIC_FUNCTION
void AMQP_CALL init_amqp_pool(amqp_pool_t *pool, size_t pagesize);

/**
 * Takes back every piece of a pool at once and keeps the pages for reuse. All
 * pointers into the pool become invalid.
 * @param pool  an initialised pool
 */
AMQP_PUBLIC_FUNCTION
void AMQP_CALL recycle_amqp_pool(amqp_pool_t *pool);

/**
 * Gives all memory of a pool back to the system. All pointers into the pool
 * become invalid; the pool itself is empty and may be used on.
 * @param pool  an initialised pool
 */
AMQP_PUBLIC_FUNCTION
void AMQP_CALL empty_amqp_pool(amqp_pool_t *pool);

/**
 * Hands out a piece of a pool, aligned to 8 bytes, contents undefined.
 * @param pool    an initialised pool
 * @param amount  bytes wanted
 * @return the piece, valid until the pool is recycled or emptied; NULL if
 *         amount is 0 or there is no memory
 */
AMQP_PUBLIC_FUNCTION
void *AMQP_CALL amqp_pool_alloc(amqp_pool_t *pool, size_t amount);

/**
 * Hands out a piece of a pool as #amqp_bytes_t.
 * @param pool    an initialised pool
 * @param amount  bytes wanted
 * @param output  set to amount and the piece of amqp_pool_alloc(); `bytes` is
 *                NULL where that is
 */
AMQP_PUBLIC_FUNCTION
void AMQP_CALL amqp_pool_alloc_bytes(amqp_pool_t *pool, size_t amount,
                                     amqp_bytes_t *output);

/* ===== Bytes ============================================================== */

/**
 * Describes a C string without copying it.
 * @param cstr  a NUL-terminated string, which must outlive the result; NULL
 *              gives empty bytes
 * @return the bytes before the NUL
 */
AMQP_PUBLIC_FUNCTION
amqp_bytes_t AMQP_CALL amqp_cstring_bytes(char const *cstr);

/**
 * Copies bytes into memory of their own.
 * @param src  what to copy
 * @return the copy, for amqp_bytes_free() or plain free(); `bytes` is NULL if
 *         there is no memory
 */
AMQP_PUBLIC_FUNCTION
amqp_bytes_t AMQP_CALL amqp_bytes_malloc_dup(amqp_bytes_t src);

/**
 * Allocates bytes, contents undefined.
 * @param amount  bytes wanted
 * @return the memory, for amqp_bytes_free() or plain free(); `bytes` is NULL if
 *         there is none
 */
AMQP_PUBLIC_FUNCTION
amqp_bytes_t AMQP_CALL amqp_bytes_malloc(size_t amount);

/**
 * Frees bytes that amqp_bytes_malloc() or amqp_bytes_malloc_dup() made, or a
 * string or body taken out of an envelope.
 * @param bytes  the bytes; empty ones are fine
 */
AMQP_PUBLIC_FUNCTION
void AMQP_CALL amqp_bytes_free(amqp_bytes_t bytes);

/**
 * @def amqp_bytes_from_buffer
 * Describes memory of the caller without copying it.
 * @param ptr  the first byte; must outlive the result
 * @param len  number of bytes
 * @return an #amqp_bytes_t
 */
/**
 * @def amqp_literal_bytes
 * Describes a string literal (or char array): its size is known when the
 * program is compiled, and NULs inside count.
 * @param str  the literal; the NUL at its end is left out
 * @return an #amqp_bytes_t
 */
#ifdef __cplusplus
/** What the two macros are made of in C++, which has no compound literals. */
static inline amqp_bytes_t amqp_bytes_describe_(void const *first,
                                                size_t count) {
  amqp_bytes_t result;
  result.len = count;
  result.bytes = const_cast<void *>(first);
  return result;
}
#define amqp_bytes_from_buffer(ptr, len) \
  amqp_bytes_describe_((ptr), static_cast<size_t>(len))
#define amqp_literal_bytes(str) amqp_bytes_describe_((str), sizeof(str) - 1)
#else
#define amqp_bytes_from_buffer(ptr, len) \
  ((amqp_bytes_t){(size_t)(len), (void *)(ptr)})
#define amqp_literal_bytes(str) \
  ((amqp_bytes_t){sizeof(str) - 1, (void *)(str)})
#endif

/* ===== Field tables (4.2.5.5) ============================================= */

/**
 * Decodes a table from its wire form, length prefix first. The strings of the
 * result point into `encoded`, its entries lie in the pool: both must live as
 * long as the table is used.
 * @param encoded  bytes that contain the table
 * @param pool     where entries are allocated
 * @param output   the table
 * @param offset   in: where in `encoded` the table starts; out, on success: the
 *                 first byte after it
 * @return AMQP_STATUS_OK; AMQP_STATUS_BAD_AMQP_DATA if the bytes end early,
 *         or hold an unknown kind, or if the offset lies behind them;
 *         AMQP_STATUS_NO_MEMORY; AMQP_STATUS_INVALID_PARAMETER for NULL. Any
 *         depth of nesting is taken; the stack does not grow with it.
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_decode_table(amqp_bytes_t encoded, amqp_pool_t *pool,
                                amqp_table_t *output, size_t *offset);

/**
 * Encodes a table into its wire form, length prefix first.
 * @param encoded  the room to write into
 * @param input    the table
 * @param offset   in: where in `encoded` to start; out, on success: the first
 *                 byte after the table
 * @return AMQP_STATUS_OK; AMQP_STATUS_TABLE_TOO_BIG if the room does not do;
 *         AMQP_STATUS_BAD_AMQP_DATA for a key above 255 bytes, a negative
 *         count, NULL entries or nesting more than 100 deep;
 *         AMQP_STATUS_INVALID_PARAMETER for an unknown kind or NULL
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_encode_table(amqp_bytes_t encoded, amqp_table_t *input,
                                size_t *offset);

/**
 * Copies a table with everything in it.
 * @param original  the table to copy
 * @param clone     the copy
 * @param pool      where all of the copy lies; the original may be freed
 * @return AMQP_STATUS_OK; AMQP_STATUS_INVALID_PARAMETER for an unknown kind, a
 *         negative count, nesting more than 100 deep or NULL;
 *         AMQP_STATUS_NO_MEMORY. On failure `clone` is as it was.
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_table_clone(const amqp_table_t *original,
                               amqp_table_t *clone, amqp_pool_t *pool);

/**
 * Orders table entries by key, byte by byte, a prefix first: for qsort() and
 * bsearch().
 * @param entry1  an #amqp_table_entry_t
 * @param entry2  another
 * @return below 0, 0 or above 0, as entry1 comes before, with or after entry2
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_table_entry_cmp(void const *entry1, void const *entry2);

/* ===== Connection ========================================================= */

/**
 * Makes a connection object. Touches no network: give it a socket next.
 * @return the object, for amqp_destroy_connection(); NULL if there is no memory
 */
AMQP_PUBLIC_FUNCTION
amqp_connection_state_t AMQP_CALL amqp_new_connection(void);

/**
 * Closes the socket and frees the connection with all that lies in its pools.
 * Sends nothing and does not block: amqp_connection_close() says goodbye.
 * Envelopes and messages that were handed out stay valid.
 * @param state  the connection; NULL is fine
 * @return AMQP_STATUS_OK
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_destroy_connection(amqp_connection_state_t state);

/**
 * The descriptor of the connection, for poll(). It is the TCP socket itself;
 * with TLS, what it carries is of no use to the program. Ask
 * amqp_frames_enqueued() and amqp_data_in_buffer() before sleeping on it, and
 * sleep no longer than half the heartbeat interval.
 * @param state  the connection
 * @return the descriptor, still owned by the connection; -1 if it is closed or
 *         was never opened. It stays when the broker ends the connection: a
 *         waiting call says so.
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_get_sockfd(amqp_connection_state_t state);

/**
 * The highest channel number that was negotiated (1.4.2.5 connection.tune).
 * @param state  the connection
 * @return 1 to 65535; 0 (no limit) before login or when
 *         amqp_tune_connection() was told so
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_get_channel_max(amqp_connection_state_t state);

/**
 * The frame size that was negotiated (1.4.2.5 connection.tune).
 * @param state  the connection
 * @return bytes of a whole frame, header and end octet included: at least
 *         4096; 65536 before login
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_get_frame_max(amqp_connection_state_t state);

/**
 * The heartbeat interval that was negotiated (1.4.2.5 connection.tune).
 * @param state  the connection
 * @return seconds; 0 means off, also before login
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_get_heartbeat(amqp_connection_state_t state);

/**
 * Replaces what was negotiated on this side only; the broker is not told. Made
 * for programs that do the handshake themselves by amqp_send_method(). Both
 * heartbeat clocks start anew.
 * @param state        the connection
 * @param channel_max  highest channel number, 0 to 65535; 0: no limit
 * @param frame_max    bytes of a whole frame, 0 or more; below 4096 counts as
 *                     4096
 * @param heartbeat    seconds, 0 to 65535; 0 means off
 * @return AMQP_STATUS_OK; AMQP_STATUS_INVALID_PARAMETER for NULL or a number
 *         out of range; AMQP_STATUS_UNEXPECTED_STATE before the first frame was
 *         received or while one is half read. Nothing changes on failure.
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_tune_connection(amqp_connection_state_t state,
                                   int channel_max, int frame_max,
                                   int heartbeat);

/**
 * What the broker said about itself at login (1.4.2.1 connection.start):
 * product, version, capabilities.
 * @param state  the connection
 * @return a table that the connection owns, to be read only, valid until it is
 *         destroyed or logs in again; empty before login
 */
AMQP_PUBLIC_FUNCTION
amqp_table_t *AMQP_CALL
    amqp_get_server_properties(amqp_connection_state_t state);

/**
 * What this side said about itself at login (1.4.2.2 connection.start-ok).
 * @param state  the connection
 * @return a table that the connection owns, to be read only, valid until it is
 *         destroyed or logs in again; empty before login
 */
AMQP_PUBLIC_FUNCTION
amqp_table_t *AMQP_CALL
    amqp_get_client_properties(amqp_connection_state_t state);

/* ===== Socket ============================================================= */

/**
 * The socket object of a connection.
 * @param state  the connection
 * @return the object that amqp_tcp_socket_new() or amqp_ssl_socket_new() made
 *         last, owned by the connection; NULL if there is none
 */
AMQP_PUBLIC_FUNCTION
amqp_socket_t *AMQP_CALL amqp_get_socket(amqp_connection_state_t state);

/**
 * Connects to the broker, without a time limit of its own: the same as
 * amqp_socket_open_noblock() with a NULL timeout.
 * @param self  a socket that is not open
 * @param host  name or address; NULL: this machine
 * @param port  TCP port: AMQP_PROTOCOL_PORT, or 5671 for TLS
 * @return as amqp_socket_open_noblock()
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_socket_open(amqp_socket_t *self, const char *host, int port);

/**
 * Connects to the broker, and with a TLS socket makes the TLS handshake. Every
 * address of the name is tried in turn, IPv6 and IPv4, each with its share of
 * the time; the limit covers the name's resolution, too. Despite its name it
 * blocks, up to that limit.
 * @param self     a socket that is not open
 * @param host     name or address; NULL: this machine
 * @param port     TCP port: AMQP_PROTOCOL_PORT, or 5671 for TLS
 * @param timeout  how long it may take; NULL: no limit; {0, 0}: one attempt
 *                 that does not wait, not even for a name to be resolved
 * @return AMQP_STATUS_OK; AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED, also for a
 *         negative port; AMQP_STATUS_SOCKET_ERROR if no address accepts, also
 *         for a port above 65535; AMQP_STATUS_TIMEOUT, also if one address took
 *         too long and the others refused; AMQP_STATUS_SOCKET_INUSE if it is
 *         open already; AMQP_STATUS_INVALID_PARAMETER for a NULL socket or a
 *         negative time; AMQP_STATUS_NO_MEMORY; with TLS also
 *         AMQP_STATUS_SSL_CONNECTION_FAILED, _SSL_ERROR,
 *         _SSL_PEER_VERIFY_FAILED, _SSL_HOSTNAME_VERIFY_FAILED and
 *         AMQP_STATUS_CONNECTION_CLOSED. After a failure it may be tried again.
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_socket_open_noblock(amqp_socket_t *self, const char *host,
                                       int port, const struct timeval *timeout);

/**
 * The descriptor of a socket object.
 * @param self  the socket
 * @return the descriptor, still owned by the socket; -1 if it is not open
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_socket_get_sockfd(amqp_socket_t *self);

/**
 * Connects a plain TCP socket without a connection object.
 * @param hostname    name or address; NULL: this machine
 * @param portnumber  TCP port
 * @return a descriptor, 0 or above, that the caller owns until it is handed to
 *         amqp_tcp_socket_set_sockfd(); else, for the same reasons as in
 *         amqp_socket_open(), AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED,
 *         AMQP_STATUS_SOCKET_ERROR or AMQP_STATUS_NO_MEMORY
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_open_socket(char const *hostname, int portnumber);

/**
 * Gives the connection a TCP socket with this descriptor. Deprecated: use
 * amqp_tcp_socket_new() and amqp_tcp_socket_set_sockfd(), which can report a
 * failure. A socket that the connection had before is closed and freed.
 * @param state   the connection, which owns the descriptor from now on
 * @param sockfd  a connected descriptor
 */
AMQP_DEPRECATED(AMQP_PUBLIC_FUNCTION void AMQP_CALL
                    amqp_set_sockfd(amqp_connection_state_t state, int sockfd));

/* ===== URL ================================================================ */

/** Where a broker is and how to log in. All strings are borrowed. */
struct amqp_connection_info {
  char *user;         /**< user name */
  char *password;     /**< password */
  char *host;         /**< name or address; IPv6 without brackets */
  char *vhost;        /**< virtual host */
  int port;           /**< TCP port */
  amqp_boolean_t ssl; /**< whether to use TLS */
};

/**
 * Fills in the defaults: guest, guest, localhost, "/", 5672, no TLS.
 * @param parsed  filled with pointers to static strings, not to be written to
 */
AMQP_PUBLIC_FUNCTION
void AMQP_CALL
    amqp_default_connection_info(struct amqp_connection_info *parsed);

/**
 * Parses amqp://user:password@host:port/vhost, or amqps:// for TLS on port 5671
 * (RabbitMQ URI specification). Every part is optional and defaults as in
 * amqp_default_connection_info(); "%2f" and its like, up to "%7f", are decoded;
 * an IPv6 address stands in brackets; "host/" names the virtual host "". There
 * is no place for a "?" or a "#".
 * @param url     the text, cut up and overwritten in place, also on failure
 * @param parsed  points into `url` and to static strings: valid as long as
 *                `url` is, and never to be freed; on failure the defaults
 * @return AMQP_STATUS_OK; AMQP_STATUS_BAD_URL;
 *         AMQP_STATUS_INVALID_PARAMETER for NULL
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_parse_url(char *url, struct amqp_connection_info *parsed);

/* ===== Login (2.2.4, 1.4 class connection) ================================ */

/**
 * Makes the whole handshake on an open socket: protocol header, start, tune,
 * open. At the end the connection is ready for amqp_channel_open(). Bounded by
 * amqp_set_handshake_timeout().
 *
 * Of each number the smaller of the two sides is agreed on, and:
 * - channel_max 0 takes the broker's; both 0 make 65535;
 * - frame_max below 4096 counts as 4096, also 0; 0 of the broker takes ours;
 * - heartbeat 0 turns heartbeats off; 0 of the broker takes ours.
 *
 * @param state        a connection whose socket is open
 * @param vhost        virtual host, at most 255 bytes
 * @param channel_max  highest channel number, 0 to 65535
 * @param frame_max    bytes of a whole frame, 0 or more
 * @param heartbeat    seconds, 0 to 65535
 * @param sasl_method  what the arguments after it are: for
 *                     AMQP_SASL_METHOD_PLAIN two `char const *`, user and
 *                     password; for AMQP_SASL_METHOD_EXTERNAL one, the identity
 *                     to assume, NULL or "" for that of the certificate
 * @return NORMAL (reply.id is 0).
 *         SERVER_EXCEPTION with connection.close: AMQP_ACCESS_REFUSED for a
 *         wrong user or password, AMQP_NOT_ALLOWED for a virtual host that does
 *         not exist or is not permitted.
 *         LIBRARY_EXCEPTION with a connection status;
 *         AMQP_STATUS_INVALID_PARAMETER also for a number out of range, an
 *         unknown SASL method, or PLAIN without user or password;
 *         AMQP_STATUS_BAD_AMQP_DATA also for a virtual host above 255 bytes;
 *         AMQP_STATUS_TABLE_TOO_BIG for a user and password that do not fit
 *         into a frame (of these, nothing is sent, and login may be called
 *         again);
 *         AMQP_STATUS_INCOMPATIBLE_AMQP_VERSION;
 *         AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD; AMQP_STATUS_TIMEOUT;
 *         AMQP_STATUS_UNEXPECTED_STATE if it is logged in already, which
 *         changes nothing;
 *         AMQP_STATUS_WRONG_METHOD if the broker leaves the order of the
 *         handshake.
 *         After a failed handshake destroy the connection, or give it another
 *         socket; unless the broker refused, the descriptor is closed.
 */
AMQP_PUBLIC_FUNCTION
amqp_rpc_reply_t AMQP_CALL amqp_login(amqp_connection_state_t state,
                                      char const *vhost, int channel_max,
                                      int frame_max, int heartbeat,
                                      amqp_sasl_method_enum sasl_method, ...);

/**
 * amqp_login() with client properties (1.4.2.2 connection.start-ok), such as
 * "connection_name", by which RabbitMQ's pages show the connection. The other
 * arguments are those of amqp_login().
 * @param properties  joined with the library's own, over which they win; nested
 *                    "capabilities" tables are joined as well. Copied. NULL:
 *                    none.
 * @return as amqp_login(); also AMQP_STATUS_INVALID_PARAMETER,
 *         AMQP_STATUS_BAD_AMQP_DATA (a key above 255 bytes) or
 *         AMQP_STATUS_TABLE_TOO_BIG for a table that cannot be sent, of which,
 *         too, nothing is sent
 */
AMQP_PUBLIC_FUNCTION
amqp_rpc_reply_t AMQP_CALL amqp_login_with_properties(
    amqp_connection_state_t state, char const *vhost, int channel_max,
    int frame_max, int heartbeat, const amqp_table_t *properties,
    amqp_sasl_method_enum sasl_method, ...);

/* ===== Timeouts =========================================================== */

/**
 * How long login may take.
 * @param state  the connection
 * @return the connection's own copy, valid until it is set or the connection
 *         destroyed; NULL: no limit. 12 s unless set.
 */
AMQP_PUBLIC_FUNCTION
struct timeval *AMQP_CALL
    amqp_get_handshake_timeout(amqp_connection_state_t state);

/**
 * Limits how long login may take, both its halves, sending and receiving.
 * @param state    the connection
 * @param timeout  copied; NULL: no limit
 * @return AMQP_STATUS_OK; AMQP_STATUS_INVALID_PARAMETER for a NULL handle or a
 *         negative time
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_set_handshake_timeout(amqp_connection_state_t state,
                                         const struct timeval *timeout);

/**
 * How long an RPC may take.
 * @param state  the connection
 * @return the connection's own copy, valid until it is set or the connection
 *         destroyed; NULL: no limit, which is the default
 */
AMQP_PUBLIC_FUNCTION
struct timeval *AMQP_CALL amqp_get_rpc_timeout(amqp_connection_state_t state);

/**
 * Limits how long each RPC may take, sending and receiving together. An RPC
 * that takes longer answers AMQP_STATUS_TIMEOUT and closes the socket, for its
 * reply could no longer be told from that of the next. Limits
 * amqp_read_message() as well, which leaves the connection usable.
 * @param state    the connection
 * @param timeout  copied; NULL: no limit
 * @return AMQP_STATUS_OK; AMQP_STATUS_INVALID_PARAMETER for a NULL handle or a
 *         negative time
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_set_rpc_timeout(amqp_connection_state_t state,
                                   const struct timeval *timeout);

/* ===== RPC ================================================================ */

/**
 * Sends a method and waits for its reply (2.2.1, synchronous methods). Frames
 * that come meanwhile, messages among them, are queued for the waiting calls.
 * Bounded by amqp_set_rpc_timeout().
 * @param state                   the connection
 * @param channel                 the channel to talk on
 * @param request_id              method to send: AMQP_..._METHOD
 * @param expected_reply_ids      the replies that end the wait; a 0 ends the
 *                                array
 * @param decoded_request_method  the struct of request_id; not looked at for a
 *                                method without fields
 * @return NORMAL with the reply, in the channel's pool; SERVER_EXCEPTION if the
 *         broker closed the channel or the connection instead, or had closed it
 *         before and the close lies in the queue (nothing is sent then);
 *         LIBRARY_EXCEPTION with a connection status, AMQP_STATUS_TIMEOUT
 *         (descriptor closed), AMQP_STATUS_UNKNOWN_METHOD for request_id,
 *         AMQP_STATUS_BAD_AMQP_DATA or AMQP_STATUS_TABLE_TOO_BIG for fields
 *         that do not fit, AMQP_STATUS_INVALID_PARAMETER for an unknown kind of
 *         field or a missing struct (nothing sent, usable)
 */
AMQP_PUBLIC_FUNCTION
amqp_rpc_reply_t AMQP_CALL amqp_simple_rpc(
    amqp_connection_state_t state, amqp_channel_t channel,
    amqp_method_number_t request_id, amqp_method_number_t *expected_reply_ids,
    void *decoded_request_method);

/**
 * amqp_simple_rpc() with one expected reply, its result kept for
 * amqp_get_rpc_reply().
 * @param state                   the connection
 * @param channel                 the channel to talk on
 * @param request_id              method to send
 * @param reply_id                method to wait for
 * @param decoded_request_method  the struct of request_id
 * @return the struct of reply_id, in the channel's pool until that is released;
 *         NULL on failure: amqp_get_rpc_reply() tells why
 */
AMQP_PUBLIC_FUNCTION
void *AMQP_CALL amqp_simple_rpc_decoded(amqp_connection_state_t state,
                                        amqp_channel_t channel,
                                        amqp_method_number_t request_id,
                                        amqp_method_number_t reply_id,
                                        void *decoded_request_method);

/**
 * The result of the latest amqp_simple_rpc_decoded(), of the latest function of
 * amqp_framing.h that is made of it, or of the latest amqp_basic_get(). No
 * other call changes it.
 * @param state  the connection
 * @return that result; NONE if there has been none. What it points to is in the
 *         channel's pool until that is released.
 */
AMQP_PUBLIC_FUNCTION
amqp_rpc_reply_t AMQP_CALL amqp_get_rpc_reply(amqp_connection_state_t state);

/**
 * Closes a channel and waits for close-ok (1.5.2.5 channel.close).
 * @param state    the connection
 * @param channel  the channel
 * @param code     reason: AMQP_REPLY_SUCCESS or another reply code, 0 to 65535
 * @return as amqp_simple_rpc(), AMQP_STATUS_INVALID_PARAMETER also for the code
 */
AMQP_PUBLIC_FUNCTION
amqp_rpc_reply_t AMQP_CALL amqp_channel_close(amqp_connection_state_t state,
                                              amqp_channel_t channel, int code);

/**
 * Tells the broker goodbye and waits for close-ok (1.4.2.9 connection.close).
 * All channels go with it. The descriptor and the memory remain until
 * amqp_destroy_connection().
 * @param state  the connection
 * @param code   reason: AMQP_REPLY_SUCCESS or another reply code, 0 to 65535
 * @return as amqp_simple_rpc(), AMQP_STATUS_INVALID_PARAMETER also for the code
 */
AMQP_PUBLIC_FUNCTION
amqp_rpc_reply_t AMQP_CALL amqp_connection_close(amqp_connection_state_t state,
                                                 int code);

/* ===== Publishing ========================================================= */

struct amqp_basic_properties_t_;

/**
 * Publishes a message (1.8.3.7 basic.publish, 4.2.6 content framing). All of it
 * is encoded before its first byte leaves. AMQP_STATUS_OK means handed to the
 * operating system; only a publisher confirm (amqp_confirm_select()) or a
 * transaction says that the broker has it.
 *
 * If the broker does not read, the call waits for room, without a limit of its
 * own, and services heartbeats meanwhile: a broker that pauses publishers but
 * is alive is waited for, one that is silent for two intervals is reported.
 * After an idle time it first looks whether the broker has closed the
 * connection.
 *
 * @param state        the connection
 * @param channel      an open channel
 * @param exchange     name, at most 255 bytes; empty: the default exchange,
 *                     which routes to the queue named by routing_key
 * @param routing_key  at most 255 bytes
 * @param mandatory    whether the broker sends a message back that no queue
 *                     takes: basic.return, for amqp_simple_wait_frame()
 * @param immediate    pass 0: RabbitMQ 3 and later refuse it with
 *                     AMQP_NOT_IMPLEMENTED
 * @param properties   only `_flags` and the members flagged there are read;
 *                     NULL: none
 * @param body         any length, also 0; cut into frames of frame_max
 * @return AMQP_STATUS_OK; a connection status, AMQP_STATUS_CONNECTION_CLOSED
 *         also if the broker had closed the connection before: nothing was
 *         sent, and a connection.close can still be read by a waiting call;
 *         AMQP_STATUS_BAD_AMQP_DATA or AMQP_STATUS_TABLE_TOO_BIG if a name or
 *         the properties do not fit, AMQP_STATUS_INVALID_PARAMETER for an
 *         unknown kind of field or a body without memory (nothing sent,
 *         usable). If it fails after a part was written, the descriptor is
 *         closed.
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_basic_publish(
    amqp_connection_state_t state, amqp_channel_t channel,
    amqp_bytes_t exchange, amqp_bytes_t routing_key, amqp_boolean_t mandatory,
    amqp_boolean_t immediate, struct amqp_basic_properties_t_ const *properties,
    amqp_bytes_t body);

/** What the broker says about published messages (RabbitMQ publisher
 *  confirms). The tags count the messages of the channel from 1, starting with
 *  amqp_confirm_select(). */
typedef struct amqp_publisher_confirm_t_ {
  union amqp_publisher_confirm_payload_t_ {
    amqp_basic_ack_t ack;       /**< taken: AMQP_BASIC_ACK_METHOD */
    amqp_basic_nack_t nack;     /**< lost: AMQP_BASIC_NACK_METHOD */
    amqp_basic_reject_t reject; /**< lost: AMQP_BASIC_REJECT_METHOD */
  } payload;                    /**< which member holds depends on method */
  amqp_channel_t channel;       /**< the channel of the messages */
  amqp_method_number_t method;  /**< id of the method that came */
} amqp_publisher_confirm_t;

/**
 * Waits for the next confirm on any channel of the connection.
 * @param state    a connection with a channel in confirm mode
 * @param timeout  how long to wait; NULL: no limit; {0, 0}: do not wait
 * @param result   filled on success, a copy without pointers; zeroed on failure
 * @return NORMAL; LIBRARY_EXCEPTION with a connection status,
 *         AMQP_STATUS_TIMEOUT (usable), or AMQP_STATUS_UNEXPECTED_STATE if the
 *         next frame is something else, such as the basic.return of an
 *         unroutable message or a channel.close: it is put back for
 *         amqp_simple_wait_frame()
 */
AMQP_PUBLIC_FUNCTION
amqp_rpc_reply_t AMQP_CALL amqp_publisher_confirm_wait(
    amqp_connection_state_t state, const struct timeval *timeout,
    amqp_publisher_confirm_t *result);

/* ===== Consuming ========================================================== */

/** A message: properties and body. */
typedef struct amqp_message_t_ {
  amqp_basic_properties_t properties; /**< what they point to is in `pool` */
  amqp_bytes_t body;                  /**< its own malloc(); may be empty */
  amqp_pool_t pool;                   /**< memory of the properties */
} amqp_message_t;

/** A message with the envelope in which basic.deliver brought it. Each of the
 *  three strings is its own malloc(). */
typedef struct amqp_envelope_t_ {
  amqp_channel_t channel;     /**< the channel to acknowledge on */
  amqp_bytes_t consumer_tag;  /**< the consumer it is for */
  uint64_t delivery_tag;      /**< for amqp_basic_ack() and its like */
  amqp_boolean_t redelivered; /**< whether it was delivered before */
  amqp_bytes_t exchange;      /**< where it was published to; may be empty */
  amqp_bytes_t routing_key;   /**< the key it was published with */
  amqp_message_t message;     /**< the message */
} amqp_envelope_t;

/**
 * Waits for the next message of any consumer on any channel (1.8.3.9
 * basic.deliver); amqp_basic_consume() comes first.
 * @param state     the connection
 * @param envelope  filled on success and then owned by the caller until
 *                  amqp_destroy_envelope(); zeroed on failure
 * @param timeout   how long the whole message may take; NULL: no limit;
 *                  {0, 0}: only what is there
 * @param flags     reserved: pass 0
 * @return NORMAL.
 *         LIBRARY_EXCEPTION with a connection status; AMQP_STATUS_TIMEOUT
 *         (usable; a message half received comes whole the next time); or
 *         AMQP_STATUS_UNEXPECTED_STATE if the next frame is no delivery
 *         (channel.close, connection.close, basic.cancel, a confirm ...): it is
 *         put back for amqp_simple_wait_frame(). So is a method that comes
 *         in the middle of the message, which is then lost.
 *         SERVER_EXCEPTION if the broker closes the channel or the connection
 *         in the middle of the message.
 */
AMQP_PUBLIC_FUNCTION
amqp_rpc_reply_t AMQP_CALL amqp_consume_message(amqp_connection_state_t state,
                                                amqp_envelope_t *envelope,
                                                const struct timeval *timeout,
                                                int flags);

/**
 * Frees what an envelope holds, its message included, and zeroes it: a second
 * call does nothing. The struct itself is the caller's.
 * @param envelope  an envelope of amqp_consume_message(), or a zeroed one
 */
AMQP_PUBLIC_FUNCTION
void AMQP_CALL amqp_destroy_envelope(amqp_envelope_t *envelope);

/**
 * Reads a content header and the body after it: after the get-ok of
 * amqp_basic_get(), or after a basic.deliver or basic.return taken by
 * amqp_simple_wait_frame(). Frames of other channels are queued meanwhile.
 * Bounded by amqp_set_rpc_timeout() if that is set, else by the heartbeat only.
 * @param state    the connection
 * @param channel  the channel the message comes on
 * @param message  filled on success and then owned by the caller until
 *                 amqp_destroy_message(); zeroed on failure
 * @param flags    reserved: pass 0
 * @return NORMAL.
 *         LIBRARY_EXCEPTION with a connection status; AMQP_STATUS_TIMEOUT
 *         (usable; call again for the whole message);
 *         AMQP_STATUS_UNEXPECTED_STATE if the next frame of the channel is not
 *         part of a message: it is put back.
 *         SERVER_EXCEPTION if the broker closes the channel or the connection
 *         instead.
 */
AMQP_PUBLIC_FUNCTION
amqp_rpc_reply_t AMQP_CALL amqp_read_message(amqp_connection_state_t state,
                                             amqp_channel_t channel,
                                             amqp_message_t *message,
                                             int flags);

/**
 * Frees what a message holds and zeroes it: a second call does nothing. The
 * struct itself is the caller's. Not for the message inside an envelope.
 * @param message  a message of amqp_read_message(), or a zeroed one
 */
AMQP_PUBLIC_FUNCTION
void AMQP_CALL amqp_destroy_message(amqp_message_t *message);

/**
 * Asks a queue for one message (1.8.3.10 basic.get). Amounts to an RPC.
 * @param state    the connection
 * @param channel  an open channel
 * @param queue    name, at most 255 bytes; empty: the queue that was declared
 *                 last on the channel
 * @param no_ack   whether the broker forgets the message once it is sent
 * @return as amqp_simple_rpc(). NORMAL with AMQP_BASIC_GET_OK_METHOD, an
 *         #amqp_basic_get_ok_t: take the message with amqp_read_message().
 *         NORMAL with AMQP_BASIC_GET_EMPTY_METHOD: the queue is empty.
 */
AMQP_PUBLIC_FUNCTION
amqp_rpc_reply_t AMQP_CALL amqp_basic_get(amqp_connection_state_t state,
                                          amqp_channel_t channel,
                                          amqp_bytes_t queue,
                                          amqp_boolean_t no_ack);

/**
 * Acknowledges messages (1.8.3.13 basic.ack). The broker does not answer; a
 * wrong tag makes it close the channel with AMQP_PRECONDITION_FAILED.
 * @param state         the connection
 * @param channel       the channel that brought the message
 * @param delivery_tag  its tag; 0 with `multiple`: all so far
 * @param multiple      whether every earlier message of the channel is meant,
 *                      too
 * @return AMQP_STATUS_OK: sent; else a connection status. Waits for room as
 *         amqp_basic_publish() does.
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_basic_ack(amqp_connection_state_t state,
                             amqp_channel_t channel, uint64_t delivery_tag,
                             amqp_boolean_t multiple);

/**
 * Refuses one message (1.8.3.14 basic.reject).
 * @param state         the connection
 * @param channel       the channel that brought the message
 * @param delivery_tag  its tag
 * @param requeue       whether the broker delivers it again; else it is dropped
 *                      or dead-lettered
 * @return as amqp_basic_ack()
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_basic_reject(amqp_connection_state_t state,
                                amqp_channel_t channel, uint64_t delivery_tag,
                                amqp_boolean_t requeue);

/**
 * Refuses messages (RabbitMQ extension basic.nack).
 * @param state         the connection
 * @param channel       the channel that brought the message
 * @param delivery_tag  its tag; 0 with `multiple`: all so far
 * @param multiple      whether every earlier message of the channel is meant,
 *                      too
 * @param requeue       whether the broker delivers them again
 * @return as amqp_basic_ack()
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_basic_nack(amqp_connection_state_t state,
                              amqp_channel_t channel, uint64_t delivery_tag,
                              amqp_boolean_t multiple, amqp_boolean_t requeue);

/* ===== Releasing memory =================================================== */

/**
 * Whether the pools can be released: not while a frame is half read, nor before
 * the first one came.
 * @param state  the connection
 * @return 1 if amqp_release_buffers() would release, else 0
 */
AMQP_PUBLIC_FUNCTION
amqp_boolean_t AMQP_CALL amqp_release_buffers_ok(amqp_connection_state_t state);

/**
 * Takes back the memory of every channel's pool: decoded frames, replies of
 * RPCs, what amqp_get_rpc_reply() points to. Channels with queued frames are
 * left out. Does nothing where amqp_release_buffers_ok() is 0. The memory of a
 * program that calls neither this nor the next two grows with every frame.
 * @param state  the connection
 */
AMQP_PUBLIC_FUNCTION
void AMQP_CALL amqp_release_buffers(amqp_connection_state_t state);

/**
 * amqp_release_buffers() if that is possible: the call to make once per message
 * or turn of the loop.
 * @param state  the connection
 */
AMQP_PUBLIC_FUNCTION
void AMQP_CALL amqp_maybe_release_buffers(amqp_connection_state_t state);

/**
 * Takes back the memory of one channel's pool, unless a frame of that channel
 * is queued or any frame is half read.
 * @param state    the connection
 * @param channel  the channel; 0 for that of the connection's methods
 */
AMQP_PUBLIC_FUNCTION
void AMQP_CALL amqp_maybe_release_buffers_on_channel(
    amqp_connection_state_t state, amqp_channel_t channel);

/* ===== Waiting for frames ================================================= */

/**
 * Whether a frame is queued: received already, by an RPC say, and handed out by
 * the next waiting call. Never reads the socket, but services heartbeats.
 * @param state  the connection
 * @return 1 if there is one, else 0
 */
AMQP_PUBLIC_FUNCTION
amqp_boolean_t AMQP_CALL amqp_frames_enqueued(amqp_connection_state_t state);

/**
 * Whether a frame lies in the buffer, read from the socket but not handed out:
 * a wait would not block, and poll() does not report it. A part of a frame
 * does not count, since only the socket can bring the rest, and heartbeats
 * never do. Never reads the socket, but services heartbeats.
 * @param state  the connection
 * @return 1 if there is one, else 0
 */
AMQP_PUBLIC_FUNCTION
amqp_boolean_t AMQP_CALL amqp_data_in_buffer(amqp_connection_state_t state);

/**
 * Waits for the next frame of any channel, without a limit but the heartbeat's:
 * the same as amqp_simple_wait_frame_noblock() with a NULL tv.
 * @param state          the connection
 * @param decoded_frame  the frame, in its channel's pool
 * @return AMQP_STATUS_OK; a connection status
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_simple_wait_frame(amqp_connection_state_t state,
                                     amqp_frame_t *decoded_frame);

/**
 * Waits for the next frame of any channel: queued ones first, then in the order
 * of the wire.
 * @param state          the connection
 * @param decoded_frame  the frame; what it points to is in its channel's pool
 *                       until that is released. Undefined on failure.
 * @param tv             how long to wait; NULL: no limit; {0, 0}: do not wait
 * @return AMQP_STATUS_OK; a connection status; AMQP_STATUS_TIMEOUT (usable)
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_simple_wait_frame_noblock(amqp_connection_state_t state,
                                             amqp_frame_t *decoded_frame,
                                             const struct timeval *tv);

/**
 * Waits for the next frame, which must be this method on this channel.
 * @param state             the connection
 * @param expected_channel  its channel
 * @param expected_method   its id: AMQP_..._METHOD
 * @param output            the method, in the channel's pool
 * @return AMQP_STATUS_OK; a connection status; AMQP_STATUS_WRONG_METHOD if
 *         another frame came: it is put back for amqp_simple_wait_frame()
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_simple_wait_method(amqp_connection_state_t state,
                                      amqp_channel_t expected_channel,
                                      amqp_method_number_t expected_method,
                                      amqp_method_t *output);

/* ===== Raw frames ========================================================= */

/**
 * Sends one method without waiting for a reply, such as the close-ok that
 * answers a close of the broker.
 * @param state    the connection
 * @param channel  the channel
 * @param id       method to send: AMQP_..._METHOD
 * @param decoded  its struct; not looked at for a method without fields
 * @return AMQP_STATUS_OK; a connection status; AMQP_STATUS_UNKNOWN_METHOD;
 *         AMQP_STATUS_BAD_AMQP_DATA or AMQP_STATUS_TABLE_TOO_BIG if the fields
 *         do not fit, AMQP_STATUS_INVALID_PARAMETER for an unknown kind of
 *         field or a missing struct (nothing sent, usable)
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_send_method(amqp_connection_state_t state,
                               amqp_channel_t channel, amqp_method_number_t id,
                               void *decoded);

/**
 * Sends one frame as it is: method, content header, body or heartbeat. A
 * heartbeat counts as one that the library sent, and always goes on channel 0.
 * @param state  the connection
 * @param frame  the frame; `payload.properties.raw` is not looked at
 * @return as amqp_send_method(); AMQP_STATUS_UNKNOWN_CLASS for a content header
 *         of no known class; AMQP_STATUS_INVALID_PARAMETER for another frame
 *         type or a body fragment above frame_max - 8 bytes
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_send_frame(amqp_connection_state_t state,
                              amqp_frame_t const *frame);

/**
 * Sends the protocol header "AMQP" 0 0 9 1 (4.2.2). amqp_login() does it; this
 * is for programs that make the handshake themselves.
 * @param state  the connection
 * @return AMQP_STATUS_OK if all 8 bytes were sent; else a connection status
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_send_header(amqp_connection_state_t state);

/**
 * Makes frames of bytes that the program has received itself. Takes at most one
 * frame per call: call again with the rest until nothing is left. A frame may
 * end anywhere in the bytes; what is incomplete is kept.
 * @param state          the connection
 * @param received_data  the bytes, copied as needed
 * @param decoded_frame  the frame; frame_type 0 if none is complete yet or what
 *                       came was a heartbeat, 'A' for a protocol header. What
 *                       it points to is in its channel's pool.
 * @return the number of bytes taken, 0 or more, those of a heartbeat included;
 *         AMQP_STATUS_BAD_AMQP_DATA (sticky), AMQP_STATUS_UNKNOWN_METHOD,
 *         AMQP_STATUS_UNKNOWN_CLASS, AMQP_STATUS_NO_MEMORY or
 *         AMQP_STATUS_INVALID_PARAMETER
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_handle_input(amqp_connection_state_t state,
                                amqp_bytes_t received_data,
                                amqp_frame_t *decoded_frame);

/* ===== Errors ============================================================= */

/**
 * Says in English what a status means.
 * @param err  an #amqp_status_enum value
 * @return static text, never NULL, not to be freed
 */
AMQP_PUBLIC_FUNCTION
const char *AMQP_CALL amqp_error_string2(int err);

/**
 * amqp_error_string2() as a copy. Deprecated: most callers forget to free it.
 * @param err  an #amqp_status_enum value, with either sign
 * @return text for free(); NULL if there is no memory
 */
AMQP_DEPRECATED(
    AMQP_PUBLIC_FUNCTION char *AMQP_CALL amqp_error_string(int err));

AMQP_END_DECLS

#endif
