/* Extended attributes: of a path, of a link itself, of an open file. */

#include "say.h"

static glfs_t *fs;

static void show_value(ssize_t size, const char *value)
{
    if (size >= 0)
        say_bytes(value, size);
}

static int by_text(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

/* A list of names, sorted, without those in which a brick keeps where a file lies. */
static void show_list(ssize_t size, const char *list)
{
    const char *names[64];
    int count = 0;
    for (const char *name = list; name < list + size && count < 64; name += strlen(name) + 1)
        if (strncmp(name, "trusted.gfid2path.", 18) != 0)
            names[count++] = name;
    qsort(names, count, sizeof *names, by_text);
    for (int n = 0; n < count; n++)
        printf("  %s\n", names[n]);
}

int main(int count, char **words)
{
    fs = begin(count, words);
    char buffer[4096], *large = malloc(3000);
    memset(large, 'L', 3000);
    glfs_fd_t *fd = glfs_creat(fs, "file", O_RDWR, 0600);
    glfs_symlink(fs, "file", "link");
    glfs_mkdir(fs, "d", 0755);

    SAY(glfs_setxattr(fs, "file", "user.one", "value", 5, 0));
    SAY(glfs_setxattr(fs, "file", "user.one", "again", 5, XATTR_CREATE));
    SAY(glfs_setxattr(fs, "file", "user.two", "new", 3, XATTR_REPLACE));
    SAY(glfs_setxattr(fs, "link", "user.two", "a\0b", 3, XATTR_CREATE));
    SAY(glfs_setxattr(fs, "file", "user.empty", "", 0, 0));
    SAY(glfs_setxattr(fs, "d", "user.of-d", large, 3000, 0));
    SAY(glfs_setxattr(fs, "nonesuch", "user.one", "value", 5, 0));
    SAY(glfs_setxattr(fs, "file", "nothing", "value", 5, 0));
    SAY(glfs_setxattr(fs, "file", "other.kind", "value", 5, 0));
    SAY(glfs_setxattr(fs, "file", "trusted.mine", "secret", 6, 0));
    SAY(glfs_setxattr(fs, "file", "trusted.gfid", "0123456789abcdef", 16, 0));
    SAY(glfs_setxattr(fs, "file", "trusted.glusterfs.volume-id", "0123456789abcdef", 16, 0));
    SAY(glfs_lsetxattr(fs, "link", "trusted.of-link", "link", 4, 0));
    SAY(glfs_lsetxattr(fs, "link", "user.of-link", "link", 4, 0));
    SAY(glfs_fsetxattr(fd, "user.of-fd", "fd", 2, 0));
    SAY(glfs_fsetxattr(fd, "user.of-fd", "fd", 2, XATTR_CREATE));
    SAY(glfs_fsetxattr(fd, "user.large", large, 3000, 0));
    SAY(glfs_setxattr(fs, "file", "security.label", "x", 1, 0));

    show_value(SAY(glfs_getxattr(fs, "file", "user.one", buffer, sizeof buffer)), buffer);
    show_value(SAY(glfs_getxattr(fs, "link", "user.two", buffer, sizeof buffer)), buffer);
    show_value(SAY(glfs_getxattr(fs, "file", "user.empty", buffer, sizeof buffer)), buffer);
    SAY(glfs_getxattr(fs, "file", "user.one", NULL, 0));
    SAY(glfs_getxattr(fs, "file", "user.one", buffer, 2));
    SAY(glfs_getxattr(fs, "file", "user.none", buffer, sizeof buffer));
    SAY(glfs_getxattr(fs, "nonesuch", "user.one", buffer, sizeof buffer));
    show_value(SAY(glfs_getxattr(fs, "file", "trusted.mine", buffer, sizeof buffer)), buffer);
    SAY(glfs_getxattr(fs, "file", "security.label", buffer, sizeof buffer));
    SAY(glfs_getxattr(fs, "file", "system.posix_acl_access", buffer, sizeof buffer));
    show_value(SAY(glfs_lgetxattr(fs, "link", "trusted.of-link", buffer, sizeof buffer)), buffer);
    SAY(glfs_lgetxattr(fs, "link", "user.one", buffer, sizeof buffer));
    show_value(SAY(glfs_fgetxattr(fd, "user.of-fd", buffer, sizeof buffer)), buffer);
    SAY(glfs_fgetxattr(fd, "user.large", buffer, sizeof buffer));
    SAY(glfs_fgetxattr(fd, "user.none", buffer, sizeof buffer));

    show_list(SAY(glfs_listxattr(fs, "link", buffer, sizeof buffer)), buffer);
    SAY(glfs_listxattr(fs, "file", NULL, 0));
    SAY(glfs_listxattr(fs, "file", buffer, 3));
    show_list(SAY(glfs_llistxattr(fs, "link", buffer, sizeof buffer)), buffer);
    show_list(SAY_SIGN(glfs_flistxattr(fd, buffer, sizeof buffer)), buffer);
    show_list(SAY(glfs_listxattr(fs, "d", buffer, sizeof buffer)), buffer);

    /* Names that stand for something else than what is kept under them. */
    SAY(glfs_getxattr(fs, "file", "trusted.gfid", buffer, sizeof buffer));
    SAY(glfs_getxattr(fs, "file", "glusterfs.gfid", buffer, sizeof buffer));
    SAY(glfs_getxattr(fs, "file", "glusterfs.gfid.string", NULL, 0));
    SAY_SIGN(glfs_getxattr(fs, "file", "trusted.glusterfs.pathinfo", buffer, sizeof buffer));
    SAY_SIGN(glfs_getxattr(fs, "file", "glusterfs.pathinfo", buffer, sizeof buffer));
    SAY_SIGN(glfs_getxattr(fs, "file", "trusted.glusterfs.node-uuid", buffer, sizeof buffer));
    SAY_SIGN(glfs_getxattr(fs, "d", "trusted.glusterfs.node-uuid", buffer, sizeof buffer));
    SAY_SIGN(glfs_getxattr(fs, "file", "glusterfs.ancestry.path", buffer, sizeof buffer));
    SAY(glfs_getxattr(fs, "file", "glusterfs.open-fd-count", buffer, sizeof buffer));

    SAY(glfs_removexattr(fs, "link", "user.one"));
    SAY(glfs_removexattr(fs, "file", "user.one"));
    SAY(glfs_removexattr(fs, "nonesuch", "user.one"));
    SAY(glfs_removexattr(fs, "file", "trusted.gfid"));
    SAY(glfs_lremovexattr(fs, "link", "trusted.of-link"));
    SAY(glfs_lremovexattr(fs, "link", "trusted.of-link"));
    SAY(glfs_fremovexattr(fd, "user.of-fd"));
    SAY(glfs_fremovexattr(fd, "user.of-fd"));
    show_list(SAY_SIGN(glfs_flistxattr(fd, buffer, sizeof buffer)), buffer);
    SAY(glfs_close(fd));
    free(large);
    return end(fs);
}
