// wasi:filesystem/types: one file at a time.
var [[root]] = wasi.filesystem.preopens.getDirectories();
var open = (path, how, flags) => attempt(() => root.openAt({ symlinkFollow: true }, path, how, flags));
var file = open("new.bin", { create: true }, { read: true, write: true }).ok;
var report = {
  exclusive: open("new.bin", { create: true, exclusive: true }, { write: true }).err,
  none: open("none", {}, { read: true }).err,
  directory: open("a.txt", { directory: true }, { read: true }).err,
  writeFolder: open("sub", {}, { write: true }).err,
  truncateFolder: open("sub", { truncate: true }, { read: true }).err,
  createFolder: open("none", { create: true, directory: true }, { read: true }).err,
};
report.kind = [file.getType(), file.getFlags(), root.getType(), root.getFlags()];
report.written = [file.write(bytes("0123456789"), 0), file.write(bytes("ab"), 15)];
report.read = [file.read(4, 0), file.read(100, 8), file.read(5, 17), file.read(5, 100), file.read(0, 0)];
report.size = [file.stat().size, attempt(() => file.setSize(12)), file.stat().size, attempt(() => file.setSize(20)), file.stat().size];
report.advise = ["normal", "sequential", "random", "will-need", "dont-need", "no-reuse"].map((advice) => attempt(() => file.advise(0, 10, advice)));
report.sync = [attempt(() => file.syncData()), attempt(() => file.sync()), attempt(() => root.sync()), attempt(() => root.syncData())];
var at = (seconds, nanoseconds) => ({ tag: "timestamp", val: { seconds, nanoseconds } });
report.times = [
  attempt(() => file.setTimes(at(1000, 5), at(2000, 600))),
  [file.stat().dataAccessTimestamp, file.stat().dataModificationTimestamp],
  attempt(() => root.setTimesAt({}, "new.bin", { tag: "no-change" }, at(3000, 0))),
  [file.stat().dataAccessTimestamp, file.stat().dataModificationTimestamp],
  attempt(() => root.setTimesAt({}, "none", { tag: "no-change" }, { tag: "now" })),
  attempt(() => file.setTimes({ tag: "now" }, { tag: "no-change" })),
  [file.stat().dataAccessTimestamp.seconds > 1.7e9, file.stat().dataModificationTimestamp],
];
var same = open("new.bin", {}, { read: true }).ok;
var other = open("a.txt", {}, { read: true }).ok;
report.same = [file.isSameObject(same), file.isSameObject(other), root.isSameObject(root), root.isSameObject(file)];
var hash = file.metadataHash();
var hashAt = (path) => root.metadataHashAt({}, path);
report.hash = [
  same.metadataHash().lower === hash.lower && same.metadataHash().upper === hash.upper,
  hashAt("new.bin").lower === hash.lower,
  hashAt("a.txt").lower === hash.lower,
  attempt(() => hashAt("none")),
];
report.readOnly = [attempt(() => same.write(bytes("x"), 0)), attempt(() => same.setSize(1)), attempt(() => same.sync())];
report.ofFolder = [attempt(() => root.read(1, 0)), attempt(() => root.write(bytes("x"), 0)), attempt(() => root.setSize(1)), attempt(() => other.readDirectory()), attempt(() => other.openAt({}, "x", {}, { read: true }))];
report.truncated = [open("new.bin", { truncate: true }, { write: true }).ok.stat().size, file.stat().size];
report;
