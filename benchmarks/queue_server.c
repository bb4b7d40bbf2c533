/* An HTTP target with constant service time that records when each request arrived and departed.
 *
 * It is the witness of `python -m benchmarks truth`: what a load generator printed is compared with this record.
 *
 *     queue_server SERVICE SERVERS LOG [AFTER FOR EVERY [ERRORS]]
 *
 * SERVICE is the service time of each request in seconds. SERVERS is "one" (a queue in front of a single server,
 * first come first served: M/D/1 under Poisson arrivals) or "many" (a server for each request, no queue). No work is
 * done for FOR seconds, beginning AFTER seconds after the first request, again EVERY seconds (0: once). ERRORS is the
 * share of requests answered at once with status 500.
 *
 * It prints its port, a line at the first request, and ends when standard input does; then it writes LOG, one line a
 * request: arrival, departure as it was due, departure as it was (0: never), status. Times are seconds of
 * CLOCK_MONOTONIC. An arrival is the moment at which the kernel reported the request, a departure the moment at which
 * its response was handed to the kernel.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS 65536
#define ROOM 4096 /* a request head must fit */
#define EVENTS 64

struct connection {
    unsigned generation; /* a descriptor is used again: an old response must not reach a new connection */
    int have;
    char *bytes;
};

struct request {
    double arrived, due, departed;
    unsigned generation;
    int fd, status;
};

static struct connection connections[CONNECTIONS];
static struct request *requests;
static size_t count, head, room;
static double service, pause_after, pause_for, pause_every, errors, first, previous;
static int one;

static const char OK[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
static const char FAILED[] = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno";

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Return when work that begins at a moment is done, given that none is done during a pause. */
static double done(double at, double work) {
    if (pause_for <= 0) return at + work;
    for (;;) {
        double begin = first + pause_after;
        if (at >= begin + pause_for) {
            if (pause_every <= 0) return at + work; /* the only pause is over */
            begin += floor((at - begin) / pause_every) * pause_every;
            if (at >= begin + pause_for) begin += pause_every;
        }
        if (at < begin) {
            if (at + work <= begin) return at + work;
            work -= begin - at;
        }
        if (begin + pause_for <= at) return at + work; /* rounding: this pause is over */
        at = begin + pause_for;
    }
}

static void respond(struct request *request, const char *response, size_t length, int status) {
    request->status = status;
    request->departed = now();
    if (connections[request->fd].generation != request->generation) return; /* the client has gone */
    if (write(request->fd, response, length) < 0) return; /* a small response fits, or the client has gone */
}

static void arrive(int fd, double at) {
    if (count == room) {
        room = room ? 2 * room : 1 << 16;
        requests = realloc(requests, room * sizeof *requests);
        if (!requests) exit(1);
    }
    if (!count) {
        first = at;
        printf("first\n");
        fflush(stdout);
    }
    struct request *request = &requests[count];
    *request = (struct request){.arrived = at, .due = at, .fd = fd, .generation = connections[fd].generation};
    double spread = fmod((double)count * 0.6180339887498949, 1.0); /* evenly, and without a period */
    count++;
    if (spread < errors) {
        respond(request, FAILED, sizeof FAILED - 1, 500);
        return;
    }
    request->due = previous = done(one && previous > at ? previous : at, service);
}

/* Answer what is due; return when the next departure is, or 0. */
static double depart(void) {
    while (head < count) {
        struct request *request = &requests[head];
        if (!request->status) {
            if (request->due > now()) return request->due;
            respond(request, OK, sizeof OK - 1, 200);
        }
        head++;
    }
    return 0;
}

static void hang_up(int fd) {
    connections[fd].generation++;
    connections[fd].have = 0;
    close(fd);
}

static void hear(int fd, double at) {
    struct connection *from = &connections[fd];
    ssize_t got = read(fd, from->bytes + from->have, (size_t)(ROOM - 1 - from->have));
    if (got <= 0) {
        if (got < 0 && errno == EAGAIN) return;
        hang_up(fd);
        return;
    }
    from->have += (int)got;
    from->bytes[from->have] = 0;
    char *end;
    while ((end = strstr(from->bytes, "\r\n\r\n"))) {
        arrive(fd, at);
        int rest = from->have - (int)(end + 4 - from->bytes);
        memmove(from->bytes, end + 4, (size_t)rest + 1);
        from->have = rest;
    }
    if (from->have == ROOM - 1) hang_up(fd);
}

static void take_in(int listener, int epoll) {
    int fd, yes = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= CONNECTIONS) {
            close(fd);
            continue;
        }
        if (!connections[fd].bytes && !(connections[fd].bytes = malloc(ROOM))) exit(1);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.fd = fd});
    }
}

static void write_log(const char *path) {
    FILE *log = fopen(path, "w");
    if (!log) exit(1);
    for (size_t i = 0; i < count; i++)
        fprintf(log, "%.6f %.6f %.6f %d\n", requests[i].arrived, requests[i].due, requests[i].departed, requests[i].status);
    if (fclose(log)) exit(1);
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    service = atof(argv[1]);
    one = !strcmp(argv[2], "one");
    if (argc > 6) pause_after = atof(argv[4]), pause_for = atof(argv[5]), pause_every = atof(argv[6]);
    if (argc > 7) errors = atof(argv[7]);

    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);
    /* a witness that waits for a core is none; without the right to it, the record says how late departures were */
    sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 30});

    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096)) return 1;
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);

    int epoll = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    const int watched[] = {listener, timer, STDIN_FILENO};
    for (int i = 0; i < 3; i++)
        epoll_ctl(epoll, EPOLL_CTL_ADD, watched[i], &(struct epoll_event){.events = EPOLLIN, .data.fd = watched[i]});
    double armed = 0;
    for (;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(epoll, events, EVENTS, -1);
        double at = now();
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            char byte[64];
            if (fd == listener) {
                take_in(listener, epoll);
            } else if (fd == timer) {
                uint64_t expired;
                if (read(timer, &expired, sizeof expired) > 0) armed = 0;
            } else if (fd == STDIN_FILENO) {
                if (read(fd, byte, sizeof byte) > 0) continue;
                write_log(argv[3]);
                return 0;
            } else {
                hear(fd, at);
            }
        }
        double next = depart();
        if (next > 0 && next != armed) {
            struct itimerspec when = {.it_value = {(time_t)next, (long)((next - floor(next)) * 1e9) + 1}};
            timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
            armed = next;
        }
    }
}
