"""What editors and type checkers are told of a project: of its entries, and of the modules that Lua has."""
