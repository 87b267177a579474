---@meta time

---@alias polycall.DurationLike polycall.Duration|integer|string

---@class polycall.Location
local Location = {}

---@return string
function Location:string() end

---@class polycall.Duration
---@operator add(polycall.Duration): polycall.Duration
---@operator sub(polycall.Duration): polycall.Duration
---@operator unm: polycall.Duration
local Duration = {}

---@return number
function Duration:hours() end

---@return number
function Duration:minutes() end

---@return number
function Duration:seconds() end

---@return integer
function Duration:milliseconds() end

---@return integer
function Duration:microseconds() end

---@return integer
function Duration:nanoseconds() end

---@class polycall.Time
---@operator add(polycall.Duration): polycall.Time
---@operator sub(polycall.Duration): polycall.Time
---@operator sub(polycall.Time): polycall.Duration
local Time = {}

---@param duration polycall.DurationLike
---@return polycall.Time? time
---@return polycall.Error? err
function Time:add(duration) end

---@param other polycall.Time
---@return polycall.Duration? duration
---@return polycall.Error? err
function Time:sub(other) end

---@param years integer
---@param months integer
---@param days integer
---@return polycall.Time? time
---@return polycall.Error? err
function Time:add_date(years, months, days) end

---@param other polycall.Time
---@return boolean? answer
---@return polycall.Error? err
function Time:before(other) end

---@param other polycall.Time
---@return boolean? answer
---@return polycall.Error? err
function Time:after(other) end

---@param other polycall.Time
---@return boolean? answer
---@return polycall.Error? err
function Time:equal(other) end

---@param layout string of Go
---@return string? text
---@return polycall.Error? err
function Time:format(layout) end

---@return string
function Time:format_rfc3339() end

---@return integer
function Time:unix() end

---@return integer? nanoseconds
---@return polycall.Error? err
function Time:unix_nano() end

---@return integer year
---@return integer month
---@return integer day
function Time:date() end

---@return integer hour
---@return integer minute
---@return integer second
function Time:clock() end

---@return integer
function Time:year() end

---@return integer
function Time:month() end

---@return integer
function Time:day() end

---@return integer
function Time:hour() end

---@return integer
function Time:minute() end

---@return integer
function Time:second() end

---@return integer
function Time:nanosecond() end

---@return integer
function Time:weekday() end

---@return integer
function Time:year_day() end

---@return boolean
function Time:is_zero() end

---@return polycall.Time
function Time:utc() end

---@return polycall.Time
function Time:in_local() end

---@param location polycall.Location
---@return polycall.Time? time
---@return polycall.Error? err
function Time:in_location(location) end

---@return polycall.Location
function Time:location() end

---@param duration polycall.DurationLike
---@return polycall.Time? time
---@return polycall.Error? err
function Time:round(duration) end

---@param duration polycall.DurationLike
---@return polycall.Time? time
---@return polycall.Error? err
function Time:truncate(duration) end

local time = {}

---@type polycall.Location
time.utc = nil

---@type polycall.Location
time.localtz = nil

time.NANOSECOND = 1
time.MICROSECOND = 1000
time.MILLISECOND = 1000000
time.SECOND = 1000000000
time.MINUTE = 60000000000
time.HOUR = 3600000000000

time.RFC3339 = ""
time.RFC3339NANO = ""
time.RFC822 = ""
time.RFC822Z = ""
time.RFC850 = ""
time.RFC1123 = ""
time.RFC1123Z = ""
time.DATE_TIME = ""
time.DATE_ONLY = ""
time.TIME_ONLY = ""
time.KITCHEN = ""
time.STAMP = ""
time.STAMP_MILLI = ""
time.STAMP_MICRO = ""
time.STAMP_NANO = ""

time.JANUARY = 1
time.FEBRUARY = 2
time.MARCH = 3
time.APRIL = 4
time.MAY = 5
time.JUNE = 6
time.JULY = 7
time.AUGUST = 8
time.SEPTEMBER = 9
time.OCTOBER = 10
time.NOVEMBER = 11
time.DECEMBER = 12

time.SUNDAY = 0
time.MONDAY = 1
time.TUESDAY = 2
time.WEDNESDAY = 3
time.THURSDAY = 4
time.FRIDAY = 5
time.SATURDAY = 6

---@return polycall.Time
function time.now() end

---@param year integer
---@param month integer
---@param day integer
---@param hour? integer
---@param minute? integer
---@param second? integer
---@param nanosecond? integer
---@param location? polycall.Location
---@return polycall.Time? time
---@return polycall.Error? err
function time.date(year, month, day, hour, minute, second, nanosecond, location) end

---@param seconds integer
---@param nanoseconds? integer
---@return polycall.Time? time
---@return polycall.Error? err
function time.unix(seconds, nanoseconds) end

---@param layout string of Go
---@param text string
---@param location? polycall.Location
---@return polycall.Time? time
---@return polycall.Error? err
function time.parse(layout, text, location) end

---@param value polycall.DurationLike
---@return polycall.Duration? duration
---@return polycall.Error? err
function time.parse_duration(value) end

---@param name string
---@param seconds_east integer
---@return polycall.Location? location
---@return polycall.Error? err
function time.fixed_zone(name, seconds_east) end

---@param name string
---@return polycall.Location? location
---@return polycall.Error? err
function time.load_location(name) end

---@param duration polycall.DurationLike
---@return nil
---@return polycall.Error? err
function time.sleep(duration) end

return time
