/* The world `libc` of world.wit: what a libc asks of WASI, one export each. */
#define _GNU_SOURCE
#include "abi.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 65536 };

extern char **environ;

struct moment {
    uint64_t seconds;
    uint32_t nanoseconds;
};

struct status {
    uint8_t kind;
    uint64_t size;
    uint64_t links;
    struct moment accessed;
    struct moment modified;
};

struct status_result {
    uint8_t is_err;
    union {
        struct status value;
        struct bytes error;
    };
};

struct list {
    struct bytes *items;
    size_t size;
};

struct list_result {
    uint8_t is_err;
    union {
        struct list value;
        struct bytes error;
    };
};

struct optional_bytes {
    uint8_t is_some;
    struct bytes value;
};

static struct bytes_result bytes_result;
static struct number_result number_result;
static struct status_result status_result;
static struct list_result list_result;
static struct optional_bytes optional_bytes;
static struct list list;
static struct bytes bytes;
static struct moment moment;

#define TEXT_PARAMETER(name) const uint8_t *name##_data, size_t name##_size
#define TEXT(name) terminated(name##_data, name##_size)

/* The answer of a call that says -1 on failure. */
static struct number_result *answer(int64_t value)
{
    number_result.is_err = value < 0;
    if (value < 0)
        number_result.error = copied_text(strerror(errno));
    else
        number_result.value = (uint64_t)value;
    return &number_result;
}

static struct bytes_result *answer_bytes(bool ok, struct bytes value)
{
    bytes_result.is_err = !ok;
    bytes_result.value = ok ? value : copied_text(strerror(errno));
    return &bytes_result;
}

static struct moment moment_of(struct timespec time)
{
    return (struct moment){(uint64_t)time.tv_sec, (uint32_t)time.tv_nsec};
}

/* --- files --- */

EXPORT("read-file")
struct bytes_result *read_file(TEXT_PARAMETER(path))
{
    int file = open(TEXT(path), O_RDONLY);
    if (file < 0)
        return answer_bytes(false, bytes);
    struct bytes content = {NULL, 0};
    ssize_t count;
    do {
        content.data = realloc(content.data, content.size + PIECE);
        if (content.data == NULL)
            __builtin_trap();
        count = read(file, content.data + content.size, PIECE);
        if (count > 0)
            content.size += (size_t)count;
    } while (count > 0);
    int failure = errno;
    close(file);
    struct bytes result = copied(content.data, content.size);
    free(content.data);
    errno = failure;
    return answer_bytes(count == 0, result);
}

EXPORT("write-file")
struct number_result *write_file(TEXT_PARAMETER(path), TEXT_PARAMETER(mode), const uint8_t *data, size_t size)
{
    FILE *file = fopen(TEXT(path), TEXT(mode));
    if (file == NULL)
        return answer(-1);
    size_t written = fwrite(data, 1, size, file);
    int failed = ferror(file);
    int failure = errno;
    if (fclose(file) != 0)
        return answer(-1);
    errno = failure;
    return answer(failed ? -1 : (int64_t)written);
}

EXPORT("read-at")
struct bytes_result *read_at(TEXT_PARAMETER(path), uint64_t offset, uint32_t size)
{
    int file = open(TEXT(path), O_RDONLY);
    if (file < 0)
        return answer_bytes(false, bytes);
    struct bytes result = {allocate(size), 0};
    ssize_t count = pread(file, result.data, size, (off_t)offset);
    int failure = errno;
    close(file);
    errno = failure;
    result.size = count < 0 ? 0 : (size_t)count;
    return answer_bytes(count >= 0, result);
}

EXPORT("write-at")
struct number_result *write_at(TEXT_PARAMETER(path), uint64_t offset, const uint8_t *data, size_t size)
{
    int file = open(TEXT(path), O_WRONLY);
    if (file < 0)
        return answer(-1);
    ssize_t count = pwrite(file, data, size, (off_t)offset);
    int failure = errno;
    close(file);
    errno = failure;
    return answer(count);
}

static bool fill(int file, uint64_t size)
{
    static uint8_t piece[PIECE];
    for (size_t i = 0; i < PIECE; i++)
        piece[i] = (uint8_t)(i * 31 + 7);
    while (size > 0) {
        ssize_t count = write(file, piece, size < PIECE ? (size_t)size : PIECE);
        if (count < 0)
            return false;
        size -= (uint64_t)count;
    }
    return true;
}

static int64_t sum_of(int file)
{
    static uint8_t piece[PIECE];
    uint64_t sum = 0;
    ssize_t count;
    while ((count = read(file, piece, PIECE)) > 0)
        for (ssize_t i = 0; i < count; i++)
            sum += piece[i];
    return count < 0 ? -1 : (int64_t)sum;
}

