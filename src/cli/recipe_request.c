#include "cli/options.h"
#include "base/io.h"
#include "base/json.h"
#include "produce/catalog.h"
#include <string.h>

/* verify --rederive, drift --merged: what quantize is asked for where the artifact's recipe is taken again. */
qz_status qz_recipe_request(qz_arena *keep, qz_request *r, qz_error *err) {
    const char *artifact = r->on ? r->on : r->operands[0], *source = r->on ? r->base : r->source,
               *why = r->on ? "--merged" : "--rederive";
    if (artifact == NULL || (r->on == NULL && r->merged)) return QZ_OK; /* drift says what is missing */
    char *words[12] = {qz_arena_strdup(keep, "quantize"), qz_arena_printf(keep, "--config=%s", artifact)};
    const struct { const char *option, *value; } given[] = {
        {"--calib", r->data}, {"--stats", r->stats}, {"--imatrix", r->imatrix}};
    int n = 2;
    bool help;
    qz_request *again = qz_arena_calloc(keep, 1, sizeof *again);
    if (source == NULL && r->on) return QZ_OK;
    if (source == NULL)
        return qz_fail(err, QZ_EUSAGE, "--rederive needs --source MODEL: what '%s' was made from", artifact);
    json_t *recipe = NULL;
    const char *text = qz_catalog_recipe(artifact, keep);
    if (text == NULL && !qz_path_exists(artifact)) return qz_path_missing(artifact, err);
    if (text == NULL)
        return qz_fail(err, QZ_EUSAGE,
                       "'%s' records no recipe: %s makes again what quantz has made (compare other files with "
                       "'quantz diff')",
                       artifact, why);
    if (*text == '{') QZ_TRY(qz_json_parse(text, strlen(text), artifact, &recipe, err));
    const bool converted = json_object_get(recipe, "verb") != NULL;
    const bool plain = json_is_object(recipe) && json_object_get(recipe, "with") == NULL;
    json_decref(recipe);
    if (converted)
        return qz_fail(err, QZ_EUSAGE,
                       "'%s' was converted, which %s does not repeat: convert '%s' again and compare with 'quantz diff "
                       "--strict'",
                       artifact, why, source);
    if (plain && !r->on && (r->data || r->stats || r->imatrix))
        return qz_fail(err, QZ_EUSAGE, "'%s' was made without calibration, by its recipe: leave --calib, --stats and "
                                       "--imatrix out", artifact);
    for (size_t i = 0; !plain && i < sizeof given / sizeof *given; i++)
        if (given[i].value) words[n++] = qz_arena_printf(keep, "%s=%s", given[i].option, given[i].value);
    words[n++] = qz_arena_strdup(keep, "--");
    words[n++] = qz_arena_strdup(keep, source);
    char **at = qz_arena_alloc(keep, (size_t)n + 1, sizeof *at); /* its operands are pointed at */
    for (int i = 0; i < n; i++)
        if (words[i] == NULL || at == NULL || again == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    memcpy(at, words, ((size_t)n + 1) * sizeof *at);
    r->recipe = again;
    return qz_options_parse(qz_verb_find("quantize"), n, at, keep, again, &help, err);
}
