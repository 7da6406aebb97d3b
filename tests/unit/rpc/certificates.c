#include "certificates.h"

#include "cmocka_headers.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_S 86400

static char folder[64];
static long last_serial;

void certificates_init(void) {
    strcpy(folder, "/tmp/herald-tls-XXXXXX");
    assert_non_null(mkdtemp(folder));
}

void certificates_fini(void) {
    DIR *directory = opendir(folder);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        if (entry->d_name[0] != '.') {
            unlink(certificate_path(entry->d_name, ""));
        }
    }
    if (directory) {
        closedir(directory);
    }
    rmdir(folder);
}

const char *certificate_path(const char *name, const char *suffix) {
    static char paths[8][400];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof(paths[0]), "%s/%s%s", folder, name, suffix);
    return path;
}

char *certificate_text(const char *name, const char *suffix) {
    char *text = calloc(1, 16384);
    FILE *file = fopen(certificate_path(name, suffix), "r");
    assert_non_null(file);
    assert_true(fread(text, 1, 16383, file) > 0);
    fclose(file);
    return text;
}

/* As a careful administrator does it: written beside, then put in place. */
static FILE *open_new(const char *name, const char *suffix) {
    FILE *file = fopen(certificate_path(name, ".new"), "w");
    (void)suffix;
    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    return file;
}

static void put_in_place(FILE *file, const char *name, const char *suffix) {
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(certificate_path(name, ".new"), certificate_path(name, suffix)), 0);
}

static void write_pair(const char *name, X509 *certificate, EVP_PKEY *key) {
    FILE *file = open_new(name, ".key");
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    put_in_place(file, name, ".key");
    file = open_new(name, ".pem");
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    put_in_place(file, name, ".pem");
}

static void add_extension(X509 *certificate, X509 *issuer, int id, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, id, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static X509 *begin(const char *name, EVP_PKEY *key, int from_s, int to_s) {
    X509 *certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++last_serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), from_s);
    X509_gmtime_adj(X509_getm_notAfter(certificate), to_s);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC, (const uint8_t *)name, -1, -1,
                               0);
    return certificate;
}

void make_ca(const char *name) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = begin(name, key, -DAY_S, DAY_S);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    write_pair(name, certificate, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void read_ca(const char *name, X509 **ret_certificate, EVP_PKEY **ret_key) {
    FILE *file = fopen(certificate_path(name, ".pem"), "r");
    *ret_certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    file = fopen(certificate_path(name, ".key"), "r");
    *ret_key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    assert_true(*ret_certificate && *ret_key);
}

long make_leaf(const struct leaf *leaf) {
    X509 *issuer;
    EVP_PKEY *issuer_key, *key = EVP_EC_gen("P-256");
    read_ca(leaf->ca, &issuer, &issuer_key);
    bool any_time = leaf->from_s == 0 && leaf->to_s == 0;
    X509 *certificate = begin(leaf->name, key, any_time ? -DAY_S : leaf->from_s, any_time ? DAY_S : leaf->to_s);
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
    if (leaf->dns) {
        add_extension(certificate, issuer, NID_subject_alt_name, leaf->dns);
    }
    add_extension(certificate, issuer, NID_ext_key_usage, leaf->dns ? "serverAuth" : "clientAuth");
    assert_true(X509_sign(certificate, issuer_key, EVP_sha256()) > 0);
    write_pair(leaf->name, certificate, key);
    X509_free(certificate);
    X509_free(issuer);
    EVP_PKEY_free(issuer_key);
    EVP_PKEY_free(key);
    return last_serial;
}

void serve_with_certificate(const char *name) {
    setenv("HERALD_JOB_URL", "tls+tcp://127.0.0.1:0", 1);
    setenv("HERALD_TLS_CERT_FILE", certificate_path(name, ".pem"), 1);
    setenv("HERALD_TLS_KEY_FILE", certificate_path(name, ".key"), 1);
}
