"""``wasi:http``: requests that guests send, over connections of ours to addresses that were judged."""
