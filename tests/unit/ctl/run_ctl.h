#ifndef HERALD_TEST_RUN_CTL_H
#define HERALD_TEST_RUN_CTL_H

/** What the last run printed on standard output and on standard error. */
extern char said[], complained[];

/** Runs heraldctl in this process, with standard output and error in files. Returns: the exit status. */
int run_ctl(int argc, const char **argv);
/** The same with standard output at a device that is full. */
int run_ctl_without_room(int argc, const char **argv);

/** RUN("call", "GetEvent") */
#define RUN(...)                                                                                                       \
    run_ctl((int)(sizeof((const char *[]){"heraldctl", __VA_ARGS__}) / sizeof(const char *)),                          \
            (const char *[]){"heraldctl", __VA_ARGS__, NULL})

#define RUN_WITHOUT_ROOM(...)                                                                                          \
    run_ctl_without_room((int)(sizeof((const char *[]){"heraldctl", __VA_ARGS__}) / sizeof(const char *)),             \
                         (const char *[]){"heraldctl", __VA_ARGS__, NULL})

#endif
