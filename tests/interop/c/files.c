/* What works on open files: data, attributes, and what is wrong with either. */

#include "say.h"

static glfs_t *fs;

static void show(glfs_fd_t *fd)
{
    struct stat st;
    if (SAY(glfs_fstat(fd, &st)) == 0)
        say_stat(&st);
}

static void reopen(void)
{
    glfs_fd_t *fd = SAY_POINTER(glfs_creat(fs, "new", O_RDWR, 0640));
    show(fd);
    SAY(glfs_write(fd, "0123456789", 10, 0));
    SAY_POINTER(glfs_creat(fs, "new", O_RDWR | O_EXCL, 0640));
    SAY_POINTER(glfs_creat(fs, "nonesuch/new", O_RDWR, 0640));
    glfs_fd_t *other = SAY_POINTER(glfs_creat(fs, "new", O_RDWR, 0640));
    show(other);
    SAY(glfs_close(other));
    SAY_POINTER(glfs_open(fs, "nonesuch", O_RDWR));
    SAY_POINTER(glfs_open(fs, ".", O_RDWR));
    glfs_fd_t *here = SAY_POINTER(glfs_open(fs, ".", O_RDONLY));
    if (here != NULL) {
        char byte;
        struct stat st;
        SAY(glfs_fstat(here, &st));
        SAY(glfs_read(here, &byte, 1, 0));
        SAY(glfs_fsync(here, NULL, NULL));
        SAY(glfs_close(here));
    }
    here = SAY_POINTER(glfs_open(fs, ".", O_RDONLY | O_DIRECTORY));
    if (here != NULL) {
        SAY_POINTER(glfs_readdir(here));
        SAY(glfs_close(here));
    }
    glfs_symlink(fs, "new", "link");
    other = SAY_POINTER(glfs_open(fs, "link", O_RDONLY));
    char buffer[20] = "";
    SAY(glfs_read(other, buffer, sizeof buffer, 0));
    say_bytes(buffer, 10);
    SAY(glfs_write(other, "x", 1, 0));
    SAY(glfs_close(other));
    other = SAY_POINTER(glfs_open(fs, "new", O_WRONLY));
    SAY(glfs_read(other, buffer, 1, 0));
    SAY(glfs_close(other));
    other = SAY_POINTER(glfs_open(fs, "new", O_WRONLY | O_APPEND));
    SAY(glfs_write(other, "appended", 8, 0));
    SAY(glfs_pwrite(other, "more", 4, 0, 0, NULL, NULL));
    show(other);
    SAY(glfs_close(other));
    glfs_fd_t *twin = SAY_POINTER(glfs_dup(fd));
    SAY(glfs_pread(twin, buffer, sizeof buffer, 0, 0, NULL));
    say_bytes(buffer, 20);
    SAY(glfs_from_glfd(fd) == fs);
    SAY(glfs_close(twin));
    other = SAY_POINTER(glfs_open(fs, "new", O_RDWR | O_TRUNC));
    show(other);
    SAY(glfs_close(other));
    SAY(glfs_close(fd));
}

