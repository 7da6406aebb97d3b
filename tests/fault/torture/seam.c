/*
 * Failures on demand between Herald's own code and the libraries below it. The linker's --wrap sends each call that
 * Herald's objects make of a function in this file to __wrap_…, which fails in its turn and calls the real one else. What
 * libraries call themselves is not touched: some of them abort when memory ends.
 *
 * CMake takes the names from the lines that begin with SEAM( or SEAM_NAME(.
 */
#include "tests/fault/torture/page.h"

#include <cairo.h>
#include <curl/curl.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <jansson.h>
#include <libpq-fe.h>
#include <librdkafka/rdkafka.h>
#include <netdb.h>
#include <nng/nng.h>
#include <nng/supplemental/util/platform.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utf8proc.h>
#include <uv.h>

extern char __executable_start[], etext[];

static struct torture_page *page; /* NULL: nothing fails */

__attribute__((constructor)) static void map_page(void) {
    const char *folder = getenv(TORTURE_FOLDER_VARIABLE);
    char path[4096];
    if (!folder) {
        return;
    }
    snprintf(path, sizeof(path), "%s/%s", folder, program_invocation_short_name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    void *map = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    void *warm_up[2];
    (void)backtrace(warm_up, 2); /* loads its library */
    page = map == MAP_FAILED ? NULL : map;
}

/* The caller's frames in this program, without those of libraries: the same in each run. */
static uint32_t stack_of_ours(uint64_t ret_stack[TORTURE_STACK_DEPTH]) {
    void *frames[TORTURE_STACK_DEPTH + 3];
    int count = backtrace(frames, TORTURE_STACK_DEPTH + 3);
    uint32_t depth = 0;
    for (int i = 0; i < count && depth < TORTURE_STACK_DEPTH; i++) {
        char *at = frames[i];
        if (at >= __executable_start && at < etext) {
            ret_stack[depth++] = (uint64_t)(at - __executable_start);
        }
    }
    return depth;
}

/* FNV-1a; never 0. */
static uint64_t hash_of(const uint64_t *stack, uint32_t depth) {
    uint64_t hash = 14695981039346656037u;
    for (uint32_t i = 0; i < depth; i++) {
        hash = (hash ^ stack[i]) * 1099511628211u;
        hash ^= hash >> 29;
    }
    return hash ? hash : 1;
}

/* Whether a stack is one to fail and had no failure yet; then it counts as having had it. */
static bool is_new(uint64_t hash) {
    if (page->stride > 1 && hash % page->stride != page->phase) {
        return false;
    }
    for (uint64_t i = 0; i < TORTURE_SEEN_MAX; i++) {
        _Atomic uint64_t *slot = &page->seen[(hash + i) % TORTURE_SEEN_MAX];
        uint64_t found = atomic_load(slot);
        if (found == hash) {
            return false;
        }
        if (found == 0) {
            uint32_t armed = 1;
            if (!atomic_compare_exchange_strong(&page->armed, &armed, 0)) {
                return false;
            }
            atomic_store(slot, hash);
            return true;
        }
    }
    return false;
}

static bool is_nth(uint64_t number) {
    uint32_t armed = 1;
    return number == page->nth && atomic_compare_exchange_strong(&page->armed, &armed, 0);
}

/* Whether this call is the one that fails. */
static bool fails(const char *function) {
    if (!page || !atomic_load(&page->armed)) {
        return false;
    }
    int saved_errno = errno;
    uint64_t number = atomic_fetch_add(&page->calls, 1) + 1;
    uint64_t stack[TORTURE_STACK_DEPTH];
    uint32_t depth = stack_of_ours(stack);
    bool fails = page->rule == TORTURE_NTH ? is_nth(number) : is_new(hash_of(stack, depth));
    if (fails) {
        snprintf(page->function, sizeof(page->function), "%s", function);
        memcpy(page->stack, stack, sizeof(stack));
        page->depth = depth;
        atomic_store(&page->described, 1);
    }
    errno = saved_errno;
    return fails;
}

/* A function of a library: its name, result, parameters, arguments, and what it returns when it fails. */
#define SEAM_NAME(name)
#define SEAM(name, type, params, args, failure)                                                                        \
    type __real_##name params;                                                                                         \
    type __wrap_##name params;                                                                                         \
    type __wrap_##name params {                                                                                        \
        return fails(#name) ? (failure) : __real_##name args;                                                          \
    }
#define WITH_ERRNO(number, result) (errno = (number), (result))

/* clang-format off */

/* ---- memory ---- */

SEAM(malloc, void *, (size_t bytes), (bytes), WITH_ERRNO(ENOMEM, NULL))
SEAM(calloc, void *, (size_t count, size_t bytes), (count, bytes), WITH_ERRNO(ENOMEM, NULL))
SEAM(realloc, void *, (void *old, size_t bytes), (old, bytes), WITH_ERRNO(ENOMEM, NULL))
SEAM(strdup, char *, (const char *text), (text), WITH_ERRNO(ENOMEM, NULL))
SEAM(strndup, char *, (const char *text, size_t bytes), (text, bytes), WITH_ERRNO(ENOMEM, NULL))
SEAM(open_memstream, FILE *, (char **text, size_t *bytes), (text, bytes), WITH_ERRNO(ENOMEM, NULL))
SEAM(mmap, void *, (void *at, size_t bytes, int protection, int flags, int fd, off_t offset),
     (at, bytes, protection, flags, fd, offset), WITH_ERRNO(ENOMEM, MAP_FAILED))
SEAM(mprotect, int, (void *at, size_t bytes, int protection), (at, bytes, protection), WITH_ERRNO(ENOMEM, -1))

/* ---- the kernel ---- */

SEAM(socket, int, (int domain, int type, int protocol), (domain, type, protocol), WITH_ERRNO(EMFILE, -1))
SEAM(connect, int, (int fd, const struct sockaddr *to, socklen_t bytes), (fd, to, bytes), WITH_ERRNO(ECONNREFUSED, -1))
SEAM(send, ssize_t, (int fd, const void *data, size_t bytes, int flags), (fd, data, bytes, flags),
     WITH_ERRNO(ECONNRESET, -1))
SEAM(recv, ssize_t, (int fd, void *data, size_t bytes, int flags), (fd, data, bytes, flags), WITH_ERRNO(ECONNRESET, -1))
SEAM(read, ssize_t, (int fd, void *data, size_t bytes), (fd, data, bytes), WITH_ERRNO(EIO, -1))
SEAM(write, ssize_t, (int fd, const void *data, size_t bytes), (fd, data, bytes), WITH_ERRNO(ENOSPC, -1))
SEAM(fopen, FILE *, (const char *path, const char *mode), (path, mode), WITH_ERRNO(EMFILE, NULL))
SEAM(fwrite, size_t, (const void *data, size_t size, size_t count, FILE *file), (data, size, count, file),
     WITH_ERRNO(ENOSPC, (size_t)0))
SEAM(fsync, int, (int fd), (fd), WITH_ERRNO(EIO, -1))
SEAM(rename, int, (const char *from, const char *to), (from, to), WITH_ERRNO(EIO, -1))
SEAM(mkdir, int, (const char *path, mode_t mode), (path, mode), WITH_ERRNO(ENOSPC, -1))
SEAM(stat, int, (const char *path, struct stat *ret), (path, ret), WITH_ERRNO(EIO, -1))
SEAM(fstat, int, (int fd, struct stat *ret), (fd, ret), WITH_ERRNO(EIO, -1))
SEAM(getrandom, ssize_t, (void *data, size_t bytes, unsigned flags), (data, bytes, flags), WITH_ERRNO(EAGAIN, -1))
SEAM(setsockopt, int, (int fd, int level, int name, const void *value, socklen_t bytes),
     (fd, level, name, value, bytes), WITH_ERRNO(ENOBUFS, -1))
SEAM(getaddrinfo, int, (const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret),
     (node, service, hints, ret), EAI_MEMORY)
SEAM(pthread_create, int, (pthread_t *ret, const pthread_attr_t *attr, void *(*run)(void *), void *arg),
     (ret, attr, run, arg), EAGAIN)
SEAM(pthread_mutex_init, int, (pthread_mutex_t *mutex, const pthread_mutexattr_t *attr), (mutex, attr), ENOMEM)
SEAM(pthread_cond_init, int, (pthread_cond_t *cond, const pthread_condattr_t *attr), (cond, attr), ENOMEM)

/* ---- libuv ---- */

SEAM(uv_poll_init, int, (uv_loop_t *loop, uv_poll_t *poll, int fd), (loop, poll, fd), UV_ENOMEM)
SEAM(uv_poll_init_socket, int, (uv_loop_t *loop, uv_poll_t *poll, uv_os_sock_t fd), (loop, poll, fd), UV_ENOMEM)
SEAM(uv_poll_start, int, (uv_poll_t *poll, int events, uv_poll_cb on_poll), (poll, events, on_poll), UV_EBADF)
SEAM(uv_getaddrinfo, int, (uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb on_done, const char *node,
     const char *service, const struct addrinfo *hints), (loop, request, on_done, node, service, hints), UV_ENOMEM)

/* ---- nng ---- */

SEAM(nng_msg_alloc, int, (nng_msg **ret, size_t bytes), (ret, bytes), NNG_ENOMEM)
SEAM(nng_aio_alloc, int, (nng_aio **ret, void (*on_done)(void *), void *arg), (ret, on_done, arg), NNG_ENOMEM)
SEAM(nng_ctx_open, int, (nng_ctx *ret, nng_socket socket), (ret, socket), NNG_ENOMEM)
SEAM(nng_dialer_create, int, (nng_dialer *ret, nng_socket socket, const char *url), (ret, socket, url), NNG_ENOMEM)
SEAM(nng_dialer_start, int, (nng_dialer dialer, int flags), (dialer, flags), NNG_ENOMEM)
SEAM(nng_url_parse, int, (nng_url **ret, const char *text), (ret, text), NNG_ENOMEM)
SEAM(nng_sendmsg, int, (nng_socket socket, nng_msg *msg, int flags), (socket, msg, flags), NNG_ENOMEM)

/* ---- Postgres ---- */

SEAM(PQconnectStartParams, PGconn *, (const char *const *names, const char *const *values, int expand),
     (names, values, expand), NULL)
SEAM(PQsetnonblocking, int, (PGconn *pg, int on), (pg, on), -1)
SEAM(PQenterPipelineMode, int, (PGconn *pg), (pg), 0)
SEAM(PQsendPrepare, int, (PGconn *pg, const char *name, const char *sql, int count, const Oid *types),
     (pg, name, sql, count, types), 0)
SEAM(PQsendQueryParams, int, (PGconn *pg, const char *sql, int count, const Oid *types, const char *const *values,
     const int *bytes, const int *formats, int format), (pg, sql, count, types, values, bytes, formats, format), 0)
SEAM(PQsendQueryPrepared, int, (PGconn *pg, const char *name, int count, const char *const *values, const int *bytes,
     const int *formats, int format), (pg, name, count, values, bytes, formats, format), 0)
SEAM(PQpipelineSync, int, (PGconn *pg), (pg), 0)
SEAM(PQflush, int, (PGconn *pg), (pg), -1)
SEAM(PQconsumeInput, int, (PGconn *pg), (pg), 0)
SEAM(PQgetCancel, PGcancel *, (PGconn *pg), (pg), NULL)
SEAM(PQcancel, int, (PGcancel *cancel, char *text, int bytes), (cancel, text, bytes), 0)

/* ---- Redis ---- */

SEAM(redisFormatCommandArgv, long long, (char **ret, int count, const char **words, const size_t *bytes),
     (ret, count, words, bytes), -1)
SEAM(redisReaderCreate, redisReader *, (void), (), NULL)
SEAM(redisReaderFeed, int, (redisReader *reader, const char *data, size_t bytes), (reader, data, bytes), REDIS_ERR)
SEAM(redisReaderGetReply, int, (redisReader *reader, void **ret), (reader, ret), REDIS_ERR)

/* ---- Kafka ---- */

SEAM(rd_kafka_header_add, rd_kafka_resp_err_t, (rd_kafka_headers_t *headers, const char *name, ssize_t name_bytes,
     const void *value, ssize_t bytes), (headers, name, name_bytes, value, bytes), RD_KAFKA_RESP_ERR__FAIL)
SEAM(rd_kafka_commit, rd_kafka_resp_err_t, (rd_kafka_t *kafka, const rd_kafka_topic_partition_list_t *offsets, int async),
     (kafka, offsets, async), RD_KAFKA_RESP_ERR__TRANSPORT)
SEAM(rd_kafka_commit_queue, rd_kafka_resp_err_t, (rd_kafka_t *kafka, const rd_kafka_topic_partition_list_t *offsets,
     rd_kafka_queue_t *queue, void (*on_done)(rd_kafka_t *, rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t *, void *),
     void *opaque), (kafka, offsets, queue, on_done, opaque), RD_KAFKA_RESP_ERR__TRANSPORT)
SEAM(rd_kafka_pause_partitions, rd_kafka_resp_err_t, (rd_kafka_t *kafka, rd_kafka_topic_partition_list_t *list),
     (kafka, list), RD_KAFKA_RESP_ERR__FAIL)
SEAM(rd_kafka_resume_partitions, rd_kafka_resp_err_t, (rd_kafka_t *kafka, rd_kafka_topic_partition_list_t *list),
     (kafka, list), RD_KAFKA_RESP_ERR__FAIL)
SEAM(rd_kafka_offsets_for_times, rd_kafka_resp_err_t, (rd_kafka_t *kafka, rd_kafka_topic_partition_list_t *list,
     int timeout_ms), (kafka, list, timeout_ms), RD_KAFKA_RESP_ERR__TIMED_OUT)
SEAM(rd_kafka_committed, rd_kafka_resp_err_t, (rd_kafka_t *kafka, rd_kafka_topic_partition_list_t *list, int timeout_ms),
     (kafka, list, timeout_ms), RD_KAFKA_RESP_ERR__TIMED_OUT)
SEAM(rd_kafka_topic_new, rd_kafka_topic_t *, (rd_kafka_t *kafka, const char *name, rd_kafka_topic_conf_t *conf),
     (kafka, name, conf), NULL)

/* ---- HTTP ---- */

SEAM(curl_easy_init, CURL *, (void), (), NULL)
SEAM(curl_multi_add_handle, CURLMcode, (CURLM *multi, CURL *curl), (multi, curl), CURLM_OUT_OF_MEMORY)

/* ---- JSON ---- */

SEAM(json_object, json_t *, (void), (), NULL)
SEAM(json_array, json_t *, (void), (), NULL)
SEAM(json_string, json_t *, (const char *text), (text), NULL)
SEAM(json_stringn, json_t *, (const char *text, size_t bytes), (text, bytes), NULL)
SEAM(json_loadb, json_t *, (const char *text, size_t bytes, size_t flags, json_error_t *reterr),
     (text, bytes, flags, reterr), NULL)
SEAM(json_dumps, char *, (const json_t *json, size_t flags), (json, flags), NULL)
SEAM(json_object_set_new, int, (json_t *object, const char *name, json_t *value), (object, name, value),
     (json_decref(value), -1))
SEAM(json_array_append_new, int, (json_t *array, json_t *value), (array, value), (json_decref(value), -1))

/* ---- digests and random bytes ---- */

SEAM(EVP_Digest, int, (const void *data, size_t bytes, unsigned char *ret, unsigned *ret_bytes, const EVP_MD *type,
     ENGINE *engine), (data, bytes, ret, ret_bytes, type, engine), 0)
SEAM(EVP_MAC_CTX_dup, EVP_MAC_CTX *, (const EVP_MAC_CTX *context), (context), NULL)
SEAM(RAND_bytes, int, (unsigned char *ret, int bytes), (ret, bytes), 0)

/* ---- text and pictures ---- */

SEAM(utf8proc_map, utf8proc_ssize_t, (const utf8proc_uint8_t *text, utf8proc_ssize_t bytes, utf8proc_uint8_t **ret,
     utf8proc_option_t options), (text, bytes, ret, options), UTF8PROC_ERROR_NOMEM)
SEAM(cairo_image_surface_create, cairo_surface_t *, (cairo_format_t format, int width, int height),
     (format, width, height), __real_cairo_image_surface_create(format, -1, -1))
SEAM(cairo_status, cairo_status_t, (cairo_t *cairo), (cairo), CAIRO_STATUS_NO_MEMORY)
SEAM(cairo_surface_write_to_png_stream, cairo_status_t, (cairo_surface_t *surface, cairo_write_func_t write, void *user),
     (surface, write, user), CAIRO_STATUS_NO_MEMORY)

/* ---- functions with `…` ---- */

/* clang-format on */

SEAM_NAME(asprintf)
int __wrap_asprintf(char **ret, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap_asprintf(char **ret, const char *format, ...) {
    if (fails("asprintf")) {
        return -1;
    }
    va_list args;
    va_start(args, format);
    int bytes = vasprintf(ret, format, args);
    va_end(args);
    return bytes;
}

SEAM_NAME(open)
int __real_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode) {
    return fails("open") ? WITH_ERRNO(EMFILE, -1) : __real_open(path, flags, mode);
}

/* The value takes its references even if it fails. */
SEAM_NAME(json_pack)
json_t *__wrap_json_pack(const char *format, ...);
json_t *__wrap_json_pack(const char *format, ...) {
    va_list args;
    va_start(args, format);
    json_t *json = json_vpack_ex(NULL, 0, format, args);
    va_end(args);
    if (fails("json_pack")) {
        json_decref(json);
        return NULL;
    }
    return json;
}

/* All values of options are as wide as a word. */
SEAM_NAME(curl_easy_setopt)
CURLcode __real_curl_easy_setopt(CURL *curl, CURLoption option, ...);
CURLcode __wrap_curl_easy_setopt(CURL *curl, CURLoption option, ...);
CURLcode __wrap_curl_easy_setopt(CURL *curl, CURLoption option, ...) {
    va_list args;
    va_start(args, option);
    void *value = va_arg(args, void *);
    va_end(args);
    return fails("curl_easy_setopt") ? CURLE_OUT_OF_MEMORY : __real_curl_easy_setopt(curl, option, value);
}

/* Reads the list as librdkafka does, as far as Herald uses it. */
SEAM_NAME(rd_kafka_producev)
static size_t take_values(va_list *args, rd_kafka_vu_t values[16]) {
    size_t count = 0;
    for (;;) {
        rd_kafka_vu_t value = {.vtype = (rd_kafka_vtype_t)va_arg(*args, int)};
        switch (value.vtype) {
        case RD_KAFKA_VTYPE_END:
            return count;
        case RD_KAFKA_VTYPE_TOPIC:
            value.u.cstr = va_arg(*args, const char *);
            break;
        case RD_KAFKA_VTYPE_KEY:
        case RD_KAFKA_VTYPE_VALUE:
            value.u.mem.ptr = va_arg(*args, void *);
            value.u.mem.size = va_arg(*args, size_t);
            break;
        case RD_KAFKA_VTYPE_MSGFLAGS:
            value.u.i = va_arg(*args, int);
            break;
        case RD_KAFKA_VTYPE_HEADERS:
            value.u.headers = va_arg(*args, rd_kafka_headers_t *);
            break;
        case RD_KAFKA_VTYPE_OPAQUE:
            value.u.ptr = va_arg(*args, void *);
            break;
        default:
            abort();
        }
        values[count++] = value;
    }
}

rd_kafka_resp_err_t __wrap_rd_kafka_producev(rd_kafka_t *kafka, ...);
rd_kafka_resp_err_t __wrap_rd_kafka_producev(rd_kafka_t *kafka, ...) {
    if (fails("rd_kafka_producev")) {
        return RD_KAFKA_RESP_ERR__QUEUE_FULL;
    }
    rd_kafka_vu_t values[16];
    va_list args;
    va_start(args, kafka);
    size_t count = take_values(&args, values);
    va_end(args);
    rd_kafka_error_t *error = rd_kafka_produceva(kafka, values, count);
    rd_kafka_resp_err_t err = error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_error_destroy(error);
    return err;
}
