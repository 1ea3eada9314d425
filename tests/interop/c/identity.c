/* Calls on behalf of others: what their rights allow. */

#include "say.h"

/* Private to GlusterFS, but exported, and used by Samba. */
int glfs_setfspid(glfs_t *fs, pid_t pid);

static glfs_t *fs;
static const struct timespec then[2] = {{1000, 0}, {2000, 0}};

static void become(uid_t uid, gid_t gid, size_t count, const gid_t *groups)
{
    printf("as %u:%u with %zu groups\n", uid, gid, count);
    must(glfs_setfsuid(uid) == 0 && glfs_setfsgid(gid) == 0 && glfs_setfsgroups(count, groups) == 0,
         "setfs");
}

static void try(const char *path)
{
    struct stat st;
    glfs_fd_t *fd;
    printf("%s\n", path);
    if (SAY(glfs_stat(fs, path, &st)) == 0)
        say_stat(&st);
    SAY(glfs_access(fs, path, R_OK));
    SAY(glfs_access(fs, path, W_OK));
    SAY(glfs_access(fs, path, X_OK));
    fd = SAY_POINTER(glfs_open(fs, path, O_RDONLY));
    if (fd != NULL)
        glfs_close(fd);
    fd = SAY_POINTER(glfs_open(fs, path, O_RDWR));
    if (fd != NULL)
        glfs_close(fd);
    SAY(glfs_chmod(fs, path, 0640));
    SAY(glfs_chown(fs, path, 1001, 1001));
    SAY(glfs_chown(fs, path, -1, 2000));
    SAY(glfs_setxattr(fs, path, "user.x", "x", 1, 0));
    SAY(glfs_setxattr(fs, path, "trusted.x", "x", 1, 0));
    SAY(glfs_truncate(fs, path, 10));
    SAY(glfs_utimens(fs, path, then));
}

int main(int count, char **words)
{
    fs = begin(count, words);
    struct stat st;
    gid_t groups[3] = {2000, 2001, 2002};
    glfs_mkdir(fs, "open", 0777);
    glfs_chmod(fs, "open", 0777);
    glfs_mkdir(fs, "sticky", 0777);
    glfs_chmod(fs, "sticky", 01777);
    glfs_mkdir(fs, "closed", 0700);
    glfs_mknod(fs, "closed/file", S_IFREG | 0666, 0);
    glfs_mknod(fs, "sticky/roots", S_IFREG | 0666, 0);
    glfs_mknod(fs, "open/roots", S_IFREG | 0644, 0);
    glfs_mkdir(fs, "setgid", 0777);
    glfs_chown(fs, "setgid", 0, 2000);
    glfs_chmod(fs, "setgid", 02777);

    SAY(glfs_setfspid(fs, getpid()));
    become(1000, 1000, 3, groups);
    glfs_fd_t *fd = SAY_POINTER(glfs_creat(fs, "open/mine", O_RDWR, 0660));
    SAY(glfs_write(fd, "mine", 4, 0));
    SAY(glfs_close(fd));
    try("open/mine");
    try("open/roots");
    try("closed/file");
    SAY_POINTER(glfs_creat(fs, "mine", O_RDWR, 0660));
    SAY(glfs_mkdir(fs, "closed/d", 0755));
    SAY(glfs_utimens(fs, "sticky/roots", then));
    SAY(glfs_unlink(fs, "sticky/roots"));
    SAY(glfs_rename(fs, "sticky/roots", "sticky/mine"));
    SAY(glfs_unlink(fs, "open/roots"));
    SAY(glfs_symlink(fs, "mine", "open/link"));
    SAY(glfs_link(fs, "open/mine", "sticky/mine"));
    SAY(glfs_mkdir(fs, "setgid/d", 0755));
    SAY(glfs_lstat(fs, "setgid/d", &st));
    say_stat(&st);
    SAY(glfs_mknod(fs, "setgid/f", S_IFREG | 0755, 0));
    SAY(glfs_lstat(fs, "setgid/f", &st));
    say_stat(&st);
    SAY(glfs_mknod(fs, "open/device", S_IFBLK | 0600, makedev(7, 99)));
    SAY(glfs_mknod(fs, "open/fifo", S_IFIFO | 0600, 0));
    SAY(glfs_chmod(fs, "open/mine", 04755));
    SAY(glfs_lstat(fs, "open/mine", &st));
    say_stat(&st);
    fd = SAY_POINTER(glfs_open(fs, "open/mine", O_RDWR));
    SAY(glfs_write(fd, "changed", 7, 0));
    SAY(glfs_close(fd));
    SAY(glfs_lstat(fs, "open/mine", &st));
    say_stat(&st);
    SAY(glfs_chmod(fs, "open/mine", 0640));
    SAY(glfs_chown(fs, "open/mine", -1, 2000));

    become(1001, 1001, 1, groups);
    try("open/mine");
    SAY(glfs_unlink(fs, "sticky/mine"));
    SAY_POINTER(glfs_opendir(fs, "closed"));

    become(1002, 1002, 0, NULL);
    try("open/mine");
    SAY(glfs_rename(fs, "open/mine", "open/theirs"));

    become(0, 0, 0, NULL);
    glfs_unlink(fs, "open/device");
    SAY(glfs_lstat(fs, "open/theirs", &st));
    say_stat(&st);
    SAY(glfs_setfspid(fs, 0));
    return end(fs);
}
