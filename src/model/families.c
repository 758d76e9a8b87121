#include "model/config.h"
#include "model/families.h"
#include "base/str.h"
#include <string.h>

static const qz_family_info families[QZ_FAMILY_ALL] = {
#define QZ_FAMILY(id, ...) [QZ_FAMILY_##id] = {__VA_ARGS__},
#define QZ_PLANNED_FAMILY(id, ...) [QZ_FAMILY_##id] = {__VA_ARGS__},
#include "model/families.def"
#undef QZ_FAMILY
#undef QZ_PLANNED_FAMILY
};

static const qz_named_family named[] = {
#define QZ_FAMILY(id, ...)
#define QZ_NAMED_FAMILY(name, gguf, blocks) {name, gguf, blocks},
#include "model/families.def"
#undef QZ_FAMILY
#undef QZ_NAMED_FAMILY
};
const qz_named_family *qz_family_named(size_t i) { return i < sizeof named / sizeof *named ? &named[i] : NULL; }

static const qz_number numbers[QZ_NUMBERS] = {
#define QZ_NUMBER(field, key, gguf, neutral) [QZ_NUMBER_##field] = {key, gguf, neutral},
#include "model/numbers.def"
#undef QZ_NUMBER
};
static const qz_layer_flag flags[QZ_LAYER_FLAGS] = {
#define QZ_LAYER_FLAG(field, list, interval, words) [QZ_LAYER_FLAG_##field] = {list, interval, words},
#include "model/layer_flags.def"
#undef QZ_LAYER_FLAG
};
const qz_layer_flag *qz_layer_flag_get(int i) { return &flags[i]; }
uint8_t *qz_config_layer_flag(qz_config *c, int i) {
    uint8_t *const at[QZ_LAYER_FLAGS] = {
#define QZ_LAYER_FLAG(field, list, interval, words) [QZ_LAYER_FLAG_##field] = c->field,
#include "model/layer_flags.def"
#undef QZ_LAYER_FLAG
    };
    return at[i];
}
const qz_number *qz_number_get(int i) { return &numbers[i]; }
static double *number_at(qz_config *c, int i) {
    double *const at[QZ_NUMBERS] = {
#define QZ_NUMBER(field, key, gguf, neutral) [QZ_NUMBER_##field] = &c->field,
#include "model/numbers.def"
#undef QZ_NUMBER
    };
    return at[i];
}
double qz_config_number(const qz_config *c, int i) { return *number_at((qz_config *)(uintptr_t)c, i); }
void qz_config_set_number(qz_config *c, int i, double x) { *number_at(c, i) = x; }

void qz_config_kinds(qz_config *c) {
    const qz_family_info *f = qz_family_get(c->family);
    c->ffn = f->ffn;
    c->no_norms_before = f->no_norms_before;
    c->parallel = f->parallel;
    c->stream_ffn = f->stream_ffn;
    c->norm_mean = f->norm_mean;
    c->norm_bias = f->norm_bias;
    c->qk_norm_whole = f->qk_norm_whole;
    for (size_t l = 0; l < c->layers; l++) {
        const bool full = f->pattern && (l + 1) % f->pattern == 0;
        c->layer_mixer[l] = (uint8_t)(full ? QZ_KIND_ATTENTION : f->mixer);
    }
}

const qz_family_info *qz_family_get(qz_family f) { return &families[f]; }

qz_family qz_family_by_name(const char *model_type) {
    for (int i = 0; i < QZ_FAMILY_COUNT; i++)
        if (strcmp(families[i].name, model_type) == 0) return (qz_family)i;
    return QZ_FAMILY_COUNT;
}
qz_family qz_family_by_wrapper(const char *model_type, const char *inner) {
    for (int i = 0; i < QZ_FAMILY_COUNT; i++)
        if (families[i].wrapper && strcmp(families[i].wrapper, model_type) == 0 &&
            (inner == NULL || strcmp(families[i].name, inner) == 0))
            return (qz_family)i;
    return QZ_FAMILY_COUNT;
}
/* Only its memory is known, and that is what is wrong with it. */
static qz_status planned_alone(const char *type, const char *file, qz_error *err) {
    return qz_fail(err, QZ_EUNSUPPORTED,
                   "model family '%s' does not run here: file '%s', key 'model_type': plan, pick, check and inspect "
                   "know its shape, nothing here computes it; use another engine",
                   type, file);
}
qz_status qz_family_unknown(const char *type, const char *file, qz_error *err) {
    for (size_t i = 0; qz_family_named(i); i++)
        if (strcmp(qz_family_named(i)->name, type) == 0)
            return qz_fail(err, QZ_EUNSUPPORTED,
                           "model family '%s' is known by name and does not run here: file '%s', key 'model_type': "
                           "nothing here computes %s; its files are read (inspect, verify, check) and coded "
                           "without data",
                           type, file, qz_family_named(i)->blocks);
    qz_near near = {.word = type};
    int best = -1; /* a name that begins so: gemma3 stands for gemma3_text rather than for gemma2 */
    for (int i = 0; i < QZ_FAMILY_ALL && best < 0; i++) {
        if (i == QZ_FAMILY_COUNT) continue;
        (void)qz_near_see(&near, families[i].name);
        if (qz_str_starts(families[i].name, type)) best = i;
    }
    if (qz_family_planned(type) != QZ_FAMILY_COUNT && (best < 0 || best > QZ_FAMILY_COUNT))
        return planned_alone(type, file, err);
    /* the row between the two parts has no name */
    if (best < 0) best = (int)near.at + ((int)near.at >= QZ_FAMILY_COUNT);
    return qz_fail(err, QZ_EUNSUPPORTED,
                   "unknown model family '%s': file '%s', key 'model_type': nearest known is '%s'%s", type, file,
                   families[best].name, best > QZ_FAMILY_COUNT ? ", of which 'quantz plan' knows the memory only" : "");
}
qz_family qz_family_by_gguf_arch(const char *arch) {
    for (int i = 0; i < QZ_FAMILY_COUNT; i++)
        if (families[i].gguf_arch && strcmp(families[i].gguf_arch, arch) == 0)
            return (qz_family)i; /* first row: llama stands for mistral too */
    return QZ_FAMILY_COUNT;
}
qz_family qz_family_planned(const char *model_type) {
    for (int i = QZ_FAMILY_COUNT + 1; i < QZ_FAMILY_ALL; i++)
        if (strcmp(families[i].name, model_type) == 0 ||
            (families[i].wrapper && strcmp(families[i].wrapper, model_type) == 0))
            return (qz_family)i;
    return QZ_FAMILY_COUNT;
}
