#include "gate/gate.h"
#include "base/io.h"
#include "base/json.h"
#include "base/str.h"
#include "eval/intervals.h"
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { MAX_CANDIDATES = 4096 };

typedef struct { qz_gate_candidates *c; const char *file, *row; qz_error *err; } reader;

/* A finite number at a key; false: none there. */
static bool number(const json_t *o, const char *key, double *out) {
    const json_t *v = json_object_get(o, key);
    if (!json_is_number(v)) return false;
    *out = json_number_value(v);
    return isfinite(*out);
}

static qz_gate_value exact(double v) {
    return (qz_gate_value){.value = v, .low = v, .high = v, .present = true, .confidence = 1};
}
static qz_gate_value share(double solved, double n) {
    qz_gate_value v = {.value = n > 0 ? solved / n : 0, .n = n, .solved = solved, .present = n > 0, .counted = true,
                       .confidence = 0.95};
    qz_share_interval(solved, n, v.confidence, &v.low, &v.high);
    return v;
}
static qz_gate_value dropped(double lost, double won, double n) {
    qz_gate_value v = {.value = n > 0 ? (lost - won) / n : 0, .n = n, .solved = lost, .won = won, .present = n > 0,
                       .counted = true, .confidence = 0.95};
    qz_drop_interval(lost, won, n, v.confidence, &v.low, &v.high);
    return v;
}

static qz_status bad_value(const reader *r, const char *key, const char *expected) {
    return qz_fail(r->err, QZ_EFORMAT, "bad value: file '%s', candidate '%s', key '%s': expected %s", r->file, r->row,
                   key, expected);
}

/* What this program's own reports say. */
static qz_status own(const reader *r, const json_t *row, const qz_gate_metric *m, qz_gate_value *v) {
    char low[64], high[64];
    double a, b;
    const json_t *o = json_object_get(row, m->key);
    switch (m->kind) {
    case QZ_GATE_SHARE:
    case QZ_GATE_DROPPED: {
        const bool drop = m->kind == QZ_GATE_DROPPED;
        double n;
        if (!number(row, m->key, &a) || !number(row, m->second, &b)) return QZ_OK;
        if (!drop) n = b;
        else if (!number(row, "tasks", &n)) return QZ_OK;
        if (a < 0 || b < 0 || (drop ? a + b : a) > n) return bad_value(r, m->key, "a count of the tasks");
        *v = drop ? dropped(a, b, n) : share(a, n);
        return QZ_OK;
    }
    case QZ_GATE_SPREAD:
        if (!json_is_object(o) || !number(o, m->second ? m->second : "median", &a)) return QZ_OK;
        *v = exact(a);
        if (m->second == NULL && number(o, "min", &v->low) && number(o, "max", &v->high) && v->low > v->high)
            return bad_value(r, m->key, "min below max");
        return QZ_OK;
    case QZ_GATE_FIGURE:
    case QZ_GATE_PLAIN: break;
    }
    if (!number(row, m->key, &a)) return QZ_OK;
    *v = exact(a * m->scale);
    (void)snprintf(low, sizeof low, "%s_low", m->key);
    (void)snprintf(high, sizeof high, "%s_high", m->key);
    if (m->kind != QZ_GATE_FIGURE || !number(row, low, &v->low) || !number(row, high, &v->high)) return QZ_OK;
    if (!(v->low <= v->high)) return bad_value(r, low, "an interval");
    v->confidence = 0.95;
    v->n = (double)json_array_size(json_object_get(row, "window_kl"));
    if (v->n <= 0) (void)number(row, "tokens_scored", &v->n);
    return QZ_OK;
}

