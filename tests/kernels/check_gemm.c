/* Exact products: every level and thread count equal to fmaf chains written out here. */
#include <math.h>
#include <string.h>
#include "codecs/int_group.h"
#include "base/half.h"
#include "base/size.h"
#include "check.h"
#include "codecs/types.h"

static float chain(const float *a, size_t sa, const float *b, size_t sb, size_t k, float acc) {
    for (size_t i = 0; i < k; ++i) acc = fmaf(a[i * sa], b[i * sb], acc);
    return acc;
}

static void check_tile(check *c) {
    const qz_ops *o = c->ops;
    c->op = "gemm_tile";
    for (size_t mr = 1; mr <= o->tile_rows; ++mr)
        for (size_t kc = 0; kc < 70; kc += kc < 9 ? 1 : 20)
            for (int load = 0; load < 2; ++load) {
                guarded gs, gv, gc;
                size_t n = o->tile_cols, ldc = n + 3;
                float *s = guard_open(&gs, (mr - 1) * (kc + 1) + kc, 4, 4), *v = guard_open(&gv, kc * n, 4, 4);
                float *y = guard_open(&gc, (mr - 1) * ldc + n, 4, 4), want[QZ_TILE_MAX_ROWS][QZ_TILE_MAX_COLS];
                fill_floats(c, s, (mr - 1) * (kc + 1) + kc, DATA_LIMITS);
                fill_floats(c, v, kc * n, (int)(kc % DATA_KINDS));
                fill_floats(c, y, (mr - 1) * ldc + n, DATA_LIMITS);
                for (size_t i = 0; i < mr; ++i)
                    for (size_t j = 0; j < n; ++j)
                        want[i][j] = chain(s + i * (kc + 1), 1, v + j, n, kc, load ? y[i * ldc + j] : 0);
                o->gemm_tile(mr, kc, &(qz_tile){s, kc + 1, v, n, y, ldc}, load);
                for (size_t i = 0; i < mr; ++i) expect_floats(c, y + i * ldc, want[i], n, "row");
                guard_close(c, &gs), guard_close(c, &gv), guard_close(c, &gc);
            }
}

static void check_transpose(check *c) {
    const qz_ops *o = c->ops;
    c->op = "transpose";
    for (size_t rows = 0; rows <= o->tile_cols; ++rows)
        for (size_t n = 0; n < 40; ++n) {
            guarded gs, gd;
            size_t ld = n + 1, have = rows ? (rows - 1) * ld + n : 0, ds = o->tile_cols + 2;
            float *s = guard_open(&gs, have, 4, 4), *d = guard_open(&gd, n ? (n - 1) * ds + o->tile_cols : 0, 4, 8);
            fill_floats(c, s, have, DATA_LIMITS);
            o->transpose(s, ld, rows, n, d, ds);
            bool ok = true;
            for (size_t k = 0; k < n; ++k)
                for (size_t r = 0; r < o->tile_cols; ++r) {
                    float want = r < rows ? s[r * ld + k] : 0;
                    ok = ok && memcmp(&want, &d[k * ds + r], 4) == 0;
                }
            expect(c, ok, "rows %zu n %zu", rows, n);
            guard_close(c, &gs), guard_close(c, &gd);
        }
}

static void check_nt(check *c, qz_mm *mm, size_t m, size_t n, size_t k) {
    guarded ga, gb, gc;
    size_t lda = k + 1, ldb = k + 2, ldc = n + 1;
    float *a = guard_open(&ga, m * lda, 4, 0), *b = guard_open(&gb, n * ldb, 4, 0), *y = guard_open(&gc, m * ldc, 4, 0);
    float *want = qz_alloc_array(m * ldc + 1, 4), *first = qz_alloc_array(m * ldc + 1, 4);
    fill_floats(c, a, m * lda, DATA_LIMITS), fill_floats(c, b, n * ldb, DATA_NORMAL),
        fill_floats(c, y, m * ldc, DATA_NORMAL);
    memcpy(want, y, m * ldc * 4);
    memcpy(first, y, m * ldc * 4);
    for (int acc = 0; acc < 2; ++acc) {
        for (size_t i = 0; i < m; ++i)
            for (size_t j = 0; j < n; ++j)
                want[i * ldc + j] = chain(a + i * lda, 1, b + j * ldb, 1, k, acc ? want[i * ldc + j] : 0);
        c->op = "gemm_nt";
        (void)qz_mm_gemm_nt(mm, &(qz_product){m, n, k, a, lda, b, ldb, y, ldc}, acc, NULL);
        expect_floats(c, y, want, m * ldc, acc ? "accumulate" : "plain");
        if (acc) continue;
        c->op = "gemm_nt_local";
        memcpy(y, first, m * ldc * 4);
        qz_mm_gemm_nt_local(mm, &(qz_product){m, n, k, a, lda, b, ldb, y, ldc});
        expect_floats(c, y, want, m * ldc, "plain");
    }
    qz_free(want), qz_free(first);
    guard_close(c, &ga), guard_close(c, &gb), guard_close(c, &gc);
}

