/*
 * To be preloaded into a program that uses libgfapi, so that glfs_fini ends promptly, and well.
 *
 * In GlusterFS 10.3 glfs_fini takes ten seconds for each session. It declares its context to be on
 * the way out, and from then on gf_timer_call_cancel cancels nothing: the timer that looks for
 * calls without an answer, due every ten seconds, keeps its reference on the connection, and
 * protocol/client's fini waits until it has fired (api/src/glfs.c pub_glfs_fini;
 * libglusterfs/src/timer.c gf_timer_call_cancel; rpc/rpc-lib/src/rpc-clnt.c rpc_clnt_disable).
 *
 * Here are timers that can always be cancelled, put in the place of libglusterfs's three functions.
 * They know a context by its address only, so that no header of GlusterFS is needed.
 *
 * Then the threads that poll are ended (libglusterfs/src/event.c gf_event_dispatch_destroy). It may
 * take a second more, as waking the last one fails now and then and is tried again after a second:
 * here after a twentieth of one. And a thread counts as ended a bit before it is, so that one session
 * in fifty frees memory that such a thread still uses, and the program crashes
 * (libglusterfs/src/event-epoll.c event_dispatch_epoll_worker): here they are waited for.
 *
 * Likewise a thread of performance/io-threads: it counts itself out, and the translator is unloaded
 * while it still runs its code (xlators/performance/io-threads/src/io-threads.c iot_worker,
 * iot_exit_threads; libglusterfs/src/xlator.c xlator_members_free). Here nothing is unloaded.
 *
 * Nothing else of the library changes, and nothing of what goes over the wire.
 *
 *     gcc -shared -fPIC -o prompt_fini.so prompt_fini.c -lpthread
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* One timer. Its address is what the caller knows it by, and is never looked into. */
struct timer {
    struct timer *next;
    void *context;
    struct timespec due;
    void (*call)(void *);
    void *data;
    void *translator; /* on whose behalf it was set: what THIS was */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed; /* a timer was set, or a call has ended */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_t thread;
static struct timer *pending;  /* the next one first */
static struct timer *firing;   /* taken out of `pending`, its call under way */
/* A thread that polls, until its function has returned. */
struct poller {
    struct poller *next;
    void *pool;
    void *(*function)(void *);
    void *data;
};

static struct poller *pollers;
static __thread bool destroying; /* this thread ends the ones that poll */

/* What is libglusterfs's own. */
static void **(*this_location)(void);
static int (*dispatch_destroy)(void *);
static int (*thread_vcreate)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *,
                             const char *, va_list);

static bool earlier(const struct timespec *one, const struct timespec *other)
{
    if (one->tv_sec != other->tv_sec)
        return one->tv_sec < other->tv_sec;
    return one->tv_nsec < other->tv_nsec;
}

static void *fire(void *unused)
{
    pthread_mutex_lock(&lock);
    for (;;) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (pending == NULL) {
            pthread_cond_wait(&changed, &lock);
        } else if (earlier(&now, &pending->due)) {
            struct timespec until = pending->due;
            pthread_cond_timedwait(&changed, &lock, &until);
        } else {
            firing = pending;
            pending = firing->next;
            pthread_mutex_unlock(&lock);
            void **this = this_location();
            void *before = *this;
            *this = firing->translator;
            firing->call(firing->data);
            *this = before;
            pthread_mutex_lock(&lock);
            free(firing);
            firing = NULL;
            pthread_cond_broadcast(&changed);
        }
    }
    return unused;
}

int dlclose(void *library)
{
    (void)library;
    return 0;
}

static void *of_libglusterfs(const char *name)
{
    /* The program may have loaded libgfapi by dlopen, and kept its names to itself. */
    void *library = dlopen("libglusterfs.so.0", RTLD_LAZY | RTLD_NOLOAD);
    void *found = library != NULL ? dlsym(library, name) : NULL;
    if (found == NULL)
        abort();
    return found;
}

static void start(void)
{
    this_location = (void **(*)(void))of_libglusterfs("__glusterfs_this_location");
    dispatch_destroy = (int (*)(void *))of_libglusterfs("gf_event_dispatch_destroy");
    *(void **)&thread_vcreate = of_libglusterfs("gf_thread_vcreate");
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&thread, NULL, fire, NULL) != 0)
        abort();
    pthread_detach(thread);
}

