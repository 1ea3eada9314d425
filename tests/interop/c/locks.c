/* Locks on ranges of a file: two sessions, and two owners within one. */

#include "say.h"

#include <pthread.h>

static glfs_t *fs;

static const char *lock_type(int type)
{
    return type == F_RDLCK ? "read" : type == F_WRLCK ? "write" : "unlocked";
}

static struct flock range(short type, off_t start, off_t length)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
}

static void show(const struct flock *lock)
{
    printf("  %s %lld+%lld whence=%d%s\n", lock_type(lock->l_type), (long long)lock->l_start,
           (long long)lock->l_len, lock->l_whence,
           lock->l_type == F_UNLCK ? "" : lock->l_pid == getpid() ? " by this process" : " by another");
}

/* What somebody else would find. */
static void ask(glfs_fd_t *fd, off_t start, off_t length)
{
    struct flock lock = range(F_WRLCK, start, length);
    SAY(glfs_posix_lock(fd, F_GETLK, &lock));
    show(&lock);
}

static long long take(const char *what, glfs_fd_t *fd, int command, short type, off_t start,
                      off_t length)
{
    struct flock lock = range(type, start, length);
    errno = 0;
    long long result = glfs_posix_lock(fd, command, &lock);
    say_number(what, result, errno);
    return result;
}

/* One that has to wait: a thread's, so that the other can let go. */
struct waiter {
    glfs_fd_t *fd;
    int result;
    struct timespec granted;
};

static void *wait_for_lock(void *data)
{
    struct waiter *waiter = data;
    struct flock lock = range(F_WRLCK, 0, 10);
    waiter->result = glfs_posix_lock(waiter->fd, F_SETLKW, &lock);
    clock_gettime(CLOCK_MONOTONIC, &waiter->granted);
    return NULL;
}

