#include "base/threads.h"
#include "base/size.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A job is announced by a generation number. Workers spin on it for a while (decode steps follow each other within
 * microseconds) and then sleep. Whoever waits for a barrier or for the end of a job does the same: when other programs hold
 * the CPUs, spinning would keep the thread that is waited for from running. */
enum { SPIN_LIMIT = 8000 }; /* about 0.2 ms */

struct qz_pool {
    size_t n;
    pthread_t *threads; /* n - 1 workers; the caller is thread 0 */
    atomic_uint generation, running, sleepers;
    atomic_uint barrier_count, barrier_phase, barrier_sleepers, finish_sleepers;
    atomic_bool stop;
    qz_pool_fn fn;
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_uint next_id;
};

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Returns when *word no longer holds `seen`; the one who changes it calls wake_sleepers afterwards. */
static void wait_change(atomic_uint *word, unsigned seen, atomic_uint *sleepers) {
    for (int i = 0; i < SPIN_LIMIT; i++) {
        if (atomic_load_explicit(word, memory_order_acquire) != seen) return;
        relax();
    }
    atomic_fetch_add(sleepers, 1); /* before the kernel compares the word again: no change is missed */
    while (atomic_load(word) == seen) (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
    atomic_fetch_sub(sleepers, 1);
}
static void wake_sleepers(atomic_uint *word, atomic_uint *sleepers) {
    if (atomic_load(sleepers) != 0) (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1024, NULL, NULL, 0);
}

static unsigned wait_generation(qz_pool *p, unsigned seen) {
    for (int i = 0; i < SPIN_LIMIT; i++) {
        unsigned g = atomic_load_explicit(&p->generation, memory_order_acquire);
        if (g != seen) return g;
        relax();
    }
    (void)pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleepers, 1);
    unsigned g;
    while ((g = atomic_load(&p->generation)) == seen) (void)pthread_cond_wait(&p->wake, &p->lock);
    atomic_fetch_sub(&p->sleepers, 1);
    (void)pthread_mutex_unlock(&p->lock);
    return g;
}

static void *worker(void *arg) {
    qz_pool *p = arg;
    size_t id = atomic_fetch_add(&p->next_id, 1) + 1;
    unsigned seen = 0;
    for (;;) {
        seen = wait_generation(p, seen);
        if (atomic_load(&p->stop)) return NULL;
        p->fn(p->arg, id, p->n);
        if (atomic_fetch_sub(&p->running, 1) == 1) wake_sleepers(&p->running, &p->finish_sleepers);
    }
}

static size_t cpus_allowed(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? (size_t)n : 1;
}

qz_status qz_pool_open(qz_pool **out, size_t n, qz_error *err) {
    *out = NULL;
    if (n == 0) n = cpus_allowed();
    if (n > 1024) return qz_fail(err, QZ_EUSAGE, "threads: expected 1 to 1024, found %zu", n);
    qz_pool *p = qz_calloc_array(1, sizeof *p);
    if (p != NULL) p->threads = qz_calloc_array(n, sizeof *p->threads);
    if (p == NULL || p->threads == NULL) {
        qz_free(p);
        return qz_fail(err, QZ_EMEMORY, "out of memory for a pool of %zu threads", n);
    }
    p->n = 1;
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->wake, NULL);
    size_t want = n;
    for (size_t i = 0; i + 1 < want; i++) {
        if (pthread_create(&p->threads[i], NULL, worker, p) != 0) {
            qz_pool_free(p);
            return qz_fail(err, QZ_EMEMORY, "cannot start thread %zu of %zu; use fewer --threads", i + 2, want);
        }
        p->n++;
    }
    *out = p;
    return QZ_OK;
}

static void announce(qz_pool *p) {
    atomic_fetch_add(&p->generation, 1); /* sequentially consistent with the sleepers count */
    if (atomic_load(&p->sleepers) != 0) {
        (void)pthread_mutex_lock(&p->lock);
        (void)pthread_cond_broadcast(&p->wake);
        (void)pthread_mutex_unlock(&p->lock);
    }
}

void qz_pool_free(qz_pool *p) {
    if (p == NULL) return;
    atomic_store(&p->stop, true);
    announce(p);
    for (size_t i = 0; i + 1 < p->n; i++) (void)pthread_join(p->threads[i], NULL);
    (void)pthread_cond_destroy(&p->wake);
    (void)pthread_mutex_destroy(&p->lock);
    qz_free(p->threads);
    qz_free(p);
}

size_t qz_pool_size(const qz_pool *p) { return p == NULL ? 1 : p->n; }

void qz_pool_run(qz_pool *p, qz_pool_fn fn, void *arg) {
    if (p == NULL || p->n == 1) {
        fn(arg, 0, 1);
        return;
    }
    p->fn = fn;
    p->arg = arg;
    atomic_store_explicit(&p->running, (unsigned)(p->n - 1), memory_order_relaxed);
    announce(p);
    fn(arg, 0, p->n);
    for (unsigned left; (left = atomic_load_explicit(&p->running, memory_order_acquire)) != 0;) wait_change(&p->running, left, &p->finish_sleepers);
}

void qz_pool_barrier(qz_pool *p) {
    if (p == NULL || p->n == 1) return;
    unsigned phase = atomic_load(&p->barrier_phase);
    if (atomic_fetch_add(&p->barrier_count, 1) + 1 == p->n) {
        atomic_store(&p->barrier_count, 0);
        atomic_fetch_add(&p->barrier_phase, 1);
        wake_sleepers(&p->barrier_phase, &p->barrier_sleepers);
        return;
    }
    wait_change(&p->barrier_phase, phase, &p->barrier_sleepers);
}

void qz_split(size_t total, size_t grain, size_t i, size_t n, size_t *lo, size_t *hi) {
    size_t units = (total + grain - 1) / grain;
    size_t base = units / n, extra = units % n;
    size_t first = i * base + qz_min_size(i, extra), count = base + (i < extra);
    *lo = qz_min_size(first * grain, total);
    *hi = qz_min_size((first + count) * grain, total);
}
