/*
 * The limit: packets that were made before, sent on a bare socket, and their replies received.
 *
 *     limit LINE PARAMETERS       as limit.py starts it, with the packets in the parameters
 *
 * A call costs what it must: its number put into the packet, one send, as few receives as the kernel
 * allows, a look at the reply's length and result. Many under way are sent together where several
 * replies have come together. There is no cache, and no thread.
 *
 * Where a client may defer writes, as write-behind does, this one has several under way, too.
 */

#include "replay.h"

/* -------------------------------------------------------------------------------- transfers */

static struct calls transfers(const char *name, const char *opened)
{
    struct calls made = {.packet = packet(name), .due = block};
    made.with_data = strcmp(name, "write") == 0;
    made.where = offsets(number("seed", 1), size, block);
    if (opened != NULL) {
        struct packet open = packet(opened);
        uint64_t fd = get64(behind_dictionary(call(&open, opened)));
        put64(made.packet.bytes + made.packet.fd, fd);
    }
    return made;
}

static void room_for_replies(void)
{
    free(room);
    capacity = 2 * ((size_t)window * (block + 1024) + (1 << 16));
    room = malloc(capacity);
    content = malloc(block);
    must(room != NULL && content != NULL, "malloc");
    memset(content, 'x', block);
}

static void prepare(void)
{
    room_for_replies();
    connect_brick();
}

/* --------------------------------------------------------------------------------------- reads */

static struct calls reads;

static void prepare_reads(void)
{
    prepare();
    reads = transfers("read", "open");
    if (window == 1)
        exactly = HEADER + 8 + IATT + 4 + 12 + block;
    reads.put = put_random;
    struct calls warm = reads;
    pump(&warm, exactly_so_many(50));
    free(warm.copies);
}

static void random_reads(struct round *round)
{
    start(round);
    round->ops = pump(&reads, span());
    stop(round);
    round->bytes = round->ops * block;
}

static void stream_in(struct round *round)
{
    reads.put = put_in_turn;
    start(round);
    round->ops = pump(&reads, exactly_so_many(size / block));
    stop(round);
    round->bytes = round->ops * block;
}

/* -------------------------------------------------------------------------------------- writes */

/* A new file: its number's digits and its gfid go into its CREATE, what the brick makes of it into
   the packets that are about it. */
static struct calls writes;
static struct packet create_packet, release_file;
static long files; /* that were made in the directory */

static void prepare_files(void)
{
    prepare();
    create_packet = packet("create");
    release_file = packet("release");
    writes = transfers("write", NULL);
    put64(create_packet.bytes + create_packet.gfid, (uint64_t)getpid() << 32 | (uint32_t)now());
}

static void next_file(void)
{
    unsigned char *low = create_packet.bytes + create_packet.gfid + 8;
    put64(low, get64(low) + 1);
    put_digits(&create_packet, files++);
}

static void made_file(const unsigned char *record)
{
    const unsigned char *gfid = create_packet.bytes + create_packet.gfid;
    uint64_t fd = get64(behind_dictionary(record) + IATT);
    memcpy(writes.packet.bytes + writes.packet.gfid, gfid, 16);
    memcpy(release_file.bytes + release_file.gfid, gfid, 16);
    put64(writes.packet.bytes + writes.packet.fd, fd);
    put64(release_file.bytes + release_file.fd, fd);
}

static void create_file(void)
{
    next_file();
    made_file(call(&create_packet, "CREATE"));
}

static void remove_file(void)
{
    static struct packet unlink;
    if (unlink.bytes == NULL)
        unlink = packet("unlink");
    put_digits(&unlink, files - 1);
    call(&unlink, "UNLINK");
}

/* The file that is written at random is full before. */
static void prepare_own_file(void)
{
    prepare_files();
    create_file();
    memset(content, 0, block);
    writes.put = put_in_turn;
    pump(&writes, exactly_so_many(size / block));
    memset(content, 'x', block);
    writes.put = put_random;
}

static void random_writes(struct round *round)
{
    start(round);
    round->ops = pump(&writes, span());
    stop(round);
    round->bytes = round->ops * block;
}

static void stream_out(struct round *round)
{
    create_file();
    writes.put = put_in_turn;
    start(round);
    round->ops = pump(&writes, exactly_so_many(size / block));
    call(&release_file, "RELEASE");
    stop(round);
    remove_file();
    round->bytes = round->ops * block;
}

/* --------------------------------------------------------------------------------------- names */

static struct calls looks;

