/* Fuzz target of settings in a file (quantize --config): what is accepted makes a recipe or is refused with words, and
 * the recipe's own JSON is accepted and makes the same recipe. */
#include <stdlib.h>
#include <string.h>
#include "cli/config_file.h"
#include "fuzz_file.h"
#include "produce/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_say(const qz_error *err) {
    if (!err->text[0]) abort();
}

/* The recipe's JSON of a file of settings; false: refused. */
static bool recipe_of(const char *path, qz_arena *keep, qz_str *json) {
    const qz_verb *v = qz_verb_find("quantize");
    qz_scheme_parts parts;
    qz_request r = {.verb = v->name, .samples = 128, .seq_len = 512, .data = "x"};
    qz_recipe c;
    qz_error err = {0};
    qz_scheme_parts_init(&parts);
    qz_status st = qz_config_file_apply(v, path, keep, &parts, &r, &err);
    if (st == QZ_OK) st = qz_scheme_parts_join(v, &parts, keep, &r, &err);
    if (st == QZ_OK && r.to == NULL) return false;
    if (st == QZ_OK) st = qz_recipe_make(&r, r.to, keep, &c, &err);
    if (st != QZ_OK) return must_say(&err), false;
    qz_recipe_json(&c, true, json);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64];
    qz_arena keep = {0};
    qz_str json = {0}, again = {0};
    int fd = fuzz_file(data, size, path);
    const bool made = recipe_of(path, &keep, &json);
    close(fd);
    if (made) {
        fd = fuzz_file((const uint8_t *)json.ptr, json.len, path);
        if (!recipe_of(path, &keep, &again) || strcmp(json.ptr, again.ptr) != 0) abort();
        close(fd);
    }
    qz_str_release(&json);
    qz_str_release(&again);
    qz_arena_release(&keep);
    return 0;
}
