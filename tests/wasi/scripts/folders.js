// wasi:filesystem/types: folders, links, names, errors.
var [[root, name]] = wasi.filesystem.preopens.getDirectories();
var type = (path, follow = false) => attempt(() => root.statAt({ symlinkFollow: follow }, path).type);
function list(folder) {
  var stream = folder.readDirectory();
  var found = [];
  for (var entry; (entry = stream.readDirectoryEntry()); ) found.push(`${entry.name}:${entry.type}`);
  return found.sort();
}
var open = (path, how = {}, flags = { read: true }) => root.openAt({ symlinkFollow: true }, path, how, flags);
var report = { name, first: list(root) };
root.createDirectoryAt("made");
report.again = attempt(() => root.createDirectoryAt("made"));
report.deep = attempt(() => root.createDirectoryAt("none/made"));
report.link = attempt(() => root.symlinkAt("a.txt", "made-link"));
report.target = attempt(() => root.readlinkAt("made-link"));
report.notLink = attempt(() => root.readlinkAt("a.txt"));
report.types = ["a.txt", "made", "made-link"].map((path) => [type(path), type(path, true)]);
report.hard = attempt(() => root.linkAt({}, "a.txt", root, "made/hard"));
report.links = attempt(() => root.statAt({}, "a.txt").linkCount);
report.renamed = attempt(() => root.renameAt("made/hard", root, "made/renamed"));
report.over = attempt(() => root.renameAt("none", root, "made/x"));
report.full = attempt(() => root.removeDirectoryAt("made"));
report.file = attempt(() => root.removeDirectoryAt("a.txt"));
report.folder = attempt(() => root.unlinkFileAt("made"));
report.made = list(open("made", { directory: true }));
report.unlinked = attempt(() => root.unlinkFileAt("made/renamed"));
report.removed = attempt(() => root.removeDirectoryAt("made"));
report.gone = attempt(() => root.removeDirectoryAt("made"));
report.escapes = ["..", "../x", "/etc/passwd", "sub/../../x", "out", "out/x", "absolute"].map((path) => [
  path,
  attempt(() => open(path).getType()),
  attempt(() => root.statAt({}, path).type),
]);
report.absolute = attempt(() => root.symlinkAt("/etc", "made-absolute"));
report.up = attempt(() => root.symlinkAt("../x", "made-up"));
report.slashes = ["a.txt/", "sub/", "sub//inner.txt", "./a.txt", "sub/./inner.txt", "sub/../a.txt", "", "."].map((path) => [
  path,
  attempt(() => open(path).getType()),
]);
report.loop = [attempt(() => open("loop").getType()), type("loop"), type("loop", true)];
report.dangling = [attempt(() => open("dangling").getType()), type("dangling"), type("dangling", true)];
report.createDangling = attempt(() => open("dangling", { create: true }, { write: true }).getType());
report.noFollow = attempt(() => root.openAt({}, "made-link", {}, { read: true }).getType());
report.last = list(root);
report;
