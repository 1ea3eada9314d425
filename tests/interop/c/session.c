/* A session's beginning and end, and what it tells about itself. */

#include "say.h"

/* Private to GlusterFS, but exported. */
int glfs_ipc(glfs_t *fs, int opcode, void *in, void **out);

/* glfs_fini of a session that did not begin. It fails, and says nothing of why: errno is what the
 * last system call left there, ENOTCONN if the server was faster in closing the connection. */
static int end_unfinished(glfs_t *fs)
{
    int result = glfs_fini(fs);
    errno = 0;
    return result;
}

int main(int count, char **words)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    must(count == 5, "usage: session VOLUME HOST PORT DIRECTORY");
    const char *host = words[2];
    int port = atoi(words[3]);

    SAY(glfs_fini(NULL));
    glfs_t *fs = SAY_POINTER(glfs_new(words[1]));
    SAY(glfs_set_volfile_server(fs, "tcp", "nonesuch.invalid", 1));
    SAY(glfs_set_volfile_server(fs, "tcp", host, port));
    SAY(glfs_set_volfile_server(fs, "carrier-pigeon", host, port));
    SAY(glfs_unset_volfile_server(fs, "tcp", "nonesuch.invalid", 1));
    SAY(glfs_unset_volfile_server(fs, "tcp", "nonesuch.invalid", 1));
    SAY(glfs_set_logging(fs, "/dev/null", 5));
    SAY(glfs_set_xlator_option(fs, "*-client-*", "ping-timeout", "20"));
    SAY(glfs_set_statedump_path(fs, "."));
    SAY(glfs_set_statedump_path(fs, "session.c"));
    SAY(glfs_init(fs));

    /* Exactly as long as it is: as many bytes are copied as there is room for, those behind the
     * volfile too, and where none are mapped there the program crashes (api/src/glfs.c
     * pub_glfs_get_volfile). */
    static char volfile[65536], identity[16], none[16];
    ssize_t lacking = glfs_get_volfile(fs, volfile, 5);
    SAY(lacking < 0);
    must(lacking < 0 && 5 - lacking < (ssize_t)sizeof volfile, "a volfile that is no volfile");
    SAY_SIGN(glfs_get_volfile(fs, volfile, 5 - lacking));
    printf("  %s\n", strstr(volfile, "end-volume") ? "has translators" : "has none");
    SAY(glfs_get_volumeid(fs, NULL, 0));
    SAY(glfs_get_volumeid(fs, identity, sizeof identity));
    printf("  %s\n", memcmp(identity, none, sizeof none) != 0 ? "some" : "none");
    SAY(glfs_get_volumeid(fs, identity, 4));

    struct stat st;
    SAY(glfs_stat(fs, words[4], &st));
    struct statvfs vfs;
    SAY(glfs_statvfs(fs, "/", &vfs));
    SAY(glfs_ipc(fs, 1000, NULL, NULL));
    SAY(glfs_sysrq(fs, GLFS_SYSRQ_HELP));
    SAY(glfs_sysrq(fs, GLFS_SYSRQ_STATEDUMP));
    SAY(glfs_sysrq(fs, '?'));
    SAY(glfs_fini(fs));

    fs = SAY_POINTER(glfs_new("nonesuch"));
    SAY(glfs_set_volfile_server(fs, "tcp", host, port));
    SAY(glfs_set_logging(fs, "/dev/null", 5));
    SAY(glfs_init(fs));
    SAY(end_unfinished(fs));

    fs = SAY_POINTER(glfs_new("unfinished"));
    SAY(glfs_set_volfile(fs, "/nonesuch/volfile"));
    SAY(glfs_set_logging(fs, "/dev/null", 5));
    SAY(glfs_init(fs));
    SAY(end_unfinished(fs));
    return 0;
}
