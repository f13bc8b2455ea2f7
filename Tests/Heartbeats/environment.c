/* What the environment may say about heartbeats, and what it may not. A case is a process, so each reads it anew. That a
 * set-user-ID program does not listen to it is not shown here: a test cannot become one without rights of its own. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"

static void script(peer_link *link, void *heartbeat) {
  peer_handshake(link, 0, 131072, *(const uint16_t *)heartbeat);
  peer_serve(link, PEER_READ, 10000);
}

/* What is agreed on when the program passes `passed` and the peer `offered`. */
static int agreed(int passed, uint16_t offered, int with_properties) {
  peer *p = peer_start(script, &offered);
  amqp_connection_state_t c = client_connect(p);
  amqp_rpc_reply_t reply;
  int heartbeat;
  if (c == NULL) return -1;
  if (with_properties)
    reply = amqp_login_with_properties(c, "/", 0, 131072, passed, &amqp_empty_table, AMQP_SASL_METHOD_PLAIN, "guest", "guest");
  else
    reply = amqp_login(c, "/", 0, 131072, passed, AMQP_SASL_METHOD_PLAIN, "guest", "guest");
  CHECK_INT(client_reply_status(reply), 0);
  heartbeat = amqp_get_heartbeat(c);
  CHECK_INT(peer_seen(p)->heartbeat, heartbeat);
  amqp_destroy_connection(c);
  peer_stop(p);
  return heartbeat;
}

static char said[4096];

/* Runs `logins` logins with heartbeat 5 of a program of its own whose environment has `variable`=`value`, and answers what
 * heartbeat they got (-1: not all the same). `said` holds what the program wrote to standard error. */
static int in_a_program(const char *variable, const char *value, int logins) {
  char name[] = "/tmp/pulse-environment-XXXXXX";
  int file = mkstemp(name), status = 0, i;
  ssize_t count;
  pid_t child;
  if (!CHECK(file >= 0)) return -1;
  unlink(name);
  fflush(NULL);
  child = fork();
  if (child == 0) {
    int first = -1;
    dup2(file, 2);
    setenv(variable, value, 1);
    for (i = 0; i < logins; i++) {
      int heartbeat = agreed(5, 60, i & 1);
      if (i == 0) first = heartbeat;
      if (heartbeat != first) first = -1;
    }
    _exit(check_failures() || first < 0 || first > 200 ? 255 : first);
  }
  waitpid(child, &status, 0);
  count = pread(file, said, sizeof said - 1, 0);
  said[count < 0 ? 0 : count] = 0;
  close(file);
  CHECK(WIFEXITED(status));
  return !WIFEXITED(status) || WEXITSTATUS(status) == 255 ? -1 : WEXITSTATUS(status);
}

static int lines_said(void) {
  int lines = 0;
  const char *next;
  for (next = said; (next = strchr(next, '\n')) != NULL; next++) lines++;
  return lines;
}

CASE(heartbeat_takes_the_place_of_what_the_program_passes) {
  setenv("LIBRABBITMQ_HEARTBEAT", "7", 1);
  CHECK_INT(agreed(0, 60, 0), 7);      /* a program that hard-codes 0 gains heartbeats */
  CHECK_INT(agreed(0, 60, 1), 7);
  CHECK_INT(agreed(30, 60, 0), 7);
  CHECK_INT(agreed(30, 3, 1), 3);      /* negotiated as if the program had passed it */
  CHECK_INT(agreed(30, 0, 0), 7);
}

CASE(heartbeat_of_zero_is_a_veto) {
  setenv("LIBRABBITMQ_HEARTBEAT", "0", 1);
  CHECK_INT(agreed(10, 60, 0), 0);
  CHECK_INT(agreed(10, 60, 1), 0);
}

CASE(longest_heartbeat) {
  setenv("LIBRABBITMQ_HEARTBEAT", "65535", 1);
  CHECK_INT(agreed(10, 65535, 0), 65535);
}

CASE(without_a_variable_the_program_decides) {
  unsetenv("LIBRABBITMQ_HEARTBEAT");
  CHECK_INT(agreed(10, 60, 0), 10);
  CHECK_INT(agreed(0, 60, 1), 0);
}

CASE(environment_is_read_once) {
  setenv("LIBRABBITMQ_HEARTBEAT", "7", 1);
  amqp_destroy_connection(amqp_new_connection());
  setenv("LIBRABBITMQ_HEARTBEAT", "9", 1);
  CHECK_INT(agreed(30, 60, 0), 7);
  unsetenv("LIBRABBITMQ_HEARTBEAT");
  CHECK_INT(agreed(30, 60, 0), 7);
}

