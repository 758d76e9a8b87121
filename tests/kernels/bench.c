/* Timings of the harness: median of repeated calls, GFLOP/s of the exact product against OpenBLAS sgemm on the same number
 * of threads. Figures of one machine at one time; nothing here asserts. */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/io.h"
#include "base/size.h"
#include "check.h"

void openblas_set_num_threads(int n);

typedef void (*bench_fn)(void *arg);

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median seconds of a call: one warm-up, then at least 5 runs and a third of a second. */
static double time_call(bench_fn fn, void *arg) {
    double t[200], start = qz_now();
    size_t n = 0;
    fn(arg);
    while (n < 200 && (n < 5 || qz_now() - start < 0.5)) {
        double t0 = qz_now();
        fn(arg);
        t[n++] = qz_now() - t0;
    }
    qsort(t, n, sizeof *t, by_value);
    return t[n / 2];
}

typedef struct {
    qz_mm *mm;
    size_t m, n, k;
    float *a, *b, *c;
    qz_weights w;
    double *gram;
} product;

static void run_nt(void *arg) {
    product *p = arg;
    (void)qz_mm_gemm_nt(p->mm, p->m, p->n, p->k, p->a, p->k, p->b, p->k, p->c, p->n, false, NULL);
}
static void run_blas(void *arg) {
    product *p = arg;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)p->m, (int)p->n, (int)p->k, 1.0f, p->a, (int)p->k, p->b,
                (int)p->k, 0.0f, p->c, (int)p->n);
}
static void run_exact(void *arg) {
    product *p = arg;
    (void)qz_mm_exact(p->mm, &p->w, p->a, p->m, p->c, NULL);
}
static void run_gram(void *arg) {
    product *p = arg;
    (void)qz_mm_gram(p->mm, p->a, p->m, p->k, p->gram, NULL);
}

static void bench_product(qz_mm *mm, const char *level, size_t m, size_t n, size_t k) {
    product p = {.mm = mm, .m = m, .n = n, .k = k, .a = qz_alloc_aligned(m * k, 4), .b = qz_alloc_aligned(n * k, 4),
                 .c = qz_alloc_aligned(m * n, 4), .gram = qz_calloc_array(k * k, 8)};
    uint8_t *q = qz_alloc_aligned(n * k, 2);
    for (size_t i = 0; i < m * k; ++i) p.a[i] = (float)(i % 17) - 8;
    for (size_t i = 0; i < n * k; ++i) p.b[i] = (float)(i % 13) - 6;
    double work = 2e-9 * (double)m * (double)n * (double)k, blas = work / time_call(run_blas, &p);
    double ours = work / time_call(run_nt, &p);
    printf("exact   %-6s %5zu x %5zu x %5zu  %7.1f GFLOP/s  OpenBLAS %7.1f  share %3.0f %%\n", level, m, n, k, ours, blas,
           100 * ours / blas);
    static const qz_type types[] = {QZ_TYPE_F16, QZ_TYPE_BF16, QZ_TYPE_Q8_0, QZ_TYPE_Q4_K, QZ_TYPE_Q6_K};
    for (size_t t = 0; t < sizeof types / sizeof *types; ++t) {
        size_t rb = 0;
        if (qz_row_bytes(types[t], k, &rb, NULL) != QZ_OK) continue;
        qz_type_get(types[t])->encode(p.b, NULL, k, q);
        for (size_t r = 1; r < n; ++r) memcpy(q + r * rb, q, rb);
        p.w = (qz_weights){.type = types[t], .rows = n, .cols = k, .data = q};
        double s = work / time_call(run_exact, &p);
        printf("exact   %-6s %5zu x %5zu x %5zu  %7.1f GFLOP/s  from %s, share %3.0f %%\n", level, m, n, k, s,
               qz_type_get(types[t])->name, 100 * s / blas);
    }
    double g = 1e-9 * (double)m * (double)k * (double)(k + 1) / time_call(run_gram, &p);
    printf("gram    %-6s %5zu tokens %5zu cols     %7.1f GFLOP/s (upper triangle)\n", level, m, k, g);
    qz_free(p.a), qz_free(p.b), qz_free(p.c), qz_free(p.gram), qz_free(q);
}

void bench_all(const char *word) {
    static const size_t sizes[][3] = {{512, 1280, 512}, {512, 512, 1280}, {2048, 2048, 2048}, {64, 2048, 2048}};
    qz_run run;
    qz_error err = {0};
    qz_ops ops;
    if (qz_run_init(&run, 0, &err) != QZ_OK) exit(3);
    size_t threads = qz_pool_size(run.pool);
    openblas_set_num_threads((int)threads);
    printf("threads %zu, median of at least 5 runs\n", threads);
    for (int l = QZ_CPU_AVX2; l < QZ_CPU_LEVELS; ++l) {
        qz_mm *mm = NULL;
        if (!qz_ops_for((qz_cpu_level)l, &ops)) {
            printf("%-7s absent\n", qz_cpu_name((qz_cpu_level)l));
            continue;
        }
        run.cpu = (qz_cpu_level)l;
        if (qz_mm_open(&run, &mm, &err) != QZ_OK) exit(3);
        for (size_t i = 0; strstr("exact gram", word) && i < sizeof sizes / sizeof *sizes; ++i)
            bench_product(mm, qz_cpu_name((qz_cpu_level)l), sizes[i][0], sizes[i][1], sizes[i][2]);
        qz_mm_free(mm);
    }
    qz_run_release(&run);
}
