/* Directories: each way of reading them, and of coming back to a place in one. */

#include "say.h"

enum { ENTRIES = 40 };

static glfs_t *fs;

/* The order of entries is the brick's affair: lines are sorted before they are written. */
static char *lines[ENTRIES * 2];
static int line_count;

static int by_text(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

static const char *kind_of(const struct dirent *entry)
{
    return entry->d_type == DT_DIR ? "directory" : entry->d_type == DT_REG ? "file" :
           entry->d_type == DT_LNK ? "link" : "nothing known";
}

static void add(const struct dirent *entry, const struct stat *st)
{
    char *line;
    if (st != NULL && strcmp(entry->d_name, "..") != 0)
        must(asprintf(&line, "  %s: %s, %s %04o size=%lld nlink=%lu", entry->d_name,
                      kind_of(entry), say_type(st->st_mode), st->st_mode & 07777,
                      S_ISDIR(st->st_mode) ? 0 : (long long)st->st_size,
                      (unsigned long)st->st_nlink) > 0, "asprintf");
    else
        must(asprintf(&line, "  %s: %s", entry->d_name, kind_of(entry)) > 0, "asprintf");
    lines[line_count++] = line;
}

static void write_sorted(const char *title)
{
    printf("%s: %d entries\n", title, line_count);
    qsort(lines, line_count, sizeof *lines, by_text);
    for (int n = 0; n < line_count; n++) {
        puts(lines[n]);
        free(lines[n]);
    }
    line_count = 0;
}

static void fill(void)
{
    char name[32];
    glfs_mkdir(fs, "full", 0755);
    for (int n = 0; n < ENTRIES; n++) {
        snprintf(name, sizeof name, "full/entry-%02d", n);
        if (n % 10 == 0)
            must(glfs_mkdir(fs, name, 0710) == 0, name);
        else if (n % 10 == 1)
            must(glfs_symlink(fs, "entry-02", name) == 0, name);
        else {
            glfs_fd_t *fd = glfs_creat(fs, name, O_RDWR, 0640);
            must(fd != NULL && glfs_write(fd, name, n % 10, 0) == n % 10, name);
            glfs_close(fd);
        }
    }
}

int main(int count, char **words)
{
    fs = begin(count, words);
    fill();
    struct dirent *entry, room[4], *result;
    struct stat st;
    SAY_POINTER(glfs_opendir(fs, "nonesuch"));
    SAY_POINTER(glfs_opendir(fs, "full/entry-02"));
    glfs_fd_t *fd = SAY_POINTER(glfs_opendir(fs, "full"));
    SAY(glfs_fstat(fd, &st));
    say_stat(&st);
    while ((entry = glfs_readdir(fd)) != NULL)
        add(entry, NULL);
    write_sorted("glfs_readdir");
    SAY_POINTER(glfs_readdir(fd));

    glfs_seekdir(fd, 0);
    while ((entry = glfs_readdirplus(fd, &st)) != NULL)
        add(entry, &st);
    write_sorted("glfs_readdirplus after glfs_seekdir");

    glfs_seekdir(fd, 0);
    while (glfs_readdir_r(fd, room, &result) == 0 && result != NULL)
        add(result, NULL);
    write_sorted("glfs_readdir_r");

    glfs_seekdir(fd, 0);
    while (glfs_readdirplus_r(fd, &st, room, &result) == 0 && result != NULL)
        add(result, &st);
    write_sorted("glfs_readdirplus_r");

    /* Half of it, and the other half from the place that was told. */
    glfs_seekdir(fd, 0);
    for (int n = 0; n < 20; n++)
        add(glfs_readdir(fd), NULL);
    long place = glfs_telldir(fd);
    glfs_fd_t *second = SAY_POINTER(glfs_opendir(fs, "full"));
    glfs_seekdir(second, place);
    while ((entry = glfs_readdir(second)) != NULL)
        add(entry, NULL);
    write_sorted("two halves, by glfs_telldir and glfs_seekdir");
    SAY(glfs_closedir(second));

    /* With handles, which live on after the listing. */
    glfs_seekdir(fd, 0);
    glfs_xreaddirp_stat_t *extra = NULL;
    glfs_object_t *kept = NULL;
    int flags, with_object = 0, with_stat = 0;
    while ((flags = glfs_xreaddirplus_r(fd, GFAPI_XREADDIRP_STAT | GFAPI_XREADDIRP_HANDLE, &extra,
                                        room, &result)) >= 0 && result != NULL) {
        struct stat *found = flags & GFAPI_XREADDIRP_STAT ? glfs_xreaddirplus_get_stat(extra) : NULL;
        add(result, found);
        with_stat += found != NULL;
        if (flags & GFAPI_XREADDIRP_HANDLE) {
            with_object++;
            if (strcmp(result->d_name, "entry-07") == 0)
                kept = SAY_POINTER(glfs_object_copy(glfs_xreaddirplus_get_object(extra)));
        }
        glfs_free(extra);
        extra = NULL;
    }
    write_sorted("glfs_xreaddirplus_r");
    printf("  %d with attributes, %d with a handle\n", with_stat, with_object);
    if (extra != NULL)
        glfs_free(extra);
    SAY(glfs_h_stat(fs, kept, &st));
    say_stat(&st);
    SAY(glfs_h_close(kept));

    SAY(glfs_closedir(fd));
    fd = SAY_POINTER(glfs_opendir(fs, "full"));
    SAY(glfs_fchdir(fd));
    SAY(glfs_fsync(fd, NULL, NULL));
    SAY(glfs_stat(fs, "entry-03", &st));
    SAY(glfs_closedir(fd));
    SAY(glfs_chdir(fs, ".."));

    /* What is made and removed while a listing is under way. */
    fd = SAY_POINTER(glfs_opendir(fs, "full"));
    entry = SAY_POINTER(glfs_readdir(fd));
    char name[32];
    for (int n = 0; n < ENTRIES; n++) {
        snprintf(name, sizeof name, "full/entry-%02d", n);
        must((n % 10 == 0 ? glfs_rmdir : glfs_unlink)(fs, name) == 0, name);
    }
    SAY(glfs_closedir(fd));
    fd = SAY_POINTER(glfs_opendir(fs, "full"));
    SAY(glfs_rmdir(fs, "full"));
    SAY_POINTER(glfs_readdir(fd));
    SAY(glfs_closedir(fd));
    return end(fs);
}