CASE(bad_heartbeats_are_reported_once_and_ignored) {
  static const char *const values[] = {"ten", "65536", "-1", " 7", "7 ", "", "+5", "5s", "0x5", "5.0",
                                       "99999999999999999999999999"};
  unsigned i;
  for (i = 0; i < sizeof values / sizeof *values && check_failures() < 5; i++) {
    char expected[256];
    snprintf(expected, sizeof expected,
             "librabbitmq: LIBRABBITMQ_HEARTBEAT=%s is not a number of seconds from 0 to 65535: ignored\n", values[i]);
    CHECK_INT(in_a_program("LIBRABBITMQ_HEARTBEAT", values[i], 3), 5);
    CHECK_TEXT(said, expected);
  }
}

CASE(good_values_are_not_spoken_of) {
  CHECK_INT(in_a_program("LIBRABBITMQ_HEARTBEAT", "3", 2), 3);
  CHECK_TEXT(said, "");
  CHECK_INT(in_a_program("LIBRABBITMQ_HEARTBEAT", "0007", 1), 7);
  CHECK_TEXT(said, "");
  CHECK_INT(in_a_program("LIBRABBITMQ_HEARTBEAT_BACKGROUND", "0", 2), 5);
  CHECK_TEXT(said, "");
  CHECK_INT(in_a_program("LIBRABBITMQ_HEARTBEAT_BACKGROUND", "", 2), 5);
  CHECK_TEXT(said, "");
  CHECK_INT(in_a_program("LIBRABBITMQ_HEARTBEAT_BACKGROUND", "1", 2), 5);
  CHECK_TEXT(said, "");
}

CASE(bad_background_values_are_reported_once_and_ignored) {
  static const char *const values[] = {"yes", "2", "11", " 1", "-1"};
  unsigned i;
  for (i = 0; i < sizeof values / sizeof *values; i++) {
    char expected[256];
    snprintf(expected, sizeof expected, "librabbitmq: LIBRABBITMQ_HEARTBEAT_BACKGROUND=%s is neither 1 nor 0: ignored\n",
             values[i]);
    CHECK_INT(in_a_program("LIBRABBITMQ_HEARTBEAT_BACKGROUND", values[i], 3), 5);
    CHECK_TEXT(said, expected);
  }
}

CASE(trace_targets_that_cannot_be_opened_are_reported_once_and_ignored) {
  char directory[] = "/tmp/pulse-environment-XXXXXX", pipe_name[80], expected[256];
  const char *targets[] = {NULL, "/nowhere/at/all", pipe_name};
  unsigned i;
  if (!CHECK(mkdtemp(directory) != NULL)) return;
  targets[0] = directory;
  snprintf(pipe_name, sizeof pipe_name, "%s/pipe", directory);
  CHECK_INT(mkfifo(pipe_name, 0600), 0);   /* without a reader; nobody waits for one */
  for (i = 0; i < sizeof targets / sizeof *targets; i++) {
    snprintf(expected, sizeof expected, "librabbitmq: LIBRABBITMQ_TRACE=%s cannot be written to: ignored\n", targets[i]);
    CHECK_INT(in_a_program("LIBRABBITMQ_TRACE", targets[i], 3), 5);
    CHECK_TEXT(said, expected);
  }
  unlink(pipe_name);
  rmdir(directory);
  CHECK_INT(in_a_program("LIBRABBITMQ_TRACE", "", 2), 5);   /* a variable without a value traces nothing */
  CHECK_TEXT(said, "");
}

CASE(what_is_reported_cannot_steer_a_terminal) {
  char value[3000];
  CHECK_INT(in_a_program("LIBRABBITMQ_HEARTBEAT", "\033[2J\n\x9b", 1), 5);
  CHECK_TEXT(said, "librabbitmq: LIBRABBITMQ_HEARTBEAT=?[2J?? is not a number of seconds from 0 to 65535: ignored\n");
  memset(value, 'x', sizeof value - 1);
  value[sizeof value - 1] = 0;
  CHECK_INT(in_a_program("LIBRABBITMQ_HEARTBEAT", value, 1), 5);
  CHECK_INT(lines_said(), 1);
  CHECK(strlen(said) < 256 && strstr(said, "xxx... is not") != NULL);
}

/* SIGPIPE would end the program. */
CASE(report_to_a_pipe_that_nobody_reads) {
  int ends[2];
  if (!CHECK_INT(pipe(ends), 0)) return;
  close(ends[0]);
  dup2(ends[1], 2);
  signal(SIGPIPE, SIG_DFL);
  setenv("LIBRABBITMQ_HEARTBEAT", "ten", 1);
  CHECK_INT(agreed(5, 60, 0), 5);
}

CASE(report_without_standard_error) {
  close(2);
  setenv("LIBRABBITMQ_HEARTBEAT", "ten", 1);
  amqp_destroy_connection(amqp_new_connection());
  CHECK_INT(agreed(5, 60, 0), 5);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
