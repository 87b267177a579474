/*
 * The world `calls` of calls.wit: every function of WASI, by its import.
 *
 * `imports.h` declares them as the canonical ABI has them: what does not fit
 * into one core value is written to `area`. Every result has a discriminant at
 * its start; its payload stands where the alignment of both of its cases puts
 * it, which is what `told`, `handle` and `number` must be told.
 */
#include "abi.h"
#include "imports.h"

#include <stdarg.h>
#include <stdio.h>

enum { WOULD_BLOCK = 8 }; /* of wasi:sockets/network's error codes */

static _Alignas(8) uint8_t area[1024];
static char report[32768];
static struct bytes answer;

#define AREA ((int32_t)(intptr_t)area)
#define TEXT(literal) ((int32_t)(intptr_t)("" literal)), ((int32_t)sizeof(literal) - 1)
#define U8(at) (area[at])
#define U16(at) (*(uint16_t *)(area + (at)))
#define U32(at) (*(uint32_t *)(area + (at)))
#define U64(at) (*(uint64_t *)(area + (at)))

static void begin(void)
{
    report[0] = '\0';
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    size_t used = strlen(report);
    va_list values;
    va_start(values, format);
    vsnprintf(report + used, sizeof report - used, format, values);
    va_end(values);
}

static struct bytes *end(void)
{
    answer = (struct bytes){(uint8_t *)report, strlen(report)};
    return &answer;
}

/* Says how a call went; the error is an enum, or the tag of a variant. */
static bool told(const char *name, unsigned payload)
{
    if (U8(0))
        say("%s: err %u\n", name, U8(payload));
    else
        say("%s: ok\n", name);
    return !U8(0);
}

/* The resource that a call answered; 0 where it failed. */
static int32_t handle(const char *name, unsigned at)
{
    return told(name, 4) ? (int32_t)U32(at) : 0;
}

/* The same for a number of `size` bytes. */
static uint64_t number(const char *name, unsigned size)
{
    if (!told(name, size))
        return 0;
    uint64_t value = size == 8 ? U64(8) : size == 4 ? U32(4) : U8(1);
    say("  = %llu\n", (unsigned long long)value);
    return value;
}

/* A string or a list of bytes at this place. */
static void text(const char *name, unsigned at)
{
    say("%s: '%.*s'\n", name, (int)U32(at + 4), (const char *)(intptr_t)U32(at));
}

static void optional_text(const char *name)
{
    if (U8(0))
        text(name, 4);
    else
        say("%s: none\n", name);
}

static void wait_for(int32_t pollable)
{
    pollable_block(pollable);
    drop_pollable(pollable);
}

/* --- cli, clocks, random --- */

static void pairs(const char *name)
{
    uint32_t *pair = (uint32_t *)(intptr_t)U32(0);
    for (uint32_t left = U32(4); left > 0; left--, pair += 4)
        say("%s: %.*s=%.*s\n", name, (int)pair[1], (char *)(intptr_t)pair[0], (int)pair[3], (char *)(intptr_t)pair[2]);
}

static void terminal(const char *name, void (*get)(int32_t), void (*drop)(int32_t))
{
    get(AREA);
    say("%s: %u\n", name, U8(0));
    if (U8(0))
        drop((int32_t)U32(4));
}

EXPORT("cli")
struct bytes *cli(void)
{
    begin();
    environment_get_environment(AREA);
    pairs("variable");
    environment_get_arguments(AREA);
    uint32_t *argument = (uint32_t *)(intptr_t)U32(0);
    for (uint32_t left = U32(4); left > 0; left--, argument += 2)
        say("argument: %.*s\n", (int)argument[1], (char *)(intptr_t)argument[0]);
    environment_initial_cwd(AREA);
    optional_text("folder");
    terminal("terminal-stdin", terminal_stdin_get_terminal_stdin, drop_terminal_input);
    terminal("terminal-stdout", terminal_stdout_get_terminal_stdout, drop_terminal_output);
    terminal("terminal-stderr", terminal_stderr_get_terminal_stderr, drop_terminal_output);
    int32_t input = stdin_get_stdin(), output = stdout_get_stdout(), errors = stderr_get_stderr();
    input_stream_blocking_read(input, 100, AREA);
    told("blocking-read of stdin", 4);
    output_stream_blocking_write_and_flush(output, TEXT("to stdout\n"), AREA);
    told("blocking-write-and-flush to stdout", 4);
    output_stream_blocking_write_and_flush(errors, TEXT("to stderr\n"), AREA);
    told("blocking-write-and-flush to stderr", 4);
    drop_input_stream(input);
    drop_output_stream(output);
    drop_output_stream(errors);
    return end();
}

