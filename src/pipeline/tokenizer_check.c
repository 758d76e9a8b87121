#include "pipeline/tokenizer_check.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "artifacts/open.h"
#include "base/json.h"
#include "base/io.h"
#include "base/size.h"
#include "base/utf8.h"
#include "text/tokenizer_proof.h"

#define SEED 20u
#define SHOWN_IDS 12u

/* A text for one line: printable ASCII as it is, all else as \u{…}. */
static void show_text(const qz_str *s, qz_str *out) {
    uint32_t cp;
    qz_str_putc(out, '\'');
    for (size_t i = 0; i < s->len;) {
        i += qz_utf8_step(s->ptr + i, s->len - i, &cp);
        if (cp >= ' ' && cp < 127) qz_str_putc(out, (char)cp);
        else qz_str_printf(out, "\\u{%X}", cp);
    }
    qz_str_putc(out, '\'');
}
static void show_ids(const qz_ids *v, qz_str *out) {
    for (size_t i = 0; i < v->n && i < SHOWN_IDS; i++) qz_str_printf(out, "%s%u", i ? " " : "[", v->ids[i]);
    qz_str_puts(out, v->n > SHOWN_IDS ? " …]" : v->n ? "]" : "[]");
}

typedef struct { const qz_request *r; qz_table *t; qz_arena *arena; json_t *evidence; qz_error *err; } check;

static qz_status add_row(check *c, const char *what, const char *result, const char *detail) {
    QZ_TRY(qz_table_row(c->t, c->err));
    QZ_TRY(qz_table_set(c->t, 0, c->err, "%s", what));
    QZ_TRY(qz_table_set(c->t, 1, c->err, "%s", result));
    return qz_table_set(c->t, 2, c->err, "%s", detail);
}

/* "107616 texts, 35 differ, all by what GGUF cannot store (normalizer NFC); the smallest '\u{340}': expected …" */
static void describe(const qz_tokenizer_proof *p, const char *lost, qz_str *out) {
    qz_str_printf(out, "%zu texts, %zu differ", p->texts, p->differ);
    if (p->differ == 0) return;
    if (p->unstored == p->differ) qz_str_printf(out, ", all by what GGUF cannot store (%s)", lost);
    else if (p->unstored) qz_str_printf(out, ", %zu of them by what GGUF cannot store (%s)", p->unstored, lost);
    qz_str_puts(out, "; the smallest ");
    show_text(&p->smallest, out);
    qz_str_puts(out, ": expected ");
    show_ids(&p->want, out);
    qz_str_puts(out, ", found ");
    show_ids(&p->got, out);
}

static json_t *evidence_of(const qz_tokenizer_proof *p, const char *lost) {
    json_t *kinds = json_object();
    bool ok = kinds != NULL;
    for (size_t i = 0; ok && i < QZ_PROOF_KINDS; i++)
        ok = json_object_set_new(kinds, p->kinds[i].name,
                                 json_pack("{s:I,s:I}", "texts", (json_int_t)p->kinds[i].texts, "differ",
                                           (json_int_t)p->kinds[i].differ)) == 0;
    json_t *j = ok ? json_pack("{s:I,s:I,s:I,s:s,s:s,s:o}", "texts", (json_int_t)p->texts, "differ",
                               (json_int_t)p->differ, "differ_by_what_gguf_cannot_store", (json_int_t)p->unstored,
                               "not_stored", lost, "source_ids_sha256", p->ids_sha256, "kinds", kinds) : NULL;
    if (!ok) json_decref(kinds);
    if (j && p->differ)
        (void)json_object_set_new(j, "smallest",
                                  json_stringn(p->smallest.ptr ? p->smallest.ptr : "", p->smallest.len));
    return j;
}

/* What is compared: the row's name, its key in the evidence, the two and what excuses a difference. */
typedef struct {
    const char *what, *key;
    const qz_tokenizer *source, *other, *storable;
    const char *lost;
} comparison;

/* A row and a part of the evidence. *bad: something differs without an excuse (c->err says what). */
static qz_status compare(check *c, const comparison *x, bool *bad) {
    const char *what = x->what, *key = x->key, *lost = x->lost;
    qz_tokenizer_proof p = {0};
    qz_str detail = {0};
    QZ_TRY(qz_tokenizer_prove(x->source, x->other, x->storable, SEED, &p, c->err));
    const bool fails = p.differ > p.unstored;
    describe(&p, lost, &detail);
    qz_status st = detail.failed ? qz_fail(c->err, QZ_EMEMORY, "out of memory comparing tokenizers")
                                 : add_row(c, what, fails ? "FAILED" : "ok", detail.ptr);
    json_t *j = st == QZ_OK ? evidence_of(&p, lost) : NULL;
    if (st == QZ_OK && (j == NULL || json_object_set_new(c->evidence, key, j) != 0))
        st = qz_fail(c->err, QZ_EMEMORY, "out of memory comparing tokenizers");
    if (st == QZ_OK && fails && !*bad) {
        *bad = true;
        (void)qz_fail(c->err, QZ_ECHECK, "tokenizers differ: '%s', %s: %s", c->r->operands[0], what, detail.ptr);
    }
    qz_str_release(&detail);
    qz_tokenizer_proof_release(&p);
    return st;
}

