/* Small floats: kernels against the reference bit for bit, whole calls within rounding of a computation in double. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/size.h"
#include "check.h"
#include "codecs/scaled_float.h"

/* ---- activations of 16 bits ---- */
static void check_act16(check *c) {
    c->op = "act_16";
    for (size_t group = 8; group <= 40; group += 8)
        for (size_t groups = 0; groups < 6; ++groups)
            for (int kind = 0; kind < DATA_KINDS; ++kind) {
                guarded gx, gq, gw, ga, gb;
                float *x = guard_open(&gx, groups * group, 4, 4);
                int16_t *q = guard_open(&gq, groups * group, 2, 2), *w = guard_open(&gw, groups * group, 2, 2);
                qz_act16 *a = guard_open(&ga, groups, sizeof *a, 4), *b = guard_open(&gb, groups, sizeof *b, 4);
                fill_floats(c, x, groups * group, kind);
                if (groups > 2) x[group + 1] = (float)NAN;
                c->ops->act_16(x, groups, group, q, a);
                c->ref->act_16(x, groups, group, w, b);
                expect(c, memcmp(q, w, groups * group * 2) == 0 && memcmp(a, b, groups * sizeof *a) == 0,
                       "%zu groups of %zu, data %d", groups, group, kind);
                for (size_t k = 0; k < groups * group && kind == DATA_NORMAL; ++k) {
                    const float d = a[k / group].d;
                    expect(c, isnan(x[k]) ? q[k] == 0 : fabsf((float)q[k] * d - x[k]) <= 0.51f * d,
                           "column %zu came back as another value", k);
                }
                guard_close(c, &gx), guard_close(c, &gq), guard_close(c, &gw);
                guard_close(c, &ga), guard_close(c, &gb);
            }
}

/* ---- kernels against the reference ---- */
static void fill_scales(check *c, float *s, size_t n) {
    for (size_t i = 0; i < n; ++i) s[i] = ldexpf(1.0f + 0.001f * (float)i, (int)qz_rng_below(&c->rng, 20) - 10);
}

typedef struct { const char *name; qz_panel_fn fn, ref; bool e4m3; } sdot_case;
static void check_sdot(check *c, const sdot_case *k, size_t group, size_t groups, size_t tokens) {
    guarded gp, gx, go, gw;
    const size_t cols = group * groups, block = QZ_TABLE_HEAD + group * QZ_PANEL;
    uint8_t *panel = guard_open(&gp, groups, block, 4);
    float *x = guard_open(&gx, tokens * (cols + 1), 4, 4), *out = guard_open(&go, tokens, QZ_PANEL * 4, 4),
          *want = guard_open(&gw, tokens, QZ_PANEL * 4, 4);
    c->op = k->name;
    fill_bytes(c, panel, groups * block);
    for (size_t g = 0; g < groups; ++g) {
        fill_scales(c, (float *)(void *)(panel + g * block), QZ_PANEL);
        for (size_t i = QZ_TABLE_HEAD; i < block; ++i) { /* every number, no NaN */
            uint8_t *b = &panel[g * block + i];
            if (k->e4m3 ? (*b & 0x7f) == 0x7f : (*b & 0x7c) == 0x7c) *b ^= 0x40;
        }
    }
    fill_floats(c, x, tokens * (cols + 1), DATA_NORMAL);
    const qz_group_call j = {.panel = panel, .groups = groups, .group_size = group, .x = x, .ldx = cols + 1,
                             .tokens = tokens, .out = out};
    qz_group_call r = j;
    r.out = want;
    k->fn(&j), k->ref(&r);
    expect_floats(c, out, want, tokens * QZ_PANEL, k->name);
    guard_close(c, &gp), guard_close(c, &gx), guard_close(c, &go), guard_close(c, &gw);
}

