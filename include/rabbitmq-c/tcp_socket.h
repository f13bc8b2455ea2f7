/* SPDX-License-Identifier: MIT */
/** @file rabbitmq-c/tcp_socket.h The same as amqp_tcp_socket.h. */
#include "../amqp_tcp_socket.h"
