#include "server/outgoing/sens.h"

#include "client/base/digest.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool sens_sign(const char *secret, const char *method, const char *path, int64_t timestamp_ms, const char *access_key,
               char ret_signature[SENS_SIGNATURE_BYTES]) {
    unsigned char digest[32];
    char *content = NULL;
    int bytes = asprintf(&content, "%s %s\n%" PRId64 "\n%s", method, path, timestamp_ms, access_key);
    if (bytes < 0) {
        return false;
    }
    const struct herald_piece signed_text = {content, (size_t)bytes};
    bool made = herald_hmac_sha256(secret, strlen(secret), &signed_text, 1, digest);
    free(content);
    if (made) {
        EVP_EncodeBlock((unsigned char *)ret_signature, digest, sizeof(digest));
    }
    return made;
}
