/* The table of methods is whole, and a method goes through its operations as any host would call them: block search
 * gives the bytes of the search itself, rounding asks its host, block feedback leaves alone what has no Gram matrix.
 * Truth: the functions behind the methods, which their own tests hold against the reference libraries; a host that
 * is made up here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include "base/rng.h"
#include "base/size.h"
#include "codecs/scaled_float.h"
#include "codecs/types.h"
#include "methods/method.h"

enum { ROWS = 40, COLS = 512 };
static float w[ROWS * COLS], seen[COLS];
static qz_run run;
static qz_error err;

static void must(qz_status st) {
    if (st != QZ_OK) fail_msg("%s", err.text);
}

/* ---- a host ---- */
static qz_status importance(const void *ctx, const qz_method_tensor *t, qz_arena *arena, const float **out,
                            qz_error *e) {
    (void)t, (void)arena, (void)e;
    *out = ctx;
    return QZ_OK;
}
static qz_status round_as_float8(const void *ctx, const qz_method_tensor *t, qz_arena *arena, const float **x,
                                 const qz_coded **out, qz_error *e) {
    qz_scaled_float *f = qz_arena_calloc(arena, 1, sizeof *f);
    (void)ctx;
    assert_non_null(f);
    f->base = (qz_coded){qz_scaled_float_ops(QZ_E4M3FN), t->rows, t->cols};
    *x = w;
    *out = &f->base;
    const qz_float_rounding how = {QZ_ROUND_CT, QZ_TYPE_F32, 1, t->cols, .stored = QZ_SCALE_F32};
    return qz_scaled_float_round(&run, &how, w, f, arena, e);
}

static const qz_method_options best = {.search = QZ_SEARCH_BEST};
static qz_method_job job_of(void) {
    return (qz_method_job){.run = &run, .options = &best, .scheme = "test",
                           .host = {.ctx = seen, .importance = importance, .round = round_as_float8}};
}
static const qz_tensor_view source = {.name = "t", .type = QZ_TYPE_F32, .rows = ROWS, .cols = COLS, .data = w};
static qz_method_tensor tensor(qz_type type) {
    return (qz_method_tensor){.name = "t", .source = &source, .type = type, .rows = ROWS, .cols = COLS, .layer = -1,
                              .expert = -1, .linear = -1};
}

/* ---- the table ---- */
static void rows_are_whole(void **state) {
    (void)state;
    const qz_method_options every[] = {{.search = QZ_SEARCH_COMPAT}, {.propagate = true},
                                       {.propagate = true, .fold = true, .head = true}};
    size_t n = 0;
    for (const qz_method *m; (m = qz_method_at(n)) != NULL; n++) {
        assert_ptr_equal(qz_method_named(m->name), m);
        assert_true(m->ops->open && m->ops->next && m->ops->result && m->ops->notes && m->ops->release &&
                    m->ops->memory);
        for (size_t i = 0; i < sizeof every / sizeof *every; i++)
            if (m->needs(&every[i]) & ~m->takes) fail_msg("%s needs what it does not take", m->name);
        if (m->other == NULL) continue;
        const qz_method *o = qz_method_named(m->other);
        assert_non_null(o);
        assert_int_equal(o->needs(&best), QZ_NEEDS_NOTHING); /* so that it can stand in wherever the first cannot */
        assert_null(o->other);
    }
    assert_true(n >= 5);
    assert_null(qz_method_named("quip"));
    assert_null(qz_method_named(NULL));
    const qz_method *g = qz_method_named("gptq");
    assert_int_equal(g->needs(&(qz_method_options){.fold = true}), QZ_NEEDS_GRAM);
    assert_int_equal(g->needs(&(qz_method_options){.propagate = true}), QZ_NEEDS_TOKENS);
    assert_int_equal(g->needs(&(qz_method_options){.propagate = true, .head = true}), QZ_NEEDS_TOKENS | QZ_NEEDS_GRAM);
}

