wasi.cli.exit.exit({ tag: "ok" });
