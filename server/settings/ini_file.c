#include "server/settings/ini_file.h"

#include <ini.h>
#include <string.h>

/* inih reads through read_ini_line(), which counts the lines and checks the form of each before inih sees it. */
struct reading {
    const struct ini_handler *handler;
    FILE *file;
    int line;
    bool problem;
};

static void ini_problem(struct reading *reading, enum herald_reason reason, const char *text) {
    reading->problem = true;
    reading->handler->on_problem(reading->handler->user, reading->line, reason, text);
}

static void check_section(struct reading *reading, char *text) {
    char *end = strchr(text, ']');
    if (end == NULL) {
        ini_problem(reading, HERALD_REASON_SYNTAX, "the section's name has no closing ]");
        text[0] = '\0'; /* inih would report it again */
        return;
    }
    char section[256];
    (void)snprintf(section, sizeof(section), "%.*s", (int)(end - text - 1), text + 1);
    if (strlen(section) > INI_SECTION_MAX) {
        ini_problem(reading, HERALD_REASON_SYNTAX, "the section's name is too long");
    } else {
        reading->handler->on_section(reading->handler->user, reading->line, section);
    }
}

/* Checks a line. Drops leading blanks, with which inih would append it to the line before. */
static void check_line(struct reading *reading, char *text) {
    static const char byte_order_mark[] = "\xEF\xBB\xBF";
    if (reading->line == 1 && strncmp(text, byte_order_mark, 3) == 0) {
        memmove(text, text + 3, strlen(text + 3) + 1);
    }
    size_t blanks = strspn(text, " \t\r\n\v\f");
    memmove(text, text + blanks, strlen(text + blanks) + 1);
    if (text[0] == '\0' || text[0] == ';' || text[0] == '#') {
        return;
    }
    if (text[0] == '[') {
        check_section(reading, text);
    } else if (strpbrk(text, "=:") == NULL) {
        ini_problem(reading, HERALD_REASON_SYNTAX, "the line is neither [section] nor key = value");
        text[0] = '\0';
    }
}

/* Skips a line that does not fit into the buffer, and reports it unless it is a comment. */
static void refuse_line(struct reading *reading, char *buffer, size_t buffer_bytes) {
    char first = buffer[strspn(buffer, " \t")];
    if (strlen(buffer) < buffer_bytes - 1) {
        ini_problem(reading, HERALD_REASON_SYNTAX, "contains a NUL byte");
    } else {
        int c = 0;
        while ((c = fgetc(reading->file)) != EOF && c != '\n') {
            continue;
        }
        char text[64];
        (void)snprintf(text, sizeof(text), "longer than %zu bytes", buffer_bytes - 2);
        if (first != ';' && first != '#') {
            ini_problem(reading, HERALD_REASON_LINE_TOO_LONG, text);
        }
    }
    buffer[0] = '\0';
}

/* inih's ini_reader: as fgets(). */
static char *read_ini_line(char *buffer, int buffer_bytes, void *user) {
    struct reading *reading = user;
    if (fgets(buffer, buffer_bytes, reading->file) == NULL) {
        return NULL;
    }
    reading->line++;
    if (strchr(buffer, '\n') == NULL && !feof(reading->file)) {
        refuse_line(reading, buffer, (size_t)buffer_bytes);
    }
    check_line(reading, buffer);
    return buffer;
}

static int on_ini_key(void *user, const char *section, const char *key, const char *value) {
    struct reading *reading = user;
    reading->handler->on_key(reading->handler->user, reading->line, section, key, value);
    return 1;
}

bool ini_file_read(FILE *file, const struct ini_handler *handler) {
    struct reading reading = {.handler = handler, .file = file};
    int bad_line = ini_parse_stream(read_ini_line, &reading, on_ini_key, &reading);
    if (bad_line > 0 && !reading.problem) {
        reading.line = bad_line;
        ini_problem(&reading, HERALD_REASON_SYNTAX, "not understood");
    }
    return !ferror(file);
}
