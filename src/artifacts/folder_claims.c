/* What quantization_config claims of a folder against what its files hold: settings that are not honoured, modules that
 * it leaves float and that have codes, scales without codes. One line each. */
#include "artifacts/folder.h"
#include "artifacts/module_rules.h"
#include "base/bytes.h"
#include "base/half.h"
#include "formats/dtypes.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef enum { FINE, NOTE } verdict;
static const struct { const char *method, *key, *value; verdict verdict; } rows[] = {
#define QZ_QUANT_VALUE(method, key, value, verdict) { method, key, value, verdict },
#include "artifacts/quant_values.def"
#undef QZ_QUANT_VALUE
};

static const json_t *at_path(const json_t *o, const char *path) {
    char key[64];
    for (const char *dot; (dot = strchr(path, '.')) != NULL; path = dot + 1) {
        (void)snprintf(key, sizeof key, "%.*s", (int)(dot - path), path);
        o = json_object_get(o, key);
    }
    return json_object_get(o, path);
}

static bool absent(const json_t *v) {
    return v == NULL || json_is_null(v) || json_is_false(v) || (json_is_array(v) && json_array_size(v) == 0) ||
           (json_is_object(v) && json_object_size(v) == 0);
}

static qz_status unhonoured(const qz_folder_reader *r, size_t first, const char *found, qz_error *err) {
    qz_str expected = {0};
    for (size_t i = first; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].method, rows[first].method) == 0 && strcmp(rows[i].key, rows[first].key) == 0)
            qz_str_printf(&expected, "%s%s", expected.len ? " or " : "", rows[i].value);
    qz_status st = qz_fail(err, QZ_EUNSUPPORTED,
                           "a setting that is not honoured: file '%s', key 'quantization_config.%s': expected %s, "
                           "found %.60s; use a copy of the model without it",
                           r->config->file, rows[first].key, expected.ptr ? expected.ptr : "none", found);
    qz_str_release(&expected);
    return st;
}

/* The first row of a key stands for all of them. */
static qz_status check_values(const qz_folder_reader *r, const char *method, qz_error *err) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const json_t *v = at_path(r->config->q, rows[i].key);
        bool first = true, known = false, note = false;
        if (strcasecmp(rows[i].method, method) != 0 || absent(v)) continue;
        for (size_t k = 0; k < i; k++)
            first &= strcmp(rows[k].method, rows[i].method) != 0 || strcmp(rows[k].key, rows[i].key) != 0;
        if (!first) continue;
        char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
        for (size_t k = i; k < sizeof rows / sizeof rows[0]; k++) {
            if (strcmp(rows[k].method, rows[i].method) != 0 || strcmp(rows[k].key, rows[i].key) != 0) continue;
            const bool any = strcmp(rows[k].value, "*") == 0;
            if (!any && (!json_is_string(v) || strcasecmp(json_string_value(v), rows[k].value) != 0)) continue;
            known = true;
            note |= rows[k].verdict == NOTE;
        }
        qz_status st = known ? QZ_OK : unhonoured(r, i, text ? text : "?", err);
        if (st == QZ_OK && note)
            qz_info_once(r->run, "note: %s: quantization_config.%s is not applied: 1 setting of servers", r->m->path,
                         rows[i].key);
        free(text);
        QZ_TRY(st);
    }
    return QZ_OK;
}

/* Shell wildcards of the whole name: * any characters, dots too, ? one. Without recursion: the last star takes more. */
static bool wildcard_names(const char *entry, const char *module) {
    const char *star = NULL, *behind = NULL;
    while (*module) {
        if (*entry == '*') star = ++entry, behind = module;
        else if (*entry == '?' || (*entry && *entry == *module)) entry++, module++;
        else if (!star) return false;
        else entry = star, module = ++behind;
    }
    while (*entry == '*') entry++;
    return *entry == 0;
}