/* ---- operations ---- */
static void search_gives_its_own_bytes(void **state) {
    (void)state;
    const qz_method *m = qz_method_named("block_search");
    const qz_method_job job = job_of();
    qz_method_tensor t = tensor(QZ_TYPE_Q4_K);
    qz_arena arena = {0};
    qz_quantized want;
    void *s;
    must(qz_block_quantize(&(qz_block_job){&run, QZ_TYPE_Q4_K, w, ROWS, COLS, seen, QZ_SEARCH_BEST}, &arena, &want,
                           &err));
    must(m->ops->open(&job, &s, &err));
    for (int round = 0; round < 2; round++) { /* a second tensor begins at its own first row */
        qz_method_result r = {.more = true};
        bool mine = false;
        size_t row = 0;
        must(m->ops->next(s, &t, &mine, &err));
        assert_true(mine);
        while (r.more) {
            must(m->ops->result(s, &r, &err));
            assert_string_equal(r.q->name, "t");
            assert_false(r.judged);
            assert_memory_equal(r.q->blocks, want.blocks + row * (want.bytes / ROWS), r.q->bytes);
            row += r.q->rows;
        }
        assert_int_equal(row, ROWS);
    }
    t.type = QZ_TYPE_BF16; /* floats are the writer's */
    bool mine = true;
    must(m->ops->next(s, &t, &mine, &err));
    assert_false(mine);
    m->ops->release(s);
    qz_arena_release(&arena);
}

static void rounding_asks_the_host(void **state) {
    (void)state;
    const qz_method *m = qz_method_named("round");
    const qz_method_job job = job_of();
    const qz_method_tensor t = tensor(QZ_TYPE_CODED);
    qz_method_result r;
    bool mine = false;
    float y[COLS];
    double mse = 0;
    void *s;
    must(m->ops->open(&job, &s, &err));
    must(m->ops->next(s, &t, &mine, &err));
    assert_true(mine);
    must(m->ops->result(s, &r, &err));
    assert_false(r.more || r.judged);
    for (size_t i = 0; i < ROWS; i++) {
        qz_coded_decode_row(r.q->coded, i, y);
        for (size_t k = 0; k < COLS; k++)
            mse += ((double)y[k] - (double)w[i * COLS + k]) * ((double)y[k] - (double)w[i * COLS + k]) / (ROWS * COLS);
    }
    assert_true(mse > 0 && r.q->weight_mse > 0.999999 * mse && r.q->weight_mse < 1.000001 * mse);
    m->ops->release(s);
}

/* Outside the blocks there is no matrix of an input: left to the method beside it. */
static void feedback_leaves_the_rest(void **state) {
    (void)state;
    const qz_method *m = qz_method_named("block_feedback");
    const qz_method_job job = job_of();
    const qz_method_tensor t = tensor(QZ_TYPE_Q4_K);
    qz_method_notes n = {0};
    bool mine = true;
    void *s;
    must(m->ops->open(&job, &s, &err));
    must(m->ops->next(s, &t, &mine, &err));
    assert_false(mine);
    m->ops->notes(s, &n);
    assert_int_equal(n.fallbacks, 0);
    assert_string_equal(n.text, "");
    m->ops->release(s);
    assert_string_equal(m->other, "block_search");
}

int main(void) {
    qz_rng g;
    if (qz_run_init(&run, 2, &err) != QZ_OK) return 1;
    qz_rng_seed(&g, 16);
    for (size_t i = 0; i < ROWS * COLS; i++) w[i] = (float)qz_rng_normal(&g);
    for (size_t i = 0; i < COLS; i++) seen[i] = 0.5f + (float)qz_rng_below(&g, 100) / 10.0f;
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_are_whole), cmocka_unit_test(search_gives_its_own_bytes),
                                       cmocka_unit_test(rounding_asks_the_host),
                                       cmocka_unit_test(feedback_leaves_the_rest)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    qz_run_release(&run);
    return failed;
}
