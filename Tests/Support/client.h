/*
 * What nearly every case begins with: a connection of the library under test to a scripted peer.
 * Functions that the reference library of an older API level lacks are weak here, so that every program also runs on it.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <amqp.h>
#include <amqp_tcp_socket.h>

#include "check.h"
#include "peer.h"

#pragma weak amqp_publisher_confirm_wait
#pragma weak amqp_connection_update_secret

/* Opens the connection's socket to a port of this machine, by another way than plain TCP. Only in programs that are linked
 * with a definition of it: the same cases then run over that. */
int client_open_otherwise(amqp_connection_state_t connection, int port);
#pragma weak client_open_otherwise

/* Only a socket opened to the peer. NULL (after a failed CHECK) when that did not succeed. */
amqp_connection_state_t client_connect(const peer *p);
/* The same and logged in as guest with channel_max 0, frame_max 131072 and this heartbeat. */
amqp_connection_state_t client_login(const peer *p, int heartbeat);
/* The same and channel 1 open. */
amqp_connection_state_t client_open(const peer *p, int heartbeat);

struct timeval *client_seconds(double seconds);          /* a static value, good until the next call */
int client_reply_status(amqp_rpc_reply_t reply);         /* 0 normal; the library error; 1 for a server exception */
amqp_bytes_t client_bytes(const char *text);
int client_publish(amqp_connection_state_t connection, amqp_channel_t channel, const char *text);
int client_bytes_equal(amqp_bytes_t bytes, const char *text);
int64_t elapsed_milliseconds(int64_t since);

#endif