EXPORT("leave") void leave(bool failed) { exit_exit(failed); }
EXPORT("leave-with") void leave_with(uint8_t code) { exit_exit_with_code(code); }

EXPORT("clocks")
struct bytes *clocks(void)
{
    begin();
    int64_t start = monotonic_clock_now();
    say("resolution: %d\n", monotonic_clock_resolution() > 0);
    int32_t soon = monotonic_clock_subscribe_duration(200000000);
    int32_t late = monotonic_clock_subscribe_instant(start + 3600000000000);
    say("ready: %d %d\n", pollable_ready(soon), pollable_ready(late));
    int32_t both[] = {late, soon};
    poll_poll((int32_t)(intptr_t)both, 2, AREA);
    say("poll: %u of them, number %u\n", U32(4), *(uint32_t *)(intptr_t)U32(0));
    pollable_block(soon);
    say("passed: %d\n", monotonic_clock_now() - start >= 200000000);
    drop_pollable(soon);
    drop_pollable(late);
    wall_clock_now(AREA);
    say("wall clock: %d %d\n", U64(0) > 1700000000, U32(8) < 1000000000);
    wall_clock_resolution(AREA);
    say("its resolution: %llu %u\n", (unsigned long long)U64(0), U32(8));
    return end();
}

EXPORT("random")
struct bytes *random_all(void)
{
    begin();
    random_get_random_bytes(100, AREA);
    say("random bytes: %u\n", U32(4));
    insecure_get_insecure_random_bytes(100, AREA);
    say("insecure bytes: %u\n", U32(4));
    say("random: %d\n", random_get_random_u64() != random_get_random_u64());
    say("insecure: %d\n", insecure_get_insecure_random_u64() != insecure_get_insecure_random_u64());
    insecure_seed_insecure_seed(AREA);
    say("seed: %d\n", U64(0) != U64(8));
    return end();
}

/* --- files --- */

enum { READ = 1, WRITE = 2, MUTATE = 32, CREATE = 1, DIRECTORY = 2, EXCLUSIVE = 4, TRUNCATE = 8 };

/* The first folder that the guest has been given. */
static int32_t root(void)
{
    preopens_get_directories(AREA);
    return U32(4) == 0 ? 0 : *(int32_t *)(intptr_t)U32(0);
}

static void entries_of(int32_t folder)
{
    descriptor_read_directory(folder, AREA);
    int32_t stream = handle("read-directory", 4);
    unsigned count = 0;
    for (;; count++) {
        directory_entry_stream_read_directory_entry(stream, AREA);
        if (U8(0) || !U8(4)) /* an error, or none */
            break;
    }
    say("entries: %u\n", count);
    drop_directory_entry_stream(stream);
}

static void stat_told(const char *name)
{
    if (told(name, 8)) /* descriptor-stat: type, link-count, size, three optional times */
        say("  = type %u, %llu links, %llu bytes\n", U8(8), (unsigned long long)U64(16), (unsigned long long)U64(24));
}

