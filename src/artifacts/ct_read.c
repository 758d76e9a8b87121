/* Reading of compressed-tensors folders: config_groups give each module its setting (names and patterns first, in the
 * order of the file, then the class), the setting's format reads its tensors. Strict readers refuse unknown keys of a
 * scheme, so they are refused here. Source: formats/hf-compressed-tensors.md sections 1, 2 and 9. */
#include "artifacts/ct_int.h"
#include "artifacts/module_rules.h"
#include "base/size.h"
#include "formats/dtypes.h"
#include "model/leftovers.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { GROUPS_MOST = 64 };
typedef struct { const json_t *targets; qz_ct_setting setting; const char *name; size_t used; } group;
typedef struct {
    group of[GROUPS_MOST];
    size_t n;
    size_t unnamed;               /* coded modules that no target names */
    char first[QZ_ST_MAX_NAME];   /* of these */
} groups;

qz_status qz_ct_wrong(const qz_folder_config *f, const char *what, const char *found, qz_error *err) {
    return qz_fail(err, QZ_EUNSUPPORTED,
                   "compressed-tensors that this program does not read yet: file '%s', key '%s': expected FP8 weights "
                   "by channel, tensor or 128 x 128 blocks, NVFP4, MXFP4, MXFP6 or MXFP8, or integers of 2 to 8 bits "
                   "by group, channel or tensor, found '%.60s'",
                   f->file, what, found ? found : "nothing");
}

/* What no library has: such a file runs nowhere. */
static qz_status no_word(const qz_folder_config *f, const char *key, const char *words, const char *found,
                         qz_error *err) {
    return qz_fail(err, QZ_EFORMAT,
                   "a setting that compressed-tensors does not have: file '%s', key '%s': expected one of %s, found "
                   "'%.60s'; correct the settings", f->file, key, words, found ? found : "no string");
}

/* ---- settings ---- */
/* Keys of a scheme's arguments: strict readers refuse the file for any other. */
static qz_status known_keys(const qz_folder_config *f, const json_t *arguments, qz_error *err) {
    static const char *const keys[] = { "num_bits",        "type",           "symmetric", "group_size",  "strategy",
                                        "block_structure", "dynamic",        "actorder",  "scale_dtype", "zp_dtype",
                                        "observer",        "observer_kwargs" };
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)arguments, key, v) {
        bool known = json_is_null(v);
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) known |= strcmp(keys[i], key) == 0;
        if (!known) return qz_ct_wrong(f, "config_groups", key, err);
    }
    return QZ_OK;
}

static qz_status read_number(const qz_folder_config *f, const json_t *o, const char *key, json_int_t least,
                             json_int_t *out, qz_error *err) {
    const json_t *v = json_object_get(o, key);
    char text[24];
    *out = 0;
    if (!v || json_is_null(v)) return QZ_OK;
    *out = json_integer_value(v);
    if (json_is_integer(v) && *out >= least && *out <= INT32_MAX && *out != 0) return QZ_OK;
    (void)snprintf(text, sizeof text, "%lld", (long long)*out);
    return qz_ct_wrong(f, key, json_is_integer(v) ? text : "no number", err);
}

static qz_status read_scale(const qz_folder_config *f, const json_t *o, qz_ct_args *a, qz_error *err) {
    const json_t *v = json_object_get(o, "scale_dtype");
    const char *s = json_string_value(v);
    a->scale = QZ_CT_SCALE_OWN;
    if (!v || json_is_null(v)) return QZ_OK;
    static const struct { const char *name; qz_ct_scale scale; } names[] = {
        { "torch.float8_e4m3fn", QZ_CT_SCALE_E4M3 }, { "torch.uint8", QZ_CT_SCALE_E8M0 },
        { "torch.bfloat16", QZ_CT_SCALE_OWN },       { "torch.float16", QZ_CT_SCALE_OWN },
        { "torch.float32", QZ_CT_SCALE_OWN },
    };
    for (size_t i = 0; s && i < sizeof names / sizeof *names; i++)
        if (strcmp(s, names[i].name) == 0) return a->scale = names[i].scale, QZ_OK;
    return qz_ct_wrong(f, "scale_dtype", s, err);
}