/* form: 0 E2M1, 4 and 8: bits of integers. scales: 0 float16, 1 bfloat16, 2 float32. */
typedef struct { const char *name; qz_qdot_fn fn, ref; size_t form; } qdot_case;
static void check_qdot(check *c, const qdot_case *k, size_t group, size_t groups, size_t tokens, int scales) {
    guarded gp, gx, gq, ga, go, gw, gs;
    const size_t cols = group * groups, step = group % 32 == 0 ? 32 : group % 16 == 0 ? 16 : 8,
                 head = qz_qdot_head(k->form == 0, scales == 2),
                 block = head + group * QZ_PANEL * (k->form == 8 ? 2 : 1) / 2;
    uint8_t *panel = guard_open(&gp, groups, block, 4);
    float *x = guard_open(&gx, tokens * cols, 4, 4), *out = guard_open(&go, tokens, QZ_PANEL * 4, 4),
          *want = guard_open(&gw, tokens, QZ_PANEL * 4, 4), *sums = guard_open(&gs, tokens * groups, 4, 4);
    int16_t *q = guard_open(&gq, tokens * cols, 2, 2);
    qz_act16 *act = guard_open(&ga, tokens * cols / step, sizeof *act, 4);
    c->op = k->name;
    fill_bytes(c, panel, groups * block);
    for (size_t g = 0; g < groups && scales == 2; ++g) fill_scales(c, (float *)(void *)(panel + g * block), QZ_PANEL);
    for (size_t g = 0; g < groups && scales < 2; ++g)
        for (size_t r = 0; r < QZ_PANEL; ++r) /* exponents that are finite in both */
            panel[g * block + 2 * r + 1] = (uint8_t)(0x30 + qz_rng_below(&c->rng, 12));
    fill_floats(c, x, tokens * cols, group % 16 ? DATA_LIMITS : DATA_NORMAL);
    fill_floats(c, sums, tokens * groups, DATA_NORMAL);
    /* the largest sums */
    for (size_t i = 0; i < tokens * cols && groups == 3; ++i) x[i] = i / group % 2 ? 1.0f : -1.0f;
    for (size_t i = head; i < block && groups == 3; ++i) panel[i] = k->form ? 0xff : 0x77;
    c->ref->act_16(x, tokens * cols / step, step, q, act);
    const qz_qdot_call j = {.panel = panel, .groups = groups, .group_size = group, .step = step, .wide = scales == 2,
                            .brain = scales == 1, .unit = 0.37f, .q = q, .act = act, .sums = sums, .tokens = tokens,
                            .out = out};
    qz_qdot_call r = j;
    r.out = want;
    k->fn(&j), k->ref(&r);
    expect_floats(c, out, want, tokens * QZ_PANEL, "token, row");
    guard_close(c, &gp), guard_close(c, &gx), guard_close(c, &gq), guard_close(c, &gs);
    guard_close(c, &ga), guard_close(c, &go), guard_close(c, &gw);
}

static void check_kernels(check *c) {
    static const size_t longs[] = {4, 8, 16, 24, 32, 128, 1028};
    const sdot_case bytes[] = {{"sdot_e4m3", c->ops->sdot_e4m3, c->ref->sdot_e4m3, true},
                               {"sdot_e5m2", c->ops->sdot_e5m2, c->ref->sdot_e5m2, false}};
    const qdot_case wholes[] = {{"qdot_e2m1", c->ops->qdot_e2m1, c->ref->qdot_e2m1, 0},
                                {"qdot_4", c->ops->qdot_4, c->ref->qdot_4, 4},
                                {"qdot_8", c->ops->qdot_8, c->ref->qdot_8, 8}};
    for (size_t tokens = 1; tokens <= 4; ++tokens)
        for (size_t groups = 0; groups < 5; ++groups)
            for (size_t i = 0; i < sizeof longs / sizeof *longs; ++i) {
                for (size_t k = 0; k < 2; ++k) check_sdot(c, &bytes[k], longs[i], groups, tokens);
                if (longs[i] % 8 != 0) continue;
                for (size_t k = 0; k < 9; ++k)
                    check_qdot(c, &wholes[k / 3], longs[i], groups, tokens, (int)(k % 3));
            }
}

/* ---- the whole call: codes by the encoder, packed, against the decoder ---- */
typedef struct {
    qz_small_float element;
    qz_scale_type stored;
    size_t block_rows, group; /* 0: the row */
    const char *kernel;
} small_case;

static void check_values(check *c, const qz_packed *p, const qz_scaled_float *f, const float *x, size_t n,
                         const float *y) {
    const size_t cols = f->base.cols, rows = f->base.rows, group = f->block_cols,
                 step = group % 32 == 0 ? 32 : 16;
    const bool integers = n <= 24 && strstr(qz_packed_kernel(p), "i16");
    float *w = qz_alloc_array(cols, 4), *v = qz_alloc_array(cols, 4);
    int16_t *q = qz_alloc_array(cols, 2);
    qz_act16 *act = qz_alloc_array(cols / step, sizeof *act);
    for (size_t t = 0; t < n; ++t) {
        memcpy(v, x + t * cols, cols * 4);
        if (integers) c->ref->act_16(v, cols / step, step, q, act);
        for (size_t k = 0; k < cols && integers; ++k) v[k] = (float)q[k] * act[k / step].d;
        for (size_t r = 0; r < rows; ++r) {
            double want = 0, room = 0;
            qz_coded_decode_row(&f->base, r, w);
            for (size_t k = 0; k < cols; ++k) {
                want += (double)w[k] * (double)v[k];
                room += fabs((double)w[k] * (double)v[k]);
            }
            const double limit = (1 + sqrt((double)cols)) * (double)FLT_EPSILON * room;
            expect(c, fabs((double)y[t * rows + r] - want) <= limit, "%s, token %zu, row %zu: %.9g, expected %.9g",
                   qz_packed_kernel(p), t, r, (double)y[t * rows + r], want);
        }
    }
    qz_free(w), qz_free(v), qz_free(q), qz_free(act);
}

