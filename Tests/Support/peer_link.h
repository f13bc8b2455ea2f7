/* The script's side of a connection, as the three files of the peer share it. Not for tests. */
#ifndef PEER_LINK_H
#define PEER_LINK_H

#include "peer.h"

#define MILLISECOND INT64_C(1000000)
#define SECOND INT64_C(1000000000)
#define CHANNELS 65536

struct peer_link {
  int listener, fd, recording, ended;
  peer_record *record;
  uint8_t *input;
  size_t start, end, capacity;
  int64_t read_at;
  uint8_t *current;            /* payload of the last method frame */
  size_t current_size, current_capacity;
  uint16_t current_channel;
  char consumer_tag[256];      /* of the last basic.consume that was answered; "": none yet */
  uint64_t *missing;           /* per channel: body bytes still to come of the content being received */
  uint64_t *published;         /* per channel: publishes, which are the delivery tags of confirm mode */
  uint8_t *cork;
  size_t corked, cork_capacity;
  int is_corked;
  size_t cut_after;            /* bytes until the stream is cut, while cuts is set */
  int cuts, cuts_by_reset, was_cut;
};

void peer_fail(const char *what);                       /* ends the process */
void *peer_claim(void *old, size_t size);               /* realloc that never fails */
void peer_stream_ended(peer_link *link, int was_reset);
uint32_t peer_current_method(const peer_link *link);

#endif
