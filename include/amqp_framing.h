/* SPDX-License-Identifier: MIT */

/**
 * @file amqp_framing.h
 * The protocol's vocabulary: constants, methods, properties, and a function for
 * each method that has a reply. amqp.h includes this header and explains the
 * conventions: connection statuses, NULL, heartbeats, time limits.
 */

#ifndef AMQP_H
#include "amqp.h" /* which includes this header once its types are declared */
#endif

#ifndef AMQP_FRAMING_H
#define AMQP_FRAMING_H

AMQP_BEGIN_DECLS

/* ===== Constants ========================================================== */

/** First number of the protocol version: AMQP 0-9-1. */
#define AMQP_PROTOCOL_VERSION_MAJOR 0
/** Second number of the protocol version. */
#define AMQP_PROTOCOL_VERSION_MINOR 9
/** Third number of the protocol version. */
#define AMQP_PROTOCOL_VERSION_REVISION 1
/** TCP port of AMQP (4.1); TLS has 5671. */
#define AMQP_PROTOCOL_PORT 5672

/** Frame type (4.2.3): a method. */
#define AMQP_FRAME_METHOD 1
/** Frame type: a content header. */
#define AMQP_FRAME_HEADER 2
/** Frame type: a piece of a body. */
#define AMQP_FRAME_BODY 3
/** Frame type: a heartbeat. */
#define AMQP_FRAME_HEARTBEAT 8
/** The frame size, in bytes, that each side accepts before tune. */
#define AMQP_FRAME_MIN_SIZE 4096
/** The octet at the end of each frame. */
#define AMQP_FRAME_END 206

/** Reply code: no error. */
#define AMQP_REPLY_SUCCESS 200
/** Channel error: the body is larger than the broker takes now. */
#define AMQP_CONTENT_TOO_LARGE 311
/** In basic.return: a mandatory message that no queue takes. */
#define AMQP_NO_ROUTE 312
/** In basic.return: an immediate message that no consumer takes. */
#define AMQP_NO_CONSUMERS 313
/** Channel error, at login connection error: not permitted. */
#define AMQP_ACCESS_REFUSED 403
/** Channel error: no such exchange or queue. */
#define AMQP_NOT_FOUND 404
/** Channel error: the queue is exclusive to another connection. */
#define AMQP_RESOURCE_LOCKED 405
/** Channel error: declared before with other arguments, an unknown delivery tag
 *  and the like. */
#define AMQP_PRECONDITION_FAILED 406
/** Connection error: an operator closed the connection, or the broker stops. */
#define AMQP_CONNECTION_FORCED 320
/** Connection error: no such virtual host. */
#define AMQP_INVALID_PATH 402
/** Connection error: a frame that cannot be decoded. */
#define AMQP_FRAME_ERROR 501
/** Connection error: a field with an illegal value. */
#define AMQP_SYNTAX_ERROR 502
/** Connection error: methods in the wrong order. */
#define AMQP_COMMAND_INVALID 503
/** Connection error: a channel that is not open, or open already. */
#define AMQP_CHANNEL_ERROR 504
/** Connection error: a frame that does not belong there. */
#define AMQP_UNEXPECTED_FRAME 505
/** Connection error: the broker lacks the resources. */
#define AMQP_RESOURCE_ERROR 506
/** Connection error: forbidden by the broker's rules, at login the virtual
 *  host. */
#define AMQP_NOT_ALLOWED 530
/** Connection error: the broker does not have this. */
#define AMQP_NOT_IMPLEMENTED 540
/** Connection error: a fault inside the broker. */
#define AMQP_INTERNAL_ERROR 541

/**
 * The name of a constant above, from AMQP_FRAME_METHOD on.
 * @param constantNumber  its value
 * @return static text such as "AMQP_NOT_FOUND"; "(unknown)" for another value
 */
AMQP_PUBLIC_FUNCTION
char const *AMQP_CALL amqp_constant_name(int constantNumber);

/**
 * Whether a reply code ends the whole connection, not the channel alone.
 * @param constantNumber  a reply code
 * @return 1 for a connection error, else 0
 */
AMQP_PUBLIC_FUNCTION
amqp_boolean_t AMQP_CALL amqp_constant_is_hard_error(int constantNumber);

/* ===== Methods by number ================================================== */

/**
 * The name of a method.
 * @param methodNumber  AMQP_..._METHOD
 * @return static text such as "AMQP_BASIC_ACK_METHOD"; NULL for another value
 */
AMQP_PUBLIC_FUNCTION
char const *AMQP_CALL amqp_method_name(amqp_method_number_t methodNumber);

/**
 * Whether a content header and body follow a method (4.2.6): basic.publish,
 * .return, .deliver and .get-ok.
 * @param methodNumber  AMQP_..._METHOD
 * @return 1 if so; 0 for other methods and other values
 */
AMQP_PUBLIC_FUNCTION
amqp_boolean_t AMQP_CALL
    amqp_method_has_content(amqp_method_number_t methodNumber);

/**
 * Decodes the fields of a method (4.2.4). The struct and its table entries lie
 * in the pool, its strings point into `encoded`: both must outlive it.
 * @param methodNumber  AMQP_..._METHOD
 * @param pool          where the struct is allocated
 * @param encoded       the payload after class id and method id
 * @param decoded       set to the struct of that method
 * @return AMQP_STATUS_OK; AMQP_STATUS_UNKNOWN_METHOD;
 *         AMQP_STATUS_BAD_AMQP_DATA if the bytes end early or hold a bad table;
 *         AMQP_STATUS_NO_MEMORY; AMQP_STATUS_INVALID_PARAMETER for NULL
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_decode_method(amqp_method_number_t methodNumber,
                                 amqp_pool_t *pool, amqp_bytes_t encoded,
                                 void **decoded);

/**
 * Decodes the properties of a content header (4.2.6.1). Lifetimes are those of
 * amqp_decode_method(). Members that are not flagged are zero.
 * @param class_id  AMQP_..._CLASS
 * @param pool      where the struct is allocated
 * @param encoded   the payload from the property flags on
 * @param decoded   set to the struct of that class
 * @return AMQP_STATUS_OK; AMQP_STATUS_UNKNOWN_CLASS;
 *         AMQP_STATUS_BAD_AMQP_DATA; AMQP_STATUS_NO_MEMORY;
 *         AMQP_STATUS_INVALID_PARAMETER for NULL
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_decode_properties(uint16_t class_id, amqp_pool_t *pool,
                                     amqp_bytes_t encoded, void **decoded);

/**
 * Encodes the fields of a method, without class id and method id.
 * @param methodNumber  AMQP_..._METHOD
 * @param decoded       its struct; not looked at for a method without fields
 * @param encoded       the room to write into
 * @return the number of bytes written, 0 or more; AMQP_STATUS_UNKNOWN_METHOD;
 *         AMQP_STATUS_BAD_AMQP_DATA if the room does not do or a short string
 *         is above 255 bytes; AMQP_STATUS_TABLE_TOO_BIG if a table is what does
 *         not fit; AMQP_STATUS_INVALID_PARAMETER for NULL or an unknown field
 *         kind
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_encode_method(amqp_method_number_t methodNumber,
                                 void *decoded, amqp_bytes_t encoded);

/**
 * Encodes the properties of a content header, flags first.
 * @param class_id  AMQP_..._CLASS
 * @param decoded   its struct, of which only flagged members are read
 * @param encoded   the room to write into
 * @return as amqp_encode_method(), with AMQP_STATUS_UNKNOWN_CLASS
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_encode_properties(uint16_t class_id, void *decoded,
                                     amqp_bytes_t encoded);

/*
 * In the sections that follow, the comment above a method number belongs to the
 * struct below it, too. (-> broker) and (-> client) say which side sends.
 * Fields that recur: `ticket` is obsolete, 0; `nowait` asks for no reply;
 * `dummy` stands where a method has no fields; `arguments` are extensions such
 * as "x-message-ttl", for the broker to judge. Names of exchanges and queues,
 * routing keys, consumer tags and reply texts are at most 255 bytes.
 */