static void check_nn(check *c, qz_mm *mm, size_t m, size_t n, size_t k) {
    guarded ga, gb, gc;
    size_t lda = k + 1, ldb = n + 2, have_b = k ? (k - 1) * ldb + n : 0;
    float *a = guard_open(&ga, m * lda, 4, 0), *b = guard_open(&gb, have_b, 4, 0), *y = guard_open(&gc, m * n, 4, 0);
    float *want = qz_alloc_array(m * n + 1, 4);
    fill_floats(c, a, m * lda, DATA_NORMAL), fill_floats(c, b, have_b, DATA_LIMITS);
    for (size_t i = 0; i < m; ++i)
        for (size_t j = 0; j < n; ++j) want[i * n + j] = chain(a + i * lda, 1, b + j, ldb, k, 0);
    c->op = "gemm_nn_local";
    qz_mm_gemm_nn_local(mm, &(qz_product){m, n, k, a, lda, b, ldb, y, n});
    expect_floats(c, y, want, m * n, "plain");
    qz_free(want);
    guard_close(c, &ga), guard_close(c, &gb), guard_close(c, &gc);
}

/* Products with a float16 operand: the chains of its values. */
static void check_f16(check *c, qz_mm *mm, size_t m, size_t n, size_t k) {
    guarded ga, gb, gc;
    float *a = guard_open(&ga, m * k, 4, 0), *y = guard_open(&gc, m * n, 4, 0), *want = qz_alloc_array(m * n + 1, 4),
          *b = qz_alloc_array(n * k + 1, 4);
    uint16_t *half = guard_open(&gb, n * k, 2, 0);
    fill_floats(c, a, m * k, DATA_NORMAL), fill_floats(c, b, n * k, DATA_NORMAL);
    qz_mm_to_f16(mm, b, n * k, half);
    bool ok = true;
    for (size_t i = 0; i < n * k; ++i) ok = ok && half[i] == qz_f32_to_f16(b[i]), b[i] = qz_f16_to_f32(half[i]);
    c->op = "to_f16";
    expect(c, ok, "%zu values", n * k);
    for (size_t i = 0; i < m; ++i)
        for (size_t j = 0; j < n; ++j) want[i * n + j] = chain(a + i * k, 1, b + j * k, 1, k, 0);
    c->op = "gemm_nt_local_f16";
    if (k) qz_mm_gemm_nt_local_f16(mm, &(qz_product){m, n, k, a, k, NULL, 0, y, n}, half);
    if (k) expect_floats(c, y, want, m * n, "plain");
    for (size_t i = 0; i < m; ++i)
        for (size_t j = 0; j < n; ++j) want[i * n + j] = chain(a + i * k, 1, b + j, n, k, 0);
    c->op = "gemm_nn_local_f16";
    qz_mm_gemm_nn_local_f16(mm, &(qz_product){m, n, k, a, k, NULL, 0, y, n}, half);
    expect_floats(c, y, want, m * n, "plain");
    qz_free(want), qz_free(b);
    guard_close(c, &ga), guard_close(c, &gb), guard_close(c, &gc);
}

static void check_gram(check *c, qz_mm *mm, size_t n, size_t cols) {
    float *x = qz_alloc_array(n * cols, 4);
    guarded gg;
    double *g = guard_open(&gg, cols * cols, 8, 0), *want = qz_calloc_array(cols * cols, 8);
    fill_floats(c, x, n * cols, DATA_NORMAL);
    for (size_t i = 0; i < cols * cols; ++i) g[i] = 0;
    for (size_t t = 0; t < n; t += 512)
        for (size_t i = 0; i < cols; ++i)
            for (size_t j = i; j < cols; ++j)
                want[i * cols + j] += (double)chain(x + t * cols + i, cols, x + t * cols + j, cols,
                                                    n - t < 512 ? n - t : 512, 0);
    for (size_t i = 0; i < cols; ++i)
        for (size_t j = 0; j < i; ++j) want[i * cols + j] = want[j * cols + i];
    c->op = "gram";
    (void)qz_mm_gram(mm, x, n, cols, g, NULL);
    expect(c, memcmp(g, want, cols * cols * 8) == 0, "%zu tokens, %zu columns", n, cols);
    qz_free(x), qz_free(want);
    guard_close(c, &gg);
}

