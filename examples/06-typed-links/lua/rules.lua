-- The functions of shop:rules/tax and shop:rules/discount: plain values in, plain values out.
local errors = require("errors")

local RATES = { DE = 19, FR = 20, PT = 23 }

-- rate: func(country: string) -> result<u32, problem>
local function rate(country)
  if RATES[country] then return RATES[country] end
  local problem = country == "XX" and { closed = true } or { ["unknown-country"] = country }
  return nil, errors.new({ message = "no rate", details = problem })
end

-- for-line: func(line: line) -> u64
local function for_line(line)
  return line.quantity >= 10 and line.quantity * line["unit-cents"] // 10 or 0
end

return { rate = rate, for_line = for_line }
