/*
 * What a brick may tell and lend its clients: on a volume with neither turned on (that is how it is
 * shipped), what the calls say then.
 */

#include "say.h"

/* The event of the old call for it, and the call. */
struct glfs_callback_arg;
int old_glfs_h_poll_upcall(glfs_t *fs, struct glfs_callback_arg *arg);
__asm__(".symver old_glfs_h_poll_upcall, glfs_h_poll_upcall@GFAPI_3.7.0");

static void told(glfs_upcall_t *upcall, void *data)
{
    printf("told: %d\n", glfs_upcall_get_reason(upcall));
    *(bool *)data = true;
}

static void recalled(glfs_lease_t lease, void *data)
{
    printf("recalled: %d\n", lease.lease_type);
    *(bool *)data = true;
}

int main(int count, char **words)
{
    glfs_t *fs = begin(count, words);
    glfs_t *other = begin(count, words);
    bool was_told = false;
    glfs_upcall_t *upcall = NULL;
    SAY(glfs_h_poll_upcall(fs, &upcall));
    printf("  %s\n", upcall == NULL ? "nothing" : "something");
    void *room[16] = {NULL};
    SAY(old_glfs_h_poll_upcall(fs, (struct glfs_callback_arg *)room));
    SAY(glfs_upcall_register(fs, GLFS_EVENT_INODE_INVALIDATE, told, &was_told));
    SAY(glfs_upcall_register(fs, GLFS_EVENT_ANY, told, &was_told));
    SAY(glfs_upcall_register(fs, 0x100, told, &was_told));

    glfs_fd_t *fd = SAY_POINTER(glfs_creat(fs, "file", O_RDWR, 0644));
    SAY(glfs_write(fd, "one", 3, 0));
    SAY(glfs_chmod(other, "file", 0600));
    SAY(glfs_rename(other, "file", "moved"));
    struct stat st;
    SAY(glfs_stat(fs, "moved", &st)); /* what was told before this has been told by now */
    printf("  %s\n", was_told ? "told" : "not told");

    glfs_leaseid_t mine = "0123456789abcde";
    SAY(glfs_setfsleaseid(mine));
    glfs_lease_t lease = {.cmd = GLFS_SET_LEASE, .lease_type = GLFS_RD_LEASE};
    memcpy(lease.lease_id, mine, sizeof mine);
    SAY(glfs_lease(fd, &lease, recalled, &was_told));
    glfs_object_t *object = SAY_POINTER(glfs_h_lookupat(fs, NULL, "/", &st, 0));
    lease.cmd = GLFS_GET_LEASE;
    SAY(glfs_h_lease(fs, object, &lease));
    SAY(glfs_h_close(object));
    SAY(glfs_setfsleaseid(NULL));
    SAY(glfs_write(fd, "two", 3, 0));
    SAY(glfs_close(fd));

    SAY(glfs_upcall_unregister(fs, GLFS_EVENT_ANY));
    SAY(glfs_upcall_unregister(fs, GLFS_EVENT_ANY));
    SAY(glfs_unlink(other, "moved"));
    SAY(glfs_fini(other));
    return end(fs);
}