static qz_status read_strategy(const qz_folder_config *f, const json_t *o, qz_ct_args *a, qz_error *err) {
    const char *s = json_string_value(json_object_get(o, "strategy"));
    json_int_t columns;
    QZ_TRY(read_number(f, o, "group_size", -1, &columns, err));
    a->group_size = columns > 0 ? (uint32_t)columns : 0;
    a->strategy = !s ? columns > 0 ? QZ_CT_GROUP : columns < 0 ? QZ_CT_CHANNEL : QZ_CT_TENSOR : QZ_CT_NONE;
    for (int i = QZ_CT_NONE + 1; s && i < QZ_CT_STRATEGIES; i++)
        if (strcmp(s, qz_ct_strategy_name((qz_ct_strategy)i)) == 0) a->strategy = (qz_ct_strategy)i;
    if (s && strcmp(s, "attn_head") == 0) return qz_ct_wrong(f, "strategy", s, err); /* of a cache */
    if (a->strategy == QZ_CT_NONE)
        return no_word(f, "strategy", "tensor, channel, group, block, token, tensor_group, attn_head", s, err);
    const bool grouped = a->strategy == QZ_CT_GROUP || a->strategy == QZ_CT_TENSOR_GROUP;
    if (grouped != (a->group_size > 0))
        return qz_ct_wrong(f, "group_size", grouped ? "none" : "one, without groups", err);
    const json_t *b = json_object_get(o, "block_structure");
    if (a->strategy == QZ_CT_BLOCK) {
        const json_int_t rows = json_integer_value(json_array_get(b, 0)),
                         cols = json_integer_value(json_array_get(b, 1));
        if (json_array_size(b) != 2 || rows < 1 || cols < 1 || rows > INT32_MAX || cols > INT32_MAX)
            return qz_ct_wrong(f, "block_structure", "another", err);
        a->block_rows = (uint32_t)rows, a->block_cols = (uint32_t)cols;
    }
    return QZ_OK;
}

/* Words of two keys: what is none of them is another library's. Order of columns: "weight" changes nothing of what is
 * stored, "group" comes with weight_g_idx. */
static qz_status known_words(const qz_folder_config *f, const json_t *o, qz_error *err) {
    static const struct { const char *key, *words; } rows[] = {
        { "actorder", "weight,static,group,dynamic" },
        { "zp_dtype", "torch.int8,torch.uint8,torch.int32,torch.float8_e4m3fn" } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const json_t *v = json_object_get(o, rows[i].key);
        const char *s = json_string_value(v), *list = rows[i].words;
        bool known = !v || json_is_null(v) || (i == 0 && json_is_boolean(v));
        for (qz_piece word; s && !known && qz_list_next(&list, &word);) known = qz_piece_is(word, s);
        if (!known) return no_word(f, rows[i].key, rows[i].words, s, err);
    }
    return QZ_OK;
}

static qz_status read_args(const qz_folder_config *f, const json_t *o, qz_ct_args *a, qz_error *err) {
    const json_t *type = json_object_get(o, "type"), *dynamic = json_object_get(o, "dynamic");
    json_int_t bits;
    *a = (qz_ct_args){ .strategy = QZ_CT_NONE };
    if (!json_is_object(o)) return QZ_OK;
    QZ_TRY(known_keys(f, o, err));
    QZ_TRY(known_words(f, o, err));
    QZ_TRY(read_number(f, o, "num_bits", 1, &bits, err));
    const char *name = type ? json_string_value(type) : "int";
    if (!name || (strcmp(name, "int") != 0 && strcmp(name, "float") != 0))
        return qz_ct_wrong(f, "config_groups", name, err);
    a->is_float = name[0] == 'f';
    a->bits = bits ? (uint32_t)bits : 8;
    a->asym = json_is_false(json_object_get(o, "symmetric"));
    a->dynamic = json_is_true(dynamic);
    a->local = json_is_string(dynamic) && strcmp(json_string_value(dynamic), "local") == 0;
    QZ_TRY(read_scale(f, o, a, err));
    return read_strategy(f, o, a, err);
}

static const qz_ct_format *format_named(const char *name) {
    for (size_t i = 0; name && qz_ct_format_at(i); i++) {
        const qz_ct_format *x = qz_ct_format_at(i);
        if (strcmp(x->name, name) == 0 || (x->also && strcmp(x->also, name) == 0)) return x;
    }
    return NULL;
}

/* Formats of the library that are not read here. */
static bool foreign_format(const char *name) {
    return strcmp(name, "marlin-24") == 0 || strcmp(name, "fakequant") == 0 || strncmp(name, "sparse", 6) == 0;
}

