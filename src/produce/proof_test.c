/* The proof finds what a writer or reader could do wrong: rows that changed places, one flipped bit, values that
 * changed places in a row, a changed folded tensor, NaN on either side, a tensor nobody spoke of, memory that runs out.
 * Truth: the floats themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "artifacts/artifact.h"
#include "base/rng.h"
#include "base/size.h"
#include "codecs/types.h"
#include "produce/proof.h"

/* large enough for the pool, with a tail of no full lanes */
enum { ROWS = 160, COLS = 288, CELLS = ROWS * COLS, HEADS = 4, ITEMS = 4 };
enum { PLAIN, TURNED, FOLDED, BLOCKS };

typedef struct {
    qz_run run;
    float source[CELLS], folded[COLS + 5], in_file[ITEMS][CELLS];
    uint8_t coded[CELLS / 32 * 34];
    qz_tensor_view views[ITEMS], sources[ITEMS];
    qz_artifact_item items[ITEMS];
    qz_artifact_plan plan;
    qz_model m;
    qz_proof p;
} rig;
static rig r;

static void init_view(qz_tensor_view *t, const char *name, qz_type type, size_t rows, size_t cols, const void *data) {
    *t = (qz_tensor_view){.name = name, .type = type, .rows = rows, .cols = cols, .data = data, .file = "artifact"};
}

/* What the method means, and a file that holds exactly that. */
static void setup(size_t threads) {
    static const char *const names[ITEMS] = {"plain", "turned", "folded", "blocks"};
    qz_error err = {0};
    qz_rng g;
    memset(&r, 0, sizeof r);
    assert_int_equal(qz_run_init(&r.run, threads, &err), QZ_OK);
    qz_rng_seed(&g, 5);
    for (size_t i = 0; i < CELLS; i++) r.source[i] = qz_rng_normal(&g);
    for (size_t i = 0; i < COLS + 5; i++) r.folded[i] = qz_rng_normal(&g);
    r.source[3] = 0.0f;
    for (int i = 0; i < ITEMS; i++) {
        size_t rows = i == FOLDED ? 1 : ROWS, cols = i == FOLDED ? COLS + 5 : COLS;
        init_view(&r.sources[i], names[i], QZ_TYPE_F32, rows, cols, r.source);
        init_view(&r.views[i], names[i], i == BLOCKS ? QZ_TYPE_Q8_0 : QZ_TYPE_F32, rows, cols,
                  i == BLOCKS ? (const void *)r.coded : r.in_file[i]);
        r.items[i] = (qz_artifact_item){.source = &r.sources[i], .name = names[i], .out_name = names[i],
                                        .type = r.views[i].type, .rows = rows, .cols = cols,
                                        .permute = i == TURNED ? QZ_PERMUTE_INTERLEAVE : QZ_PERMUTE_NONE,
                                        .heads = HEADS};
    }
    memcpy(r.in_file[PLAIN], r.source, sizeof r.source);
    r.in_file[PLAIN][3] = -0.0f; /* counts as 0 */
    for (size_t k = 0; k < ROWS; k++)
        memcpy(r.in_file[TURNED] + k * COLS, r.source + qz_item_source_row(&r.items[TURNED], ROWS, k) * COLS,
               COLS * sizeof(float));
    memcpy(r.in_file[FOLDED], r.folded, sizeof r.folded);
    for (size_t k = 0; k < ROWS; k++)
        qz_type_get(QZ_TYPE_Q8_0)->encode(r.source + k * COLS, NULL, COLS, r.coded + k * (COLS / 32 * 34));
    r.plan = (qz_artifact_plan){.spec = {.name = "test"}, .items = r.items, .n_items = ITEMS};
    r.m = (qz_model){.tensors = r.views, .n_tensors = ITEMS};
    assert_int_equal(qz_proof_open(&r.p, &r.run, &r.plan, &err), QZ_OK);
}
static void teardown(void) {
    qz_proof_release(&r.p);
    qz_run_release(&r.run);
}

static qz_status mean_all(qz_error *err) {
    qz_proof_begin(&r.p, PLAIN);
    QZ_TRY(qz_proof_float(&r.p, err));
    qz_proof_begin(&r.p, TURNED);
    QZ_TRY(qz_proof_float(&r.p, err));
    qz_proof_begin(&r.p, FOLDED);
    QZ_TRY(qz_proof_folded(&r.p, &(qz_folded){.name = "folded", .rows = 1, .cols = COLS + 5, .data = r.folded}, err));
    qz_proof_begin(&r.p, BLOCKS);
    for (size_t k = 0; k < ROWS; k += 40) { /* in pieces, as large tensors come */
        qz_quantized q = {.name = "blocks", .type = QZ_TYPE_Q8_0, .rows = 40, .cols = COLS,
                          .blocks = r.coded + k * (COLS / 32 * 34), .bytes = 40 * (COLS / 32 * 34)};
        QZ_TRY(qz_proof_blocks(&r.p, &q, err));
    }
    return QZ_OK;
}

static void same_on_all_threads(void **state) {
    (void)state;
    uint64_t first[ITEMS];
    for (size_t threads = 1; threads <= 5; threads += 2) {
        qz_error err = {0};
        setup(threads);
        if (mean_all(&err) != QZ_OK || qz_proof_compare(&r.p, &r.m, "artifact", &err) != QZ_OK)
            fail_msg("%zu threads: %s", threads, err.text);
        if (threads == 1) memcpy(first, r.p.sums, sizeof first);
        assert_memory_equal(first, r.p.sums, sizeof first);
        teardown();
    }
}