/* ===== Class connection, 10 (1.4) ========================================= */

/** 1.4.2.1 connection.start (-> client): the broker introduces itself. */
#define AMQP_CONNECTION_START_METHOD ((amqp_method_number_t)0x000A000A)
typedef struct amqp_connection_start_t_ {
  uint8_t version_major;          /**< 0 */
  uint8_t version_minor;          /**< 9 */
  amqp_table_t server_properties; /**< product, version, capabilities ... */
  amqp_bytes_t mechanisms;        /**< SASL mechanisms, space between them */
  amqp_bytes_t locales;           /**< locales of reply texts, likewise */
} amqp_connection_start_t;

/** 1.4.2.2 connection.start-ok (-> broker): the client introduces itself. */
#define AMQP_CONNECTION_START_OK_METHOD ((amqp_method_number_t)0x000A000B)
typedef struct amqp_connection_start_ok_t_ {
  amqp_table_t client_properties; /**< product, version, capabilities ... */
  amqp_bytes_t mechanism;         /**< the SASL mechanism chosen */
  amqp_bytes_t response;          /**< its first response */
  amqp_bytes_t locale;            /**< the locale chosen: en_US */
} amqp_connection_start_ok_t;

/** 1.4.2.3 connection.secure (-> client): a SASL challenge. */
#define AMQP_CONNECTION_SECURE_METHOD ((amqp_method_number_t)0x000A0014)
typedef struct amqp_connection_secure_t_ {
  amqp_bytes_t challenge; /**< as the mechanism defines it */
} amqp_connection_secure_t;

/** 1.4.2.4 connection.secure-ok (-> broker): the answer to a challenge. */
#define AMQP_CONNECTION_SECURE_OK_METHOD ((amqp_method_number_t)0x000A0015)
typedef struct amqp_connection_secure_ok_t_ {
  amqp_bytes_t response; /**< as the mechanism defines it */
} amqp_connection_secure_ok_t;

/** 1.4.2.5 connection.tune (-> client): the broker's proposal. */
#define AMQP_CONNECTION_TUNE_METHOD ((amqp_method_number_t)0x000A001E)
typedef struct amqp_connection_tune_t_ {
  uint16_t channel_max; /**< highest channel number; 0: no limit */
  uint32_t frame_max;   /**< bytes of a whole frame; 0: no limit */
  uint16_t heartbeat;   /**< seconds; 0: off */
} amqp_connection_tune_t;

/** 1.4.2.6 connection.tune-ok (-> broker): what holds from now on. */
#define AMQP_CONNECTION_TUNE_OK_METHOD ((amqp_method_number_t)0x000A001F)
typedef struct amqp_connection_tune_ok_t_ {
  uint16_t channel_max; /**< highest channel number */
  uint32_t frame_max;   /**< bytes of a whole frame */
  uint16_t heartbeat;   /**< seconds; 0: off */
} amqp_connection_tune_ok_t;

/** 1.4.2.7 connection.open (-> broker): enters a virtual host. */
#define AMQP_CONNECTION_OPEN_METHOD ((amqp_method_number_t)0x000A0028)
typedef struct amqp_connection_open_t_ {
  amqp_bytes_t virtual_host; /**< its name */
  amqp_bytes_t capabilities; /**< obsolete: empty */
  amqp_boolean_t insist;     /**< obsolete: 0 */
} amqp_connection_open_t;

/** 1.4.2.8 connection.open-ok (-> client): the handshake is done. */
#define AMQP_CONNECTION_OPEN_OK_METHOD ((amqp_method_number_t)0x000A0029)
typedef struct amqp_connection_open_ok_t_ {
  amqp_bytes_t known_hosts; /**< obsolete: empty */
} amqp_connection_open_ok_t;

/** 1.4.2.9 connection.close (both ways): ends the connection. */
#define AMQP_CONNECTION_CLOSE_METHOD ((amqp_method_number_t)0x000A0032)
typedef struct amqp_connection_close_t_ {
  uint16_t reply_code;     /**< why: AMQP_REPLY_SUCCESS ... */
  amqp_bytes_t reply_text; /**< the same for human eyes */
  uint16_t class_id;       /**< class of the method at fault; 0: none */
  uint16_t method_id;      /**< the method at fault; 0: none */
} amqp_connection_close_t;

/** 1.4.2.10 connection.close-ok (both ways): agrees to the end. */
#define AMQP_CONNECTION_CLOSE_OK_METHOD ((amqp_method_number_t)0x000A0033)
typedef struct amqp_connection_close_ok_t_ {
  char dummy; /**< no fields */
} amqp_connection_close_ok_t;

/** RabbitMQ extension connection.blocked (-> client): the broker takes no
 *  messages for now. Sent only to clients that name the capability. */
#define AMQP_CONNECTION_BLOCKED_METHOD ((amqp_method_number_t)0x000A003C)
typedef struct amqp_connection_blocked_t_ {
  amqp_bytes_t reason; /**< such as "low on memory" */
} amqp_connection_blocked_t;

/** RabbitMQ extension connection.unblocked (-> client): it takes them again. */
#define AMQP_CONNECTION_UNBLOCKED_METHOD ((amqp_method_number_t)0x000A003D)
typedef struct amqp_connection_unblocked_t_ {
  char dummy; /**< no fields */
} amqp_connection_unblocked_t;

/** RabbitMQ extension connection.update-secret (-> broker): new credentials. */
#define AMQP_CONNECTION_UPDATE_SECRET_METHOD ((amqp_method_number_t)0x000A0046)
typedef struct amqp_connection_update_secret_t_ {
  amqp_bytes_t new_secret; /**< the password or token */
  amqp_bytes_t reason;     /**< for the broker's log */
} amqp_connection_update_secret_t;

