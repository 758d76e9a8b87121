/* What `plan` was asked about: numbers, formats, the model. */
#include "model/leftovers.h"
#include "base/io.h"
#include "base/size.h"
#include "pipeline/plan.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

qz_status qz_plan_numbers(const char *text, const char *option, uint64_t most, qz_arena *arena, uint64_t **out, size_t *n, qz_error *err) {
    size_t count = 1;
    for (const char *c = text; *c; c++) count += *c == ',';
    *out = qz_arena_alloc(arena, count, sizeof **out);
    *n = 0;
    if (*out == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    for (const char *p = text;; p++) {
        char *end;
        errno = 0;
        unsigned long long v = isdigit((unsigned char)*p) ? strtoull(p, &end, 10) : 0;
        bool bad = !isdigit((unsigned char)*p) || errno != 0;
        if (!bad && (*end == 'k' || *end == 'K')) bad = v > most, v *= 1024, end++;
        if (!bad && *end != ',' && *end != 0) bad = true;
        if (bad || v < 1 || v > most)
            return qz_fail(err, QZ_EUSAGE, "bad value '%s' for --%s: expected whole numbers from 1 to %llu, for example 4096 or 4k,32k", text, option,
                           (unsigned long long)most);
        (*out)[(*n)++] = v;
        if (*end == 0) return QZ_OK;
        p = end;
    }
}

qz_status qz_plan_levels(const char *text, qz_arena *arena, qz_level **out, size_t *n, qz_error *err) {
    static const qz_level usual[] = {QZ_LEVEL_BF16,        QZ_LEVEL_FP8_TENSOR, QZ_LEVEL_INT8,        QZ_LEVEL_AWQ_G128,    QZ_LEVEL_GPTQ_G128,
                                     QZ_LEVEL_CT_W4A16,    QZ_LEVEL_MXFP4,      QZ_LEVEL_NVFP4,       QZ_LEVEL_BNB_NF4,         QZ_LEVEL_NF4_DOUBLE,
                                     QZ_LEVEL_GGUF_Q8_0,   QZ_LEVEL_GGUF_Q6_K,  QZ_LEVEL_GGUF_Q5_K_M, QZ_LEVEL_GGUF_Q4_K_M, QZ_LEVEL_GGUF_IQ4_XS,
                                     QZ_LEVEL_GGUF_Q3_K_M, QZ_LEVEL_GGUF_Q2_K};
    bool all = strcmp(text, "all") == 0, gguf = strcmp(text, "gguf") == 0;
    *out = qz_arena_alloc(arena, QZ_LEVEL_COUNT + strlen(text) + 1, sizeof **out);
    *n = 0;
    if (*out == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    if (strcmp(text, "default") == 0) {
        memcpy(*out, usual, sizeof usual);
        *n = sizeof usual / sizeof usual[0];
        return QZ_OK;
    }
    for (int i = 0; i < QZ_LEVEL_COUNT && (all || gguf); i++)
        if (all || qz_level_get((qz_level)i)->kind == QZ_LEVEL_GGUF) (*out)[(*n)++] = (qz_level)i;
    for (const char *p = text; !all && !gguf && *p;) {
        char one[64];
        size_t k = strcspn(p, ",");
        (void)snprintf(one, sizeof one, "%.*s", (int)qz_min_size(k, 63), p);
        QZ_TRY(qz_level_parse(one, &(*out)[*n], err));
        (*n)++;
        p += k + (p[k] == ',');
    }
    return *n ? QZ_OK : qz_fail(err, QZ_EUSAGE, "no format is asked for; use --formats, for example --formats awq,Q4_K_M");
}

static bool has_weights(const char *dir) {
    static const char *const files[] = {"model.safetensors", "model.safetensors.index.json"};
    bool yes = false;
    for (size_t i = 0; i < 2; i++) {
        char *p = qz_path_join(dir, files[i]);
        yes |= p && qz_path_exists(p);
        qz_free(p);
    }
    return yes;
}

/* With weights at hand their real bytes and the tokenizer count too; what this program cannot open is planned from config.json. */
static qz_status open_weights(qz_run *run, const char *path, bool must, qz_plan_view *v, qz_error *err) {
    qz_error why = {0};
    qz_status st = qz_source_open(run, path, &v->source, &why);
    if (st != QZ_OK && (must || st != QZ_EUNSUPPORTED)) return qz_fail(err, st, "%s", why.text);
    v->opened = st == QZ_OK;
    if (!v->opened) qz_info(run, "the weights are not read (%s): planned from config.json", why.text);
    return QZ_OK;
}

qz_status qz_plan_open_model(qz_run *run, const char *operand, qz_plan_view *v, qz_error *err) {
    bool there = qz_path_exists(operand), dir = there && qz_path_is_dir(operand);
    size_t n = strlen(operand);
    if (!there) {
        bool path = strchr(operand, '/') != NULL || (n > 5 && strcmp(operand + n - 5, ".json") == 0) || (n > 5 && strcmp(operand + n - 5, ".gguf") == 0);
        if (path && !qz_shape_is_builtin(operand)) return qz_fail(err, QZ_EUSAGE, "no such file or folder: '%s'", operand);
        return qz_shape_builtin(operand, &v->shape, err);
    }
    if (!dir && n > 5 && strcasecmp(operand + n - 5, ".gguf") == 0) {
        QZ_TRY(open_weights(run, operand, true, v, err));
        return qz_shape_from_model(v->source.model, v->source.name, &v->shape, err);
    }
    QZ_TRY(qz_shape_load(operand, &v->shape, err));
    v->dir = dir ? operand : NULL;
    qz_keys_say(run, operand, &v->shape->config.keys);
    return dir && v->shape->runs && has_weights(operand) ? open_weights(run, operand, false, v, err) : QZ_OK;
}
