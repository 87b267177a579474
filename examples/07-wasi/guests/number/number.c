/* A filter: numbers the lines of its input, as `nl -ba` does. */
#include <stdio.h>

int main(void)
{
    static char line[65536];
    unsigned long long number = 0;
    int at_start = 1;
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (at_start)
            printf("%6llu  ", ++number);
        fputs(line, stdout);
        at_start = 0;
        for (const char *letter = line; *letter != 0; letter++)
            at_start = *letter == '\n';
    }
    return ferror(stdin) || fflush(stdout) != 0;
}