/** RabbitMQ extension connection.update-secret-ok (-> client): accepted. */
#define AMQP_CONNECTION_UPDATE_SECRET_OK_METHOD \
  ((amqp_method_number_t)0x000A0047)
typedef struct amqp_connection_update_secret_ok_t_ {
  char dummy; /**< no fields */
} amqp_connection_update_secret_ok_t;

/* ===== Class channel, 20 (1.5) ============================================ */

/** 1.5.2.1 channel.open (-> broker): opens a channel. */
#define AMQP_CHANNEL_OPEN_METHOD ((amqp_method_number_t)0x0014000A)
typedef struct amqp_channel_open_t_ {
  amqp_bytes_t out_of_band; /**< obsolete: empty */
} amqp_channel_open_t;

/** 1.5.2.2 channel.open-ok (-> client): it is open. */
#define AMQP_CHANNEL_OPEN_OK_METHOD ((amqp_method_number_t)0x0014000B)
typedef struct amqp_channel_open_ok_t_ {
  amqp_bytes_t channel_id; /**< obsolete: empty */
} amqp_channel_open_ok_t;

/** 1.5.2.3 channel.flow (both ways): stops or starts messages. */
#define AMQP_CHANNEL_FLOW_METHOD ((amqp_method_number_t)0x00140014)
typedef struct amqp_channel_flow_t_ {
  amqp_boolean_t active; /**< 1: messages may flow */
} amqp_channel_flow_t;

/** 1.5.2.4 channel.flow-ok (both ways): done. */
#define AMQP_CHANNEL_FLOW_OK_METHOD ((amqp_method_number_t)0x00140015)
typedef struct amqp_channel_flow_ok_t_ {
  amqp_boolean_t active; /**< what holds now */
} amqp_channel_flow_ok_t;

/** 1.5.2.5 channel.close (both ways): ends the channel. */
#define AMQP_CHANNEL_CLOSE_METHOD ((amqp_method_number_t)0x00140028)
typedef struct amqp_channel_close_t_ {
  uint16_t reply_code;     /**< why: AMQP_NOT_FOUND ... */
  amqp_bytes_t reply_text; /**< the same for human eyes */
  uint16_t class_id;       /**< class of the method at fault; 0: none */
  uint16_t method_id;      /**< the method at fault; 0: none */
} amqp_channel_close_t;

/** 1.5.2.6 channel.close-ok (both ways): the number is free again. */
#define AMQP_CHANNEL_CLOSE_OK_METHOD ((amqp_method_number_t)0x00140029)
typedef struct amqp_channel_close_ok_t_ {
  char dummy; /**< no fields */
} amqp_channel_close_ok_t;

/* ===== Class access, 30 (AMQP 0-8, obsolete) ============================== */

/** access.request (-> broker): asks for a ticket; RabbitMQ ignores tickets. */
#define AMQP_ACCESS_REQUEST_METHOD ((amqp_method_number_t)0x001E000A)
typedef struct amqp_access_request_t_ {
  amqp_bytes_t realm;       /**< what the ticket is for */
  amqp_boolean_t exclusive; /**< for this connection alone */
  amqp_boolean_t passive;   /**< to look */
  amqp_boolean_t active;    /**< to create and delete */
  amqp_boolean_t write;     /**< to publish */
  amqp_boolean_t read;      /**< to consume */
} amqp_access_request_t;

/** access.request-ok (-> client): the ticket. */
#define AMQP_ACCESS_REQUEST_OK_METHOD ((amqp_method_number_t)0x001E000B)
typedef struct amqp_access_request_ok_t_ {
  uint16_t ticket; /**< the ticket */
} amqp_access_request_ok_t;

/* ===== Class exchange, 40 (1.6) =========================================== */

/** 1.6.2.1 exchange.declare (-> broker): creates an exchange if needed. */
#define AMQP_EXCHANGE_DECLARE_METHOD ((amqp_method_number_t)0x0028000A)
typedef struct amqp_exchange_declare_t_ {
  uint16_t ticket;            /**< 0 */
  amqp_bytes_t exchange;      /**< name */
  amqp_bytes_t type;          /**< "direct", "fanout", "topic", "headers" ... */
  amqp_boolean_t passive;     /**< only check that it exists */
  amqp_boolean_t durable;     /**< survives a restart of the broker */
  amqp_boolean_t auto_delete; /**< goes with its last binding */
  amqp_boolean_t internal;    /**< takes messages from exchanges only */
  amqp_boolean_t nowait;      /**< send no declare-ok */
  amqp_table_t arguments;     /**< "alternate-exchange" ... */
} amqp_exchange_declare_t;

/** 1.6.2.2 exchange.declare-ok (-> client): it exists. */
#define AMQP_EXCHANGE_DECLARE_OK_METHOD ((amqp_method_number_t)0x0028000B)
typedef struct amqp_exchange_declare_ok_t_ {
  char dummy; /**< no fields */
} amqp_exchange_declare_ok_t;

/** 1.6.2.3 exchange.delete (-> broker): deletes an exchange. */
#define AMQP_EXCHANGE_DELETE_METHOD ((amqp_method_number_t)0x00280014)
typedef struct amqp_exchange_delete_t_ {
  uint16_t ticket;          /**< 0 */
  amqp_bytes_t exchange;    /**< name */
  amqp_boolean_t if_unused; /**< only if it has no bindings */
  amqp_boolean_t nowait;    /**< send no delete-ok */
} amqp_exchange_delete_t;

/** 1.6.2.4 exchange.delete-ok (-> client): it is gone. */
#define AMQP_EXCHANGE_DELETE_OK_METHOD ((amqp_method_number_t)0x00280015)
typedef struct amqp_exchange_delete_ok_t_ {
  char dummy; /**< no fields */
} amqp_exchange_delete_ok_t;

/** RabbitMQ extension exchange.bind (-> broker): from exchange to exchange. */
#define AMQP_EXCHANGE_BIND_METHOD ((amqp_method_number_t)0x0028001E)
typedef struct amqp_exchange_bind_t_ {
  uint16_t ticket;          /**< 0 */
  amqp_bytes_t destination; /**< the exchange that receives */
  amqp_bytes_t source;      /**< the exchange that gives */
  amqp_bytes_t routing_key; /**< which messages, as source's type takes it */
  amqp_boolean_t nowait;    /**< send no bind-ok */
  amqp_table_t arguments;   /**< headers to match ... */
} amqp_exchange_bind_t;

/** RabbitMQ extension exchange.bind-ok (-> client): bound. */
#define AMQP_EXCHANGE_BIND_OK_METHOD ((amqp_method_number_t)0x0028001F)
typedef struct amqp_exchange_bind_ok_t_ {
  char dummy; /**< no fields */
} amqp_exchange_bind_ok_t;

