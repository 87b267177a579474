/*
 * Copies of bytes. A copy is one instruction, however long it is, and nothing interrupts that: so long ones are made piece
 * by piece in a loop, where the engine looks at the time.
 */
#include <stddef.h>
#include <string.h>

enum { COPIED_BYTES = 1 << 20 };

static void copy_in_pieces(char *to, const char *from, size_t size) {
  while (size > COPIED_BYTES) {
    __builtin_memcpy(to, from, COPIED_BYTES);
    __asm__ volatile("" ::: "memory"); /* else the compiler makes one copy of the loop */
    to += COPIED_BYTES, from += COPIED_BYTES, size -= COPIED_BYTES;
  }
  __builtin_memcpy(to, from, size);
}

static inline __attribute__((always_inline)) void *copied(void *to, const void *from, size_t size) {
  if (size <= COPIED_BYTES) return __builtin_memcpy(to, from, size);
  copy_in_pieces(to, from, size);
  return to;
}

#define memcpy copied
