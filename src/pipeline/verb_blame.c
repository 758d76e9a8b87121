#include "base/json_write.h"
#include "base/size.h"
#include "pipeline/blame.h"
#include "pipeline/verbs.h"
#include "report/table_print.h"
#include <string.h>

enum { SHOWN = 15 };

static double percent(double part, double all) { return all > 0 ? 100 * part / all : 0; }
/* KL that a megabyte spent on one more bit there is expected to take away. */
static double per_mb(const qz_blamed *u) { return u->buys / ((double)u->weights / 8e6); }

/* Without what all names have: "layers.5.mlp.down_proj". */
static int short_name(const char *name, const char **at) {
    const size_t n = strlen(name), end = strlen(".weight");
    *at = strncmp(name, "model.", 6) == 0 ? name + 6 : name;
    const size_t left = strlen(*at);
    return (int)(n > end && strcmp(name + n - end, ".weight") == 0 ? left - end : left);
}

static qz_status table_of(const qz_blame *b, size_t most, qz_arena *a, qz_table *t, qz_error *err) {
    static const qz_column cols[] = {{"Tensor", 'l'},  {"Bits", 'r'},         {"KL", 'r'},
                                     {"Share %", 'r'}, {"One more bit", 'r'}, {"Per MB", 'r'}};
    QZ_TRY(qz_table_init(t, a, NULL, cols, sizeof cols / sizeof *cols, err));
    for (size_t i = 0; i < b->n && i < most; i++) {
        const qz_blamed *u = &b->unit[i];
        QZ_TRY(qz_table_row(t, err));
        const char *name;
        const int len = short_name(u->name, &name);
        QZ_TRY(qz_table_set(t, 0, err, "%.*s", len, name));
        QZ_TRY(qz_table_set(t, 1, err, "%.3f", u->bits));
        QZ_TRY(qz_table_set(t, 2, err, "%.3g", u->kl));
        QZ_TRY(qz_table_set(t, 3, err, "%.1f", percent(u->kl, b->sum)));
        QZ_TRY(qz_table_set(t, 4, err, "-%.3g", u->buys));
        QZ_TRY(qz_table_set(t, 5, err, "-%.3g", per_mb(u)));
    }
    return QZ_OK;
}

static void json_of(const qz_blame *b, qz_str *s) {
    qz_json_writer w;
    qz_jw_begin(&w, s);
    qz_jw_real(&w, "kl", b->whole);
    qz_jw_real(&w, "kl_matrices", b->kl);
    qz_jw_real(&w, "sum_of_shares", b->sum);
    qz_jw_real(&w, "additive_r2", b->r2);
    qz_jw_count(&w, "windows", b->windows);
    qz_jw_count(&w, "tokens_scored", b->scored);
    qz_jw_count(&w, "vectors_not_measured", b->left);
    qz_jw_open(&w, "halves", '[');
    for (size_t h = 0; h < QZ_BLAME_HALVES; h++) {
        qz_jw_open(&w, NULL, '{');
        qz_jw_real(&w, "kl", b->half_kl[h]);
        qz_jw_real(&w, "sum", b->half_sum[h]);
        qz_jw_close(&w, '}');
    }
    qz_jw_close(&w, ']');
    qz_jw_open(&w, "tensors", '[');
    for (size_t i = 0; i < b->n; i++) {
        const qz_blamed *u = &b->unit[i];
        qz_jw_open(&w, NULL, '{');
        qz_jw_text(&w, "tensor", u->name);
        qz_jw_count(&w, "weights", u->weights);
        qz_jw_real(&w, "bits", u->bits);
        qz_jw_real(&w, "kl", u->kl);
        qz_jw_real(&w, "share_pct", percent(u->kl, b->sum));
        qz_jw_real(&w, "one_more_bit_saves", u->buys);
        qz_jw_real(&w, "saves_per_mb", per_mb(u));
        qz_jw_close(&w, '}');
    }
    qz_jw_close(&w, ']');
    qz_jw_end(&w);
}

static qz_status show(const qz_blame *b, const qz_request *r, qz_error *err) {
    qz_arena a = {0};
    qz_table t = {0};
    qz_str s = {0};
    qz_status st = QZ_OK;
    if (r->json) json_of(b, &s);
    else {
        st = table_of(b, r->tensors ? b->n : SHOWN, &a, &t, err);
        if (st == QZ_OK) st = qz_table_show(&t, false, err);
        if (!r->tensors && b->n > SHOWN) qz_str_printf(&s, "%zu more (--tensors)\n", b->n - SHOWN);
        qz_str_printf(
            &s,
            "KL %.4g nats per token on %zu windows (%zu tokens); all matrices together %.4g, sum of their shares "
            "%.4g; R2 of the sum on %d random halves %.2f\n",
            b->whole, b->windows, b->scored, b->kl, b->sum, QZ_BLAME_HALVES, b->r2);
        if (b->left)
            qz_str_printf(&s, "%zu norm%s or bias that differ are not measured one by one\n", b->left,
                          qz_plural(b->left));
        if (!(b->r2 >= 0.5))
            qz_str_puts(&s,
                        "Shares do not add up here (errors make up for each other, or the KL is too small for so few "
                        "windows): take them as a ranking; --windows N measures on more\n");
        qz_str_puts(&s, "One more bit: what it is expected to take away (three quarters of the share)\n");
    }
    if (st == QZ_OK) st = r->json ? qz_show(&s, err) : qz_show_text(&s, err);
    qz_str_release(&s);
    qz_arena_release(&a);
    return st;
}

qz_status qz_run_blame_verb(qz_run *run, const qz_request *r, qz_error *err) {
    qz_blame b;
    qz_status st = qz_blame_run(run, r, &b, err);
    if (st == QZ_OK) st = show(&b, r, err);
    qz_blame_release(&b);
    return st;
}
