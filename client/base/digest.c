#include "client/base/digest.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>

/* Made once, and there until the process ends. NULL: there was no memory, and each use makes its own. */
static EVP_MD *sha256;
static EVP_MAC_CTX *hmac_pattern; /* with a key that nobody uses; never changed, so that threads may copy it */

/* NULL: no memory. */
static EVP_MAC_CTX *make_hmac(void) {
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                 OSSL_PARAM_construct_end()};
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *pattern = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    EVP_MAC_free(hmac);
    if (pattern && !EVP_MAC_init(pattern, (const unsigned char *)"none", 4, params)) {
        EVP_MAC_CTX_free(pattern);
        pattern = NULL;
    }
    return pattern;
}

static void look_algorithms_up(void) {
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    hmac_pattern = make_hmac();
}

static void need_algorithms(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, look_algorithms_up);
}

bool herald_sha256(const void *data, size_t bytes, uint8_t ret_hash[HERALD_SHA256_BYTES]) {
    need_algorithms();
    return EVP_Digest(bytes > 0 ? data : "", bytes, ret_hash, NULL, sha256 ? sha256 : EVP_sha256(), NULL) == 1;
}

bool herald_hmac_sha256(const void *key, size_t key_bytes, const struct herald_piece *pieces, size_t count,
                        uint8_t ret_mac[HERALD_SHA256_BYTES]) {
    need_algorithms();
    EVP_MAC_CTX *context = hmac_pattern ? EVP_MAC_CTX_dup(hmac_pattern) : make_hmac();
    bool made = context && EVP_MAC_init(context, key, key_bytes, NULL);
    for (size_t i = 0; i < count && made; i++) {
        made = pieces[i].bytes == 0 || EVP_MAC_update(context, pieces[i].data, pieces[i].bytes);
    }
    size_t mac_bytes = 0;
    made = made && EVP_MAC_final(context, ret_mac, &mac_bytes, HERALD_SHA256_BYTES);
    EVP_MAC_CTX_free(context);
    return made;
}
