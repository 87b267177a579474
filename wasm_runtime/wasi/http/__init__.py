"""``wasi:http``: requests that guests send, over connections that are opened here and to no address but a judged one."""
