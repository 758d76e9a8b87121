/* What a comparison of two opened models does not see: stored tensors that nothing uses and keys that nothing reads. */
#include "artifacts/raw.h"
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "artifacts/diff_int.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_LIMIT = 16 << 20, SUBJECT = 200, SHOWN = 40 };

/* ---- tensors ---- */
static const qz_raw_tensor *stored(const qz_raw *r, const char *file_name) {
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->tensors[i].name, file_name) == 0) return &r->tensors[i];
    return NULL;
}
static const qz_leftover *left(const qz_model *m, const char *name) {
    for (size_t i = 0; i < m->n_left; i++)
        if (strcmp(m->left[i].name, name) == 0) return &m->left[i];
    return NULL;
}
static void kind_text(const qz_raw_tensor *t, char out[96]) {
    char shape[64];
    (void)snprintf(out, 96, "%.20s %s", t ? t->type : "?", t ? qz_raw_shape(t, shape) : "");
}

/* One leftover of `side`; the first side also compares it with its namesake. */
static qz_status leftover(const qz_source *const s[2], const qz_raw raw[2], int side, const qz_leftover *t, qz_diff *d,
                          qz_error *err) {
    const qz_leftover *o = left(s[!side]->model, t->name);
    const qz_raw_tensor *x = stored(&raw[side], t->file_name), *y = o ? stored(&raw[!side], o->file_name) : NULL;
    char text[2][96], subject[SUBJECT];
    if (o && side) return QZ_OK;
    kind_text(x, text[side]);
    if (o) kind_text(y, text[!side]);
    else
        (void)snprintf(text[!side], sizeof text[0], "%s",
                       qz_model_find(s[!side]->model, t->name) ? "used" : "not there");
    if (o && strcmp(text[0], text[1]) == 0) {
        const bool same = x && y && x->bytes == y->bytes &&
                          (x->bytes == 0 || memcmp(x->data, y->data, (size_t)x->bytes) == 0);
        if (x && x->data) qz_map_forget(x->data, (size_t)x->bytes);
        if (y && y->data) qz_map_forget(y->data, (size_t)y->bytes);
        if (same) return QZ_OK;
        (void)snprintf(text[1], sizeof text[1], "other values");
    }
    (void)snprintf(subject, sizeof subject, "unused '%.150s'", t->file_name);
    return qz_diff_fact(d, subject, text[0], text[1], err);
}

qz_status qz_diff_leftovers(const qz_source *const side[2], const char *const paths[2], qz_diff *d, qz_error *err) {
    qz_raw raw[2];
    if (side[0]->model->n_left == 0 && side[1]->model->n_left == 0) return QZ_OK;
    QZ_TRY(qz_raw_open(paths[0], &raw[0], err));
    qz_status st = qz_raw_open(paths[1], &raw[1], err);
    if (st == QZ_OK) {
        const bool alike = strncmp(raw[0].container, raw[1].container, 4) == 0;
        for (int i = 0; i < 2; i++)
            for (size_t k = 0; k < side[i]->model->n_left && st == QZ_OK; k++) {
                const qz_leftover *t = &side[i]->model->left[k];
                if (alike || t->kind == QZ_LEFT_PART) st = leftover(side, raw, i, t, d, err);
            }
        qz_raw_release(&raw[1]);
    }
    qz_raw_release(&raw[0]);
    return st;
}

/* ---- keys ---- */
static void value_text(const json_t *v, char out[SHOWN + 8]) {
    char *text = v ? json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15)) : NULL;
    const bool cut = text && strlen(text) > SHOWN;
    (void)snprintf(out, SHOWN + 8, "%.*s%s", (int)SHOWN, text ? text : v ? "?" : "not there", cut ? "…" : "");
    free(text);
}

static bool equal(const json_t *a, const json_t *b) {
    if (json_is_number(a) && json_is_number(b) && json_is_integer(a) != json_is_integer(b)) {
        const double x = json_number_value(a), y = json_number_value(b);
        return !(x < y) && !(x > y);
    }
    return json_equal(a, b);
}

/* Said before, of the configuration as it was understood. */
static bool said(const qz_diff *d, const char *key) {
    for (size_t i = 0; i < d->other.n_rows; i++)
        if (strcmp(qz_table_cell(&d->other, i, 0), key) == 0) return true;
    return false;
}

/* `prefix` ends in ": " or "."; an object in both is gone through key by key (jansson bounds the depth). */
static qz_status objects(const char *prefix, const json_t *a, const json_t *b, qz_diff *d, qz_error *err) {
    const json_t *const o[2] = {a, b};
    const char *key;
    json_t *v;
    for (int side = 0; side < 2; side++)
        json_object_foreach((json_t *)(uintptr_t)o[side], key, v) {
            const json_t *w = json_object_get(o[!side], key);
            char subject[SUBJECT], text[2][SHOWN + 8];
            if ((w && (side || equal(v, w))) || said(d, key)) continue;
            (void)snprintf(subject, sizeof subject, "%.130s%.60s", prefix, key);
            if (json_is_object(v) && json_is_object(w)) {
                (void)snprintf(subject, sizeof subject, "%.130s%.60s.", prefix, key);
                QZ_TRY(objects(subject, v, w, d, err));
                continue;
            }
            value_text(v, text[side]);
            value_text(w, text[!side]);
            if (strcmp(text[0], text[1]) == 0) (void)snprintf(text[1], sizeof text[1], "another value");
            QZ_TRY(qz_diff_fact(d, subject, text[0], text[1], err));
        }
    return QZ_OK;
}

static qz_status load(const char *dir, const char *name, json_t **out, qz_error *err) {
    char *path = qz_path_join(dir, name);
    *out = NULL;
    if (!path) return qz_fail(err, QZ_EMEMORY, "out of memory comparing");
    qz_status st = qz_path_exists(path) ? qz_json_load(path, JSON_LIMIT, out, err) : QZ_OK;
    qz_free(path);
    return st;
}

qz_status qz_diff_json(const char *const paths[2], qz_diff *d, qz_error *err) {
    static const char *const names[] = {"config.json", "generation_config.json"};
    if (!qz_path_is_dir(paths[0]) || !qz_path_is_dir(paths[1])) return QZ_OK;
    qz_status st = QZ_OK;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && st == QZ_OK; i++) {
        json_t *root[2] = {NULL, NULL};
        char prefix[48];
        st = load(paths[0], names[i], &root[0], err);
        if (st == QZ_OK) st = load(paths[1], names[i], &root[1], err);
        (void)snprintf(prefix, sizeof prefix, "%s: ", names[i]);
        if (st == QZ_OK && !root[0] != !root[1])
            st = qz_diff_fact(d, names[i], root[0] ? "there" : "not there", root[1] ? "there" : "not there", err);
        else if (st == QZ_OK) st = objects(prefix, root[0], root[1], d, err);
        json_decref(root[0]);
        json_decref(root[1]);
    }
    return st;
}
