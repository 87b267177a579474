/*
 * A filter for a shell pipeline: every run of at least `mask N` digits (8 if
 * nothing is said) becomes as many stars, so that a log can be handed on
 * without the card numbers in it.
 *
 * Plain C: nothing in it knows of components. It keeps one piece of its input
 * and the length of the current run, so its memory does not grow.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { PIECE = 65536, LONGEST = 64 };

static char input[PIECE], output[PIECE];
static char run[LONGEST]; /* the digits that are not written yet */
static size_t digits;     /* how many there are */

/* Ends a run of digits: what is too short stays. */
static void end_run(size_t shortest)
{
    for (size_t i = 0; i < digits; i++)
        putchar(digits < shortest ? run[i] : '*');
    digits = 0;
}

int main(int count, char **arguments)
{
    size_t shortest = count > 1 ? (size_t)atoi(arguments[1]) : 8;
    if (shortest == 0 || shortest > LONGEST) {
        fprintf(stderr, "mask: a run has 1 to %d digits\n", LONGEST);
        return 1;
    }
    setvbuf(stdin, input, _IOFBF, sizeof input);
    setvbuf(stdout, output, _IOFBF, sizeof output);
    for (int letter; (letter = getchar()) != EOF;) {
        if (isdigit(letter) && digits < LONGEST) {
            run[digits++] = (char)letter;
        } else if (isdigit(letter)) {
            end_run(shortest); /* longer than any number is: the next run begins */
            run[digits++] = (char)letter;
        } else {
            end_run(shortest);
            putchar(letter);
        }
    }
    end_run(shortest);
    return ferror(stdin) || fflush(stdout) == EOF;
}
