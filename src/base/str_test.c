/* Lists with commas and the nearest name. Truth: the rules that the header states. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/str.h"

/* The parts of a list, each in brackets. */
static void parts_are(const char *list, const char *want) {
    qz_str s = {0};
    size_t n = 0;
    const char *p = list;
    for (qz_piece x; qz_list_next(&p, &x); n++) qz_str_printf(&s, "[%.*s]", (int)x.n, x.at);
    assert_string_equal(s.ptr ? s.ptr : "", want);
    assert_true(n <= qz_list_count(list));
    qz_str_release(&s);
}
static void lists(void **state) {
    (void)state;
    parts_are(NULL, "");
    parts_are("", "");
    parts_are("awq", "[awq]");
    parts_are("awq,gguf:Q4_K_M", "[awq][gguf:Q4_K_M]");
    parts_are(" a b ,c, d", "[a b][c][d]");
    parts_are("a,,b,", "[a][][b]");
    parts_are(",", "[]");
    assert_true(qz_list_has("CAL-DUP, CAL-LEAK", "CAL-LEAK"));
    assert_false(qz_list_has("CAL-DUP", "CAL-DU"));
    assert_false(qz_list_has("CAL-DUP", "CAL-DUPE"));
    assert_false(qz_list_has("cal-dup", "CAL-DUP"));
    assert_true(qz_list_has("*", "anything"));
    assert_false(qz_list_has(NULL, "CAL-DUP"));
    assert_true(qz_piece_is((qz_piece){"int8,fp8", 4}, "INT8"));
    assert_false(qz_piece_is((qz_piece){"int8,fp8", 4}, "int88"));
}
static void nearest(void **state) {
    (void)state;
    qz_near n = {.word = "gpqt"};
    assert_null(n.best);
    assert_true(qz_near_see(&n, "awq"));
    assert_true(qz_near_see(&n, "gptq"));
    assert_false(qz_near_see(&n, "gqpt")); /* as near: the first stays */
    assert_string_equal(n.best, "gptq");
    assert_int_equal(n.at, 1);
    qz_near far = {.word = "zzzzz", .limit = 3};
    assert_false(qz_near_see(&far, "awq"));
    assert_null(far.best);
    qz_near as = {.word = "4090"};
    assert_true(qz_near_as(&as, "rtx4090", "RTX 4090"));
    assert_false(qz_near_as(&as, "rtx4090ti", "RTX 4090 Ti"));
    assert_string_equal(as.best, "RTX 4090");
}
int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists), cmocka_unit_test(nearest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
