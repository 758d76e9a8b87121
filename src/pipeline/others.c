#include "pipeline/others.h"
#include "base/io.h"
#include "base/size.h"
#include "formats/gguf.h"
#include "pipeline/same_tokens.h"
#include <stdio.h>
#include <string.h>

enum { DEPTH = 2, MOST = 4096 }; /* DIR/org/model; entries of all folders together */

typedef struct {
    qz_run *run;
    const qz_request *r;
    qz_others *o;
    qz_source source;
    qz_dataset data;
    qz_eval_set set;
    qz_eval_options how;
} search;

static bool has_config(const char *dir) {
    char *p = qz_path_join(dir, "config.json");
    const bool yes = p && qz_path_exists(p);
    qz_free(p);
    return yes;
}

/* A shape that differs would be another model, whatever its name. NULL: none does. */
static const char *other_shape(const qz_config *a, const qz_config *b, unsigned long long *was,
                               unsigned long long *is) {
    const struct { const char *what; uint64_t a, b; } all[] = {
        {"hidden size", a->hidden_size, b->hidden_size}, {"layers", a->layers, b->layers},
        {"heads", a->heads, b->heads}, {"key heads", a->kv_heads, b->kv_heads},
        {"feed-forward width", a->intermediate_size, b->intermediate_size},
        {"experts", a->experts, b->experts}, {"vocabulary", a->vocab_size, b->vocab_size}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i].a == all[i].b) continue;
        *was = all[i].a;
        *is = all[i].b;
        return all[i].what;
    }
    return NULL;
}

/* QZ_OK: it can be compared. Else why not. */
static qz_status judge(search *s, const char *path, qz_error *why) {
    qz_source x = {0};
    unsigned long long was = 0, is = 0;
    if (qz_path_same(path, s->r->against)) return qz_fail(why, QZ_EUSAGE, "it is the source itself");
    for (size_t i = 0; i < s->r->n_operands; i++)
        if (qz_path_same(path, s->r->operands[i])) return qz_fail(why, QZ_EUSAGE, "named as an artifact already");
    for (size_t i = 0; i < s->o->n; i++)
        if (qz_path_same(path, s->o->paths[i])) return qz_fail(why, QZ_EUSAGE, "found already");
    QZ_TRY(qz_source_open(s->run, path, &x, why));
    const char *shape = other_shape(&s->source.model->config, &x.model->config, &was, &is);
    qz_status st = shape ? qz_fail(why, QZ_EUSAGE, "another architecture: %s %llu, the source has %llu", shape, is, was)
                         : QZ_OK;
    if (st == QZ_OK) st = qz_same_tokens(&s->source, &x, &s->data, &s->how, &s->set, why);
    qz_source_release(&x);
    return st;
}