static void check_case(check *c, qz_mm *mm, const small_case *s, size_t cols, size_t n) {
    enum { ROWS = 45 };
    qz_arena arena = {0};
    qz_error err = {0};
    const size_t group = s->group ? s->group : cols;
    float *w = qz_alloc_array(ROWS * cols, 4), *x = qz_alloc_array(n * cols, 4), *y[2];
    guarded gy[2];
    qz_scaled_float f[2];
    qz_packed *p[2];
    for (size_t i = 0; i < 2; ++i) { /* two that share the input */
        f[i] = (qz_scaled_float){.base = {.rows = ROWS, .cols = cols}};
        fill_floats(c, w, ROWS * cols, DATA_NORMAL);
        const qz_float_rule rule = s->stored == QZ_SCALE_E4M3_TIMES ? QZ_ROUND_MODELOPT
                                   : s->block_rows > 1              ? QZ_ROUND_FINE
                                                                    : QZ_ROUND_CT;
        const qz_float_rounding how = {.rule = rule, .dtype = QZ_TYPE_F32,
                                       .block_rows = s->block_rows, .block_cols = group, .element = s->element,
                                       .stored = s->stored};
        expect(c, qz_scaled_float_round(NULL, &how, w, &f[i], &arena, &err) == QZ_OK, "round: %s", err.text);
        const qz_weights m = {.type = QZ_TYPE_CODED, .rows = ROWS - i, .cols = cols, .coded = &f[i].base,
                              .first_row = i};
        expect(c, qz_packed_open(mm, &m, &p[i], &err) == QZ_OK, "open: %s", err.text);
        expect(c, strstr(qz_packed_kernel(p[i]), s->kernel) != NULL, "kernel %s", qz_packed_kernel(p[i]));
        y[i] = guard_open(&gy[i], n * (ROWS - i), 4, 0);
    }
    fill_floats(c, x, n * cols, DATA_NORMAL);
    expect(c, qz_mm_packed(mm, (const qz_packed *const *)p, 2, x, n, y, &err) == QZ_OK, "call: %s", err.text);
    for (size_t i = 0; i < 2; ++i) {
        qz_scaled_float from = f[i]; /* rows from the first of the weights on */
        from.base.rows -= i;
        if (from.block_rows == 1) from.codes += i * cols, from.scales += i * (cols / group);
        if (i == 0 || from.block_rows == 1) check_values(c, p[i], &from, x, n, y[i]);
        qz_packed_free(p[i]);
        guard_close(c, &gy[i]);
    }
    qz_free(w), qz_free(x);
    qz_arena_release(&arena);
}

static void check_whole(check *c, size_t threads) {
    static const small_case cases[] = {
        {QZ_E4M3FN, QZ_SCALE_F32, 1, 0, "fp8\u00d7f32"},
        {QZ_E4M3FN, QZ_SCALE_F32, 16, 128, "fp8\u00d7f32"},
        {QZ_E4M3FN, QZ_SCALE_E8M0, 1, 32, "fp8\u00d7f32"},
        {QZ_E5M2, QZ_SCALE_F32, 1, 0, "fp8 e5m2\u00d7f32"},
        {QZ_E2M3, QZ_SCALE_E8M0, 1, 32, "fp6\u00d7f32"},
        {QZ_E2M1, QZ_SCALE_E8M0, 1, 32, "fp4\u00d7i16"},
        {QZ_E2M1, QZ_SCALE_E4M3, 1, 16, "fp4\u00d7i16"},
        {QZ_E2M1, QZ_SCALE_E4M3_TIMES, 1, 16, "fp4\u00d7i16"},
        {QZ_E2M1, QZ_SCALE_F32, 1, 0, "fp4\u00d7i16"}, /* float32 scales */
    };
    static const size_t tokens[] = {1, 2, 3, 5, 24, 29};
    qz_run run;
    qz_mm *mm = NULL;
    qz_error err = {0};
    if (qz_run_init(&run, threads, &err) != QZ_OK) exit(3);
    run.cpu = c->level;
    if (qz_mm_open(&run, &mm, &err) != QZ_OK) exit(3);
    c->op = "small floats";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        for (size_t k = 0; k < sizeof tokens / sizeof *tokens; ++k)
            check_case(c, mm, &cases[i], 256 * (1 + k % 2), tokens[k]);
    qz_mm_free(mm);
    qz_run_release(&run);
}

void check_small(check *c) {
    check_act16(c);
    if (c->level != QZ_CPU_REF) check_kernels(c);
    check_whole(c, 1);
    check_whole(c, 3);
}
