wasi.io.poll.poll([]);