/* An entry names a module, a run of whole parts of its name, names by wildcards, or (re:) a regular expression. */
static qz_status entry_names(const char *entry, const char *module, const char *file, bool *yes, qz_error *err) {
    const size_t n = strlen(entry);
    *yes = false;
    if (strncmp(entry, "re:", 3) == 0) {
        char where[560];
        (void)snprintf(where, sizeof where, "file '%.540s'", file);
        return qz_module_match(entry + 3, module, where, yes, err);
    }
    if (strchr(entry, '*') || strchr(entry, '?')) return *yes = wildcard_names(entry, module), QZ_OK;
    for (const char *p = module; n && (p = strstr(p, entry)) != NULL && !*yes; p++)
        *yes = (p == module || p[-1] == '.') && (p[n] == 0 || p[n] == '.');
    return QZ_OK;
}

static const char *const lists[] = { "ignore", "exclude_modules", "ignored_layers", "modules_to_not_convert",
                                     "llm_int8_skip_modules" };

/* *key, *entry: what leaves `module` float; NULL if nothing does. */
static qz_status left_float(const qz_folder_reader *r, const char *module, const char **key, const char **entry,
                            qz_error *err) {
    *key = *entry = NULL;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const json_t *list = json_object_get(r->config->q, lists[i]);
        for (size_t k = 0; k < json_array_size(list); k++) {
            const char *e = json_string_value(json_array_get(list, k));
            bool yes = false;
            if (e) QZ_TRY(entry_names(e, module, r->config->file, &yes, err));
            if (!yes) continue;
            *key = lists[i];
            *entry = e;
            return QZ_OK;
        }
    }
    return QZ_OK;
}

static void module_of(const qz_tensor_view *t, char *out, size_t room) {
    const size_t n = strlen(t->file_name);
    (void)snprintf(out, room, "%.*s",
                   (int)(qz_str_ends(t->file_name, ".weight")          ? n - strlen(".weight")
                         : qz_str_ends(t->file_name, ".qweight")       ? n - strlen(".qweight")
                         : qz_str_ends(t->file_name, ".weight_packed") ? n - strlen(".weight_packed")
                                                                       : n),
                   t->file_name);
}

/* A stored tensor of the module, or of one inside of it. */
static qz_status names_any(const qz_folder_reader *r, const char *entry, bool *yes, qz_error *err) {
    char name[QZ_ST_MAX_NAME];
    *yes = qz_folder_part(r->dir, entry, "weight") || qz_folder_part(r->dir, entry, "weight_packed") ||
           qz_folder_part(r->dir, entry, "qweight");
    for (size_t f = 0; f < r->dir->n_files && !*yes; f++)
        for (size_t i = 0; i < r->dir->files[f].n && !*yes; i++) {
            (void)snprintf(name, sizeof name, "%s", r->dir->files[f].tensors[i].name);
            /* wildcards name a module as a whole: any that the tensor lies in */
            for (char *dot; (dot = strrchr(name, '.')) != NULL && !*yes;) {
                *dot = 0;
                QZ_TRY(entry_names(entry, name, r->config->file, yes, err));
            }
        }
    return QZ_OK;
}

/* Entries that name nothing of the files: of another model, or misspelt. A tied head has no tensor. */
static qz_status count_strangers(qz_folder_reader *r, qz_error *err) {
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const json_t *list = json_object_get(r->config->q, lists[i]);
        for (size_t k = 0; k < json_array_size(list); k++) {
            const char *e = json_string_value(json_array_get(list, k));
            bool yes = false;
            if (!e || qz_str_ends(e, "lm_head")) continue;
            QZ_TRY(names_any(r, e, &yes, err));
            if (yes || r->m->n_no_module++) continue;
            r->m->no_module = qz_arena_printf(&r->m->arena, "%s '%.100s'", lists[i], e);
            if (!r->m->no_module) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", r->m->path);
        }
    }
    return QZ_OK;
}

