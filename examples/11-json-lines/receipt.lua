local funcs = require("funcs")

local function receipt(order)
    local cents = 0
    for _, item in ipairs(order.items) do
        cents = cents + item.count * item.cents
    end

    local total, err = funcs.call("app:with-tax", cents)
    if err then
        return nil, err
    end
    return { customer = order.customer, cents = total }
end

local function line(receipt)
    return string.format("%-6s %8.2f EUR", receipt.customer, receipt.cents / 100)
end

return { receipt = receipt, line = line }
