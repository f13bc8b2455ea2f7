/* The script's side, what it says: the handshake, answers, frames and the payloads in them, and goodbyes. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "peer_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static uint32_t get32(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

/* ---- handshake and answers ---- */

void peer_send_start(peer_link *link, const char *mechanisms) {
  peer_buffer b = {{0}, 0}, capabilities = {{0}, 0}, table = {{0}, 0};
  static const char *const names[] = {"publisher_confirms", "basic.nack", "authentication_failure_close"};
  size_t i;
  for (i = 0; i < sizeof names / sizeof *names; i++) {
    peer_put_shortstr(&capabilities, names[i]);
    peer_put(&capabilities, "t\1", 2);
  }
  peer_put_shortstr(&table, "capabilities");
  peer_put8(&table, 'F');
  peer_put32(&table, (uint32_t)capabilities.size);
  peer_put(&table, capabilities.bytes, capabilities.size);
  peer_put_shortstr(&table, "product");
  peer_put8(&table, 'S');
  peer_put_longstr(&table, "scripted peer");
  peer_put(&b, "\0\x09", 2);
  peer_put32(&b, (uint32_t)table.size);
  peer_put(&b, table.bytes, table.size);
  peer_put_longstr(&b, mechanisms);
  peer_put_longstr(&b, "en_US");
  peer_send_method(link, 0, PEER_METHOD(10, 10), b.bytes, b.size);
}

void peer_send_tune(peer_link *link, uint16_t channel_max, uint32_t frame_max, uint16_t heartbeat) {
  peer_buffer b = {{0}, 0};
  peer_put16(&b, channel_max);
  peer_put32(&b, frame_max);
  peer_put16(&b, heartbeat);
  peer_send_method(link, 0, PEER_METHOD(10, 30), b.bytes, b.size);
}

int peer_handshake(peer_link *link, uint16_t channel_max, uint32_t frame_max, uint16_t heartbeat) {
  const uint8_t *arguments;
  size_t size;
  if (!peer_expect_protocol_header(link)) return 0;
  peer_send_start(link, "PLAIN EXTERNAL AMQPLAIN");
  if (!peer_expect(link, PEER_METHOD(10, 11), 10000)) return 0;
  peer_send_tune(link, channel_max, frame_max, heartbeat);
  if (!peer_expect(link, PEER_METHOD(10, 31), 10000)) return 0;
  arguments = peer_arguments(link, &size);
  if (size < 8) return 0;
  link->record->channel_max = get16(arguments);
  link->record->frame_max = get32(arguments + 2);
  link->record->heartbeat = get16(arguments + 6);
  if (!peer_expect(link, PEER_METHOD(10, 40), 10000)) return 0;
  peer_answer(link);
  peer_watch(link);
  return 1;
}

int peer_open_channels(peer_link *link, int channels) {
  if (!peer_handshake(link, 0, 131072, 0)) return 0;
  for (; channels > 0; channels--) {
    if (!peer_serve_until(link, PEER_METHOD(20, 10), 10000)) return 0;
    peer_answer(link);
  }
  return 1;
}

/* The short string at an offset of the current method's arguments, copied to the answer: names that the request chose. */
static void echo_shortstr(const peer_link *link, size_t offset, const char *otherwise, peer_buffer *out) {
  size_t size;
  const uint8_t *a = peer_arguments(link, &size);
  if (offset < size && offset + 1 + a[offset] <= size && a[offset] > 0)
    peer_put(out, a + offset, (size_t)a[offset] + 1);
  else
    peer_put_shortstr(out, otherwise);
}

void peer_answer(peer_link *link) {
  peer_buffer b = {{0}, 0};
  uint32_t request = peer_current_method(link), reply = request + 1;
  size_t size, skip;
  const uint8_t *a = peer_arguments(link, &size);
  switch (request) {
    case PEER_METHOD(10, 40): peer_put_shortstr(&b, ""); break;       /* connection.open */
    case PEER_METHOD(20, 10): peer_put_longstr(&b, ""); break;        /* channel.open */
    case PEER_METHOD(20, 20): peer_put8(&b, size > 0 ? a[0] & 1 : 0); break;
    case PEER_METHOD(30, 10): peer_put16(&b, 1); break;
    case PEER_METHOD(40, 40): reply = PEER_METHOD(40, 51); break;     /* exchange.unbind: its -ok is 51 */
    case PEER_METHOD(50, 10):
      echo_shortstr(link, 2, "amq.gen-peer", &b);
      peer_put32(&b, 7);
      peer_put32(&b, 3);
      break;
    case PEER_METHOD(50, 30): case PEER_METHOD(50, 40): peer_put32(&b, 5); break;
    case PEER_METHOD(60, 20):
      skip = size > 2 ? 3u + a[2] : 0;                                /* ticket, queue */
      echo_shortstr(link, skip, "amq.ctag-peer", &b);
      memcpy(link->consumer_tag, b.bytes + 1, b.bytes[0]);
      link->consumer_tag[b.bytes[0]] = 0;
      break;
    case PEER_METHOD(60, 30): echo_shortstr(link, 0, "", &b); break;
    case PEER_METHOD(60, 70): reply = PEER_METHOD(60, 72); peer_put_shortstr(&b, ""); break;   /* get: empty */
    case PEER_METHOD(10, 50): case PEER_METHOD(10, 70):
    case PEER_METHOD(20, 40):
    case PEER_METHOD(40, 10): case PEER_METHOD(40, 20): case PEER_METHOD(40, 30):
    case PEER_METHOD(50, 20): case PEER_METHOD(50, 50):
    case PEER_METHOD(60, 10): case PEER_METHOD(60, 110):
    case PEER_METHOD(85, 10):
    case PEER_METHOD(90, 10): case PEER_METHOD(90, 20): case PEER_METHOD(90, 30): break;
    default: return;                                                  /* not a request: no answer */
  }
  peer_send_method(link, link->current_channel, reply, b.bytes, b.size);
}

