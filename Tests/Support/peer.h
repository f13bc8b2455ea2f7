/*
 * A scripted AMQP 0-9-1 peer for tests of the client library.
 *
 * A test starts a peer with a script: an ordinary C function that plays the server's side of one connection. The script runs in
 * a child process, so that it can block, go silent or crash without disturbing the program under test; the listening
 * socket is made before the fork, so the port is known and no connect can come too early. What the peer receives is
 * written to memory shared with the test: every byte, every frame with the monotonic time of its arrival, and the longest
 * silence of the client. Test and script meet by two counters: the script announces stages (peer_reached) that the test waits
 * for (peer_wait), and the test gives permits (peer_go) that the script waits for (peer_await_go).
 *
 *   static void script(peer_link *link, void *unused) {
 *     peer_handshake(link, 0, 131072, 2);            (the values the peer proposes)
 *     peer_serve_until(link, 0x003C0014, 5000);      (answer what comes until a basic.consume is there)
 *     peer_answer(link);
 *     peer_deliver(link, 1, 1, "hello", 5);
 *     peer_serve(link, PEER_LIVE, 5000);             (answer and send heartbeats for five seconds)
 *   }
 *   peer *p = peer_start(script, NULL);  ... amqp_socket_open(socket, "127.0.0.1", peer_port(p)) ...  peer_stop(p);
 *
 * The peer knows nothing of the library under test and calls nothing of it. Any number of peers may run at once. One test process
 * never leaves a peer behind: the child dies with its parent and, at the latest, after PEER_LIFETIME_SECONDS.
 */
#ifndef PEER_H
#define PEER_H

#include <stddef.h>
#include <stdint.h>

#define PEER_LIFETIME_SECONDS 120
#define PEER_FRAMES_MAX 16384       /* frames recorded with their times; later ones are only counted */
#define PEER_BYTES_MAX (4u << 20)   /* bytes recorded; later ones are only counted */

/* Method numbers: class << 16 | method, as in the specification. */
#define PEER_METHOD(class_id, method_id) ((uint32_t)(class_id) << 16 | (uint32_t)(method_id))

enum { PEER_FRAME_METHOD = 1, PEER_FRAME_HEADER = 2, PEER_FRAME_BODY = 3, PEER_FRAME_HEARTBEAT = 8 };

/* One frame received. `id` is the method number, or the class of a content header, else 0. */
typedef struct peer_frame {
  int64_t at;        /* monotonic nanoseconds at which its last byte had been read */
  uint32_t id;
  uint32_t size;     /* of the payload */
  uint32_t offset;   /* of the payload in peer_record.bytes */
  uint16_t channel;
  uint8_t type;
} peer_frame;

/* What a peer has seen so far. Read it at any time; it is exact once the script has ended. */
typedef struct peer_record {
  int64_t accepted_at, ended_at;          /* the client's connect; the end of its stream (0: not yet) */
  int64_t last_received_at, last_sent_at; /* last byte in, last byte out */
  int64_t longest_silence;                /* of the client, nanoseconds, since peer_watch (or the handshake) */
  uint64_t received, sent;                /* bytes */
  uint64_t frames_total, heartbeats, publishes;
  uint16_t channel_max, heartbeat;        /* of the client's tune-ok */
  uint32_t frame_max;
  int was_reset;                          /* the stream ended by an error instead of an end of file */
  int malformed;                          /* the client sent something that is not a frame */
  volatile int stage, permits;
  uint32_t frame_count, byte_count;
  peer_frame frames[PEER_FRAMES_MAX];
  uint8_t bytes[PEER_BYTES_MAX];
} peer_record;

/* ---- the test's side ---- */

typedef struct peer peer;
typedef struct peer_link peer_link;
typedef void (*peer_script)(peer_link *link, void *argument);

peer *peer_start(peer_script script, void *argument);   /* listens on a free port of 127.0.0.1; never NULL: exits on failure */
int peer_port(const peer *p);
const peer_record *peer_seen(const peer *p);
void peer_go(peer *p);                                  /* one permit for peer_await_go */
int peer_wait(peer *p, int stage, int milliseconds);    /* 1: the script has reached the stage; 0: not in that time */
int peer_join(peer *p, int milliseconds);               /* waits for the script's end: 1 ended well, 0 still running or failed */
void peer_stop(peer *p);                                /* ends the child and frees everything */
void peer_pause(peer *p);                               /* SIGSTOP and SIGCONT: the kernel answers, the program does not */
void peer_resume(peer *p);
/* The nth (from 0) recorded frame of a method; NULL when there is none. */
const peer_frame *peer_find(const peer *p, uint32_t method, unsigned n);
unsigned peer_count(const peer *p, uint32_t method);

int64_t peer_now(void);                                 /* monotonic nanoseconds, the same clock in test and peer */
void peer_sleep(int milliseconds);                      /* whole, signals or not */

/* ---- the script's side ---- */

enum {
  PEER_READ = 1,      /* take what the client sends */
  PEER_ANSWER = 2,    /* answer requests with their -ok (get: get-empty) */
  PEER_BEAT = 4,      /* send a heartbeat twice per interval */
  PEER_CONFIRM = 8,   /* acknowledge every publish, as in confirm mode */
  PEER_LIVE = PEER_READ | PEER_ANSWER | PEER_BEAT,
  PEER_ALARM = PEER_BEAT,   /* alive, but reads nothing */
  PEER_MUTE = 0             /* the socket stays open and nothing else happens */
};