EXPORT("copy-through")
struct number_result *copy_through(TEXT_PARAMETER(path), uint64_t size)
{
    int file = open(TEXT(path), O_RDWR | O_CREAT | O_TRUNC, 0666);
    if (file < 0)
        return answer(-1);
    int64_t sum = -1;
    if (fill(file, size) && lseek(file, 0, SEEK_SET) == 0)
        sum = sum_of(file);
    int failure = errno;
    close(file);
    errno = failure;
    return answer(sum);
}

EXPORT("truncate")
struct number_result *truncate_to(TEXT_PARAMETER(path), uint64_t size)
{
    return answer(truncate(TEXT(path), (off_t)size));
}

EXPORT("status")
struct status_result *status_of(TEXT_PARAMETER(path), bool follow)
{
    struct stat status;
    char *path = TEXT(path);
    status_result.is_err = (follow ? stat(path, &status) : lstat(path, &status)) != 0;
    if (status_result.is_err) {
        status_result.error = copied_text(strerror(errno));
        return &status_result;
    }
    uint8_t kind = S_ISREG(status.st_mode) ? 1 : S_ISDIR(status.st_mode) ? 2 : S_ISLNK(status.st_mode) ? 3 : 0;
    status_result.value = (struct status){
        kind, (uint64_t)status.st_size, status.st_nlink, moment_of(status.st_atim), moment_of(status.st_mtim)};
    return &status_result;
}

EXPORT("set-times")
struct number_result *set_times(TEXT_PARAMETER(path), uint64_t accessed, uint32_t accessed_ns, uint64_t modified,
                                uint32_t modified_ns)
{
    struct timespec times[] = {{(time_t)accessed, (long)accessed_ns}, {(time_t)modified, (long)modified_ns}};
    return answer(utimensat(AT_FDCWD, TEXT(path), times, 0));
}

