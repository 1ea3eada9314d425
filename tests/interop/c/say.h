/*
 * What the programs here have in common: a session, and one line of output for each call.
 *
 *     program VOLUME HOST PORT DIRECTORY       the volfile comes from a management daemon
 *     program VOLUME VOLFILE DIRECTORY         the volfile is at hand
 *
 * The programs run against two servers, and what they write must be the same. So a line tells what
 * was called, as it stands in the source, and what came of it: the number that was returned, or
 * "ok" for a pointer, or the name of the error. What no two servers have in common (inode numbers,
 * devices, times of now) is left out, or only told to be there.
 */

#ifndef SAY_H
#define SAY_H

#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <glusterfs/api/glfs.h>
#include <glusterfs/api/glfs-handles.h>

/* Call, and say what came of it: a number, -1 with the error. */
#define SAY(call)                                                                                  \
    ({                                                                                             \
        errno = 0;                                                                                 \
        long long said = (call);                                                                   \
        say_number(#call, said, errno);                                                            \
        said;                                                                                      \
    })

/* The same for a pointer. */
#define SAY_POINTER(call)                                                                          \
    ({                                                                                             \
        errno = 0;                                                                                 \
        __typeof__(call) said = (call);                                                            \
        say_pointer(#call, said, errno);                                                           \
        said;                                                                                      \
    })

/* The same for a number that is another on each server: say only its sign. */
#define SAY_SIGN(call)                                                                             \
    ({                                                                                             \
        errno = 0;                                                                                 \
        long long said = (call);                                                                   \
        int why = errno;                                                                           \
        say_number(#call, said > 0 ? 1 : said, why);                                               \
        said;                                                                                      \
    })

static inline void say_number(const char *call, long long result, int why)
{
    if (result == -1)
        printf("%s: -1 %s\n", call, strerrorname_np(why));
    else
        printf("%s: %lld\n", call, result);
}

static inline void say_pointer(const char *call, const void *result, int why)
{
    if (result == NULL)
        printf("%s: NULL %s\n", call, strerrorname_np(why));
    else
        printf("%s: ok\n", call);
}

static inline const char *say_type(mode_t mode)
{
    switch (mode & S_IFMT) {
        case S_IFREG:
            return "file";
        case S_IFDIR:
            return "directory";
        case S_IFLNK:
            return "link";
        case S_IFIFO:
            return "fifo";
        case S_IFSOCK:
            return "socket";
        case S_IFCHR:
            return "character device";
        case S_IFBLK:
            return "block device";
        default:
            return "nothing known";
    }
}

/* A time: as it is if a program set it, which is before the year 2020; else that it is a recent one. */
static inline void say_time(const char *what, struct timespec when)
{
    if (when.tv_sec < 1577836800)
        printf(" %s=%lld.%09ld", what, (long long)when.tv_sec, when.tv_nsec);
    else
        printf(" %s=recent", what);
}

/* Attributes. The size of a directory is the file system's affair. */
static inline void say_stat(const struct stat *st)
{
    printf("  %s %04o nlink=%lu uid=%u gid=%u", say_type(st->st_mode), st->st_mode & 07777,
           (unsigned long)st->st_nlink, st->st_uid, st->st_gid);
    if (!S_ISDIR(st->st_mode))
        printf(" size=%lld", (long long)st->st_size);
    if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
        printf(" rdev=%u:%u", major(st->st_rdev), minor(st->st_rdev));
    printf(" ino=%s", st->st_ino == 1 ? "1" : st->st_ino != 0 ? "some" : "0");
    say_time("atime", st->st_atim);
    say_time("mtime", st->st_mtim);
    say_time("ctime", st->st_ctim);
    printf("\n");
}

/* What comes with a read or write, if anything did. */
static inline void say_glfs_stat(const char *what, const struct glfs_stat *st)
{
    printf("  %s: %s %04o size=%lld\n", what, say_type(st->glfs_st_mode),
           st->glfs_st_mode & 07777, (long long)st->glfs_st_size);
}

/* Bytes: as text as far as they are, at most so many. */
static inline void say_bytes(const void *given, long long count)
{
    const unsigned char *bytes = given;
    printf("  \"");
    for (long long at = 0; at < count && at < 200; at++)
        if (bytes[at] >= ' ' && bytes[at] < 127 && bytes[at] != '\\' && bytes[at] != '"')
            putchar(bytes[at]);
        else
            printf("\\%02x", bytes[at]);
    printf("\"%s\n", count > 200 ? "..." : "");
}

static inline void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(2);
}

/* A session in the directory that the command line names, without a word to the output. */
static inline glfs_t *begin(int count, char **words)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* what was said before a crash shall be seen */
    must(count == 4 || count == 5, "usage: program VOLUME (HOST PORT | VOLFILE) DIRECTORY");
    glfs_t *fs = glfs_new(words[1]);
    must(fs != NULL, "glfs_new");
    if (count == 5)
        must(glfs_set_volfile_server(fs, "tcp", words[2], atoi(words[3])) == 0,
             "glfs_set_volfile_server");
    else
        must(glfs_set_volfile(fs, words[2]) == 0, "glfs_set_volfile");
    must(glfs_set_logging(fs, getenv("SAY_LOG") ? getenv("SAY_LOG") : "/dev/null", 5) == 0,
         "glfs_set_logging");
    must(glfs_init(fs) == 0, "glfs_init");
    must(glfs_chdir(fs, words[count - 1]) == 0, "glfs_chdir");
    return fs;
}

static inline int end(glfs_t *fs)
{
    SAY(glfs_fini(fs));
    return 0;
}

#endif
