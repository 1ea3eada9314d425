/*
 * What the limit is made of: packets, the connection to a brick, and so many calls under way.
 */

#ifndef REPLAY_H
#define REPLAY_H

#include "peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

enum {
    XID = 4,
    HEADER = 28,  /* of a reply, with its mark; then op_ret, op_errno, mostly a dictionary */
    IATT = 148,
    DIGITS = 6,
    MOST_VECTORS = 512,
    SMALL_FILE = 4096,
};

/* ------------------------------------------------------------------------------------- packets */

/* A packet and the places in it that differ from call to call; -1 for those that it has not. */
struct packet {
    unsigned char *bytes;
    size_t length;
    long fd, offset, gfid, digits, identity;
};

static long place(const char *name, const char *what)
{
    char key[64];
    snprintf(key, sizeof key, "%s_%s", name, what);
    return number(key, -1);
}

static size_t from_hex(const char *name, unsigned char **bytes)
{
    char *hex = text(name);
    errno = EINVAL;
    must(hex != NULL, name);
    size_t length = strlen(hex) / 2;
    *bytes = malloc(length + 1);
    must(*bytes != NULL, "malloc");
    for (size_t n = 0; n < length; n++)
        sscanf(hex + 2 * n, "%2hhx", *bytes + n);
    free(hex);
    return length;
}

static struct packet packet(const char *name)
{
    struct packet made = {
        .fd = place(name, "fd"),
        .offset = place(name, "offset"),
        .gfid = place(name, "gfid"),
        .digits = place(name, "digits"),
        .identity = place(name, "identity"),
    };
    made.length = from_hex(name, &made.bytes);
    return made;
}

static void put32(unsigned char *at, uint32_t value)
{
    value = htobe32(value);
    memcpy(at, &value, sizeof value);
}

static void put64(unsigned char *at, uint64_t value)
{
    value = htobe64(value);
    memcpy(at, &value, sizeof value);
}

static uint32_t get32(const unsigned char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return be32toh(value);
}

static uint64_t get64(const unsigned char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return be64toh(value);
}

static void put_digits(const struct packet *packet, long value)
{
    unsigned char *end = packet->bytes + packet->digits + 1 + DIGITS; /* behind the f */
    for (int n = 1; n <= DIGITS; n++, value /= 10)
        end[-n] = '0' + value % 10;
}

/* ----------------------------------------------------------------------------- the connection */

static int brick = -1;
static unsigned char *room; /* what came and was not looked at yet: from begin to end */
static size_t capacity, begin, end;
static size_t exactly; /* the length of every reply, when one call is under way at a time; or 0 */

static int connection(const char *where, const char *port)
{
    char *host = text(where);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(number(port, 0))};
    errno = EINVAL;
    must(host != NULL && inet_pton(AF_INET, host, &address.sin_addr) == 1, where);
    free(host);
    int made = socket(AF_INET, SOCK_STREAM, 0);
    must(made >= 0, "socket");
    must(connect(made, (struct sockaddr *)&address, sizeof address) == 0, where);
    struct timeval patience = {.tv_sec = 20};
    setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return made;
}

/* Several packets, each with or without data behind it, that leave together. */
static struct iovec vectors[MOST_VECTORS];
static int used;
static size_t waiting;

static void send_all(int to)
{
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = used};
    if (used > 0)
        must(sendmsg(to, &message, 0) == (ssize_t)waiting, "send");
    used = 0;
    waiting = 0;
}

static void add(const void *bytes, size_t length)
{
    vectors[used++] = (struct iovec){(void *)bytes, length};
    waiting += length;
}

/* A whole reply if it is there; or NULL, unless it is to be waited for. */
static const unsigned char *reply(int from, bool wait)
{
    for (;;) {
        size_t there = end - begin;
        if (there >= 4) {
            size_t length = 4 + (get32(room + begin) & 0x7fffffff);
            if (there >= length) {
                const unsigned char *record = room + begin;
                begin += length;
                errno = EPROTO;
                must(length >= HEADER + 8 && get32(record + 8) == 1 && get32(record + 24) == 0,
                     "a reply");
                return record;
            }
            errno = EMSGSIZE;
            must(length <= capacity, "a reply");
        }
        if (!wait)
            return NULL;
        if (begin == end)
            begin = end = 0;
        else if (capacity - end < capacity / 2) {
            memmove(room, room + begin, there);
            end = there;
            begin = 0;
        }
        size_t wanted = exactly > 0 ? exactly - there : capacity - end;
        ssize_t came = recv(from, room + end, wanted, exactly > 0 ? MSG_WAITALL : 0);
        if (came == 0)
            errno = ECONNRESET;
        must(came > 0, "recv");
        end += came;
    }
}

