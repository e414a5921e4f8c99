/* A clock that several processes share, and that can jump: LD_PRELOAD of the year on real Kafka.

   SLEEPING_CLOCK names a file with two numbers of nanoseconds: how far the virtual epoch is from the
   real one, and how long the machine has slept. Wall time is real time plus both; CLOCK_BOOTTIME,
   which counts sleep, is real plus the second; CLOCK_MONOTONIC is real, as on a machine that slept.
   Waits until a moment of the wall clock become waits until that moment of the real clock. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
#define EARLIEST_WALL 300000000 /* seconds: no machine is up for nine years */

static const int64_t none[2];
static const volatile int64_t *shared = none;
static int (*kernel_time)(clockid_t, struct timespec *);

__attribute__((constructor)) static void map_clock(void) {
    const char *path = getenv("SLEEPING_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *place = file < 0 ? MAP_FAILED : mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, file, 0);
    if (place != MAP_FAILED) shared = place;
    if (file >= 0) close(file);
    kernel_time = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
}

static struct timespec moved(struct timespec at, int64_t by) {
    int64_t sum = at.tv_sec * SECOND + at.tv_nsec + by;
    return (struct timespec){sum / SECOND, sum % SECOND};
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    int failed = kernel_time ? kernel_time(clock, at) : (int)syscall(SYS_clock_gettime, clock, at);
    if (failed) return failed;
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) *at = moved(*at, shared[0] + shared[1]);
    else if (clock == CLOCK_BOOTTIME) *at = moved(*at, shared[1]);
    return 0;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *at = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *at, int base) {
    clock_gettime(CLOCK_REALTIME, at);
    return base;
}

static struct timespec real(const struct timespec *until) {
    return until->tv_sec < EARLIEST_WALL ? *until : moved(*until, -(shared[0] + shared[1]));
}

#define WAIT(name, version, declared, passed)                                                      \
    int name declared {                                                                            \
        static int(*next) declared;                                                                \
        struct timespec real_until = real(until);                                                  \
        if (!next) next = (int(*) declared)dlvsym(RTLD_NEXT, #name, version);                      \
        if (!next) next = (int(*) declared)dlsym(RTLD_NEXT, #name);                                \
        return next passed;                                                                        \
    }

WAIT(pthread_cond_timedwait, "GLIBC_2.3.2",
     (pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex, const struct timespec *restrict until),
     (cond, mutex, &real_until))
WAIT(pthread_cond_clockwait, "GLIBC_2.30",
     (pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until),
     (cond, mutex, clock, &real_until))
WAIT(cnd_timedwait, "GLIBC_2.28",
     (cnd_t *restrict cond, mtx_t *restrict mutex, const struct timespec *restrict until),
     (cond, mutex, &real_until))
WAIT(pthread_mutex_timedlock, "GLIBC_2.2.5",
     (pthread_mutex_t *restrict mutex, const struct timespec *restrict until), (mutex, &real_until))
WAIT(sem_timedwait, "GLIBC_2.2.5",
     (sem_t *restrict semaphore, const struct timespec *restrict until), (semaphore, &real_until))
WAIT(sem_clockwait, "GLIBC_2.30",
     (sem_t *restrict semaphore, clockid_t clock, const struct timespec *restrict until),
     (semaphore, clock, &real_until))
