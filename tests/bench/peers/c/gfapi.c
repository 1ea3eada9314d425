/*
 * libgfapi as a peer: the lines of the benchmark by the C library.
 *
 *     gfapi sync LINE PARAMETERS      one call after the other, threads where the line has threads
 *     gfapi async LINE PARAMETERS     glfs_pread_async, glfs_pwrite_async: so many under way
 *     gfapi mended LINE PARAMETERS    with prompt_fini.so preloaded: the lines that end sessions
 *     gfapi closing LINE PARAMETERS   the same, and each handle is closed before glfs_fini
 *
 * A session that is not measured for its end is left, not ended: an end takes ten seconds in 10.3.
 * The brick lets go of everything when the connection closes.
 *
 * The lines that connect or end sessions do each round in a child of its own, so that none inherits
 * a session from the one before. CPU and memory are the child's then.
 */

#include "peer.h"

#include <dirent.h>
#include <fcntl.h>
#include <glusterfs/api/glfs.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/stat.h>

enum { MOST_THREADS = 64, NAME = 512, SMALL_FILE = 4096, HANDLE_FILES = 1000 };

static const char *way;
static char *directory; /* of this peer and line alone */
static char *shared;    /* what all peers read from */
static long long size;  /* of the file that is read or written */
static long block;      /* bytes a call */
static long count;
static int threads;
static int in_flight;
static char *content; /* a block, to be written */
static struct offsets where[MOST_THREADS];

static glfs_t *fs;
static glfs_fd_t *data;
static long rounds; /* that were done */

static bool mended(void)
{
    return strcmp(way, "mended") == 0;
}

/* ----------------------------------------------------------------------------------- sessions */

static glfs_t *connected(void)
{
    static char *volume, *host, *volfile;
    static int port;
    if (volume == NULL) {
        volume = text("volume");
        host = text("host");
        volfile = text("volfile");
        port = number("port", 24007);
        if (volume == NULL)
            volume = "bench";
    }
    glfs_t *made = glfs_new(volume);
    must(made != NULL, "glfs_new");
    if (volfile != NULL)
        must(glfs_set_volfile(made, volfile) == 0, "glfs_set_volfile");
    else
        must(glfs_set_volfile_server(made, "tcp", host, port) == 0, "glfs_set_volfile_server");
    must(glfs_set_logging(made, "/dev/null", 1) == 0, "glfs_set_logging");
    must(glfs_init(made) == 0, "glfs_init");
    return made;
}

/* The path of something in a directory; good until the thread's next. */
static const char *in(const char *parent, const char *format, ...)
{
    static __thread char made[NAME];
    int length = snprintf(made, sizeof made, "%s/", parent);
    va_list words;
    va_start(words, format);
    vsnprintf(made + length, sizeof made - length, format, words);
    va_end(words);
    return made;
}

/* Connect, and know the directories. */
static void prepare_session(void)
{
    struct stat st;
    fs = connected();
    must(directory == NULL || glfs_stat(fs, directory, &st) == 0, "dir");
    must(shared == NULL || glfs_stat(fs, shared, &st) == 0, "shared");
}

/* ------------------------------------------------------------------------- reading and writing */

static void open_data(void)
{
    char room[1];
    data = glfs_open(fs, in(shared, "data"), O_RDONLY);
    must(data != NULL, "data");
    /* The brick is asked to open it when it is first read (open-behind). */
    must(glfs_pread(data, room, 1, 0, 0, NULL) == 1, "glfs_pread");
}

static void prepare_data(void)
{
    prepare_session();
    open_data();
    for (int n = 0; n < 50; n++)
        must(glfs_pread(data, content, block, 0, 0, NULL) == block, "glfs_pread");
}

struct reader {
    pthread_t thread;
    int number;
    struct span span;
    long done;
};

