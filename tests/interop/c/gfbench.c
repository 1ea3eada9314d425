/*
 * How fast a brick is, as libgfapi sees it.
 *
 *     gfbench VOLFILE DIRECTORY MILLISECONDS WORKLOAD...
 *
 * Each workload runs for about so long and says one line: its name, how much it did in a second
 * (calls, entries, or mebibytes), and how much in all. All are in one session, which is not ended but
 * left: an end takes ten seconds (see prompt_fini.c) and is not what is measured here.
 */

#include "say.h"

#include <pthread.h>
#include <time.h>

enum {
    BLOCK = 4096,
    PIECE = 1 << 20,
    FILE_SIZE = 64 << 20,
    FILES = 2000, /* in the directory that is listed */
    MOST_IN_FLIGHT = 64,
};

static glfs_t *fs;
static double seconds; /* how long each workload is to run */
static char *piece;    /* PIECE bytes of no account */
static char *room;     /* MOST_IN_FLIGHT pieces to read into */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static uint64_t random_bits = 88172645463325252u;

static off_t random_offset(void)
{
    random_bits ^= random_bits << 13;
    random_bits ^= random_bits >> 7;
    random_bits ^= random_bits << 17;
    return random_bits % (FILE_SIZE / BLOCK) * BLOCK;
}

static glfs_fd_t *data_file(void)
{
    glfs_fd_t *fd = glfs_creat(fs, "data", O_RDWR, 0600);
    must(fd != NULL, "data");
    struct stat st;
    must(glfs_fstat(fd, &st) == 0, "fstat");
    for (off_t at = st.st_size; at < FILE_SIZE; at += PIECE)
        must(glfs_pwrite(fd, piece, PIECE, at, 0, NULL, NULL) == PIECE, "fill");
    return fd;
}

/* -- one call after the other ------------------------------------------------------------------ */

static long read_blocks(glfs_fd_t *fd, double until)
{
    long done = 0;
    for (; now() < until; done++)
        must(glfs_pread(fd, room, BLOCK, random_offset(), 0, NULL) == BLOCK, "pread");
    return done;
}

static long write_blocks(glfs_fd_t *fd, double until)
{
    long done = 0;
    for (; now() < until; done++)
        must(glfs_pwrite(fd, piece, BLOCK, random_offset(), 0, NULL, NULL) == BLOCK, "pwrite");
    return done;
}

static long read_stream(glfs_fd_t *fd, double until)
{
    long done = 0;
    for (; now() < until; done++)
        must(glfs_pread(fd, room, PIECE, (off_t)done * PIECE % FILE_SIZE, 0, NULL) == PIECE,
             "pread");
    return done;
}

static long write_stream(glfs_fd_t *fd, double until)
{
    long done = 0;
    for (; now() < until; done++)
        must(glfs_pwrite(fd, piece, PIECE, (off_t)done * PIECE % FILE_SIZE, 0, NULL, NULL) == PIECE,
             "pwrite");
    return done;
}

static long stat_file(glfs_fd_t *fd, double until)
{
    long done = 0;
    struct stat st;
    for (; now() < until; done++)
        must(glfs_fstat(fd, &st) == 0, "fstat");
    return done;
}

/* -- many at once ------------------------------------------------------------------------------ */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t came = PTHREAD_COND_INITIALIZER;
static bool free_slots[MOST_IN_FLIGHT];
static int in_flight;

static void answered(glfs_fd_t *fd, ssize_t result, struct glfs_stat *before,
                     struct glfs_stat *after, void *slot)
{
    (void)fd, (void)before, (void)after;
    must(result > 0, "an asynchronous call");
    pthread_mutex_lock(&lock);
    free_slots[(intptr_t)slot] = true;
    in_flight--;
    pthread_cond_signal(&came);
    pthread_mutex_unlock(&lock);
}

static long many(glfs_fd_t *fd, double until, int most, size_t size, bool writing)
{
    long done = 0;
    memset(free_slots, true, sizeof free_slots);
    for (; now() < until; done++) {
        pthread_mutex_lock(&lock);
        while (in_flight == most)
            pthread_cond_wait(&came, &lock);
        intptr_t slot = 0;
        while (!free_slots[slot])
            slot++;
        free_slots[slot] = false;
        in_flight++;
        pthread_mutex_unlock(&lock);
        off_t at = size == BLOCK ? random_offset() : (off_t)done * PIECE % FILE_SIZE;
        must((writing ? glfs_pwrite_async(fd, piece, size, at, 0, answered, (void *)slot)
                      : glfs_pread_async(fd, room + slot * PIECE, size, at, 0, answered,
                                         (void *)slot)) == 0, "asynchronous call");
    }
    pthread_mutex_lock(&lock);
    while (in_flight > 0)
        pthread_cond_wait(&came, &lock);
    pthread_mutex_unlock(&lock);
    return done;
}

