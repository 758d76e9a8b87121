/* Timings of the harness: median of repeated calls, GFLOP/s of the exact product against OpenBLAS sgemm on the same
 * number of threads. Figures of one machine at one time; nothing here asserts. */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "codecs/int_group.h"
#include "codecs/scaled_float.h"
#include "base/io.h"
#include "base/size.h"
#include "check.h"
#include "codecs/types.h"
#include "kernels/encode.h"

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
    (void)qz_mm_gemm_nt(p->mm, &(qz_product){p->m, p->n, p->k, p->a, p->k, p->b, p->k, p->c, p->n}, false, NULL);
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
    printf("exact   %-6s %5zu x %5zu x %5zu  %7.1f GFLOP/s  OpenBLAS %7.1f  share %3.0f %%\n", level, m, n, k, ours,
           blas, 100 * ours / blas);
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

/* ---- runtime products: one decoder block of the shape of TinyLlama 1.1B (44.04 M weights), n tokens ---- */
enum { HIDDEN = 2048, INNER = 5632, KV = 256, LINEARS = 7, COPIES = 8 };
static const size_t shape[LINEARS][2] = {{HIDDEN, HIDDEN}, {KV, HIDDEN}, {KV, HIDDEN}, {HIDDEN, HIDDEN},
                                         {INNER, HIDDEN},
                                         {INNER, HIDDEN}, {HIDDEN, INNER}};
typedef struct {
    qz_mm *mm;
    qz_packed *p[COPIES][LINEARS]; /* several blocks, so that decoding reads memory and not the cache */
    void *data[LINEARS];
    qz_int_group g[LINEARS];
    qz_scaled_float f[LINEARS];
    qz_arena arena;
    float *x, *y[LINEARS];
    size_t n, copies;
} block;

static void run_block(void *arg) {
    block *b = arg;
    for (size_t c = 0; c < b->copies; ++c) {
        const qz_packed *const *p = (const qz_packed *const *)b->p[c];
        (void)qz_mm_packed(b->mm, p, 3, b->x, b->n, b->y, NULL);
        (void)qz_mm_packed(b->mm, p + 3, 1, b->x, b->n, b->y + 3, NULL);
        (void)qz_mm_packed(b->mm, p + 4, 2, b->x, b->n, b->y + 4, NULL);
        (void)qz_mm_packed(b->mm, p + 6, 1, b->x, b->n, b->y + 6, NULL);
    }
}

/* Small floats of random weights. */
typedef struct { const char *name; qz_float_rounding how; } float_kind;
static const float_kind floats[] = {
    {"fp8 rows", {.rule = QZ_ROUND_CT, .block_rows = 1, .element = QZ_E4M3FN, .stored = QZ_SCALE_F32}},
    {"fp8 128x128", {.rule = QZ_ROUND_FINE, .block_rows = 128, .block_cols = 128, .element = QZ_E4M3FN,
                     .stored = QZ_SCALE_F32}},
    {"mxfp8", {.rule = QZ_ROUND_CT, .block_rows = 1, .block_cols = 32, .element = QZ_E4M3FN, .stored = QZ_SCALE_E8M0}},
    {"mxfp6", {.rule = QZ_ROUND_CT, .block_rows = 1, .block_cols = 32, .element = QZ_E2M3, .stored = QZ_SCALE_E8M0}},
    {"mxfp4", {.rule = QZ_ROUND_CT, .block_rows = 1, .block_cols = 32, .element = QZ_E2M1, .stored = QZ_SCALE_E8M0}},
    {"nvfp4", {.rule = QZ_ROUND_CT, .block_rows = 1, .block_cols = 16, .element = QZ_E2M1, .stored = QZ_SCALE_E4M3}},
};
static double float_open(block *b, const float_kind *kind) {
    qz_rng rng;
    float *v = qz_alloc_array((size_t)INNER * HIDDEN, 4);
    double bytes = 0;
    qz_rng_seed(&rng, 1);
    for (size_t i = 0; i < (size_t)INNER * HIDDEN; ++i) v[i] = 0.02f * qz_rng_normal(&rng);
    for (size_t i = 0; i < LINEARS; ++i) {
        qz_float_rounding how = kind->how;
        how.dtype = QZ_TYPE_F32;
        if (!how.block_cols) how.block_cols = shape[i][1];
        b->f[i] = (qz_scaled_float){.base = {.rows = shape[i][0], .cols = shape[i][1]}};
        if (qz_scaled_float_round(NULL, &how, v, &b->f[i], &b->arena, NULL) != QZ_OK) exit(3);
        const qz_weights w = {.type = QZ_TYPE_CODED, .rows = shape[i][0], .cols = shape[i][1], .coded = &b->f[i].base};
        for (size_t c = 0; c < COPIES; ++c)
            if (qz_packed_open(b->mm, &w, &b->p[c][i], NULL) != QZ_OK) exit(3);
        bytes += (double)(w.rows * w.cols) * b->f[i].base.ops->layout(&b->f[i].base).bits / 8;
    }
    qz_free(v);
    return bytes;
}

