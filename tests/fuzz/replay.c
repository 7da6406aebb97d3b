#include "tests/fuzz/fuzz.h"

#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Runs the target once on each file named, or found in a folder named: for builds without libFuzzer. */

int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));
int LLVMFuzzerInitialize(int *argc, char ***argv);

static void replay(const char *path, size_t bytes) {
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(bytes + (bytes == 0)); /* exactly: reading beyond the end is seen */
    fuzz_require(file && data && fread(data, 1, bytes, file) == bytes, "the file can be read");
    (void)fclose(file);
    (void)LLVMFuzzerTestOneInput(data, bytes);
    free(data);
}

int main(int argc, char **argv) {
    size_t count = 0;
    if (argc < 2) {
        return EXIT_FAILURE;
    }
    if (LLVMFuzzerInitialize) {
        LLVMFuzzerInitialize(&argc, &argv);
    }
    FTS *files = fts_open(argv + 1, FTS_LOGICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *entry; files && (entry = fts_read(files));) {
        if (entry->fts_info != FTS_F) {
            continue;
        }
        printf("%s\n", entry->fts_path); /* the last one printed is the one that crashes */
        (void)fflush(stdout);
        replay(entry->fts_path, (size_t)entry->fts_statp->st_size);
        count++;
    }
    if (files) {
        fts_close(files);
    }
    printf("%zu inputs\n", count);
    return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
