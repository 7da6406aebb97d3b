#include "deploy/ctl/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void doctor_content_folder(const struct settings *settings, struct finding *ret_finding) {
    const char *folder = settings->content_dir;
    struct stat status;
    if (stat(folder, &status) != 0) {
        finding_wrong(ret_finding, "%s: %s", folder, strerror(errno));
        finding_remedy(ret_finding, "mkdir -p %s, or set [content] dir (HERALD_CONTENT_DIR)", folder);
    } else if (!S_ISDIR(status.st_mode)) {
        finding_wrong(ret_finding, "%s is not a folder", folder);
        finding_remedy(ret_finding, "set [content] dir (HERALD_CONTENT_DIR) to a folder");
    } else if (access(folder, W_OK | X_OK) != 0) {
        finding_wrong(ret_finding, "%s cannot be written: %s", folder, strerror(errno));
        finding_remedy(ret_finding, "give it to the user of herald-content, or set [content] dir (HERALD_CONTENT_DIR)");
    } else {
        finding_good(ret_finding, "%s can be written", folder);
    }
}

/* Whether fontconfig lists a family that @pattern describes. */
static bool has_font(const char *pattern) {
    char command[128], family[64];
    snprintf(command, sizeof(command), "fc-list '%s' family 2>/dev/null", pattern);
    FILE *list = popen(command, "re");
    bool listed = list != NULL && fgets(family, sizeof(family), list) != NULL;
    if (list != NULL) {
        pclose(list);
    }
    return listed;
}

/* What pictures need besides Hangul: without it those characters are left out, and the job's warnings name them. */
static const struct {
    const char *pattern, *folder, *package, *what;
} OTHER_FONTS[] = {
    {"Noto Sans CJK KR", "/usr/share/fonts/opentype/noto", "fonts-noto-cjk", "Hanja and Kana"},
    {"Noto Sans Thai", "/usr/share/fonts/truetype/noto", "fonts-noto-core", "other scripts and symbols"},
    {"Noto Color Emoji", "/usr/share/fonts/truetype/noto", "fonts-noto-color-emoji", "emoji"},
};

void doctor_fonts(const struct settings *settings, struct finding *ret_finding) {
    (void)settings;
    bool can_list = has_font(":");
    if (can_list ? !has_font("NanumGothic") : access("/usr/share/fonts/truetype/nanum", R_OK) != 0) {
        finding_wrong(ret_finding, "fonts-nanum is not installed: no picture can be drawn without a font for Hangul");
        finding_remedy(ret_finding, "apt-get install fonts-nanum fontconfig");
        return;
    }
    for (size_t i = 0; i < sizeof(OTHER_FONTS) / sizeof(OTHER_FONTS[0]); i++) {
        if (can_list ? !has_font(OTHER_FONTS[i].pattern) : access(OTHER_FONTS[i].folder, R_OK) != 0) {
            finding_warning(ret_finding, "%s is not installed: pictures leave out %s", OTHER_FONTS[i].package,
                            OTHER_FONTS[i].what);
            finding_remedy(ret_finding, "apt-get install %s", OTHER_FONTS[i].package);
            return;
        }
    }
    finding_good(ret_finding, "fonts for Hangul, Hanja, other scripts and emoji are installed");
}
