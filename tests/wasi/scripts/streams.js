// wasi:io/streams, over files and stdout.
var [[root]] = wasi.filesystem.preopens.getDirectories();
var { filesystemErrorCode } = wasi.filesystem.types;
var open = (path, how, flags) => root.openAt({}, path, how, flags);
var report = {};

var input = open("a.txt", {}, { read: true });
var reading = input.readViaStream(0);
wait(reading);
report.read = [text(reading.blockingRead(3)), attempt(() => reading.blockingSkip(2)), drain(reading)];
report.closed = [attempt(() => reading.read(1)), attempt(() => reading.skip(1)), attempt(() => reading.blockingRead(0))];
report.offset = [drain(input.readViaStream(4)), drain(input.readViaStream(1000))];
var skipping = input.readViaStream(0);
wait(skipping);
report.skipped = typeof skipping.skip(1);
report.some = skipping.read(2).length <= 2;

var file = open("stream.bin", { create: true }, { read: true, write: true });
var writing = file.writeViaStream(2);
wait(writing);
report.permit = writing.checkWrite() > 0;
writing.write(bytes("abc"));
writing.blockingFlush();
writing.blockingWriteAndFlush(bytes("def"));
wait(writing);
writing.checkWrite();
writing.writeZeroes(3);
writing.flush();
writing.blockingFlush();
writing.blockingWriteZeroesAndFlush(2);
report.spliced = writing.blockingSplice(input.readViaStream(0), 4);
var rest = input.readViaStream(4);
wait(rest);
wait(writing);
report.spliceAtOnce = writing.splice(rest, 2) <= 2;
writing.blockingFlush();
report.endOfSplice = attempt(() => writing.blockingSplice(input.readViaStream(1000), 1));
drop(writing);
var appending = file.appendViaStream();
appending.blockingWriteAndFlush(bytes("!end"));
drop(appending);
report.content = text(file.read(100, 0)[0]);

var unreadable = open("stream.bin", {}, { write: true });
var failed = attempt(() => unreadable.readViaStream(0).blockingRead(1)).err;
report.failed = failed.tag;
if (failed.tag === "last-operation-failed") {
  report.code = filesystemErrorCode(failed.val);
  report.said = typeof failed.val.toDebugString();
}

var output = wasi.cli.stdout.getStdout();
wait(output);
report.outPermit = output.checkWrite() > 0;
output.write(bytes("flushed\n"));
output.blockingFlush();
report;
