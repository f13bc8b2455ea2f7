/* What the cases of the background thread share: their peers, and a look at what the process has. */
#ifndef KEEPER_SUPPORT_H
#define KEEPER_SUPPORT_H

#include <amqp_heartbeat.h>

#include "client.h"

#define H 1   /* seconds */

typedef struct keeper_plan {
  int heartbeat, flags;
} keeper_plan;

extern keeper_plan live, dead, alarmed, off;

/* Login, channel 1, stage 1, and then what the plan says for a minute. */
void planned(peer_link *link, void *plan);
/* Login after login, each of a connection of its own. */
void again_and_again(peer_link *link, void *unused);

/* Logged in, channel 1 open, kept in the background. NULL after a failed CHECK. */
amqp_connection_state_t kept(const peer *p, int heartbeat);

int descriptors(void);
int threads(void);
int threads_become(int wanted);   /* how many there are when there are so many, or after two seconds */
int other_thread(void);           /* the one other thread of the process; 0: there is none */

#endif
