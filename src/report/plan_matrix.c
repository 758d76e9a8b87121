/* Formats over model sizes: GB of weights, and tokens a second where a device is named. */
#include "base/size.h"
#include "base/str.h"
#include "report/fit.h"
#include "base/json_write.h"
#include "report/plan_view.h"
#include "report/table_print.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "70" or "70b": the first built-in shape of that name, else the dense one next in size; otherwise a shape's name. */
static qz_status size_to_shape(const char *text, qz_shape **out, qz_error *err) {
    char *end;
    double want = strtod(text, &end);
    if (end == text || (*end && strcmp(end, "b") != 0 && strcmp(end, "B") != 0))
        return qz_shape_builtin(text, out, err);
    if (!(want > 0) || want > 10000)
        return qz_fail(err, QZ_EUSAGE,
                       "bad model size '%s': expected billions of weights, for example 1,7,70, or shape names", text);
    const qz_shape_row *r;
    double best = INFINITY;
    char suffix[32];
    (void)snprintf(suffix, sizeof suffix, "-%gb", want);
    for (size_t i = 0; (r = qz_shape_row_at(i)) != NULL; i++)
        if (qz_str_ends(r->name, suffix)) return qz_shape_builtin(r->name, out, err);
    for (size_t i = 0; (r = qz_shape_row_at(i)) != NULL; i++) {
        qz_shape *s = NULL;
        QZ_TRY(qz_shape_builtin(r->name, &s, err));
        double d = fabs(log((double)s->params / 1e9 / want));
        if (s->experts == 0 && d < best - 1e-9) {
            best = d;
            qz_shape_free(*out);
            *out = s;
        } else qz_shape_free(s);
    }
    return QZ_OK;
}

typedef struct { qz_shape **shapes; size_t n; } size_list;

static qz_status read_sizes(const char *text, qz_arena *a, size_list *l, qz_error *err) {
    l->shapes = qz_arena_calloc(a, qz_list_count(text), sizeof *l->shapes);
    if (l->shapes == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    for (qz_piece p; qz_list_next(&text, &p);) {
        char one[64];
        (void)snprintf(one, sizeof one, "%.*s", (int)qz_min_size(p.n, 63), p.at);
        QZ_TRY(size_to_shape(one, &l->shapes[l->n], err));
        l->n++;
    }
    return l->n ? QZ_OK : qz_fail(err, QZ_EUSAGE, "no model size: use --matrix 1,7,70 or shape names");
}

/* what: 0 = GB of weights, 1 = tokens a second. */
static qz_status fill(const qz_plan_view *v, const size_list *l, int what, qz_table *t, qz_error *err) {
    for (size_t i = 0; i < v->n_levels; i++) {
        QZ_TRY(qz_table_row(t, err));
        QZ_TRY(qz_table_set(t, 0, err, "%s", qz_level_get(v->levels[i])->name));
        for (size_t k = 0; k < l->n; k++) {
            qz_memory_query q = v->q;
            qz_memory m;
            qz_roofline f = {0};
            qz_error misfit = {0};
            q.shape = l->shapes[k];
            q.level = v->levels[i];
            qz_status st = qz_memory_plan(&q, &m, &misfit);
            if (st == QZ_OK && what == 1) st = qz_roofline_decode(&q, v->hw, v->o.overhead_ms / 1e3, &f, &misfit);
            if (st == QZ_EUNSUPPORTED) continue;
            if (st != QZ_OK) return qz_fail(err, st, "%s", misfit.text);
            if (what == 1) QZ_TRY(qz_table_set(t, k + 1, err, "%.*f", v->o.json ? 9 : 1, f.tokens_s_user));
            else if (v->o.json || v->q.capacity == 0)
                QZ_TRY(qz_table_set(t, k + 1, err, "%.*f", v->o.json ? 9 : 3, (double)m.weights.bytes / 1e9));
            else QZ_TRY(qz_table_set(t, k + 1, err, "%.3f %s", (double)m.weights.bytes / 1e9, m.fits ? "+" : "-"));
        }
    }
    return QZ_OK;
}

qz_status qz_plan_print_matrix(const qz_plan_view *v, qz_str *out, qz_error *err) {
    qz_arena a = {0};
    size_list l = {0};
    qz_table gb, speed;
    qz_status st = read_sizes(v->o.matrix, &a, &l, err);
    qz_column *cols = qz_arena_calloc(&a, l.n + 1, sizeof *cols);
    if (st == QZ_OK && cols == NULL) st = qz_fail(err, QZ_EMEMORY, "out of memory");
    if (st != QZ_OK) goto out;
    cols[0] = (qz_column){"Format", 'l'};
    for (size_t i = 0; i < l.n; i++) cols[i + 1] = (qz_column){l.shapes[i]->name, 'r'};
    QZ_GOTO(qz_table_init(&gb, &a, NULL, cols, l.n + 1, err));
    QZ_GOTO(fill(v, &l, 0, &gb, err));
    if (v->hw) {
        QZ_GOTO(qz_table_init(&speed, &a, NULL, cols, l.n + 1, err));
        QZ_GOTO(fill(v, &l, 1, &speed, err));
    }
    if (v->o.json) {
        qz_json_writer w;
        qz_jw_begin(&w, out);
        qz_jw_key(&w, "weights_gb");
        qz_table_json(&gb, out);
        if (v->hw) {
            qz_jw_text(&w, "device", v->hw->name);
            qz_jw_real(&w, "bandwidth_gbps", v->hw->bandwidth_gbps);
            qz_jw_real(&w, "tflops_16", v->hw->tflops);
            qz_jw_real(&w, "tflops_8", v->hw->tflops8);
            qz_jw_count(&w, "users", v->q.users);
            qz_jw_count(&w, "context", v->q.ctx);
            qz_jw_key(&w, "tokens_per_second");
            qz_table_json(&speed, out);
        }
        qz_jw_end(&w);
        goto out;
    }
    qz_fit_printf(out, 2, "weights in GB (10^9 bytes)%s",
                  v->q.capacity ? "; + fits with KV cache, buffers and the reserve, - does not" : "");
    qz_table_text(&gb, out);
    if (v->hw == NULL) goto out;
    qz_str_putc(out, '\n');
    char rate[96];
    qz_fit_printf(out, 2, "tokens/s at most on %s (%g GB/s, %s; %llu user%s at %llu tokens), as --speed counts",
                  v->hw->name, v->hw->bandwidth_gbps, qz_plan_tflops(v->hw, rate),
                  (unsigned long long)v->q.users, v->q.users == 1 ? "" : "s",
                  (unsigned long long)v->q.ctx);
    qz_table_text(&speed, out);
out:
    for (size_t i = 0; i < l.n; i++) qz_shape_free(l.shapes[i]);
    qz_arena_release(&a);
    return st;
}