/** RabbitMQ extension exchange.unbind (-> broker): undoes exchange.bind. */
#define AMQP_EXCHANGE_UNBIND_METHOD ((amqp_method_number_t)0x00280028)
typedef struct amqp_exchange_unbind_t_ {
  uint16_t ticket;          /**< 0 */
  amqp_bytes_t destination; /**< as it was bound */
  amqp_bytes_t source;      /**< as it was bound */
  amqp_bytes_t routing_key; /**< as it was bound */
  amqp_boolean_t nowait;    /**< send no unbind-ok */
  amqp_table_t arguments;   /**< as it was bound */
} amqp_exchange_unbind_t;

/** RabbitMQ extension exchange.unbind-ok (-> client): undone. */
#define AMQP_EXCHANGE_UNBIND_OK_METHOD ((amqp_method_number_t)0x00280033)
typedef struct amqp_exchange_unbind_ok_t_ {
  char dummy; /**< no fields */
} amqp_exchange_unbind_ok_t;

/* ===== Class queue, 50 (1.7) ============================================== */

/** 1.7.2.1 queue.declare (-> broker): creates a queue if needed. */
#define AMQP_QUEUE_DECLARE_METHOD ((amqp_method_number_t)0x0032000A)
typedef struct amqp_queue_declare_t_ {
  uint16_t ticket;            /**< 0 */
  amqp_bytes_t queue;         /**< name; empty: the broker makes one up */
  amqp_boolean_t passive;     /**< only check that it exists */
  amqp_boolean_t durable;     /**< survives a restart of the broker */
  amqp_boolean_t exclusive;   /**< this connection's alone, and goes with it */
  amqp_boolean_t auto_delete; /**< goes with its last consumer */
  amqp_boolean_t nowait;      /**< send no declare-ok */
  amqp_table_t arguments;     /**< "x-queue-type", "x-message-ttl" ... */
} amqp_queue_declare_t;

/** 1.7.2.2 queue.declare-ok (-> client): it exists. */
#define AMQP_QUEUE_DECLARE_OK_METHOD ((amqp_method_number_t)0x0032000B)
typedef struct amqp_queue_declare_ok_t_ {
  amqp_bytes_t queue;      /**< name, also where the broker made it up */
  uint32_t message_count;  /**< messages ready for delivery */
  uint32_t consumer_count; /**< consumers */
} amqp_queue_declare_ok_t;

/** 1.7.2.3 queue.bind (-> broker): from exchange to queue. */
#define AMQP_QUEUE_BIND_METHOD ((amqp_method_number_t)0x00320014)
typedef struct amqp_queue_bind_t_ {
  uint16_t ticket;          /**< 0 */
  amqp_bytes_t queue;       /**< name; empty: the one declared last */
  amqp_bytes_t exchange;    /**< the exchange that gives */
  amqp_bytes_t routing_key; /**< which messages, as its type takes it */
  amqp_boolean_t nowait;    /**< send no bind-ok */
  amqp_table_t arguments;   /**< headers to match ... */
} amqp_queue_bind_t;

/** 1.7.2.4 queue.bind-ok (-> client): bound. */
#define AMQP_QUEUE_BIND_OK_METHOD ((amqp_method_number_t)0x00320015)
typedef struct amqp_queue_bind_ok_t_ {
  char dummy; /**< no fields */
} amqp_queue_bind_ok_t;

/** 1.7.2.7 queue.purge (-> broker): drops the messages of a queue. */
#define AMQP_QUEUE_PURGE_METHOD ((amqp_method_number_t)0x0032001E)
typedef struct amqp_queue_purge_t_ {
  uint16_t ticket;       /**< 0 */
  amqp_bytes_t queue;    /**< name; empty: the one declared last */
  amqp_boolean_t nowait; /**< send no purge-ok */
} amqp_queue_purge_t;

/** 1.7.2.8 queue.purge-ok (-> client): dropped. */
#define AMQP_QUEUE_PURGE_OK_METHOD ((amqp_method_number_t)0x0032001F)
typedef struct amqp_queue_purge_ok_t_ {
  uint32_t message_count; /**< messages dropped */
} amqp_queue_purge_ok_t;

/** 1.7.2.9 queue.delete (-> broker): deletes a queue. */
#define AMQP_QUEUE_DELETE_METHOD ((amqp_method_number_t)0x00320028)
typedef struct amqp_queue_delete_t_ {
  uint16_t ticket;          /**< 0 */
  amqp_bytes_t queue;       /**< name; empty: the one declared last */
  amqp_boolean_t if_unused; /**< only if it has no consumers */
  amqp_boolean_t if_empty;  /**< only if it has no messages */
  amqp_boolean_t nowait;    /**< send no delete-ok */
} amqp_queue_delete_t;

/** 1.7.2.10 queue.delete-ok (-> client): it is gone. */
#define AMQP_QUEUE_DELETE_OK_METHOD ((amqp_method_number_t)0x00320029)
typedef struct amqp_queue_delete_ok_t_ {
  uint32_t message_count; /**< messages that went with it */
} amqp_queue_delete_ok_t;

/** 1.7.2.5 queue.unbind (-> broker): undoes queue.bind. */
#define AMQP_QUEUE_UNBIND_METHOD ((amqp_method_number_t)0x00320032)
typedef struct amqp_queue_unbind_t_ {
  uint16_t ticket;          /**< 0 */
  amqp_bytes_t queue;       /**< name; empty: the one declared last */
  amqp_bytes_t exchange;    /**< as it was bound */
  amqp_bytes_t routing_key; /**< as it was bound */
  amqp_table_t arguments;   /**< as it was bound */
} amqp_queue_unbind_t;

/** 1.7.2.6 queue.unbind-ok (-> client): undone. */
#define AMQP_QUEUE_UNBIND_OK_METHOD ((amqp_method_number_t)0x00320033)
typedef struct amqp_queue_unbind_ok_t_ {
  char dummy; /**< no fields */
} amqp_queue_unbind_ok_t;

/* ===== Class basic, 60 (1.8) ============================================== */

/** 1.8.3.1 basic.qos (-> broker): limits what is delivered ahead. */
#define AMQP_BASIC_QOS_METHOD ((amqp_method_number_t)0x003C000A)
typedef struct amqp_basic_qos_t_ {
  uint32_t prefetch_size;  /**< unacknowledged bytes; RabbitMQ: 0 only */
  uint16_t prefetch_count; /**< unacknowledged messages; 0: no limit */
  amqp_boolean_t global;   /**< RabbitMQ: 1: shared by the channel's consumers;
                                0: for each new consumer */
} amqp_basic_qos_t;

/** 1.8.3.2 basic.qos-ok (-> client): the limits hold. */
#define AMQP_BASIC_QOS_OK_METHOD ((amqp_method_number_t)0x003C000B)
typedef struct amqp_basic_qos_ok_t_ {
  char dummy; /**< no fields */
} amqp_basic_qos_ok_t;

