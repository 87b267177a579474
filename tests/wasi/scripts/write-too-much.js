// More than check-write permits: a trap.
var [[root]] = wasi.filesystem.preopens.getDirectories();
var stream = root.openAt({}, "much.bin", { create: true }, { write: true }).writeViaStream(0);
wait(stream);
stream.write(new Uint8Array(stream.checkWrite() + 1));