/* name: 0.93, or {"value": 0.93, "low": …, "high": …, "n": 200}, or with name_low, name_high and name_n beside it. */
static qz_status foreign(const reader *r, const json_t *row, const qz_gate_metric *m, const char *name,
                         qz_gate_value *v) {
    static const char *const parts[3] = {"low", "high", "n"};
    const json_t *o = json_object_get(row, name);
    double x[3];
    bool has[3];
    char key[96];
    if (o == NULL || json_is_null(o)) return QZ_OK;
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(key, sizeof key, "%.80s_%s", name, parts[i]);
        has[i] = json_is_object(o) ? number(o, parts[i], &x[i]) : number(row, key, &x[i]);
    }
    *v = (qz_gate_value){0};
    double value;
    if (json_is_object(o) ? !number(o, "value", &value) : !json_is_number(o)) return bad_value(r, name, "a number");
    if (!json_is_object(o)) value = json_number_value(o);
    if (m->kind == QZ_GATE_SHARE && (value < 0 || value > 1)) return bad_value(r, name, "a share from 0 to 1");
    *v = exact(value);
    if (has[2] && !(x[2] >= 1)) return bad_value(r, name, "n of 1 and more");
    if (has[2]) v->n = x[2];
    if (has[0] && has[1]) {
        if (!(x[0] <= value && value <= x[1])) return bad_value(r, name, "low <= value <= high");
        v->low = x[0];
        v->high = x[1];
        v->confidence = 0.95;
    } else if (m->kind == QZ_GATE_SHARE && has[2]) *v = share(value * x[2], x[2]);
    return QZ_OK;
}

/* A figure that cannot be would pass a limit on the other side. */
static qz_status plausible(const reader *r, const qz_gate_metric *m, const qz_gate_value *v) {
    char range[96];
    if (!v->present) return QZ_OK;
    (void)snprintf(range, sizeof range, "%g to %g%s%s, inside its own interval", m->lowest, m->highest,
                   m->unit[0] ? " " : "", m->unit);
    const bool inside = v->value >= m->lowest && v->value <= m->highest && v->low <= v->value && v->value <= v->high;
    return inside ? QZ_OK : bad_value(r, m->name, range);
}

/* Samples behind all shares of a row, where a table says so once. */
static qz_status samples_of(const reader *r, const json_t *row, double *n) {
    static const char *const keys[] = {"n", "samples", "n_tasks", "count", "tasks"};
    *n = 0;
    if (json_object_get(row, "tasks_solved") || json_object_get(row, "tasks_lost")) return QZ_OK;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0] && !(*n > 0); i++) {
        double v;
        if (!number(row, keys[i], &v)) continue;
        /* "tasks": 0.92 is the share itself */
        if (strcmp(keys[i], "tasks") == 0 && v <= 1) continue;
        if (!(v >= 1)) return bad_value(r, keys[i], "1 and more samples");
        *n = v;
    }
    return QZ_OK;
}

static qz_status read_value(const reader *r, const json_t *row, size_t i, qz_gate_value *v) {
    const qz_gate_metric *m = qz_gate_metric_at(i);
    const char *others = m->others;
    char name[64];
    if (m->key[0] == 0) return QZ_OK;
    QZ_TRY(own(r, row, m, v));
    if (v->present) return plausible(r, m, v);
    QZ_TRY(foreign(r, row, m, m->name, v));
    for (qz_piece p; !v->present && qz_list_next(&others, &p);) {
        (void)snprintf(name, sizeof name, "%.*s", (int)p.n, p.at);
        /* "tasks" of our own rows is a count */
        const bool counts = strcmp(name, "tasks") == 0;
        if (counts && (json_object_get(row, "tasks_solved") || json_object_get(row, "tasks_lost"))) continue;
        if (counts && json_is_number(json_object_get(row, name)) && json_number_value(json_object_get(row, name)) > 1)
            continue;
        QZ_TRY(foreign(r, row, m, name, v));
    }
    if (v->present && m->kind == QZ_GATE_SHARE && !v->counted && !(v->n > 0)) {
        double n;
        QZ_TRY(samples_of(r, row, &n));
        if (n > 0 && v->value >= 0 && v->value <= 1) *v = share(v->value * n, n);
    }
    return plausible(r, m, v);
}