static qz_status read_group(const qz_folder_config *f, const json_t *v, const char *format, group *g, qz_error *err) {
    const json_t *w = json_object_get(v, "weights"), *in = json_object_get(v, "input_activations"),
                 *out = json_object_get(v, "output_activations");
    const char *own = json_string_value(json_object_get(v, "format"));
    *g = (group){ .targets = json_object_get(v, "targets") };
    QZ_TRY(read_args(f, w, &g->setting.weights, err));
    QZ_TRY(read_args(f, in, &g->setting.inputs, err));
    if (g->setting.weights.strategy == QZ_CT_NONE) return qz_ct_wrong(f, "weights", "none", err);
    if (g->setting.weights.dynamic || g->setting.weights.local)
        return qz_ct_wrong(f, "dynamic", "true, of weights", err);
    if (out && !json_is_null(out)) return qz_ct_wrong(f, "output_activations", "settings", err);
    g->setting.format = format_named(own ? own : format);
    if (!g->setting.format) return qz_ct_wrong(f, "format", own ? own : format, err);
    const qz_ct_args *a = &g->setting.weights;
    if (a->is_float && g->setting.format->bits && a->bits != g->setting.format->bits)
        return qz_fail(err, QZ_EFORMAT,
                       "a setting that compressed-tensors does not have: file '%s', key 'num_bits': expected %u, the "
                       "floats of '%s', found %u; correct the settings",
                       f->file, g->setting.format->bits, g->setting.format->name, a->bits);
    if (!g->setting.format->holds(&g->setting)) {
        char what[64];
        (void)snprintf(what, sizeof what, "%s of %u bits by %s in %s", a->is_float ? "floats" : "integers", a->bits,
                       qz_ct_strategy_name(a->strategy), g->setting.format->name);
        return qz_ct_wrong(f, "config_groups", what, err);
    }
    return QZ_OK;
}

static qz_status read_groups(const qz_folder_config *f, groups *all, qz_error *err) {
    const char *format = json_string_value(json_object_get(f->q, "format")), *key;
    json_t *v;
    *all = (groups){0};
    /* each group may have its own; "dense": of the file as a whole */
    if (format && strcmp(format, "mixed-precision") != 0 && strcmp(format, "dense") != 0 && !format_named(format) &&
        !foreign_format(format))
        return no_word(f, "format", "float-quantized, int-quantized, pack-quantized, nvfp4-pack-quantized …", format,
                       err);
    json_object_foreach((json_t *)(uintptr_t)json_object_get(f->q, "config_groups"), key, v) {
        if (all->n == GROUPS_MOST) return qz_ct_wrong(f, "config_groups", "more than 64 groups", err);
        QZ_TRY(read_group(f, v, format, &all->of[all->n], err));
        all->of[all->n++].name = key;
    }
    return all->n ? QZ_OK : qz_ct_wrong(f, "config_groups", format ? "none" : NULL, err);
}

/* ---- modules ---- */
static qz_status setting_of(const qz_folder_config *f, const groups *all, const char *module,
                            const qz_ct_setting **out, qz_error *err) {
    *out = NULL;
    for (int classes = 0; classes < 2; classes++)
        for (size_t g = 0; g < all->n; g++)
            for (size_t i = 0; i < json_array_size(all->of[g].targets); i++) {
                const char *t = json_string_value(json_array_get(all->of[g].targets, i));
                bool yes = false;
                if (t) QZ_TRY(qz_module_target(t, module, classes, f->file, &yes, err));
                if (!yes) continue;
                *out = &all->of[g].setting;
                return QZ_OK;
            }
    return QZ_OK;
}

/* Codes are in a type that floats do not have, so a weight that is float stays what it is. */
static bool codes_type(qz_st_dtype d) {
    return d == QZ_ST_F8_E4M3 || d == QZ_ST_I8 || d == QZ_ST_U8 || d == QZ_ST_I32;
}

static bool strip(const char *name, const char *suffix, char module[QZ_ST_MAX_NAME]) {
    const size_t n = strlen(name), k = strlen(suffix);
    if (n <= k + 1 || name[n - k - 1] != '.' || strcmp(name + n - k, suffix) != 0) return false;
    (void)snprintf(module, QZ_ST_MAX_NAME, "%.*s", (int)(n - k - 1), name);
    return true;
}

static qz_status add_codes(qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, const char *suffix,
                           const char *module, qz_error *err) {
    groups *all = r->state;
    const qz_ct_setting *s;
    QZ_TRY(setting_of(r->config, all, module, &s, err));
    if (!s && all->n == 1) { /* read all the same, and said (describe) */
        s = &all->of[0].setting;
        if (all->unnamed++ == 0) (void)snprintf(all->first, sizeof all->first, "%s", module);
    }
    for (size_t g = 0; g < all->n; g++) all->of[g].used += s == &all->of[g].setting;
    if (!s)
        return qz_fail(err, QZ_EFORMAT,
                       "codes without settings: file '%s', tensor '%s': no target of 'config_groups' in '%s' names the "
                       "module; add it to its group",
                       file->path, t->name, r->config->file);
    if (strcmp(s->format->codes, suffix) != 0)
        return qz_fail(err, QZ_EFORMAT,
                       "codes of another format: file '%s', tensor '%s': '%s' says %s for the module, expected "
                       "'%s.%s'; correct the settings",
                       file->path, t->name, r->config->file, s->format->name, module, s->format->codes);
    return s->format->add(r, s, file, t, module, err);
}