/* Weights of every type decode to the same product as their floats. */
static void check_exact(check *c, qz_mm *mm, qz_type t, size_t rows, size_t cols, size_t n) {
    size_t rb = 0;
    (void)qz_row_bytes(t, cols, &rb, NULL);
    float *w = qz_alloc_array(rows * cols, 4), *x = qz_alloc_array(n * cols, 4), *want = qz_alloc_array(n * rows, 4);
    guarded gw, gy;
    uint8_t *data = guard_open(&gw, rows, rb, 1);
    float *y = guard_open(&gy, n * rows, 4, 0);
    fill_floats(c, w, rows * cols, DATA_NORMAL), fill_floats(c, x, n * cols, DATA_NORMAL);
    for (size_t r = 0; r < rows; ++r) {
        qz_type_get(t)->encode(w + r * cols, NULL, cols, data + r * rb);
        qz_type_get(t)->decode(data + r * rb, cols, w + r * cols);
    }
    for (size_t i = 0; i < n; ++i)
        for (size_t r = 0; r < rows; ++r) want[i * rows + r] = chain(x + i * cols, 1, w + r * cols, 1, cols, 0);
    c->op = "exact";
    qz_weights qw = {.type = t, .rows = rows, .cols = cols, .data = data};
    expect(c, qz_mm_exact(mm, &qw, x, n, y, NULL) == QZ_OK, "%s refused", qz_type_get(t)->name);
    expect_floats(c, y, want, n * rows, qz_type_get(t)->name);
    qz_free(w), qz_free(x), qz_free(want);
    guard_close(c, &gw), guard_close(c, &gy);
}

static void check_exact_group(check *c, qz_mm *mm, uint32_t bits, bool act_order) {
    enum { ROWS = 37, COLS = 640, G = 64, N = 5 };
    static float w[COLS], x[N * COLS], want[N * ROWS], y[N * ROWS];
    static uint8_t codes[ROWS * COLS], zeros[ROWS * COLS / G];
    static uint16_t scales[ROWS * COLS / G];
    static uint32_t g_idx[COLS];
    fill_bytes(c, codes, sizeof codes), fill_bytes(c, zeros, sizeof zeros), fill_floats(c, x, N * COLS, DATA_NORMAL);
    for (size_t i = 0; i < ROWS * COLS / G; ++i) scales[i] = (uint16_t)(0x2000 + qz_rng_below(&c->rng, 0x800));
    for (size_t i = 0; i < COLS; ++i) g_idx[i] = (uint32_t)qz_rng_below(&c->rng, COLS / G);
    qz_int_group g = {.base = {&qz_int_group_ops, ROWS, COLS}, .bits = bits, .group_size = G, .rows = ROWS,
                      .cols = COLS, .groups = COLS / G, .codes = codes,
                      .scales = scales, .zero_points = zeros, .g_idx = act_order ? g_idx : NULL};
    for (size_t r = 0; r < ROWS; ++r) {
        qz_int_group_decode_row(&g, r, w);
        for (size_t i = 0; i < N; ++i) want[i * ROWS + r] = chain(x + i * COLS, 1, w, 1, COLS, 0);
    }
    c->op = "exact int_group";
    qz_weights qw = {.type = QZ_TYPE_CODED, .rows = ROWS, .cols = COLS, .coded = &g.base};
    expect(c, qz_mm_exact(mm, &qw, x, N, y, NULL) == QZ_OK, "refused");
    expect_floats(c, y, want, N * ROWS, "int_group");
}

static void check_products(check *c, size_t threads) {
    static const size_t sizes[][3] = {{1, 1, 1},   {1, 40, 513}, {3, 5, 0},     {13, 33, 31}, {30, 17, 1030},
                                      {64, 3, 40}, {7, 300, 64}, {530, 40, 20}, {25, 64, 512}};
    qz_run run;
    qz_mm *mm = NULL;
    qz_error err = {0};
    if (qz_run_init(&run, threads, &err) != QZ_OK) exit(3);
    run.cpu = c->level;
    if (qz_mm_open(&run, &mm, &err) != QZ_OK) exit(3);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
        check_nt(c, mm, sizes[i][0], sizes[i][1], sizes[i][2]);
        check_nn(c, mm, sizes[i][0], sizes[i][1], sizes[i][2]);
        check_f16(c, mm, sizes[i][0], sizes[i][1], sizes[i][2]);
    }
    check_gram(c, mm, 1, 1), check_gram(c, mm, 520, 45), check_gram(c, mm, 2600, 7), check_gram(c, mm, 40, 130);
    for (unsigned t = 0; t < QZ_TYPE_COUNT; ++t)
        if (qz_type_get((qz_type)t)->encode) check_exact(c, mm, (qz_type)t, 35, 768, 5);
    for (uint32_t b = 2; b <= 8; b = b == 4 ? 8 : b + 1)
        check_exact_group(c, mm, b, false), check_exact_group(c, mm, b, true);
    check_encode_rows(c, &run);
    qz_mm_free(mm);
    qz_run_release(&run);
}

