/* What works on names: each call once as it should be, and then with what is wrong. */

#include "say.h"

/* Private to GlusterFS, but exported, and used by Samba. */
int glfs_statx(struct glfs *fs, const char *path, unsigned int mask, struct glfs_stat *buf);

static glfs_t *fs;

static void show(const char *path)
{
    struct stat st;
    printf("%s:", path);
    if (glfs_lstat(fs, path, &st) == 0)
        say_stat(&st);
    else
        printf("  %s\n", strerrorname_np(errno));
}

static void make(void)
{
    SAY(glfs_mkdir(fs, "d", 0755));
    show("d");
    SAY(glfs_mkdir(fs, "d", 0755));
    SAY(glfs_mkdir(fs, "d/e", 0700));
    SAY(glfs_mkdir(fs, "nonesuch/e", 0700));
    SAY(glfs_mknod(fs, "file", S_IFREG | 0644, 0));
    show("file");
    SAY(glfs_mknod(fs, "file", S_IFREG | 0644, 0));
    SAY(glfs_mknod(fs, "fifo", S_IFIFO | 0600, 0));
    show("fifo");
    SAY(glfs_mknod(fs, "socket", S_IFSOCK | 0600, 0));
    show("socket");
    SAY(glfs_mknod(fs, "character", S_IFCHR | 0600, makedev(1, 3)));
    show("character");
    SAY(glfs_mknod(fs, "block", S_IFBLK | 0600, makedev(7, 99)));
    show("block");
    SAY(glfs_mknod(fs, "file/below", S_IFREG | 0600, 0));
    SAY(glfs_symlink(fs, "file", "link"));
    show("link");
    SAY(glfs_symlink(fs, "nowhere/at/all", "dangling"));
    SAY(glfs_symlink(fs, "loop", "loop"));
    SAY(glfs_symlink(fs, "d", "to-d"));
    SAY(glfs_symlink(fs, "file", "link"));
    SAY(glfs_link(fs, "file", "second"));
    show("second");
    SAY(glfs_link(fs, "file", "second"));
    SAY(glfs_link(fs, "d", "second-d"));
    SAY(glfs_link(fs, "nonesuch", "third"));
    SAY(glfs_link(fs, "link", "link-of-link"));
    show("link-of-link");
}

static void look(void)
{
    char buffer[64];
    struct stat st;
    SAY(glfs_stat(fs, "link", &st));
    say_stat(&st);
    SAY(glfs_lstat(fs, "link", &st));
    say_stat(&st);
    SAY(glfs_stat(fs, "dangling", &st));
    SAY(glfs_stat(fs, "loop", &st));
    SAY(glfs_stat(fs, "file/below", &st));
    SAY(glfs_stat(fs, "to-d/e", &st));
    say_stat(&st);
    SAY(glfs_stat(fs, "/", &st));
    printf("  the root: %s ino=%lu\n", say_type(st.st_mode), (unsigned long)st.st_ino);
    SAY(glfs_stat(fs, "", &st));
    struct glfs_stat gst;
    SAY(glfs_statx(fs, "file", GLFS_STAT_ALL, &gst));
    printf("  mask %s\n", gst.glfs_st_mask & GLFS_STAT_TYPE ? "has a type" : "has no type");
    say_glfs_stat("statx", &gst);
    memset(buffer, '.', sizeof buffer);
    SAY(glfs_readlink(fs, "dangling", buffer, sizeof buffer));
    say_bytes(buffer, 20);
    memset(buffer, '.', sizeof buffer);
    SAY(glfs_readlink(fs, "dangling", buffer, 4));
    say_bytes(buffer, 8);
    SAY(glfs_readlink(fs, "file", buffer, sizeof buffer));
    SAY(glfs_access(fs, "file", R_OK | W_OK));
    SAY(glfs_access(fs, "file", F_OK));
    SAY(glfs_access(fs, "file", X_OK));
    SAY(glfs_access(fs, "d", X_OK));
    SAY(glfs_access(fs, "nonesuch", F_OK));
    struct statvfs vfs;
    SAY(glfs_statvfs(fs, "file", &vfs));
    printf("  bsize=%lu frsize=%lu namemax=%lu, %s\n", vfs.f_bsize, vfs.f_frsize, vfs.f_namemax,
           vfs.f_blocks > 0 && vfs.f_bfree > 0 && vfs.f_files > 0 ? "blocks and files" : "nothing");
    SAY(glfs_statvfs(fs, "nonesuch", &vfs));
}

