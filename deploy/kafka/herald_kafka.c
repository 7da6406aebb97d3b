/*
 * herald-kafka: a Kafka broker for development, on librdkafka's mock cluster.
 *
 * It needs no JVM, starts at once and serves clients that use librdkafka; Java's find no topic in it. Records are in
 * memory only, up to 5 MiB of each partition. The ready file tells the port to other programs.
 *
 * The mock cluster lets the kernel choose its port, and has no option for another. It binds one socket only, so bind() of
 * this program, which librdkafka calls in place of libc's, puts --port there.
 *
 * The mock cluster has a thread of its own. The main thread waits for signals, which are blocked before any other
 * thread exists.
 */
#include "deploy/kafka/create_topics.h"

#include <errno.h>
#include <getopt.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#define PARTITIONS_MAX 1000
#define BROKER_ID      1

struct options {
    char *topics; /* comma-separated; cut into names while topics are created */
    long partitions;
    long port;              /* 0: any */
    const char *ready_file; /* NULL: none */
    const char *create_at;  /* NULL: run a broker; else create the topics on this one */
    long while_pid;         /* with create_at: give up when this process has ended; 0: none */
};

/* Of --port; 0: the kernel chooses. Written before the mock cluster starts. */
static uint16_t wanted_port;

/* A port that is taken ends the program here: librdkafka 2.0.2 would abort it. */
int bind(int fd, const struct sockaddr *addr, socklen_t len) {
    struct sockaddr_in wanted;
    if (wanted_port == 0 || addr->sa_family != AF_INET || len != sizeof(wanted)) {
        return (int)syscall(SYS_bind, fd, addr, len);
    }
    memcpy(&wanted, addr, sizeof(wanted));
    wanted.sin_port = htons(wanted_port);
    if (syscall(SYS_bind, fd, &wanted, sizeof(wanted)) != 0) {
        fprintf(stderr, "herald-kafka: cannot listen on port %u: %s\n", wanted_port, strerror(errno));
        _exit(EXIT_FAILURE);
    }
    return 0;
}

static void print_kafka_usage(FILE *out) {
    fputs(
        "Usage: herald-kafka [--topics NAME,NAME…] [--partitions N] [--port PORT] [--ready-file PATH]\n"
        "       herald-kafka --create-at HOST:PORT,… --topics NAME,NAME… [--partitions N] [--while-pid PID]\n"
        "Runs a Kafka broker for development on 127.0.0.1 until SIGTERM or SIGINT.\n"
        "Records are kept in memory only and are gone when it ends: for a first look and tests, never for real data.\n"
        "\n"
        "  --topics NAME,…    topics made at start; others are made when first used (4 partitions)\n"
        "  --partitions N     partitions of each of those topics, 1..1000 (default 4)\n"
        "  --port PORT        listen there (default: on a free port)\n"
        "  --ready-file PATH  when the broker is up, its host:port is written here, atomically\n"
        "  --create-at HOST:PORT,…\n"
        "                     be no broker, but wait until all of these serve (60 s), make the topics there and end\n"
        "  --while-pid PID    wait only while that process lives\n"
        "  --help             this text\n"
        "\n"
        "The host:port is written to standard output too. SIGUSR1 makes the broker go away (connections are closed,\n"
        "new ones refused), SIGUSR2 makes it come back on the same port with its records.\n",
        out);
}

static bool read_number_option(const char *name, const char *text, long max, long *ret_number) {
    char *end = NULL;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno || *end || end == text || number < 1 || number > max) {
        fprintf(stderr, "herald-kafka: %s: '%s' is not a number from 1 to %ld\n", name, text, max);
        return false;
    }
    *ret_number = number;
    return true;
}

