/* SPDX-License-Identifier: MIT */
/** @file rabbitmq-c/framing.h The same as amqp_framing.h. */
#include "../amqp_framing.h"