static void *read_at_random(void *given)
{
    struct reader *reader = given;
    char *room = malloc(block);
    must(room != NULL, "malloc");
    struct offsets *mine = &where[reader->number];
    for (; !over(&reader->span, reader->done); reader->done++)
        must(glfs_pread(data, room, block, next_offset(mine), 0, NULL) == block, "glfs_pread");
    free(room);
    return NULL;
}

static void random_reads(struct round *round)
{
    struct reader readers[MOST_THREADS] = {0};
    start(round);
    struct span whole = span();
    for (int n = 0; n < threads; n++) {
        struct reader *reader = &readers[n];
        reader->number = n;
        reader->span = whole;
        if (whole.count > 0)
            reader->span.count = (whole.count + threads - 1) / threads;
        if (n > 0)
            must(pthread_create(&reader->thread, NULL, read_at_random, reader) == 0, "a thread");
    }
    read_at_random(&readers[0]);
    for (int n = 1; n < threads; n++)
        pthread_join(readers[n].thread, NULL);
    stop(round);
    for (int n = 0; n < threads; n++)
        round->ops += readers[n].done;
    round->bytes = round->ops * block;
}

/* A file of this peer's own, written once from begin to end. */
static void prepare_own_file(void)
{
    prepare_session();
    glfs_fd_t *fd = glfs_creat(fs, in(directory, "own"), O_WRONLY, 0644);
    must(fd != NULL, "own");
    enum { PIECE = 1 << 20 };
    char *piece = calloc(1, PIECE);
    must(piece != NULL, "malloc");
    for (long long at = 0; at < size; at += PIECE) {
        ssize_t length = size - at < PIECE ? size - at : PIECE;
        must(glfs_pwrite(fd, piece, length, at, 0, NULL, NULL) == length, "glfs_pwrite");
    }
    must(glfs_fsync(fd, NULL, NULL) == 0 && glfs_close(fd) == 0, "glfs_close");
    free(piece);
}

static glfs_fd_t *open_own_file(void)
{
    glfs_fd_t *fd = glfs_open(fs, in(directory, "own"), O_RDWR);
    must(fd != NULL, "own");
    return fd;
}

static void random_writes(struct round *round)
{
    glfs_fd_t *fd = open_own_file();
    start(round);
    for (struct span whole = span(); !over(&whole, round->ops); round->ops++)
        must(glfs_pwrite(fd, content, block, next_offset(&where[0]), 0, NULL, NULL) == block,
             "glfs_pwrite");
    must(glfs_close(fd) == 0, "glfs_close");
    stop(round);
    round->bytes = round->ops * block;
}

static void stream_in(struct round *round)
{
    start(round);
    for (; round->bytes < size; round->ops++, round->bytes += block)
        must(glfs_pread(data, content, block, round->bytes, 0, NULL) == block, "glfs_pread");
    stop(round);
}

static glfs_fd_t *new_file(void)
{
    glfs_fd_t *fd = glfs_creat(fs, in(directory, "out-%ld", rounds), O_RDWR | O_EXCL, 0644);
    must(fd != NULL, "glfs_creat");
    return fd;
}

static void remove_new_file(void)
{
    must(glfs_unlink(fs, in(directory, "out-%ld", rounds++)) == 0, "glfs_unlink");
}

static void stream_out(struct round *round)
{
    glfs_fd_t *fd = new_file();
    start(round);
    for (; round->bytes < size; round->ops++, round->bytes += block)
        must(glfs_pwrite(fd, content, block, round->bytes, 0, NULL, NULL) == block, "glfs_pwrite");
    must(glfs_close(fd) == 0, "glfs_close");
    stop(round);
    remove_new_file();
}

/* ------------------------------------------------------------------------------- many under way */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sem_t room_left;
static char **spare; /* buffers that are not in use */
static int spares;
static bool refused;

