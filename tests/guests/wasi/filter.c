/*
 * A filter: lines of stdin in capital letters to stdout; `filter WORD` lets
 * only the lines through that hold WORD. It reads and writes pieces of 64 KiB
 * and keeps one line at most, so its memory does not grow with its input.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { PIECE = 65536 };

static char line[PIECE];
static char input[PIECE];
static char output[PIECE];

int main(int count, char **arguments)
{
    const char *word = count > 1 ? arguments[1] : NULL;
    setvbuf(stdin, input, _IOFBF, sizeof input);
    setvbuf(stdout, output, _IOFBF, sizeof output);
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (word != NULL && strstr(line, word) == NULL)
            continue;
        for (char *letter = line; *letter != '\0'; letter++)
            *letter = (char)toupper((unsigned char)*letter);
        if (fputs(line, stdout) == EOF)
            return 1;
    }
    return ferror(stdin) || fflush(stdout) == EOF;
}
