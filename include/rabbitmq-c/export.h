/* SPDX-License-Identifier: MIT */
/** @file rabbitmq-c/export.h AMQP_EXPORT and its kin, which amqp.h defines. */
#include "../amqp.h"