static void change(void)
{
    SAY(glfs_chmod(fs, "file", 0640));
    show("file");
    SAY(glfs_chmod(fs, "link", 06755));
    show("file");
    SAY(glfs_chmod(fs, "nonesuch", 0640));
    SAY(glfs_chmod(fs, "d", 01777));
    show("d");
    SAY(glfs_chown(fs, "link", 1, 2));
    show("file");
    show("link");
    SAY(glfs_lchown(fs, "link", 3, 4));
    show("link");
    SAY(glfs_chown(fs, "file", -1, 5));
    show("file");
    struct timespec times[2] = {{1000000000, 1}, {1100000000, 999999999}};
    SAY(glfs_utimens(fs, "link", times));
    show("file");
    struct timespec before[2] = {{-5, 0}, {0, 0}};
    SAY(glfs_lutimens(fs, "link", times));
    show("link");
    SAY(glfs_utimens(fs, "d", before));
    show("d");
    SAY(glfs_utimens(fs, "nonesuch", times));
    struct glfs_stat wanted = {.glfs_st_mask = GLFS_STAT_MODE | GLFS_STAT_UID | GLFS_STAT_GID,
                               .glfs_st_mode = S_IFREG | 0604,
                               .glfs_st_uid = 11,
                               .glfs_st_gid = 12};
    SAY(glfs_setattr(fs, "file", &wanted, 1));
    show("file");
    wanted.glfs_st_mask = GLFS_STAT_UID;
    SAY(glfs_setattr(fs, "link", &wanted, 0));
    show("link");
    wanted.glfs_st_mask = GLFS_STAT_SIZE | GLFS_STAT_MTIME | GLFS_STAT_ATIME;
    wanted.glfs_st_size = 77;
    wanted.glfs_st_mtime = times[0];
    wanted.glfs_st_atime = times[1];
    SAY(glfs_setattr(fs, "file", &wanted, 1));
    show("file");
    SAY(glfs_truncate(fs, "file", 10));
    show("file");
    SAY(glfs_truncate(fs, "link", 4096));
    show("file");
    SAY(glfs_truncate(fs, "d", 0));
    SAY(glfs_truncate(fs, "nonesuch", 0));
    SAY(glfs_truncate(fs, "file", -1));
}

static void move(void)
{
    SAY(glfs_rename(fs, "second", "d/third"));
    show("second");
    show("d/third");
    SAY(glfs_rename(fs, "d/third", "file"));
    show("d/third");
    SAY(glfs_rename(fs, "d", "d/e/f"));
    SAY(glfs_rename(fs, "file", "d"));
    SAY(glfs_rename(fs, "d", "file"));
    SAY(glfs_rename(fs, "nonesuch", "other"));
    SAY(glfs_rename(fs, "file", "nonesuch/other"));
    SAY(glfs_mkdir(fs, "full", 0755));
    SAY(glfs_mkdir(fs, "full/inner", 0755));
    SAY(glfs_rename(fs, "d", "full"));
    SAY(glfs_rename(fs, "d/e", "full/inner"));
    show("d");
    show("full");
    SAY(glfs_rename(fs, "link", "moved-link"));
    show("moved-link");
    SAY(glfs_rename(fs, "fifo", "moved-fifo"));
    show("moved-fifo");
}

static void wander(void)
{
    char buffer[4096];
    SAY(glfs_chdir(fs, "full"));
    SAY_POINTER(glfs_getcwd(fs, buffer, sizeof buffer));
    printf("  .../%s\n", strrchr(buffer, '/') + 1);
    show("inner");
    SAY(glfs_chdir(fs, "inner"));
    show("..");
    SAY(glfs_chdir(fs, "../.."));
    SAY(glfs_chdir(fs, "nonesuch"));
    SAY(glfs_chdir(fs, "file"));
    SAY_POINTER(glfs_getcwd(fs, buffer, 2));
    glfs_fd_t *fd = SAY_POINTER(glfs_opendir(fs, "full/inner"));
    SAY(glfs_fchdir(fd));
    SAY_POINTER(glfs_getcwd(fs, buffer, sizeof buffer));
    printf("  .../%s\n", strrchr(buffer, '/') + 1);
    SAY(glfs_closedir(fd));
    SAY(glfs_chdir(fs, "../.."));
    char *found = SAY_POINTER(glfs_realpath(fs, "to-d/../moved-link", buffer));
    printf("  .../%s\n", strrchr(found, '/') + 1);
    found = SAY_POINTER(glfs_realpath(fs, "full/./inner/", NULL));
    printf("  .../%s\n", strrchr(found, '/') + 1);
    glfs_free(found);
    SAY_POINTER(glfs_realpath(fs, "nonesuch/a", buffer));
    SAY_POINTER(glfs_realpath(fs, "loop", buffer));
}

static void long_names(void)
{
    char longest[256], longer[257];
    memset(longest, 'n', 255);
    memset(longer, 'n', 256);
    longest[255] = longer[256] = 0;
    SAY(glfs_mkdir(fs, longest, 0755));
    SAY(glfs_rmdir(fs, longest));
    SAY(glfs_mkdir(fs, longer, 0755));
    SAY(glfs_mkdir(fs, "sn\303\266w \342\230\203 \\ \n \"name\"", 0755));
    show("sn\303\266w \342\230\203 \\ \n \"name\"");
}

static void take_away(void)
{
    SAY(glfs_unlink(fs, "d"));
    SAY(glfs_rmdir(fs, "file"));
    SAY(glfs_rmdir(fs, "full"));
    SAY(glfs_rmdir(fs, "nonesuch"));
    SAY(glfs_unlink(fs, "nonesuch"));
    SAY(glfs_rmdir(fs, "full/inner"));
    SAY(glfs_rmdir(fs, "full"));
    SAY(glfs_unlink(fs, "moved-link"));
    SAY(glfs_unlink(fs, "link-of-link"));
    SAY(glfs_unlink(fs, "character"));
    SAY(glfs_unlink(fs, "file"));
    show("file");
    SAY(glfs_rmdir(fs, "to-d"));
}

int main(int count, char **words)
{
    fs = begin(count, words);
    make();
    look();
    change();
    move();
    wander();
    long_names();
    take_away();
    return end(fs);
}
