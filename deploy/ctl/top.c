/* heraldctl top: the loop and the terminal. top.h describes the parts. */
#include "deploy/ctl/top.h"

#include "client/base/clock.h"
#include "deploy/ctl/report.h"
#include "deploy/ctl/screen.h"
#include "deploy/ctl/watching.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_INTERVAL_MS 1000
#define HEAD_ROWS           2

static void draw_top(const struct top *top, uint32_t interval_ms) {
    char *text = NULL, at[32] = "";
    size_t bytes = 0, columns, rows;
    time_t now = time(NULL);
    struct tm local;
    FILE *memory = open_memstream(&text, &bytes);
    if (memory == NULL) {
        return;
    }
    screen_size(&columns, &rows);
    if (localtime_r(&now, &local) != NULL) {
        strftime(at, sizeof(at), "%H:%M:%S", &local);
    }
    fprintf(memory, "heraldctl top  %s  every %g s  q ends\n\n", at, interval_ms / 1e3);
    top_show_text(top, &(struct top_room){columns, rows > HEAD_ROWS ? rows - HEAD_ROWS : 0}, memory);
    if (fclose(memory) == 0) {
        screen_draw(text);
    }
    free(text);
}

/* Waits for the next look. A key or a changed size only redraws the screen. */
static bool wait_for_next(const struct top *top, uint64_t next_ms, uint32_t interval_ms) {
    for (uint64_t now = herald_monotonic_us() / 1000u; now < next_ms; now = herald_monotonic_us() / 1000u) {
        if (!screen_wait((uint32_t)(next_ms - now))) {
            return false;
        }
        if (herald_monotonic_us() / 1000u < next_ms) {
            draw_top(top, interval_ms);
        }
    }
    return screen_wait(0);
}

static void show_live(struct top *top, uint32_t interval_ms) {
    uint64_t next_ms;
    do {
        next_ms = herald_monotonic_us() / 1000u + interval_ms;
        top_look(top);
        draw_top(top, interval_ms);
    } while (wait_for_next(top, next_ms, interval_ms));
    screen_close();
}

static int show_once(struct top *top, uint32_t interval_ms) {
    top_look(top);
    watch_pause(interval_ms);
    top_look(top);
    if (top->ctl->arguments->format == CTL_JSON) {
        top_show_json(top, stdout);
    } else {
        top_show_text(top, NULL, stdout);
    }
    return top_status(top);
}

int ctl_top(struct ctl *ctl) {
    uint32_t interval_ms = ctl->arguments->interval_ms > 0 ? ctl->arguments->interval_ms : DEFAULT_INTERVAL_MS;
    struct herald_error error;
    struct top top;
    int status = CTL_OK;
    if (top_open(&top, ctl, &error) != HERALD_OK) {
        report_error(stderr, ctl->arguments->format, "top", &error);
        return CTL_USAGE;
    }
    if (!ctl->arguments->once && ctl->arguments->format == CTL_TABLE && screen_open()) {
        show_live(&top, interval_ms);
    } else {
        status = show_once(&top, interval_ms);
    }
    top_close(&top);
    return status;
}
