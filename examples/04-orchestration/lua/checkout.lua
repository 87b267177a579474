local funcs = require("funcs")
local json = require("json")

-- WIT names are in kebab-case, so they stand in brackets.
local function checkout(order)
    local priced, err = funcs.call("shop:price", order.items, order.country)
    if err then
        return nil, err
    end
    if priced.err then
        return nil, "shop:price: " .. priced.err -- the component's own result<quote, string>
    end

    local quote = priced.ok
    local receipt, err = funcs.call("shop:render", json.encode({
        customer = order.customer,
        items = order.items,
        quote = quote,
    }))
    if err then
        return nil, err
    end
    if receipt.err then
        return nil, "shop:render: " .. receipt.err
    end
    return receipt.ok
end

return { checkout = checkout }
