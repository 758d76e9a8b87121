#include "pipeline/source.h"
#include "artifacts/open.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/size.h"
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last part of the path; of '.' and '..' that of the folder they stand for. */
static void name_of(const char *given, char out[128]) {
    char real[PATH_MAX];
    const char *last = qz_path_base(given);
    const bool place = *last == 0 || strcmp(last, ".") == 0 || strcmp(last, "..") == 0;
    const char *path = place && realpath(given, real) ? real : given;
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    size_t start = n;
    while (start > 0 && path[start - 1] != '/') start--;
    (void)snprintf(out, 128, "%.*s", (int)qz_min_size(n - start, 127), path + start);
    size_t len = strlen(out);
    if (len > 5 && strcmp(out + len - 5, ".gguf") == 0) out[len - 5] = 0;
}

qz_status qz_source_open(qz_run *run, const char *path, qz_source *s, qz_error *err) {
    *s = (qz_source){0};
    name_of(path, s->name);
    QZ_TRY(qz_artifact_open(run, path, &s->model, err));
    qz_status st = qz_artifact_tokenizer(path, &s->tokenizer, err);
    if (st == QZ_OK && s->tokenizer) st = qz_artifact_fits(s->model, s->tokenizer, path, err);
    if (st != QZ_OK) qz_source_release(s);
    return st;
}
void qz_source_release(qz_source *s) {
    qz_tokenizer_free(s->tokenizer);
    qz_model_free(s->model);
    *s = (qz_source){0};
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(const qz_tensor_view *const *)a)->name, (*(const qz_tensor_view *const *)b)->name);
}
qz_status qz_source_hash(qz_run *run, qz_source *s, qz_error *err) {
    const qz_model *m = s->model;
    const qz_tensor_view **order = qz_alloc_array(m->n_tensors, sizeof *order);
    if (order == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory hashing the source");
    for (size_t i = 0; i < m->n_tensors; i++) order[i] = &m->tensors[i];
    qsort(order, m->n_tensors, sizeof *order, by_name);
    qz_sha256 h = {0};
    qz_progress_begin(run);
    for (size_t i = 0; i < m->n_tensors; i++) {
        const qz_tensor_view *t = order[i];
        uint64_t facts[3] = {t->coded ? t->coded->ops->number : (uint64_t)t->type, t->rows, t->cols};
        qz_sha256_update(&h, t->name, strlen(t->name) + 1);
        qz_sha256_update(&h, facts, sizeof facts);
        if (t->data) {
            qz_sha256_update(&h, t->data, t->bytes);
            qz_map_forget(t->data, t->bytes); /* block data always lie in a mapped file */
        } else t->coded->ops->hash(t->coded, &h);
        qz_progress_step(run, "hashing the source", i + 1, m->n_tensors, "tensors");
    }
    qz_progress_end(run);
    qz_sha256_final_hex(&h, s->sha_hex);
    qz_free(order);
    return QZ_OK;
}

size_t qz_source_beyond(const qz_source *s, size_t n) {
    const qz_config *c = &s->model->config;
    return c->rope.kind != QZ_ROPE_DYNAMIC && n > c->max_position ? n - (size_t)c->max_position : 0;
}

void qz_source_warn_beyond(qz_run *run, const qz_source *s, const char *file, size_t positions, size_t texts) {
    if (positions == 0) return;
    qz_warn(run,
            "%s: %zu position%s of %zu text%s or window%s lie beyond the %llu of '%s' (max_position_embeddings): the "
            "model was not made for them; use shorter windows",
            file, positions, qz_plural(positions), texts, qz_plural(texts), qz_plural(texts),
            (unsigned long long)s->model->config.max_position, s->name);
}

qz_status qz_default_output(const qz_source *s, const qz_scheme_spec *spec, const char *dir, const char *name, char **out, qz_error *err) {
    const qz_scheme_info *info = qz_scheme_get(spec->scheme);
    char file[320], upper[32], recipe[sizeof spec->name];
    const char *base = name ? name : s->name;
    size_t i = 0;
    *out = NULL;
    if (name && (*name == 0 || strchr(name, '/')))
        return qz_fail(err, QZ_EUSAGE, "bad value '%s' for --name: expected a plain name, because the output is named after it, found %s; give -o FILE beside it, or a name without '/'",
                       name, *name ? "a path" : "nothing");
    for (; info->name[i] && i < sizeof upper - 1; i++) upper[i] = (char)toupper((unsigned char)info->name[i]);
    upper[i] = 0;
    (void)snprintf(recipe, sizeof recipe, "%s", spec->name + strlen(info->name) + 1); /* level and flags: "w4g64-asym" */
    for (char *p = recipe; *p; p++) *p = *p == '+' ? '-' : *p;
    bool plain = strcmp(recipe, info->default_level) == 0;
    if (!info->directory) (void)snprintf(file, sizeof file, "%s.%s.gguf", base, spec->level);
    else (void)snprintf(file, sizeof file, "%s-%s%s%s", base, upper, plain ? "" : "-", plain ? "" : recipe);
    *out = qz_path_join(dir ? dir : ".", file);
    return *out ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
}

bool qz_output_is_place(const char *given) {
    size_t n = strlen(given);
    return (n && given[n - 1] == '/') || qz_path_is_dir(given);
}

qz_status qz_output_name(const qz_source *s, const qz_scheme_spec *spec, const char *given, const char *name, char **out, qz_error *err) {
    if (!given || !(qz_scheme_get(spec->scheme)->directory || !qz_output_is_place(given))) return qz_default_output(s, spec, given, name, out, err);
    *out = qz_strdup(given);
    return *out ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
}

qz_status qz_scheme_list(const char *text, qz_arena *arena, qz_scheme_spec **out, size_t *n, qz_error *err) {
    size_t count = 1;
    for (const char *c = text; *c; c++) count += *c == ',';
    *out = qz_arena_calloc(arena, count, sizeof **out);
    *n = 0;
    if (*out == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    while (*text) {
        size_t k = strcspn(text, ",");
        char *one = qz_arena_strndup(arena, text, k);
        if (one == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
        QZ_TRY(qz_scheme_parse(one, &(*out)[*n], err));
        for (size_t i = 0; i < *n; i++)
            if (strcmp((*out)[i].name, (*out)[*n].name) == 0) return qz_fail(err, QZ_EUSAGE, "artifact '%s' is asked for twice", (*out)[i].name);
        (*n)++;
        text += k + (text[k] == ',');
    }
    return *n ? QZ_OK : qz_fail(err, QZ_EUSAGE, "no artifact is asked for; use --to, for example --to awq,gguf:Q4_K_M");
}
