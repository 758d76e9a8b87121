#include "produce/catalog.h"
#include "artifacts/provenance.h"
#include "artifacts/schemes.h"
#include "base/io.h"
#include "base/size.h"
#include "base/str.h"
#include "model/leftovers.h"
#include "plan/shapes.h"
#include "text/lint.h"
#include "engine/engine.h"
#include "produce/recipe.h"
#include <string.h>

const char *qz_catalog_version(void) { return QZ_VERSION; }

void qz_catalog_print_schemes(FILE *f) {
    for (int s = 0; s < QZ_SCHEME_COUNT; s++) {
        const qz_scheme_info *info = qz_scheme_get((qz_scheme)s);
        (void)fprintf(f, "  %-12s%s\n              default %s; levels:", info->name, info->help, info->default_level);
        int at = 31 + (int)strlen(info->default_level);
        for (size_t i = 0; qz_scheme_level((qz_scheme)s, i); i++) {
            const char *l = qz_scheme_level((qz_scheme)s, i);
            if (at + 1 + (int)strlen(l) > 79) at = fprintf(f, "\n             ") - 1;
            at += fprintf(f, " %s", l);
        }
        (void)fputc('\n', f);
    }
}

qz_status qz_catalog_set_cpu(qz_run *run, const char *level, qz_error *err) {
    if (level == NULL) return QZ_OK;
    for (int i = 0; i < QZ_CPU_LEVELS; i++) {
        if (strcmp(qz_cpu_name((qz_cpu_level)i), level) != 0) continue;
        run->cpu = (qz_cpu_level)i;
        if (run->cpu <= qz_cpu_detect()) return QZ_OK;
        return qz_fail(err, QZ_EUNSUPPORTED, "this CPU has no %s: the highest level here is %s", level,
                       qz_cpu_name(qz_cpu_detect()));
    }
    return qz_fail(err, QZ_EUSAGE, "bad value '%s' for --cpu: expected ref, avx2 or avx512", level);
}

qz_status qz_catalog_check_accept(const char *codes, qz_error *err) {
    const char *known[64];
    size_t n = 0;
    known[n++] = QZ_CODE_UNUSED;
    known[n++] = QZ_CODE_KEYS;
    known[n++] = QZ_CODE_FLOAT;
    for (const char *c; (c = qz_lint_code_at(n - 3)) != NULL;) known[n++] = c;
    for (qz_piece p; qz_list_next(&codes, &p);) {
        char one[64];
        (void)snprintf(one, sizeof one, "%.*s", (int)qz_min_size(strcspn(p.at, ", "), sizeof one - 1), p.at);
        qz_near near = {.word = one};
        for (size_t i = 0; i < n; i++) (void)qz_near_see(&near, known[i]);
        if (p.n && strcmp(near.best, one) != 0)
            return qz_fail(err, QZ_EUSAGE,
                           "unknown code '%s' for --accept: nearest known is '%s'; codes stand in findings (CAL-…, "
                           "MOD-…)",
                           one, near.best);
        if (strlen(one) < p.n)
            return qz_fail(err, QZ_EUSAGE, "bad list of codes for --accept: expected commas between them, found '%s'",
                           p.at + strlen(one) + 1);
    }
    return QZ_OK;
}

const char *qz_catalog_recipe(const char *path, qz_arena *arena) {
    return qz_provenance_in(path, QZ_RECIPE_KEY, arena);
}

void qz_catalog_say_builtin(const char *const *operands, size_t n, qz_error *err) {
    for (size_t i = 0; i < n; i++) {
        if (strstr(err->text, "no such file") == NULL || strstr(err->text, operands[i]) == NULL) continue;
        if (qz_path_exists(operands[i]) || !qz_shape_is_builtin(operands[i])) continue;
        const qz_status st = err->code;
        *err = (qz_error){0};
        (void)qz_fail(err, st,
                      "'%s' is a built-in shape, numbers without weights: give the model's folder or a GGUF file "
                      "(plan, pick and check take shapes)",
                      operands[i]);
        return;
    }
}