void *gf_timer_call_after(void *context, struct timespec delta, void (*call)(void *), void *data)
{
    pthread_once(&once, start);
    struct timer *timer = calloc(1, sizeof *timer);
    if (timer == NULL)
        return NULL;
    clock_gettime(CLOCK_MONOTONIC, &timer->due);
    timer->due.tv_sec += delta.tv_sec + (timer->due.tv_nsec + delta.tv_nsec) / 1000000000;
    timer->due.tv_nsec = (timer->due.tv_nsec + delta.tv_nsec) % 1000000000;
    timer->context = context;
    timer->call = call;
    timer->data = data;
    timer->translator = *this_location();
    pthread_mutex_lock(&lock);
    struct timer **place = &pending;
    while (*place != NULL && !earlier(&timer->due, &(*place)->due))
        place = &(*place)->next;
    timer->next = *place;
    *place = timer;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return timer;
}

/* 0: it will not fire any more. -1: it fires just now, or has. */
int32_t gf_timer_call_cancel(void *context, void *given)
{
    int32_t result = -1;
    (void)context;
    pthread_mutex_lock(&lock);
    for (struct timer **place = &pending; *place != NULL; place = &(*place)->next)
        if (*place == given) {
            *place = (*place)->next;
            free(given);
            result = 0;
            break;
        }
    pthread_mutex_unlock(&lock);
    return result;
}

/* The context is about to go: none of its timers may fire after this, nor be firing. */
void gf_timer_registry_destroy(void *context)
{
    pthread_once(&once, start);
    pthread_mutex_lock(&lock);
    struct timer **place = &pending;
    while (*place != NULL) {
        struct timer *timer = *place;
        if (timer->context == context) {
            *place = timer->next;
            free(timer);
        } else {
            place = &timer->next;
        }
    }
    while (firing != NULL && firing->context == context)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

/* ------------------------------------------------------------------------- threads that poll */

static void *poll_until_the_end(void *given)
{
    struct poller *poller = given;
    void *result = poller->function(poller->data);
    pthread_mutex_lock(&lock);
    struct poller **place = &pollers;
    while (*place != poller)
        place = &(*place)->next;
    *place = poller->next;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    free(poller);
    return result;
}

int gf_thread_create(pthread_t *created, const pthread_attr_t *attributes,
                     void *(*function)(void *), void *data, const char *name, ...)
{
    pthread_once(&once, start);
    if (strncmp(name, "epoll", 5) == 0) {
        struct poller *poller = malloc(sizeof *poller);
        if (poller == NULL)
            abort();
        *poller = (struct poller){.pool = *(void **)data, .function = function, .data = data};
        pthread_mutex_lock(&lock);
        poller->next = pollers;
        pollers = poller;
        pthread_mutex_unlock(&lock);
        function = poll_until_the_end;
        data = poller;
    }
    va_list words;
    va_start(words, name);
    int result = thread_vcreate(created, attributes, function, data, name, words);
    va_end(words);
    if (result != 0 && function == poll_until_the_end)
        abort();
    return result;
}

static bool polled(void *pool)
{
    for (struct poller *poller = pollers; poller != NULL; poller = poller->next)
        if (poller->pool == pool)
            return true;
    return false;
}

int gf_event_dispatch_destroy(void *pool)
{
    pthread_once(&once, start);
    destroying = true;
    int result = dispatch_destroy(pool);
    destroying = false;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 5;
    int late = 0;
    pthread_mutex_lock(&lock);
    while (late == 0 && polled(pool))
        late = pthread_cond_timedwait(&changed, &lock, &until);
    pthread_mutex_unlock(&lock);
    return result;
}

/* There it is asked for the time to which a second is added, to wait until then. */
void timespec_now_realtime(struct timespec *now)
{
    clock_gettime(CLOCK_REALTIME, now);
    if (destroying) {
        now->tv_sec -= 1;
        now->tv_nsec += 50000000;
        if (now->tv_nsec >= 1000000000) {
            now->tv_sec += 1;
            now->tv_nsec -= 1000000000;
        }
    }
}
