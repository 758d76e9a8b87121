/* Every scheme's row names methods that exist, for both searches, and the recipe finds them: a name misspelt in
 * schemes.def is found here, not when somebody quantizes. Truth: methods.def. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "artifacts/schemes.h"
#include "pipeline/recipe.h"

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
    static const struct { const char *to, *search, *propagate; bool tokens, stats; } cases[] = {
        {"gguf:Q4_K_M", "best", NULL, false, false}, {"gguf:Q4_K_M", "compat", NULL, false, false},
        {"bnb", "best", NULL, false, false}, {"awq", "best", "original", false, true},
        {"awq", "best", "quantized", true, true}, {"awq", "compat", NULL, true, false},
        {"gptq", "best", "quantized", true, true}, {"gptq", "compat", NULL, true, false},
        {"gptq", "compat", "original", false, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const qz_request r = {.search = cases[i].search, .propagate = cases[i].propagate};
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

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(schemes_name_methods), cmocka_unit_test(needs_follow_the_row)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
