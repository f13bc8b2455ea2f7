#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include "common.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void fail(const char *format, ...) {
  va_list arguments;
  fflush(stdout);
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(EXIT_FAILURE);
}

void check_status(int status, const char *doing) {
  if (status < 0) {
    fail("%s: %s", doing, amqp_error_string2(status));
  }
}

void check_reply(amqp_rpc_reply_t reply, const char *doing) {
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
    fail("%s: %s", doing, reply_text(reply));
  }
}

void check_last_reply(amqp_connection_state_t connection, const char *doing) {
  check_reply(amqp_get_rpc_reply(connection), doing);
}

/* The broker's words have a length and no terminating zero. */
static const char *close_text(const char *what, uint16_t code, amqp_bytes_t words) {
  static char text[400];
  snprintf(text, sizeof text, "%s: %u %.*s", what, (unsigned)code, (int)words.len, (const char *)words.bytes);
  return text;
}

static const char *method_text(const amqp_method_t *method) {
  const char *name = NULL;
  if (method->id == AMQP_CHANNEL_CLOSE_METHOD) {
    const amqp_channel_close_t *close = method->decoded;
    return close_text("the broker closed the channel", close->reply_code, close->reply_text);
  }
  if (method->id == AMQP_CONNECTION_CLOSE_METHOD) {
    const amqp_connection_close_t *close = method->decoded;
    return close_text("the broker closed the connection", close->reply_code, close->reply_text);
  }
  name = amqp_method_name(method->id);
  return name != NULL ? name : "an unknown method";
}

const char *reply_text(amqp_rpc_reply_t reply) {
  switch (reply.reply_type) {
    case AMQP_RESPONSE_NORMAL:
      return "success";
    case AMQP_RESPONSE_NONE:
      return "no reply";
    case AMQP_RESPONSE_LIBRARY_EXCEPTION:
      return amqp_error_string2(reply.library_error);
    case AMQP_RESPONSE_SERVER_EXCEPTION:
      return method_text(&reply.reply);
  }
  return "an unknown kind of reply";
}

const char *frame_text(const amqp_frame_t *frame) {
  switch (frame->frame_type) {
    case AMQP_FRAME_METHOD:
      return method_text(&frame->payload.method);
    case AMQP_FRAME_HEADER:
      return "a content header";
    case AMQP_FRAME_BODY:
      return "a body fragment";
    default:
      return "a frame of an unknown type";
  }
}

const char *argument(int argc, char **argv, int index, const char *otherwise) {
  return index < argc ? argv[index] : otherwise;
}

long number_argument(int argc, char **argv, int index, long otherwise, long low, long high) {
  char *end = NULL;
  long number = otherwise;
  if (index < argc) {
    errno = 0;
    number = strtol(argv[index], &end, 10);
    if (errno != 0 || end == argv[index] || *end != '\0' || number < low || number > high) {
      fail("argument %d is \"%s\"; it must be a number from %ld to %ld", index, argv[index], low, high);
    }
  }
  return number;
}

double seconds_now(void) {
  struct timespec now;
  if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) {
    fail("no monotonic clock");
  }
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