/* Chains of double: equal bits to the reference, the reference to plain sums. */
static void check_dsub(check *c) {
    c->op = "dsub";
    static const size_t sizes[][3] = {{1, 1, 1}, {4, 4, 8}, {5, 7, 13}, {8, 3, 64}, {2, 9, 3}, {7, 4, 0}, {9, 10, 131},
                                      {17, 49, 128}, {13, 25, 300}};
    for (size_t z = 0; z < sizeof sizes / sizeof *sizes; ++z) {
        const size_t m = sizes[z][0], n = sizes[z][1], k = sizes[z][2];
        guarded ga, gb, gc, gd;
        double *a = guard_open(&ga, m * k, 8, 8), *b = guard_open(&gb, n * (k + 1), 8, 8),
               *x = guard_open(&gc, m * (n + 2), 8, 8), *y = guard_open(&gd, m * (n + 2), 8, 8);
        for (size_t i = 0; i < m * k; ++i) a[i] = (double)qz_rng_normal(&c->rng);
        for (size_t i = 0; i < n * (k + 1); ++i) b[i] = (double)qz_rng_normal(&c->rng);
        for (size_t i = 0; i < m * (n + 2); ++i) x[i] = y[i] = (double)qz_rng_normal(&c->rng);
        double want = x[0];
        for (size_t p = 0; p < k; ++p) want -= a[p] * b[p];
        c->ops->dsub(&(qz_dproduct){m, n, k, a, k, b, k + 1, x, n + 2});
        c->ref->dsub(&(qz_dproduct){m, n, k, a, k, b, k + 1, y, n + 2});
        expect(c, memcmp(x, y, m * (n + 2) * sizeof *x) == 0, "differs from the reference at %zu x %zu x %zu", m, n, k);
        expect(c, fabs(x[0] - want) < 1e-12 * (double)(k + 1), "%.17g, expected %.17g", x[0], want);
        guard_close(c, &ga), guard_close(c, &gb), guard_close(c, &gc), guard_close(c, &gd);
    }
}

/* Rows added to a row: equal bits to the reference, which is one sum after the other. */
static void check_add_rows(check *c) {
    c->op = "add_rows";
    enum { ROWS = 9, STEPS = 21 };
    static const size_t sizes[] = {1, 15, 16, 33, 128, 131, 256, 263, 700};
    for (size_t z = 0; z < sizeof sizes / sizeof *sizes; ++z) {
        const size_t n = sizes[z], ld = n + 3;
        guarded gx, gy, gw;
        float *x = guard_open(&gx, ROWS * ld, 4, 4), *y = guard_open(&gy, n, 4, 4), *w = guard_open(&gw, n, 4, 4);
        qz_row_step steps[STEPS];
        for (size_t i = 0; i < ROWS * ld; ++i) x[i] = qz_rng_normal(&c->rng);
        for (size_t i = 0; i < n; ++i) y[i] = w[i] = qz_rng_normal(&c->rng);
        for (size_t i = 0; i < STEPS; ++i) steps[i] = (qz_row_step){(uint32_t)(i * 5 % ROWS), qz_rng_normal(&c->rng)};
        c->ops->add_rows(y, n, x, ld, steps, STEPS);
        for (size_t i = 0; i < STEPS; ++i)
            for (size_t k = 0; k < n; ++k) w[k] += steps[i].times * x[steps[i].row * ld + k];
        expect(c, memcmp(y, w, n * sizeof *y) == 0, "differs from one row after the other at %zu columns", n);
        guard_close(c, &gx), guard_close(c, &gy), guard_close(c, &gw);
    }
}

void check_gemm(check *c) {
    check_dsub(c);
    check_add_rows(c);
    check_tile(c);
    check_transpose(c);
    check_products(c, 1);
    check_products(c, 3);
}