static void one_file(int32_t folder, int32_t file)
{
    descriptor_get_type(file, AREA);
    number("get-type", 1);
    descriptor_get_flags(file, AREA);
    number("get-flags", 1);
    descriptor_write(file, TEXT("0123456789"), 0, AREA);
    number("write", 8);
    descriptor_read(file, 4, 3, AREA);
    if (told("read", 4)) {
        text("content", 4);
        say("end: %u\n", U8(12));
    }
    descriptor_set_size(file, 8, AREA);
    told("set-size", 1);
    descriptor_stat(file, AREA);
    stat_told("stat");
    descriptor_advise(file, 0, 8, 1, AREA);
    told("advise", 1);
    descriptor_sync_data(file, AREA);
    told("sync-data", 1);
    descriptor_sync(file, AREA);
    told("sync", 1);
    descriptor_set_times(file, 2, 1000, 5, 2, 2000, 6, AREA);
    told("set-times", 1);
    descriptor_set_times_at(folder, 0, TEXT("calls.bin"), 0, 0, 0, 2, 3000, 7, AREA);
    told("set-times-at", 1);
    descriptor_stat(file, AREA); /* the optional times: at 32, 56 and 80, each with its payload 8 further */
    say("times: %llu.%u %llu.%u\n", (unsigned long long)U64(40), U32(48), (unsigned long long)U64(64), U32(72));
    descriptor_metadata_hash(file, AREA);
    told("metadata-hash", 8);
    uint64_t lower = U64(8), upper = U64(16);
    descriptor_metadata_hash_at(folder, 0, TEXT("calls.bin"), AREA);
    told("metadata-hash-at", 8);
    say("same hash: %d\n", lower == U64(8) && upper == U64(16));
    say("same object: %d %d\n", descriptor_is_same_object(file, file), descriptor_is_same_object(file, folder));
}

EXPORT("files")
struct bytes *files(void)
{
    begin();
    int32_t folder = root();
    entries_of(folder);
    descriptor_open_at(folder, 0, TEXT("calls.bin"), CREATE, READ | WRITE, AREA);
    int32_t file = handle("open-at", 4);
    one_file(folder, file);
    drop_descriptor(file);
    descriptor_create_directory_at(folder, TEXT("calls"), AREA);
    told("create-directory-at", 1);
    descriptor_link_at(folder, 0, TEXT("calls.bin"), folder, TEXT("calls/link"), AREA);
    told("link-at", 1);
    descriptor_symlink_at(folder, TEXT("link"), TEXT("calls/symlink"), AREA);
    told("symlink-at", 1);
    descriptor_readlink_at(folder, TEXT("calls/symlink"), AREA);
    if (told("readlink-at", 4))
        text("target", 4);
    descriptor_stat_at(folder, 0, TEXT("calls/symlink"), AREA);
    stat_told("stat-at");
    descriptor_stat_at(folder, 1, TEXT("calls/symlink"), AREA);
    stat_told("stat-at behind the link");
    descriptor_rename_at(folder, TEXT("calls/link"), folder, TEXT("calls/renamed"), AREA);
    told("rename-at", 1);
    descriptor_remove_directory_at(folder, TEXT("calls"), AREA);
    told("remove-directory-at while full", 1);
    descriptor_unlink_file_at(folder, TEXT("calls/renamed"), AREA);
    told("unlink-file-at", 1);
    descriptor_unlink_file_at(folder, TEXT("calls/symlink"), AREA);
    told("unlink-file-at of the link", 1);
    descriptor_remove_directory_at(folder, TEXT("calls"), AREA);
    told("remove-directory-at", 1);
    descriptor_open_at(folder, 1, TEXT("../outside"), CREATE, WRITE, AREA);
    told("open-at outside", 4);
    drop_descriptor(folder);
    return end();
}

/* --- streams --- */

static void told_failure(const char *name, unsigned payload)
{
    if (told(name, payload) || U8(payload) != 0)
        return;
    int32_t error = (int32_t)U32(payload + 4);
    types_filesystem_error_code(error, AREA);
    say("filesystem-error-code: %d\n", U8(0) ? U8(1) : -1);
    types_http_error_code(error, AREA);
    say("http-error-code: %d\n", U8(0) ? U8(8) : -1);
    error_to_debug_string(error, AREA);
    say("to-debug-string: %d\n", U32(4) > 0);
    drop_error(error);
}