/* Keys of a table that no metric is, by name: what is not judged is said. */
static bool known_key(const char *key) {
    static const char *const other[] = {"name", "artifact", "candidate", "format",        "model",
                                        "path", "kinds",    "window_kl", "window_tokens", "task_pass",
                                        "n",    "samples",  "n_tasks",   "count",         "tasks"};
    static const char *const ends[] = {"", "_low", "_high", "_n"};
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
        if (strcmp(key, other[i]) == 0) return true;
    for (size_t i = 0; qz_gate_metric_at(i); i++) {
        const qz_gate_metric *m = qz_gate_metric_at(i);
        const char *others = m->others;
        qz_piece p = {m->name, strlen(m->name)}, own_key = {m->key, strlen(m->key)},
                 second = {m->second ? m->second : "", m->second ? strlen(m->second) : 0};
        do {
            for (size_t k = 0; k < sizeof ends / sizeof ends[0]; k++) {
                const qz_piece all[3] = {p, own_key, second};
                for (size_t a = 0; a < 3; a++)
                    if (all[a].n && strncmp(key, all[a].at, all[a].n) == 0 && strcmp(key + all[a].n, ends[k]) == 0)
                        return true;
            }
        } while (qz_list_next(&others, &p));
    }
    return false;
}
static qz_status note_unread(reader *r, const json_t *row) {
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)row, key, v) {
        if (known_key(key) || qz_list_has(r->c->unread, key)) continue;
        r->c->unread = qz_arena_printf(r->c->arena, "%s%s%.60s", r->c->unread ? r->c->unread : "",
                                       r->c->unread ? ", " : "", key);
        if (r->c->unread == NULL) return qz_fail(r->err, QZ_EMEMORY, "out of memory reading '%s'", r->file);
        if (strlen(r->c->unread) > 600) break;
    }
    return QZ_OK;
}

static qz_status read_kinds(const reader *r, const json_t *row, qz_gate_candidate *c) {
    json_t *kinds = json_object_get(row, "kinds"), *v;
    const char *key;
    if (!json_is_object(kinds) || json_object_size(kinds) == 0) return QZ_OK;
    c->kinds = qz_arena_calloc(r->c->arena, json_object_size(kinds), sizeof *c->kinds);
    if (c->kinds == NULL) return qz_fail(r->err, QZ_EMEMORY, "out of memory reading '%s'", r->file);
    json_object_foreach(kinds, key, v) {
        const double k = json_number_value(json_array_get(v, 0)), n = json_number_value(json_array_get(v, 1));
        if (json_array_size(v) != 2 || !(k >= 0 && k <= n)) return bad_value(r, "kinds", "[solved, n] of each kind");
        qz_gate_kind_value *out = &c->kinds[c->n_kinds++];
        if ((out->kind = qz_arena_strdup(r->c->arena, key)) == NULL)
            return qz_fail(r->err, QZ_EMEMORY, "out of memory reading '%s'", r->file);
        out->v = share(k, n);
    }
    return QZ_OK;
}

static qz_status read_numbers(const reader *r, const json_t *row, const char *key, const double **out, size_t *n) {
    const json_t *list = json_object_get(row, key);
    *n = json_array_size(list);
    if (*n == 0) return QZ_OK;
    double *v = qz_arena_alloc(r->c->arena, *n, sizeof *v);
    if (v == NULL) return qz_fail(r->err, QZ_EMEMORY, "out of memory reading '%s'", r->file);
    for (size_t i = 0; i < *n; i++) {
        const json_t *x = json_array_get(list, i);
        if (!json_is_number(x) || !(json_number_value(x) >= 0)) return bad_value(r, key, "numbers, none below 0");
        v[i] = json_number_value(x);
    }
    *out = v;
    return QZ_OK;
}

/* What a lock compares: KL by window and each task's result. */
static qz_status read_parts(const reader *r, const json_t *row, qz_gate_candidate *c) {
    const char *pass = NULL;
    size_t n = 0;
    QZ_TRY(read_numbers(r, row, "window_kl", &c->window_kl, &c->n_windows));
    QZ_TRY(read_numbers(r, row, "window_tokens", &c->window_tokens, &n));
    if (c->window_kl && n != c->n_windows) return bad_value(r, "window_tokens", "a number for each of window_kl");
    QZ_TRY(qz_json_str(row, "task_pass", r->file, &pass, r->err));
    if (pass == NULL) return QZ_OK;
    if (strspn(pass, "01") != strlen(pass)) return bad_value(r, "task_pass", "a text of 0 and 1");
    c->task_pass = qz_arena_strdup(r->c->arena, pass);
    return c->task_pass ? QZ_OK : qz_fail(r->err, QZ_EMEMORY, "out of memory reading '%s'", r->file);
}