int main(int count, char **words)
{
    fs = begin(count, words);
    glfs_t *other_fs = begin(count, words);
    glfs_fd_t *one = glfs_creat(fs, "locked", O_RDWR, 0600);
    glfs_fd_t *other = glfs_open(other_fs, "locked", O_RDWR);
    must(one != NULL && other != NULL, "open");
    must(glfs_write(one, "0123456789", 10, 0) == 10, "write");
    struct flock lock;

    take("write 0+10 by one", one, F_SETLK, F_WRLCK, 0, 10);
    ask(other, 0, 0);
    ask(one, 0, 0);
    take("read 5+1 by other", other, F_SETLK, F_RDLCK, 5, 1);
    take("read 10+0 by other", other, F_SETLK, F_RDLCK, 10, 0);
    ask(one, 10, 5);
    ask(one, 0, 100);
    take("unlock 2+3 by one", one, F_SETLK, F_UNLCK, 2, 3);
    take("write 2+3 by other", other, F_SETLK, F_WRLCK, 2, 3);
    ask(other, 0, 2);
    ask(other, 5, 5);
    ask(one, 2, 3);
    take("read 0+2 by one", one, F_SETLK, F_RDLCK, 0, 2);
    take("read 0+2 by other", other, F_SETLK, F_RDLCK, 0, 2);
    take("unlock everything of other", other, F_SETLK, F_UNLCK, 0, 0);
    take("unlock everything of one", one, F_SETLK, F_UNLCK, 0, 0);
    ask(other, 0, 0);

    /* From the end, and from where the file stands. */
    lock = range(F_WRLCK, -4, 2);
    lock.l_whence = SEEK_END;
    SAY(glfs_posix_lock(one, F_SETLK, &lock));
    ask(other, 0, 0);
    lock = range(F_UNLCK, 0, 0);
    SAY(glfs_posix_lock(one, F_SETLK, &lock));
    lock = range(F_WRLCK, -1, 1);
    SAY(glfs_posix_lock(one, F_SETLK, &lock));
    lock = range(F_WRLCK, 5, -3);
    SAY(glfs_posix_lock(one, F_SETLK, &lock));
    ask(other, 0, 0);
    lock = range(F_UNLCK, 0, 0);
    SAY(glfs_posix_lock(one, F_SETLK, &lock));
    lock = range(99, 0, 0);
    SAY(glfs_posix_lock(one, F_SETLK, &lock));
    SAY(glfs_posix_lock(one, 99, &lock));

    /* Waiting. The unlock comes before the grant: that is all that is certain. */
    take("write 0+0 by one", one, F_SETLK, F_WRLCK, 0, 0);
    struct waiter waiter = {.fd = other};
    pthread_t thread;
    must(pthread_create(&thread, NULL, wait_for_lock, &waiter) == 0, "pthread_create");
    take("read 0+1 by one, while other waits", one, F_SETLK, F_WRLCK, 0, 1);
    struct timespec before;
    clock_gettime(CLOCK_MONOTONIC, &before);
    take("unlock by one", one, F_SETLK, F_UNLCK, 0, 0);
    pthread_join(thread, NULL);
    say_number("the one that waited", waiter.result, 0);
    printf("  %s\n", waiter.granted.tv_sec > before.tv_sec ||
                     (waiter.granted.tv_sec == before.tv_sec &&
                      waiter.granted.tv_nsec >= before.tv_nsec) ? "after the unlock" : "before it");
    ask(one, 0, 0);

    /* Who closes lets go. */
    SAY(glfs_close(other));
    ask(one, 0, 0);
    other = SAY_POINTER(glfs_open(other_fs, "locked", O_RDWR));

    /*
     * Two owners in one session; a twin of a descriptor may have an owner of its own. The first one
     * gets one too: libgfapi keeps the last one that was used for a thread's later calls.
     */
    glfs_fd_t *twin = SAY_POINTER(glfs_dup(one));
    SAY(glfs_fd_set_lkowner(one, "the first owner", 15));
    SAY(glfs_fd_set_lkowner(twin, "the second owner", 16));
    SAY(glfs_fd_set_lkowner(twin, "", 0));
    take("write 0+5 by one", one, F_SETLK, F_WRLCK, 0, 5);
    take("write 0+5 by its twin", twin, F_SETLK, F_WRLCK, 0, 5);
    take("write 5+5 by its twin", twin, F_SETLK, F_WRLCK, 5, 5);
    ask(other, 0, 0);
    ask(other, 5, 0);
    SAY(glfs_close(twin));
    ask(other, 5, 0);
    take("unlock by one", one, F_SETLK, F_UNLCK, 0, 0);

    lock = range(F_WRLCK, 0, 5);
    SAY(glfs_file_lock(one, F_SETLK, &lock, GLFS_LK_ADVISORY));
    ask(other, 0, 0);
    lock.l_type = F_UNLCK;
    SAY(glfs_file_lock(one, F_SETLK, &lock, GLFS_LK_ADVISORY));
    lock = range(F_WRLCK, 0, 5);
    SAY(glfs_file_lock(one, F_SETLK, &lock, GLFS_LK_MANDATORY));
    ask(other, 0, 0);
    SAY(glfs_pwrite(other, "x", 1, 0, 0, NULL, NULL));
    lock.l_type = F_UNLCK;
    SAY(glfs_file_lock(one, F_SETLK, &lock, GLFS_LK_MANDATORY));

    glfs_fd_t *reader = SAY_POINTER(glfs_open(other_fs, "locked", O_RDONLY));
    take("write 0+5 by a reader", reader, F_SETLK, F_WRLCK, 0, 5);
    take("read 0+5 by a reader", reader, F_SETLK, F_RDLCK, 0, 5);
    ask(one, 0, 0);
    SAY(glfs_close(reader));

    /* A session that ends lets go of everything. */
    take("write 0+0 by other", other, F_SETLK, F_WRLCK, 0, 0);
    SAY(glfs_close(other));
    SAY(glfs_fini(other_fs));
    ask(one, 0, 0);
    SAY(glfs_close(one));
    return end(fs);
}
