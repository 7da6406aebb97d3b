/* Signs what comes on stdin as Herald signs a post:  webhook_sign SECRETS ID TIMESTAMP  prints the header's value. */
#include "server/outgoing/webhook.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    static char body[1 << 20];
    char signatures[WEBHOOK_SIGNATURES_BYTES];
    struct webhook_secrets secrets;
    struct herald_error error = {0};
    if (argc != 4) {
        fprintf(stderr, "usage: webhook_sign SECRETS ID TIMESTAMP <BODY\n");
        return 64;
    }
    if (webhook_secrets_parse(argv[1], &secrets, &error) != HERALD_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    size_t bytes = fread(body, 1, sizeof(body), stdin);
    if (!webhook_sign_all(&secrets, argv[2], strtoll(argv[3], NULL, 10), body, bytes, signatures)) {
        return 1;
    }
    puts(signatures);
    return 0;
}
