/*
 * Every size, offset, enumerator and macro of the headers against the values that binaries were compiled with (layout.inc, a
 * list of facts about 64-bit Linux). Built a second time against the headers of the reference where they are installed: a list
 * that has gone wrong shows there. Nothing runs but comparisons of constants.
 */
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <stddef.h>
#include <stdio.h>

static int compared, wrong;

static void compare(const char *what, long long actual, long long expected) {
  compared++;
  if (actual == expected) return;
  wrong++;
  printf("%s is %lld, not %lld\n", what, actual, expected);
}

#define SIZE(type, size) compare("sizeof " #type, (long long)sizeof(type), size);
#define FIELD(type, field, offset, size)                                                       \
  compare("offset of " #type "." #field, (long long)offsetof(type, field), offset);            \
  compare("size of " #type "." #field, (long long)sizeof(((type *)0)->field), size);
#define VALUE(name, value) compare(#name, (long long)(name), value);

int main(void) {
  if (sizeof(void *) != 8) {
    printf("the values are those of 64-bit machines\n");
    return 77;
  }
#include "layout.inc"
#ifndef OF_THE_REFERENCE
#include "layout-later.inc"
#endif
  printf("%d values compared, %d wrong\n", compared, wrong);
  return wrong || compared < 700 ? 1 : 0;
}
