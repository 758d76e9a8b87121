#include "cli/options.h"
#include "base/io.h"
#include "base/json.h"
#include "produce/catalog.h"
#include <string.h>

/* verify --rederive: what quantize is asked for where the artifact's recipe is taken again. */
qz_status qz_recipe_request(qz_arena *keep, qz_request *r, qz_error *err) {
    char *words[12] = {qz_arena_strdup(keep, "quantize"), qz_arena_printf(keep, "--config=%s", r->operands[0])};
    const struct { const char *option, *value; } given[] = {
        {"--calib", r->data}, {"--stats", r->stats}, {"--imatrix", r->imatrix}};
    int n = 2;
    bool help;
    qz_request *again = qz_arena_calloc(keep, 1, sizeof *again);
    if (r->source == NULL)
        return qz_fail(err, QZ_EUSAGE, "--rederive needs --source MODEL: what '%s' was made from", r->operands[0]);
    json_t *recipe = NULL;
    const char *text = qz_catalog_recipe(r->operands[0], keep);
    if (text == NULL && !qz_path_exists(r->operands[0])) return qz_path_missing(r->operands[0], err);
    if (text == NULL)
        return qz_fail(err, QZ_EUSAGE,
                       "'%s' records no recipe: --rederive makes again what quantz has made (compare other files with "
                       "'quantz diff')",
                       r->operands[0]);
    if (*text == '{') QZ_TRY(qz_json_parse(text, strlen(text), r->operands[0], &recipe, err));
    const bool converted = json_object_get(recipe, "verb") != NULL;
    const bool plain = json_is_object(recipe) && json_object_get(recipe, "with") == NULL;
    json_decref(recipe);
    if (converted)
        return qz_fail(err, QZ_EUSAGE,
                       "'%s' was converted: convert '%s' again and compare with 'quantz diff --strict'",
                       r->operands[0], r->source);
    if (plain && (r->data || r->stats || r->imatrix))
        return qz_fail(err, QZ_EUSAGE, "'%s' was made without calibration, by its recipe: leave --calib, --stats and "
                                       "--imatrix out", r->operands[0]);
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        if (given[i].value) words[n++] = qz_arena_printf(keep, "%s=%s", given[i].option, given[i].value);
    words[n++] = qz_arena_strdup(keep, "--");
    words[n++] = qz_arena_strdup(keep, r->source);
    char **at = qz_arena_alloc(keep, (size_t)n + 1, sizeof *at); /* its operands are pointed at */
    for (int i = 0; i < n; i++)
        if (words[i] == NULL || at == NULL || again == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    memcpy(at, words, ((size_t)n + 1) * sizeof *at);
    r->recipe = again;
    return qz_options_parse(qz_verb_find("quantize"), n, at, keep, again, &help, err);
}
