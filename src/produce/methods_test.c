/* Every scheme's row names methods that exist, for both searches, and the recipe finds them: a name misspelt in
 * schemes.def is found here, not when somebody quantizes. Truth: methods.def. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "artifacts/schemes.h"
#include "produce/recipe.h"

static void schemes_name_methods(void **state) {
    (void)state;
    for (qz_scheme s = 0; s < QZ_SCHEME_COUNT; s++)
        for (int compat = 0; compat < 2; compat++) {
            const qz_scheme_info *info = qz_scheme_get(s);
            const char *name = compat ? info->compat : info->best;
            const qz_request r = {.search = compat ? "compat" : "best"};
            qz_arena arena = {0};
            qz_recipe recipe;
            qz_error err = {0};
            if (qz_method_named(name) == NULL) fail_msg("scheme %s: unknown method '%s'", info->name, name);
            if (qz_recipe_make(&r, info->name, &arena, &recipe, &err) != QZ_OK) fail_msg("%s", err.text);
            assert_string_equal(qz_recipe_method(&recipe)->name, name);
            qz_arena_release(&arena);
        }
}

/* What the verbs ask before any work, by scheme and search. */
static void needs_follow_the_row(void **state) {
    (void)state;
    static const struct { const char *to, *search, *propagate; bool tokens, stats; const char *data; } cases[] = {
        {"gguf:Q4_K_M", "best", NULL, true, true, "d"}, {"gguf:Q4_K_M", "best", "original", false, false, "d"},
        {"gguf:Q4_K_M", "best", "quantized", true, true, "d"}, {"gguf:Q4_K_M", "compat", NULL, false, false, "d"},
        {"gguf:Q4_K_M", "best", NULL, false, false, NULL}, {"gguf:Q4_K_M", "compat", NULL, false, false, NULL},
        {"bnb", "best", NULL, false, false, NULL}, {"awq", "best", "original", false, true, NULL},
        {"awq", "best", "quantized", true, true, NULL}, {"awq", "compat", NULL, true, false, NULL},
        {"gptq", "best", "quantized", true, true, NULL}, {"gptq", "compat", NULL, true, false, NULL},
        {"gptq", "compat", "original", false, true, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const qz_request r = {.search = cases[i].search, .propagate = cases[i].propagate, .data = cases[i].data};
        qz_arena arena = {0};
        qz_recipe recipe;
        qz_error err = {0};
        if (qz_recipe_make(&r, cases[i].to, &arena, &recipe, &err) != QZ_OK) fail_msg("%s", err.text);
        if (qz_recipe_needs_tokens(&recipe) != cases[i].tokens || qz_recipe_needs_stats(&recipe) != cases[i].stats)
            fail_msg("case %zu, %s: tokens %d, statistics %d", i, cases[i].to, qz_recipe_needs_tokens(&recipe),
                     qz_recipe_needs_stats(&recipe));
        qz_arena_release(&arena);
    }
}

/* GGUF goes layer by layer where it can: by itself only then, and asked for in vain it says why. */
static void block_types_flow(void **state) {
    (void)state;
    static const struct { qz_request r; bool flows; const char *refused; } cases[] = {
        {{.search = "best", .data = "d"}, true, NULL},
        {{.search = "best", .data = "d", .imatrix = "i"}, false, "--imatrix stands for the tokens"},
        {{.search = "best", .data = "d", .keep_split = true}, false, "--keep-split"},
        {{.search = "best", .stats = "s"}, false, "give --calib FILE"},
        {{.search = "best", .data = "d", .stats = "s"}, false, NULL},
        {{.search = "best", .data = "d", .effort = "normal"}, false, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int asked = 0; asked < 2; asked++) {
            qz_request r = cases[i].r;
            qz_arena arena = {0};
            qz_recipe recipe;
            qz_error err = {0};
            r.propagate = asked ? "quantized" : NULL;
            const qz_status st = qz_recipe_make(&r, "gguf:Q4_0", &arena, &recipe, &err);
            if (asked && cases[i].refused) {
                assert_int_equal(st, QZ_EUSAGE);
                if (strstr(err.text, cases[i].refused) == NULL) fail_msg("case %zu: %s", i, err.text);
            } else {
                if (st != QZ_OK) fail_msg("case %zu: %s", i, err.text);
                if (recipe.codes.propagate != (asked || cases[i].flows)) fail_msg("case %zu, asked %d", i, asked);
            }
            qz_arena_release(&arena);
        }
}

/* What a level leaves out is in the recipe: read back it makes the same bytes. */
static void effort_is_recorded(void **state) {
    (void)state;
    static const struct { const char *effort, *to; bool flows, descent; size_t windows; const char *text; } cases[] = {
        {NULL, "gptq", true, true, 128, "\"propagate\":\"quantized\""},
        {"default", "awq", true, true, 128, "\"samples\":128"},
        {"high", "gptq", true, true, 128, "\"propagate\":\"quantized\""},
        {"fast", "gptq", false, false, 32, "\"without\":\"descent,refit,norms\""},
        {"fast", "gguf:Q4_K_M", false, true, 32, "\"effort\":\"fast\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const qz_request r = {.search = "best", .data = "d", .samples = 128, .seq_len = 512, .effort = cases[i].effort};
        qz_arena arena = {0};
        qz_recipe c;
        qz_error err = {0};
        qz_str text = {0};
        if (qz_recipe_make(&r, cases[i].to, &arena, &c, &err) != QZ_OK) fail_msg("%s", err.text);
        assert_int_equal(c.codes.propagate, cases[i].flows);
        assert_int_equal(c.codes.descent, cases[i].descent);
        assert_int_equal(c.calibration.windows.most, cases[i].windows);
        qz_recipe_json(&c, true, &text);
        if (strstr(text.ptr, cases[i].text) == NULL) fail_msg("case %zu: no %s in %s", i, cases[i].text, text.ptr);
        qz_str_release(&text);
        qz_arena_release(&arena);
    }
    qz_request bad = {.search = "best", .effort = "slow"};
    qz_arena arena = {0};
    qz_recipe c;
    qz_error err = {0};
    assert_int_equal(qz_recipe_make(&bad, "gptq", &arena, &c, &err), QZ_EUSAGE);
    bad.effort = "fast", bad.search = "compat";
    assert_int_equal(qz_recipe_make(&bad, "gptq", &arena, &c, &err), QZ_EUSAGE);
    qz_arena_release(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(schemes_name_methods), cmocka_unit_test(needs_follow_the_row),
                                       cmocka_unit_test(block_types_flow), cmocka_unit_test(effort_is_recorded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
