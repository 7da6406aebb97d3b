/* heraldctl doctor: runs its checks in order and prints each finding at once. */
#include "deploy/ctl/doctor.h"

#include "deploy/ctl/clean.h"
#include "deploy/ctl/remote.h"
#include "deploy/ctl/report.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

struct check_row {
    const char *name;
    doctor_check *check;
};

static const struct check_row check_rows[] = {
    {"postgres", doctor_postgres},
    {"redis", doctor_redis},
    {"kafka", doctor_kafka},
    {"herald-event", doctor_event_server},
    {"herald-job", doctor_job_server},
    {"herald-distribution", doctor_distribution_server},
    {"herald-content", doctor_content_server},
    {"channels", doctor_channels},
    {"content folder", doctor_content_folder},
    {"picture server", doctor_content_url},
    {"fonts", doctor_fonts},
};
#define CHECK_COUNT (sizeof(check_rows) / sizeof(check_rows[0]))

/* Sets the message on one line, because libraries put newlines into theirs. */
static void set_message(struct finding *finding, const char *format, va_list args) {
    char text[sizeof(finding->message)];
    vsnprintf(text, sizeof(text), format, args); /* not in place: the arguments may point into *finding */
    char *out = finding->message;
    for (const char *c = text; *c != '\0'; c++) {
        bool space = *c == '\n' || *c == '\t' || *c == ' ';
        if (!space || (out > finding->message && out[-1] != ' ')) {
            *out++ = space ? ' ' : *c;
        }
    }
    *out = '\0';
}

void finding_good(struct finding *finding, const char *format, ...) {
    va_list args;
    va_start(args, format);
    set_message(finding, format, args);
    va_end(args);
    finding->good = true;
}

void finding_wrong(struct finding *finding, const char *format, ...) {
    va_list args;
    va_start(args, format);
    set_message(finding, format, args);
    va_end(args);
    finding->good = false;
}

void finding_warning(struct finding *finding, const char *format, ...) {
    va_list args;
    va_start(args, format);
    set_message(finding, format, args);
    va_end(args);
    finding->good = true;
    finding->warning = true;
}

void finding_remedy(struct finding *finding, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(finding->remedy, sizeof(finding->remedy), format, args);
    va_end(args);
}

/* Prints a finding at once, because later checks may take seconds. JSON is printed as a whole at the end. */
static void show_finding(const struct ctl *ctl, const char *name, const struct finding *finding, json_t *all) {
    json_array_append_new(all,
                          json_pack("{s:s, s:b, s:b, s:s, s:s}", "check", name, "ok", finding->good ? 1 : 0, "warning",
                                    finding->warning ? 1 : 0, "message", finding->message, "remedy", finding->remedy));
    if (ctl->arguments->format == CTL_JSON) {
        return;
    }
    printf("%-5s  %-19s  %s\n", finding->warning ? "warn" : finding->good ? "ok" : "WRONG", name, finding->message);
    if (finding->remedy[0] != '\0') {
        printf("%-5s  %-19s  -> %s\n", "", "", finding->remedy);
    }
    fflush(stdout);
}

/* Checks the settings. They come first, because all other checks need them. */
static bool check_settings(struct ctl *ctl, json_t *all) {
    struct finding finding = {0};
    struct herald_error error;
    const char *path = ctl_config_path(ctl->arguments);
    enum herald_code code = settings_load(&ctl->settings, path, &error);
    if (code == HERALD_OK && (code = remote_prepare(ctl, &error)) != HERALD_OK) {
        settings_fini(&ctl->settings);
    }
    if (code == HERALD_OK) {
        finding_good(&finding, "%s", path != NULL ? path : "defaults and HERALD_* variables, no file");
    } else {
        finding_wrong(&finding, "%s", error.message);
        if (error.detail_count > 0) {
            finding_wrong(&finding, "%s: %s (and %u more)", error.details[0].field, error.details[0].message,
                          (unsigned)error.detail_count - 1);
        }
        finding_remedy(&finding, "correct it; any server's --print-config-reference lists all keys");
    }
    show_finding(ctl, "settings", &finding, all);
    return finding.good;
}

/* Where the findings of checks that have several go. */
struct shown_findings {
    const struct ctl *ctl;
    json_t *all;
};

static void show_further_finding(void *user, const char *name, const struct finding *finding) {
    const struct shown_findings *findings = user;
    show_finding(findings->ctl, name, finding, findings->all);
}

int ctl_doctor(struct ctl *ctl) {
    json_t *all = json_array();
    bool readable = check_settings(ctl, all), healthy = readable;
    for (size_t i = 0; readable && i < CHECK_COUNT; i++) {
        struct finding finding = {0};
        check_rows[i].check(&ctl->settings, &finding);
        show_finding(ctl, check_rows[i].name, &finding, all);
        healthy = healthy && finding.good;
    }
    if (readable) {
        healthy = doctor_gateways(&ctl->settings, show_further_finding, &(struct shown_findings){ctl, all}) && healthy;
        doctor_channel_states(&ctl->settings, show_further_finding, &(struct shown_findings){ctl, all});
    }
    if (ctl->arguments->format == CTL_JSON) {
        clean_print_json(stdout, all, JSON_INDENT(2));
    }
    json_decref(all);
    remote_forget();
    settings_fini(&ctl->settings);
    return healthy ? CTL_OK : CTL_UNHEALTHY;
}
