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

/* Whether fontconfig knows a font that has Hangul; @ret_family its first one. */
static bool find_hangul(char *ret_family, size_t bytes) {
    FILE *list = popen("fc-list :lang=ko family 2>/dev/null", "re");
    bool found = list != NULL && fgets(ret_family, (int)bytes, list) != NULL;
    char rest[512];
    while (list != NULL && fgets(rest, sizeof(rest), list) != NULL) {
        if (strstr(rest, "Nanum") != NULL) {
            snprintf(ret_family, bytes, "%s", rest);
        }
    }
    if (list != NULL) {
        pclose(list);
    }
    ret_family[found ? strcspn(ret_family, "\n,") : 0] = '\0';
    return found;
}

void doctor_fonts(const struct settings *settings, struct finding *ret_finding) {
    char family[512] = "";
    (void)settings;
    if (find_hangul(family, sizeof(family)) && strstr(family, "Nanum") != NULL) {
        finding_good(ret_finding, "%s has Hangul", family);
    } else if (access("/usr/share/fonts/truetype/nanum", R_OK) == 0) {
        finding_good(ret_finding, "fonts-nanum is installed");
    } else {
        finding_wrong(ret_finding, "fonts-nanum is not installed: pictures would show boxes instead of Hangul");
        finding_remedy(ret_finding, "apt-get install fonts-nanum fontconfig");
    }
}