/* The artifact where the report lies: release names paths from the folder that it ran in. NULL: not there either. */
static const char *beside(const reader *r, const char *where) {
    const char *slash = strrchr(r->file, '/');
    if (slash == NULL) return NULL;
    const char *path = qz_arena_printf(r->c->arena, "%.*s/%s", (int)(slash - r->file), r->file, qz_path_base(where));
    return path && qz_path_exists(path) ? path : NULL;
}

/* What an artifact is called in reports of several verbs: the end of its path. */
static qz_status name_of(reader *r, const json_t *row, size_t i, const char **name, const char **path) {
    static const char *const keys[] = {"name", "artifact", "candidate", "format", "model"};
    const char *where = NULL;
    *name = NULL;
    if (!json_is_object(row))
        return qz_fail(r->err, QZ_EFORMAT, "bad candidate %zu: file '%s': expected an object, found %s", i, r->file,
                       qz_json_kind(row));
    for (size_t k = 0; *name == NULL && k < sizeof keys / sizeof keys[0]; k++)
        QZ_TRY(qz_json_str(row, keys[k], r->file, name, r->err));
    if (*name == NULL || **name == 0)
        return qz_fail(r->err, QZ_EFORMAT,
                       "candidate without a name: file '%s', number %zu: expected 'name' or 'artifact'", r->file, i);
    QZ_TRY(qz_json_str(row, "path", r->file, &where, r->err));
    if (where == NULL) where = *name;
    for (const char *c = *name; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return qz_fail(r->err, QZ_EFORMAT, "bad name of candidate %zu: file '%s': expected no control characters",
                           i, r->file);
    *path = qz_path_exists(where) ? qz_arena_strdup(r->c->arena, where) : beside(r, where);
    *name = qz_arena_strdup(r->c->arena, json_object_get(row, "artifact") ? qz_path_base(where) : *name);
    return *name ? QZ_OK : qz_fail(r->err, QZ_EMEMORY, "out of memory reading '%s'", r->file);
}

static qz_status slot(reader *r, const char *name, qz_gate_candidate **out) {
    qz_gate_candidates *c = r->c;
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->at[i].name, name) == 0) return *out = &c->at[i], QZ_OK;
    if (c->n == MAX_CANDIDATES)
        return qz_fail(r->err, QZ_EUSAGE, "too many candidates: file '%s': expected at most %d", r->file,
                       MAX_CANDIDATES);
    if (c->n == c->room) {
        const size_t room = c->room ? 2 * c->room : 16;
        qz_gate_candidate *at = qz_arena_calloc(c->arena, room, sizeof *at);
        if (at == NULL) return qz_fail(r->err, QZ_EMEMORY, "out of memory reading '%s'", r->file);
        if (c->n) memcpy(at, c->at, c->n * sizeof *at);
        c->at = at;
        c->room = room;
    }
    *out = &c->at[c->n++];
    **out = (qz_gate_candidate){.name = name};
    return QZ_OK;
}

static qz_status read_row(reader *r, const json_t *row, size_t i, bool baseline, size_t *index) {
    const char *name = "", *path = NULL;
    qz_gate_candidate *c = NULL, now = {0};
    QZ_TRY(name_of(r, row, i, &name, &path));
    r->row = name;
    for (size_t k = 0; k < QZ_GATE_METRICS; k++) QZ_TRY(read_value(r, row, k, &now.v[k]));
    QZ_TRY(read_kinds(r, row, &now));
    QZ_TRY(read_parts(r, row, &now));
    QZ_TRY(slot(r, name, &c));
    *index = (size_t)(c - r->c->at);
    if (path) c->path = path;
    c->baseline = c->baseline || baseline;
    for (size_t k = 0; k < QZ_GATE_METRICS; k++) {
        if (!now.v[k].present) continue;
        if (c->v[k].present && (c->v[k].value < now.v[k].value || c->v[k].value > now.v[k].value))
            return qz_fail(r->err, QZ_EUSAGE,
                           "two values of %s: candidate '%s': %g, and %g in file '%s'; give one of the reports",
                           qz_gate_metric_at(k)->name, name, c->v[k].value, now.v[k].value, r->file);
        c->v[k] = now.v[k];
    }
    if (now.window_kl)
        c->window_kl = now.window_kl, c->window_tokens = now.window_tokens, c->n_windows = now.n_windows;
    if (now.task_pass) c->task_pass = now.task_pass;
    if (now.n_kinds) c->kinds = now.kinds, c->n_kinds = now.n_kinds;
    return QZ_OK;
}