/* A type; or integers of some bits, in groups of 128 or (rows) with a bfloat16 scale a row; or small floats. */
typedef struct { qz_type type; uint32_t bits; bool rows; const float_kind *floats; } weights;

/* Weights are one encoded row repeated: speed does not depend on values. */
static double block_open(block *b, const weights *what) {
    const qz_type type = what->type;
    const uint32_t bits = what->bits;
    double bytes = 0;
    float *v = qz_alloc_array(INNER, 4);
    for (size_t i = 0; i < INNER; ++i) v[i] = (float)(i * 7 % 31) * 0.01f - 0.15f;
    for (size_t i = 0; i < LINEARS; ++i) {
        size_t rows = shape[i][0], cols = shape[i][1], rb = cols * bits / 8;
        if (!bits) (void)qz_row_bytes(type, cols, &rb, NULL);
        uint8_t *d = b->data[i] = qz_calloc_array(rows, rb);
        if (!bits) qz_type_get(type)->encode(v, NULL, cols, d);
        for (size_t r = 1; r < rows; ++r) memcpy(d + r * rb, d, rb);
        if (bits) {
            size_t group = what->rows ? cols : 128, groups = cols / group;
            uint16_t *s = qz_calloc_array(rows * groups, 2);
            for (size_t k = 0; k < rows * groups; ++k) s[k] = what->rows ? 0x3a03 : 0x2000;
            b->g[i] = (qz_int_group){.base = {&qz_int_group_ops, rows, cols}, .bits = bits,
                                     .group_size = (uint32_t)group,
                                     .scale_type = what->rows ? QZ_SCALE_BF16 : QZ_SCALE_F16,
                                     .rows = rows, .cols = cols, .groups = groups, .codes = d,
                                     .scales = s, .zero_points = qz_calloc_array(rows * groups, 1)};
        }
        qz_weights w = {.type = bits ? QZ_TYPE_CODED : type, .rows = rows, .cols = cols, .data = d,
                        .coded = bits ? &b->g[i].base : NULL};
        for (size_t c = 0; c < COPIES; ++c)
            if (qz_packed_open(b->mm, &w, &b->p[c][i], NULL) != QZ_OK) exit(3);
        bytes += (double)(rows * rb);
    }
    qz_free(v);
    return bytes;
}
static void block_close(block *b) {
    for (size_t i = 0; i < LINEARS; ++i) {
        for (size_t c = 0; c < COPIES; ++c) qz_packed_free(b->p[c][i]);
        qz_free((void *)(uintptr_t)b->g[i].scales), qz_free((void *)(uintptr_t)b->g[i].zero_points);
        qz_free(b->data[i]), qz_free(b->y[i]);
    }
    qz_free(b->x);
    qz_arena_release(&b->arena);
}

static void bench_block(qz_mm *mm, const weights *what) {
    static const size_t tokens[] = {1, 2, 4, 8, 16, 64, 512};
    block b = {.mm = mm};
    double bytes = what->floats ? float_open(&b, what->floats) : block_open(&b, what), values = 0;
    b.x = qz_alloc_aligned(512 * (size_t)INNER, 4);
    for (size_t i = 0; i < 512 * (size_t)INNER; ++i) b.x[i] = (float)(i % 23) * 0.1f - 1;
    for (size_t i = 0; i < LINEARS; ++i) b.y[i] = qz_alloc_aligned(512 * shape[i][0], 4);
    for (size_t i = 0; i < LINEARS; ++i) values += (double)(shape[i][0] * shape[i][1]);
    printf("packed  %-12s %-18s", what->floats ? what->floats->name : what->rows ? "rows" : "",
           qz_packed_kernel(b.p[0][0]));
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; ++i) {
        b.n = tokens[i];
        b.copies = b.n < 16 ? COPIES : 1;
        double s = time_call(run_block, &b) / (double)b.copies;
        if (b.n == 1) printf("  n=1 %6.1f GB/s %6.1f us", bytes / s * 1e-9, s * 1e6);
        else printf("  n=%zu %.0f", b.n, 2e-9 * values * (double)b.n / s);
    }
    printf(" GFLOP/s\n");
    block_close(&b);
}

