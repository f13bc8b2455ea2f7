/* Targets of the trace that cannot be written to, or not always: no line is worth a signal, a wait or a connection. Each case is
 * a process of its own, which reads the environment anew. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "trace_lines.h"

/* The number in "(N lines before this one are lost)", 0 without. */
static int lost_before(const char *what) {
  const char *told = strrchr(what, '(');
  int lost = 0;
  return told != NULL && sscanf(told, "(%d lines before this one are lost)", &lost) == 1 ? lost : 0;
}

static int told;

static void hear(amqp_connection_state_t state, const char *line, void *unused) {
  (void)state, (void)line, (void)unused;
  told++;
}

static void serve(peer_link *link, void *unused) {
  (void)unused;
  if (peer_handshake(link, 0, 131072, 0)) peer_serve(link, PEER_LIVE, 30000);
}

static peer *the_peer;

/* A connection with channel 1 open, every line of which is counted in `told`. */
static amqp_connection_state_t open_traced(const char *target) {
  amqp_connection_state_t c;
  setenv("LIBRABBITMQ_TRACE", target, 1);
  signal(SIGPIPE, SIG_DFL);
  signal(SIGXFSZ, SIG_DFL);
  if (the_peer == NULL) the_peer = peer_start(serve, NULL);
  c = amqp_new_connection();
  if (!CHECK(c != NULL)) exit(1);
  amqp_heartbeat_trace(c, hear, NULL);
  CHECK_STATUS(amqp_socket_open(amqp_tcp_socket_new(c), "127.0.0.1", peer_port(the_peer)), 0);
  CHECK_INT(client_reply_status(amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", PASSWORD)), 0);
  CHECK(amqp_channel_open(c, 1) != NULL);
  return c;
}

/* A pipe for the trace, and its reader. The peer is another process, which must not have it. */
static int make_pipe(void) {
  make_path();
  the_peer = peer_start(serve, NULL);
  CHECK_INT(mkfifo(path, 0600), 0);
  return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

static void publish(amqp_connection_state_t c, int times) {
  while (times-- > 0) CHECK_STATUS(client_publish(c, 1, "x"), AMQP_STATUS_OK);
}

static void finish(amqp_connection_state_t c) {
  amqp_destroy_connection(c);
  peer_stop(the_peer);
  remove_path();
}

/* None is left for the program, and what it has blocked is as it was. */
static void check_signals(void) {
  sigset_t pending, blocked;
  sigpending(&pending);
  sigprocmask(SIG_BLOCK, NULL, &blocked);
  CHECK_INT(sigismember(&pending, SIGPIPE), 0);
  CHECK_INT(sigismember(&pending, SIGXFSZ), 0);
  CHECK_INT(sigismember(&blocked, SIGPIPE), 0);
  CHECK_INT(sigismember(&blocked, SIGXFSZ), 0);
  CHECK_INT(sigismember(&blocked, SIGTTOU), 0);
}

/* Every line was either read or said to be lost. */
static void check_account(int read_before) {
  int i, lost = 0;
  for (i = 0; i < line_count; i++) lost += lost_before(lines[i].what);
  CHECK(lost > 0);
  CHECK_INT(read_before + line_count + lost, told);
}

CASE(a_full_pipe_loses_lines_and_says_how_many) {
  int reader, first;
  amqp_connection_state_t c;
  reader = make_pipe();
  c = open_traced(path);
  publish(c, 800);
  read_lines(reader);
  first = line_count;
  CHECK(first > 500 && first < told);
  publish(c, 1);
  read_lines(reader);
  CHECK_INT(line_count, 3);
  CHECK_INT(lost_before(lines[0].what), told - 3 - first);
  check_account(first);
  publish(c, 1);
  read_lines(reader);
  CHECK_INT(lost_before(lines[0].what), 0);   /* said once */
  check_signals();
  finish(c);
}

CASE(a_pipe_whose_reader_is_gone) {
  int reader, first;
  amqp_connection_state_t c;
  reader = make_pipe();
  c = open_traced(path);
  read_lines(reader);
  first = line_count;
  CHECK_INT(first, told);
  close(reader);
  publish(c, 3);
  check_signals();
  reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  publish(c, 1);
  read_lines(reader);
  CHECK_INT(lost_before(lines[0].what), 9);
  check_account(first);
  finish(c);
}

/* One that the program holds back for itself is still there afterwards. */
CASE(a_signal_that_the_program_has_blocked_stays_its_own) {
  int reader;
  sigset_t signals, pending;
  amqp_connection_state_t c;
  reader = make_pipe();
  c = open_traced(path);
  close(reader);
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  publish(c, 1);
  sigpending(&pending);
  CHECK_INT(sigismember(&pending, SIGPIPE), 0);
  raise(SIGPIPE);
  publish(c, 1);
  sigpending(&pending);
  CHECK_INT(sigismember(&pending, SIGPIPE), 1);
  finish(c);
}

CASE(a_full_disk) {
  amqp_connection_state_t c;
  make_path();
  c = open_traced("/dev/full");
  publish(c, 10);
  check_signals();
  CHECK(told > 30);
  finish(c);
}

/* SIGXFSZ would end the program. */
CASE(a_file_at_the_limit_of_its_size) {
  struct rlimit limit = {4096, RLIM_INFINITY};
  int i;
  amqp_connection_state_t c;
  make_path();
  setrlimit(RLIMIT_FSIZE, &limit);
  c = open_traced(path);
  publish(c, 100);
  check_signals();
  limit.rlim_cur = RLIM_INFINITY;
  setrlimit(RLIMIT_FSIZE, &limit);
  publish(c, 2);
  {
    /* The line that met the limit is cut off, and the next one follows it. */
    int file = open(path, O_RDONLY), lost = 0, count = 0;
    ssize_t size = read(file, text, sizeof text - 1);
    char *line;
    CHECK(size > 4096);
    text[size < 0 ? 0 : size] = 0;
    for (line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) count++, lost += lost_before(line);
    CHECK(lost > 200);
    CHECK_INT(count + lost, told);
    close(file);
  }
  for (i = 0; i < 2; i++) publish(c, 1);
  finish(c);
}

CASE(a_file_that_is_deleted) {
  struct stat status;
  amqp_connection_state_t c;
  make_path();
  c = open_traced(path);
  unlink(path);
  publish(c, 10);
  CHECK(stat(path, &status) != 0 && errno == ENOENT);
  finish(c);
}

CASE(a_file_is_appended_to) {
  int file;
  amqp_connection_state_t c;
  make_path();
  file = open(path, O_WRONLY | O_CREAT, 0644);
  CHECK_INT(write(file, "1.000000 [fd 3] of an earlier run\n", 34), 34);
  close(file);
  c = open_traced(path);
  read_file();
  CHECK_INT(line_count, told + 1);
  CHECK_TEXT(lines[0].what, "of an earlier run");
  finish(c);
}

/* The descriptor of the trace, which is the only one of that file. */
static int find_descriptor(void) {
  struct stat file, status;
  int descriptor, found = -1;
  if (!CHECK_INT(stat(path, &file), 0)) return -1;
  for (descriptor = 0; descriptor < 1024; descriptor++)
    if (fstat(descriptor, &status) == 0 && status.st_dev == file.st_dev && status.st_ino == file.st_ino) {
      CHECK_INT(found, -1);
      found = descriptor;
    }
  return found;
}

CASE(its_descriptor_is_out_of_the_way) {
  amqp_connection_state_t c;
  int descriptor;
  make_path();
  c = open_traced(path);
  descriptor = find_descriptor();
  CHECK(descriptor >= 200);
  CHECK_INT(fcntl(descriptor, F_GETFD), FD_CLOEXEC);
  finish(c);
}

/* A program that closes everything, and has a file of its own under the number by now. */
CASE(a_descriptor_that_belongs_to_somebody_else_by_now) {
  amqp_connection_state_t c;
  char other[80];
  int descriptor, file;
  make_path();
  snprintf(other, sizeof other, "%s.other", path);
  c = open_traced(path);
  descriptor = find_descriptor();
  file = open(other, O_RDWR | O_CREAT, 0600);
  unlink(other);
  CHECK_INT(dup2(file, descriptor), descriptor);
  publish(c, 5);
  CHECK_INT(lseek(file, 0, SEEK_END), 0);
  close(descriptor);
  publish(c, 5);
  finish(c);
}

CASE(standard_error) {
  amqp_connection_state_t c;
  int file;
  make_path();
  file = open(path, O_RDWR | O_CREAT | O_APPEND, 0600);
  dup2(file, 2);
  close(file);
  c = open_traced("stderr");
  close(2);            /* a daemon */
  publish(c, 1);
  read_file();
  CHECK_INT(line_count, told);
  CHECK_TEXT(lines[line_count - 1].what, "--> body channel 1, 1 byte");
  finish(c);
}

/* A terminal that is held, a pager that is not scrolled: the flags of a descriptor that others have too are not ours to set. */
CASE(standard_error_that_takes_nothing) {
  amqp_connection_state_t c;
  int ends[2];
  char octets[4096] = {0};
  make_path();
  CHECK_INT(pipe(ends), 0);
  fcntl(ends[1], F_SETFL, O_NONBLOCK);
  while (write(ends[1], octets, sizeof octets) > 0) continue;
  fcntl(ends[1], F_SETFL, 0);
  dup2(ends[1], 2);
  c = open_traced("stderr");
  publish(c, 10);
  CHECK_INT(fcntl(2, F_GETFL) & O_NONBLOCK, 0);
  finish(c);
}

CASE(a_child_tells_the_same_file) {
  static amqp_connection_state_t c;   /* or its copy in the child is one that nobody has */
  static peer *p;
  int status = 0, i, destroyed = 0;
  pid_t child;
  make_path();
  c = open_traced(path);
  p = peer_start(serve, NULL);
  child = fork();
  if (child == 0) {
    amqp_connection_state_t own = client_login(p, 0);
    for (i = 0; own != NULL && i < 200; i++) amqp_channel_open(own, (amqp_channel_t)(i + 1));
    amqp_destroy_connection(own);
    _exit(check_failures());
  }
  publish(c, 100);
  waitpid(child, &status, 0);
  CHECK_INT(status, 0);
  amqp_destroy_connection(c);
  read_file();         /* and no line is in another */
  for (i = 0; i < line_count; i++) destroyed += strcmp(lines[i].what, "destroyed by the program") == 0;
  CHECK_INT(destroyed, 2);
  CHECK_INT(line_count, told + 13 + 400 + 1);
  peer_stop(p);
  peer_stop(the_peer);
  remove_path();
}

int main(int argc, char **argv) { return check_main(argc, argv); }
