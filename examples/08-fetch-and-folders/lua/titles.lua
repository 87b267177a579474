local function title_of(page)
    local title = page:match("<title>%s*(.-)%s*</title>")
    if not title then
        return nil, "the page has no title"
    end
    return title
end

return { title_of = title_of }
