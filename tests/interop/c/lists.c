/* Access control lists: whom they let do what. */

#include "say.h"

static glfs_t *fs;

enum { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };

/* The kernel's form, on a machine of its byte order. */
struct entry {
    uint16_t tag, bits;
    uint32_t id;
};

static void set(const char *path, const char *name, const struct entry *entries, int count)
{
    char value[256] = {2};
    memcpy(value + 4, entries, count * sizeof *entries);
    SAY(glfs_setxattr(fs, path, name, value, 4 + count * sizeof *entries, 0));
}

static void try(const char *path, const char *who, uid_t uid, gid_t gid, size_t count,
                const gid_t *groups)
{
    must(glfs_setfsuid(uid) == 0 && glfs_setfsgid(gid) == 0 && glfs_setfsgroups(count, groups) == 0,
         "setfs");
    printf("%s: %s\n", path, who);
    SAY(glfs_access(fs, path, R_OK));
    SAY(glfs_access(fs, path, W_OK));
    SAY(glfs_access(fs, path, R_OK | X_OK));
    struct stat st;
    if (glfs_stat(fs, path, &st) == 0 && S_ISDIR(st.st_mode)) {
        char name[64];
        snprintf(name, sizeof name, "%s/of-%u", path, uid);
        SAY(glfs_mknod(fs, name, S_IFREG | 0600, 0));
        SAY_POINTER(glfs_opendir(fs, path));
        SAY(glfs_unlink(fs, name));
    } else {
        glfs_fd_t *fd = SAY_POINTER(glfs_open(fs, path, O_RDONLY));
        if (fd != NULL)
            glfs_close(fd);
        fd = SAY_POINTER(glfs_open(fs, path, O_RDWR));
        if (fd != NULL)
            glfs_close(fd);
        SAY(glfs_truncate(fs, path, 5));
        SAY(glfs_setxattr(fs, path, "user.x", "x", 1, 0));
    }
    must(glfs_setfsuid(0) == 0 && glfs_setfsgid(0) == 0 && glfs_setfsgroups(0, NULL) == 0, "setfs");
}

static void try_all(const char *path)
{
    gid_t owning = 2000, named = 2001, none = 2002, both[2] = {2000, 2001};
    try(path, "the user who is named", 1000, 1000, 0, NULL);
    try(path, "the user who is named, in the owning group", 1000, 1000, 1, &owning);
    try(path, "one in the owning group", 1001, 1001, 1, &owning);
    try(path, "one in the group that is named", 1002, 1002, 1, &named);
    try(path, "one in both groups", 1003, 1003, 2, both);
    try(path, "one by its own group", 1004, 2001, 0, NULL);
    try(path, "somebody else", 1005, 1005, 1, &none);
    try(path, "the owner", 1006, 1006, 0, NULL);
}

int main(int count, char **words)
{
    fs = begin(count, words);
    const struct entry file[] = {{USER_OBJ, 6, -1}, {USER, 6, 1000}, {GROUP_OBJ, 0, -1},
                                 {GROUP, 4, 2001},  {MASK, 6, -1},   {OTHER, 0, -1}};
    const struct entry directory[] = {{USER_OBJ, 7, -1}, {USER, 7, 1000}, {GROUP_OBJ, 0, -1},
                                      {GROUP, 5, 2001},  {MASK, 7, -1},   {OTHER, 0, -1}};
    glfs_mknod(fs, "file", S_IFREG | 0600, 0);
    glfs_chown(fs, "file", 1006, 2000);
    set("file", "system.posix_acl_access", file, 6);
    try_all("file");
    SAY(glfs_chmod(fs, "file", 0640)); /* the mask: nobody who is named may write now */
    try("file", "the user who is named, masked", 1000, 1000, 0, NULL);
    glfs_mkdir(fs, "d", 0700);
    glfs_chown(fs, "d", 1006, 2000);
    set("d", "system.posix_acl_access", directory, 6);
    try_all("d");
    set("d", "system.posix_acl_default", directory, 6);
    glfs_mknod(fs, "d/heir", S_IFREG | 0666, 0);
    glfs_chown(fs, "d/heir", 1006, 2000);
    try("d/heir", "the user who is named, of what was made there", 1000, 1000, 0, NULL);
    set("file", "system.posix_acl_access", file, 5); /* without others: no list */
    return end(fs);
}
