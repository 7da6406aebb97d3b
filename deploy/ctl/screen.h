#ifndef HERALD_CTL_SCREEN_H
#define HERALD_CTL_SCREEN_H

/*
 * A full screen that is redrawn repeatedly. One at a time. screen_close() restores the terminal. SIGINT, SIGTERM and
 * SIGHUP end screen_wait(), so that the program can close the screen.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** Takes over the terminal. Returns: false: standard input or output is no terminal, and nothing was changed */
bool screen_open(void);
void screen_close(void);
/** Columns and rows of the terminal. */
void screen_size(size_t *ret_columns, size_t *ret_rows);
/** Draws text from the top; columns and rows beyond the terminal are left out. */
void screen_draw(const char *text);
/** Waits. A key or a changed size ends the wait early. Returns: false: the user wants to quit: q, ^C or a signal */
bool screen_wait(uint32_t milliseconds);

/** Bytes of @line that fill at most @columns columns. */
size_t screen_clip(const char *line, size_t bytes, size_t columns);

#endif