static void write_all_ways(int32_t stream, int32_t source)
{
    wait_for(output_stream_subscribe(stream));
    output_stream_check_write(stream, AREA);
    told("check-write", 8);
    output_stream_write(stream, TEXT("abc"), AREA);
    told("write", 4);
    output_stream_flush(stream, AREA);
    told("flush", 4);
    output_stream_blocking_flush(stream, AREA);
    told("blocking-flush", 4);
    output_stream_blocking_write_and_flush(stream, TEXT("def"), AREA);
    told("blocking-write-and-flush", 4);
    wait_for(output_stream_subscribe(stream));
    output_stream_check_write(stream, AREA);
    output_stream_write_zeroes(stream, 2, AREA);
    told("write-zeroes", 4);
    output_stream_blocking_flush(stream, AREA);
    output_stream_blocking_write_zeroes_and_flush(stream, 2, AREA);
    told("blocking-write-zeroes-and-flush", 4);
    output_stream_blocking_splice(stream, source, 4, AREA);
    number("blocking-splice", 8);
    wait_for(input_stream_subscribe(source));
    wait_for(output_stream_subscribe(stream));
    output_stream_splice(stream, source, 0, AREA);
    number("splice of nothing", 8);
    output_stream_blocking_flush(stream, AREA);
}

EXPORT("streams")
struct bytes *streams(void)
{
    begin();
    int32_t folder = root();
    descriptor_open_at(folder, 0, TEXT("a.txt"), 0, READ, AREA);
    int32_t input = handle("open-at", 4);
    descriptor_open_at(folder, 0, TEXT("calls.bin"), CREATE | TRUNCATE, WRITE, AREA);
    int32_t output = handle("open-at", 4);

    descriptor_read_via_stream(input, 0, AREA);
    int32_t reading = handle("read-via-stream", 4);
    input_stream_blocking_read(reading, 3, AREA);
    if (told("blocking-read", 4))
        text("content", 4);
    input_stream_blocking_skip(reading, 2, AREA);
    number("blocking-skip", 8);
    wait_for(input_stream_subscribe(reading));
    input_stream_read(reading, 0, AREA);
    told("read", 4);
    input_stream_skip(reading, 0, AREA);
    number("skip", 8);

    descriptor_write_via_stream(output, 2, AREA);
    int32_t writing = handle("write-via-stream", 4);
    write_all_ways(writing, reading);
    drop_output_stream(writing);
    descriptor_append_via_stream(output, AREA);
    writing = handle("append-via-stream", 4);
    output_stream_blocking_write_and_flush(writing, TEXT("!"), AREA);
    told("blocking-write-and-flush", 4);
    drop_output_stream(writing);
    drop_input_stream(reading);

    descriptor_read_via_stream(output, 0, AREA);
    reading = handle("read-via-stream of what may be written only", 4);
    input_stream_blocking_read(reading, 1, AREA);
    told_failure("blocking-read", 4);
    drop_input_stream(reading);
    drop_descriptor(input);
    drop_descriptor(output);
    drop_descriptor(folder);
    return end();
}

/* --- sockets --- */

/* An ip-socket-address: the tag, then the fields of the longer case. */
#define ADDRESS(ipv6, port) \
    (ipv6), (port), (ipv6) ? 0 : 127, 0, 0, (ipv6) ? 0 : 1, 0, 0, 0, 0, (ipv6) ? 1 : 0, 0

static uint16_t told_address(const char *name)
{
    if (!told(name, 4))
        return 0;
    uint16_t port = U16(8);
    if (U8(4))
        say("  = ipv6, port %d, ...%x\n", port != 0, U16(30));
    else
        say("  = ipv4, port %d, %u.%u.%u.%u\n", port != 0, U8(10), U8(11), U8(12), U8(13));
    return port;
}

