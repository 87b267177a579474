/*
 * The memory of the Lua state. Lua says how large a block is when it gives it back, so small blocks need no header: they
 * come from a list for each size. Large ones have a header each and are joined with free neighbours.
 *
 * The limit counts what Lua asked for and holds. What this takes on top of that, the engine's own limit bounds.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
  GRAIN = 16,
  SMALL_BYTES = 512, /* the largest block without a header */
  CARVED_BYTES = 16 * 1024, /* what is cut into small blocks in one go */
  LEAST_SPLIT = 64, /* what is left of a block that is worth being one */
  PAGE_BYTES = 65536,
  GROWN_PAGES = 4,
  LEVELS = 4, /* bins of each power of two */
  BINS = 32 * LEVELS,
  PROBES = 8, /* blocks of the bin itself that are looked at */
  MOST_BYTES_OF_ONE = 0x7fffff00,
};

typedef struct Free {
  struct Free *next;
} Free;

/* A large block: sizes include this, are multiples of GRAIN, and have the lowest bit set where the block is in use. */
typedef struct Block {
  uint32_t size;
  uint32_t before; /* the size of the block before it; 0 of the first one */
} Block;

typedef struct Bin {
  Block block;
  struct Bin *next, *previous;
} Bin;

/* Within `allocate` these would take the registers from the usual way, which is a small block from its list. */
#define RARE __attribute__((noinline))

extern char __heap_base;

static Free *small_free[SMALL_BYTES / GRAIN + 1];
static char *carved, *carved_end;
static Bin *bins[BINS];
static uint32_t filled[BINS / 32];
static Block *heap_top; /* an empty block in use, the last one: nothing was used above it */
static char *heap_end; /* how far it can go up */
static size_t held_bytes, limit_bytes = SIZE_MAX;
static int lacking; /* whether the last request for more was refused */
static int lifted; /* whether the limit is not applied, for what the host gives comes in */

static size_t of_grain(size_t size) { return (size + GRAIN - 1) & ~(size_t)(GRAIN - 1); }
static int in_use(Block *block) { return block->size & 1; }
static uint32_t size_of(Block *block) { return block->size & ~1u; }
static Block *after(Block *block) { return (Block *)((char *)block + size_of(block)); }
static Block *block_of(void *data) { return (Block *)((char *)data - sizeof(Block)); }

static unsigned bin_of(uint32_t size) {
  unsigned power = 31 - __builtin_clz(size);
  return power * LEVELS + ((size >> (power - 2)) & (LEVELS - 1));
}

static void unlink_free(Bin *bin) {
  unsigned at = bin_of(bin->block.size);
  if (bin->next) bin->next->previous = bin->previous;
  if (bin->previous) {
    bin->previous->next = bin->next;
  } else if (!(bins[at] = bin->next)) {
    filled[at / 32] &= ~(1u << at % 32);
  }
}

static void link_free(Block *block, uint32_t size) {
  Bin *bin = (Bin *)block;
  unsigned at = bin_of(size);
  block->size = size;
  after(block)->before = size;
  bin->previous = NULL;
  bin->next = bins[at];
  if (bin->next) bin->next->previous = bin;
  bins[at] = bin;
  filled[at / 32] |= 1u << at % 32;
}

/* Looks how large the memory is: an instance may begin with more than there was when its image was taken. */
static void find_end(void) { heap_end = (char *)(__builtin_wasm_memory_size(0) * PAGE_BYTES) - sizeof(Block); }

/* Makes room for a block at the top. */
static int make_top(size_t size) {
  if (!heap_top) {
    heap_top = block_of((void *)(of_grain((size_t)&__heap_base) + GRAIN)); /* data lie at multiples of GRAIN */
    heap_top->size = 1;
    find_end();
  }
  uint64_t end = (uint64_t)(size_t)heap_top + size;
  if (end <= (size_t)heap_end) return 1;
  size_t pages = (end - (size_t)heap_end + PAGE_BYTES - 1) / PAGE_BYTES;
  size_t wanted = pages < GROWN_PAGES ? GROWN_PAGES : pages;
  if (__builtin_wasm_memory_grow(0, wanted) == SIZE_MAX && __builtin_wasm_memory_grow(0, pages) == SIZE_MAX) return 0;
  find_end();
  return 1;
}

/* Has the last block, or a new one where the top is, take so many bytes. */
static void end_at_top(Block *block, uint32_t size) {
  block->size = size | 1;
  heap_top = after(block);
  heap_top->size = 1;
  heap_top->before = size;
}

