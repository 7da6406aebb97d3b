/*
 * Invariant: a request is in the list, or at work on the thread, or was answered by on_shape. The lock is never held
 * while a picture is made or on_shape is called.
 */
#include "server/content/shape_maker.h"

#include "server/content/content_log.h"
#include "server/content/picture_shape.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct shape_maker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct shape_request *first, **last; /* of those that wait */
    unsigned waiting_count;
    bool stopping;
    char dir[PATH_MAX];
};

void shape_file_name(const char *style, enum picture_shape shape, char *ret_file) {
    snprintf(ret_file, 32, "%s.%s.jpg", style, picture_shape_name(shape));
}

static enum herald_code make_shape(const struct shape_maker *maker, const struct shape_request *request, int png_fd,
                                   struct herald_error *reterr) {
    char file[32];
    unsigned char *jpeg = NULL;
    size_t bytes = 0;
    enum herald_code code = picture_shape_make(png_fd, request->shape, &jpeg, &bytes, reterr);
    if (code == HERALD_OK) {
        shape_file_name(request->style, request->shape, file);
        code = picture_store_write(maker->dir, request->key, file, jpeg, bytes, reterr);
        free(jpeg);
    }
    return code;
}

static bool shape_exists(const struct shape_maker *maker, const struct shape_request *request) {
    char file[32];
    size_t bytes;
    shape_file_name(request->style, request->shape, file);
    int fd = picture_store_open(maker->dir, request->key, file, &bytes);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

/* Makes the file, unless a request before this one has made it. */
static void work_on_shape(const struct shape_maker *maker, struct shape_request *request) {
    char file[32];
    size_t bytes;
    struct herald_error error;
    request->made = shape_exists(maker, request);
    snprintf(file, sizeof(file), "%s.png", request->style);
    int png_fd = request->made ? -1 : picture_store_open(maker->dir, request->key, file, &bytes);
    if (png_fd >= 0) {
        request->made = make_shape(maker, request, png_fd, &error) == HERALD_OK;
        close(png_fd);
        if (!request->made) {
            log_emit(&LOG_CONTENT_SHAPE_FAILED, log_str("key", request->key), log_str("style", request->style),
                     log_str("shape", picture_shape_name(request->shape)), log_error(&error), LOG_END);
        }
    }
}

/* The next request; NULL: none waits, and the maker stops. @ret_stopping  it is to be failed */
static struct shape_request *next_request(struct shape_maker *maker, bool *ret_stopping) {
    pthread_mutex_lock(&maker->lock);
    while (maker->first == NULL && !maker->stopping) {
        pthread_cond_wait(&maker->changed, &maker->lock);
    }
    struct shape_request *request = maker->first;
    if (request != NULL) {
        maker->first = request->next;
        maker->waiting_count--;
        if (maker->first == NULL) {
            maker->last = &maker->first;
        }
    }
    *ret_stopping = maker->stopping;
    pthread_mutex_unlock(&maker->lock);
    return request;
}

static void *make_shapes(void *arg) {
    struct shape_maker *maker = arg;
    struct shape_request *request;
    bool stopping;
    while ((request = next_request(maker, &stopping)) != NULL) {
        if (!stopping) {
            work_on_shape(maker, request);
        }
        request->on_shape(request);
    }
    return NULL;
}

enum herald_code shape_maker_start(const char *dir, struct shape_maker **ret_maker, struct herald_error *reterr) {
    struct shape_maker *maker = calloc(1, sizeof(*maker));
    if (maker == NULL) {
        return herald_error_no_memory(reterr, "the maker of shapes");
    }
    snprintf(maker->dir, sizeof(maker->dir), "%s", dir);
    maker->last = &maker->first;
    pthread_mutex_init(&maker->lock, NULL);
    pthread_cond_init(&maker->changed, NULL);
    if (pthread_create(&maker->thread, NULL, make_shapes, maker) != 0) {
        shape_maker_free(maker);
        return herald_error_no_memory(reterr, "the thread of the maker of shapes");
    }
    *ret_maker = maker;
    return HERALD_OK;
}

bool shape_maker_ask(struct shape_maker *maker, struct shape_request *request) {
    pthread_mutex_lock(&maker->lock);
    bool taken = !maker->stopping && maker->waiting_count < SHAPE_MAKER_WAITING_MAX;
    if (taken) {
        request->made = false;
        request->next = NULL;
        *maker->last = request;
        maker->last = &request->next;
        maker->waiting_count++;
        pthread_cond_signal(&maker->changed);
    }
    pthread_mutex_unlock(&maker->lock);
    return taken;
}

void shape_maker_stop(struct shape_maker *maker) {
    pthread_mutex_lock(&maker->lock);
    maker->stopping = true;
    pthread_cond_signal(&maker->changed);
    pthread_mutex_unlock(&maker->lock);
    pthread_join(maker->thread, NULL);
}

void shape_maker_free(struct shape_maker *maker) {
    if (maker == NULL) {
        return;
    }
    pthread_mutex_destroy(&maker->lock);
    pthread_cond_destroy(&maker->changed);
    free(maker);
}
