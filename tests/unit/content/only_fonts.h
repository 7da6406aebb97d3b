#ifndef HERALD_TESTS_CONTENT_ONLY_FONTS_H
#define HERALD_TESTS_CONTENT_ONLY_FONTS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char only_fonts_folder[] = "/tmp/herald-only-fonts-XXXXXX";
static char only_fonts_path[64];

/* Lets the process have the fonts of one folder only. To be called before anything draws. */
static bool only_fonts(const char *fonts) {
    if (mkdtemp(only_fonts_folder) == NULL) {
        return false;
    }
    snprintf(only_fonts_path, sizeof(only_fonts_path), "%s/fonts.conf", only_fonts_folder);
    FILE *file = fopen(only_fonts_path, "w");
    if (file == NULL) {
        return false;
    }
    fprintf(file,
            "<?xml version=\"1.0\"?><!DOCTYPE fontconfig SYSTEM \"urn:fontconfig:fonts.dtd\"><fontconfig>"
            "<dir>%s</dir></fontconfig>",
            fonts);
    fclose(file);
    return setenv("FONTCONFIG_FILE", only_fonts_path, 1) == 0;
}

static void only_fonts_end(void) {
    unlink(only_fonts_path);
    rmdir(only_fonts_folder);
}

#endif
