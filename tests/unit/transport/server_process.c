#include "tests/unit/transport/server_process.h"

#include "tests/support/process_memory.h"
#include "tests/unit/rpc/cmocka_headers.h"
#include "tests/unit/rpc/fixture.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static bool has_url(void *user) {
    struct server_process *server = user;
    char line[1024];
    rewind(server->log);
    while (fgets(line, sizeof(line), server->log)) {
        const char *url = strstr(line, "server.listening") ? strstr(line, "\"url\":\"") : NULL;
        if (url && sscanf(url, "\"url\":\"%159[^\"]", server->url) == 1) {
            return true;
        }
    }
    return false;
}

static void run(int log_fd) {
    setenv("HERALD_JOB_URL", "tcp://127.0.0.1:0", 1);
    setenv("HERALD_LOG_FORMAT", "json", 1);
    dup2(log_fd, STDOUT_FILENO);
    dup2(log_fd, STDERR_FILENO);
    execl(TEST_PROGRAM, TEST_PROGRAM, (char *)NULL);
    _exit(127);
}

void server_process_start(struct server_process *server) {
    memset(server, 0, sizeof(*server));
    server->log = tmpfile();
    assert_non_null(server->log);
    server->pid = fork();
    if (server->pid == 0) {
        run(fileno(server->log));
    }
    assert_true(server->pid > 0);
    assert_true(eventually(has_url, server));
}

void server_process_stop(struct server_process *server) {
    int status = 0;
    assert_int_equal(kill(server->pid, SIGTERM), 0);
    assert_int_equal(waitpid(server->pid, &status, 0), server->pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_msg("the server ended with status 0x%x", (unsigned)status);
    }
    (void)fclose(server->log);
}

long server_process_resident_kib(const struct server_process *server) {
    return process_resident_kib(server->pid);
}

long server_process_virtual_kib(const struct server_process *server) {
    return process_virtual_kib(server->pid);
}

unsigned server_process_descriptors(const struct server_process *server) {
    char path[64];
    unsigned count = 0;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)server->pid);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    while (readdir(folder)) {
        count++;
    }
    closedir(folder);
    return count - 2; /* . and .. */
}

unsigned allow_descriptors(unsigned wanted) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    }
    return limit.rlim_cur < wanted ? (unsigned)limit.rlim_cur : wanted;
}
