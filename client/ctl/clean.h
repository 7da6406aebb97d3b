#ifndef HERALD_CTL_CLEAN_H
#define HERALD_CTL_CLEAN_H

/** Puts spaces, in place, where UTF-8 text of somebody else has what a terminal would obey: control characters, also
 *  those from U+0080 to U+009F. Returns @text. */
char *clean_text(char *text);

#endif
