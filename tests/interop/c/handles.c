/* What works on handles of objects: the calls of NFS-Ganesha. */

#include "say.h"

/* <sys/acl.h>'s, so that its headers need not be here. */
acl_t acl_from_text(const char *text);
char *acl_to_text(acl_t acl, ssize_t *length);
int acl_free(void *what);
enum { ACL_ACCESS = 0x8000, ACL_DEFAULT = 0x4000 };

static glfs_t *fs;

static void show_acl(acl_t acl)
{
    if (acl == NULL)
        return;
    char *text = acl_to_text(acl, NULL);
    for (char *at = text; *at; at++)
        putchar(*at == '\n' ? ' ' : *at);
    printf("\n");
    acl_free(text);
}

int main(int count, char **words)
{
    fs = begin(count, words);
    struct stat st;
    char buffer[128] = "";
    glfs_object_t *root = SAY_POINTER(glfs_h_lookupat(fs, NULL, "/", &st, 0));
    glfs_object_t *here = SAY_POINTER(glfs_h_lookupat(fs, NULL, words[count - 1], &st, 0));
    say_stat(&st);
    SAY_POINTER(glfs_h_lookupat(fs, here, "nonesuch", &st, 0));

    glfs_object_t *file = SAY_POINTER(glfs_h_creat(fs, here, "file", O_RDWR, 0640, &st));
    say_stat(&st);
    SAY_POINTER(glfs_h_creat(fs, here, "file", O_RDWR | O_EXCL, 0640, &st));
    glfs_object_t *d = SAY_POINTER(glfs_h_mkdir(fs, here, "d", 0750, &st));
    say_stat(&st);
    SAY_POINTER(glfs_h_mkdir(fs, here, "d", 0750, &st));
    SAY_POINTER(glfs_h_mkdir(fs, file, "below", 0750, &st));
    SAY_POINTER(glfs_h_creat(fs, file, "below", O_RDWR, 0640, &st));
    SAY_POINTER(glfs_h_mknod(fs, file, "below", S_IFIFO | 0600, 0, &st));
    SAY_POINTER(glfs_h_symlink(fs, file, "below", "file", &st));
    SAY_POINTER(glfs_h_lookupat(fs, file, "below", &st, 0));
    SAY(glfs_h_link(fs, file, file, "below"));
    SAY(glfs_h_rename(fs, here, "file", file, "below"));
    SAY(glfs_h_unlink(fs, file, "below"));
    glfs_object_t *fifo = SAY_POINTER(glfs_h_mknod(fs, d, "fifo", S_IFIFO | 0600, 0, &st));
    say_stat(&st);
    glfs_object_t *link = SAY_POINTER(glfs_h_symlink(fs, here, "link", "file", &st));
    say_stat(&st);
    glfs_fd_t *fd = NULL;
    glfs_object_t *opened =
        SAY_POINTER(glfs_h_creat_open(fs, d, "opened", O_RDWR | O_CREAT, 0600, &st, &fd));
    say_stat(&st);
    SAY(glfs_write(fd, "by its descriptor", 17, 0));
    SAY(glfs_close(fd));

    SAY(glfs_h_stat(fs, opened, &st));
    say_stat(&st);
    SAY(glfs_h_getattrs(fs, file, &st));
    say_stat(&st);
    struct statvfs vfs;
    SAY(glfs_h_statfs(fs, d, &vfs));
    printf("  %s\n", vfs.f_blocks > 0 ? "has blocks" : "has none");
    st.st_mode = 0604;
    st.st_uid = 5;
    st.st_gid = 6;
    st.st_mtim = (struct timespec){1000000000, 7};
    SAY(glfs_h_setattrs(fs, file, &st, GFAPI_SET_ATTR_MODE | GFAPI_SET_ATTR_UID |
                                       GFAPI_SET_ATTR_GID | GFAPI_SET_ATTR_MTIME));
    SAY(glfs_h_getattrs(fs, file, &st));
    say_stat(&st);
    SAY(glfs_h_access(fs, file, R_OK));
    SAY(glfs_h_access(fs, d, R_OK | W_OK | X_OK));
    SAY(glfs_h_readlink(fs, link, buffer, sizeof buffer));
    say_bytes(buffer, 4);
    SAY(glfs_h_readlink(fs, file, buffer, sizeof buffer));

    fd = SAY_POINTER(glfs_h_open(fs, file, O_RDWR));
    SAY(glfs_write(fd, "content", 7, 0));
    SAY(glfs_close(fd));
    SAY_POINTER(glfs_h_open(fs, d, O_RDWR));
    SAY_POINTER(glfs_h_open(fs, link, O_RDONLY));
    SAY(glfs_h_anonymous_write(fs, file, "CON", 3, 0));
    memset(buffer, 0, sizeof buffer);
    SAY(glfs_h_anonymous_read(fs, file, buffer, sizeof buffer, 0));
    say_bytes(buffer, 7);
    SAY(glfs_h_truncate(fs, file, 3));
    SAY(glfs_h_stat(fs, file, &st));
    say_stat(&st);
    SAY(glfs_h_truncate(fs, d, 3));

    SAY(glfs_h_setxattrs(fs, file, "user.h", "value", 5, 0));
    SAY(glfs_h_setxattrs(fs, file, "user.h", "value", 5, XATTR_CREATE));
    SAY(glfs_h_getxattrs(fs, file, "user.h", buffer, sizeof buffer));
    say_bytes(buffer, 5);
    SAY(glfs_h_removexattrs(fs, file, "user.h"));
    SAY(glfs_h_getxattrs(fs, file, "user.h", buffer, sizeof buffer));
    SAY(glfs_h_removexattrs(fs, file, "user.h"));

    SAY(glfs_h_link(fs, file, d, "second"));
    SAY(glfs_h_link(fs, file, d, "second"));
    SAY(glfs_h_link(fs, d, here, "second-d"));
    SAY(glfs_h_rename(fs, d, "second", here, "moved"));
    SAY(glfs_h_rename(fs, d, "nonesuch", here, "other"));
    glfs_object_t *moved = SAY_POINTER(glfs_h_lookupat(fs, here, "moved", &st, 0));
    say_stat(&st);
    glfs_object_t *followed = SAY_POINTER(glfs_h_lookupat(fs, here, "link", &st, 1));
    say_stat(&st);

    /* The handle that outlives everything: the gfid. */
    unsigned char handle[GFAPI_HANDLE_LENGTH], again[GFAPI_HANDLE_LENGTH];
    SAY(glfs_h_extract_handle(root, handle, sizeof handle));
    say_bytes(handle, sizeof handle);
    SAY(glfs_h_extract_handle(file, handle, 4));
    SAY(glfs_h_extract_handle(file, handle, sizeof handle));
    SAY(glfs_h_extract_handle(moved, again, sizeof again));
    printf("  %s\n", memcmp(handle, again, sizeof handle) == 0 ? "the same" : "another");
    glfs_object_t *found =
        SAY_POINTER(glfs_h_create_from_handle(fs, handle, sizeof handle, &st));
    say_stat(&st);
    memset(again, 0x77, sizeof again);
    SAY_POINTER(glfs_h_create_from_handle(fs, again, sizeof again, &st));

    fd = SAY_POINTER(glfs_h_opendir(fs, d));
    int entries = 0;
    while (glfs_readdir(fd) != NULL)
        entries++;
    printf("  %d entries\n", entries);
    SAY(glfs_closedir(fd));
    SAY_POINTER(glfs_h_opendir(fs, file));

    /* Access control lists. */
    acl_t acl = acl_from_text("user::rw-,user:7:r--,group::r--,mask::r--,other::---");
    SAY(glfs_h_acl_set(fs, file, ACL_ACCESS, acl));
    acl_free(acl);
    acl = SAY_POINTER(glfs_h_acl_get(fs, file, ACL_ACCESS));
    show_acl(acl);
    SAY(glfs_h_stat(fs, file, &st));
    say_stat(&st);
    acl_free(acl);
    acl = SAY_POINTER(glfs_h_acl_get(fs, d, ACL_ACCESS));
    show_acl(acl);
    acl_free(acl);
    SAY_POINTER(glfs_h_acl_get(fs, d, ACL_DEFAULT));
    acl = acl_from_text("user::rwx,user:7:r-x,group::r-x,mask::r-x,other::---");
    SAY(glfs_h_acl_set(fs, d, ACL_DEFAULT, acl));
    acl_free(acl);
    acl = SAY_POINTER(glfs_h_acl_get(fs, d, ACL_DEFAULT));
    show_acl(acl);
    acl_free(acl);
    glfs_object_t *heir = SAY_POINTER(glfs_h_creat(fs, d, "heir", O_RDWR, 0666, &st));
    say_stat(&st);
    acl = SAY_POINTER(glfs_h_acl_get(fs, heir, ACL_ACCESS));
    show_acl(acl);
    acl_free(acl);

    glfs_object_t *copy = SAY_POINTER(glfs_object_copy(file));
    SAY(glfs_h_unlink(fs, here, "file"));
    SAY(glfs_h_unlink(fs, here, "moved"));
    SAY(glfs_h_unlink(fs, here, "moved"));
    SAY(glfs_h_stat(fs, copy, &st));
    SAY(glfs_h_unlink(fs, d, "fifo"));
    SAY(glfs_h_unlink(fs, here, "d"));

    glfs_object_t *objects[] = {root, here, file, d, fifo, link, opened, moved, followed, found,
                                heir, copy};
    for (size_t n = 0; n < sizeof objects / sizeof *objects; n++)
        SAY(glfs_h_close(objects[n]));
    return end(fs);
}