static qz_status add(search *s, const char *path, const char *name, qz_error *err) {
    qz_others *o = s->o;
    qz_error why = {0};
    const qz_status st = judge(s, path, &why);
    if (st == QZ_EMEMORY || st == QZ_EBUG) return qz_fail(err, st, "%s", why.text);
    o->said.found++;
    const char *kept = qz_arena_strdup(&o->arena, path);
    if (kept == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory listing uploads");
    if (st != QZ_OK) {
        qz_warn(s->run, "not compared: '%s': %s", path, why.text);
        const char *text = qz_arena_strdup(&o->arena, why.text);
        if (text == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory listing uploads");
        o->said.skipped[o->said.n_skipped++] = (qz_upload_skipped){kept, text};
        return QZ_OK;
    }
    const size_t n = strlen(name);
    o->paths[o->n] = kept;
    o->names[o->n] = qz_arena_strndup(&o->arena, name, qz_str_ends(name, ".gguf") ? n - 5 : n);
    return o->names[o->n++] ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory listing uploads");
}

/* The parts of a split file are one upload, opened by their first. */
static bool later_part(const char *path) {
    size_t no, count;
    return qz_gguf_part_named(path, &no, &count) && no > 0;
}

static qz_status look(search *s, const char *path, const char *name, int depth, qz_error *err) {
    char **names = NULL;
    size_t n = 0;
    if (s->o->said.found + s->o->said.no_model >= MOST)
        return qz_fail(err, QZ_EUSAGE, "too many entries below --others: expected at most %d", MOST);
    if (later_part(path)) return QZ_OK;
    if (qz_path_is_dir(path) ? has_config(path) : qz_str_ends(path, ".gguf") || depth == 0)
        return add(s, path, name, err);
    if (!qz_path_is_dir(path) || depth > DEPTH) return s->o->said.no_model++, QZ_OK;
    QZ_TRY(qz_list_dir(path, &names, &n, err));
    qz_status st = QZ_OK;
    for (size_t i = 0; i < n && st == QZ_OK; i++) {
        char *sub = qz_path_join(path, names[i]), *below = depth ? qz_path_join(name, names[i]) : NULL;
        st = sub && (below || depth == 0) ? look(s, sub, depth ? below : names[i], depth + 1, err)
                                          : qz_fail(err, QZ_EMEMORY, "out of memory listing uploads");
        qz_free(sub);
        qz_free(below);
    }
    qz_free_names(names, n);
    return st;
}

static qz_status search_all(search *s, qz_error *err) {
    const qz_request *r = s->r;
    qz_others *o = s->o;
    QZ_TRY(qz_source_open(s->run, r->against, &s->source, err));
    QZ_TRY(qz_dataset_load(r->text, s->source.tokenizer, &(qz_dataset_options){0}, &s->data, err));
    s->how = qz_eval_asked(r, &s->source);
    QZ_TRY(qz_eval_set_build(s->source.tokenizer, &s->data, &s->how, &s->set, err));
    o->paths = qz_arena_calloc(&o->arena, MOST + 1, sizeof *o->paths);
    o->names = qz_arena_calloc(&o->arena, MOST + 1, sizeof *o->names);
    o->said.skipped = qz_arena_calloc(&o->arena, MOST + 1, sizeof *o->said.skipped);
    if (!o->paths || !o->names || !o->said.skipped) return qz_fail(err, QZ_EMEMORY, "out of memory listing uploads");
    for (size_t i = 0; i < r->others.n; i++) {
        if (qz_path_kind_of(r->others.at[i]) == QZ_PATH_NONE) return qz_path_missing(r->others.at[i], err);
        QZ_TRY(look(s, r->others.at[i], qz_path_base(r->others.at[i]), 0, err));
    }
    if (o->n + r->n_operands == 0)
        return qz_fail(err, QZ_EUSAGE,
                       "nothing to compare: --others found %zu model%s (GGUF files, folders with config.json) and none "
                       "of them fits the source '%s'; the warnings say why",
                       o->said.found, qz_plural(o->said.found), r->against);
    qz_info(s->run, "others: %zu model%s found, %zu compared, %zu not; %zu other entr%s no model", o->said.found,
            qz_plural(o->said.found), o->n, o->said.n_skipped, o->said.no_model,
            o->said.no_model == 1 ? "y is" : "ies are");
    return QZ_OK;
}

qz_status qz_others_find(qz_run *run, const qz_request *r, qz_others *out, qz_error *err) {
    *out = (qz_others){0};
    if (r->against == NULL || r->text == NULL)
        return qz_fail(err, QZ_EUSAGE, "--others compares by KL and size: give --against SOURCE and --text FILE");
    search *s = qz_calloc_array(1, sizeof *s);
    if (s == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    s->run = run;
    s->r = r;
    s->o = out;
    const qz_status st = search_all(s, err);
    qz_eval_set_release(&s->set);
    qz_dataset_release(&s->data);
    qz_source_release(&s->source);
    qz_free(s);
    return st;
}

void qz_others_release(qz_others *o) {
    qz_arena_release(&o->arena);
    *o = (qz_others){0};
}

void qz_others_tell(const qz_others *o, qz_measured *out, size_t n) {
    for (size_t i = 1; i < n; i++) {
        qz_maker_read(out[i].path, &out[i].maker);
        out[i].upload = i >= n - o->n;
        if (out[i].upload) (void)snprintf(out[i].name, sizeof out[i].name, "%s", o->names[i - (n - o->n)]);
        out[i].on_line = true;
        for (size_t j = 1; j < n; j++) {
            const double a = out[i].score.kl.value, b = out[j].score.kl.value;
            const uint64_t x = out[i].file_bytes, y = out[j].file_bytes;
            if (y <= x && b <= a && (y < x || b < a)) out[i].on_line = false;
        }
    }
}
