/* Errors of single blocks, from values worked out by hand. */
#include "artifacts/block_errors.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

enum { GROUP = 16, BLOCKS = 4, COLS = GROUP * BLOCKS };
static uint32_t bits = 4;
static qz_code_layout layout(const qz_coded *c) {
    return (qz_code_layout){.form = QZ_CODES_FLOAT, .name = "test", .bits = bits, .group = GROUP,
                            .groups = c->cols / GROUP};
}
static const qz_coded_ops ops = {.name = "test", .layout = layout};

static void by_hand(void **state) {
    const qz_coded coded = {.ops = &ops, .rows = 2, .cols = COLS};
    const qz_tensor_view y = {.name = "w", .type = QZ_TYPE_CODED, .rows = 2, .cols = COLS, .coded = &coded};
    qz_block_errors e = {0};
    float w[COLS], v[COLS];
    (void)state;
    assert_true(qz_block_errors_begin(&e, &y));
    assert_int_equal(e.block, GROUP);
    for (size_t k = 0; k < COLS; k++) w[k] = 1, v[k] = 1.125f;
    qz_block_errors_row(&e, &y, 0, w, v); /* four blocks of 12.5 % */
    memset(v, 0, sizeof v);
    for (size_t k = 0; k < GROUP; k++) v[k] = 1;          /* exact */
    for (size_t k = GROUP; k < 2 * GROUP; k++) w[k] = 0;  /* of zeros: does not count */
    for (size_t k = 2 * GROUP; k < 3 * GROUP; k++) v[k] = -1; /* 200 %; the last one becomes 0: 100 % */
    qz_block_errors_row(&e, &y, 1, w, v);
    assert_int_equal(e.blocks, 7);
    assert_int_equal(e.lost, 2);
    assert_true(fabs(e.sum - (4 * 0.125 + 0 + 2 + 1)) < 1e-12 && e.worst == 2);
    assert_string_equal(e.worst_tensor, "w");
    assert_true(e.worst_row == 1 && e.worst_block == 2 && qz_block_errors_p99(&e) == 2);
    qz_str s = {0};
    qz_block_errors_text(&e, &s);
    assert_string_equal(s.ptr, "error of blocks of 16: mean 50.0 %, 99 % below 200.0 %, worst 200.0 % (w, row 1, "
                               "block 2); of 7 blocks 2 lose everything");
    qz_str_release(&s);
    bits = 8; /* FP8 has no such blocks */
    assert_false(qz_block_errors_begin(&e, &y));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(by_hand)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
