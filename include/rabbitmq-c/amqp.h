/* SPDX-License-Identifier: MIT */
/** @file rabbitmq-c/amqp.h The same as amqp.h. */
#include "../amqp.h"