#define OWN_KEYS "quantz.tokenizer.pattern" /* compared with its own keys, without a source */

/* Evidence against a source says more than one of the file's own keys. */
static bool says_more(const check *c, const char *manifest) {
    json_t *root = NULL;
    const bool read = !c->r->source && qz_json_load(manifest, (size_t)64 << 20, &root, &(qz_error){0}) == QZ_OK;
    const char *source = read ? json_string_value(json_object_get(json_object_get(root, "tokenizer_proof"), "source"))
                              : NULL;
    const bool more = source && strcmp(source, OWN_KEYS) != 0;
    json_decref(root);
    return more;
}

/* Into the stated file, or beside the artifact. */
static qz_status store(check *c) {
    const char *path = c->r->operands[0];
    char *manifest = NULL, *text = NULL;
    qz_status st = QZ_OK;
    if (c->r->output) {
        text = json_dumps(c->evidence, JSON_INDENT(2));
        st = text ? qz_write_file(c->r->output, text, strlen(text), c->err)
                  : qz_fail(c->err, QZ_EMEMORY, "out of memory writing '%s'", c->r->output);
        free(text); /* jansson's */
        return st == QZ_OK ? add_row(c, "evidence", "ok", c->r->output) : st;
    }
    manifest = qz_manifest_path(path);
    if (manifest == NULL) return qz_fail(c->err, QZ_EMEMORY, "out of memory comparing tokenizers");
    if (!qz_path_exists(manifest)) st = add_row(c, "evidence", "-", "not stored: no manifest; name a file with -o");
    else if (says_more(c, manifest)) st = add_row(c, "evidence", "-", "kept as it is: it was compared with a source");
    else if ((st = qz_manifest_add(manifest, "tokenizer_proof", c->evidence, c->err)) == QZ_OK)
        st = add_row(c, "evidence", "ok", qz_path_base(manifest));
    qz_free(manifest);
    return st;
}

static qz_status run_checks(check *c, const qz_tokenizer *source, const qz_tokenizer *read, const qz_tokenizer *keys,
                            qz_error *failure) {
    qz_tokenizer *storable = NULL;
    qz_str lost = {0};
    bool bad = false;
    qz_status st = QZ_OK;
    if (read) {
        const comparison x = {"as quantz reads it", "read_by_quantz", source, read, NULL, ""};
        QZ_GOTO(compare(c, &x, &bad));
    }
    if (bad) *failure = *c->err;
    if (keys) {
        QZ_GOTO(qz_tokenizer_storable(source, &storable, &lost, c->err));
        const comparison x = {"by its GGUF keys alone", "gguf_keys_alone", source, keys, storable,
                              lost.ptr ? lost.ptr : ""};
        QZ_GOTO(compare(c, &x, &bad));
    }
    if (bad && failure->code == QZ_OK) *failure = *c->err;
    st = store(c);
out:
    qz_tokenizer_free(storable);
    qz_str_release(&lost);
    return st;
}

qz_status qz_tokenizer_check(const qz_request *r, qz_arena *arena, qz_table *t, qz_error *err) {
    static const qz_column cols[] = {{"check", 'l'}, {"result", 'l'}, {"detail", 'l'}};
    const char *path = r->operands[0];
    qz_tokenizer *read = NULL, *keys = NULL, *source = NULL;
    qz_error failure = {0}, own = {0};
    check c = {.r = r, .t = t, .arena = arena, .err = &own};
    qz_status st = QZ_OK;
    bool pipeline = false;
    QZ_TRY(qz_table_init(t, arena, "tokenizer", cols, 3, err));
    QZ_GOTO(qz_artifact_tokenizer(path, &read, &own));
    if (read == NULL) QZ_GOTO(qz_fail(&own, QZ_EUSAGE, "no tokenizer in '%s': its inputs are ids", path));
    QZ_GOTO(qz_artifact_tokenizer_by_keys(path, &keys, &pipeline, &own));
    if (r->source) QZ_GOTO(qz_artifact_tokenizer(r->source, &source, &own));
    if (r->source && source == NULL) QZ_GOTO(qz_fail(&own, QZ_EUSAGE, "no tokenizer in '%s'", r->source));
    if (!r->source && !pipeline)
        QZ_GOTO(qz_fail(&own, QZ_EUSAGE,
                        "nothing to compare the tokenizer of '%s' with: expected --source MODEL%s", path,
                        keys ? ", since the file does not hold its source's pipeline" : ""));
    c.evidence = json_pack("{s:s,s:i}", "source", r->source ? r->source : OWN_KEYS, "seed", SEED);
    if (!c.evidence) QZ_GOTO(qz_fail(&own, QZ_EMEMORY, "out of memory comparing tokenizers"));
    st = run_checks(&c, source ? source : read, source ? read : NULL, keys, &failure);
    if (st == QZ_OK && failure.code != QZ_OK) own = failure, st = failure.code;
out:
    if (st != QZ_OK && err->code == QZ_OK) *err = own;
    json_decref(c.evidence);
    qz_tokenizer_free(read);
    qz_tokenizer_free(keys);
    qz_tokenizer_free(source);
    return st;
}