static void tcp_options(int32_t socket)
{
    tcp_socket_set_keep_alive_enabled(socket, 1, AREA);
    told("set-keep-alive-enabled", 1);
    tcp_socket_keep_alive_enabled(socket, AREA);
    number("keep-alive-enabled", 1);
    tcp_socket_set_keep_alive_idle_time(socket, 5000000000, AREA);
    told("set-keep-alive-idle-time", 1);
    tcp_socket_keep_alive_idle_time(socket, AREA);
    number("keep-alive-idle-time", 8);
    tcp_socket_set_keep_alive_interval(socket, 3000000000, AREA);
    told("set-keep-alive-interval", 1);
    tcp_socket_keep_alive_interval(socket, AREA);
    number("keep-alive-interval", 8);
    tcp_socket_set_keep_alive_count(socket, 4, AREA);
    told("set-keep-alive-count", 1);
    tcp_socket_keep_alive_count(socket, AREA);
    number("keep-alive-count", 4);
    tcp_socket_set_hop_limit(socket, 42, AREA);
    told("set-hop-limit", 1);
    tcp_socket_hop_limit(socket, AREA);
    number("hop-limit", 1);
    tcp_socket_set_receive_buffer_size(socket, 65536, AREA);
    told("set-receive-buffer-size", 1);
    tcp_socket_receive_buffer_size(socket, AREA);
    told("receive-buffer-size", 8);
    tcp_socket_set_send_buffer_size(socket, 65536, AREA);
    told("set-send-buffer-size", 1);
    tcp_socket_send_buffer_size(socket, AREA);
    told("send-buffer-size", 8);
}

/* Asks until it is done; every result of these has its error at `payload`. */
static void finish(int32_t socket, void (*step)(int32_t, int32_t), unsigned payload)
{
    for (step(socket, AREA); U8(0) && U8(payload) == WOULD_BLOCK; step(socket, AREA))
        wait_for(tcp_socket_subscribe(socket));
}

static int32_t listening(int32_t network, bool ipv6)
{
    tcp_create_socket_create_tcp_socket(ipv6, AREA);
    int32_t server = handle("create-tcp-socket", 4);
    tcp_socket_start_bind(server, network, ADDRESS(ipv6, 0), AREA);
    told("start-bind", 1);
    finish(server, tcp_socket_finish_bind, 1);
    told("finish-bind", 1);
    tcp_socket_set_listen_backlog_size(server, 4, AREA);
    told("set-listen-backlog-size", 1);
    tcp_socket_start_listen(server, AREA);
    told("start-listen", 1);
    finish(server, tcp_socket_finish_listen, 1);
    told("finish-listen", 1);
    say("is-listening: %d, address-family: %d\n", tcp_socket_is_listening(server), tcp_socket_address_family(server));
    return server;
}

EXPORT("tcp")
struct bytes *tcp(bool ipv6)
{
    begin();
    int32_t network = instance_network_instance_network();
    int32_t server = listening(network, ipv6);
    tcp_socket_local_address(server, AREA);
    uint16_t port = told_address("local-address");

    tcp_create_socket_create_tcp_socket(ipv6, AREA);
    int32_t client = handle("create-tcp-socket", 4);
    tcp_options(client);
    tcp_socket_start_connect(client, network, ADDRESS(ipv6, port), AREA);
    told("start-connect", 1);
    finish(client, tcp_socket_finish_connect, 4);
    int32_t input = handle("finish-connect", 4), output = (int32_t)U32(8);
    finish(server, tcp_socket_accept, 4);
    int32_t peer = handle("accept", 4), peer_input = (int32_t)U32(8), peer_output = (int32_t)U32(12);
    tcp_socket_remote_address(client, AREA);
    say("the server's: %d\n", told_address("remote-address") == port);

    output_stream_blocking_write_and_flush(output, TEXT("ping"), AREA);
    told("blocking-write-and-flush", 4);
    input_stream_blocking_read(peer_input, 100, AREA);
    if (told("blocking-read", 4))
        text("heard", 4);
    tcp_socket_shutdown(client, 1, AREA);
    told("shutdown", 1);
    input_stream_blocking_read(peer_input, 100, AREA);
    told("blocking-read at the end", 4);
    drop_input_stream(peer_input);
    drop_output_stream(peer_output);
    drop_tcp_socket(peer);
    input_stream_blocking_read(input, 100, AREA);
    told("blocking-read of the client", 4);
    drop_input_stream(input);
    drop_output_stream(output);
    drop_tcp_socket(client);
    drop_tcp_socket(server);
    drop_network(network);
    return end();
}