/** 1.8.3.3 basic.consume (-> broker): starts a consumer. */
#define AMQP_BASIC_CONSUME_METHOD ((amqp_method_number_t)0x003C0014)
typedef struct amqp_basic_consume_t_ {
  uint16_t ticket;           /**< 0 */
  amqp_bytes_t queue;        /**< name; empty: the one declared last */
  amqp_bytes_t consumer_tag; /**< name, unique on the channel; empty: the
                                  broker makes one up */
  amqp_boolean_t no_local;   /**< RabbitMQ ignores it */
  amqp_boolean_t no_ack;     /**< messages count as acknowledged when sent */
  amqp_boolean_t exclusive;  /**< refuse other consumers of the queue */
  amqp_boolean_t nowait;     /**< send no consume-ok */
  amqp_table_t arguments;    /**< "x-priority" ... */
} amqp_basic_consume_t;

/** 1.8.3.4 basic.consume-ok (-> client): deliveries may follow. */
#define AMQP_BASIC_CONSUME_OK_METHOD ((amqp_method_number_t)0x003C0015)
typedef struct amqp_basic_consume_ok_t_ {
  amqp_bytes_t consumer_tag; /**< name, also where the broker made it up */
} amqp_basic_consume_ok_t;

/** 1.8.3.5 basic.cancel (-> broker; -> client as RabbitMQ extension, to clients
 *  that name the capability): ends a consumer. */
#define AMQP_BASIC_CANCEL_METHOD ((amqp_method_number_t)0x003C001E)
typedef struct amqp_basic_cancel_t_ {
  amqp_bytes_t consumer_tag; /**< the consumer */
  amqp_boolean_t nowait;     /**< send no cancel-ok */
} amqp_basic_cancel_t;

/** 1.8.3.6 basic.cancel-ok (-> client): it has ended. */
#define AMQP_BASIC_CANCEL_OK_METHOD ((amqp_method_number_t)0x003C001F)
typedef struct amqp_basic_cancel_ok_t_ {
  amqp_bytes_t consumer_tag; /**< the consumer */
} amqp_basic_cancel_ok_t;

/** 1.8.3.7 basic.publish (-> broker, with content): a message. */
#define AMQP_BASIC_PUBLISH_METHOD ((amqp_method_number_t)0x003C0028)
typedef struct amqp_basic_publish_t_ {
  uint16_t ticket;          /**< 0 */
  amqp_bytes_t exchange;    /**< name; empty: the default exchange */
  amqp_bytes_t routing_key; /**< as the exchange's type takes it */
  amqp_boolean_t mandatory; /**< return it if no queue takes it */
  amqp_boolean_t immediate; /**< RabbitMQ: 0 only */
} amqp_basic_publish_t;

/** 1.8.3.8 basic.return (-> client, with content): it could not be routed. */
#define AMQP_BASIC_RETURN_METHOD ((amqp_method_number_t)0x003C0032)
typedef struct amqp_basic_return_t_ {
  uint16_t reply_code;      /**< why: AMQP_NO_ROUTE ... */
  amqp_bytes_t reply_text;  /**< the same for human eyes */
  amqp_bytes_t exchange;    /**< as it was published */
  amqp_bytes_t routing_key; /**< as it was published */
} amqp_basic_return_t;

/** 1.8.3.9 basic.deliver (-> client, with content): one for a consumer. */
#define AMQP_BASIC_DELIVER_METHOD ((amqp_method_number_t)0x003C003C)
typedef struct amqp_basic_deliver_t_ {
  amqp_bytes_t consumer_tag;  /**< the consumer */
  uint64_t delivery_tag;      /**< counts deliveries of the channel from 1 */
  amqp_boolean_t redelivered; /**< may have been delivered before */
  amqp_bytes_t exchange;      /**< as it was published */
  amqp_bytes_t routing_key;   /**< as it was published */
} amqp_basic_deliver_t;

/** 1.8.3.10 basic.get (-> broker): asks for one message. */
#define AMQP_BASIC_GET_METHOD ((amqp_method_number_t)0x003C0046)
typedef struct amqp_basic_get_t_ {
  uint16_t ticket;       /**< 0 */
  amqp_bytes_t queue;    /**< name; empty: the one declared last */
  amqp_boolean_t no_ack; /**< it counts as acknowledged when sent */
} amqp_basic_get_t;

/** 1.8.3.11 basic.get-ok (-> client, with content): the message. */
#define AMQP_BASIC_GET_OK_METHOD ((amqp_method_number_t)0x003C0047)
typedef struct amqp_basic_get_ok_t_ {
  uint64_t delivery_tag;      /**< counts deliveries of the channel from 1 */
  amqp_boolean_t redelivered; /**< may have been delivered before */
  amqp_bytes_t exchange;      /**< as it was published */
  amqp_bytes_t routing_key;   /**< as it was published */
  uint32_t message_count;     /**< messages left in the queue */
} amqp_basic_get_ok_t;

/** 1.8.3.12 basic.get-empty (-> client): the queue is empty. */
#define AMQP_BASIC_GET_EMPTY_METHOD ((amqp_method_number_t)0x003C0048)
typedef struct amqp_basic_get_empty_t_ {
  amqp_bytes_t cluster_id; /**< obsolete: empty */
} amqp_basic_get_empty_t;

/** 1.8.3.13 basic.ack (-> broker: deliveries are done; -> client as RabbitMQ
 *  publisher confirm: publishes are done). */
#define AMQP_BASIC_ACK_METHOD ((amqp_method_number_t)0x003C0050)
typedef struct amqp_basic_ack_t_ {
  uint64_t delivery_tag;   /**< which */
  amqp_boolean_t multiple; /**< all up to and including this one */
} amqp_basic_ack_t;

/** 1.8.3.14 basic.reject (-> broker): refuses a delivery. */
#define AMQP_BASIC_REJECT_METHOD ((amqp_method_number_t)0x003C005A)
typedef struct amqp_basic_reject_t_ {
  uint64_t delivery_tag;  /**< which */
  amqp_boolean_t requeue; /**< deliver it again */
} amqp_basic_reject_t;

/** 1.8.3.15 basic.recover-async (-> broker): basic.recover without a reply,
 *  obsolete. */
#define AMQP_BASIC_RECOVER_ASYNC_METHOD ((amqp_method_number_t)0x003C0064)
typedef struct amqp_basic_recover_async_t_ {
  amqp_boolean_t requeue; /**< RabbitMQ: 1 only */
} amqp_basic_recover_async_t;

/** 1.8.3.16 basic.recover (-> broker): deliver again what is unacknowledged. */
#define AMQP_BASIC_RECOVER_METHOD ((amqp_method_number_t)0x003C006E)
typedef struct amqp_basic_recover_t_ {
  amqp_boolean_t requeue; /**< RabbitMQ: 1 only */
} amqp_basic_recover_t;

