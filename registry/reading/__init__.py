"""A project's files to entries: which files count, what they say at the top, ``file://``, and the load as a whole."""
