/* A program as a user of the installed library writes it: it says which library it runs on, and the headers it saw.
 * Compiled as C and as C++, with the headers' old names and with their new ones. */
#if defined(NEW_NAMES)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#endif

#include <stdio.h>
#include <string.h>

int main(void) {
  char line[4096];
  amqp_connection_state_t connection = amqp_new_connection();
  FILE *maps;

  if (!connection || !amqp_tcp_socket_new(connection)) return 1;
  if (amqp_destroy_connection(connection) != AMQP_STATUS_OK) return 1;

  printf("version %s headers %s queue.declare %#x\n", amqp_version(), AMQP_VERSION_STRING,
         (unsigned)AMQP_QUEUE_DECLARE_METHOD);
  maps = fopen("/proc/self/maps", "r");
  if (!maps) return 1;
  while (fgets(line, sizeof line, maps)) {
    const char *path = strchr(line, '/');
    if (path && strstr(path, "librabbitmq.so")) {
      printf("library %s", path);
      break;
    }
  }
  fclose(maps);
  return 0;
}