/* Start, tune and open with the proposed values. 1 when the client has come through. */
int peer_handshake(peer_link *link, uint16_t channel_max, uint32_t frame_max, uint16_t heartbeat);
/* Handshake with the usual limits and without heartbeats, then that many channel.open answered. 1 when all came. */
int peer_open_channels(peer_link *link, int channels);
/* The handshake in pieces. peer_expect reads until a method is there and keeps it as the current frame. */
void peer_send_start(peer_link *link, const char *mechanisms);
void peer_send_tune(peer_link *link, uint16_t channel_max, uint32_t frame_max, uint16_t heartbeat);
int peer_expect_protocol_header(peer_link *link);
int peer_expect(peer_link *link, uint32_t method, int milliseconds);

/* Behaves as the flags say for that time. 1: the time is over; 0: the client's stream has ended. */
int peer_serve(peer_link *link, int flags, int milliseconds);
/* As PEER_LIVE until a frame of the method arrives, which is left unanswered as the current frame. 1: it is there. */
int peer_serve_until(peer_link *link, uint32_t method, int milliseconds);
/* Answers the current frame with its -ok. */
void peer_answer(peer_link *link);
/* The current frame: its channel and its payload from the first argument on. */
uint16_t peer_channel(const peer_link *link);
const uint8_t *peer_arguments(const peer_link *link, size_t *size);

void peer_send(peer_link *link, const void *bytes, size_t size);     /* all of it, waiting if need be */
void peer_send_frame(peer_link *link, int type, uint16_t channel, const void *payload, size_t size);
void peer_send_method(peer_link *link, uint16_t channel, uint32_t method, const void *arguments, size_t size);
void peer_send_heartbeat(peer_link *link);
/* Content header of class basic. `properties` = flags and list, encoded; NULL = no property. */
void peer_send_header(peer_link *link, uint16_t channel, uint64_t body_size, const void *properties, size_t size);
void peer_send_body(peer_link *link, uint16_t channel, const void *body, size_t size);   /* in frames that fit frame_max */
/* The method alone, for the consumer that was answered last. */
void peer_send_deliver(peer_link *link, uint16_t channel, uint64_t delivery_tag);
const char *peer_consumer_tag(const peer_link *link);
/* basic.return with its content, and a delivery of a get. */
void peer_return(peer_link *link, uint16_t channel, uint16_t code, const char *text, const void *body, size_t size);
void peer_get_ok(peer_link *link, uint16_t channel, uint64_t delivery_tag, uint32_t left, const void *body, size_t size);
void peer_deliver(peer_link *link, uint16_t channel, uint64_t delivery_tag, const void *body, size_t size);
void peer_send_ack(peer_link *link, uint16_t channel, uint64_t delivery_tag, int multiple);
void peer_send_connection_close(peer_link *link, uint16_t code, const char *text);
void peer_send_channel_close(peer_link *link, uint16_t channel, uint16_t code, const char *text);

/* Collects what is sent between the two into one write, so that the client finds it all at once. */
void peer_cork(peer_link *link);
void peer_uncork(peer_link *link);
/* Ends the collecting, sends nothing, and hands out what was collected: valid until the next peer_cork. */
uint8_t *peer_corked(peer_link *link, size_t *size);
/* Sends in pieces of that size, each in a segment of its own. */
void peer_send_pieces(peer_link *link, const uint8_t *bytes, size_t size, size_t piece);

void peer_set_receive_buffer(peer_link *link, int bytes);  /* small: a client that is not read blocks soon */
void peer_watch(peer_link *link);             /* the client's longest silence counts from now */
void peer_set_recording(peer_link *link, int on);   /* off for bulk traffic: counts only */
void peer_reached(peer_link *link, int stage);
int peer_await_go(peer_link *link, int milliseconds);   /* doing nothing meanwhile */
int peer_serve_until_go(peer_link *link, int flags, int milliseconds);
/* The stream ends after so many more bytes of this connection, by FIN or by RST, wherever in a frame that is. */
void peer_cut_after(peer_link *link, size_t bytes, int by_reset);
int peer_was_cut(const peer_link *link);
void peer_end(peer_link *link);               /* FIN, then takes what still comes */
void peer_half_close(peer_link *link);        /* FIN alone */
void peer_reset(peer_link *link);             /* RST */
int peer_accept(peer_link *link, int milliseconds);   /* the next connection of this peer; closes the current one */
int peer_descriptor(const peer_link *link);

/* ---- payloads in the making ---- */

typedef struct peer_buffer {
  uint8_t bytes[4096];
  size_t size;
} peer_buffer;

void peer_put(peer_buffer *buffer, const void *bytes, size_t size);
void peer_put8(peer_buffer *buffer, uint8_t value);
void peer_put16(peer_buffer *buffer, uint16_t value);
void peer_put32(peer_buffer *buffer, uint32_t value);
void peer_put64(peer_buffer *buffer, uint64_t value);
void peer_put_shortstr(peer_buffer *buffer, const char *text);
void peer_put_longstr(peer_buffer *buffer, const char *text);

#endif