/* Has a block of `size` bytes in use, and cuts off what is left over. */
static void take_of(Block *block, uint32_t size, uint32_t wanted) {
  if (size - wanted < LEAST_SPLIT) wanted = size;
  block->size = wanted | 1;
  Block *rest = after(block);
  rest->before = wanted;
  if (wanted < size) link_free(rest, size - wanted);
}

static Bin *find_free(uint32_t size) {
  unsigned at = bin_of(size);
  int probes = PROBES;
  for (Bin *bin = bins[at]; bin && probes--; bin = bin->next)
    if (bin->block.size >= size) return bin;
  at++;
  for (unsigned word = at / 32; word < BINS / 32; word++) {
    uint32_t left = filled[word];
    if (word == at / 32) left &= ~0u << at % 32;
    if (left) return bins[word * 32 + __builtin_ctz(left)];
  }
  return NULL;
}

static RARE void *large_new(size_t size) {
  if (size > MOST_BYTES_OF_ONE) return NULL;
  uint32_t wanted = of_grain(size + sizeof(Block));
  Bin *bin = find_free(wanted);
  Block *block = bin ? &bin->block : heap_top;
  if (bin) {
    unlink_free(bin);
    take_of(block, block->size, wanted);
  } else {
    if (!make_top(wanted)) return NULL;
    end_at_top(block = heap_top, wanted);
  }
  return block + 1;
}

static RARE void large_free(void *data) {
  Block *block = block_of(data), *next = after(block), *previous = (Block *)((char *)block - block->before);
  uint32_t size = size_of(block);
  if (!in_use(next)) {
    unlink_free((Bin *)next);
    size += next->size;
  }
  if (!in_use(previous)) { /* the first block is its own one */
    unlink_free((Bin *)previous);
    size += previous->size;
    block = previous;
  }
  if ((char *)block + size == (char *)heap_top) {
    heap_top = block;
    heap_top->size = 1;
  } else {
    link_free(block, size);
  }
}

/* Makes a block longer where it is, if there is room behind it. */
static int large_extend(Block *block, uint32_t wanted) {
  Block *next = after(block);
  uint32_t have = size_of(block);
  if (next == heap_top) {
    if (!make_top(wanted - have)) return 0;
    end_at_top(block, wanted);
    return 1;
  }
  if (in_use(next) || have + next->size < wanted) return 0;
  unlink_free((Bin *)next);
  take_of(block, have + next->size, wanted);
  return 1;
}

static void heap_free(void *data, size_t size) {
  if (size > SMALL_BYTES) {
    large_free(data);
  } else {
    Free **list = &small_free[of_grain(size) / GRAIN];
    ((Free *)data)->next = *list;
    *list = data;
  }
}

static void *small_new(size_t size) {
  size = of_grain(size);
  Free **list = &small_free[size / GRAIN];
  void *found = *list;
  if (found) {
    *list = (*list)->next;
    return found;
  }
  if (size > (size_t)(carved_end - carved)) {
    if (carved_end > carved) heap_free(carved, carved_end - carved); /* it serves as a smaller block */
    carved = large_new(CARVED_BYTES);
    carved_end = carved ? carved + CARVED_BYTES : NULL;
    if (!carved) return NULL;
  }
  found = carved;
  carved += size;
  return found;
}

static void *heap_new(size_t size) { return size > SMALL_BYTES ? large_new(size) : small_new(size); }

static RARE void *heap_resize(void *data, size_t old, size_t size) {
  if (size > MOST_BYTES_OF_ONE) return NULL;
  if (old > SMALL_BYTES && size > SMALL_BYTES) {
    Block *block = block_of(data);
    uint32_t wanted = of_grain(size + sizeof(Block)), have = size_of(block);
    if (wanted <= have && have - wanted < have / 4) return data;
    if (wanted > have && large_extend(block, wanted)) return data;
  } else if (old <= SMALL_BYTES && of_grain(old) == of_grain(size)) {
    return data;
  }
  void *moved = heap_new(size);
  if (moved) {
    memcpy(moved, data, old < size ? old : size);
    heap_free(data, old);
  }
  return moved;
}

/* Lua's allocator. */
static void *allocate(void *unused, void *data, size_t old, size_t size) {
  (void)unused;
  if (!data) old = 0; /* Lua says there what kind of object it is for */
  if (size == 0) {
    if (data) heap_free(data, old);
    held_bytes -= old;
    return NULL;
  }
  int fits = size <= old || lifted || (uint64_t)held_bytes + (size - old) <= limit_bytes;
  void *made = !fits ? NULL : data ? heap_resize(data, old, size) : heap_new(size);
  if (made) held_bytes += size - old;
  lacking = !made;
  return made;
}
