// Without asking check-write first.
var [[root]] = wasi.filesystem.preopens.getDirectories();
var stream = root.openAt({}, "unasked.bin", { create: true }, { write: true }).writeViaStream(0);
attempt(() => stream.write(bytes("unasked")));
