/* The way out: one import. Functions below FIRST_FUNCTION are the embedding's own, the others are a session's. */
#include <stdint.h>

__attribute__((import_module("polycall"), import_name("host"))) int64_t
host(uint32_t function, const void *data, uint32_t size);

enum {
  HOST_TAKE = 0, /* (where, size): write the answer there that was too large for the inbox */
  HOST_NO_MEMORY = 1, /* does not return */
  HOST_FAULT = 2, /* (message, size): does not return */
  HOST_CLOCK = 3, /* (a double): processor time in seconds */
  HOST_NOW = 4, /* gives Unix seconds */
  HOST_LOCAL = 5, /* (Moment): from its seconds to fields of the local time; gives whether it could */
  HOST_UTC = 6,
  HOST_SECONDS = 7, /* (Moment): from fields of the local time to seconds, and to fields in order */
  HOST_SHOW = 8, /* (Moment): its fields as text */
  FIRST_FUNCTION = 16,
};

_Noreturn static void out_of_memory(void) {
  host(HOST_NO_MEMORY, 0, 0);
  __builtin_trap();
}

_Noreturn static void fault(const char *message, size_t size) {
  host(HOST_FAULT, message, size);
  __builtin_trap();
}