/** 1.8.3.17 basic.recover-ok (-> client): it will. */
#define AMQP_BASIC_RECOVER_OK_METHOD ((amqp_method_number_t)0x003C006F)
typedef struct amqp_basic_recover_ok_t_ {
  char dummy; /**< no fields */
} amqp_basic_recover_ok_t;

/** RabbitMQ extension basic.nack (-> broker: refuses deliveries; -> client as
 *  publisher confirm: publishes are lost). */
#define AMQP_BASIC_NACK_METHOD ((amqp_method_number_t)0x003C0078)
typedef struct amqp_basic_nack_t_ {
  uint64_t delivery_tag;   /**< which */
  amqp_boolean_t multiple; /**< all up to and including this one */
  amqp_boolean_t requeue;  /**< deliver them again; no meaning in a confirm */
} amqp_basic_nack_t;

/* ===== Class tx, 90 (1.9) ================================================= */

/** 1.9.2.1 tx.select (-> broker): makes the channel transactional. */
#define AMQP_TX_SELECT_METHOD ((amqp_method_number_t)0x005A000A)
typedef struct amqp_tx_select_t_ {
  char dummy; /**< no fields */
} amqp_tx_select_t;

/** 1.9.2.2 tx.select-ok (-> client): it is. */
#define AMQP_TX_SELECT_OK_METHOD ((amqp_method_number_t)0x005A000B)
typedef struct amqp_tx_select_ok_t_ {
  char dummy; /**< no fields */
} amqp_tx_select_ok_t;

/** 1.9.2.3 tx.commit (-> broker): makes the transaction take effect. */
#define AMQP_TX_COMMIT_METHOD ((amqp_method_number_t)0x005A0014)
typedef struct amqp_tx_commit_t_ {
  char dummy; /**< no fields */
} amqp_tx_commit_t;

/** 1.9.2.4 tx.commit-ok (-> client): it took effect. */
#define AMQP_TX_COMMIT_OK_METHOD ((amqp_method_number_t)0x005A0015)
typedef struct amqp_tx_commit_ok_t_ {
  char dummy; /**< no fields */
} amqp_tx_commit_ok_t;

/** 1.9.2.5 tx.rollback (-> broker): drops the transaction. */
#define AMQP_TX_ROLLBACK_METHOD ((amqp_method_number_t)0x005A001E)
typedef struct amqp_tx_rollback_t_ {
  char dummy; /**< no fields */
} amqp_tx_rollback_t;

/** 1.9.2.6 tx.rollback-ok (-> client): it is dropped. */
#define AMQP_TX_ROLLBACK_OK_METHOD ((amqp_method_number_t)0x005A001F)
typedef struct amqp_tx_rollback_ok_t_ {
  char dummy; /**< no fields */
} amqp_tx_rollback_ok_t;

/* ===== Class confirm, 85 (RabbitMQ extension) ============================= */

/** confirm.select (-> broker): asks for a confirm of each publish. */
#define AMQP_CONFIRM_SELECT_METHOD ((amqp_method_number_t)0x0055000A)
typedef struct amqp_confirm_select_t_ {
  amqp_boolean_t nowait; /**< send no select-ok */
} amqp_confirm_select_t;

/** confirm.select-ok (-> client): confirms will follow. */
#define AMQP_CONFIRM_SELECT_OK_METHOD ((amqp_method_number_t)0x0055000B)
typedef struct amqp_confirm_select_ok_t_ {
  char dummy; /**< no fields */
} amqp_confirm_select_ok_t;

/* ===== Properties of content headers (4.2.6.1) ============================ */

/** Class connection. Without properties, as all classes but basic. */
#define AMQP_CONNECTION_CLASS (0x000A)
typedef struct amqp_connection_properties_t_ {
  amqp_flags_t _flags; /**< 0 */
  char dummy;          /**< no properties */
} amqp_connection_properties_t;

/** Class channel. */
#define AMQP_CHANNEL_CLASS (0x0014)
typedef struct amqp_channel_properties_t_ {
  amqp_flags_t _flags; /**< 0 */
  char dummy;          /**< no properties */
} amqp_channel_properties_t;

/** Class access. */
#define AMQP_ACCESS_CLASS (0x001E)
typedef struct amqp_access_properties_t_ {
  amqp_flags_t _flags; /**< 0 */
  char dummy;          /**< no properties */
} amqp_access_properties_t;

/** Class exchange. */
#define AMQP_EXCHANGE_CLASS (0x0028)
typedef struct amqp_exchange_properties_t_ {
  amqp_flags_t _flags; /**< 0 */
  char dummy;          /**< no properties */
} amqp_exchange_properties_t;

/** Class queue. */
#define AMQP_QUEUE_CLASS (0x0032)
typedef struct amqp_queue_properties_t_ {
  amqp_flags_t _flags; /**< 0 */
  char dummy;          /**< no properties */
} amqp_queue_properties_t;

/** Class basic: the one whose messages have properties. */
#define AMQP_BASIC_CLASS (0x003C)
/** `content_type` is present. */
#define AMQP_BASIC_CONTENT_TYPE_FLAG (1 << 15)
/** `content_encoding` is present. */
#define AMQP_BASIC_CONTENT_ENCODING_FLAG (1 << 14)
/** `headers` is present. */
#define AMQP_BASIC_HEADERS_FLAG (1 << 13)
/** `delivery_mode` is present. */
#define AMQP_BASIC_DELIVERY_MODE_FLAG (1 << 12)
/** `priority` is present. */
#define AMQP_BASIC_PRIORITY_FLAG (1 << 11)
/** `correlation_id` is present. */
#define AMQP_BASIC_CORRELATION_ID_FLAG (1 << 10)
/** `reply_to` is present. */
#define AMQP_BASIC_REPLY_TO_FLAG (1 << 9)
/** `expiration` is present. */
#define AMQP_BASIC_EXPIRATION_FLAG (1 << 8)
/** `message_id` is present. */
#define AMQP_BASIC_MESSAGE_ID_FLAG (1 << 7)
/** `timestamp` is present. */
#define AMQP_BASIC_TIMESTAMP_FLAG (1 << 6)
/** `type` is present. */
#define AMQP_BASIC_TYPE_FLAG (1 << 5)
/** `user_id` is present. */
#define AMQP_BASIC_USER_ID_FLAG (1 << 4)
/** `app_id` is present. */
#define AMQP_BASIC_APP_ID_FLAG (1 << 3)
/** `cluster_id` is present. */
#define AMQP_BASIC_CLUSTER_ID_FLAG (1 << 2)

/** The properties of a message (1.8.2). A member counts only if its flag is
 *  set; for publishing, the others may be left uninitialised. Strings are
 *  short: at most 255 bytes. */
