/*
 * What the peers in C have in common: their parameters, the commands that come on standard input,
 * and the measuring. How they are talked to stands in tests/bench/lines.py.
 *
 * What goes wrong is said as {"error": ".."} and ends the process with 1.
 */

#ifndef PEER_H
#define PEER_H

#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What a round came to. */
struct round {
    long ops;
    long long bytes;
    double seconds;
    double cpu;
    double brick_cpu;
    long rss;      /* 0: as it is when the round is over */
    char per[512]; /* further figures: members of a JSON object, without its braces */
};

/* How one line is done. */
struct line {
    const char *name; /* all of it, or its beginning; NULL ends a table */
    void (*prepare)(void);
    void (*go)(struct round *round);
    bool forked; /* each round in a child of its own */
};

static const char *parameters;

/* ----------------------------------------------------------------------------------- errors */

static inline __attribute__((noreturn)) void fail(const char *what)
{
    printf("{\"error\": \"%s: %s\"}\n", what, strerror(errno));
    fflush(stdout);
    _exit(1);
}

static inline void must(bool good, const char *what)
{
    if (!good)
        fail(what);
}

/* ------------------------------------------------------------------------------- parameters */

/* Where the value of a key begins; NULL when it is not there, or null. */
static inline const char *value_of(const char *key)
{
    char quoted[128];
    snprintf(quoted, sizeof quoted, "\"%s\"", key);
    for (const char *at = parameters; (at = strstr(at, quoted)) != NULL;) {
        at += strlen(quoted);
        at += strspn(at, " ");
        if (*at != ':')
            continue; /* it was a value */
        at++;
        at += strspn(at, " ");
        return strncmp(at, "null", 4) == 0 ? NULL : at;
    }
    return NULL;
}

static inline double number(const char *key, double otherwise)
{
    const char *value = value_of(key);
    return value != NULL ? strtod(value, NULL) : otherwise;
}

/* A text; its copy is never freed. There are no escapes in what a peer is given. */
static inline char *text(const char *key)
{
    const char *value = value_of(key);
    if (value == NULL || *value != '"')
        return NULL;
    const char *end = strchr(value + 1, '"');
    must(end != NULL, key);
    return strndup(value + 1, end - value - 1);
}

/* -------------------------------------------------------------------------------- measuring */

static inline double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static inline double cpu_now(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_utime.tv_sec + used.ru_stime.tv_sec +
           (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static inline long resident(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    must(file != NULL && fscanf(file, "%*d %ld", &pages) == 1, "/proc/self/statm");
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

/* The CPU time of the brick's process; nothing if we are not told of it. */
static inline double brick_cpu_now(void)
{
    long pid = number("brick_pid", 0);
    struct timespec time = {0};
    if (pid > 0)
        must(clock_gettime((~(clockid_t)pid << 3) | 2, &time) == 0, "brick_pid");
    return time.tv_sec + time.tv_nsec / 1e9;
}

/* What is between start and stop is measured; several stretches add up. */
static inline void start(struct round *round)
{
    round->brick_cpu -= brick_cpu_now();
    round->cpu -= cpu_now();
    round->seconds -= now();
}

static inline void stop(struct round *round)
{
    round->seconds += now();
    round->cpu += cpu_now();
    round->brick_cpu += brick_cpu_now();
}

static inline __attribute__((format(printf, 2, 3))) void add_figure(struct round *round,
                                                                    const char *format, ...)
{
    size_t length = strlen(round->per);
    if (length > 0)
        length += snprintf(round->per + length, sizeof round->per - length, ", ");
    va_list words;
    va_start(words, format);
    vsnprintf(round->per + length, sizeof round->per - length, format, words);
    va_end(words);
}

/* How long a round is to go on: so many operations, or so many seconds. */
struct span {
    long count; /* 0: by the clock */
    double until;
};

static inline struct span span(void)
{
    long count = number("count", 0);
    double seconds = number("seconds", 1);
    return (struct span){count, count > 0 ? 0 : now() + seconds};
}

static inline bool over(const struct span *span, long done)
{
    return span->count > 0 ? done >= span->count : now() >= span->until;
}

/* The same offsets for every peer: each is a block's. */
struct offsets {
    uint64_t state;
    uint64_t blocks;
    uint64_t block;
};

static inline struct offsets offsets(uint64_t seed, uint64_t size, uint64_t block)
{
    return (struct offsets){seed, size / block, block};
}

static inline uint64_t next_offset(struct offsets *offsets)
{
    offsets->state = offsets->state * 6364136223846793005u + 1442695040888963407u;
    return (offsets->state >> 33) % offsets->blocks * offsets->block;
}

/* --------------------------------------------------------------------------------- commands */

static inline void answer_forked(const struct line *line, struct round *round)
{
    int ends[2];
    must(pipe(ends) == 0, "pipe");
    pid_t child = fork();
    must(child >= 0, "fork");
    if (child == 0) {
        line->go(round);
        if (round->rss == 0)
            round->rss = resident();
        must(write(ends[1], round, sizeof *round) == sizeof *round, "pipe");
        _exit(0);
    }
    close(ends[1]);
    ssize_t came = read(ends[0], round, sizeof *round);
    close(ends[0]);
    int status;
    must(waitpid(child, &status, 0) == child, "waitpid");
    if (came == sizeof *round)
        return;
    if (WIFSIGNALED(status)) /* or it has said itself what is wrong */
        printf("{\"error\": \"the round ended with signal %d\"}\n", WTERMSIG(status));
    fflush(stdout);
    _exit(1);
}

/* Do what standard input says. The end is by _exit: whatever is open, the kernel closes. */
static inline __attribute__((noreturn)) void serve(const struct line *lines, const char *name)
{
    const struct line *line = lines;
    while (line->name != NULL && strncmp(line->name, name, strlen(line->name)) != 0)
        line++;
    char command[64];
    while (fgets(command, sizeof command, stdin) != NULL) {
        command[strcspn(command, "\n")] = 0;
        if (strcmp(command, "quit") == 0)
            break;
        if (line->name == NULL) {
            printf("{\"skip\": \"this peer has no %s\"}\n", name);
        } else if (strcmp(command, "prepare") == 0) {
            if (line->prepare != NULL)
                line->prepare();
            printf("{\"ready\": true, \"pids\": []}\n");
        } else if (strcmp(command, "go") == 0) {
            struct round round = {0};
            if (line->forked)
                answer_forked(line, &round);
            else
                line->go(&round);
            printf("{\"ops\": %ld, \"seconds\": %.9f, \"cpu\": %.6f, \"bytes\": %lld, "
                   "\"rss\": %ld, \"per\": {%s}",
                   round.ops, round.seconds, round.cpu, round.bytes,
                   round.rss != 0 ? round.rss : resident(), round.per);
            if (value_of("brick_pid") != NULL)
                printf(", \"brick_cpu\": %.6f", round.brick_cpu);
            printf("}\n");
        } else {
            printf("{\"error\": \"no such command: %s\"}\n", command);
        }
        fflush(stdout);
    }
    _exit(0);
}

#endif
