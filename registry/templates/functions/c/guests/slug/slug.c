/* Implements wit/world.wit. */
#include "component.h"

static bool is_in(uint8_t byte, char first, char last)
{
    return byte >= (uint8_t)first && byte <= (uint8_t)last;
}

/* Parameters are flat: a string is its address and its length. A result of two values is given by its address. */
EXPORT("slug")
struct bytes *slug(const uint8_t *title, size_t size)
{
    static struct bytes result;
    bool gap = false;
    result = (struct bytes){0};
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = is_in(title[i], 'A', 'Z') ? title[i] + ('a' - 'A') : title[i];
        if (!is_in(byte, 'a', 'z') && !is_in(byte, '0', '9')) {
            gap = true;
            continue;
        }
        if (gap && result.size != 0)
            add_bytes(&result, TEXT("-"));
        add_bytes(&result, (struct bytes){&byte, 1});
        gap = false;
    }
    return &result;
}

/* Is called when the host has read the result. */
EXPORT("cabi_post_slug")
void slug_done(struct bytes *result)
{
    (void)result;
    arena_release();
}