static void prepare_rooms(void)
{
    spare = calloc(in_flight, sizeof *spare);
    must(spare != NULL, "malloc");
    for (; spares < in_flight; spares++) {
        spare[spares] = malloc(block);
        must(spare[spares] != NULL, "malloc");
        memset(spare[spares], 'x', block);
    }
    must(sem_init(&room_left, 0, in_flight) == 0, "sem_init");
}

static void answered(glfs_fd_t *fd, ssize_t result, struct glfs_stat *before,
                     struct glfs_stat *after, void *room)
{
    (void)fd, (void)before, (void)after;
    pthread_mutex_lock(&lock);
    if (result != block)
        refused = true;
    spare[spares++] = room;
    pthread_mutex_unlock(&lock);
    sem_post(&room_left);
}

static char *next_room(void)
{
    sem_wait(&room_left);
    pthread_mutex_lock(&lock);
    char *room = spare[--spares];
    pthread_mutex_unlock(&lock);
    return room;
}

static void call(glfs_fd_t *fd, bool writing, off_t at)
{
    char *room = next_room();
    must((writing ? glfs_pwrite_async(fd, room, block, at, 0, answered, room)
                  : glfs_pread_async(fd, room, block, at, 0, answered, room)) == 0,
         "an asynchronous call");
}

static void await_all(void)
{
    for (int n = 0; n < in_flight; n++)
        sem_wait(&room_left);
    for (int n = 0; n < in_flight; n++)
        sem_post(&room_left);
    errno = EIO;
    must(!refused, "an asynchronous call");
}

static void prepare_many_reads(void)
{
    prepare_data();
    prepare_rooms();
}

static void prepare_many_random_writes(void)
{
    prepare_own_file();
    prepare_rooms();
}

static void prepare_many_writes(void)
{
    prepare_session();
    prepare_rooms();
}

static void many_at_random(struct round *round, glfs_fd_t *fd, bool writing)
{
    for (struct span whole = span(); !over(&whole, round->ops); round->ops++)
        call(fd, writing, next_offset(&where[0]));
    await_all();
    round->bytes = round->ops * block;
}

static void many_in_turn(struct round *round, glfs_fd_t *fd, bool writing)
{
    for (; round->bytes < size; round->ops++, round->bytes += block)
        call(fd, writing, round->bytes);
    await_all();
}

static void many_random_reads(struct round *round)
{
    start(round);
    many_at_random(round, data, false);
    stop(round);
}

static void many_random_writes(struct round *round)
{
    glfs_fd_t *fd = open_own_file();
    start(round);
    many_at_random(round, fd, true);
    must(glfs_close(fd) == 0, "glfs_close");
    stop(round);
}

static void many_stream_in(struct round *round)
{
    start(round);
    many_in_turn(round, data, false);
    stop(round);
}

static void many_stream_out(struct round *round)
{
    glfs_fd_t *fd = new_file();
    start(round);
    many_in_turn(round, fd, true);
    must(glfs_close(fd) == 0, "glfs_close");
    stop(round);
    remove_new_file();
}

/* --------------------------------------------------------------------------------------- names */

static void look(long number)
{
    struct stat st;
    must(glfs_stat(fs, in(shared, "names/f%06ld", number), &st) == 0, "glfs_stat");
}

static void stat_cold(struct round *round)
{
    long first = rounds++ * count;
    start(round);
    for (; round->ops < count; round->ops++)
        look(first + round->ops);
    stop(round);
}

static void stat_warm(struct round *round)
{
    for (long n = 0; n < count; n++)
        look(n);
    start(round);
    struct span whole = {.until = now() + number("seconds", 1)};
    for (; !over(&whole, round->ops); round->ops++)
        look(round->ops % count);
    stop(round);
}

