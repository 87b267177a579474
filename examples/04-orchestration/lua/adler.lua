local adler = {}

-- Takes any bytes; returns the checksum as an integer.
function adler.sum(bytes)
    local a, b = 1, 0
    for index = 1, #bytes do
        a = (a + bytes:byte(index)) % 65521
        b = (b + a) % 65521
    end
    return b << 16 | a
end

return adler
