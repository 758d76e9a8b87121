#include "base/threads.h"
#include "base/size.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A thread's share of the parts is one word, end << 32 | next. Taking is one fetch-add on it: whoever gets next < end
 * owns that part, and the job cannot end before the part is finished, so the taker may read the job's fields
 * afterwards; a thread that comes late finds next >= end, or parts of a newer job, which it may run as well. Nobody has
 * to answer a job.
 *
 * On a busy machine the caller waits now and then for a part whose thread has lost its CPU (a time slice, milliseconds,
 * where a decode step takes microseconds). After such a stall the caller works alone for PENALTY times as long, twice
 * that if the next try stalls again; jobs that take longer than LATE still call the others: what they bring then
 * outweighs a stall. A worker on the caller's own CPU would take turns with it where another CPU may be idle, and the
 * kernel wakes it there again and again (seen: 40 % of the speed, 7,000 switches a second): it moves away. Tried
 * without gain: workers that yield before their time slice ends. */
enum {
    SPIN_LIMIT = 8000,       /* about 0.2 ms */
    PARTS = 4,               /* a thread, by default */
    LOOK = 8,                /* parts between two looks at the clock where they are short */
    MOST_PARTS = 1 << 30
};
/* seconds, but for PENALTY */
static const double STALL = 150e-6, PENALTY = 20, LONGEST = 0.25, CALM = 0.1, LATE = 8e-3;

typedef struct {
    _Alignas(64) _Atomic uint64_t range;
} share;

struct qz_pool {
    size_t n;
    pthread_t *threads; /* n - 1 workers; the caller is thread 0 */
    share *shares;      /* [n] */
    qz_pool_fn fn;
    void *arg;
    size_t parts, jobs;
    double tick, alone_until, penalty; /* seconds of a tick; the caller's */
    _Alignas(64) atomic_uint generation;     /* grows when workers are called */
    atomic_uint sleepers;
    atomic_bool stop;
    atomic_int caller_cpu;
    _Alignas(64) atomic_uint left;           /* parts that are not finished */
    atomic_uint caller_sleeps;
    atomic_uint next_id;
};

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}
static double clock_now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
/* Two looks a job must not cost what a job of decoding gains: a time-stamp counter is read in a third of the time. */
static uint64_t ticks(void) {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return (uint64_t)(1e9 * clock_now());
#endif
}
static double tick_seconds(void) {
    double t0 = clock_now(), t1;
    uint64_t c0 = ticks(), c1;
    do {
        t1 = clock_now();
        c1 = ticks();
    } while (t1 - t0 < 50e-6);
    return (t1 - t0) / (double)(c1 - c0);
}
static double now(const qz_pool *p) { return p->tick * (double)ticks(); }

/* To another CPU that this thread may use, at once; where it may go afterwards is the kernel's choice again. False:
 * there is none. */
static bool move_off(int cpu) {
    cpu_set_t all, others;
    if (sched_getaffinity(0, sizeof all, &all) != 0) return false;
    others = all;
    CPU_CLR((size_t)cpu, &others);
    if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof others, &others) != 0) return false;
    (void)sched_setaffinity(0, sizeof all, &all);
    return true;
}
static bool on_cpu(const atomic_int *cpu, int *found) {
    return (*found = sched_getcpu()) == atomic_load_explicit(cpu, memory_order_relaxed);
}

/* Returns the word when it no longer holds `seen`; the one who changes it calls wake afterwards. `cpu`:
 * where not to spin. */
