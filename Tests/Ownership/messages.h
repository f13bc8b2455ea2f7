/* A session with messages that come before the answer to a request, so that they are queued: what both suites here begin with. */
#ifndef MESSAGES_H
#define MESSAGES_H

#include <string.h>

#include "client.h"

/* Everything at once: three messages of channel 1, one of channel 2, all before the answer to basic.qos, then more on demand. */
static void messages_then_more(peer_link *link, void *unused) {
  static const char *const bodies[] = {"one", "two", "three"};
  int i;
  (void)unused;
  if (!peer_open_channels(link, 2)) return;
  if (!peer_serve_until(link, AMQP_BASIC_QOS_METHOD, 10000)) return;
  peer_cork(link);
  for (i = 0; i < 3; i++) peer_deliver(link, 1, (uint64_t)i + 1, bodies[i], strlen(bodies[i]));
  peer_deliver(link, 2, 9, "other", 5);
  peer_answer(link);
  peer_uncork(link);
  peer_reached(link, 1);
  for (i = 0; peer_serve_until_go(link, PEER_LIVE, 20000); i++) peer_deliver(link, 1, (uint64_t)i + 10, "more", 4);
}

static amqp_connection_state_t open_with_queue(peer *p) {
  amqp_connection_state_t c = client_open(p, 0);
  if (c == NULL) return NULL;
  CHECK(amqp_channel_open(c, 2) != NULL);
  CHECK(amqp_basic_qos(c, 2, 0, 1, 0) != NULL);
  CHECK(amqp_frames_enqueued(c));
  return c;
}

#endif
