"""What guests may ask for beside calls: variables, folders, entries as data, YAML."""
