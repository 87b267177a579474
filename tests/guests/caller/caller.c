/* The test component of ../wit/world.wit, world `caller`, in C. */
#include "funcs.h"

/* `result<_, string>` of both relays has the layout that the import fills. */
static struct funcs_result relayed;
static struct bytes text;

static struct bytes answer_or_trap(struct funcs_result result)
{
    if (result.is_err)
        trap();
    return result.value;
}

EXPORT("relay-string")
struct funcs_result *relay_string(const uint8_t *target, size_t target_size,
                                  const uint8_t *input, size_t input_size)
{
    host_call_string(target, target_size, input, input_size, &relayed);
    return &relayed;
}

EXPORT("relay-bytes")
struct funcs_result *relay_bytes(const uint8_t *target, size_t target_size,
                                 const uint8_t *input, size_t input_size)
{
    host_call_bytes(target, target_size, input, input_size, &relayed);
    return &relayed;
}

EXPORT("relay-or-trap")
struct bytes *relay_or_trap(const uint8_t *target, size_t target_size,
                            const uint8_t *input, size_t input_size)
{
    text = answer_or_trap(call_string((struct bytes){target, target_size},
                                      (struct bytes){input, input_size}));
    return &text;
}

EXPORT("three")
struct bytes *three(const uint8_t *input, size_t input_size)
{
    text = (struct bytes){input, input_size};
    text = answer_or_trap(call_string(TEXT("app:upper"), text));
    text = answer_or_trap(call_string(TEXT("app:exclaim"), text));
    text = answer_or_trap(call_bytes(TEXT("app:reverse-bytes"), text));
    return &text;
}

EXPORT("test:caller/math@1.0.0#add")
int32_t add(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a + (uint32_t)b); /* wraps, as i32.add does */
}

EXPORT("cabi_post_relay-string") void relay_string_done(void *result) { (void)result; arena_release(); }
EXPORT("cabi_post_relay-bytes") void relay_bytes_done(void *result) { (void)result; arena_release(); }
EXPORT("cabi_post_relay-or-trap") void relay_or_trap_done(void *result) { (void)result; arena_release(); }
EXPORT("cabi_post_three") void three_done(void *result) { (void)result; arena_release(); }