struct datagram {
    struct bytes data;
    uint8_t addressed; /* of the option; the address itself is left out */
    uint8_t address[32];
};
_Static_assert(sizeof(struct datagram) == 44, "outgoing-datagram as the canonical ABI has it");

static int32_t udp_socket(int32_t network, bool ipv6)
{
    udp_create_socket_create_udp_socket(ipv6, AREA);
    int32_t socket = handle("create-udp-socket", 4);
    udp_socket_start_bind(socket, network, ADDRESS(ipv6, 0), AREA);
    told("start-bind", 1);
    udp_socket_finish_bind(socket, AREA);
    told("finish-bind", 1);
    wait_for(udp_socket_subscribe(socket));
    return socket;
}

static void udp_options(int32_t socket)
{
    say("address-family: %d\n", udp_socket_address_family(socket));
    udp_socket_set_unicast_hop_limit(socket, 42, AREA);
    told("set-unicast-hop-limit", 1);
    udp_socket_unicast_hop_limit(socket, AREA);
    number("unicast-hop-limit", 1);
    udp_socket_set_receive_buffer_size(socket, 65536, AREA);
    told("set-receive-buffer-size", 1);
    udp_socket_receive_buffer_size(socket, AREA);
    told("receive-buffer-size", 8);
    udp_socket_set_send_buffer_size(socket, 65536, AREA);
    told("set-send-buffer-size", 1);
    udp_socket_send_buffer_size(socket, AREA);
    told("send-buffer-size", 8);
}

EXPORT("udp")
struct bytes *udp(bool ipv6)
{
    begin();
    int32_t network = instance_network_instance_network();
    int32_t server = udp_socket(network, ipv6), client = udp_socket(network, ipv6);
    udp_options(client);
    udp_socket_local_address(server, AREA);
    uint16_t port = told_address("local-address");
    udp_socket_stream(server, 0, ADDRESS(0, 0), AREA);
    int32_t server_in = handle("stream", 4), server_out = (int32_t)U32(8);
    udp_socket_stream(client, 1, ADDRESS(ipv6, port), AREA);
    int32_t client_in = handle("stream to the server", 4), client_out = (int32_t)U32(8);
    udp_socket_remote_address(client, AREA);
    say("the server's: %d\n", told_address("remote-address") == port);

    incoming_datagram_stream_receive(server_in, 1, AREA);
    if (told("receive of nothing", 4))
        say("  = %u\n", U32(8));
    wait_for(outgoing_datagram_stream_subscribe(client_out));
    outgoing_datagram_stream_check_send(client_out, AREA);
    told("check-send", 8);
    struct datagram datagram = {.data = {(uint8_t *)"ping", 4}};
    outgoing_datagram_stream_send(client_out, (int32_t)(intptr_t)&datagram, 1, AREA);
    number("send", 8);
    wait_for(incoming_datagram_stream_subscribe(server_in));
    incoming_datagram_stream_receive(server_in, 10, AREA);
    if (told("receive", 4) && U32(8) > 0) {
        struct bytes *data = (struct bytes *)(intptr_t)U32(4);
        say("heard: '%.*s'\n", (int)data->size, (char *)data->data);
    }
    drop_incoming_datagram_stream(server_in);
    drop_outgoing_datagram_stream(server_out);
    drop_incoming_datagram_stream(client_in);
    drop_outgoing_datagram_stream(client_out);
    drop_udp_socket(server);
    drop_udp_socket(client);
    drop_network(network);
    return end();
}

EXPORT("names")
struct bytes *names(void)
{
    begin();
    int32_t network = instance_network_instance_network();
    ip_name_lookup_resolve_addresses(network, TEXT("127.0.0.1"), AREA);
    int32_t stream = handle("resolve-addresses", 4);
    for (int left = 10; left > 0; left--) {
        resolve_address_stream_resolve_next_address(stream, AREA);
        if (U8(0) && U8(2) == WOULD_BLOCK) {
            wait_for(resolve_address_stream_subscribe(stream));
            continue;
        }
        told("resolve-next-address", 2);
        if (U8(0) || !U8(2))
            break;
        say("  = %s %u.%u.%u.%u\n", U8(4) ? "ipv6" : "ipv4", U8(6), U8(7), U8(8), U8(9));
    }
    drop_resolve_address_stream(stream);
    ip_name_lookup_resolve_addresses(network, TEXT("not a name"), AREA);
    told("resolve-addresses of nonsense", 4);
    drop_network(network);
    return end();
}

