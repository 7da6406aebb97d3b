/* The full screen of heraldctl top: screen.h. Signal handlers only set a flag. */
#include "deploy/ctl/screen.h"

#include "deploy/ctl/table.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l" /* the alternate screen, no cursor */
#define LEAVE "\033[?25h\033[?1049l"

static const int end_signals[] = {SIGINT, SIGTERM, SIGHUP};
#define END_SIGNALS     (sizeof(end_signals) / sizeof(end_signals[0]))
#define DEFAULT_COLUMNS 80
#define DEFAULT_ROWS    24

static struct termios kept_terminal;
static struct sigaction kept_actions[END_SIGNALS], kept_resize;
static volatile sig_atomic_t ended;

static void on_end_signal(int signal_number) {
    (void)signal_number;
    ended = 1;
}

static void on_resize(int signal_number) {
    (void)signal_number;
}

static void take_signals(void) {
    const struct sigaction end = {.sa_handler = on_end_signal}, resize = {.sa_handler = on_resize};
    for (size_t i = 0; i < END_SIGNALS; i++) {
        sigaction(end_signals[i], &end, &kept_actions[i]);
    }
    sigaction(SIGWINCH, &resize, &kept_resize);
}

bool screen_open(void) {
    if (isatty(STDIN_FILENO) != 1 || isatty(STDOUT_FILENO) != 1 || tcgetattr(STDIN_FILENO, &kept_terminal) != 0) {
        return false;
    }
    struct termios raw = kept_terminal;
    raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    raw.c_cc[VSUSP] = _POSIX_VDISABLE; /* a stopped program would leave the terminal in raw mode */
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    ended = 0;
    take_signals();
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    fputs(ENTER, stdout);
    fflush(stdout);
    return true;
}

void screen_close(void) {
    fputs(LEAVE, stdout);
    fflush(stdout);
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &kept_terminal);
    for (size_t i = 0; i < END_SIGNALS; i++) {
        sigaction(end_signals[i], &kept_actions[i], NULL);
    }
    sigaction(SIGWINCH, &kept_resize, NULL);
}

size_t screen_clip(const char *line, size_t bytes, size_t columns) {
    char character[8];
    size_t at = 0, used = 0;
    while (at < bytes) {
        size_t length = 1;
        while (at + length < bytes && length < 4 && ((unsigned char)line[at + length] & 0xc0) == 0x80) {
            length++;
        }
        memcpy(character, line + at, length);
        character[length] = '\0';
        used += table_text_columns(character);
        if (used > columns) {
            break;
        }
        at += length;
    }
    return at;
}

void screen_size(size_t *ret_columns, size_t *ret_rows) {
    struct winsize size = {0};
    (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    *ret_columns = size.ws_col > 0 ? size.ws_col : DEFAULT_COLUMNS;
    *ret_rows = size.ws_row > 0 ? size.ws_row : DEFAULT_ROWS;
}

void screen_draw(const char *text) {
    size_t columns, rows;
    screen_size(&columns, &rows);
    fputs("\033[H", stdout);
    for (size_t row = 0; *text != '\0' && row < rows; row++) {
        size_t length = strcspn(text, "\n");
        fwrite(text, 1, screen_clip(text, length, columns), stdout);
        /* No newline after the last row: the screen would scroll. */
        fputs(row + 1 < rows ? "\033[K\n" : "\033[K", stdout);
        text += length + (text[length] == '\n');
    }
    fputs("\033[J", stdout);
    fflush(stdout);
}

bool screen_wait(uint32_t milliseconds) {
    struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
    char key = 0;
    if (ended) {
        return false;
    }
    if (poll(&keys, 1, (int)milliseconds) > 0) {
        ssize_t count = read(STDIN_FILENO, &key, 1);
        if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN)) {
            return false; /* the terminal is gone */
        }
    }
    return !ended && key != 'q' && key != 'Q';
}
