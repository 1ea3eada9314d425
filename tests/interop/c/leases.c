/*
 * Leases, on a volume that has them (features.leases): what is granted, and how the holder learns that
 * another wants the file.
 */

#include "say.h"

#include <pthread.h>

static glfs_t *fs, *other;

static void recalled(glfs_lease_t lease, void *data)
{
    (void)lease, (void)data; /* libgfapi 10 keeps it, and never calls it */
}

static void *truncate_it(void *unused)
{
    (void)unused;
    static int result;
    result = glfs_truncate(other, "file", 2);
    return &result;
}

static void say_upcall(glfs_upcall_t *upcall)
{
    printf("  reason %d, %s session\n", glfs_upcall_get_reason(upcall),
           glfs_upcall_get_fs(upcall) == fs ? "this" : "another");
    if (glfs_upcall_get_reason(upcall) != GLFS_UPCALL_RECALL_LEASE)
        return;
    glfs_upcall_lease_t *event = glfs_upcall_get_event(upcall);
    printf("  may keep %u\n", glfs_upcall_lease_get_lease_type(event));
    struct stat st;
    glfs_object_t *object = glfs_upcall_lease_get_object(event);
    must(object != NULL, "glfs_upcall_lease_get_object");
    SAY(glfs_h_stat(fs, object, &st));
    say_stat(&st);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t came = PTHREAD_COND_INITIALIZER;
static glfs_upcall_t *brought;

/* Called on a thread of libgfapi's, where nothing may wait. Polling never tells of leases. */
static void told(glfs_upcall_t *upcall, void *data)
{
    must(data == &brought, "the callback's data");
    pthread_mutex_lock(&lock);
    brought = upcall;
    pthread_cond_signal(&came);
    pthread_mutex_unlock(&lock);
}

static int ask(glfs_fd_t *fd, glfs_lease_cmds_t cmd, glfs_lease_types_t type, glfs_leaseid_t id)
{
    glfs_lease_t lease = {.cmd = cmd, .lease_type = type};
    memcpy(lease.lease_id, id, sizeof lease.lease_id);
    int result = glfs_lease(fd, &lease, recalled, NULL);
    if (result == 0)
        printf("  type %d\n", lease.lease_type);
    return result;
}

int main(int count, char **words)
{
    fs = begin(count, words);
    other = begin(count, words);
    glfs_leaseid_t mine = "0123456789abcde", yours = "fghijklmnopqrst";
    SAY(glfs_upcall_register(fs, GLFS_EVENT_RECALL_LEASE, told, &brought));

    glfs_fd_t *fd = SAY_POINTER(glfs_creat(other, "file", O_RDWR, 0644));
    SAY(glfs_write(fd, "content", 7, 0));
    SAY(glfs_close(fd));

    SAY(glfs_setfsleaseid(mine));
    fd = SAY_POINTER(glfs_open(fs, "file", O_RDWR));
    SAY(ask(fd, GLFS_GET_LEASE, GLFS_LEASE_NONE, mine));
    SAY(ask(fd, GLFS_SET_LEASE, GLFS_RW_LEASE, mine));
    SAY(ask(fd, GLFS_GET_LEASE, GLFS_LEASE_NONE, yours));
    SAY(glfs_pwrite(fd, "written", 7, 0, 0, NULL, NULL));
    char read[8] = "";
    SAY(glfs_pread(fd, read, 7, 0, 0, NULL));
    say_bytes(read, 7);

    pthread_t truncating;
    must(pthread_create(&truncating, NULL, truncate_it, NULL) == 0, "pthread_create");
    pthread_mutex_lock(&lock);
    while (brought == NULL)
        pthread_cond_wait(&came, &lock);
    pthread_mutex_unlock(&lock);
    say_upcall(brought);
    glfs_free(brought);
    SAY(ask(fd, GLFS_SET_LEASE, GLFS_RD_LEASE, mine));
    SAY(glfs_pwrite(fd, "flushed", 7, 0, 0, NULL, NULL));
    SAY(ask(fd, GLFS_UNLK_LEASE, GLFS_RW_LEASE, mine));
    int *result;
    must(pthread_join(truncating, (void **)&result) == 0, "pthread_join");
    printf("glfs_truncate in the other session: %d\n", *result);
    SAY(glfs_pread(fd, read, 7, 0, 0, NULL));
    SAY(ask(fd, GLFS_UNLK_LEASE, GLFS_RW_LEASE, mine));
    SAY(ask(fd, GLFS_GET_LEASE, GLFS_LEASE_NONE, mine));
    SAY(glfs_setfsleaseid(NULL));
    SAY(glfs_close(fd));
    SAY(glfs_upcall_unregister(fs, GLFS_EVENT_RECALL_LEASE));
    SAY(glfs_fini(other));
    return end(fs);
}
