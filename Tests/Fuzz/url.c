/* A URL, and the numbers whose texts programs ask for. */
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

static void require_same_text(const char *text, const char *theirs, const char *what) {
  require((text == NULL) == (theirs == NULL), what);
  if (text != NULL) require_same_bytes(text, strlen(text), theirs, strlen(theirs), what);
}

static char *copy_of(const uint8_t *data, size_t size) {
  char *copy = malloc(size + 1);
  if (size > 0) memcpy(copy, data, size);
  copy[size] = 0;
  return copy;
}

static void compare_numbers(uint32_t number) {
  int signed_number = (int)number, status = -(int)(number & 0xFFFF);
  /* What came later has a text here alone. */
  if (strcmp(reference()->error_string2(status), "(unknown error)") != 0)
    require_same_text(amqp_error_string2(status), reference()->error_string2(status), "the text of an error");
  require_same_text(amqp_constant_name(signed_number), reference()->constant_name(signed_number), "the name of a constant");
  require_equal(amqp_constant_is_hard_error(signed_number), reference()->constant_is_hard_error(signed_number), "a hard error");
  if (is_later_method(number)) return;
  require_same_text(amqp_method_name(number), reference()->method_name(number), "the name of a method");
  require_equal(amqp_method_has_content(number), reference()->method_has_content(number), "a method with content");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *url = copy_of(data, size), *their_url = copy_of(data, size);
  struct amqp_connection_info info, theirs;
  input from = input_of(data, size);
  int status;
  amqp_default_connection_info(&info);
  amqp_default_connection_info(&theirs);
  status = ours()->parse_url(url, &info);
  require(status == AMQP_STATUS_OK || status == AMQP_STATUS_BAD_URL, "a status of its own");
  if (reference() != NULL) {
    require_equal(status, reference()->parse_url(their_url, &theirs), "parsing a URL");
    if (status == AMQP_STATUS_OK) {
      require_same_text(info.user, theirs.user, "the user");
      require_same_text(info.password, theirs.password, "the password");
      require_same_text(info.host, theirs.host, "the host");
      require_same_text(info.vhost, theirs.vhost, "the virtual host");
      require_equal(info.port, theirs.port, "the port");
      require_equal(info.ssl, theirs.ssl, "TLS");
    }
    compare_numbers(take(&from, 4));
  }
  free(url);
  free(their_url);
  return 0;
}
