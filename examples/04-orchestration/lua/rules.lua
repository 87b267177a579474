-- The rules of the shop: the part that changes every week, and so is not compiled.
local TAX_PERCENT = { PT = 23, DE = 19, US = 0 }

local function discount(subtotal)
    local cents = math.tointeger(subtotal)
    if cents >= 10000 then
        return cents // 10 -- ten percent from 100.00 on
    end
    return 0
end

local function tax(order)
    local country, cents = order:match("^(%u%u):(%d+)$")
    if not country then
        error("expected COUNTRY:cents, got " .. order)
    end
    local percent = TAX_PERCENT[country]
    if not percent then
        error('no rate for "' .. country .. '"')
    end
    return (math.tointeger(cents) * percent + 50) // 100
end

return { discount = discount, tax = tax }