static void data(void)
{
    struct glfs_stat before, after;
    char buffer[64] = "";
    glfs_fd_t *fd = SAY_POINTER(glfs_creat(fs, "data", O_RDWR | O_TRUNC, 0600));
    SAY(glfs_write(fd, "one two ", 8, 0));
    struct iovec out[3] = {{"three ", 6}, {"", 0}, {"four ", 5}};
    SAY(glfs_writev(fd, out, 3, 0));
    SAY(glfs_pwrite(fd, "TWO", 3, 4, 0, &before, &after));
    say_glfs_stat("before", &before);
    say_glfs_stat("after", &after);
    SAY(glfs_pwritev(fd, out, 3, 100, 0));
    SAY(glfs_pwrite(fd, "", 0, 500, 0, NULL, NULL));
    show(fd);
    SAY(glfs_lseek(fd, 4, SEEK_SET));
    SAY(glfs_read(fd, buffer, 3, 0));
    say_bytes(buffer, 3);
    SAY(glfs_lseek(fd, 1, SEEK_CUR));
    char first[4] = "", second[8] = "";
    struct iovec in[2] = {{first, 3}, {second, 7}};
    SAY(glfs_readv(fd, in, 2, 0));
    say_bytes(first, 3);
    say_bytes(second, 7);
    SAY(glfs_preadv(fd, in, 2, 100, 0));
    say_bytes(first, 3);
    say_bytes(second, 7);
    SAY(glfs_lseek(fd, -4, SEEK_END));
    SAY(glfs_read(fd, buffer, 10, 0));
    SAY(glfs_read(fd, buffer, 10, 0));
    SAY(glfs_pread(fd, buffer, 10, 1000, 0, &after));
    SAY(glfs_pread(fd, buffer, 4, 0, 0, &after));
    say_glfs_stat("after", &after);
    SAY(glfs_pread(fd, buffer, 10, -1, 0, NULL));
    SAY(glfs_pwrite(fd, buffer, 10, -1, 0, NULL, NULL));
    SAY(glfs_lseek(fd, -1000, SEEK_SET));
    SAY(glfs_fsync(fd, &before, &after));
    say_glfs_stat("after", &after);
    SAY(glfs_fdatasync(fd, NULL, NULL));
    SAY(glfs_fdatasync(fd, &before, &after));
    say_glfs_stat("before", &before);
    SAY(glfs_close(fd));
}

static void room(void)
{
    struct glfs_stat before, after;
    char buffer[16];
    char *block = malloc(1 << 20);
    memset(block, 'b', 1 << 20);
    glfs_fd_t *fd = SAY_POINTER(glfs_creat(fs, "room", O_RDWR, 0600));
    SAY(glfs_ftruncate(fd, 1 << 20, &before, &after));
    say_glfs_stat("before", &before);
    say_glfs_stat("after", &after);
    SAY(glfs_lseek(fd, 0, SEEK_DATA));
    SAY(glfs_lseek(fd, 0, SEEK_HOLE));
    SAY(glfs_pwrite(fd, block, 65536, 131072, 0, NULL, NULL));
    SAY(glfs_lseek(fd, 0, SEEK_DATA));
    SAY(glfs_lseek(fd, 131072, SEEK_HOLE));
    SAY(glfs_lseek(fd, 300000, SEEK_DATA));
    SAY(glfs_lseek(fd, 300000, SEEK_HOLE));
    SAY(glfs_lseek(fd, 1 << 20, SEEK_DATA));
    SAY(glfs_lseek(fd, 1 << 20, SEEK_HOLE));
    SAY(glfs_fallocate(fd, 1, 1 << 20, 65536));
    show(fd);
    SAY(glfs_fallocate(fd, 0, 1 << 20, 65536));
    show(fd);
    SAY(glfs_fallocate(fd, 0, 0, 0));
    SAY(glfs_discard(fd, 131072, 4096));
    SAY(glfs_pread(fd, buffer, 8, 131072 + 4092, 0, NULL));
    say_bytes(buffer, 8);
    SAY(glfs_discard(fd, 5 << 20, 4096));
    SAY(glfs_zerofill(fd, 131072 + 8190, 5));
    SAY(glfs_pread(fd, buffer, 8, 131072 + 8188, 0, NULL));
    say_bytes(buffer, 8);
    SAY(glfs_zerofill(fd, 2 << 20, 4096));
    show(fd);
    SAY(glfs_ftruncate(fd, 5, NULL, NULL));
    show(fd);
    SAY(glfs_ftruncate(fd, -1, NULL, NULL));
    SAY(glfs_close(fd));
    fd = SAY_POINTER(glfs_open(fs, "room", O_RDONLY));
    SAY(glfs_ftruncate(fd, 50, NULL, NULL));
    SAY(glfs_fallocate(fd, 0, 0, 4096));
    SAY(glfs_discard(fd, 0, 4096));
    SAY(glfs_zerofill(fd, 0, 4096));
    SAY(glfs_close(fd));
    free(block);
}