static void small(struct round *round)
{
    char room[SMALL_FILE];
    long first = rounds++ * count;
    start(round);
    for (; round->ops < count; round->ops++) {
        glfs_fd_t *fd = glfs_open(fs, in(shared, "names/f%06ld", first + round->ops), O_RDONLY);
        must(fd != NULL, "glfs_open");
        must(glfs_read(fd, room, sizeof room, 0) == SMALL_FILE, "glfs_read");
        must(glfs_close(fd) == 0, "glfs_close");
    }
    stop(round);
    round->bytes = round->ops * SMALL_FILE;
}

static void make_files(struct round *round)
{
    for (; round->ops < count; round->ops++) {
        glfs_fd_t *fd = glfs_creat(fs, in(directory, "r%ld-%06ld", rounds, round->ops),
                                   O_WRONLY | O_EXCL, 0644);
        must(fd != NULL, "glfs_creat");
        must(glfs_write(fd, content, SMALL_FILE, 0) == SMALL_FILE, "glfs_write");
        must(glfs_close(fd) == 0, "glfs_close");
    }
    round->bytes = round->ops * SMALL_FILE;
}

static void remove_files(void)
{
    for (long n = 0; n < count; n++)
        must(glfs_unlink(fs, in(directory, "r%ld-%06ld", rounds, n)) == 0, "glfs_unlink");
    rounds++;
}

static void create(struct round *round)
{
    start(round);
    make_files(round);
    stop(round);
    rounds++;
}

static void unlinks(struct round *round)
{
    make_files(round);
    start(round);
    remove_files();
    stop(round);
    round->bytes = 0;
}