static void prepare_stat(void)
{
    prepare();
    looks = (struct calls){.packet = packet("lookup"), .put = put_name, .due = -1};
}

static void prepare_small(void)
{
    prepare();
    looks = (struct calls){.packet = packet("content"), .put = put_name, .due = -1,
                           .least = SMALL_FILE};
}

static void look(struct round *round)
{
    looks.first = rounds++ * count;
    start(round);
    round->ops = pump(&looks, exactly_so_many(count));
    stop(round);
    round->bytes = round->ops * looks.least;
}

/*
 * A file's CREATE is waited for, and its RELEASE goes when its WRITE is through. That is not waited for
 * but at the end of all: each WRITE leaves together with the next file's CREATE. What they are is told
 * by their xids.
 */
enum { CREATE_XID = 1, RELEASE_XID = 2, WRITE_XID = 3 }; /* 3 and up: the file's number is added */

struct file {
    unsigned char *write, *release;
};

static void create_files(struct round *round)
{
    struct file *made = calloc(count, sizeof *made);
    must(made != NULL, "malloc");
    put32(create_packet.bytes + XID, CREATE_XID);
    put64(writes.packet.bytes + writes.packet.offset, 0);
    put32(release_file.bytes + XID, RELEASE_XID);
    long under_way = 0;
    start(round);
    while (round->ops < count || under_way > 0 || used > 0) {
        bool creating = round->ops < count;
        if (creating) {
            next_file();
            add(create_packet.bytes, create_packet.length);
            under_way++;
        }
        send_all(brick);
        do {
            const unsigned char *record = good(reply(brick, true), "a call");
            uint32_t xid = get32(record + XID);
            under_way--;
            if (xid == CREATE_XID) {
                struct file *file = &made[round->ops];
                made_file(record);
                file->write = malloc(writes.packet.length + release_file.length);
                must(file->write != NULL, "malloc");
                file->release = file->write + writes.packet.length;
                memcpy(file->write, writes.packet.bytes, writes.packet.length);
                memcpy(file->release, release_file.bytes, release_file.length);
                put32(file->write + XID, WRITE_XID + round->ops++);
                add(file->write, writes.packet.length);
                add(content, block);
                under_way++;
                creating = false;
            } else if (xid >= WRITE_XID) {
                add(made[xid - WRITE_XID].release, release_file.length);
                under_way++;
            }
        } while (creating);
    }
    stop(round);
    for (long n = 0; n < count; n++)
        free(made[n].write);
    free(made);
    round->bytes = round->ops * block;
}

static struct calls unlinks;

static void remove_files(struct round *round)
{
    unlinks.first = files - count;
    start(round);
    round->ops = pump(&unlinks, exactly_so_many(count));
    stop(round);
}

static void prepare_names(void)
{
    prepare_files();
    unlinks = (struct calls){.packet = packet("unlink"), .put = put_name, .due = -1};
}

static void unlink_files(struct round *round)
{
    struct round unused = {0};
    create_files(&unused);
    remove_files(round);
}

/* --------------------------------------------------------------------------------- directories */

static struct packet opendir_packet, readdirp, releasedir;

static void prepare_listing(void)
{
    block = 1 << 20; /* the most that a batch may need */
    prepare();
    opendir_packet = packet("opendir");
    readdirp = packet("readdirp");
    releasedir = packet("releasedir");
}

/* Each entry: a word that says that there is one, ino, d_off, d_len, d_type, name, iatt, dict. */
static uint64_t over_entries(const unsigned char *at, long *entries)
{
    uint64_t last = 0;
    while (get32(at) == 1) {
        last = get64(at + 12);
        const unsigned char *name = at + 28;
        uint32_t length = get32(name);
        if (!(name[4] == '.' && (length == 1 || (length == 2 && name[5] == '.'))))
            ++*entries;
        at = name + 4 + (length + 3) / 4 * 4 + IATT;
        at += 12 + get32(at);
    }
    return last;
}

static void listing(struct round *round)
{
    start(round);
    uint64_t fd = get64(behind_dictionary(call(&opendir_packet, "OPENDIR")));
    put64(readdirp.bytes + readdirp.fd, fd);
    put64(releasedir.bytes + releasedir.fd, fd);
    uint64_t offset = 0;
    for (;;) {
        put64(readdirp.bytes + readdirp.offset, offset);
        const unsigned char *record = call(&readdirp, "READDIRP");
        bool last = get32(record + HEADER + 4) == ENOENT || result(record) == 0;
        offset = over_entries(behind_dictionary(record), &round->ops);
        if (last)
            break;
    }
    call(&releasedir, "RELEASEDIR");
    stop(round);
    errno = ENOENT;
    must(round->ops == (long)number("entries", 0), "some entries");
}

