local function upper(text)
    if text == "" then
        return nil, "there is nothing to shout"
    end
    return text:upper() .. "!"
end

return { upper = upper }
