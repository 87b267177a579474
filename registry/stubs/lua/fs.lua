---@meta fs

---@class polycall.Stat
---@field name string
---@field size integer
---@field mode integer
---@field modified integer Unix seconds
---@field is_dir boolean
---@field type string

---@class polycall.Scanner
local Scanner = {}

---@return boolean more
function Scanner:scan() end

---@return string
function Scanner:text() end

---@return polycall.Error?
function Scanner:err() end

---@class polycall.File
local File = {}

---@param count? integer 4096, if it is left out
---@return string? data nil at the end
---@return polycall.Error? err
function File:read(count) end

---@param data string|number
---@return integer? written
---@return polycall.Error? err
function File:write(data) end

---@param whence? string fs.seek.SET, CUR or END
---@param offset? integer
---@return integer? position
---@return polycall.Error? err
function File:seek(whence, offset) end

---@return polycall.Stat? stat
---@return polycall.Error? err
function File:stat() end

---@return true? done
---@return polycall.Error? err
function File:sync() end

---@return true? done
---@return polycall.Error? err
function File:close() end

---@param unit? "lines"|"words"|"bytes"|"runes"
---@return polycall.Scanner? scanner
---@return polycall.Error? err
function File:scanner(unit) end

---@class polycall.Folder
local Folder = {}

---@param path string
---@return string? content
---@return polycall.Error? err
function Folder:readfile(path) end

---@param path string
---@return string? content
---@return polycall.Error? err
function Folder:read_file(path) end

---@param path string
---@param data string|number
---@param mode? "w"|"a"|"wx"
---@return true? done
---@return polycall.Error? err
function Folder:writefile(path, data, mode) end

---@param path string
---@param data string|number
---@param mode? "w"|"a"|"wx"
---@return true? done
---@return polycall.Error? err
function Folder:write_file(path, data, mode) end

---@param path string
---@return boolean? there
---@return polycall.Error? err
function Folder:exists(path) end

---@param path string
---@return boolean? is_folder
---@return polycall.Error? err
function Folder:isdir(path) end

---@param path string
---@return polycall.Stat? stat
---@return polycall.Error? err
function Folder:stat(path) end

---@param path string
---@return true? done
---@return polycall.Error? err
function Folder:mkdir(path) end

---@param path string
---@return true? done
---@return polycall.Error? err
function Folder:remove(path) end

---@param path string
---@return (fun(): {name: string, type: string}?)? members
---@return polycall.Error? err
function Folder:readdir(path) end

---@param path string
---@param mode? "r"|"w"|"a"|"wx"|"r+"|"w+"|"a+"|"wx+"
---@return polycall.File? file
---@return polycall.Error? err
function Folder:open(path, mode) end

---@param path string
---@return true? done
---@return polycall.Error? err
function Folder:chdir(path) end

---@return string
function Folder:pwd() end

local fs = {}

fs.type = { FILE = "file", DIR = "directory" }
fs.seek = { SET = "set", CUR = "cur", END = "end" }

---@param id string of an fs.directory entry; a bare name means the namespace of the function
---@return polycall.Folder? folder
---@return polycall.Error? err
function fs.get(id) end

return fs