qz_status qz_folder_claims_lists(qz_folder_reader *r, qz_error *err) {
    char module[QZ_ST_MAX_NAME];
    const char *key, *entry;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const json_t *v = json_object_get(r->config->q, lists[i]);
        if (v && !json_is_null(v) && !json_is_array(v))
            return qz_fail(err, QZ_EFORMAT,
                           "modules that stay float are no list: file '%s', key 'quantization_config.%s': expected a "
                           "list of names, found %s%.60s%s; write [\"NAME\"]",
                           r->config->file, lists[i], json_is_string(v) ? "'" : "",
                           json_is_string(v) ? json_string_value(v) : "another value", json_is_string(v) ? "'" : "");
    }
    for (size_t i = 0; i < r->m->n_tensors; i++) {
        const qz_tensor_view *t = &r->m->tensors[i];
        if (t->coded == NULL) continue;
        module_of(t, module, sizeof module);
        QZ_TRY(left_float(r, module, &key, &entry, err));
        if (key)
            return qz_fail(err, QZ_EFORMAT,
                           "module '%s' has codes, and key 'quantization_config.%s' of file '%s' leaves it float "
                           "('%.100s'): expected a float weight, found codes in '%s'; "
                           "correct the list",
                           module, key, r->config->file, entry, t->file);
    }
    return count_strangers(r, err);
}

qz_status qz_folder_claims(const qz_folder_reader *r, qz_error *err) {
    const char *method = qz_folder_method(r->config);
    return method ? check_values(r, method, err) : QZ_OK;
}
/* Stored scales of inputs that no linear is rounded with. */
static void say_input_scales(const qz_folder_reader *r) {
    size_t n = 0, used = 0;
    for (size_t f = 0; f < r->dir->n_files; f++)
        for (size_t i = 0; i < r->dir->files[f].n; i++) {
            const char *name = r->dir->files[f].tensors[i].name;
            n += qz_str_ends(name, ".input_scale") || qz_str_ends(name, ".activation_scale") ||
                 qz_str_ends(name, ".input_global_scale");
        }
    for (size_t i = 0; i < r->m->n_tensors; i++) used += r->m->tensors[i].inputs && r->m->tensors[i].inputs->fixed;
    if (n > used)
        qz_info_once(r->run, "note: %s: %zu scale%s of inputs %s not applied: the settings have no use for %s",
                     r->m->path, n - used, n - used == 1 ? "" : "s", n - used == 1 ? "is" : "are",
                     n - used == 1 ? "it" : "them");
}

/* Linears that the configuration codes and that are stored as floats: read as such, while engines expect codes. */
qz_status qz_folder_say_floats(const qz_folder_reader *r, qz_error *err) {
    char module[QZ_ST_MAX_NAME];
    const char *key, *entry, *first = NULL;
    size_t n = 0;
    say_input_scales(r);
    for (size_t l = 0; l < r->m->config.layers; l++)
        for (size_t i = 0; i < r->m->blocks[l].n_sites; i++) {
            const qz_bound *b = &r->m->blocks[l].sites[i];
            if (b->site.kind == QZ_SITE_NORM || b->site.kind == QZ_SITE_ROUTER ||
                (b->site.kind == QZ_SITE_PART && !b->site.module))
                continue;
            for (size_t e = 0; e < (b->site.experts ? b->site.experts : 1); e++) {
                const qz_tensor_view *t = b->weight[e];
                if (t == NULL || t->coded) continue;
                module_of(t, module, sizeof module);
                QZ_TRY(left_float(r, module, &key, &entry, err));
                if (key) continue;
                if (n++ == 0) first = t->file_name;
            }
        }
    if (n)
        qz_info_once(r->run,
                     "note: %s: %zu linear%s stored as floats that quantization_config codes: first '%s'; engines "
                     "expect codes there",
                     r->m->path, n, n == 1 ? " is" : "s are", first);
    return QZ_OK;
}

qz_status qz_folder_beside_codes(qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, const char *suffix,
                                 qz_error *err) {
    char module[QZ_ST_MAX_NAME];
    (void)snprintf(module, sizeof module, "%.*s", (int)(strlen(t->name) - strlen(suffix)), t->name);
    const qz_st_tensor *w = qz_folder_part(r->dir, module, "weight");
    if (w == NULL || w->dtype == QZ_ST_F8_E4M3 || w->dtype == QZ_ST_I8 || w->dtype == QZ_ST_U8)
        return qz_folder_add_part(r, file, t, suffix, "weight", err);
    return qz_fail(err, QZ_EFORMAT,
                   "a scale without codes: file '%s', tensor '%s', offset %llu: expected '%s.weight' of F8_E4M3, "
                   "I8 or U8, found %s; the weight was replaced, or the scale is another's",
                   file->path, t->name, (unsigned long long)t->offset, module, qz_st_dtype_name(w->dtype));
}

