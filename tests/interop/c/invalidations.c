/*
 * What a client is told of another's changes, on a volume that tells it (features.cache-invalidation):
 * once by polling, once by a callback.
 */

#include "say.h"

#include <pthread.h>
#include <time.h>

static glfs_t *fs, *other;

/* Both attributes and handles, as far as they are there. */
static void say_object(const char *what, glfs_object_t *object, struct stat *st)
{
    printf("  %s: %s,", what, object != NULL ? "a handle" : "no handle");
    if (st == NULL || st->st_mode == 0)
        printf(" no attributes\n");
    else
        printf(" %s %04o nlink=%lu size=%lld\n", say_type(st->st_mode), st->st_mode & 07777,
               (unsigned long)st->st_nlink, S_ISDIR(st->st_mode) ? 0 : (long long)st->st_size);
}

static void say_upcall(glfs_upcall_t *upcall)
{
    printf("  reason %d, %s session\n", glfs_upcall_get_reason(upcall),
           glfs_upcall_get_fs(upcall) == fs ? "this" : "another");
    if (glfs_upcall_get_reason(upcall) != GLFS_UPCALL_INODE_INVALIDATE)
        return;
    glfs_upcall_inode_t *event = glfs_upcall_get_event(upcall);
    printf("  flags 0x%llx, expires in %llu s\n",
           (unsigned long long)glfs_upcall_inode_get_flags(event),
           (unsigned long long)glfs_upcall_inode_get_expire(event));
    say_object("file", glfs_upcall_inode_get_object(event), glfs_upcall_inode_get_stat(event));
    say_object("directory", glfs_upcall_inode_get_pobject(event),
               glfs_upcall_inode_get_pstat(event));
    say_object("old directory", glfs_upcall_inode_get_oldpobject(event),
               glfs_upcall_inode_get_oldpstat(event));
}

/* What came after a change: so many upcalls, which are waited for, and any beyond. */
static void poll_all(const char *after, int expected)
{
    printf("after %s:\n", after);
    struct stat st;
    must(glfs_stat(fs, ".", &st) == 0, "stat"); /* its answer comes behind what was told */
    struct timespec pause = {0, 5000000};
    for (int tries = 0; tries < 2000; tries++) {
        glfs_upcall_t *upcall = NULL;
        must(glfs_h_poll_upcall(fs, &upcall) == 0, "glfs_h_poll_upcall");
        if (upcall != NULL) {
            say_upcall(upcall);
            glfs_free(upcall);
            expected--;
        } else if (expected <= 0) {
            return;
        } else {
            nanosleep(&pause, NULL);
        }
    }
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t came = PTHREAD_COND_INITIALIZER;
static int told_count;

static void told(glfs_upcall_t *upcall, void *data)
{
    pthread_mutex_lock(&lock);
    must(data == &told_count, "the callback's data");
    say_upcall(upcall);
    told_count++;
    pthread_cond_signal(&came);
    pthread_mutex_unlock(&lock);
}

int main(int count, char **words)
{
    fs = begin(count, words);
    other = begin(count, words);
    struct stat st;
    glfs_mkdir(fs, "a", 0755);
    glfs_mkdir(fs, "b", 0755);
    glfs_fd_t *fd = SAY_POINTER(glfs_creat(fs, "a/file", O_RDWR, 0644));
    SAY(glfs_write(fd, "mine", 4, 0));
    glfs_fd_t *theirs = SAY_POINTER(glfs_open(other, "a/file", O_RDWR));
    poll_all("an open", 0);
    SAY(glfs_pwrite(theirs, "and theirs", 10, 4, 0, NULL, NULL));
    poll_all("a write", 1);
    SAY(glfs_ftruncate(theirs, 5, NULL, NULL));
    poll_all("a truncation", 1);
    SAY(glfs_fchown(theirs, 1, 2));
    poll_all("a change of owner", 1);
    SAY(glfs_link(other, "a/file", "b/second"));
    poll_all("a link", 1);
    SAY(glfs_rename(other, "a/file", "b/moved"));
    poll_all("a rename", 0);
    SAY(glfs_stat(fs, "b/moved", &st));
    SAY(glfs_unlink(other, "b/second"));
    poll_all("an unlink", 1);
    SAY(glfs_mkdir(other, "a/new", 0755));
    poll_all("a directory in one that was used", 1);
    SAY(glfs_pwrite(fd, "my own", 6, 0, 0, NULL, NULL));
    poll_all("a write of its own", 0);

    pthread_mutex_lock(&lock);
    SAY(glfs_upcall_register(fs, GLFS_EVENT_INODE_INVALIDATE, told, &told_count));
    SAY(glfs_pwrite(theirs, "told", 4, 0, 0, NULL, NULL));
    while (told_count == 0)
        pthread_cond_wait(&came, &lock);
    pthread_mutex_unlock(&lock);
    SAY(glfs_upcall_unregister(fs, GLFS_EVENT_INODE_INVALIDATE));
    printf("told %d times\n", told_count);
    SAY(glfs_close(theirs));
    SAY(glfs_close(fd));
    SAY(glfs_fini(other));
    return end(fs);
}
