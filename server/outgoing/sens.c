#include "server/outgoing/sens.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
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
    bool made = HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)content, (size_t)bytes, digest,
                     NULL) != NULL;
    free(content);
    if (made) {
        EVP_EncodeBlock((unsigned char *)ret_signature, digest, sizeof(digest));
    }
    return made;
}