/* --- http --- */

static struct bytes values[] = {{(uint8_t *)"one", 3}, {(uint8_t *)"two", 3}};
#define VALUES ((int32_t)(intptr_t)values)

struct field {
    struct bytes name, value;
};

static int32_t listed_fields(void)
{
    static struct field fields[] = {{{(uint8_t *)"x-mine", 6}, {(uint8_t *)"yes", 3}}};
    fields_from_list((int32_t)(intptr_t)fields, 1, AREA);
    return handle("from-list", 4);
}

static void all_fields(int32_t fields)
{
    fields_entries(fields, AREA);
    pairs("entry");
}

static void said_result(const char *name, int32_t failed)
{
    say("%s: %s\n", name, failed ? "err" : "ok");
}

static void request_told(int32_t request)
{
    outgoing_request_method(request, AREA);
    say("method: %u\n", U8(0));
    outgoing_request_path_with_query(request, AREA);
    optional_text("path-with-query");
    outgoing_request_scheme(request, AREA);
    say("scheme: %d\n", U8(0) ? U8(4) : -1);
    outgoing_request_authority(request, AREA);
    optional_text("authority");
    int32_t headers = outgoing_request_headers(request);
    all_fields(headers);
    drop_fields(headers);
}

static void optional_number(const char *name)
{
    say("%s: %u %llu\n", name, U8(0), U8(0) ? (unsigned long long)U64(8) : 0);
}

static int32_t options(void)
{
    int32_t options = new_request_options();
    said_result("set-connect-timeout", request_options_set_connect_timeout(options, 1, 1000000000));
    said_result("set-first-byte-timeout", request_options_set_first_byte_timeout(options, 1, 2000000000));
    said_result("set-between-bytes-timeout", request_options_set_between_bytes_timeout(options, 1, 3000000000));
    request_options_connect_timeout(options, AREA);
    optional_number("connect-timeout");
    request_options_first_byte_timeout(options, AREA);
    optional_number("first-byte-timeout");
    request_options_between_bytes_timeout(options, AREA);
    optional_number("between-bytes-timeout");
    return options;
}

static void unsent_response(void)
{
    int32_t response = new_outgoing_response(listed_fields());
    say("status-code: %d\n", outgoing_response_status_code(response));
    said_result("set-status-code", outgoing_response_set_status_code(response, 404));
    say("status-code: %d\n", outgoing_response_status_code(response));
    int32_t headers = outgoing_response_headers(response);
    all_fields(headers);
    drop_fields(headers);
    outgoing_response_body(response, AREA);
    int32_t body = handle("body of a response", 4);
    drop_outgoing_body(body);
    drop_outgoing_response(response);
}

EXPORT("fields")
struct bytes *fields_all(void)
{
    begin();
    int32_t fields = new_fields();
    fields_set(fields, TEXT("X-Name"), VALUES, 2, AREA);
    told("set", 1);
    fields_append(fields, TEXT("x-name"), TEXT("three"), AREA);
    told("append", 1);
    fields_append(fields, TEXT("host"), TEXT("forbidden"), AREA);
    told("append of a forbidden one", 1);
    say("has: %d %d\n", fields_has(fields, TEXT("x-NAME")), fields_has(fields, TEXT("none")));
    fields_get(fields, TEXT("x-name"), AREA);
    say("get: %u\n", U32(4));
    int32_t copy = fields_clone(fields);
    fields_delete(fields, TEXT("x-name"), AREA);
    told("delete", 1);
    all_fields(fields);
    all_fields(copy);
    drop_fields(fields);
    drop_fields(copy);
    drop_request_options(options());
    unsent_response();
    return end();
}

