#include "http/loop.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"

/* jansson and libjwt recurse and use the stack for what clients send. */
#define STACK_BYTES (8u << 20)
#define NO_SOCKET (-1)
/* The library always has something to do, and gets nowhere, while a connection has sent more than
 * there is room for (the first line of a chunk, say, that does not end; it will be cut off, see
 * http/connections.h), and while a client waits for whom there is no file. So after as many turns
 * in which no request got on there are pauses, in which nothing but what comes back from other
 * threads is looked at. A head that fills all of its memory takes 64 turns, as its buffer grows by
 * 128 bytes. */
#define TURNS_FOR_NOTHING 64
#define TURNS_BETWEEN_PAUSES 8
#define PAUSE_MS 10
/* The library may have something to do of which it says nothing: it listens again when it has
 * turned away clients for whom there were no files, but only in its next turn. */
#define LOOK_AGAIN_MS 1000

struct loop {
    void *context;
    struct MHD_Daemon *daemon;
    int wake_fd;
    bool running; /* there is a thread to join */
    pthread_t thread;
    int n_turns_for_nothing;
    atomic_bool stopping;
    atomic_int to_shut; /* a listening socket, or NO_SOCKET */
    _Atomic(struct loop_return *) returned;
};

/* ---- other threads ---- */

static void wake(struct loop *loop)
{
    const uint64_t one = 1;

    while (write(loop->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

/* Who finds the list empty wakes the thread; it takes all that is there by then. */
void loop_resume(struct loop *loop, struct loop_return *lends)
{
    struct loop_return *first = atomic_load(&loop->returned);

    do
        lends->next = first;
    while (!atomic_compare_exchange_weak(&loop->returned, &first, lends));
    if (!first)
        wake(loop);
}

void loop_stop_accepting(struct loop *loop, int listening)
{
    atomic_store(&loop->to_shut, listening);
    wake(loop);
}

/* ---- the thread ---- */

static void be_awake(struct loop *loop)
{
    uint64_t times;

    while (read(loop->wake_fd, &times, sizeof(times)) < 0 && errno == EINTR)
        ;
}

static void resume_returned(struct loop *loop)
{
    struct loop_return *next;

    for (struct loop_return *r = atomic_exchange(&loop->returned, NULL); r; r = next) {
        next = r->next;
        MHD_resume_connection(r->connection);
    }
}

static void shut_where_told(struct loop *loop)
{
    int listening = atomic_exchange(&loop->to_shut, NO_SOCKET);

    if (listening == NO_SOCKET)
        return;
    MHD_quiesce_daemon(loop->daemon);
    /* Else the kernel would go on taking clients whom nobody serves any more. */
    shutdown(listening, SHUT_RDWR);
}

void loop_goes_on(struct loop *loop)
{
    loop->n_turns_for_nothing = 0;
}

/* Milliseconds until the daemon has something to do by itself. */
static int patience_ms(struct loop *loop)
{
    MHD_UNSIGNED_LONG_LONG ms;

    if (MHD_get_timeout(loop->daemon, &ms) != MHD_YES || ms > LOOK_AGAIN_MS)
        return LOOK_AGAIN_MS;
    return (int)ms;
}

enum { WAKE, LIBRARY, FDS };

static void wait_for_work(struct loop *loop, struct pollfd fds[FDS])
{
    bool gets_nowhere = loop->n_turns_for_nothing >= TURNS_FOR_NOTHING;
    int patience = gets_nowhere ? PAUSE_MS : patience_ms(loop);
    int n_ready = poll(fds, gets_nowhere ? LIBRARY : FDS, patience);

    if (n_ready > 0 && fds[WAKE].revents)
        be_awake(loop);
    if (gets_nowhere)
        loop->n_turns_for_nothing -= TURNS_BETWEEN_PAUSES;
    else if (n_ready == 0 && patience > 0)
        loop_goes_on(loop);
    else
        loop->n_turns_for_nothing++;
}

static void *run(void *context)
{
    struct loop *loop = context;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct pollfd fds[FDS] = {
        [WAKE] = {.fd = loop->wake_fd, .events = POLLIN},
        [LIBRARY] = {.fd = info->epoll_fd, .events = POLLIN},
    };

    while (!atomic_load(&loop->stopping)) {
        wait_for_work(loop, fds);
        shut_where_told(loop);
        resume_returned(loop);
        MHD_run(loop->daemon);
    }
    return NULL;
}

/* ---- life ---- */

struct loop *loop_new(void *context)
{
    struct loop *loop = mem_alloc(sizeof(*loop));

    loop->context = context;
    atomic_init(&loop->to_shut, NO_SOCKET);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd >= 0)
        return loop;
    free(loop);
    return NULL;
}

void *loop_context(const struct loop *loop)
{
    return loop->context;
}

int loop_start(struct loop *loop, struct MHD_Daemon *takes)
{
    pthread_attr_t attributes;

    loop->daemon = takes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    errno = pthread_create(&loop->thread, &attributes, run, loop);
    pthread_attr_destroy(&attributes);
    loop->running = errno == 0;
    return loop->running ? 0 : -1;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    if (loop->running) {
        atomic_store(&loop->stopping, true);
        wake(loop);
        pthread_join(loop->thread, NULL);
    }
    if (loop->daemon) {
        resume_returned(loop);
        MHD_quiesce_daemon(loop->daemon); /* else it would close the socket, which is not its own */
        MHD_stop_daemon(loop->daemon);
    }
    close(loop->wake_fd);
    free(loop);
}
