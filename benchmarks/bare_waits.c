/* What a process needs that only waits: bare_waits RATE SECONDS sleeps until each of RATE moments a second, by a
 * timerfd under epoll, and prints the share of a core that it used, and the lateness p50 and p99 in seconds. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>

#define NS 1000000000L

static long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS + t.tv_nsec;
}

static int by_size(const void *a, const void *b) {
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: bare_waits RATE SECONDS\n");
        return 2;
    }
    double rate = atof(argv[1]), seconds = atof(argv[2]);
    int waits = (int)(rate * seconds);
    long *late = malloc(sizeof *late * (size_t)waits), began = now();
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), poll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    if (late == NULL || waits < 1 || timer < 0 || poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, timer, &event)) {
        perror("bare_waits");
        return 1;
    }
    for (int i = 0; i < waits; i++) {
        long due = began + (long)((i + 1) * (NS / rate));
        struct itimerspec at = {.it_value = {due / NS, due % NS}};
        timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
        epoll_wait(poll, &event, 1, -1);
        late[i] = now() - due;
    }
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    qsort(late, (size_t)waits, sizeof *late, by_size);
    printf("[%f, %.9f, %.9f]\n", cpu / seconds, late[waits / 2] / 1e9, late[waits * 99 / 100] / 1e9);
    return 0;
}
