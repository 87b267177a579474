/*
 * The way out: one import. It takes and gives nothing: what is asked and what is answered lies in `shared`, below the runs
 * that come in. Functions below FIRST_FUNCTION are the embedding's own, the others are a session's.
 */
#include <stdint.h>
#include <string.h>

__attribute__((import_module("polycall"), import_name("host"))) void call_out(void);

static struct {
  uint32_t function, data, size; /* of a call */
  uint32_t begins; /* whether this is the first call of an instance; then */
  int64_t seeds[2]; /* `math.random` begins with these, */
  int64_t most_bytes; /* and so much more than now may be held; 0 for no limit */
  int64_t answer;
  char inbox[64 * 1024]; /* where the host writes a run; a larger one into a parcel */
} shared;

static int64_t host(uint32_t function, const void *data, uint32_t size) {
  shared.function = function;
  shared.data = (uint32_t)data;
  shared.size = size;
  call_out();
  return shared.answer;
}

enum {
  HOST_TAKE = 0, /* (where, size): write the answer there that was too large for the inbox */
  HOST_NO_MEMORY = 1, /* does not return */
  HOST_FAULT = 2, /* (message, size): does not return */
  HOST_CLOCK = 3, /* gives processor time, in nanoseconds */
  HOST_NOW = 4, /* gives Unix seconds */
  HOST_LOCAL = 5, /* (struct tm): from the seconds in its place to the local time; gives less than 0 if there is none */
  HOST_UTC = 6,
  HOST_SECONDS = 7, /* (struct tm): puts fields of the local time in order; gives seconds, or -1 */
  HOST_SHOW = 8, /* (where, size): from a date and a conversion to text in their place; gives its length, or -1 */
  FIRST_FUNCTION = 16,
};

_Noreturn static void out_of_memory(void) {
  host(HOST_NO_MEMORY, 0, 0);
  __builtin_trap();
}

_Noreturn static void fault(const char *message) {
  host(HOST_FAULT, message, strlen(message));
  __builtin_trap();
}
