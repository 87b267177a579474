/*
 * A command that says what it was given.
 *
 *     echo args...           its arguments, variables and folder to stdout
 *     echo --exit CODE       ... and then exits with CODE
 *     echo --cat FILE...     the files, to stdout
 *     echo --abort           aborts
 *     echo --return CODE     returns CODE from main
 *     echo --spin            never ends
 *     echo --sleep MS        sleeps
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static int cat(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 1;
    }
    char piece[4096];
    for (size_t size; (size = fread(piece, 1, sizeof piece, file)) != 0;)
        fwrite(piece, 1, size, stdout);
    fclose(file);
    return 0;
}

static int cat_all(char **paths)
{
    int failed = 0;
    for (; *paths != NULL; paths++)
        failed |= cat(*paths);
    return failed;
}

static void tell(int count, char **arguments)
{
    for (int i = 0; i < count; i++)
        printf("arg %d: %s\n", i, arguments[i]);
    for (char **variable = environ; variable != NULL && *variable != NULL; variable++)
        printf("env %s\n", *variable);
    char folder[4096];
    printf("cwd %s\n", getcwd(folder, sizeof folder) == NULL ? "?" : folder);
    fprintf(stderr, "%d arguments\n", count);
}

int main(int count, char **arguments)
{
    const char *word = count > 1 ? arguments[1] : "";
    if (strcmp(word, "--cat") == 0)
        return cat_all(arguments + 2);
    tell(count, arguments);
    fflush(stdout);
    int code = count > 2 ? atoi(arguments[2]) : 0;
    if (strcmp(word, "--exit") == 0)
        exit(code);
    if (strcmp(word, "--return") == 0)
        return code;
    if (strcmp(word, "--abort") == 0)
        abort();
    if (strcmp(word, "--sleep") == 0)
        nanosleep(&(struct timespec){code / 1000, (long)(code % 1000) * 1000000}, NULL);
    while (strcmp(word, "--spin") == 0)
        __asm__ volatile("");
    return 0;
}
