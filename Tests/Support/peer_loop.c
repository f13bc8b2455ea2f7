/* The script's side, what it hears: input, the record, and the loop of everything that a script does by the clock. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "peer_link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- input ---- */

static uint32_t get32(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

static void note_silence(peer_link *link, int64_t now) {
  peer_record *r = link->record;
  if (r->last_received_at != 0 && now - r->last_received_at > r->longest_silence)
    r->longest_silence = now - r->last_received_at;
}

void peer_stream_ended(peer_link *link, int was_reset) {
  link->ended = 1;
  link->record->was_reset = was_reset;
  link->record->ended_at = peer_now();
}

/* Takes what is there. 0: nothing there now; 1: took bytes; -1: the stream has ended. */
static int take_input(peer_link *link) {
  peer_record *r = link->record;
  ssize_t n;
  if (link->start == link->end) link->start = link->end = 0;
  if (link->start > 0 && link->capacity - link->end < 4096) {
    memmove(link->input, link->input + link->start, link->end - link->start);
    link->end -= link->start;
    link->start = 0;
  }
  if (link->capacity - link->end < 4096) {
    link->capacity = link->capacity == 0 ? 256 * 1024 : 2 * link->capacity;
    link->input = peer_claim(link->input, link->capacity);
  }
  n = recv(link->fd, link->input + link->end, link->capacity - link->end, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (n <= 0) {
    peer_stream_ended(link, n < 0);
    return -1;
  }
  link->read_at = peer_now();
  note_silence(link, link->read_at);
  r->last_received_at = link->read_at;
  r->received += (uint64_t)n;
  if (link->recording) {
    size_t room = PEER_BYTES_MAX - r->byte_count, kept = (size_t)n < room ? (size_t)n : room;
    memcpy(r->bytes + r->byte_count, link->input + link->end, kept);
    r->byte_count += (uint32_t)kept;
  }
  link->end += (size_t)n;
  return 1;
}

static void record_frame(peer_link *link, uint8_t type, uint16_t channel, const uint8_t *payload, uint32_t size) {
  peer_record *r = link->record;
  r->frames_total++;
  if (type == PEER_FRAME_HEARTBEAT) r->heartbeats++;
  if (link->recording && r->frame_count < PEER_FRAMES_MAX) {
    peer_frame *frame = &r->frames[r->frame_count];
    frame->at = link->read_at;
    frame->type = type;
    frame->channel = channel;
    frame->size = size;
    frame->id = type == PEER_FRAME_METHOD && size >= 4 ? get32(payload)
                : type == PEER_FRAME_HEADER && size >= 2 ? get16(payload) : 0;
    frame->offset = r->byte_count - (uint32_t)(link->input + link->end - payload);
    __sync_synchronize();
    r->frame_count++;
  }
}

static void content_arrived(peer_link *link, uint16_t channel, int flags) {
  link->record->publishes++;
  link->published[channel]++;
  if (flags & PEER_CONFIRM) peer_send_ack(link, channel, link->published[channel], 0);
}

/* Parses one whole frame out of the buffer. 0: none is complete; else its type. */
static int next_frame(peer_link *link, int flags) {
  const uint8_t *at = link->input + link->start, *payload = at + 7;
  size_t there = link->end - link->start;
  uint32_t size;
  uint16_t channel;
  if (there < 8) return 0;
  size = get32(at + 3);
  if (at[0] == 'A' || size > (64u << 20)) {
    link->record->malformed = 1;
    link->start = link->end;
    return 0;
  }
  if (there < (size_t)size + 8) {
    if (link->capacity < (size_t)size + 8192) {
      link->capacity = (size_t)size + 65536;
      link->input = peer_claim(link->input, link->capacity);
    }
    return 0;
  }
  channel = get16(at + 1);
  if (payload[size] != 0xCE) link->record->malformed = 1;
  record_frame(link, at[0], channel, payload, size);
  link->start += (size_t)size + 8;
  if (at[0] == PEER_FRAME_METHOD) {
    if (link->current_capacity < size) link->current = peer_claim(link->current, link->current_capacity = size + 256);
    memcpy(link->current, payload, size);
    link->current_size = size;
    link->current_channel = channel;
  } else if (at[0] == PEER_FRAME_HEADER && size >= 12) {
    link->missing[channel] = (uint64_t)get32(payload + 4) << 32 | get32(payload + 8);
    if (link->missing[channel] == 0) content_arrived(link, channel, flags);
  } else if (at[0] == PEER_FRAME_BODY) {
    link->missing[channel] -= size < link->missing[channel] ? size : link->missing[channel];
    if (link->missing[channel] == 0) content_arrived(link, channel, flags);
  }
  return at[0];
}

uint32_t peer_current_method(const peer_link *link) { return link->current_size >= 4 ? get32(link->current) : 0; }

/* ---- the loop ---- */

enum { SERVED_TIME, SERVED_END, SERVED_METHOD, SERVED_GO };

static int take_permit(peer_link *link) {
  int permits = link->record->permits;
  return permits > 0 && __sync_bool_compare_and_swap(&link->record->permits, permits, permits - 1);
}

static int serve(peer_link *link, int flags, int milliseconds, uint32_t awaited, int until_go) {
  int64_t until = peer_now() + milliseconds * MILLISECOND;
  int64_t beat = link->record->heartbeat * SECOND / 2;
  for (;;) {
    int64_t now = peer_now(), wake = until;
    struct pollfd waiting;
    int type;
    while ((flags & PEER_READ) && (type = next_frame(link, flags)) != 0) {
      if (type != PEER_FRAME_METHOD) continue;
      if (awaited != 0 && peer_current_method(link) == awaited) return SERVED_METHOD;
      if (flags & PEER_ANSWER) peer_answer(link);
    }
    if (until_go && take_permit(link)) return SERVED_GO;
    if (now >= until) {
      if ((flags & PEER_READ) && !link->ended) note_silence(link, now);
      return SERVED_TIME;
    }
    if (link->ended && (flags & PEER_READ)) return SERVED_END;
    if ((flags & PEER_BEAT) && beat > 0 && !link->ended) {
      if (now - link->record->last_sent_at >= beat) peer_send_heartbeat(link);
      if (link->record->last_sent_at + beat < wake) wake = link->record->last_sent_at + beat;
    }
    if (until_go && wake > now + 5 * MILLISECOND) wake = now + 5 * MILLISECOND;
    waiting.fd = link->fd;
    waiting.events = POLLIN;
    waiting.revents = 0;
    poll(&waiting, flags & PEER_READ ? 1 : 0, (int)((wake - now + MILLISECOND - 1) / MILLISECOND));
    if ((flags & PEER_READ) && waiting.revents != 0) take_input(link);
  }
}

int peer_serve(peer_link *link, int flags, int milliseconds) {
  return serve(link, flags, milliseconds, 0, 0) == SERVED_TIME;
}

int peer_serve_until(peer_link *link, uint32_t method, int milliseconds) {
  return serve(link, PEER_LIVE, milliseconds, method, 0) == SERVED_METHOD;
}

int peer_expect(peer_link *link, uint32_t method, int milliseconds) {
  return serve(link, PEER_READ, milliseconds, method, 0) == SERVED_METHOD;
}

int peer_serve_until_go(peer_link *link, int flags, int milliseconds) {
  return serve(link, flags, milliseconds, 0, 1) == SERVED_GO;
}

int peer_await_go(peer_link *link, int milliseconds) { return peer_serve_until_go(link, PEER_MUTE, milliseconds); }

void peer_reached(peer_link *link, int stage) {
  __sync_synchronize();
  link->record->stage = stage;
}

void peer_watch(peer_link *link) {
  link->record->longest_silence = 0;
  link->record->last_received_at = peer_now();
}

void peer_set_recording(peer_link *link, int on) { link->recording = on; }
uint16_t peer_channel(const peer_link *link) { return link->current_channel; }
int peer_descriptor(const peer_link *link) { return link->fd; }

const uint8_t *peer_arguments(const peer_link *link, size_t *size) {
  *size = link->current_size < 4 ? 0 : link->current_size - 4;
  return link->current + 4;
}

int peer_accept(peer_link *link, int milliseconds) {
  struct pollfd waiting = {link->listener, POLLIN, 0};
  int yes = 1;
  if (link->fd >= 0) close(link->fd);
  link->fd = -1;
  if (poll(&waiting, 1, milliseconds) <= 0) return 0;
  link->fd = accept(link->listener, NULL, NULL);
  if (link->fd < 0) return 0;
  setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  link->start = link->end = 0;
  link->ended = link->cuts = link->was_cut = 0;
  memset(link->missing, 0, CHANNELS * sizeof *link->missing);
  memset(link->published, 0, CHANNELS * sizeof *link->published);
  link->record->ended_at = 0;
  link->record->last_received_at = 0;
  link->record->accepted_at = peer_now();
  return 1;
}

void peer_set_receive_buffer(peer_link *link, int bytes) {
  setsockopt(link->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

int peer_expect_protocol_header(peer_link *link) {
  int64_t until = peer_now() + 10 * SECOND;
  while (link->end - link->start < 8 && peer_now() < until) {
    struct pollfd waiting = {link->fd, POLLIN, 0};
    if (poll(&waiting, 1, 100) > 0 && take_input(link) < 0) return 0;
  }
  if (link->end - link->start < 8 || memcmp(link->input + link->start, "AMQP\0\0\x09\x01", 8) != 0) return 0;
  link->start += 8;
  return 1;
}
