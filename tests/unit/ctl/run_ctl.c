#include "tests/unit/ctl/run_ctl.h"

#include "deploy/ctl/ctl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <unistd.h>

#include <cmocka.h>

#define TEXT_BYTES 65536

char said[TEXT_BYTES], complained[TEXT_BYTES];

static void read_back(FILE *file, char *ret_text) {
    rewind(file);
    size_t length = fread(ret_text, 1, TEXT_BYTES - 1, file);
    ret_text[length] = '\0';
    fclose(file);
}

static int run(FILE *output, int argc, const char **argv) {
    FILE *error = tmpfile();
    assert_non_null(output);
    assert_non_null(error);
    fflush(stdout);
    fflush(stderr);
    int old_output = dup(STDOUT_FILENO), old_error = dup(STDERR_FILENO);
    dup2(fileno(output), STDOUT_FILENO);
    dup2(fileno(error), STDERR_FILENO);
    int status = ctl_main(argc, (char **)argv);
    fflush(stdout);
    __fpurge(stdout); /* what could not be written would come out now */
    clearerr(stdout);
    fflush(stderr);
    dup2(old_output, STDOUT_FILENO);
    dup2(old_error, STDERR_FILENO);
    close(old_output);
    close(old_error);
    read_back(output, said);
    read_back(error, complained);
    return status;
}

int run_ctl(int argc, const char **argv) {
    return run(tmpfile(), argc, argv);
}

int run_ctl_without_room(int argc, const char **argv) {
    return run(fopen("/dev/full", "r+"), argc, argv);
}
