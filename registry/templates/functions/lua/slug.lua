local function slug(title)
    local words = {}
    for word in title:lower():gmatch("%w+") do
        words[#words + 1] = word
    end
    return table.concat(words, "-")
end

return { slug = slug }
