// wasi:filesystem: a folder that may only be read.
var [[root]] = wasi.filesystem.preopens.getDirectories();
var open = (how, flags, path = "a.txt") => attempt(() => root.openAt({ symlinkFollow: true }, path, how, flags).getType());
var file = root.openAt({}, "a.txt", {}, { read: true });
var change = { tag: "timestamp", val: { seconds: 1, nanoseconds: 0 } };
({
  read: text(file.read(100, 0)[0]),
  listed: root.readDirectory().readDirectoryEntry() !== null,
  kinds: [root.getType(), file.getType()],
  flags: [root.getFlags(), file.getFlags()],
  opens: [open({}, { write: true }), open({ create: true }, { read: true }, "new"), open({ truncate: true }, { read: true }), open({ directory: true }, { mutateDirectory: true }, "sub")],
  exists: open({ create: true }, { read: true }),
  changes: [
    attempt(() => root.createDirectoryAt("new")),
    attempt(() => root.unlinkFileAt("a.txt")),
    attempt(() => root.removeDirectoryAt("sub")),
    attempt(() => root.renameAt("a.txt", root, "b.txt")),
    attempt(() => root.linkAt({}, "a.txt", root, "b.txt")),
    attempt(() => root.symlinkAt("a.txt", "b.txt")),
    attempt(() => root.setTimesAt({}, "a.txt", change, change)),
    attempt(() => file.setTimes(change, change)),
    attempt(() => file.setSize(0)),
    attempt(() => file.write(bytes("x"), 0)),
    attempt(() => file.writeViaStream(0)),
    attempt(() => file.appendViaStream()),
  ],
});
