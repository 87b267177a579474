wasi.cli.exit.exit({ tag: "err" });