/* A tensor beside codes belongs to its module. */
static qz_status add_beside(qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, const char *suffix,
                            const char *module, qz_error *err) {
    const groups *all = r->options;
    const qz_ct_setting *s;
    char with_dot[64];
    (void)snprintf(with_dot, sizeof with_dot, ".%s", suffix);
    QZ_TRY(setting_of(r->config, all, module, &s, err));
    if (!s) s = &all->of[0].setting;
    return strcmp(s->format->codes, "weight") == 0 ? qz_folder_beside_codes(r, file, t, with_dot, err)
                                                   : qz_folder_add_part(r, file, t, with_dot, s->format->codes, err);
}

static qz_status add(qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, qz_error *err) {
    char module[QZ_ST_MAX_NAME];
    for (size_t i = 0; qz_ct_format_at(i); i++) {
        const qz_ct_format *x = qz_ct_format_at(i);
        if (codes_type(t->dtype) && strip(t->name, x->codes, module))
            return add_codes(r, file, t, x->codes, module, err);
        for (size_t k = 0; x->beside[k]; k++)
            if (strip(t->name, x->beside[k], module)) return add_beside(r, file, t, x->beside[k], module, err);
    }
    return qz_model_add_tensor(r->m, file, t, err);
}

static qz_status describe(qz_folder_reader *r, const groups *all, qz_error *err) {
    qz_model *m = r->m;
    bool codes = false;
    for (size_t i = 0; i < m->n_tensors; i++) codes |= m->tensors[i].coded != NULL;
    if (!codes) return qz_folder_no_codes(r, "compressed-tensors", "F8_E4M3, I8 or packed I32", err);
    QZ_TRY(qz_folder_say_floats(r, err));
    QZ_TRY(all->of[0].setting.format->describe(&all->of[0].setting, m, err));
    m->container = "compressed-tensors";
    if (all->n > 1) m->encoding = qz_arena_printf(&m->arena, "%s and others, %zu groups", m->encoding, all->n);
    bool mixed = false;
    for (size_t g = 1; g < all->n && m->contract; g++) {
        const char *other = qz_ct_contract(&all->of[g].setting, m);
        mixed |= other == NULL || strcmp(other, m->contract) != 0;
    }
    if (mixed) m->contract = qz_arena_printf(&m->arena, "%s and others", m->contract);
    if (all->unnamed)
        QZ_TRY(qz_model_doubt(r->run, m, err,
                              "no target of 'config_groups' in '%s' names %zu coded module%s (first '%s'): engines "
                              "load their codes as floats or stop; name them, or the class 'Linear'",
                              r->config->file, all->unnamed, qz_plural(all->unnamed), all->first));
    for (size_t g = 0; g < all->n; g++)
        if (all->of[g].used == 0)
            QZ_TRY(qz_model_doubt(r->run, m, err,
                                  "no coded module is of group '%.60s' of 'config_groups' in '%s': its targets name "
                                  "none, or an earlier group takes them; correct its targets, or drop it",
                                  all->of[g].name, r->config->file));
    return m->encoding && m->contract ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
}

static qz_status fill(qz_run *run, qz_model *m, qz_error *err) {
    qz_folder_config f;
    groups all;
    qz_status st = qz_folder_config_load(m->path, &f, err);
    if (st == QZ_OK) st = read_groups(&f, &all, err);
    qz_folder_reader r = { .run = run, .m = m, .config = &f, .options = &all, .state = &all, .add = add };
    m->expected_types = "F8_E4M3, I8 or packed I32 beside their scales, or F32, F16, BF16";
    if (st == QZ_OK) st = qz_folder_read_into(&r, err);
    if (st == QZ_OK) st = describe(&r, &all, err);
    qz_folder_config_release(&f);
    return st;
}

qz_status qz_ct_detect(const char *path, bool *yes, qz_error *err) {
    return qz_folder_detect(path, "compressed-tensors", yes, err);
}
qz_status qz_ct_read_model(qz_run *run, const char *path, qz_model **out, qz_error *err) {
    return qz_folder_read(run, path, fill, out, err);
}
