#ifndef HERALD_CTL_SCREEN_H
#define HERALD_CTL_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * A terminal as a full screen that is drawn anew again and again. One at a time; the terminal is as it was before after
 * screen_close(), and after SIGINT, SIGTERM and SIGHUP too, which end screen_wait().
 */

/** Takes the terminal of standard input and output. Returns: false: they are none, nothing was changed. */
bool screen_open(void);
void screen_close(void);
/** Columns and rows of the terminal. */
void screen_size(size_t *ret_columns, size_t *ret_rows);
/** Draws text from the top; what is wider or longer than the terminal is left out. */
void screen_draw(const char *text);
/** Waits; false when the user wants to end: q, ^C, or a signal to end. A key or a changed size ends the wait early. */
bool screen_wait(uint32_t milliseconds);

/** Bytes of @line that fill at most @columns columns. */
size_t screen_clip(const char *line, size_t bytes, size_t columns);

#endif