static long read_blocks_16(glfs_fd_t *fd, double until)
{
    return many(fd, until, 16, BLOCK, false);
}

static long write_blocks_16(glfs_fd_t *fd, double until)
{
    return many(fd, until, 16, BLOCK, true);
}

static long read_stream_4(glfs_fd_t *fd, double until)
{
    return many(fd, until, 4, PIECE, false);
}

static long write_stream_4(glfs_fd_t *fd, double until)
{
    return many(fd, until, 4, PIECE, true);
}

/* -- names ------------------------------------------------------------------------------------- */

static long made; /* how many files there are of those that were made to be measured */

static long create_files(glfs_fd_t *unused, double until)
{
    (void)unused;
    long done = 0;
    char name[32];
    must(glfs_mkdir(fs, "made", 0700) == 0, "made");
    for (; now() < until; done++) {
        snprintf(name, sizeof name, "made/%ld", done);
        glfs_fd_t *fd = glfs_creat(fs, name, O_WRONLY | O_EXCL, 0600);
        must(fd != NULL, name);
        must(glfs_write(fd, piece, BLOCK, 0) == BLOCK && glfs_close(fd) == 0, name);
    }
    made = done;
    return done;
}

static void remove_files(void)
{
    char name[32];
    for (long n = 0; n < made; n++) {
        snprintf(name, sizeof name, "made/%ld", n);
        must(glfs_unlink(fs, name) == 0, name);
    }
    must(glfs_rmdir(fs, "made") == 0, "made");
}

static void fill_directory(void)
{
    char name[32];
    if (glfs_mkdir(fs, "listed", 0700) != 0)
        return;
    for (int n = 0; n < FILES; n++) {
        snprintf(name, sizeof name, "listed/file-%d", n);
        must(glfs_mknod(fs, name, S_IFREG | 0600, 0) == 0, name);
    }
}

static long list(glfs_fd_t *unused, double until)
{
    (void)unused;
    long done = 0;
    struct stat st;
    while (now() < until) {
        glfs_fd_t *fd = glfs_opendir(fs, "listed");
        must(fd != NULL, "opendir");
        long found = 0;
        while (glfs_readdirplus(fd, &st) != NULL)
            found++;
        must(found == FILES + 2, "readdirplus");
        must(glfs_closedir(fd) == 0, "closedir");
        done += found;
    }
    return done;
}

/* ---------------------------------------------------------------------------------------------- */

static const struct workload {
    const char *name;
    long (*run)(glfs_fd_t *fd, double until);
    bool on_file;
} workloads[] = {
    {"read-4k", read_blocks, true},
    {"read-4k-16", read_blocks_16, true},
    {"write-4k", write_blocks, true},
    {"write-4k-16", write_blocks_16, true},
    {"fstat", stat_file, true},
    {"read-1m", read_stream, true},
    {"read-1m-4", read_stream_4, true},
    {"write-1m", write_stream, true},
    {"write-1m-4", write_stream_4, true},
    {"create", create_files, false},
    {"readdirp", list, false},
};

static void measure(const struct workload *workload)
{
    glfs_fd_t *fd = workload->on_file ? data_file() : NULL;
    if (workload->run == list)
        fill_directory();
    double begun = now();
    long done = workload->run(fd, begun + seconds);
    if (fd != NULL)
        must(glfs_close(fd) == 0, "close"); /* what lies in write-behind is part of it */
    double took = now() - begun;
    if (workload->run == create_files)
        remove_files();
    printf("%s %.3f %ld\n", workload->name, done / took, done);
}

int main(int count, char **words)
{
    must(count >= 5, "usage: gfbench VOLFILE DIRECTORY MILLISECONDS WORKLOAD...");
    char *session[] = {words[0], "bench", words[1], words[2]};
    fs = begin(4, session);
    seconds = atoi(words[3]) / 1e3;
    piece = malloc(PIECE);
    room = malloc((size_t)MOST_IN_FLIGHT * PIECE);
    must(piece != NULL && room != NULL, "malloc");
    memset(piece, 'x', PIECE);
    for (int word = 4; word < count; word++)
        for (size_t n = 0; n < sizeof workloads / sizeof *workloads; n++)
            if (strcmp(workloads[n].name, words[word]) == 0)
                measure(&workloads[n]);
    fflush(stdout);
    _exit(0);
}