/* ------------------------------------------------------------------------------------ sessions */

static void hang_up(void)
{
    close(brick);
    begin = end = 0;
}

static void connecting(struct round *round)
{
    for (; round->ops < count; round->ops++) {
        start(round);
        connect_brick();
        stop(round);
        hang_up();
    }
}

static unsigned char *gfids;
static uint64_t *fds;

static void put_gfid(struct calls *calls, const struct packet *copy, long n)
{
    memcpy(copy->bytes + copy->gfid, gfids + n % calls->first * 16, 16);
}

static void note_fd(struct calls *calls, const unsigned char *record, long n)
{
    (void)calls;
    fds[n] = get64(behind_dictionary(record));
}

static void put_fd(struct calls *calls, const struct packet *copy, long n)
{
    put_gfid(calls, copy, n);
    put64(copy->bytes + copy->fd, fds[n]);
}

static void closing(struct round *round)
{
    long handles = number("handles", 0);
    static struct calls opens, reads, releases;
    connect_brick();
    if (handles > 0) {
        free(gfids);
        free(fds);
        long known = from_hex("handle_gfids", &gfids) / 16;
        fds = calloc(handles, sizeof *fds);
        must(fds != NULL, "malloc");
        opens = (struct calls){.packet = packet("open_handle"), .put = put_gfid, .got = note_fd,
                               .due = -1, .first = known};
        releases = (struct calls){.packet = packet("release"), .put = put_fd, .due = -1,
                                  .first = known};
        reads = (struct calls){.packet = packet("read_handle"), .put = put_fd, .due = 1,
                               .first = known};
        pump(&opens, exactly_so_many(handles));
        pump(&reads, exactly_so_many(handles));
    }
    start(round);
    if (handles > 0)
        pump(&releases, exactly_so_many(handles));
    hang_up();
    stop(round);
    round->ops = 1;
    add_figure(round, "\"released\": %ld", handles);
}

static void sessions(struct round *round)
{
    struct packet root = packet("lookup_root");
    long tenth = 0;
    add_figure(round, "\"rss_before\": %ld", resident());
    start(round);
    while (round->ops < count) {
        connect_brick();
        call(&root, "LOOKUP");
        hang_up();
        if (++round->ops == 10)
            tenth = resident();
    }
    stop(round);
    add_figure(round, "\"rss_10\": %ld, \"rss_end\": %ld", tenth, resident());
}

/* ---------------------------------------------------------------------------------------- lines */

/* How many are under way, where the line does not say so: 0 is one for each thread of the line. */
static const struct {
    struct line line;
    int window;
} table[] = {
    {{"pread", prepare_reads, random_reads, false}, 0},
    {{"apread4k", prepare_reads, random_reads, false}, 0},
    {{"pwrite4k", prepare_own_file, random_writes, false}, 64},
    {{"seqread1m", prepare_reads, stream_in, false}, 4},
    {{"seqread128k", prepare_reads, stream_in, false}, 8},
    {{"seqwrite1m", prepare_files, stream_out, false}, 4},
    {{"seqwrite128k", prepare_files, stream_out, false}, 8},
    {{"stat_cold", prepare_stat, look, false}, 1},
    {{"small", prepare_small, look, false}, 1},
    {{"create", prepare_names, create_files, false}, 1},
    {{"unlink", prepare_names, unlink_files, false}, 1},
    {{"readdirp", prepare_listing, listing, false}, 1},
    {{"connect", room_for_replies, connecting, false}, 1},
    {{"close_", room_for_replies, closing, false}, 64},
    {{"sessions_1", room_for_replies, sessions, false}, 1},
    {{NULL, NULL, NULL, false}, 0},
};

int main(int words, char **word)
{
    must(words == 3, "usage: limit LINE PARAMETERS");
    parameters = word[2];
    size = number("size", 0);
    block = number("block", SMALL_FILE);
    count = number("count", 0);
    struct line lines[sizeof table / sizeof *table];
    for (size_t n = 0; n < sizeof table / sizeof *table; n++) {
        lines[n] = table[n].line;
        if (lines[n].name != NULL && strncmp(word[1], lines[n].name, strlen(lines[n].name)) == 0)
            window = table[n].window > 0 ? table[n].window
                                         : (int)number("inflight", number("threads", 1));
    }
    if (window > MOST_VECTORS)
        window = MOST_VECTORS;
    serve(lines, word[1]);
}