/* ---- output ---- */

void peer_cut_after(peer_link *link, size_t bytes, int by_reset) {
  link->cuts = 1;
  link->cut_after = bytes;
  link->cuts_by_reset = by_reset;
}

int peer_was_cut(const peer_link *link) { return link->was_cut; }

static void cut(peer_link *link) {
  link->was_cut = 1;
  if (link->cuts_by_reset) {
    peer_reset(link);
  } else {
    shutdown(link->fd, SHUT_RDWR);
    peer_stream_ended(link, 0);
  }
}

void peer_send(peer_link *link, const void *bytes, size_t size) {
  const uint8_t *at = bytes;
  if (link->is_corked) {
    if (link->cork_capacity < link->corked + size)
      link->cork = peer_claim(link->cork, link->cork_capacity = 2 * (link->corked + size));
    memcpy(link->cork + link->corked, bytes, size);
    link->corked += size;
    return;
  }
  while (size > 0 && !link->ended) {
    size_t part = link->cuts && link->cut_after < size ? link->cut_after : size;
    ssize_t n = part > 0 ? send(link->fd, at, part, MSG_NOSIGNAL) : 0;
    if (part == 0) {
      cut(link);
      return;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      peer_stream_ended(link, 1);
      return;
    }
    at += n;
    size -= (size_t)n;
    link->cut_after -= (size_t)n;
    link->record->sent += (uint64_t)n;
    link->record->last_sent_at = peer_now();
  }
}

void peer_cork(peer_link *link) { link->is_corked = 1; }

void peer_uncork(peer_link *link) {
  link->is_corked = 0;
  peer_send(link, link->cork, link->corked);
  link->corked = 0;
}

uint8_t *peer_corked(peer_link *link, size_t *size) {
  link->is_corked = 0;
  *size = link->corked;
  link->corked = 0;
  return link->cork;
}

void peer_send_pieces(peer_link *link, const uint8_t *bytes, size_t size, size_t piece) {
  while (size > 0 && !link->ended) {
    size_t part = size < piece ? size : piece;
    peer_send(link, bytes, part);
    peer_sleep(1);
    bytes += part;
    size -= part;
  }
}

void peer_send_frame(peer_link *link, int type, uint16_t channel, const void *payload, size_t size) {
  uint8_t *frame = peer_claim(NULL, size + 8);
  frame[0] = (uint8_t)type;
  frame[1] = (uint8_t)(channel >> 8);
  frame[2] = (uint8_t)channel;
  frame[3] = (uint8_t)(size >> 24);
  frame[4] = (uint8_t)(size >> 16);
  frame[5] = (uint8_t)(size >> 8);
  frame[6] = (uint8_t)size;
  if (size > 0) memcpy(frame + 7, payload, size);
  frame[size + 7] = 0xCE;
  peer_send(link, frame, size + 8);
  free(frame);
}

void peer_send_method(peer_link *link, uint16_t channel, uint32_t method, const void *arguments, size_t size) {
  peer_buffer b = {{0}, 0};
  peer_put32(&b, method);
  peer_put(&b, arguments, size);
  peer_send_frame(link, PEER_FRAME_METHOD, channel, b.bytes, b.size);
}

void peer_send_heartbeat(peer_link *link) { peer_send_frame(link, PEER_FRAME_HEARTBEAT, 0, NULL, 0); }

void peer_send_header(peer_link *link, uint16_t channel, uint64_t body_size, const void *properties, size_t size) {
  peer_buffer b = {{0}, 0};
  peer_put16(&b, 60);
  peer_put16(&b, 0);
  peer_put64(&b, body_size);
  if (properties == NULL)
    peer_put16(&b, 0);
  else
    peer_put(&b, properties, size);
  peer_send_frame(link, PEER_FRAME_HEADER, channel, b.bytes, b.size);
}

void peer_send_body(peer_link *link, uint16_t channel, const void *body, size_t size) {
  const uint8_t *at = body;
  size_t room = link->record->frame_max > 8 ? link->record->frame_max - 8 : 131064;
  while (size > 0) {
    size_t part = size < room ? size : room;
    peer_send_frame(link, PEER_FRAME_BODY, channel, at, part);
    at += part;
    size -= part;
  }
}