typedef struct amqp_basic_properties_t_ {
  amqp_flags_t _flags;           /**< AMQP_BASIC_..._FLAG of those present */
  amqp_bytes_t content_type;     /**< MIME type of the body */
  amqp_bytes_t content_encoding; /**< MIME encoding of the body */
  amqp_table_t headers;          /**< headers of the application's own */
  uint8_t delivery_mode;         /**< AMQP_DELIVERY_PERSISTENT or not */
  uint8_t priority;              /**< 0 to 9, in a queue with priorities more */
  amqp_bytes_t correlation_id;   /**< which request a reply belongs to */
  amqp_bytes_t reply_to;         /**< the queue for replies */
  amqp_bytes_t expiration;       /**< RabbitMQ: ms to live, as decimal text */
  amqp_bytes_t message_id;       /**< identity given by the application */
  uint64_t timestamp;            /**< seconds since 1970 */
  amqp_bytes_t type;             /**< kind given by the application */
  amqp_bytes_t user_id;          /**< RabbitMQ: must be the user logged in */
  amqp_bytes_t app_id;           /**< the application that publishes */
  amqp_bytes_t cluster_id;       /**< obsolete */
} amqp_basic_properties_t;

/** Class tx. */
#define AMQP_TX_CLASS (0x005A)
typedef struct amqp_tx_properties_t_ {
  amqp_flags_t _flags; /**< 0 */
  char dummy;          /**< no properties */
} amqp_tx_properties_t;

/** Class confirm. */
#define AMQP_CONFIRM_CLASS (0x0055)
typedef struct amqp_confirm_properties_t_ {
  amqp_flags_t _flags; /**< 0 */
  char dummy;          /**< no properties */
} amqp_confirm_properties_t;

/* ===== RPC functions ====================================================== */

/*
 * Each function below sends one method and waits for its reply, bounded by
 * amqp_set_rpc_timeout() and servicing heartbeats.
 *
 * @return the reply. It lies in the pool of `channel` and is valid until that
 * is released (amqp_maybe_release_buffers() and its like) or the connection
 * destroyed; copy what is to last with amqp_bytes_malloc_dup(). NULL on
 * failure, and amqp_get_rpc_reply() tells why:
 * - SERVER_EXCEPTION: the broker closed the channel (AMQP_NOT_FOUND,
 *   AMQP_ACCESS_REFUSED, AMQP_RESOURCE_LOCKED, AMQP_PRECONDITION_FAILED) or the
 *   connection (the codes above 500);
 * - LIBRARY_EXCEPTION: a connection status; AMQP_STATUS_TIMEOUT (descriptor
 *   closed); AMQP_STATUS_BAD_AMQP_DATA for a name above 255 bytes and
 *   AMQP_STATUS_TABLE_TOO_BIG for arguments that do not fit into a frame
 *   (nothing sent, usable).
 * With a NULL handle there is no reply to look at either: NULL.
 *
 * `state` is the connection; `channel` an open channel, 1 to
 * amqp_get_channel_max(); `arguments` amqp_empty_table if there are none.
 */

/**
 * 1.5.2.1 channel.open: opens a channel.
 * @param channel  a number not in use, 1 to amqp_get_channel_max()
 */
AMQP_PUBLIC_FUNCTION
amqp_channel_open_ok_t *AMQP_CALL
    amqp_channel_open(amqp_connection_state_t state, amqp_channel_t channel);

/**
 * 1.5.2.3 channel.flow: stops or starts deliveries to the channel.
 * @param active  1 starts; 0 stops, which RabbitMQ refuses with
 *                AMQP_NOT_IMPLEMENTED: use amqp_basic_qos()
 */
AMQP_PUBLIC_FUNCTION
amqp_channel_flow_ok_t *AMQP_CALL
    amqp_channel_flow(amqp_connection_state_t state, amqp_channel_t channel,
                      amqp_boolean_t active);

/**
 * 1.6.2.1 exchange.declare: creates an exchange, or checks that an existing one
 * has the same attributes (else AMQP_PRECONDITION_FAILED).
 * @param exchange     name; "amq." at its start is the broker's
 * @param type         "direct", "fanout", "topic", "headers" or a plugin's
 * @param passive      1: only check that it exists (else AMQP_NOT_FOUND)
 * @param durable      1: it survives a restart of the broker
 * @param auto_delete  1: it goes with its last binding
 * @param internal     1: it takes messages from other exchanges only
 */
AMQP_PUBLIC_FUNCTION
amqp_exchange_declare_ok_t *AMQP_CALL amqp_exchange_declare(
    amqp_connection_state_t state, amqp_channel_t channel,
    amqp_bytes_t exchange, amqp_bytes_t type, amqp_boolean_t passive,
    amqp_boolean_t durable, amqp_boolean_t auto_delete, amqp_boolean_t internal,
    amqp_table_t arguments);

/**
 * 1.6.2.3 exchange.delete: deletes an exchange with its bindings.
 * @param exchange   name
 * @param if_unused  1: only if nothing is bound to it (else
 *                   AMQP_PRECONDITION_FAILED)
 */
AMQP_PUBLIC_FUNCTION
amqp_exchange_delete_ok_t *AMQP_CALL
    amqp_exchange_delete(amqp_connection_state_t state, amqp_channel_t channel,
                         amqp_bytes_t exchange, amqp_boolean_t if_unused);

/**
 * RabbitMQ extension exchange.bind: passes messages from an exchange to
 * another.
 * @param destination  the exchange that receives
 * @param source       the exchange that gives
 * @param routing_key  which messages, as the type of source takes it
 */
AMQP_PUBLIC_FUNCTION
amqp_exchange_bind_ok_t *AMQP_CALL
    amqp_exchange_bind(amqp_connection_state_t state, amqp_channel_t channel,
                       amqp_bytes_t destination, amqp_bytes_t source,
                       amqp_bytes_t routing_key, amqp_table_t arguments);

/**
 * RabbitMQ extension exchange.unbind: undoes amqp_exchange_bind(). All that
 * follows `channel` must be as it was there.
 */
AMQP_PUBLIC_FUNCTION
amqp_exchange_unbind_ok_t *AMQP_CALL
    amqp_exchange_unbind(amqp_connection_state_t state, amqp_channel_t channel,
                         amqp_bytes_t destination, amqp_bytes_t source,
                         amqp_bytes_t routing_key, amqp_table_t arguments);

/**
 * 1.7.2.1 queue.declare: creates a queue, or checks that an existing one has
 * the same attributes (else AMQP_PRECONDITION_FAILED).
 * @param queue        name; empty: the broker makes one up, see the reply
 * @param passive      1: only check that it exists (else AMQP_NOT_FOUND)
 * @param durable      1: it survives a restart of the broker
 * @param exclusive    1: for this connection alone, and it goes with it
 * @param auto_delete  1: it goes with its last consumer
 */