static unsigned wait_change(atomic_uint *word, unsigned seen, atomic_uint *sleepers, const atomic_int *cpu) {
    unsigned v;
    int here;
    for (int i = 0; i < SPIN_LIMIT; i++) {
        if ((v = atomic_load_explicit(word, memory_order_acquire)) != seen) return v;
        if (cpu && i % 64 == 63 && on_cpu(cpu, &here) && !move_off(here)) break;
        relax();
    }
    atomic_fetch_add(sleepers, 1); /* before the kernel compares the word again: no change is missed */
    while ((v = atomic_load(word)) == seen) (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
    atomic_fetch_sub(sleepers, 1);
    if (cpu && on_cpu(cpu, &here)) (void)move_off(here);
    return v;
}
static void wake(atomic_uint *word, atomic_uint *sleepers, int most) {
    if (atomic_load(sleepers) != 0) (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, most, NULL, NULL, 0);
}

static bool take(share *s, size_t *part) {
    uint64_t peek = atomic_load_explicit(&s->range, memory_order_relaxed);
    if ((uint32_t)peek >= peek >> 32) return false;
    uint64_t r = atomic_fetch_add_explicit(&s->range, 1, memory_order_acq_rel);
    *part = (uint32_t)r;
    return *part < r >> 32;
}
/* The next part for a thread: its own, else of the next one that has any. */
static bool take_any(qz_pool *p, size_t thread, size_t *part) {
    for (size_t k = 0; k < p->n; k++)
        if (take(&p->shares[(thread + k) % p->n], part)) return true;
    return false;
}

static void call_workers(qz_pool *p) {
    atomic_fetch_add(&p->generation, 1); /* sequentially consistent with the sleepers count */
    wake(&p->generation, &p->sleepers, (int)p->n);
}

static void *worker(void *arg) {
    qz_pool *p = arg;
    size_t id = atomic_fetch_add(&p->next_id, 1) + 1, part;
    unsigned seen = 0;
    for (;;) {
        seen = wait_change(&p->generation, seen, &p->sleepers, &p->caller_cpu);
        if (atomic_load(&p->stop)) return NULL;
        unsigned done = 0;
        while (take_any(p, id, &part)) {
            p->fn(p->arg, (qz_part){part, p->parts, id});
            done++; /* all of one job: it cannot end, nor a newer one begin, before they are told */
        }
        if (done && atomic_fetch_sub_explicit(&p->left, done, memory_order_acq_rel) == done)
            wake(&p->left, &p->caller_sleeps, 1);
    }
}

/* CPUs of the cgroup's quota, rounded up; 0: none. */
static size_t quota(void) {
    double limit = 0, period = 0;
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (f != NULL) {
        if (fscanf(f, "%lf %lf", &limit, &period) != 2) limit = 0; /* "max" */
        (void)fclose(f);
    } else {
        const char *names[] = {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"};
        double *to[] = {&limit, &period};
        for (int i = 0; i < 2; i++) {
            f = fopen(names[i], "re");
            if (f == NULL || fscanf(f, "%lf", to[i]) != 1) limit = 0;
            if (f != NULL) (void)fclose(f);
        }
    }
    if (!(limit > 0) || !(period > 0) || limit / period > 65536) return 0;
    size_t n = (size_t)(limit / period);
    return (double)n * period < limit ? n + 1 : qz_max_size(n, 1);
}
size_t qz_cpus(void) {
    cpu_set_t set;
    size_t n = sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0 ? (size_t)CPU_COUNT(&set) : 1,
    q = quota();
    return q > 0 ? qz_min_size(n, q) : n;
}

qz_status qz_pool_open(qz_pool **out, size_t n, qz_error *err) {
    *out = NULL;
    if (n == 0) n = qz_min_size(qz_cpus(), 1024);
    if (n > 1024) return qz_fail(err, QZ_EUSAGE, "threads: expected 1 to 1024, found %zu", n);
    qz_pool *p = qz_alloc_aligned(1, sizeof *p);
    if (p != NULL)
        *p = (qz_pool){.n = 1,
                       .tick = tick_seconds(),
                       .threads = qz_calloc_array(n, sizeof *p->threads),
                       .shares = qz_alloc_aligned(n, sizeof *p->shares)};
    if (p == NULL || p->threads == NULL || p->shares == NULL) {
        qz_pool_free(p);
        return qz_fail(err, QZ_EMEMORY, "out of memory for a pool of %zu threads", n);
    }
    for (size_t i = 0; i < n; i++) atomic_init(&p->shares[i].range, 0);
    p->n = n; /* what workers read: set before the first starts */
    for (size_t i = 0; i + 1 < n; i++) {
        if (pthread_create(&p->threads[i], NULL, worker, p) != 0) {
            atomic_store(&p->stop, true);
            call_workers(p);
            for (size_t k = 0; k < i; k++) (void)pthread_join(p->threads[k], NULL);
            p->n = 1;
            qz_pool_free(p);
            return qz_fail(err, QZ_EMEMORY, "cannot start thread %zu of %zu; use fewer --threads", i + 2, n);
        }
    }
    *out = p;
    return QZ_OK;
}

void qz_pool_free(qz_pool *p) {
    if (p == NULL) return;
    if (p->n > 1) {
        atomic_store(&p->stop, true);
        call_workers(p);
        for (size_t i = 0; i + 1 < p->n; i++) (void)pthread_join(p->threads[i], NULL);
    }
    qz_free(p->shares);
    qz_free(p->threads);
    qz_free(p);
}

/* Of the caller: seconds and parts; the longest stretch between two looks at the clock. */
typedef struct { double start, end, longest; size_t ran, longest_ran; } own_work;

size_t qz_pool_size(const qz_pool *p) { return p == NULL ? 1 : p->n; }

/* The caller's own work. Workers that were not called are, once the job has turned out to be long. */
static void drain(qz_pool *p, bool called, own_work *w) {
    double t = w->start;
    size_t look = LOOK, seen = 0;
    for (size_t part; take_any(p, 0, &part);) {
        p->fn(p->arg, (qz_part){part, p->parts, 0});
        if (++w->ran - seen < look) continue;
        double end = now(p);
        /* first parts may prepare what the others use */
        if (seen != 0 && end - t > w->longest) w->longest = end - t, w->longest_ran = w->ran - seen;
        look = end - t < 0.25 * STALL ? LOOK : 1;
        seen = w->ran;
        t = end;
        if (!called && end - w->start > LATE) {
            call_workers(p);
            called = true;
        }
    }
    w->end = now(p);
}

/* Was somebody off its CPU: the thread whose part the caller waited for until `end`, or the caller itself in its
 * longest stretch? */
static void judge(qz_pool *p, const own_work *w, double end) {
    if (w->ran == 0) return;
    double waited = end - w->end, part = (w->end - w->start) / (double)w->ran, lost = 0;
    if (w->ran > 2 * w->longest_ran) {
        part = (w->end - w->start - w->longest) / (double)(w->ran - w->longest_ran);
        lost = w->longest - part * (double)w->longest_ran;
    }
    waited = lost > waited ? lost : waited;
    if (waited < STALL + 4 * part) return;
    double again = end - p->alone_until < CALM ? 2 * p->penalty : 0;
    p->penalty = PENALTY * waited > again ? PENALTY * waited : again;
    if (p->penalty > LONGEST) p->penalty = LONGEST;
    p->alone_until = end + p->penalty;
}

void qz_pool_run(qz_pool *p, size_t parts, qz_pool_fn fn, void *arg) {
    const size_t n = qz_pool_size(p);
    if (parts == 0) parts = n == 1 ? 1 : PARTS * n;
    if (n == 1 || parts == 1 || parts > MOST_PARTS) {
        for (size_t i = 0; i < parts; i++) fn(arg, (qz_part){i, parts, 0});
        return;
    }
    p->fn = fn;
    p->arg = arg;
    p->parts = parts;
    atomic_store_explicit(&p->left, (unsigned)parts, memory_order_relaxed);
    for (size_t t = 0; t < n; t++) {
        size_t lo, hi;
        qz_split(parts, 1, (qz_part){t, n, t}, &lo, &hi);
        atomic_store_explicit(&p->shares[t].range, (uint64_t)hi << 32 | lo, memory_order_release);
    }
    own_work w = {.start = now(p)};
    const bool call = w.start >= p->alone_until;
    if (p->jobs++ % 16 == 0) atomic_store_explicit(&p->caller_cpu, sched_getcpu(), memory_order_relaxed);
    if (call) call_workers(p);
    drain(p, call, &w);
    unsigned left = atomic_fetch_sub_explicit(&p->left, (unsigned)w.ran, memory_order_acq_rel) - (unsigned)w.ran;
    double end = w.end;
    for (; left != 0; end = now(p)) left = wait_change(&p->left, left, &p->caller_sleeps, NULL);
    if (call) judge(p, &w, end);
}

void qz_split(size_t total, size_t grain, qz_part part, size_t *lo, size_t *hi) {
    size_t units = (total + grain - 1) / grain;
    size_t base = units / part.n, extra = units % part.n;
    size_t first = part.i * base + qz_min_size(part.i, extra), count = base + (part.i < extra);
    *lo = qz_min_size(first * grain, total);
    *hi = qz_min_size((first + count) * grain, total);
}