static int by_name(const void *left, const void *right)
{
    const struct bytes *a = left, *b = right;
    int order = memcmp(a->data, b->data, a->size < b->size ? a->size : b->size);
    return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

static struct list names_in(DIR *folder)
{
    struct list names = {NULL, 0};
    struct bytes found[256]; /* enough for a test */
    for (struct dirent *entry; names.size < 256 && (entry = readdir(folder)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            found[names.size++] = copied_text(entry->d_name);
    qsort(found, names.size, sizeof found[0], by_name);
    names.items = (void *)copied(found, names.size * sizeof found[0]).data;
    return names;
}

EXPORT("list-folder")
struct list_result *list_folder(TEXT_PARAMETER(path))
{
    DIR *folder = opendir(TEXT(path));
    errno = folder == NULL ? errno : 0;
    if (folder != NULL)
        list = names_in(folder);
    list_result.is_err = errno != 0;
    if (errno != 0)
        list_result.error = copied_text(strerror(errno));
    else
        list_result.value = list;
    if (folder != NULL)
        closedir(folder);
    return &list_result;
}

EXPORT("make-folder") struct number_result *make_folder(TEXT_PARAMETER(path)) { return answer(mkdir(TEXT(path), 0777)); }
EXPORT("remove-folder") struct number_result *remove_folder(TEXT_PARAMETER(path)) { return answer(rmdir(TEXT(path))); }
EXPORT("remove-file") struct number_result *remove_file(TEXT_PARAMETER(path)) { return answer(unlink(TEXT(path))); }

EXPORT("rename")
struct number_result *rename_to(TEXT_PARAMETER(from), TEXT_PARAMETER(to))
{
    return answer(rename(TEXT(from), TEXT(to)));
}

EXPORT("link")
struct number_result *link_to(TEXT_PARAMETER(from), TEXT_PARAMETER(to))
{
    return answer(link(TEXT(from), TEXT(to)));
}

EXPORT("symlink")
struct number_result *symlink_to(TEXT_PARAMETER(target), TEXT_PARAMETER(path))
{
    return answer(symlink(TEXT(target), TEXT(path)));
}

EXPORT("read-link")
struct bytes_result *read_link(TEXT_PARAMETER(path))
{
    char target[4096];
    ssize_t size = readlink(TEXT(path), target, sizeof target);
    int failure = errno;
    struct bytes result = copied(target, size < 0 ? 0 : (size_t)size);
    errno = failure;
    return answer_bytes(size >= 0, result);
}

EXPORT("settle")
struct number_result *settle(TEXT_PARAMETER(path))
{
    int file = open(TEXT(path), O_RDWR);
    if (file < 0)
        return answer(-1);
    int result = fsync(file) | fdatasync(file);
    int failure = errno;
    if (result == 0)
        result = failure = posix_fadvise(file, 0, 0, POSIX_FADV_SEQUENTIAL);
    close(file);
    errno = failure;
    return answer(result == 0 ? 0 : -1);
}

EXPORT("open-many")
uint32_t open_many(TEXT_PARAMETER(path), uint32_t most)
{
    char *path = TEXT(path);
    uint32_t count = 0;
    while (count < most && open(path, O_RDONLY) >= 0)
        count++;
    release();
    return count;
}

/* --- environment --- */

EXPORT("variable")
struct optional_bytes *variable(TEXT_PARAMETER(name))
{
    const char *value = getenv(TEXT(name));
    optional_bytes.is_some = value != NULL;
    if (value != NULL)
        optional_bytes.value = copied_text(value);
    return &optional_bytes;
}

EXPORT("variables")
struct list *variables(void)
{
    list.size = 0;
    while (environ != NULL && environ[list.size] != NULL)
        list.size++;
    list.items = allocate(list.size * sizeof *list.items);
    for (size_t i = 0; i < list.size; i++)
        list.items[i] = copied_text(environ[i]);
    return &list;
}

EXPORT("folder")
struct bytes *folder(void)
{
    char path[4096];
    bytes = copied_text(getcwd(path, sizeof path) == NULL ? strerror(errno) : path);
    return &bytes;
}

/* --- clocks and random --- */

EXPORT("wall-clock")
struct moment *wall_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    moment = moment_of(now);
    return &moment;
}

EXPORT("monotonic-clock")
uint64_t monotonic_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

EXPORT("resolutions")
struct list *resolutions(void)
{
    static uint64_t nanoseconds[2];
    struct timespec wall, monotonic;
    clock_getres(CLOCK_REALTIME, &wall);
    clock_getres(CLOCK_MONOTONIC, &monotonic);
    nanoseconds[0] = (uint64_t)wall.tv_sec * 1000000000 + (uint64_t)wall.tv_nsec;
    nanoseconds[1] = (uint64_t)monotonic.tv_sec * 1000000000 + (uint64_t)monotonic.tv_nsec;
    list = (struct list){(void *)nanoseconds, 2};
    return &list;
}

EXPORT("sleep-ms")
void sleep_ms(uint32_t time)
{
    struct timespec left = {time / 1000, (long)(time % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0)
        continue;
}

EXPORT("poll-stdin")
bool poll_stdin(uint32_t time)
{
    struct pollfd wanted = {.fd = 0, .events = POLLIN};
    return poll(&wanted, 1, (int)time) > 0;
}

EXPORT("random-bytes")
struct bytes *random_bytes(uint32_t size)
{
    bytes = (struct bytes){allocate(size), size};
    for (uint32_t done = 0; done < size; done += 256) /* the most that getentropy gives */
        if (getentropy(bytes.data + done, size - done < 256 ? size - done : 256) != 0)
            __builtin_trap();
    return &bytes;
}

/* --- stdio --- */

static struct number_result *write_all(int file, const uint8_t *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t count = write(file, data + done, size - done);
        if (count < 0)
            return answer(-1);
        done += (size_t)count;
    }
    return answer((int64_t)size);
}

EXPORT("print") struct number_result *print(TEXT_PARAMETER(text)) { return write_all(1, text_data, text_size); }
EXPORT("print-error") struct number_result *print_error(TEXT_PARAMETER(text)) { return write_all(2, text_data, text_size); }

EXPORT("read-stdin")
struct bytes_result *read_stdin(uint32_t most)
{
    struct bytes result = {allocate(most), 0};
    ssize_t count = read(0, result.data, most);
    result.size = count < 0 ? 0 : (size_t)count;
    return answer_bytes(count >= 0, result);
}

EXPORT("is-terminal") bool is_terminal(uint32_t descriptor) { return isatty((int)descriptor) == 1; }
EXPORT("leave") void leave(uint32_t code) { exit((int)code); }
EXPORT("abandon") void abandon(void) { abort(); }

#define POST(name) EXPORT("cabi_post_" name) void
#define DONE(void_name) void_name(void *result) { (void)result; release(); }

POST("read-file") DONE(read_file_done)
POST("write-file") DONE(write_file_done)
POST("read-at") DONE(read_at_done)
POST("write-at") DONE(write_at_done)
POST("copy-through") DONE(copy_through_done)
POST("truncate") DONE(truncate_done)
POST("status") DONE(status_done)
POST("set-times") DONE(set_times_done)
POST("list-folder") DONE(list_folder_done)
POST("make-folder") DONE(make_folder_done)
POST("remove-folder") DONE(remove_folder_done)
POST("remove-file") DONE(remove_file_done)
POST("rename") DONE(rename_done)
POST("link") DONE(link_done)
POST("symlink") DONE(symlink_done)
POST("read-link") DONE(read_link_done)
POST("settle") DONE(settle_done)
POST("variable") DONE(variable_done)
POST("variables") DONE(variables_done)
POST("folder") DONE(folder_done)
POST("random-bytes") DONE(random_bytes_done)
POST("print") DONE(print_done)
POST("print-error") DONE(print_error_done)
POST("read-stdin") DONE(read_stdin_done)