/* ---- encoders: rows of 4096 on all threads ---- */
typedef struct { qz_run *run; qz_type type; float *x, *importance; uint8_t *out; } encoding;
enum { ENC_ROWS = 64, ENC_COLS = 4096 };

static void run_encode(void *arg) {
    encoding *e = arg;
    (void)qz_encode_rows(e->run, e->type, &(qz_float_rows){e->x, ENC_ROWS, ENC_COLS, e->importance}, e->out, NULL);
}
static void bench_encoders(qz_run *run, const char *level) {
    encoding e = {.run = run, .x = qz_alloc_array((size_t)ENC_ROWS * ENC_COLS, 4),
                  .out = qz_alloc_array((size_t)ENC_ROWS * ENC_COLS, 4)};
    float *imp = qz_alloc_array(ENC_COLS, 4);
    qz_rng rng;
    qz_rng_seed(&rng, 1);
    for (size_t i = 0; i < (size_t)ENC_ROWS * ENC_COLS; ++i) e.x[i] = 0.02f * qz_rng_normal(&rng);
    for (size_t i = 0; i < ENC_COLS; ++i) imp[i] = 0.01f + qz_rng_normal(&rng) * qz_rng_normal(&rng) * 0.001f;
    for (unsigned t = 0; t < QZ_TYPE_COUNT; ++t) {
        e.type = (qz_type)t;
        const qz_type_info *i = qz_type_get(e.type);
        if (i->kind == QZ_KIND_ACTIVATION || i->encode == NULL) continue;
        e.importance = NULL;
        double m = 1e-6 * ENC_ROWS * ENC_COLS, plain = m / time_call(run_encode, &e);
        e.importance = imp;
        printf("encode  %-6s %-5s %8.0f M weights/s", level, i->name, plain);
        if (i->uses_importance) printf("  with importance %6.0f", m / time_call(run_encode, &e));
        printf("\n");
    }
    qz_free(e.x), qz_free(e.out), qz_free(imp);
}

static void bench_blocks(qz_mm *mm, const char *word) {
    static const qz_type types[] = {QZ_TYPE_F32,  QZ_TYPE_F16,  QZ_TYPE_BF16, QZ_TYPE_Q8_0, QZ_TYPE_Q4_0, QZ_TYPE_Q4_K,
                                    QZ_TYPE_Q5_K, QZ_TYPE_Q6_K, QZ_TYPE_Q2_K, QZ_TYPE_Q3_K, QZ_TYPE_IQ1_S,
                                    QZ_TYPE_IQ2_XXS, QZ_TYPE_IQ3_S, QZ_TYPE_IQ4_XS, QZ_TYPE_IQ4_NL, QZ_TYPE_TQ1_0,
                                    QZ_TYPE_MXFP4, QZ_TYPE_NVFP4, QZ_TYPE_Q1_0};
    for (size_t i = 0; i < sizeof types / sizeof *types; ++i)
        if (strstr(word, qz_type_get(types[i])->name) || strcmp(word, "packed") == 0 || !*word)
            bench_block(mm, &(weights){.type = types[i]});
    static const weights ints[] = {{QZ_TYPE_CODED, 4, false, NULL}, {QZ_TYPE_CODED, 8, false, NULL},
                                   {QZ_TYPE_CODED, 8, true, NULL}};
    for (size_t i = 0; strstr("packed int", word) && i < sizeof ints / sizeof *ints; ++i) bench_block(mm, &ints[i]);
    for (size_t i = 0; i < sizeof floats / sizeof *floats; ++i)
        if (strstr("packed float", word) || strcmp(word, floats[i].name) == 0)
            bench_block(mm, &(weights){.type = QZ_TYPE_CODED, .floats = &floats[i]});
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
        bench_blocks(mm, word);
        if (strstr("encode", word)) bench_encoders(&run, qz_cpu_name((qz_cpu_level)l));
        qz_mm_free(mm);
    }
    qz_run_release(&run);
}
