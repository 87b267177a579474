// wasi:cli: what a program is given.
var { environment, stdin, stdout, stderr, terminalStdin, terminalStdout, terminalStderr } = wasi.cli;
var output = stdout.getStdout();
output.blockingWriteAndFlush(bytes("one\ntwo\n"));
stderr.getStderr().blockingWriteAndFlush(bytes("three\n"));
({
  arguments: environment.getArguments(),
  variables: environment.getEnvironment(),
  folder: environment.initialCwd(),
  input: drain(stdin.getStdin()),
  terminals: [terminalStdin.getTerminalStdin(), terminalStdout.getTerminalStdout(), terminalStderr.getTerminalStderr()],
});
