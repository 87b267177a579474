local funcs = require("funcs")

local function invoice(customer, cents)
    -- app:rate is a Python function, app:tax is WebAssembly.
    local percent, err = funcs.call("app:rate", customer.country)
    if err then
        return nil, err
    end
    local tax, err = funcs.call("app:tax", cents, percent)
    if err then
        return nil, err
    end
    return { customer = customer.name, net = cents, tax = tax, total = cents + tax }
end

return { invoice = invoice }