static int32_t result(const unsigned char *record)
{
    return (int32_t)get32(record + HEADER);
}

static const unsigned char *good(const unsigned char *record, const char *what)
{
    if (result(record) < 0) {
        errno = get32(record + HEADER + 4);
        fail(what);
    }
    return record;
}

/* What is behind op_ret, op_errno and the dictionary. */
static const unsigned char *behind_dictionary(const unsigned char *record)
{
    return record + HEADER + 8 + 12 + get32(record + HEADER + 8);
}

static const unsigned char *call(const struct packet *packet, const char *what)
{
    size_t before = exactly;
    exactly = 0;
    add(packet->bytes, packet->length);
    send_all(brick);
    const unsigned char *record = good(reply(brick, true), what);
    exactly = before;
    return record;
}

/* As a client connects: the volfile, the brick's port, the brick's consent. */
static void connect_brick(void)
{
    static struct packet getspec, by_brick, setvolume;
    static unsigned number;
    if (setvolume.bytes == NULL) {
        setvolume = packet("setvolume");
        if (value_of("getspec") != NULL) {
            getspec = packet("getspec");
            by_brick = packet("portbybrick");
        }
    }
    if (getspec.bytes != NULL) {
        int daemon = connection("glusterd", "glusterd_port");
        const struct packet *const asked[] = {&getspec, &by_brick};
        for (int n = 0; n < 2; n++) {
            add(asked[n]->bytes, asked[n]->length);
            send_all(daemon);
            good(reply(daemon, true), "glusterd");
        }
        close(daemon);
    }
    char identity[9];
    snprintf(identity, sizeof identity, "%08x", ++number);
    memcpy(setvolume.bytes + setvolume.identity + 1, identity, 8);
    brick = connection("brick", "brick_port");
    call(&setvolume, "SETVOLUME");
}

/* --------------------------------------------------------------------------- so many under way */

static long size, block, count;
static int window;
static long rounds;
static char *content;

/* A request that differs from call to call. It puts the number into `copy` and adds that. */
struct calls {
    struct packet packet;
    void (*put)(struct calls *calls, const struct packet *copy, long n);
    void (*got)(struct calls *calls, const unsigned char *record, long n);
    bool with_data;
    int32_t due;    /* the result of each; -1: any that is not negative */
    uint32_t least; /* the length of each reply at least */
    uint64_t offset;
    struct offsets where;
    long first; /* the number of the first name */
    unsigned char *copies;
};

/* Until `limit` are sent, or the span is over; replies need not come in the order of the calls. */
static long pump(struct calls *calls, struct span span)
{
    size_t length = calls->packet.length;
    if (calls->copies == NULL)
        calls->copies = malloc(length * window);
    must(calls->copies != NULL, "malloc");
    long sent = 0, done = 0;
    int vectors_each = calls->with_data ? 2 : 1;
    bool more = true;
    for (;;) {
        while (more && sent - done < window && used + vectors_each <= MOST_VECTORS) {
            if (over(&span, sent)) {
                more = false;
                break;
            }
            struct packet copy = calls->packet;
            copy.bytes = calls->copies + sent % window * length;
            memcpy(copy.bytes, calls->packet.bytes, length);
            put32(copy.bytes + XID, sent);
            calls->put(calls, &copy, sent++);
            add(copy.bytes, length);
            if (calls->with_data)
                add(content, block);
        }
        send_all(brick);
        if (done == sent)
            return done;
        for (const unsigned char *record = reply(brick, true); record != NULL;
             record = reply(brick, false)) {
            int32_t came = result(good(record, "a call"));
            errno = EIO;
            must(calls->due < 0 || came == calls->due, "the size of a transfer");
            must((get32(record) & 0x7fffffff) >= calls->least, "a content");
            if (calls->got != NULL)
                calls->got(calls, record, get32(record + XID));
            if (++done == sent)
                break;
        }
    }
}

static struct span exactly_so_many(long count)
{
    return (struct span){.count = count};
}

static void put_random(struct calls *calls, const struct packet *copy, long n)
{
    (void)n;
    put64(copy->bytes + copy->offset, next_offset(&calls->where));
}

static void put_in_turn(struct calls *calls, const struct packet *copy, long n)
{
    (void)calls;
    put64(copy->bytes + copy->offset, (uint64_t)n * block);
}

static void put_name(struct calls *calls, const struct packet *copy, long n)
{
    put_digits(copy, calls->first + n);
}

#endif