AMQP_PUBLIC_FUNCTION
amqp_queue_declare_ok_t *AMQP_CALL amqp_queue_declare(
    amqp_connection_state_t state, amqp_channel_t channel, amqp_bytes_t queue,
    amqp_boolean_t passive, amqp_boolean_t durable, amqp_boolean_t exclusive,
    amqp_boolean_t auto_delete, amqp_table_t arguments);

/**
 * 1.7.2.3 queue.bind: passes messages from an exchange to a queue.
 * @param queue        name; empty: the one declared last on the channel
 * @param exchange     the exchange that gives
 * @param routing_key  which messages, as the exchange's type takes it
 */
AMQP_PUBLIC_FUNCTION
amqp_queue_bind_ok_t *AMQP_CALL amqp_queue_bind(
    amqp_connection_state_t state, amqp_channel_t channel, amqp_bytes_t queue,
    amqp_bytes_t exchange, amqp_bytes_t routing_key, amqp_table_t arguments);

/**
 * 1.7.2.7 queue.purge: drops all messages that are ready for delivery.
 * @param queue  name; empty: the one declared last on the channel
 */
AMQP_PUBLIC_FUNCTION
amqp_queue_purge_ok_t *AMQP_CALL amqp_queue_purge(amqp_connection_state_t state,
                                                  amqp_channel_t channel,
                                                  amqp_bytes_t queue);

/**
 * 1.7.2.9 queue.delete: deletes a queue with its messages.
 * @param queue      name; empty: the one declared last on the channel
 * @param if_unused  1: only if it has no consumers (else
 *                   AMQP_PRECONDITION_FAILED)
 * @param if_empty   1: only if it has no messages (likewise)
 */
AMQP_PUBLIC_FUNCTION
amqp_queue_delete_ok_t *AMQP_CALL amqp_queue_delete(
    amqp_connection_state_t state, amqp_channel_t channel, amqp_bytes_t queue,
    amqp_boolean_t if_unused, amqp_boolean_t if_empty);

/**
 * 1.7.2.5 queue.unbind: undoes amqp_queue_bind(). All that follows `channel`
 * must be as it was there.
 */
AMQP_PUBLIC_FUNCTION
amqp_queue_unbind_ok_t *AMQP_CALL amqp_queue_unbind(
    amqp_connection_state_t state, amqp_channel_t channel, amqp_bytes_t queue,
    amqp_bytes_t exchange, amqp_bytes_t routing_key, amqp_table_t arguments);

/**
 * 1.8.3.1 basic.qos: limits what the broker delivers ahead of acknowledgements.
 * @param prefetch_size   bytes; RabbitMQ takes only 0, no limit
 * @param prefetch_count  messages; 0: no limit
 * @param global          RabbitMQ: 0: for each consumer started from now on;
 *                        1: for all consumers of the channel together
 */
AMQP_PUBLIC_FUNCTION
amqp_basic_qos_ok_t *AMQP_CALL amqp_basic_qos(amqp_connection_state_t state,
                                              amqp_channel_t channel,
                                              uint32_t prefetch_size,
                                              uint16_t prefetch_count,
                                              amqp_boolean_t global);

/**
 * 1.8.3.3 basic.consume: starts a consumer. Deliveries may come from now on:
 * take them with amqp_consume_message().
 * @param queue         name; empty: the one declared last on the channel
 * @param consumer_tag  name, unique on the channel; empty: the broker makes one
 *                      up, see the reply
 * @param no_local      RabbitMQ ignores it
 * @param no_ack        1: messages count as acknowledged when they are sent
 * @param exclusive     1: no other consumer of the queue (else
 *                      AMQP_ACCESS_REFUSED)
 */
AMQP_PUBLIC_FUNCTION
amqp_basic_consume_ok_t *AMQP_CALL amqp_basic_consume(
    amqp_connection_state_t state, amqp_channel_t channel, amqp_bytes_t queue,
    amqp_bytes_t consumer_tag, amqp_boolean_t no_local, amqp_boolean_t no_ack,
    amqp_boolean_t exclusive, amqp_table_t arguments);

/**
 * 1.8.3.5 basic.cancel: ends a consumer. Messages delivered before the reply
 * are queued for amqp_consume_message().
 * @param consumer_tag  the consumer
 */
AMQP_PUBLIC_FUNCTION
amqp_basic_cancel_ok_t *AMQP_CALL
    amqp_basic_cancel(amqp_connection_state_t state, amqp_channel_t channel,
                      amqp_bytes_t consumer_tag);

/**
 * 1.8.3.16 basic.recover: has every unacknowledged message of the channel
 * delivered again.
 * @param requeue  1: to any consumer; 0: to the same one, which RabbitMQ
 *                 refuses with AMQP_NOT_IMPLEMENTED
 */
AMQP_PUBLIC_FUNCTION
amqp_basic_recover_ok_t *AMQP_CALL
    amqp_basic_recover(amqp_connection_state_t state, amqp_channel_t channel,
                       amqp_boolean_t requeue);

/**
 * 1.9.2.1 tx.select: makes the channel transactional. What is published and
 * acknowledged takes effect with amqp_tx_commit().
 */
AMQP_PUBLIC_FUNCTION
amqp_tx_select_ok_t *AMQP_CALL amqp_tx_select(amqp_connection_state_t state,
                                              amqp_channel_t channel);

/** 1.9.2.3 tx.commit: makes the transaction take effect and begins the next. */
AMQP_PUBLIC_FUNCTION
amqp_tx_commit_ok_t *AMQP_CALL amqp_tx_commit(amqp_connection_state_t state,
                                              amqp_channel_t channel);

/** 1.9.2.5 tx.rollback: drops the transaction and begins the next. */
AMQP_PUBLIC_FUNCTION
amqp_tx_rollback_ok_t *AMQP_CALL amqp_tx_rollback(amqp_connection_state_t state,
                                                  amqp_channel_t channel);

/**
 * RabbitMQ extension confirm.select: has the broker confirm every message
 * published on the channel from now on; see amqp_publisher_confirm_wait(). Not
 * on a transactional channel.
 */
AMQP_PUBLIC_FUNCTION
amqp_confirm_select_ok_t *AMQP_CALL
    amqp_confirm_select(amqp_connection_state_t state, amqp_channel_t channel);

/**
 * RabbitMQ extension connection.update-secret: gives the broker a new password
 * or token, before the one used at login expires.
 * @param channel     0: it concerns the connection
 * @param new_secret  the password or token
 * @param reason      for the broker's log, at most 255 bytes
 */
AMQP_PUBLIC_FUNCTION
amqp_connection_update_secret_ok_t *AMQP_CALL amqp_connection_update_secret(
    amqp_connection_state_t state, amqp_channel_t channel,
    amqp_bytes_t new_secret, amqp_bytes_t reason);

AMQP_END_DECLS

#endif
