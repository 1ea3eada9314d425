/* The calls that libgfapi keeps under older versions of their names, for programs of old. */

#include "say.h"

#include <pthread.h>

/* Before version 6 there were no attributes in what these took and in what they answered with. */
typedef void (*old_callback)(glfs_fd_t *fd, ssize_t result, void *data);

#define OLD(version, type, name, ...)                                                              \
    type old_##name(__VA_ARGS__);                                                                  \
    __asm__(".symver old_" #name "," #name "@GFAPI_" version)

OLD("3.4.0", ssize_t, glfs_pread, glfs_fd_t *, void *, size_t, off_t, int);
OLD("3.4.0", ssize_t, glfs_pwrite, glfs_fd_t *, const void *, size_t, off_t, int);
OLD("3.4.0", int, glfs_ftruncate, glfs_fd_t *, off_t);
OLD("3.4.0", int, glfs_fsync, glfs_fd_t *);
OLD("3.4.0", int, glfs_fdatasync, glfs_fd_t *);
OLD("3.4.0", int, glfs_read_async, glfs_fd_t *, void *, size_t, int, old_callback, void *);
OLD("3.4.0", int, glfs_write_async, glfs_fd_t *, const void *, size_t, int, old_callback, void *);
OLD("3.4.0", int, glfs_readv_async, glfs_fd_t *, const struct iovec *, int, int, old_callback,
    void *);
OLD("3.4.0", int, glfs_writev_async, glfs_fd_t *, const struct iovec *, int, int, old_callback,
    void *);
OLD("3.4.0", int, glfs_pread_async, glfs_fd_t *, void *, size_t, off_t, int, old_callback, void *);
OLD("3.4.0", int, glfs_pwrite_async, glfs_fd_t *, const void *, int, off_t, int, old_callback,
    void *);
OLD("3.4.0", int, glfs_preadv_async, glfs_fd_t *, const struct iovec *, int, off_t, int,
    old_callback, void *);
OLD("3.4.0", int, glfs_pwritev_async, glfs_fd_t *, const struct iovec *, int, off_t, int,
    old_callback, void *);
OLD("3.4.0", int, glfs_ftruncate_async, glfs_fd_t *, off_t, old_callback, void *);
OLD("3.4.0", int, glfs_fsync_async, glfs_fd_t *, old_callback, void *);
OLD("3.4.0", int, glfs_fdatasync_async, glfs_fd_t *, old_callback, void *);
OLD("3.5.0", int, glfs_discard_async, glfs_fd_t *, off_t, size_t, old_callback, void *);
OLD("3.5.0", int, glfs_zerofill_async, glfs_fd_t *, off_t, off_t, old_callback, void *);
OLD("3.4.0", char *, glfs_realpath, glfs_t *, const char *, char *);
OLD("3.4.2", glfs_object_t *, glfs_h_lookupat, glfs_t *, glfs_object_t *, const char *,
    struct stat *);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t came = PTHREAD_COND_INITIALIZER;
static bool done;
static ssize_t answer;

static void answered(glfs_fd_t *fd, ssize_t result, void *data)
{
    pthread_mutex_lock(&lock);
    must(fd == data, "answer of another file");
    answer = result;
    done = true;
    pthread_cond_signal(&came);
    pthread_mutex_unlock(&lock);
}

static void tell(void)
{
    pthread_mutex_lock(&lock);
    while (!done)
        pthread_cond_wait(&came, &lock);
    done = false;
    pthread_mutex_unlock(&lock);
    printf("  answer: %zd\n", answer);
}

int main(int count, char **words)
{
    glfs_t *fs = begin(count, words);
    char buffer[4096] = "", second[16] = "";
    struct iovec out[2] = {{"vector ", 7}, {"of two", 6}};
    struct iovec in[2] = {{buffer, 6}, {second, 7}};
    struct stat st;
    glfs_fd_t *fd = SAY_POINTER(glfs_creat(fs, "older", O_RDWR, 0600));
    SAY(old_glfs_pwrite(fd, "0123456789", 10, 0, 0));
    SAY(old_glfs_pread(fd, buffer, 5, 2, 0));
    say_bytes(buffer, 5);
    SAY(old_glfs_ftruncate(fd, 5));
    SAY(old_glfs_fsync(fd));
    SAY(old_glfs_fdatasync(fd));
    SAY(old_glfs_write_async(fd, "written ", 8, 0, answered, fd));
    tell();
    SAY(old_glfs_writev_async(fd, out, 2, 0, answered, fd));
    tell();
    SAY(old_glfs_pwrite_async(fd, "positioned", 10, 100, 0, answered, fd));
    tell();
    SAY(old_glfs_pwritev_async(fd, out, 2, 50, 0, answered, fd));
    tell();
    SAY(glfs_lseek(fd, 0, SEEK_SET));
    SAY(old_glfs_read_async(fd, buffer, 8, 0, answered, fd));
    tell();
    say_bytes(buffer, 8);
    SAY(old_glfs_readv_async(fd, in, 2, 0, answered, fd));
    tell();
    say_bytes(second, 7);
    SAY(old_glfs_pread_async(fd, buffer, 10, 100, 0, answered, fd));
    tell();
    say_bytes(buffer, 10);
    SAY(old_glfs_preadv_async(fd, in, 2, 50, 0, answered, fd));
    tell();
    say_bytes(second, 7);
    SAY(old_glfs_ftruncate_async(fd, 60000, answered, fd));
    tell();
    SAY(old_glfs_discard_async(fd, 4096, 4096, answered, fd));
    tell();
    SAY(old_glfs_zerofill_async(fd, 0, 4, answered, fd));
    tell();
    SAY(old_glfs_fsync_async(fd, answered, fd));
    tell();
    SAY(old_glfs_fdatasync_async(fd, answered, fd));
    tell();
    SAY(glfs_fstat(fd, &st));
    say_stat(&st);
    SAY(glfs_close(fd));
    char *found = SAY_POINTER(old_glfs_realpath(fs, "./older", buffer));
    printf("  .../%s\n", strrchr(found, '/') + 1);
    glfs_object_t *root = SAY_POINTER(old_glfs_h_lookupat(fs, NULL, "/", &st));
    glfs_object_t *object = SAY_POINTER(old_glfs_h_lookupat(fs, root, words[count - 1] + 1, &st));
    say_stat(&st);
    SAY(glfs_h_close(object));
    SAY(glfs_h_close(root));
    return end(fs);
}