static void read_body(int32_t response)
{
    incoming_response_consume(response, AREA);
    int32_t body = handle("consume", 4);
    incoming_body_stream(body, AREA);
    int32_t stream = handle("stream", 4);
    for (input_stream_blocking_read(stream, 100, AREA); !U8(0); input_stream_blocking_read(stream, 100, AREA))
        text("body", 4);
    told_failure("end of the body", 4);
    drop_input_stream(stream);
    int32_t future = incoming_body_finish(body);
    wait_for(future_trailers_subscribe(future));
    future_trailers_get(future, AREA); /* an option of a result of a result of an option of fields */
    bool came = U8(0) && !U8(8) && !U8(16);
    say("trailers: %s\n", !came ? "none came" : U8(24) ? "some" : "none");
    if (came && U8(24)) {
        int32_t trailers = (int32_t)U32(28);
        all_fields(trailers);
        drop_fields(trailers);
    }
    drop_future_trailers(future);
}

static void await(int32_t future)
{
    wait_for(future_incoming_response_subscribe(future));
    future_incoming_response_get(future, AREA); /* an option of a result of a result */
    if (!U8(0) || U8(8) || U8(16)) {
        say("response: err %u\n", U8(24));
    } else {
        int32_t response = (int32_t)U32(24);
        say("status: %d\n", incoming_response_status(response));
        int32_t headers = incoming_response_headers(response);
        fields_append(headers, TEXT("x"), TEXT("y"), AREA);
        told("append to what came", 1);
        fields_get(headers, TEXT("content-type"), AREA);
        say("content-type: %u\n", U32(4));
        drop_fields(headers);
        read_body(response);
        drop_incoming_response(response);
    }
    drop_future_incoming_response(future);
}

static int32_t request_to(uint16_t port, int32_t method, const char *path)
{
    int32_t request = new_outgoing_request(listed_fields());
    char authority[32];
    int size = snprintf(authority, sizeof authority, "127.0.0.1:%u", port);
    said_result("set-method", outgoing_request_set_method(request, method, 0, 0));
    said_result("set-scheme", outgoing_request_set_scheme(request, 1, 0, 0, 0));
    said_result("set-authority", outgoing_request_set_authority(request, 1, (int32_t)(intptr_t)authority, size));
    said_result("set-path-with-query", outgoing_request_set_path_with_query(request, 1, (int32_t)(intptr_t)path, (int32_t)strlen(path)));
    return request;
}

EXPORT("http")
struct bytes *http(uint16_t port)
{
    begin();
    int32_t empty = new_outgoing_request(new_fields());
    request_told(empty);
    drop_outgoing_request(empty);
    outgoing_handler_handle(request_to(port, 0, "/trailers"), 1, options(), AREA);
    if (told("handle", 8))
        await((int32_t)U32(8));
    outgoing_handler_handle(request_to(port, 0, "/cut"), 0, 0, AREA);
    if (told("handle", 8))
        await((int32_t)U32(8));

    int32_t request = request_to(port, 2, "/echo");
    outgoing_request_body(request, AREA);
    int32_t body = handle("body", 4);
    outgoing_handler_handle(request, 0, 0, AREA);
    int32_t future = told("handle", 8) ? (int32_t)U32(8) : 0;
    outgoing_body_write(body, AREA);
    int32_t stream = handle("write", 4);
    output_stream_blocking_write_and_flush(stream, TEXT("from C"), AREA);
    told("blocking-write-and-flush", 4);
    drop_output_stream(stream);
    outgoing_body_finish(body, 1, listed_fields(), AREA);
    told("finish", 8);
    await(future);
    return end();
}

#define DONE(name, called) \
    EXPORT("cabi_post_" name) void called##_done(void *result) { (void)result; release(); }

DONE("cli", cli)
DONE("clocks", clocks)
DONE("random", random)
DONE("files", files)
DONE("streams", streams)
DONE("tcp", tcp)
DONE("udp", udp)
DONE("names", names)
DONE("fields", fields)
DONE("http", http)
