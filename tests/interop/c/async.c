/* The asynchronous calls, each waited for: what the callback gets. */

#include "say.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t came = PTHREAD_COND_INITIALIZER;

/* One call: what was asked, and its answer. */
struct call {
    glfs_fd_t *fd;
    bool done;
    ssize_t result;
    int why;
    bool has_before, has_after;
    struct glfs_stat before, after;
};

static void answered(glfs_fd_t *fd, ssize_t result, struct glfs_stat *before,
                     struct glfs_stat *after, void *data)
{
    struct call *call = data;
    int why = errno;
    pthread_mutex_lock(&lock);
    call->fd = fd;
    call->result = result;
    call->why = why;
    call->has_before = before != NULL;
    call->has_after = after != NULL;
    if (before != NULL)
        call->before = *before;
    if (after != NULL)
        call->after = *after;
    call->done = true;
    pthread_cond_broadcast(&came);
    pthread_mutex_unlock(&lock);
}

static void wait_for(struct call *call)
{
    pthread_mutex_lock(&lock);
    while (!call->done)
        pthread_cond_wait(&came, &lock);
    pthread_mutex_unlock(&lock);
}

static void tell(struct call *call, glfs_fd_t *fd)
{
    wait_for(call);
    say_number("  answer", call->result, call->why);
    if (call->fd != fd)
        printf("  of another file\n");
    if (call->has_before)
        say_glfs_stat("before", &call->before);
    if (call->has_after)
        say_glfs_stat("after", &call->after);
    memset(call, 0, sizeof *call);
}

/* Many at once: every one is answered, and the file holds what was written. */
static void many(glfs_t *fs)
{
    enum { COUNT = 500, SIZE = 1000 };
    static struct call calls[COUNT];
    static char blocks[COUNT][SIZE], found[COUNT][SIZE];
    glfs_fd_t *fd = SAY_POINTER(glfs_creat(fs, "many", O_RDWR, 0600));
    int accepted = 0, answered_well = 0;
    for (int n = 0; n < COUNT; n++) {
        memset(blocks[n], 'a' + n % 26, SIZE);
        accepted += glfs_pwrite_async(fd, blocks[n], SIZE, n * SIZE, 0, answered, &calls[n]) == 0;
    }
    for (int n = 0; n < COUNT; n++) {
        wait_for(&calls[n]);
        answered_well += calls[n].result == SIZE;
        memset(&calls[n], 0, sizeof calls[n]);
    }
    printf("writes accepted %d, answered %d\n", accepted, answered_well);
    accepted = answered_well = 0;
    for (int n = 0; n < COUNT; n++)
        accepted += glfs_pread_async(fd, found[n], SIZE, n * SIZE, 0, answered, &calls[n]) == 0;
    for (int n = 0; n < COUNT; n++) {
        wait_for(&calls[n]);
        answered_well += calls[n].result == SIZE;
    }
    printf("reads accepted %d, answered %d: %s\n", accepted, answered_well,
           memcmp(blocks, found, sizeof blocks) == 0 ? "the same bytes" : "other bytes");
    SAY(glfs_close(fd));
}

int main(int count, char **words)
{
    glfs_t *fs = begin(count, words);
    struct call call = {0};
    char buffer[64] = "", second[64] = "";
    struct iovec out[2] = {{"vector ", 7}, {"of two", 6}};
    struct iovec in[2] = {{buffer, 6}, {second, 50}};
    glfs_fd_t *fd = SAY_POINTER(glfs_creat(fs, "async", O_RDWR, 0600));
    SAY(glfs_write_async(fd, "written ", 8, 0, answered, &call));
    tell(&call, fd);
    SAY(glfs_writev_async(fd, out, 2, 0, answered, &call));
    tell(&call, fd);
    SAY(glfs_pwrite_async(fd, "positioned", 10, 100, 0, answered, &call));
    tell(&call, fd);
    SAY(glfs_pwritev_async(fd, out, 2, 50, 0, answered, &call));
    tell(&call, fd);
    /* With performance/write-behind a read waits for the writes that it overlaps, not for the others,
     * and the size that comes with it would be now this, now that. */
    SAY(glfs_fsync(fd, NULL, NULL));
    SAY(glfs_lseek(fd, 0, SEEK_SET));
    SAY(glfs_read_async(fd, buffer, 8, 0, answered, &call));
    tell(&call, fd);
    say_bytes(buffer, 8);
    SAY(glfs_readv_async(fd, in, 2, 0, answered, &call));
    tell(&call, fd);
    say_bytes(buffer, 6);
    SAY(glfs_pread_async(fd, buffer, 20, 100, 0, answered, &call));
    tell(&call, fd);
    say_bytes(buffer, 10);
    SAY(glfs_preadv_async(fd, in, 2, 50, 0, answered, &call));
    tell(&call, fd);
    say_bytes(buffer, 6);
    SAY(glfs_pread_async(fd, buffer, 20, 1000, 0, answered, &call));
    tell(&call, fd);
    SAY(glfs_fsync_async(fd, answered, &call));
    tell(&call, fd);
    SAY(glfs_fdatasync_async(fd, answered, &call));
    tell(&call, fd);
    SAY(glfs_ftruncate_async(fd, 60000, answered, &call));
    tell(&call, fd);
    SAY(glfs_discard_async(fd, 4096, 4096, answered, &call));
    tell(&call, fd);
    SAY(glfs_zerofill_async(fd, 0, 4, answered, &call));
    tell(&call, fd);
    SAY(glfs_pread(fd, buffer, 8, 0, 0, NULL));
    say_bytes(buffer, 8);
    SAY(glfs_close(fd));
    fd = SAY_POINTER(glfs_open(fs, "async", O_RDONLY));
    SAY(glfs_pwrite_async(fd, "positioned", 10, 100, 0, answered, &call));
    tell(&call, fd);
    SAY(glfs_ftruncate_async(fd, 5, answered, &call));
    tell(&call, fd);
    SAY(glfs_close(fd));
    many(fs);
    return end(fs);
}