static void listing(struct round *round)
{
    struct stat st;
    struct dirent *entry;
    long entries = number("entries", 0);
    start(round);
    glfs_fd_t *fd = glfs_opendir(fs, in(shared, "d%ld", entries));
    must(fd != NULL, "glfs_opendir");
    while ((entry = glfs_readdirplus(fd, &st)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            round->ops++;
    must(glfs_closedir(fd) == 0, "glfs_closedir");
    stop(round);
    errno = ENOENT;
    must(round->ops == entries, "some entries");
}

/* ------------------------------------------------------------------------------ whole sessions */

static void end(glfs_t *session)
{
    if (mended())
        glfs_fini(session);
}

/* The first session of a process loads the translators; it is a figure of its own. */
static void connecting(struct round *round)
{
    double begun = now();
    glfs_t *session = connected();
    add_figure(round, "\"first\": %.6f", now() - begun);
    end(session);
    for (; round->ops < count; round->ops++) {
        start(round);
        session = connected();
        stop(round);
        end(session);
    }
}

static glfs_fd_t **open_handles(long handles)
{
    char byte;
    glfs_fd_t **fds = calloc(handles + 1, sizeof *fds);
    must(fds != NULL, "malloc");
    for (long n = 0; n < handles; n++) {
        fds[n] = glfs_open(fs, in(shared, "handles/f%03ld", n % HANDLE_FILES), O_RDWR);
        must(fds[n] != NULL, "glfs_open");
        must(glfs_pread(fds[n], &byte, 1, 0, 0, NULL) == 1, "glfs_pread");
    }
    return fds;
}

/* The handles are left to glfs_fini, which lets go of none: the brick does when the connection ends. Or
   the program closes them, one after the other, which is a part of the end then. */
static void closing(struct round *round)
{
    long handles = number("handles", 0), closed = 0;
    prepare_session();
    glfs_fd_t **fds = open_handles(handles);
    start(round);
    if (strcmp(way, "closing") == 0)
        for (; closed < handles; closed++)
            must(glfs_close(fds[closed]) == 0, "glfs_close");
    int result = glfs_fini(fs);
    stop(round);
    free(fds);
    round->ops = 1;
    add_figure(round, "\"released\": %ld, \"result\": %d", closed, result);
}

static glfs_t *session_in_use(void)
{
    struct stat st;
    glfs_t *session = connected();
    must(glfs_stat(session, "/", &st) == 0, "glfs_stat");
    return session;
}

static void sessions(struct round *round)
{
    long tenth = 0;
    add_figure(round, "\"rss_before\": %ld", resident());
    start(round);
    while (round->ops < count) {
        must(glfs_fini(session_in_use()) == 0, "glfs_fini");
        if (++round->ops == 10)
            tenth = resident();
    }
    stop(round);
    add_figure(round, "\"rss_10\": %ld, \"rss_end\": %ld", tenth, resident());
}

static void open_sessions(struct round *round)
{
    glfs_t **open = calloc(count, sizeof *open);
    must(open != NULL, "malloc");
    add_figure(round, "\"rss_before\": %ld", resident());
    start(round);
    for (; round->ops < count; round->ops++)
        open[round->ops] = session_in_use();
    stop(round);
    round->rss = resident();
    add_figure(round, "\"rss_end\": %ld", round->rss);
    for (long n = 0; n < count; n++)
        end(open[n]);
    free(open);
}

/* ---------------------------------------------------------------------------------------- lines */

static const struct line sync_lines[] = {
    {"pread", prepare_data, random_reads, false},
    {"pwrite4k", prepare_own_file, random_writes, false},
    {"seqread", prepare_data, stream_in, false},
    {"seqwrite", prepare_session, stream_out, false},
    {"stat_cold", prepare_session, stat_cold, false},
    {"stat_warm", prepare_session, stat_warm, false},
    {"small", prepare_session, small, false},
    {"create", prepare_session, create, false},
    {"unlink", prepare_session, unlinks, false},
    {"readdirp", prepare_session, listing, false},
    {"connect", NULL, connecting, true},
    {"close_", NULL, closing, true},
    {"session_idle", NULL, open_sessions, true},
    {"sessions_open", NULL, open_sessions, true},
    {NULL, NULL, NULL, false},
};

static const struct line async_lines[] = {
    {"apread4k", prepare_many_reads, many_random_reads, false},
    {"pwrite4k", prepare_many_random_writes, many_random_writes, false},
    {"seqread", prepare_many_reads, many_stream_in, false},
    {"seqwrite", prepare_many_writes, many_stream_out, false},
    {NULL, NULL, NULL, false},
};

static const struct line mended_lines[] = {
    {"connect", NULL, connecting, true},
    {"close_", NULL, closing, true},
    {"session_idle", NULL, open_sessions, true},
    {"sessions_open", NULL, open_sessions, true},
    {"sessions_", NULL, sessions, true},
    {NULL, NULL, NULL, false},
};

static const struct line closing_lines[] = {
    {"close_", NULL, closing, true},
    {NULL, NULL, NULL, false},
};

static const struct {
    const char *name;
    const struct line *lines;
} ways[] = {
    {"sync", sync_lines},
    {"async", async_lines},
    {"mended", mended_lines},
    {"closing", closing_lines},
};

/* How many asynchronous calls are under way where the line does not say so. */
static long in_flight_by_size(void)
{
    return block <= 4096 ? 64 : block <= 131072 ? 8 : 4;
}

int main(int words, char **word)
{
    must(words == 4, "usage: gfapi sync|async|mended|closing LINE PARAMETERS");
    way = word[1];
    parameters = word[3];
    directory = text("dir");
    shared = text("shared");
    size = number("size", 0);
    block = number("block", 4096);
    count = number("count", 0);
    threads = number("threads", 1);
    in_flight = number("inflight", in_flight_by_size());
    content = malloc(block);
    must(content != NULL && threads <= MOST_THREADS, "malloc");
    memset(content, 'x', block);
    for (int thread = 0; size > 0 && thread < MOST_THREADS; thread++)
        where[thread] = offsets(number("seed", 1) + thread, size, block);
    for (size_t n = 0; n < sizeof ways / sizeof *ways; n++)
        if (strcmp(ways[n].name, way) == 0)
            serve(ways[n].lines, word[2]);
    errno = EINVAL;
    fail(way);
}