/* Both files say it, and not the same. */
static qz_status agree(reader *r, const json_t *root, const char *key, const char *what, const char **seen) {
    const char *now = NULL;
    if (!json_is_object(root)) return QZ_OK;
    QZ_TRY(qz_json_str(root, key, r->file, &now, r->err));
    if (now == NULL || *now == 0) return QZ_OK;
    if (*seen && strcmp(*seen, now) != 0)
        return qz_fail(r->err, QZ_EUSAGE,
                       "reports of unlike %s cannot be judged together: file '%s' '%.100s', file '%s' '%.100s'", what,
                       r->c->named_by, *seen, r->file, now);
    if (*seen) return QZ_OK;
    *seen = qz_arena_strdup(r->c->arena, now);
    if (r->c->named_by == NULL) r->c->named_by = qz_arena_strdup(r->c->arena, r->file);
    return *seen && r->c->named_by ? QZ_OK : qz_fail(r->err, QZ_EMEMORY, "out of memory reading '%s'", r->file);
}

/* Perplexity against the source's, where a table has perplexities alone. */
static void against(qz_gate_candidate *c, double base) {
    qz_gate_value *d = &c->v[QZ_GATE_DPPL];
    const qz_gate_value *p = &c->v[QZ_GATE_PPL];
    if (d->present || !p->present || c->baseline || !(base > 0)) return;
    *d = exact(100 * (p->value / base - 1));
}

qz_status qz_gate_candidates_add(qz_gate_candidates *c, const json_t *root, const char *name, qz_error *err) {
    reader r = {.c = c, .file = name, .row = "", .err = err};
    const json_t *rows = json_is_array(root) ? root : json_object_get(root, "rows");
    if (!rows) rows = json_object_get(root, "candidates");
    if (!json_is_array(rows))
        return qz_fail(err, QZ_EFORMAT, "no candidates: file '%s': expected a report of eval, bench or release, or "
                                        "{\"candidates\": [{\"name\": …}]}", name);
    QZ_TRY(agree(&r, root, "protocol", "protocols", &c->protocol));
    QZ_TRY(agree(&r, root, "token_hash", "tokens", &c->token_hash));
    QZ_TRY(agree(&r, root, "machine", "machines", &c->machine));
    const json_t *base = json_is_object(root) ? json_object_get(root, "baseline") : NULL;
    bool paired = false;
    double ppl = 0;
    for (size_t i = 0; i < json_array_size(rows); i++)
        paired = paired || json_object_get(json_array_get(rows, i), "mcnemar_p") ||
                 json_object_get(json_array_get(rows, i), "kl_p99");
    if (base && !number(base, "ppl", &ppl)) return bad_value(&r, "baseline", "{\"ppl\": …}");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        size_t at;
        /* of rows that were paired with the source the one without a pair is the source */
        if (json_is_array(root) || !json_object_get(root, "schema")) QZ_TRY(note_unread(&r, row));
        QZ_TRY(read_row(&r, row, i, paired && !json_object_get(row, "mcnemar_p") && !json_object_get(row, "kl_p99"),
                        &at));
        if (c->at[at].baseline && c->at[at].v[QZ_GATE_PPL].present) ppl = c->at[at].v[QZ_GATE_PPL].value;
    }
    if (json_array_size(rows) == 0 && c->n == 0 && !json_object_get(root, "token_hash") &&
        !json_object_get(root, "machine"))
        return qz_fail(err, QZ_EUSAGE, "no candidates: file '%s' has an empty list", name);
    for (size_t i = 0; i < c->n; i++) against(&c->at[i], ppl);
    return QZ_OK;
}

const qz_gate_value *qz_gate_value_of(const qz_gate_candidate *c, const qz_gate_rule *r) {
    if (r->kind == NULL) return c->v[r->metric].present ? &c->v[r->metric] : NULL;
    for (size_t i = 0; i < c->n_kinds; i++)
        if (strcmp(c->kinds[i].kind, r->kind) == 0) return c->kinds[i].v.present ? &c->kinds[i].v : NULL;
    return NULL;
}