static void swap_rows(float *x, size_t a, size_t b) {
    float row[COLS];
    memcpy(row, x + a * COLS, sizeof row);
    memcpy(x + a * COLS, x + b * COLS, sizeof row);
    memcpy(x + b * COLS, row, sizeof row);
}
static void flip(float *x, unsigned bit) {
    uint32_t u;
    memcpy(&u, x, 4);
    u ^= 1u << bit;
    memcpy(x, &u, 4);
}

/* Each change of the file is found, and the tensor is named. */
static void spoil(int what) {
    float t;
    switch (what) {
    case 0: swap_rows(r.in_file[PLAIN], 0, ROWS - 1); break;
    case 1: swap_rows(r.in_file[PLAIN], 7, 8); break;
    case 2: flip(&r.in_file[PLAIN][5 * COLS + 17], 0); break;
    case 3: flip(&r.in_file[PLAIN][CELLS - 1], 31); break;
    case 4: t = r.in_file[PLAIN][40], r.in_file[PLAIN][40] = r.in_file[PLAIN][41], r.in_file[PLAIN][41] = t; break;
    /* one pair of lanes */
    case 5: t = r.in_file[PLAIN][40], r.in_file[PLAIN][40] = r.in_file[PLAIN][48], r.in_file[PLAIN][48] = t; break;
    case 6: memcpy(r.in_file[TURNED], r.source, sizeof r.source); break; /* the rows stand as in the source */
    case 7: swap_rows(r.in_file[TURNED], 1, 2); break;
    case 8: flip(&r.in_file[FOLDED][COLS + 4], 0); break; /* in the tail */
    case 9: r.in_file[FOLDED][0] = r.in_file[FOLDED][1]; break;
    case 10: r.coded[34 * 3 + 9] ^= 1; break;
    case 11: r.in_file[PLAIN][9] = NAN; break;
    case 12: r.in_file[FOLDED][COLS + 4] = -INFINITY; break;
    case 13: r.coded[1] = 0x7e; break; /* scale of a block: float16 NaN */
    case 14: r.views[PLAIN].rows--; break;
    case 15: r.views[FOLDED].name = "other"; break;
    case 16: r.p.known[BLOCKS] = 0; break;
    default: fail();
    }
}
static void every_change_is_found(void **state) {
    (void)state;
    static const char *const names[] = {"plain", "plain", "plain", "plain", "plain", "plain", "turned", "turned",
                                        "folded", "folded", "blocks",
                                        "plain", "folded", "blocks", "plain", "folded", "blocks"};
    for (int i = 0; i < (int)(sizeof names / sizeof names[0]); i++) {
        qz_error err = {0};
        setup(2);
        assert_int_equal(mean_all(&err), QZ_OK);
        spoil(i);
        qz_status st = qz_proof_compare(&r.p, &r.m, "artifact", &err);
        if (st != (i >= 11 && i <= 13 ? QZ_ENUMERIC : i >= 14 ? QZ_EBUG : QZ_EIO))
            fail_msg("change %d of '%s': status %d, %s", i, names[i], (int)st, err.text);
        if (!strstr(err.text, names[i])) fail_msg("change %d of '%s': not named: %s", i, names[i], err.text);
        teardown();
    }
}

/* What is meant must be finite too: NaN would equal NaN in the file. */
static void meant_nan(void **state) {
    (void)state;
    qz_error err = {0};
    setup(2);
    r.coded[34 * 9 * 150 + 1] = 0x7e;
    assert_int_equal(mean_all(&err), QZ_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "'blocks', row"));
    teardown();
    err = (qz_error){0};
    setup(2);
    /* float tensors: the writer refuses them, and so does the comparison */
    r.folded[2] = r.in_file[FOLDED][2] = INFINITY;
    assert_int_equal(mean_all(&err), QZ_OK);
    assert_int_equal(qz_proof_compare(&r.p, &r.m, "artifact", &err), QZ_ENUMERIC);
    teardown();
}

/* Rows that are missing or too many are no proof. */
static void all_rows(void **state) {
    (void)state;
    qz_error err = {0};
    setup(2);
    assert_int_equal(mean_all(&err), QZ_OK);
    qz_quantized q = {.name = "blocks", .type = QZ_TYPE_Q8_0, .rows = 40, .cols = COLS, .blocks = r.coded,
                      .bytes = 40 * (COLS / 32 * 34)};
    assert_int_equal(qz_proof_blocks(&r.p, &q, &err), QZ_EBUG);
    err = (qz_error){0};
    qz_proof_begin(&r.p, BLOCKS);
    assert_int_equal(qz_proof_blocks(&r.p, &q, &err), QZ_OK);
    assert_int_equal(qz_proof_compare(&r.p, &r.m, "artifact", &err), QZ_EBUG);
    teardown();
}

/* Memory that runs out is an error, never a tensor less. */
static void no_memory(void **state) {
    (void)state;
    setup(2);
    for (long n = 1;; n++) {
        qz_error err = {0};
        qz_proof p;
        qz_alloc_fail_after(n);
        qz_status st = qz_proof_open(&p, &r.run, &r.plan, &err);
        if (st == QZ_OK) { /* from here on nothing is allocated */
            qz_alloc_fail_after(1);
            qz_proof_release(&r.p);
            r.p = p;
            assert_int_equal(mean_all(&err), QZ_OK);
            assert_int_equal(qz_proof_compare(&r.p, &r.m, "artifact", &err), QZ_OK);
            qz_alloc_fail_after(0);
            assert_true(n > 3);
            break;
        }
        qz_alloc_fail_after(0);
        assert_int_equal(st, QZ_EMEMORY);
        assert_non_null(strstr(err.text, "out of memory for the proof"));
    }
    teardown();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_on_all_threads), cmocka_unit_test(every_change_is_found),
                                       cmocka_unit_test(meant_nan),
                                       cmocka_unit_test(all_rows), cmocka_unit_test(no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