/* One float of any type, or NULL. */
static bool one_float(const qz_st_tensor *t, float *v) {
    if (t->elems != 1) return false;
    if (t->dtype == QZ_ST_F32) *v = qz_bits_f32(qz_load_u32le(t->data));
    else if (t->dtype == QZ_ST_BF16) *v = qz_bf16_to_f32(qz_load_u16le(t->data));
    else if (t->dtype == QZ_ST_F16) *v = qz_f16_to_f32(qz_load_u16le(t->data));
    else return false;
    return true;
}

/* The code of 0, in the setting's bits. */
static qz_status input_zero(const qz_folder_reader *r, const qz_st *file, const char *module, qz_input_rounding *x,
                            qz_error *err) {
    const qz_st_tensor *z = qz_folder_part(r->dir, module, "input_zero_point");
    const int half = 1 << (x->bits - 1);
    x->zero = z && z->elems == 1 && z->dtype == QZ_ST_I8 ? (int8_t)z->data[0] : half;
    if (x->zero >= -half && x->zero < half) return QZ_OK;
    return qz_fail(err, QZ_EFORMAT,
                   "zero point of the inputs: file '%s', module '%s': 'symmetric' is false in '%s', expected "
                   "'%s.input_zero_point' of one I8 from %d to %d, found %s; correct the settings",
                   file->path, module, r->config->file, module, -half, half - 1, z ? "another" : "none");
}

qz_status qz_folder_static_input(const qz_folder_reader *r, const qz_st *file, const char *module, const char *name,
                                 qz_input_rounding *x, qz_error *err) {
    const qz_st_tensor *t = qz_folder_part(r->dir, module, name);
    if (!t && strcmp(name, "input_scale") == 0) t = qz_folder_part(r->dir, module, "activation_scale");
    if (!t)
        return qz_fail(err, QZ_EFORMAT,
                       "a scale of the inputs is missing: file '%s', module '%s': '%s' says that it is stored, "
                       "expected '%s.%s', found none; say dynamic, or add the scales",
                       file->path, module, r->config->file, module, name);
    if (!one_float(t, &x->scale))
        return qz_fail(err, QZ_EFORMAT,
                       "a scale of the inputs: file '%s', tensor '%s': expected one F32, BF16 or F16, found %llu "
                       "elements of %s",
                       file->path, t->name, (unsigned long long)t->elems, qz_st_dtype_name(t->dtype));
    if (!(x->scale > 0) || isinf(x->scale) || isinf(1 / x->scale))
        return qz_fail(err, QZ_EFORMAT,
                       "a scale of the inputs: file '%s', tensor '%s', offset %llu: expected above 0, found %g; it was "
                       "never calibrated",
                       file->path, t->name, (unsigned long long)t->offset, (double)x->scale);
    return x->sym ? QZ_OK : input_zero(r, file, module, x, err);
}

qz_status qz_folder_no_codes(const qz_folder_reader *r, const char *method, const char *expected, qz_error *err) {
    const char *name = NULL, *type = "";
    for (size_t f = 0; f < r->dir->n_files && !name; f++)
        for (size_t i = 0; i < r->dir->files[f].n && !name; i++) {
            const qz_st_tensor *t = &r->dir->files[f].tensors[i];
            if (strstr(t->name, "_proj.") == NULL || t->n_dims != 2) continue;
            name = t->name;
            type = qz_st_dtype_name(t->dtype);
        }
    return qz_fail(err, QZ_EFORMAT,
                   "no tensor has codes: folder '%s' says %s: expected weights of %s, found %s%s%s%s; correct "
                   "quantization_config",
                   r->m->path, method, expected, name ? type : "none", name ? " ('" : "", name ? name : "",
                   name ? "')" : "");
}
