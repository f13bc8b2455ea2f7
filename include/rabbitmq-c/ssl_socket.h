/* SPDX-License-Identifier: MIT */
/** @file rabbitmq-c/ssl_socket.h The same as amqp_ssl_socket.h. */
#include "../amqp_ssl_socket.h"