/* Reads the command line. Returns: whether to go on; if not, @ret_exit_code is set */
static bool read_kafka_options(int argc, char **argv, struct options *ret_options, int *ret_exit_code) {
    static const struct option LONG_OPTIONS[] = {
        {"topics", required_argument, NULL, 't'},
        {"partitions", required_argument, NULL, 'p'},
        {"port", required_argument, NULL, 'P'},
        {"ready-file", required_argument, NULL, 'r'},
        {"create-at", required_argument, NULL, 'c'},
        {"while-pid", required_argument, NULL, 'w'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct options options = {.partitions = 4};
    int option;
    *ret_exit_code = EX_USAGE;
    while ((option = getopt_long(argc, argv, "", LONG_OPTIONS, NULL)) != -1) {
        bool good = true;
        switch (option) {
        case 't':
            options.topics = optarg;
            break;
        case 'p':
            good = read_number_option("--partitions", optarg, PARTITIONS_MAX, &options.partitions);
            break;
        case 'P':
            good = read_number_option("--port", optarg, UINT16_MAX, &options.port);
            break;
        case 'r':
            options.ready_file = optarg;
            break;
        case 'c':
            options.create_at = optarg;
            break;
        case 'w':
            good = read_number_option("--while-pid", optarg, INT_MAX, &options.while_pid);
            break;
        case 'h':
            print_kafka_usage(stdout);
            *ret_exit_code = EXIT_SUCCESS;
            return false;
        default:
            print_kafka_usage(stderr);
            return false;
        }
        if (!good) {
            return false;
        }
    }
    if (optind < argc || (options.create_at && !options.topics)) {
        fprintf(stderr,
                optind < argc ? "herald-kafka: unexpected argument '%s'; see --help\n"
                              : "herald-kafka: --create-at needs --topics\n",
                argv[optind]);
        return false;
    }
    *ret_options = options;
    return true;
}

static bool make_mock_topics(rd_kafka_mock_cluster_t *cluster, const struct options *options) {
    char *rest = NULL;
    for (char *topic = options->topics ? strtok_r(options->topics, ",", &rest) : NULL; topic;
         topic = strtok_r(NULL, ",", &rest)) {
        rd_kafka_resp_err_t err = rd_kafka_mock_topic_create(cluster, topic, (int)options->partitions, 1);
        if (err) {
            fprintf(stderr, "herald-kafka: cannot make the topic '%s': %s\n", topic, rd_kafka_err2str(err));
            return false;
        }
    }
    return true;
}

/* Writes a file beside it and renames that, so that a reader sees the whole file or none. */
static bool write_ready_file(const char *path, const char *bootstrap) {
    char temporary[PATH_MAX];
    int length = snprintf(temporary, sizeof(temporary), "%s.%ld", path, (long)getpid());
    if (length < 0 || (size_t)length >= sizeof(temporary)) {
        fprintf(stderr, "herald-kafka: --ready-file: the path is too long\n");
        return false;
    }
    FILE *file = fopen(temporary, "we");
    bool written = file && fprintf(file, "%s\n", bootstrap) > 0;
    if (file && fclose(file) != 0) {
        written = false;
    }
    if (!written || rename(temporary, path) != 0) {
        fprintf(stderr, "herald-kafka: cannot write the ready file '%s': %s\n", path, strerror(errno));
        unlink(temporary);
        return false;
    }
    return true;
}

static void wait_for_kafka_end(rd_kafka_mock_cluster_t *cluster, const sigset_t *signals) {
    for (;;) {
        int number = 0;
        if (sigwait(signals, &number) != 0 || number == SIGTERM || number == SIGINT) {
            return;
        }
        if (number == SIGUSR1) {
            rd_kafka_mock_broker_set_down(cluster, BROKER_ID);
            fputs("herald-kafka: the broker is away (SIGUSR2 brings it back)\n", stderr);
        } else {
            rd_kafka_mock_broker_set_up(cluster, BROKER_ID);
            fputs("herald-kafka: the broker is back\n", stderr);
        }
    }
}

static int run_cluster(rd_kafka_t *handle, const struct options *options, const sigset_t *signals) {
    wanted_port = (uint16_t)options->port;
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(handle, BROKER_ID);
    if (!cluster) {
        fputs("herald-kafka: cannot start the mock cluster\n", stderr);
        return EXIT_FAILURE;
    }
    const char *bootstrap = rd_kafka_mock_cluster_bootstraps(cluster);
    bool ready = make_mock_topics(cluster, options) &&
                 (!options->ready_file || write_ready_file(options->ready_file, bootstrap));
    if (ready) {
        fprintf(stderr,
                "herald-kafka: up at %s. Embedded broker for a first look: records live in memory only and are NOT "
                "durable.\n",
                bootstrap);
        printf("%s\n", bootstrap);
        fflush(stdout);
        wait_for_kafka_end(cluster, signals);
    }
    rd_kafka_mock_cluster_destroy(cluster);
    return ready ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Prints errors only. The mock cluster's own notices are for librdkafka's tests. */
static void on_mock_log(const rd_kafka_t *handle, int level, const char *facility, const char *text) {
    (void)handle;
    if (level <= 3) {
        fprintf(stderr, "herald-kafka: %s: %s\n", facility, text);
    }
}

int main(int argc, char **argv) {
    struct options options;
    int exit_code;
    if (!read_kafka_options(argc, argv, &options, &exit_code)) {
        return exit_code;
    }
    if (options.create_at) {
        return create_topics_at(options.create_at, options.topics, (int)options.partitions, (pid_t)options.while_pid)
                   ? EXIT_SUCCESS
                   : EXIT_FAILURE;
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);

    char text[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, on_mock_log);
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (!handle) {
        rd_kafka_conf_destroy(conf);
        fprintf(stderr, "herald-kafka: cannot start: %s\n", text);
        return EXIT_FAILURE;
    }
    exit_code = run_cluster(handle, &options, &signals);
    rd_kafka_destroy(handle);
    return exit_code;
}
