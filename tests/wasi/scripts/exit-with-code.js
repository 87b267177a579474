wasi.cli.exit.exitWithCode(7);
