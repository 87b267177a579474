// blocking-write-and-flush takes 4096 bytes at most.
var output = wasi.cli.stdout.getStdout();
output.blockingWriteAndFlush(new Uint8Array(4097));
