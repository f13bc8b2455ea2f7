/* SPDX-License-Identifier: MIT */

/**
 * @file amqp_tcp_socket.h
 * Plain TCP as the transport of a connection.
 */

#ifndef AMQP_TCP_SOCKET_H
#define AMQP_TCP_SOCKET_H

#include "amqp.h"

AMQP_BEGIN_DECLS

/**
 * Gives a connection a TCP socket, not open yet: amqp_socket_open() comes next.
 * A socket that the connection had before is closed and freed.
 * @param state  the connection, which owns the socket
 * @return the socket, valid until the connection is destroyed or given another
 *         socket; NULL if state is NULL or there is no memory
 */
AMQP_PUBLIC_FUNCTION
amqp_socket_t *AMQP_CALL amqp_tcp_socket_new(amqp_connection_state_t state);

/**
 * Opens a TCP socket with a descriptor that the program connected itself,
 * instead of amqp_socket_open(). Its flags and options are left as they are. A
 * descriptor that the socket had before is not closed: it is the program's.
 * @param self    a socket of amqp_tcp_socket_new(); a TLS socket is left alone
 * @param sockfd  a connected descriptor, owned by the socket from now on;
 *                negative: none
 */
AMQP_PUBLIC_FUNCTION
void AMQP_CALL amqp_tcp_socket_set_sockfd(amqp_socket_t *self, int sockfd);

AMQP_END_DECLS

#endif
