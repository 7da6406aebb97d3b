/* heraldctl token: makes a bearer token, offline, from a key. */
#include "server/auth/token.h"

#include "deploy/ctl/clean.h"
#include "deploy/ctl/ctl.h"
#include "deploy/ctl/methods.h"
#include "deploy/ctl/report.h"

#include <jansson.h>
#include <stdlib.h>
#include <time.h>

#define DEFAULT_LIFE_S 900

/* The key that signs. */
struct signing_key {
    char id[CALLER_TEXT_BYTES];
    struct auth_key key;
};

static enum herald_code key_of_caller(const char *callers_file, const char *name, struct signing_key *ret_key,
                                      struct herald_error *reterr) {
    struct callers *callers = NULL;
    const char *id = NULL;
    enum herald_code code = callers_load(callers_file, &callers, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    const struct caller *caller = callers_find(callers, name);
    if (caller != NULL) {
        ret_key->key = caller_first_key(caller, &id)->key;
        snprintf(ret_key->id, sizeof(ret_key->id), "%s", id);
    } else {
        code = herald_error_set(reterr, HERALD_REASON_UNKNOWN_CALLER, "%s has no [caller %s]", callers_file, name);
    }
    callers_unref(callers);
    return code;
}

static enum herald_code key_of_file(const char *key_id, const char *key_file, struct signing_key *ret_key,
                                    struct herald_error *reterr) {
    if (!caller_is_token(key_id, CALLER_TEXT_BYTES - 1)) {
        return herald_error_set(reterr, HERALD_REASON_BAD_KEY_ID,
                                "\"%s\" is no id of a key: 1 to 64 printable ASCII characters without blanks", key_id);
    }
    snprintf(ret_key->id, sizeof(ret_key->id), "%s", key_id);
    return auth_key_file_read(key_file, &ret_key->key, reterr);
}

/* Finds the key: the command line takes precedence over the settings, a callers file over a key. */
static enum herald_code find_key(const struct ctl *ctl, struct signing_key *ret_key, struct herald_error *reterr) {
    const struct ctl_arguments *arguments = ctl->arguments;
    const struct settings *settings = &ctl->settings;
    if (arguments->callers_file != NULL) {
        return key_of_caller(arguments->callers_file, arguments->caller, ret_key, reterr);
    }
    if (arguments->key_id != NULL && arguments->key_file != NULL) {
        return key_of_file(arguments->key_id, arguments->key_file, ret_key, reterr);
    }
    if (arguments->key_id != NULL || arguments->key_file != NULL) {
        return herald_error_set(reterr, HERALD_REASON_USAGE, "--key-id and --key-file go together");
    }
    if (settings->auth_callers_file[0] != '\0') {
        return key_of_caller(settings->auth_callers_file, arguments->caller, ret_key, reterr);
    }
    if (settings->auth_key_id[0] != '\0' && settings->auth_key_file[0] != '\0') {
        return key_of_file(settings->auth_key_id, settings->auth_key_file, ret_key, reterr);
    }
    return herald_error_set(reterr, HERALD_REASON_NO_KEY,
                            "no key to sign with: give --callers-file, or --key-id and --key-file, or set callers_file "
                            "under [auth]");
}

static int print_token(const struct ctl *ctl, const char *token, const struct token_claims *claims) {
    if (ctl->arguments->format == CTL_JSON) {
        json_t *result = json_pack("{s:s, s:s, s:I}", "token", token, "caller", claims->caller, "expiresAt",
                                   (json_int_t)claims->issued_s + claims->life_s);
        clean_print_json(stdout, result, JSON_COMPACT);
        json_decref(result);
    } else {
        puts(token);
    }
    return CTL_OK;
}

/* The methods of the command line, expanded as servers compare them. */
struct narrowing {
    char texts[CTL_METHODS_MAX][METHODS_PATTERN_BYTES];
    const char *methods[CTL_METHODS_MAX];
};

static enum herald_code find_methods(const struct ctl_arguments *arguments, struct narrowing *narrowing,
                                     struct herald_error *reterr) {
    enum herald_code code = HERALD_OK;
    for (size_t i = 0; i < arguments->method_count && code == HERALD_OK; i++) {
        code = methods_find_pattern(arguments->methods[i], narrowing->texts[i], sizeof(narrowing->texts[i]), reterr);
        narrowing->methods[i] = narrowing->texts[i];
    }
    return code;
}

int ctl_token(struct ctl *ctl) {
    const struct ctl_arguments *arguments = ctl->arguments;
    struct narrowing narrowing;
    const struct token_claims claims = {
        .caller = arguments->caller,
        .user = arguments->user,
        .issued_s = time(NULL),
        .life_s = arguments->token_life_s != 0 ? arguments->token_life_s : DEFAULT_LIFE_S,
        .methods = narrowing.methods,
        .method_count = arguments->method_count,
    };
    struct signing_key key;
    struct herald_error error;
    char *token = NULL;
    enum herald_code code = HERALD_OK;
    if (arguments->caller == NULL) {
        code = herald_error_set(&error, HERALD_REASON_USAGE, "say for whom: --caller NAME");
    }
    if (code == HERALD_OK) {
        code = find_methods(arguments, &narrowing, &error);
    }
    if (code == HERALD_OK) {
        code = find_key(ctl, &key, &error);
    }
    if (code == HERALD_OK) {
        code = token_make(key.id, &key.key, &claims, &token, &error);
    }
    auth_key_wipe(&key.key);
    if (code != HERALD_OK) {
        report_error(stderr, arguments->format, "token", &error);
        return CTL_USAGE;
    }
    int status = print_token(ctl, token, &claims);
    free(token);
    return status;
}