void peer_send_deliver(peer_link *link, uint16_t channel, uint64_t delivery_tag) {
  peer_buffer b = {{0}, 0};
  peer_put_shortstr(&b, link->consumer_tag[0] ? link->consumer_tag : "amq.ctag-peer");
  peer_put64(&b, delivery_tag);
  peer_put8(&b, 0);
  peer_put_shortstr(&b, "an.exchange");
  peer_put_shortstr(&b, "a.routing.key");
  peer_send_method(link, channel, PEER_METHOD(60, 60), b.bytes, b.size);
}

void peer_deliver(peer_link *link, uint16_t channel, uint64_t delivery_tag, const void *body, size_t size) {
  static const uint8_t properties[] = {0x90, 0x00, 10, 't', 'e', 'x', 't', '/', 'p', 'l', 'a', 'i', 'n', 2};
  peer_send_deliver(link, channel, delivery_tag);
  peer_send_header(link, channel, size, properties, sizeof properties);
  peer_send_body(link, channel, body, size);
}

const char *peer_consumer_tag(const peer_link *link) { return link->consumer_tag; }

void peer_return(peer_link *link, uint16_t channel, uint16_t code, const char *text, const void *body, size_t size) {
  peer_buffer b = {{0}, 0};
  peer_put16(&b, code);
  peer_put_shortstr(&b, text);
  peer_put_shortstr(&b, "");
  peer_put_shortstr(&b, "a.routing.key");
  peer_send_method(link, channel, PEER_METHOD(60, 50), b.bytes, b.size);
  peer_send_header(link, channel, size, NULL, 0);
  peer_send_body(link, channel, body, size);
}

void peer_get_ok(peer_link *link, uint16_t channel, uint64_t delivery_tag, uint32_t left, const void *body, size_t size) {
  peer_buffer b = {{0}, 0};
  peer_put64(&b, delivery_tag);
  peer_put8(&b, 0);
  peer_put_shortstr(&b, "");
  peer_put_shortstr(&b, "a.routing.key");
  peer_put32(&b, left);
  peer_send_method(link, channel, PEER_METHOD(60, 71), b.bytes, b.size);
  peer_send_header(link, channel, size, NULL, 0);
  peer_send_body(link, channel, body, size);
}

void peer_send_ack(peer_link *link, uint16_t channel, uint64_t delivery_tag, int multiple) {
  peer_buffer b = {{0}, 0};
  peer_put64(&b, delivery_tag);
  peer_put8(&b, (uint8_t)multiple);
  peer_send_method(link, channel, PEER_METHOD(60, 80), b.bytes, b.size);
}

static void send_close(peer_link *link, uint16_t channel, uint32_t method, uint16_t code, const char *text) {
  peer_buffer b = {{0}, 0};
  peer_put16(&b, code);
  peer_put_shortstr(&b, text);
  peer_put16(&b, 0);
  peer_put16(&b, 0);
  peer_send_method(link, channel, method, b.bytes, b.size);
}

void peer_send_connection_close(peer_link *link, uint16_t code, const char *text) {
  send_close(link, 0, PEER_METHOD(10, 50), code, text);
}

void peer_send_channel_close(peer_link *link, uint16_t channel, uint16_t code, const char *text) {
  send_close(link, channel, PEER_METHOD(20, 40), code, text);
}

void peer_half_close(peer_link *link) { shutdown(link->fd, SHUT_WR); }

void peer_end(peer_link *link) {
  peer_half_close(link);
  peer_serve(link, PEER_READ, 10000);
  close(link->fd);
  link->fd = -1;
}

void peer_reset(peer_link *link) {
  struct linger linger = {1, 0};
  setsockopt(link->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  close(link->fd);
  link->fd = -1;
  link->ended = 1;
}

/* ---- payloads in the making ---- */

void peer_put(peer_buffer *buffer, const void *bytes, size_t size) {
  if (size > sizeof buffer->bytes - buffer->size) {
    fprintf(stderr, "peer: payload too long for peer_buffer\n");
    _exit(92);
  }
  if (size > 0) memcpy(buffer->bytes + buffer->size, bytes, size);
  buffer->size += size;
}

void peer_put8(peer_buffer *buffer, uint8_t value) { peer_put(buffer, &value, 1); }

void peer_put16(peer_buffer *buffer, uint16_t value) {
  peer_put8(buffer, (uint8_t)(value >> 8));
  peer_put8(buffer, (uint8_t)value);
}

void peer_put32(peer_buffer *buffer, uint32_t value) {
  peer_put16(buffer, (uint16_t)(value >> 16));
  peer_put16(buffer, (uint16_t)value);
}

void peer_put64(peer_buffer *buffer, uint64_t value) {
  peer_put32(buffer, (uint32_t)(value >> 32));
  peer_put32(buffer, (uint32_t)value);
}

void peer_put_shortstr(peer_buffer *buffer, const char *text) {
  peer_put8(buffer, (uint8_t)strlen(text));
  peer_put(buffer, text, strlen(text));
}

void peer_put_longstr(peer_buffer *buffer, const char *text) {
  peer_put32(buffer, (uint32_t)strlen(text));
  peer_put(buffer, text, strlen(text));
}