static void copy(void)
{
    struct glfs_stat source, before, after;
    char buffer[16] = "";
    glfs_fd_t *from = SAY_POINTER(glfs_creat(fs, "from", O_RDWR, 0600));
    glfs_fd_t *to = SAY_POINTER(glfs_creat(fs, "to", O_RDWR, 0600));
    SAY(glfs_write(from, "source of it all", 16, 0));
    off64_t at = 7, there = 3;
    SAY(glfs_copy_file_range(from, &at, to, &there, 5, 0, &source, &before, &after));
    say_glfs_stat("source", &source);
    say_glfs_stat("before", &before);
    say_glfs_stat("after", &after);
    printf("  offsets %lld and %lld\n", (long long)at, (long long)there);
    SAY(glfs_pread(to, buffer, 16, 0, 0, NULL));
    say_bytes(buffer, 8);
    at = 100;
    SAY(glfs_copy_file_range(from, &at, to, &there, 5, 0, NULL, NULL, NULL));
    at = there = 0;
    SAY(glfs_copy_file_range(from, &at, to, &there, 1000, 0, NULL, NULL, NULL));
    show(to);
    SAY(glfs_close(from));
    SAY(glfs_close(to));
}

static void attributes(void)
{
    glfs_fd_t *fd = SAY_POINTER(glfs_creat(fs, "attributes", O_RDWR, 0666));
    show(fd);
    SAY(glfs_fchmod(fd, 0640));
    SAY(glfs_fchown(fd, 5, 6));
    struct timespec times[2] = {{1000000000, 1}, {1100000000, 999999999}};
    SAY(glfs_futimens(fd, times));
    show(fd);
    struct glfs_stat wanted = {.glfs_st_mask = GLFS_STAT_MODE | GLFS_STAT_GID | GLFS_STAT_ATIME,
                               .glfs_st_mode = S_IFREG | 0604,
                               .glfs_st_gid = 12,
                               .glfs_st_atime = {1200000000, 5}};
    SAY(glfs_fsetattr(fd, &wanted));
    show(fd);
    SAY(glfs_unlink(fs, "attributes"));
    show(fd);
    SAY(glfs_write(fd, "nameless", 8, 0));
    SAY(glfs_fchmod(fd, 0600));
    show(fd);
    SAY(glfs_close(fd));
}

static void big(void)
{
    size_t size = 3 * 1000 * 1000 + 7;
    unsigned char *wrote = malloc(size), *found = malloc(size);
    for (size_t at = 0; at < size; at++)
        wrote[at] = (at * 2654435761u) >> 13;
    glfs_fd_t *fd = SAY_POINTER(glfs_creat(fs, "big", O_RDWR | O_SYNC, 0600));
    SAY(glfs_pwrite(fd, wrote, size, 5, 0, NULL, NULL));
    memset(found, 0, size);
    SAY(glfs_pread(fd, found, size, 5, 0, NULL));
    printf("  %s\n", memcmp(wrote, found, size) == 0 ? "the same bytes" : "other bytes");
    SAY(glfs_pwrite(fd, wrote, 100, (off_t)1 << 40, 0, NULL, NULL));
    show(fd);
    SAY(glfs_ftruncate(fd, size, NULL, NULL));
    SAY(glfs_close(fd));
    fd = SAY_POINTER(glfs_open(fs, "big", O_RDONLY | O_DIRECT));
    void *aligned = NULL;
    must(posix_memalign(&aligned, 4096, 8192) == 0, "posix_memalign");
    SAY(glfs_pread(fd, aligned, 8192, 4096, 0, NULL));
    printf("  %s\n", memcmp(wrote + 4091, aligned, 8192) == 0 ? "the same bytes" : "other bytes");
    SAY(glfs_close(fd));
    free(aligned);
    free(wrote);
    free(found);
}

int main(int count, char **words)
{
    fs = begin(count, words);
    reopen();
    data();
    room();
    copy();
    attributes();
    big();
    return end(fs);
}
