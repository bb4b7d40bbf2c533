/* Begins and ends the counting of instructions from within a process that runs under valgrind's callgrind. */
#include <valgrind/callgrind.h>

void begin_counting(void) {
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
}

/* Writes what was counted to a file of callgrind's, with `name` as its trigger, and counts from zero the next time. */
void end_counting(const char *name) {
    CALLGRIND_DUMP_STATS_AT(name);
    CALLGRIND_STOP_INSTRUMENTATION;
}
