/* Every part of every job runs exactly once, whoever is awake: counted over many jobs of changing size, on more threads
 * than there are CPUs (so that threads do lose theirs), with parts that sleep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <unistd.h>
#include "base/threads.h"

enum { MOST = 300, THREADS = 5 };
typedef struct {
    atomic_uint ran[MOST], inside[THREADS];
    size_t parts;
    int sleeper; /* part that sleeps, or -1 */
    bool wrong;
} job;

static void count(void *arg, qz_part part) {
    job *j = arg;
    if (part.n != j->parts || part.i >= part.n || part.thread >= THREADS) j->wrong = true;
    /* scratch memory of a thread has one user */
    if (atomic_fetch_add(&j->inside[part.thread], 1) != 0) j->wrong = true;
    if ((int)part.i == j->sleeper) (void)usleep(300);
    atomic_fetch_add(&j->ran[part.i], 1);
    atomic_fetch_sub(&j->inside[part.thread], 1);
}

static void every_part_once(void **state) {
    (void)state;
    qz_error err = {0};
    for (size_t threads = 1; threads <= THREADS; threads++) {
        qz_pool *p;
        assert_int_equal(qz_pool_open(&p, threads, &err), QZ_OK);
        assert_int_equal(qz_pool_size(p), threads);
        for (size_t k = 0; k < 3000; k++) {
            job j = {.parts = 1 + k * 7 % (MOST - 1), .sleeper = k % 100 == 0 ? (int)(k % 10) : -1};
            qz_pool_run(p, j.parts, count, &j);
            for (size_t i = 0; i < MOST; i++)
                if (atomic_load(&j.ran[i]) != (i < j.parts))
                    fail_msg("%zu threads, job %zu: part %zu of %zu ran %u times", threads, k, i, j.parts,
                             atomic_load(&j.ran[i]));
            assert_false(j.wrong);
        }
        qz_pool_free(p);
    }
}

typedef struct { atomic_uint sum, parts; } total;
static void add_part(void *arg, qz_part part) {
    total *t = arg;
    size_t lo, hi;
    qz_split(1001, 8, part, &lo, &hi);
    assert_true(lo <= hi && hi <= 1001 && (hi == 1001 || hi % 8 == 0));
    atomic_fetch_add(&t->sum, (unsigned)(hi - lo));
    atomic_fetch_add(&t->parts, 1);
}
static void default_parts_cover_all(void **state) {
    (void)state;
    qz_error err = {0};
    qz_pool *p;
    total t = {0}, alone = {0};
    assert_int_equal(qz_pool_open(&p, 2, &err), QZ_OK);
    qz_pool_run(p, 0, add_part, &t);
    qz_pool_run(NULL, 0, add_part, &alone);
    assert_int_equal(atomic_load(&t.sum), 1001);
    assert_true(atomic_load(&t.parts) > 2); /* finer than threads: work can be taken over */
    assert_int_equal(atomic_load(&alone.sum), 1001);
    assert_int_equal(atomic_load(&alone.parts), 1);
    qz_pool_free(p);
    assert_int_equal(qz_pool_open(&p, 1025, &err), QZ_EUSAGE);
    assert_true(qz_cpus() >= 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_part_once), cmocka_unit_test(default_parts_cover_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
