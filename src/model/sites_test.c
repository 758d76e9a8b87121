/* The inputs of a block and the sites that read them: every site finds an input of its own width, every input is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "model/model.h"

static void must(qz_status st, const qz_error *err) {
    if (st != QZ_OK) fail_msg("%s", err->text);
}

static void check_layer(const qz_config *c, const qz_input_widths *w, size_t layer) {
    enum { MOST = 64 };
    bool read[MOST] = {false};
    qz_site sites[QZ_MAX_SITES];
    const size_t n = qz_sites(c, layer, sites), inputs = qz_inputs(w, layer);
    assert_in_range(inputs, QZ_GROUP_COUNT, MOST);
    assert_int_equal(inputs, qz_config_sparse(c, layer) ? 3 + 2 * c->experts : 4);
    for (size_t i = 0; i < n; i++)
        for (size_t e = 0; sites[i].kind != QZ_SITE_NORM && e < (sites[i].experts ? sites[i].experts : 1); e++) {
            const size_t at = qz_site_input(&sites[i], e);
            assert_in_range(at, 0, inputs - 1);
            const qz_input in = qz_input_at(w, layer, at);
            assert_int_equal(in.cols, sites[i].cols);
            assert_int_equal(in.expert, sites[i].experts ? (long)e : -1);
            if (sites[i].kind != QZ_SITE_ROUTER) assert_int_equal(in.group, qz_group_of((qz_linear)sites[i].part));
            read[at] = true;
        }
    for (size_t i = 0; i < inputs; i++) assert_true(read[i]);
}

static void sites_and_inputs_fit(void **state) {
    (void)state;
    static const char *const models[] = {"llama", "phi3", "gemma3", "mixtral", "qwen3_moe"};
    for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
        char path[128];
        qz_config c;
        qz_input_widths w;
        qz_error err = {0};
        (void)snprintf(path, sizeof path, "tests/golden/zoo/%s/config.json", models[m]);
        must(qz_config_load(path, &c, &err), &err);
        qz_input_widths_of(&c, &w);
        for (size_t l = 0; l < c.layers; l++) check_layer(&c, &w, l);
        assert_int_equal(qz_inputs(&w, c.layers), 1);
        assert_int_equal(qz_input_at(&w, c.layers, 0).cols, c.hidden_size);
    }
}

static void inputs_have_words(void **state) {
    (void)state;
    char buf[QZ_SITE_NAME];
    assert_string_equal(qz_input_text(&(qz_input){QZ_GROUP_DOWN, -1, 8}, buf), "mlp.down_proj");
    assert_string_equal(qz_input_text(&(qz_input){QZ_GROUP_DOWN, 3, 8}, buf), "expert 3 down");
    assert_string_equal(qz_input_text(&(qz_input){QZ_GROUP_GATE_UP, 12, 8}, buf), "expert 12 gate");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sites_and_inputs_fit), cmocka_unit_test(inputs_have_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
