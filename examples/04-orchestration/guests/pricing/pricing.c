/*
 * A component in C that prices an order together with three Lua functions.
 *
 * world.wit says what it exports; this file implements `price` against the
 * canonical ABI. Every step returns false when it fails and leaves the reason
 * in `order->error`.
 */
#include "funcs.h"

/* record item { sku: string, quantity: u32, unit-cents: u64 } */
struct item {
    struct bytes sku;
    uint32_t quantity;
    uint64_t unit_cents;
};

/* record quote { subtotal-cents, discount-cents, tax-cents, total-cents: u64, digest: list<u8> } */
struct quote {
    uint64_t subtotal_cents;
    uint64_t discount_cents;
    uint64_t tax_cents;
    uint64_t total_cents;
    struct bytes digest;
};

/* result<quote, string> */
struct price_result {
    uint8_t is_err;
    union {
        struct quote quote;
        struct bytes error;
    };
};

_Static_assert(sizeof(struct item) == 24, "canonical size of item");
_Static_assert(sizeof(struct quote) == 40, "canonical size of quote");
_Static_assert(sizeof(struct price_result) == 48, "canonical size of the result");
_Static_assert(offsetof(struct price_result, quote) == 8, "payload at offset 8");

/* One call of `price`: what came in, what is worked out, what went wrong. */
struct order {
    const struct item *items;
    size_t item_count;
    struct bytes country;
    struct quote quote;
    struct bytes error;
};

static bool fail(struct order *order, struct bytes context, struct bytes reason)
{
    add_bytes(&order->error, context);
    add_bytes(&order->error, TEXT(": "));
    add_bytes(&order->error, reason);
    return false;
}

/* The answer of a call that failed says itself who failed. */
static bool pass_on(struct order *order, struct bytes reason)
{
    add_bytes(&order->error, reason);
    return false;
}

static bool fail_quoting(struct order *order, struct bytes context, struct bytes reason,
                         struct bytes quoted)
{
    fail(order, context, reason);
    add_bytes(&order->error, TEXT(" \""));
    add_bytes(&order->error, quoted);
    add_bytes(&order->error, TEXT("\""));
    return false;
}

static bool check_country(struct order *order)
{
    struct bytes country = order->country;
    bool valid = country.size == 2;
    for (size_t i = 0; valid && i < country.size; i++)
        valid = country.data[i] >= 'A' && country.data[i] <= 'Z';
    return valid || fail_quoting(order, TEXT("country"), TEXT("expected two capital letters, got"), country);
}

static bool sum_up(struct order *order)
{
    uint64_t sum = 0;
    if (order->item_count == 0)
        return fail(order, TEXT("items"), TEXT("the order is empty"));
    for (size_t i = 0; i < order->item_count; i++) {
        const struct item *item = &order->items[i];
        if (item->quantity != 0 && item->unit_cents > (UINT64_MAX - sum) / item->quantity)
            return fail_quoting(order, TEXT("items"), TEXT("the subtotal is too large at"), item->sku);
        sum += item->quantity * item->unit_cents;
    }
    order->quote.subtotal_cents = sum;
    return true;
}

/* Asks `target` and reads its answer as whole cents. */
static bool ask_cents(struct order *order, struct bytes target, struct bytes input, uint64_t *cents)
{
    struct funcs_result answer = call_string(target, input);
    if (answer.is_err)
        return pass_on(order, answer.value);
    return read_decimal(answer.value, cents)
        || fail_quoting(order, target, TEXT("expected whole cents, got"), answer.value);
}

static bool ask_discount(struct order *order)
{
    struct bytes target = TEXT("shop:discount"), input = {0};
    add_decimal(&input, order->quote.subtotal_cents);
    if (!ask_cents(order, target, input, &order->quote.discount_cents))
        return false;
    return order->quote.discount_cents <= order->quote.subtotal_cents
        || fail(order, target, TEXT("the discount is larger than the subtotal"));
}

static bool ask_tax(struct order *order)
{
    struct bytes target = TEXT("shop:tax"), input = {0};
    uint64_t amount = order->quote.subtotal_cents - order->quote.discount_cents;
    add_bytes(&input, order->country);
    add_bytes(&input, TEXT(":"));
    add_decimal(&input, amount);
    if (!ask_cents(order, target, input, &order->quote.tax_cents))
        return false;
    if (order->quote.tax_cents > UINT64_MAX - amount)
        return fail(order, target, TEXT("the total is too large"));
    order->quote.total_cents = amount + order->quote.tax_cents;
    return true;
}

/* The number `value` as it lies in WebAssembly's memory: little-endian. */
#define RAW(value) ((struct bytes){(const uint8_t *)&(value), sizeof(value)})

/* The amounts as four u64, then per item its sku, a zero byte, quantity (u32), unit-cents (u64). */
static bool ask_digest(struct order *order)
{
    struct bytes target = TEXT("shop:digest"), input = {0};
    add_bytes(&input, RAW(order->quote.subtotal_cents));
    add_bytes(&input, RAW(order->quote.discount_cents));
    add_bytes(&input, RAW(order->quote.tax_cents));
    add_bytes(&input, RAW(order->quote.total_cents));
    for (size_t i = 0; i < order->item_count; i++) {
        add_bytes(&input, order->items[i].sku);
        add_bytes(&input, TEXT("\0"));
        add_bytes(&input, RAW(order->items[i].quantity));
        add_bytes(&input, RAW(order->items[i].unit_cents));
    }
    struct funcs_result answer = call_bytes(target, input);
    order->quote.digest = answer.value;
    return !answer.is_err || pass_on(order, answer.value);
}

EXPORT("price")
struct price_result *price(const struct item *items, size_t item_count,
                           const uint8_t *country, size_t country_size)
{
    static struct price_result result;
    struct order order = {items, item_count, {country, country_size}, {0}, {0}};
    bool priced = check_country(&order) && sum_up(&order) && ask_discount(&order)
               && ask_tax(&order) && ask_digest(&order);
    result.is_err = !priced;
    if (priced)
        result.quote = order.quote;
    else
        result.error = order.error;
    return &result;
}

EXPORT("cabi_post_price")
void price_done(struct price_result *result)
{
    (void)result;
    arena_release();
}
